//go:build unix

package cli

import (
	"errors"
	"os"
	"syscall"
)

// replaceProcess goes on as another program. It returns only if that fails.
func replaceProcess(program string, args []string) error {
	err := syscall.Exec(program, append([]string{program}, args...), os.Environ())
	return because(err, "the version in use cannot be started: %s. `spacetime version list` shows what is installed, `spacetime version use` chooses another one", program)
}

// linkDirectory makes a link to a directory, or turns one, in one step.
func linkDirectory(link, target string) error {
	temp := link + ".new"
	_ = os.Remove(temp)
	if st, err := os.Lstat(link); err == nil && st.IsDir() {
		return errNoLinks // a directory of copies stands for the link
	}
	if err := os.Symlink(target, temp); err != nil {
		if errors.Is(err, syscall.EPERM) || errors.Is(err, errors.ErrUnsupported) {
			return errors.Join(errNoLinks, err)
		}
		return err
	}
	if err := os.Rename(temp, link); err != nil {
		_ = os.Remove(temp)
		return err
	}
	return nil
}
