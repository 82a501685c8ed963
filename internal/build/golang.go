package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// golang builds a Go module as a WASI reactor with the stock tool chain.
func (b *builder) golang(ctx context.Context) (string, error) {
	if err := missing("go", "Install Go 1.26 or newer from https://go.dev/dl, then try again."); err != nil {
		return "", err
	}
	out, err := filepath.Abs(filepath.Join(b.Dir, "dist", "module.wasm"))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return "", err
	}
	var stderr bytes.Buffer
	err = b.gobuild(ctx, out, &stderr)
	if err != nil && outsideWorkspace(stderr.String()) {
		// A module of its own below somebody's go.work need not be listed there.
		stderr.Reset()
		err = b.gobuild(ctx, out, &stderr, "GOWORK=off")
	}
	_, _ = io.Copy(b.Stderr, &stderr)
	return out, err
}

func (b *builder) gobuild(ctx context.Context, out string, stderr io.Writer, env ...string) error {
	args := []string{"build", "-buildmode=c-shared", "-trimpath", "-o", out}
	if !b.Debug {
		args = append(args, "-ldflags=-s -w")
	}
	cmd := b.command(ctx, "go", append(args, ".")...)
	cmd.Env = append(append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0"), env...)
	cmd.Stdout, cmd.Stderr = stderr, stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("command %q exited with code %d", cmd.Args, exit.ExitCode())
	}
	return err
}

func outsideWorkspace(text string) bool {
	return strings.Contains(text, "workspace module") || strings.Contains(text, "go work use")
}
