package schema

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestParseJSON reads what AppendJSON wrote of every vector and demands the same
// definition back.
func TestParseJSON(t *testing.T) {
	files, err := filepath.Glob("../../testdata/vectors/moduledef_*.hex")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d vectors, %v", len(files), err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		b, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		m, err := DecodeRaw(b)
		if err != nil {
			t.Fatal(err)
		}
		generation, js := 10, []byte(nil)
		if m.V9 != nil {
			generation, js = 9, m.V9.AppendJSON(nil)
		} else {
			js = m.V10.AppendJSON(nil)
		}
		again, err := ParseJSON(generation, js)
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(f), err)
			continue
		}
		if got := again.Append(nil); !bytes.Equal(got, m.Append(nil)) {
			t.Errorf("%s: the definition differs after JSON", filepath.Base(f))
		}
	}
}

func TestParseJSONRefuses(t *testing.T) {
	for _, text := range []string{``, `[]`, `{}`, `{"sections":1}`, `{"sections":[{"Nope":[]}]}`, `{"sections":[{"Tables":[{}]}]}`, `{"sections":[{"Types":[1]}]}`, `{"sections":[{"Typespace":{"types":["U8"]}}]}`} {
		if m, err := ParseJSON(10, []byte(text)); err == nil {
			t.Errorf("%s: %+v", text, m.V10)
		}
	}
}
