package schema

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const vectorDir = "../../testdata/vectors"

// vector returns the bytes of testdata/vectors/moduledef_<name>.hex.
func vector(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(vectorDir, "moduledef_"+name+".hex"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// valid decodes and validates a vector.
func valid(t testing.TB, name string) *ModuleDef {
	t.Helper()
	raw, err := DecodeRaw(vector(t, name))
	if err != nil {
		t.Fatal(err)
	}
	m, err := Validate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func vectorNames(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(vectorDir, "moduledef_*.hex"))
	if err != nil || len(files) < 8 {
		t.Fatalf("module definition vectors: %v, %v", files, err)
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(strings.TrimPrefix(filepath.Base(f), "moduledef_"), ".hex")
	}
	return files
}

// compactJSON brings a JSON file into the form without spaces, keeping the
// order of keys.
func compactJSON(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(vectorDir, file))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestVectors(t *testing.T) {
	for _, name := range vectorNames(t) {
		t.Run(name, func(t *testing.T) {
			b := vector(t, name)
			raw, err := DecodeRaw(b)
			if err != nil {
				t.Fatal(err)
			}
			if got := raw.Append(nil); !bytes.Equal(got, b) {
				t.Errorf("re-encoded:\n%x\nwant\n%x", got, b)
			}
			if got, want := string(raw.AppendJSON(nil)), compactJSON(t, "moduledef_"+name+".json"); got != want {
				t.Errorf("JSON:\n%s\nwant\n%s", got, want)
			}
			if _, err := Validate(raw); err != nil {
				t.Error(err)
			}
		})
	}
}
