// Package docs tests the pages below docs and the README: Go in them is code of this
// package or of examples, SQL and command lines are run against a server with the
// module of this package and compared with the results that the pages show, and
// whatever else begins with "spacetime" is understood by the command line.
package docs

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime"
	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/internal/cli"
	"github.com/stdbgo/spacetime/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var update = flag.Bool("update", false, "write the results in the pages anew")

const root = "../.."

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// A shell is somebody at a prompt, with a home of their own and a server with the
// module of this package as the database game.
type shell struct {
	t    *testing.T
	home string
	url  string
}

func newShell(t *testing.T) *shell {
	t.Helper()
	s, err := spacetime.Open(t.TempDir(), spacetime.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	if err := s.PublishLinked(within(t), "game"); err != nil {
		t.Fatal(err)
	}
	sh := &shell{t: t, home: t.TempDir(), url: web.URL}
	for _, args := range [][]string{
		{"server", "add", "--url", web.URL, "--no-fingerprint", "--default", "docs"},
		{"login", "--token", s.Token()},
	} {
		if code, text := sh.run(args...); code != 0 {
			t.Fatalf("%q: %s", args, text)
		}
	}
	return sh
}

// run runs a command line and returns its exit code and what it printed.
func (sh *shell) run(args ...string) (code int, text string) {
	var out bytes.Buffer
	p := &cli.Program{
		Version: "docs", Path: "/bin/spacetime", Arg0: "spacetime", Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
		Getenv: func(string) string { return "" }, HomeDir: sh.home, WorkDir: sh.home, SDK: spacetime.SDK(),
	}
	code = p.Main(within(sh.t), args)
	return code, out.String()
}

// shown is what a page shows of a result: without spaces at the ends of lines, the
// warning that goes before it, and the status of a request that has failed. It is
// empty or ends with a new line.
func shown(text string) string {
	text = regexp.MustCompile(`(?m)[ \t]+$|^WARNING: This command is UNSTABLE.*$`).ReplaceAllString(text, "")
	text, _, _ = strings.Cut(text, "\nCaused by:\n")
	if text = strings.Trim(text, "\n"); text != "" {
		text += "\n"
	}
	return text
}

var sqlBlock = regexp.MustCompile("(?s)```sql\n(.*?)```\n(?:\n```text\n(.*?)```\n)?")

// Every statement of docs/sql.md, in their order, has the result shown, and can be
// subscribed to exactly if the page marks it so.
func TestSQL(t *testing.T) {
	sh := newShell(t)
	const path = "docs/sql.md"
	page := read(t, path)
	if n := len(sqlBlock.FindAllString(page, -1)); n < 25 {
		t.Errorf("%d statements", n)
	}
	conn, err := client.Dial(within(t), nil, client.Options{URL: sh.url, Database: "game", Protocols: []client.Protocol{client.V2}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const mark = " -- live"
	after := sqlBlock.ReplaceAllStringFunc(page, func(block string) string {
		parts := sqlBlock.FindStringSubmatch(block)
		query := strings.TrimSpace(parts[1])
		bare := strings.TrimSpace(strings.TrimSuffix(query, strings.TrimSpace(mark)))
		live := bare != query
		_, text := sh.run("sql", "game", bare)
		text = shown(text)
		if text != parts[2] && !*update {
			t.Errorf("%s\ngives\n%s\nnot\n%s", bare, text, parts[2])
		}
		sub, err := conn.SubscribeRows(within(t), func(client.Rows) {}, bare)
		if sub != nil {
			if err := sub.Unsubscribe(within(t)); err != nil {
				t.Error(err)
			}
		}
		var refused *client.SubscriptionError
		if err != nil && !errors.As(err, &refused) {
			t.Fatal(err)
		}
		if live != (err == nil) && !*update {
			t.Errorf("%s\nmarked as live: %v; subscribing to it: %v", bare, live, err)
		}
		if err == nil {
			bare += mark
		}
		if text != "" {
			text = "\n```text\n" + text + "```\n"
		}
		return "```sql\n" + bare + "\n```\n" + text
	})
	write(t, path, page, after)
}

func write(t *testing.T, path, before, after string) {
	if *update && before != after {
		if err := os.WriteFile(filepath.Join(root, path), []byte(after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var console = regexp.MustCompile("(?s)```console\n(.*?)```\n")

// What the pages show of sessions at a prompt is what is printed.
func TestConsole(t *testing.T) {
	for _, path := range pages(t) {
		page := read(t, path)
		if !console.MatchString(page) {
			continue
		}
		sh := newShell(t)
		after := console.ReplaceAllStringFunc(page, func(block string) string {
			text := ""
			for line := range strings.Lines(console.FindStringSubmatch(block)[1]) {
				command, ok := strings.CutPrefix(line, "$ spacetime ")
				if !ok {
					continue
				}
				_, out := sh.run(words(command)...)
				text += line
				text += shown(out)
			}
			text = "```console\n" + text + "```\n"
			if text != block && !*update {
				t.Errorf("%s shows\n%s\nbut this is printed:\n%s", path, block, text)
			}
			return text
		})
		write(t, path, page, after)
	}
}

// words splits a command line as a shell does, without its comment.
func words(line string) (list []string) {
	word, quote, in := "", rune(0), false
	for _, c := range line + " " {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word += string(c)
		case c == '\'' || c == '"':
			quote, in = c, true
		case c == ' ' || c == '\n' || c == ';' || c == '|' || c == '>' || c == ')' || c == '&':
			if in {
				list = append(list, word)
			}
			word, in = "", false
			if c != ' ' {
				return list
			}
		case c == '#' && !in:
			return list
		default:
			word, in = word+string(c), true
		}
	}
	return list
}

// pages are the README and all pages of docs but the specification.
func pages(t *testing.T) []string {
	list, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	if err != nil || len(list) < 12 {
		t.Fatal(list, err)
	}
	for i := range list {
		list[i] = "docs/" + filepath.Base(list[i])
	}
	return append(list, "README.md")
}

var (
	commandLine = regexp.MustCompile(`(?m)(?:^(?:    |\$ )|^(?:    ).*&& )spacetime (.+)$`)
	shellBlock  = regexp.MustCompile("(?s)```(?:sh|console)\n(.*?)```")
	inBlock     = regexp.MustCompile(`(?m)^(?:.*&& )?spacetime (.+)$`)
)

// Every command line in the pages is one that the command line understands.
func TestCommandLines(t *testing.T) {
	sh := &shell{t: t, home: t.TempDir()}
	count := 0
	for _, path := range pages(t) {
		page := read(t, path)
		lines := commandLine.FindAllStringSubmatch(page, -1)
		for _, block := range shellBlock.FindAllStringSubmatch(page, -1) {
			lines = append(lines, inBlock.FindAllStringSubmatch(block[1], -1)...)
		}
		for _, line := range lines {
			count++
			args := words(line[1])
			if slices.Contains(args, "…") || slices.Contains(args, "--version") {
				continue
			}
			// Options are parsed in their order, so this asks for help only if the others are right.
			if code, text := sh.run(append(args, "--help")...); code != 0 {
				t.Errorf("%s: spacetime %s\n%s", path, line[1], text)
			}
		}
	}
	if count < 40 {
		t.Errorf("%d command lines", count)
	}
}

// sources are the files whose code the pages show, and that are compiled or run by
// tests: for pages that are not named, those of this package.
var sources = map[string][]string{
	"docs/go-client.md": {"test/goclient/guide_test.go"},
	"README.md":         {"test/docs/readme/main.go", "test/sdk/modules/typescript-1.12/src/index.ts", "test/sdk/modules/rust-1.12/src/lib.rs"},
}

var codeBlock = regexp.MustCompile("(?s)```(go|typescript|rust|csharp|cpp)\n(.*?)```")

// Every piece of code in the pages is that of a file that tests compile. Blank lines
// separate pieces: a page may leave some out.
func TestCode(t *testing.T) {
	sh := &shell{t: t, home: t.TempDir()}
	own, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	scaffolds := ""
	for _, lang := range []string{"rust", "typescript", "csharp", "cpp", "go"} {
		// Both layouts: of a module alone as in 1.x, and of a project as in 2.x.
		for _, args := range [][]string{{"init", "--lang", lang, "./" + lang}, {"init", "--lang", lang, "--non-interactive", "new-" + lang}} {
			if code, text := sh.run(args...); code != 0 {
				t.Logf("%q: %s", args, text)
			}
		}
	}
	err = filepath.WalkDir(sh.home, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && slices.Contains([]string{".rs", ".ts", ".cs", ".cpp", ".go"}, filepath.Ext(path)) && !strings.Contains(path, "/sdk/") {
			text, err := os.ReadFile(path)
			scaffolds += string(text)
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range pages(t) {
		files, ok := sources[path]
		if !ok {
			for _, file := range own {
				files = append(files, "test/docs/"+file)
			}
		}
		source := scaffolds
		for _, file := range files {
			source += read(t, file)
		}
		for _, block := range codeBlock.FindAllStringSubmatch(read(t, path), -1) {
			for piece := range strings.SplitSeq(block[2], "\n\n") {
				piece = strings.Trim(piece, "\n")
				indented := regexp.MustCompile(`(?m)^(.)`).ReplaceAllString(piece, "\t$1")
				if !strings.Contains(source, piece+"\n") && !strings.Contains(source, indented+"\n") {
					t.Errorf("%s: this is no code of a file that is compiled:\n%s", path, piece)
				}
			}
		}
	}
}
