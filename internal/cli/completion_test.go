package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

func TestCompletion(t *testing.T) {
	u := newUser(t)
	u.write("spacetime.json", `{"database": "my-chat", "children": [{"database": "my-game"}]}`)
	u.ok("server", "list")
	for _, c := range []struct {
		words  string // separated by blanks; the last one is completed
		wanted string // what is offered, without descriptions
	}{
		{"publ", "publish"},
		{"un", "unlock"},
		{"server a", "add"},
		{"server ", "add clear edit fingerprint list ping remove set-default"},
		{"help", "help"},
		{"sql --int", "--interactive"},
		{"sql --interactive --int", ""},
		{"sql --format ", "text json csv default txt"},
		{"sql --format j", "json"},
		{"sql --format=j", "--format=json"},
		{"publish --yes=br", "--yes=break-clients"},
		{"publish -s ", "local maincloud"},
		{"server ping l", "local"},
		{"logs ", "my-chat my-game"},
		{"logs -f my-g", "my-game"},
		{"logs my-chat ", ""},
		{"publish --bin-path ", ":files"},
		{"build --module-path x", ":directories"},
		{"completion z", "zsh"},
		{"call -- ", ""},
		{"nope ", ""},
	} {
		out := u.ok(append([]string{"__complete"}, strings.Split(c.words, " ")...)...)
		var got []string
		for line := range strings.Lines(out) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			got = append(got, word)
		}
		if text := strings.Join(got, " "); text != c.wanted {
			t.Errorf("%q: %q, wanted %q", c.words, text, c.wanted)
		}
	}
	want(t, u.fails(2, "completion", "tcsh"), "[possible values: bash, fish, powershell, zsh]")
	want(t, u.ok("completion", "pwsh"), "Register-ArgumentCompleter -Native -CommandName spacetime")
}

// installed puts a program spacetime into a directory, which it returns: the test
// itself as the command line.
func (u *user) installed() string {
	u.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		u.t.Fatal(err)
	}
	dir := u.t.TempDir()
	script := "#!/bin/sh\n" + asProgram + "=1 exec '" + exe + "' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "spacetime"), []byte(script), 0o755); err != nil {
		u.t.Fatal(err)
	}
	return dir
}

// read waits until the shell has read what was typed and shows it: a tab that comes
// together with the text before it would be a pasted one, and no key.
func (s *terminal) read(from int, typed string) {
	s.t.Helper()
	control := regexp.MustCompile(`\x1b\[[0-9;?]*[a-zA-Z]|[\x00-\x1f]`)
	eventually(s.t, "the echo of "+typed, func() bool {
		return strings.Contains(control.ReplaceAllString(s.seen()[from:], ""), typed)
	})
	time.Sleep(50 * time.Millisecond)
}

// Each shell that is there completes a command, an option's value and a file.
func TestCompletionInShells(t *testing.T) {
	u := newUser(t)
	bin := u.installed()
	u.write("some-module.wasm", "")
	for shell, args := range map[string][]string{"bash": {"--norc", "--noprofile", "-i"}, "zsh": {"-f", "-i"}} {
		t.Run(shell, func(t *testing.T) {
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skip(shell + " is not installed")
			}
			cmd := exec.Command(path, args...)
			cmd.Dir = u.work
			cmd.Env = []string{"HOME=" + u.home, "TERM=xterm", "PATH=" + bin + ":" + os.Getenv("PATH"), "PS1=> ", "ZDOTDIR=" + u.home}
			file, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 120})
			if err != nil {
				t.Fatal(err)
			}
			s := watchTerminal(t, cmd, file)
			at := s.expect(0, `> `)
			s.send("source <(spacetime completion " + shell + "); echo 'it is' ready\r")
			at = s.expect(at, "[\r\n]it is ready")
			for typed, wanted := range map[string]string{
				"spacetime publ":                  "spacetime publish",
				"spacetime server set-d":          "spacetime server set-default",
				"spacetime sql --format=j":        "spacetime sql --format=json",
				"spacetime publish --bin-path so": "spacetime publish --bin-path some-module.wasm",
			} {
				s.send("\x15" + typed) // Ctrl-U takes away what is there
				s.read(at, typed)
				s.send("\t\x01echo \r") // Ctrl-A leads to the line's beginning
				at = s.expect(at, "[\r\n]"+regexp.QuoteMeta(wanted))
			}
			s.send("exit\r")
		})
	}
	t.Run("fish", func(t *testing.T) {
		path, err := exec.LookPath("fish")
		if err != nil {
			t.Skip("fish is not installed")
		}
		cmd := exec.Command(path, "--no-config", "-c", "spacetime completion fish | source; complete -C 'spacetime publ'; complete -C 'spacetime sql --format j'; complete -C 'spacetime publish --bin-path so'")
		cmd.Dir = u.work
		cmd.Env = []string{"HOME=" + u.home, "TERM=dumb", "PATH=" + bin + ":" + os.Getenv("PATH")}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		want(t, string(out), "publish\t", "json", "some-module.wasm")
	})
}
