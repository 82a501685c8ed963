//go:build unix

package cli_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"
)

// A session is a command at a terminal of its own, whose mode is watched.
type session struct {
	*terminal
	tty    *os.File // the command's end
	before *term.State
}

// session starts the command line.
func (u *user) session(args ...string) *session {
	u.t.Helper()
	program, err := os.Executable()
	if err != nil {
		u.t.Fatal(err)
	}
	return u.sessionOf(program, args...)
}

// through is session with a shell's script, which has the program as $0.
func (u *user) through(script string) *session {
	u.t.Helper()
	program, err := os.Executable()
	if err != nil {
		u.t.Fatal(err)
	}
	return u.sessionOf("/bin/sh", "-c", script, program)
}

func (u *user) sessionOf(program string, args ...string) *session {
	u.t.Helper()
	file, tty, err := pty.Open()
	if err != nil {
		u.t.Fatal(err)
	}
	if err := pty.Setsize(file, &pty.Winsize{Rows: 40, Cols: 120}); err != nil {
		u.t.Fatal(err)
	}
	s := &session{tty: tty}
	if s.before, err = term.GetState(int(tty.Fd())); err != nil {
		u.t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = u.work, tty, tty, tty
	cmd.Env = []string{asProgram + "=1", "HOME=" + u.home, "TERM=xterm", "PATH=" + u.env["PATH"] + ":" + os.Getenv("PATH"), "INPUTRC=/dev/null", "TMPDIR=" + os.TempDir()}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		u.t.Fatal(err)
	}
	s.terminal = watchTerminal(u.t, cmd, file)
	u.t.Cleanup(func() { _ = tty.Close() })
	return s
}

// mode fails the test unless the terminal is as it was before the command.
func (s *session) mode() {
	s.t.Helper()
	now, err := term.GetState(int(s.tty.Fd()))
	if err != nil {
		s.t.Fatal(err)
	}
	if !reflect.DeepEqual(now, s.before) {
		s.t.Errorf("the terminal's mode was %+v and is %+v", *s.before, *now)
	}
	text := s.seen()
	for on, off := range map[string]string{"\x1b[?2004h": "\x1b[?2004l", "\x1b[?25l": "\x1b[?25h", "\x1b[?1049h": "\x1b[?1049l", "\x1b[?1l": ""} {
		if at := strings.LastIndex(text, on); at >= 0 && off != "" && strings.LastIndex(text, off) < at {
			s.t.Errorf("%q was not taken back by %q", on, off)
		}
	}
}

// left waits for the end of the command with an exit code, and fails the test unless
// the terminal is as before and nothing that the command has started still runs.
func (s *session) left(code int) {
	s.t.Helper()
	select {
	case err := <-s.exit:
		var exit *exec.ExitError
		switch {
		case err == nil && code == 0:
		case !errors.As(err, &exit) || exit.ExitCode() != code:
			s.t.Errorf("ended with %v, want exit code %d:\n%s", err, code, s.seen())
		}
	case <-time.After(patience):
		s.t.Fatalf("the command does not end:\n%q", s.seen())
	}
	s.mode()
	var rest []string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if rest = processesOf(s.cmd.Process.Pid); len(rest) == 0 {
			return
		}
	}
	s.t.Errorf("still there: %q", rest)
}

// processesOf lists the processes of a session that run; where the system does not
// tell, none.
func processesOf(id int) (list []string) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		name, rest, _ := strings.Cut(string(text), ") ") // names may hold anything
		fields := strings.Fields(rest)
		if len(fields) > 3 && fields[0] != "Z" && fields[3] == fmt.Sprint(id) {
			list = append(list, name)
		}
	}
	return list
}

// held is a server in front of another one that answers requests to a path by nothing
// until they are given up.
func held(t *testing.T, to, path string) (address string, asked <-chan struct{}) {
	at, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	c := make(chan struct{}, 100)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(at) }}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, path) {
			_, _ = io.Copy(io.Discard, r.Body)
			c <- struct{}{}
			<-r.Context().Done()
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return s.URL, c
}

// Ctrl-C leaves the terminal as it was and no process behind, whatever is under way.
func TestInterruptLeavesTerminal(t *testing.T) {
	u := realUser(t)
	db := u.publish("kitchen")

	t.Run("shell", func(t *testing.T) {
		s := u.within(t).session("sql", db)
		s.expect(0, `🪐`)
		s.send("select half a line\x03")
		s.expect(0, `Aborted!`)
		s.left(0)
	})
	t.Run("shell watches", func(t *testing.T) {
		s := u.within(t).session("sql", db)
		at := s.expect(0, `🪐`)
		s.send(".watch select * from item\r")
		at = s.expect(at, `Watching\.`)
		s.send("\x03")
		at = s.expect(at, `\^C`)
		at = s.expect(at, `🪐`)
		s.send("\x03")
		s.expect(at, `Aborted!`)
		s.left(0)
	})
	t.Run("shell waits for an answer", func(t *testing.T) {
		address, asked := held(t, realServer(t), "/sql")
		s := u.within(t).session("sql", "-s", address, "--anonymous", db)
		at := s.expect(0, `🪐`)
		s.send("select * from item\r")
		<-asked
		at = s.expect(at, `\x1b\[\?2004l`)
		s.mode() // nobody edits a line meanwhile
		s.send("\x03")
		at = s.expect(at, `\^C`)
		at = s.expect(at, `🪐`)
		s.send("\x03")
		s.expect(at, `Aborted!`)
		s.left(0)
	})
	t.Run("logs", func(t *testing.T) {
		s := u.within(t).session("logs", "-f", db)
		s.expect(0, `INFO`)
		s.send("\x03")
		s.left(0) // it was to go on until somebody ends it
	})
	t.Run("subscribe", func(t *testing.T) {
		s := u.within(t).session("subscribe", "--print-initial-update", db, "select * from item where kind = 250")
		s.expect(0, `\{\}`)
		s.send("\x03")
		s.left(0)
	})
	t.Run("publish asks for a name", func(t *testing.T) {
		s := u.within(t).session("publish", "-b", modulePath(t, "kettle1"))
		s.expect(0, `Database name \[`)
		s.send("half\x03")
		s.left(130)
	})
	t.Run("publish asks for consent", func(t *testing.T) {
		s := u.within(t).session("publish", "--delete-data", "-b", modulePath(t, "kettle1"), db)
		s.expect(0, `Are you sure`)
		s.send("\x03")
		s.left(130)
		want(t, u.ok("sql", db, "select * from item"), "name")
	})
	t.Run("publish waits for the server", func(t *testing.T) {
		address, asked := held(t, realServer(t), "/pre_publish")
		s := u.within(t).session("publish", "-s", address, "--anonymous", "-b", modulePath(t, "kettle1"), "some-name")
		<-asked
		s.send("\x03")
		s.left(130)
	})
	t.Run("delete asks for consent", func(t *testing.T) {
		s := u.within(t).session("delete", db)
		s.expect(0, `Are you sure`)
		s.send("\x03")
		s.expect(0, `Interrupted\.`)
		s.left(130)
	})
	t.Run("start asks for a port", func(t *testing.T) {
		s := u.within(t).session("start", "-l", strings.TrimPrefix(realServer(t), "http://"))
		s.expect(0, `Would you like to use port \d+ instead`)
		s.send("\x03")
		s.left(1)
	})
	t.Run("questions of init", func(t *testing.T) {
		s := u.within(t).session("init")
		s.expect(0, `Project name`)
		s.send("half\x03")
		s.left(130)
	})
	t.Run("menus of init", func(t *testing.T) {
		s := u.within(t).session("init")
		s.expect(0, `Project name`)
		s.send("new\r")
		s.expect(0, `Project path`)
		s.send("\r")
		s.expect(0, `Database name`)
		s.send("\r")
		s.expect(0, `(?i)select`)
		s.send("\x1b[B\x03")
		s.left(130)
	})
}

// within is the user in a subtest.
func (u *user) within(t *testing.T) *user {
	t.Helper()
	copied := *u
	copied.t, copied.work = t, t.TempDir()
	return &copied
}

// The same for dev, whose client has processes of its own.
func TestInterruptLeavesDev(t *testing.T) {
	u, _ := devUser(t)
	s := u.session("dev", "--run", `sleep 1000 & (trap '' INT; sleep 1001) & echo "client runs"; wait`)
	s.expect(0, `client runs`)
	s.expect(0, `Published successfully!`)
	s.send("\x03")
	s.left(0)
}
