package cli

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/stdbgo/spacetime/internal/build"
)

// replaceProcess goes on as another program and ends as that does.
func replaceProcess(program string, args []string) error {
	keepChildren()
	cmd := exec.Command(program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit):
		return &build.ExitError{Code: exit.ExitCode()}
	}
	return because(err, "the version in use cannot be started: %s. `spacetime version list` shows what is installed, `spacetime version use` chooses another one", program)
}

// linkDirectory makes a junction to a directory, which needs no rights, in the place
// of the one that is there.
func linkDirectory(link, target string) error {
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(link), target)
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return exec.Command("cmd", "/C", "mklink", "/J", link, target).Run()
}
