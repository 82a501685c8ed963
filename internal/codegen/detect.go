package codegen

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/stdbgo/spacetime/internal/codegen/model"
)

// A Detection is what a project says about the SDK that it uses.
type Detection struct {
	Version  model.Version
	Evidence string // what said so, as in "node_modules/spacetimedb"; "" if nothing did
}

// Detect looks for the release of the client SDK that a project uses, from dir,
// an absolute path that need not exist, up to the root of the file system (spec
// 10 §3.2). What is installed counts before what is locked, and that before what
// is declared, wherever it stands. Files that cannot be read or understood say
// nothing.
func Detect(l Language, dir string) Detection {
	var d detector
	switch l {
	case TypeScript:
		d = typescriptEvidence
	case Rust:
		d = rustEvidence
	case CSharp:
		d = csharpEvidence
	case Unreal:
		d = unrealEvidence
	}
	for _, look := range d {
		for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
			if v, evidence := look(at); evidence != "" {
				return Detection{Version: v, Evidence: evidence}
			}
			if at == filepath.Dir(at) {
				break
			}
		}
	}
	return Detection{Version: newest[l]}
}

// A detector looks for kinds of evidence in the order of their weight. Each
// looks at one directory and says what it found, "" for nothing.
type detector []func(dir string) (model.Version, string)

// maxEvidence bounds the size of a file that is looked at, in bytes. The lock
// files of large projects have a few MB.
const maxEvidence = 32 << 20

// read returns the content of a file, nil if it cannot be read.
func read(elem ...string) []byte {
	f, err := os.Open(filepath.Join(elem...))
	if err != nil {
		return nil
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil
	}
	b, err := io.ReadAll(io.LimitReader(f, maxEvidence+1))
	if err != nil || len(b) > maxEvidence {
		return nil
	}
	return b
}

// readJSON reads a JSON file into v.
func readJSON(v any, elem ...string) error {
	b := read(elem...)
	if b == nil {
		return errors.New("not readable")
	}
	return json.Unmarshal(b, v)
}

func exists(elem ...string) bool {
	_, err := os.Stat(filepath.Join(elem...))
	return err == nil
}
