package jstest

import (
	"os"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi/enginetest"
)

// conformance are the parts of the modules that enginetest wants, as seen from an engine's directory.
const conformance = "../js/testdata/conformance"

// guest puts the interpreter of enginetest's scripts between what the two versions of modules have of their own.
func guest(t *testing.T, version string) []byte {
	t.Helper()
	var text []byte
	for _, name := range []string{version + "-head", "script", version + "-tail"} {
		b, err := os.ReadFile(conformance + "/" + name + ".js")
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, b...)
	}
	return text
}

func testConformance(t *testing.T) {
	for _, version := range []string{"v1", "v2"} {
		t.Run(version, func(t *testing.T) {
			enginetest.Run(t, enginetest.Subject{
				Engine: engine.New(), Program: guest(t, version), Chapter: "04",
				NoHandlers:       version == "v1",
				KeepsPanicked:    true,
				CatchesViewError: true,
				RequestsBlock:    true,
				ErrorsOfCallers:  version == "v2",
			})
		})
	}
}
