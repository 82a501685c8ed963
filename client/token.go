package client

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// LoadToken reads a token that SaveToken has written, for Options.Token. A file that
// is not there gives an empty token, which asks the server for a new identity.
func LoadToken(path string) (string, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("client: the token: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// SaveToken writes a token so that only the user may read it (mode 0600). The file is
// replaced at once or not at all; missing directories are made.
func SaveToken(path, token string) error {
	if err := saveToken(path, token); err != nil {
		return fmt.Errorf("client: the token: %w", err)
	}
	return nil
}

func saveToken(path, token string) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the error that led here counts
		}
	}()
	_, err = f.WriteString(token + "\n")
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
