package jstest

import (
	"bytes"
	"encoding/hex"
	"os"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/spec"
)

func testChat(t *testing.T) {
	for _, c := range []struct{ version, vector, connect string }{
		{"1.12", "moduledef_v9_chat_ts1.12.0", "on_connect"},
		{"2.10", "moduledef_v10_chat_ts2.10.1", "on_connect"},
	} {
		t.Run(c.version, func(t *testing.T) {
			spec.Covers(t, "04.36")
			w := newWorld(t, bundle(t, "chat-"+c.version), abi.Limits{})
			text, err := os.ReadFile("../../testdata/vectors/" + c.vector + ".hex")
			if err != nil {
				t.Fatal(err)
			}
			want, err := hex.DecodeString(string(bytes.TrimSpace(text)))
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := w.Describe(t.Context()); !bytes.Equal(got, want) {
				t.Errorf("description\n%x, want\n%x", got, want)
			}
			w.must(c.connect)
			w.must("set_name", str("Al"))
			w.must("send_message", str("hi"))
		})
	}
}
