package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

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
	if st, err := os.Lstat(link); err == nil && st.IsDir() {
		return errNoLinks // a directory of copies stands for the link
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	// Quoted whatever they hold: to cmd an & between words ends the command.
	cmd := exec.Command("cmd")
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: fmt.Sprintf(`cmd /D /C mklink /J "%s" "%s"`, link, target)}
	// What it says of its success is not to be trusted on every system.
	runErr := cmd.Run()
	if _, err := os.Readlink(link); err == nil {
		return nil
	}
	_ = os.Remove(link)
	return errors.Join(errNoLinks, runErr)
}
