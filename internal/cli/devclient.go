package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/stdbgo/spacetime/internal/build"
	"github.com/stdbgo/spacetime/internal/codegen"
)

// A child is a process of dev's, with all that it starts.
type child struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the process itself has ended
	err  error         // then: how
	once sync.Once
}

// graceTime is how long a child may take to end when it is asked to.
const graceTime = 5 * time.Second

// failsAtOnce is how soon a client that fails has failed at once. Tests give it more,
// where processes take longer to begin.
var failsAtOnce = 200 * time.Millisecond

func startChild(cmd *exec.Cmd) (*child, error) {
	keepChildren()
	ownGroup(cmd)
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, done: make(chan struct{})}
	go func() {
		c.err = cmd.Wait()
		close(c.done)
	}()
	return c, nil
}

// stop ends the process and all that it has started: first it asks, then it kills.
// A second Ctrl-C cuts the time between short.
func (c *child) stop() {
	c.once.Do(func() {
		impatient := make(chan os.Signal, 1)
		signal.Notify(impatient, os.Interrupt, syscall.SIGTERM)
		defer signal.Stop(impatient)
		killGroup(c.cmd, true)
		end := time.After(graceTime)
		for {
			select {
			case <-c.done:
				if groupGone(c.cmd) {
					return
				}
			default:
			}
			select {
			case <-end:
			case <-impatient:
			case <-time.After(20 * time.Millisecond):
				continue
			}
			killGroup(c.cmd, false)
			<-c.done
			return
		}
	})
}

// code is the exit code of a child that has ended.
func (c *child) code() int {
	var exit *exec.ExitError
	switch {
	case c.err == nil || errors.Is(c.err, exec.ErrWaitDelay):
		return 0
	case errors.As(c.err, &exit):
		return exit.ExitCode()
	}
	return 1
}

// A lineFeed hands the lines of stdin on: to a question that waits for an answer,
// else to the client, which has no terminal of its own to read from.
type lineFeed struct {
	lines *lineReader
	want  chan chan fedLine
}

// maxFed is how many lines wait for a client that does not read; more are dropped.
const maxFed = 256

type fedLine struct {
	text string
	err  error
}

// newLineFeed begins to read. The goroutine that reads ends with the input, at the
// latest with the process.
func newLineFeed(lines *lineReader, client io.Writer) *lineFeed {
	f := &lineFeed{lines: lines, want: make(chan chan fedLine)}
	read, fed := make(chan fedLine), make(chan string, maxFed)
	go func() {
		for {
			text, err := lines.next()
			read <- fedLine{text, err}
			if err != nil {
				return
			}
		}
	}()
	go f.distribute(read, fed)
	go func() {
		for text := range fed {
			if _, err := io.WriteString(client, text); err != nil {
				return
			}
		}
	}()
	return f
}

func (f *lineFeed) distribute(read <-chan fedLine, fed chan<- string) {
	var ended *fedLine
	for {
		select {
		case line := <-read:
			if line.err != nil {
				ended, read = &line, nil
				continue
			}
			select {
			case fed <- line.text + "\n":
			default:
			}
		case answer := <-f.want:
			if ended != nil {
				answer <- *ended
				continue
			}
			line := <-read
			if line.err != nil {
				ended, read = &line, nil
			}
			answer <- line
		}
	}
}

func (f *lineFeed) next() (string, error) {
	answer := make(chan fedLine, 1)
	f.want <- answer
	line := <-answer
	return line.text, line.err
}

// startClient starts the client's command and waits a moment, whether it fails.
func (s *devSession) startClient(ctx context.Context) error {
	if s.client == "" {
		return nil
	}
	fmt.Fprintf(s.Stdout, "Starting client: %s\n", s.client)
	cmd := shellCommand(s.client)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, plainStream(s.Stdout), plainStream(s.Stderr)
	cmd.Env = append(os.Environ(), "SPACETIMEDB_DB_NAME="+s.database(), "SPACETIMEDB_HOST="+s.entry.url())
	// A pipe that stays open: bundlers take the end of their input for a wish to end.
	input, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	c, err := startChild(cmd)
	if err != nil {
		return because(err, "the client command '%s' cannot be started", s.client)
	}
	s.clientProcess = c
	if s.feed == nil {
		s.feed = newLineFeed(s.input(), input)
	}
	moment := time.After(failsAtOnce)
	select {
	case <-c.done:
		code := c.code()
		if code < 0 { // of a signal; Ctrl-C at the terminal may have hit both
			select {
			case <-ctx.Done():
				return nil
			case <-moment:
			}
		}
		if code != 0 {
			fmt.Fprintf(s.Stdout, "Client command '%s' failed immediately with exit code: %d\n", s.client, code)
			return &build.ExitError{Code: 1}
		}
		s.clientEnded()
		return nil
	case <-moment:
	case <-ctx.Done():
		return nil
	}
	go func() {
		<-c.done
		if ctx.Err() == nil {
			s.clientEnded()
		}
	}()
	return nil
}

// readJSON reads a small file of JSON.
func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err == nil && len(text) > maxProjectFile {
		err = errors.New("the file is larger than 1 MiB")
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func (s *devSession) clientEnded() {
	fmt.Fprintf(s.Stdout, "The client command has ended with exit code %d. Still watching for changes; restart `spacetime dev` to start it again.\n", s.clientProcess.code())
}

// plainStream is what a child writes to: the process's own stream, if it is one.
func plainStream(w io.Writer) io.Writer {
	if l, ok := w.(*lockedWriter); ok {
		if f, ok := l.to.(*os.File); ok {
			return f
		}
	}
	return w
}

// A lockedWriter lets several goroutines print whole texts.
type lockedWriter struct {
	mu sync.Mutex
	to io.Writer
}

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}

// clientCommand finds the command that runs the client of a project, "" if there
// is none.
func clientCommand(dir string) string {
	var manifest struct{ Scripts map[string]string }
	if readJSON(filepath.Join(dir, "package.json"), &manifest) == nil && manifest.Scripts["dev"] != "" {
		for _, pm := range []struct{ lock, command string }{
			{"pnpm-lock.yaml", "pnpm run dev"}, {"yarn.lock", "yarn dev"}, {"bun.lockb", "bun run dev"}, {"bun.lock", "bun run dev"},
		} {
			if _, err := os.Stat(filepath.Join(dir, pm.lock)); err == nil {
				return pm.command
			}
		}
		return "npm run dev"
	}
	lang, _ := detectClient(dir)
	return map[codegen.Language]string{codegen.Rust: "cargo run", codegen.CSharp: "dotnet run", codegen.Go: "go run ."}[lang]
}
