package native

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/module"
)

// The module of this test program.
type note struct {
	ID   uint64 `stdb:"primarykey,autoinc"`
	Text string
}

var (
	notes    = module.NewTable[note]("note", module.Public)
	greeting = module.Env(greetingKey)
	_        = module.Env("NOTES_TEST_COLOUR", module.Optional, module.OneOf("red", "blue"))
)

const greetingKey = "NOTES_TEST_GREETING"

func init() {
	module.Reducer("greet", func(ctx *module.Context, _ struct{}) error {
		text, _ := greeting.Get(ctx)
		_, err := notes.Insert(ctx, note{Text: text})
		return err
	})
	module.Reducer("add", func(ctx *module.Context, args struct{ Text string }) error {
		ctx.Log().Info("adding " + args.Text)
		_, err := notes.Insert(ctx, note{Text: args.Text})
		return err
	})
}

// A program is a running one.
type program struct {
	t     *testing.T
	base  string
	lines *bufio.Scanner
	stop  context.CancelFunc
	done  chan error
}

func start(t *testing.T, args ...string) *program {
	t.Helper()
	if _, set := os.LookupEnv(greetingKey); !set {
		t.Setenv(greetingKey, "hi")
	}
	ctx, stop := context.WithCancel(t.Context())
	r, w := io.Pipe()
	p := &program{t: t, lines: bufio.NewScanner(r), stop: stop, done: make(chan error, 1)}
	go func() {
		err := run(ctx, append([]string{"-listen", "127.0.0.1:0", "-name", "notes"}, args...), w, io.Discard)
		_ = w.Close()
		p.done <- err
	}()
	line := p.line("Database notes runs in this process at ")
	p.base, _, _ = strings.Cut(line, ";")
	p.line("  to query it: ")
	return p
}

// line reads a line with the given beginning and returns the rest.
func (p *program) line(beginning string) string {
	p.t.Helper()
	if !p.lines.Scan() {
		p.t.Fatalf("the program ends: %v", <-p.done)
	}
	rest, ok := strings.CutPrefix(p.lines.Text(), beginning)
	if !ok {
		p.t.Fatalf("line %q; want %q", p.lines.Text(), beginning)
	}
	return rest
}

func (p *program) post(path, contentType, body string) string {
	p.t.Helper()
	res, err := http.Post(p.base+"/v1/database/notes/"+path, contentType, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %s %s %v", path, res.Status, b, err)
	}
	return string(b)
}

func (p *program) end() {
	p.t.Helper()
	p.stop()
	go func() {
		for p.lines.Scan() {
		}
	}()
	select {
	case err := <-p.done:
		if err != nil {
			p.t.Error(err)
		}
	case <-time.After(time.Minute):
		p.t.Fatal("the program does not end")
	}
}

// A log that breaks off within a line when the program ends is no error.
func TestFollowToTheEnd(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"level":"Info","filename":"a.go","line_number":1,"message":"whole"}`+"\n"+`{"level":"In`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	r, w := io.Pipe()
	followed := make(chan error, 1)
	go func() { followed <- follow(ctx, s.URL, "", "notes", w) }()
	if line, err := bufio.NewReader(r).ReadString('\n'); err != nil || line != " INFO a.go:1: whole\n" {
		t.Errorf("%q, %v", line, err)
	}
	stop()
	if err := <-followed; err != nil {
		t.Error(err)
	}
}

func TestServe(t *testing.T) {
	data := filepath.Join(t.TempDir(), "a", "b")
	p := start(t, "-data", data)
	// The log may be followed from after the first call on; whoever looks sees the next ones.
	seen := make(chan string, 1)
	go func() {
		if p.lines.Scan() {
			seen <- p.lines.Text()
		}
	}()
	var line string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		p.post("call/add", "application/json", `["hello"]`)
		select {
		case line = <-seen:
		case <-time.After(10 * time.Millisecond):
			continue
		}
		break
	}
	if !strings.HasPrefix(line, " INFO native_test.go:") || !strings.HasSuffix(line, ": adding hello") {
		t.Errorf("log line %q", line)
	}
	p.end()

	p = start(t, "-data", data)
	if got := p.post("sql", "text/plain", "SELECT * FROM note WHERE id = 1"); !strings.Contains(got, `"rows":[[1,"hello"]]`) {
		t.Errorf("after a restart: %s", got)
	}
	p.end()

	p = start(t, "-data", data+"2", "-memory", "-listen", ":0")
	if !strings.HasPrefix(p.base, "http://localhost:") {
		t.Errorf("on all interfaces it says to be at %s", p.base)
	}
	if got := p.post("sql", "text/plain", "SELECT * FROM note"); !strings.Contains(got, `"rows":[]`) {
		t.Errorf("in memory: %s", got)
	}
	p.end()
}

// The variables that a module declares get their values from the environment of the program.
func TestEnvironment(t *testing.T) {
	data := t.TempDir()
	args := []string{"-listen", "127.0.0.1:0", "-name", "notes", "-data", data}
	err := run(t.Context(), args, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), greetingKey+" has no value; set it in the environment of this program") {
		t.Errorf("without a value: %v", err)
	}
	const text = "a \"b\", c=ü\n\x7f😀"
	t.Setenv(greetingKey, text)
	p := start(t, "-data", data)
	p.post("call/greet", "application/json", "[]")
	var answer []struct{ Rows [][]any }
	if err := json.Unmarshal([]byte(p.post("sql", "text/plain", "SELECT text FROM note")), &answer); err != nil {
		t.Fatal(err)
	}
	if len(answer) != 1 || len(answer[0].Rows) != 1 || answer[0].Rows[0][0] != text {
		t.Errorf("the module has read %q; want %q", answer, text)
	}
	p.end()

	t.Setenv("NOTES_TEST_COLOUR", "green")
	if err := run(t.Context(), args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "NOTES_TEST_COLOUR") {
		t.Errorf("with a value that is not allowed: %v", err)
	}
}

func TestServeFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"-listen", l.Addr().String()}, "choose another address with -listen"},
		{[]string{"-port", "1"}, "flag provided but not defined: -port"},
		{[]string{"publish"}, `unexpected argument "publish"`},
		{[]string{"-listen", "127.0.0.1:0", "-data", t.TempDir(), "-name", "No good"}, "No good"},
	} {
		var errs bytes.Buffer
		if err := run(t.Context(), tt.args, io.Discard, &errs); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v; want %q", tt.args, err, tt.want)
		}
	}
}

func TestDatabaseName(t *testing.T) {
	for name, want := range map[string]string{
		"chat": "chat", "MyChat.exe": "mychat-exe", "a__b": "a-b", "--": "module", "": "module", "über": "ber", "x-": "x",
	} {
		if got := databaseName(name); got != want {
			t.Errorf("databaseName(%q) = %q; want %q", name, got, want)
		}
	}
}
