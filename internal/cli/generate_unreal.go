package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stdbgo/spacetime/internal/codegen/unreal"
)

// maxUproject bounds the size of a .uproject file in bytes.
const maxUproject = 16 << 20

// unrealProject finds the project file of an Unreal entry and returns a function
// that notes the game's module there, if it is not noted yet (spec 10 §8.2).
func (r *run) unrealProject(e *generateEntry) (write func() error, err error) {
	path, err := findUproject(r.path(e.uprojectDir))
	if err != nil {
		return nil, because(err, "There is no Unreal project in '%s', which --uproject-dir names", e.uprojectDir)
	}
	st, err := os.Stat(path)
	if err != nil {
		return nil, because(err, "the Unreal project %s cannot be read", r.shown(path))
	}
	if st.Size() > maxUproject {
		return nil, fail("The Unreal project %s is larger than %d bytes", r.shown(path), maxUproject)
	}
	old, err := os.ReadFile(path)
	if err != nil {
		return nil, because(err, "the Unreal project %s cannot be read", r.shown(path))
	}
	text, err := unreal.AddModule(old, e.unrealModule)
	if err != nil {
		return nil, because(err, "the Unreal project %s is not understood", r.shown(path))
	}
	return func() error {
		if string(text) == string(old) {
			return nil
		}
		fmt.Fprintf(r.Stdout, "Writing file %s\n", r.shown(path))
		if err := replaceFile(path, text); err != nil {
			return because(err, "the Unreal project %s cannot be written", r.shown(path))
		}
		return nil
	}, nil
}

// findUproject returns the path of the project file in dir; with several, the
// first by name.
func findUproject(dir string) (string, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, f := range list {
		if filepath.Ext(f.Name()) == ".uproject" && !f.IsDir() {
			return filepath.Join(dir, f.Name()), nil
		}
	}
	return "", errors.New("no file ends in .uproject")
}
