package cli_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stdbgo/spacetime/internal/spec"
)

// Without a terminal the shell takes a statement per line, with footers and
// without banner and prompts.
func TestShellInput(t *testing.T) {
	u := realUser(t)
	db := u.publish("kitchen")
	input := strings.Join([]string{
		"insert into item (id, name, kind, rank) values (0, 'jug', 8, 1);",
		"",
		"select name from item where kind = 8",
		"select * from nope",
		".mode csv",
		"select name, rank from item where kind = 8",
		".mode json",
		"select rank from item where kind = 8",
		".mode table",
		".mode xml",
		".call add_item \"soup spoon\" 8 -3",
		".tables",
		".schema item",
		".logs 1",
		".nope",
		"update item set rank = 5 where kind = 8",
		".quit",
		"select 1",
	}, "\n")
	r := u.runWith(input, "sql", db)
	wantMatch(t, r.stdout, `(?s)^\(0 rows\) \[inserted: 1, server: [0-9.]+(ns|µs|ms|s)\]\nRoundtrip time: [0-9.]+(ns|µs|ms|s)\n\n name  \n-------\n "jug" \n\(1 row\) \[server: [0-9.]+(µs|ms)\]\nRoundtrip time: `)
	wantMatch(t, r.stdout, `(?m)^item\n`)
	want(t, r.stdout, "\nname,rank\njug,1\n[{\"schema\":")
	want(t, r.stdout, "item(id: u64, name: String, kind: u8, rank: i32)  public\n", "(0 rows) [updated: 2, server: ")
	// the first message only, without "Error:" and causes
	wantMatch(t, strings.TrimPrefix(r.stderr, unstable), `^no such table: .nope.\. If the table exists, it may be marked private\.[^\n]*\nchoose one of the modes: .mode table, .mode json, .mode csv\nthere is no command .nope; .help lists them\n$`)
	if strings.Contains(r.stdout, "🪐") || strings.Contains(r.stdout, "┌") {
		t.Errorf("a prompt or banner: %s", r.stdout)
	}
	if r := u.runWith("select 1 from", "sql", db); r.code != 1 {
		t.Errorf("a failed statement: %s", r)
	}
	if r := u.runWith("select name from item where kind = 8\n", "sql", "--interactive", db, "--format", "json"); r.code != 0 || !strings.HasPrefix(r.stdout, `[{"schema":`) || strings.Contains(r.stdout, "Roundtrip") {
		t.Error(r)
	}
}

// A terminal is a shell at the other end of a pseudo terminal.
type terminal struct {
	t    *testing.T
	cmd  *exec.Cmd
	file *os.File
	mu   sync.Mutex
	text strings.Builder
	exit chan error
}

func (u *user) terminal(env []string, args ...string) *terminal {
	u.t.Helper()
	if runtime.GOOS == "windows" {
		u.t.Skip("no pseudo terminals")
	}
	exe, err := os.Executable()
	if err != nil {
		u.t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Dir = u.work
	cmd.Env = append([]string{asProgram + "=1", "HOME=" + u.home, "TERM=xterm", "PATH=" + os.Getenv("PATH"), "INPUTRC=/dev/null"}, env...)
	file, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 120})
	if err != nil {
		u.t.Fatal(err)
	}
	return watchTerminal(u.t, cmd, file)
}

// watchTerminal reads what a started command prints to its terminal.
func watchTerminal(t *testing.T, cmd *exec.Cmd, file *os.File) *terminal {
	term := &terminal{t: t, cmd: cmd, file: file, exit: make(chan error, 1)}
	go func() {
		_, _ = io.Copy(writerFunc(func(p []byte) (int, error) {
			term.mu.Lock()
			defer term.mu.Unlock()
			return term.text.Write(p)
		}), file)
	}()
	go func() { term.exit <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = file.Close()
	})
	return term
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func (s *terminal) seen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// patience is how long a test waits for what has to come. Only a failure takes that
// long, so it is more than any machine needs, however busy.
const patience = time.Minute

// expect waits until what has been printed since the position matches, and
// returns the position after it.
func (s *terminal) expect(from int, pattern string) int {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if m := re.FindStringIndex(s.seen()[from:]); m != nil {
			return from + m[1]
		}
		select {
		case err := <-s.exit:
			s.exit <- err
			time.Sleep(100 * time.Millisecond)
			if m := re.FindStringIndex(s.seen()[from:]); m != nil {
				return from + m[1]
			}
			s.t.Fatalf("the shell ended (%v) before %s:\n%q", err, pattern, s.seen()[from:])
		default:
		}
	}
	s.t.Fatalf("no %s in:\n%q", pattern, s.seen()[from:])
	return 0
}

func (s *terminal) send(keys string) {
	s.t.Helper()
	if _, err := s.file.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// ends waits for the end with exit code 0.
func (s *terminal) ends() {
	s.t.Helper()
	select {
	case err := <-s.exit:
		if err != nil {
			s.t.Errorf("%v:\n%s", err, s.seen())
		}
	case <-time.After(patience):
		s.t.Fatalf("the shell does not end:\n%q", s.seen())
	}
}

func TestShellTerminal(t *testing.T) {
	u := realUser(t)
	db := u.publish("kitchen")
	spec.Covers(t, "09.60")
	u.ok("call", db, "add_item", "jug", "8", "1")
	s := u.terminal(nil, "sql", db)
	at := s.expect(0, `No previous history`)
	want(t, s.seen(), ".exit", ".clear", "┌")
	at = s.expect(at, `🪐`+db+`>`)
	s.send("select name from item where kind = 8\r")
	at = s.expect(at, `(?s) "jug" +\r?\n\(1 row\) \[server: [0-9.]+.s\]\r?\nRoundtrip time: .*🪐`)

	// brackets keep a statement open
	s.send("insert into item (id, name,\r")
	s.send("kind, rank) values (0, 'pot', 8, 2)\r")
	at = s.expect(at, `\(0 rows\) \[inserted: 1, server: `)

	// completion of keywords and names
	at = s.expect(at, `🪐`)
	s.send("sel\t")
	at = s.expect(at, `select`)
	s.send(" name from ite\t")
	at = s.expect(at, `item`)
	s.send(" where ra\t")
	at = s.expect(at, `rank`)
	s.send(" = 2\r")
	at = s.expect(at, `"pot"`)

	// letters beyond ASCII, and a paste of several lines
	at = s.expect(at, `🪐`)
	s.send("insert into item (id, name, kind, rank) values (0, 'Käse mit ü', 8, 5)\r")
	at = s.expect(at, `inserted: 1`)
	at = s.expect(at, `🪐`)
	s.send("\x1b[200~select name\rfrom item\rwhere rank = 5\rselect count(*) as pasted from item\r\x1b[201~")
	at = s.expect(at, `pasted .*item`)
	s.send("\r")
	at = s.expect(at, `(?s)"Käse mit ü".*pasted.*\(1 row\)`)

	// a reducer, with its name completed
	at = s.expect(at, `🪐`)
	s.send(".call add_i\t")
	at = s.expect(at, `add_item`)
	s.send(" pan 8 3\r")
	at = s.expect(at, `🪐`)

	// watching rows: what is new, changed and gone has a mark
	s.send(".watch select * from item where kind = 7\r")
	at = s.expect(at, `Watching\.`)
	u.ok("call", db, "add_item", "knife", "7", "1")
	at = s.expect(at, `\+ \| \d+ +\| "knife"`)
	u.ok("sql", db, "update item set rank = 2 where kind = 7")
	at = s.expect(at, `~ \| \d+ +\| "knife" \| 7 +\| 2 `)
	u.ok("sql", db, "delete from item where kind = 7")
	at = s.expect(at, `- \| \d+ +\| "knife"`)
	s.send("\x03")
	at = s.expect(at, `🪐`)
	s.send(".multiline on\r")
	at = s.expect(at, `🪐`)
	s.send("select name from item\rwhere kind = 8 and rank = 3;\r")
	at = s.expect(at, `(?s)"pan".*\(1 row\)`)
	at = s.expect(at, `🪐`)
	s.send(".multiline off\r")
	at = s.expect(at, `🪐`)
	s.send("select * from nope\r")
	at = s.expect(at, "no such table: `nope`")

	// watching a query: Ctrl-C leads back to the prompt
	at = s.expect(at, `🪐`)
	s.send(".subscribe select * from item where kind = 9\r")
	at = s.expect(at, `\{\}`)
	u.ok("call", db, "add_item", "cup", "9", "4")
	at = s.expect(at, `\{"item":\{"deletes":\[\],"inserts":\[\{"id":\d+,"name":"cup","kind":9,"rank":4\}\]\}\}`)
	s.send("\x03")
	at = s.expect(at, `🪐`)

	// history: the arrow brings the statement before the last back
	s.send("\x1b[A\x1b[A\r")
	at = s.expect(at, "no such table: `nope`")
	at = s.expect(at, `🪐`)
	s.send(".clear\r")
	at = s.expect(at, `\x1b\[2J`)
	s.expect(at, `🪐`)
	s.send(".exit\r")
	s.ends()

	// the next shell knows the history
	file := filepath.Join(u.home, ".stdb.history.txt")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want(t, string(text), "#V2\nselect name from item where kind = 8\ninsert into item (id, name,\\nkind, rank) values (0, 'pot', 8, 2)\n")
	s = u.terminal(nil, "sql", "--interactive", db)
	at = s.expect(0, `🪐`)
	if strings.Contains(s.seen(), "No previous history") {
		t.Error("the history is forgotten")
	}
	s.send("\x1b[A\x1b[A")
	at = s.expect(at, `clear`)
	s.send("\x04\x15\x04") // on a line Ctrl-D deletes; on an empty one it leaves
	s.expect(at, `Aborted!`)
	s.ends()

	s = u.terminal([]string{"NO_COLOR=1"}, "sql", db)
	at = s.expect(0, `🪐`)
	s.send("half a line\x03")
	s.expect(at, `Aborted!`)
	s.ends()
}

// Statements are coloured as they are typed, and not with NO_COLOR.
func TestShellHighlighting(t *testing.T) {
	u := realUser(t)
	db := u.publish("kettle1")
	s := u.terminal(nil, "sql", db)
	at := s.expect(0, `\x1b\[32m🪐`)
	s.send("select 'x' from cup")
	s.expect(at, `\x1b\[1;34mselect\x1b\[0m \x1b\[32m'x'\x1b\[0m \x1b\[1;34mfrom\x1b\[0m cup`)
	s = u.terminal([]string{"NO_COLOR=1"}, "sql", db)
	at = s.expect(0, `🪐`)
	s.send("select 'x' from cup")
	s.expect(at, `select 'x' from cup`)
	if strings.Contains(s.seen(), "\x1b[1;34m") || strings.Contains(s.seen(), "\x1b[32m🪐") {
		t.Errorf("coloured: %q", s.seen())
	}
}

// Terminals that cannot move their cursor, and signals.
func TestShellNeverHangs(t *testing.T) {
	u := realUser(t)
	db := u.publish("kettle1")
	s := u.terminal([]string{"TERM=dumb"}, "sql", db)
	at := s.expect(0, `🪐`)
	s.send(".tables\n")
	s.expect(at, `tea_box`)
	s.send("\x04")
	s.ends()

	for _, term := range []string{"xterm", "dumb"} {
		for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGHUP} { // a terminal that goes away sends the latter
			s = u.terminal([]string{"TERM=" + term}, "sql", db)
			s.expect(0, `🪐`)
			if err := s.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			select {
			case <-s.exit:
			case <-time.After(patience):
				t.Errorf("%s: the shell does not end by %v", term, sig)
			}
		}
	}
	s = u.terminal([]string{"TERM=dumb"}, "sql", db)
	at = s.expect(0, `🪐`)
	s.send("\x03")
	s.expect(at, `Aborted!`)
	s.ends()
}

// publish at a terminal asks for the name and remembers it.
func TestPublishAsks(t *testing.T) {
	u := realUser(t)
	u.work = filepath.Join(u.work, "My Chat_App")
	if err := os.Mkdir(u.work, 0o755); err != nil {
		t.Fatal(err)
	}
	s := u.terminal(nil, "publish", "-b", modulePath(t, "kettle1"))
	at := s.expect(0, `Database name \[my-chat-app\]: `)
	s.send("Not A Name\n")
	at = s.expect(at, `invalid characters in database name`)
	at = s.expect(at, `Database name \[my-chat-app\]: `)
	s.send("\n")
	s.expect(at, `Created new database with name: my-chat-app, identity: [0-9a-f]{64}`)
	s.ends()
	for name, text := range map[string]string{
		"spacetime.json":       "{\n  \"server\": \"local\",\n  \"module-path\": \".\"\n}",
		"spacetime.local.json": "{\n  \"database\": \"my-chat-app\"\n}",
	} {
		got, err := os.ReadFile(filepath.Join(u.work, name))
		if err != nil {
			t.Fatal(err)
		}
		wantEqual(t, string(got), text)
	}
	u.ok("call", "pour", "mint")
	want(t, u.ok("sql", "select label from cup"), "mint")
	s = u.terminal(nil, "publish", "--no-config", "-b", modulePath(t, "kettle1"))
	at = s.expect(0, `Database name`)
	s.send("-\n")
	s.expect(at, `Created new database with identity: [0-9a-f]{64}`)
	s.ends()
}

// A server that has gone while the shell is open: the reason belongs to the first
// line, which is all that the shell prints of a failure.
func TestShellWithoutServer(t *testing.T) {
	u := newUser(t)
	r := u.runWith("select a from b\n.tables\n", "sql", "--anonymous", "--server", "http://127.0.0.1:9", someIdentity)
	if r.code != 1 || strings.Count(r.stderr, "/sql): connection refused: no server listens there. Start one by `spacetime start`") != 1 ||
		strings.Count(r.stderr, "/schema?version=10): connection refused") != 1 {
		t.Error(r)
	}
}
