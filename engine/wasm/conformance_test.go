package wasm

import (
	"testing"

	"github.com/stdbgo/spacetime/internal/abi/enginetest"
)

func TestConformance(t *testing.T) {
	interpreter, err := New(Options{Engine: Interpreter})
	if err != nil {
		t.Fatal(err)
	}
	defer interpreter.Close()
	for _, e := range []*Engine{engine(t), interpreter} {
		for _, guest := range []string{"script", "scriptshort"} {
			if e == interpreter && (raced || guest == "scriptshort") {
				continue // once is enough for what the engine below has no part in
			}
			t.Run(e.Name()+"/"+guest, func(t *testing.T) {
				enginetest.Run(t, enginetest.Subject{
					Engine: e, Program: file(t, "testdata/"+guest+".wasm"), Chapter: "03",
					NoHandlerSender: guest == "scriptshort",
				})
			})
		}
	}
}
