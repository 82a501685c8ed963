package build

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"sync"
)

// The program that node runs for a TypeChecker.
//
//go:embed typecheck.js
var typeCheckScript string

// A TypeChecker checks the types of one TypeScript project again and again. It
// keeps the project's own compiler running between checks, which makes all but the
// first one several times faster. Where that does not work, builds run tsc as ever.
// It starts with the first build that is given it and ends with Close.
type TypeChecker struct {
	Colors bool // in the compiler's messages

	mu      sync.Mutex
	dir     string
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	useless bool // the compiler cannot be kept running
}

// typeAnswer is what the script answers.
type typeAnswer struct {
	Errors int
	Text   string
	Config bool
	Failed string
}

// check prints what the compiler finds to w. ok is false if the check could not be
// made in this way.
func (c *TypeChecker) check(ctx context.Context, dir string, w io.Writer) (ok bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.useless || c.cmd != nil && c.dir != dir {
		return false, nil
	}
	if c.cmd == nil && c.start(dir) != nil {
		c.useless = true
		return false, nil
	}
	process := c.cmd.Process // the function may still run when the compiler has been ended and forgotten
	stop := context.AfterFunc(ctx, func() { _ = process.Kill() })
	answer, err := c.ask()
	if !stop() {
		c.end()
		return true, ctx.Err()
	}
	if err != nil || answer.Failed != "" || !answer.Config {
		c.end()
		c.useless = true
		return false, nil
	}
	_, _ = io.WriteString(w, answer.Text)
	if answer.Errors > 0 {
		return true, &ExitError{2}
	}
	return true, nil
}

func (c *TypeChecker) start(dir string) error {
	args := []string{"--input-type=commonjs", "-e", typeCheckScript, "--"}
	if c.Colors {
		args = append(args, "--colors")
	}
	cmd := exec.Command("node", args...)
	cmd.Dir = dir
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	c.cmd, c.in, c.out, c.dir = cmd, in, bufio.NewReader(out), dir
	return nil
}

// maxTypeAnswer bounds one answer of the compiler.
const maxTypeAnswer = 64 << 20

func (c *TypeChecker) ask() (*typeAnswer, error) {
	if _, err := io.WriteString(c.in, "check\n"); err != nil {
		return nil, err
	}
	var line []byte
	for {
		part, more, err := c.out.ReadLine()
		if err != nil {
			return nil, err
		}
		if line = append(line, part...); len(line) > maxTypeAnswer {
			return nil, fmt.Errorf("the type checker's answer is longer than %d bytes", maxTypeAnswer)
		}
		if !more {
			break
		}
	}
	var a typeAnswer
	return &a, json.Unmarshal(line, &a)
}

// end stops the compiler. It holds nothing that could be lost.
func (c *TypeChecker) end() {
	if c.cmd == nil {
		return
	}
	_ = c.in.Close()
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
	c.cmd = nil
}

// Close stops the compiler.
func (c *TypeChecker) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end()
	c.useless = true
}

// tscPath is the project's own compiler; npm and bun install it by different names.
func (b *builder) tscPath(names ...string) (path string, err error) {
	for _, name := range names {
		if path, err = filepath.Abs(filepath.Join(b.Dir, "node_modules", ".bin", name)); err != nil || exists(path) {
			return path, err
		}
	}
	return path, nil
}
