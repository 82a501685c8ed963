package cli_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stdbgo/spacetime/engine/wasm"
	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/cli"
	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/server"
)

// asProgram, set in the environment, makes the test binary the command line: a
// line editor wants a process of its own.
const asProgram = "CLI_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		home, _ := os.UserHomeDir()
		work, _ := os.Getwd()
		p := &cli.Program{Version: "test", Path: os.Args[0], Arg0: os.Args[0], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, HomeDir: home, WorkDir: work, Start: startServer}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		context.AfterFunc(ctx, stop)
		os.Exit(p.Main(ctx, os.Args[1:]))
	}
	code := m.Run()
	shared.stop()
	os.Exit(code)
}

// startServer is what `start` does.
func startServer(ctx context.Context, o cli.StartOptions) error {
	return server.Run(ctx, server.RunOptions{DataDir: o.DataDir, ListenAddr: o.ListenAddr, KeyDir: o.KeyDir, NonInteractive: o.NonInteractive,
		Version: cli.CompatVersion, ExeName: "spacetime", ExePath: "spacetime", Engines: engines, Stdin: o.Stdin, Stdout: o.Stdout})
}

// A user is somebody with a home and a working directory of their own.
type user struct {
	t     *testing.T
	home  string
	work  string
	env   map[string]string
	start func(context.Context, cli.StartOptions) error
	sdk   fs.FS

	describe func(context.Context, []byte, bool) (*schema.ModuleDef, error)
	menus    bool   // are answered by lines of the input
	path     string // of the program, /bin/spacetime if empty
	arg0     string // the name that it is called by
}

func newUser(t *testing.T) *user {
	t.Helper()
	u := &user{t: t, home: t.TempDir(), work: t.TempDir(), env: map[string]string{"TERM": "xterm"}, arg0: "spacetime"}
	return u
}

// A result is what a command line gave.
type result struct {
	code           int
	stdout, stderr string
}

func (r result) String() string {
	return fmt.Sprintf("exit %d\nstdout: %q\nstderr: %q", r.code, r.stdout, r.stderr)
}

// runWith runs a command line with the given input.
func (u *user) runWith(stdin string, args ...string) result {
	u.t.Helper()
	return u.runContext(context.Background(), strings.NewReader(stdin), args...)
}

func (u *user) run(args ...string) result { u.t.Helper(); return u.runWith("", args...) }

func (u *user) runContext(ctx context.Context, stdin io.Reader, args ...string) result {
	u.t.Helper()
	return u.runWatched(ctx, stdin, io.Discard, args...)
}

// runWatched shows what is printed to seen, too, as it comes.
func (u *user) runWatched(ctx context.Context, stdin io.Reader, seen io.Writer, args ...string) result {
	u.t.Helper()
	var out, errs bytes.Buffer
	p := &cli.Program{
		Version: "test", Path: cmp.Or(u.path, "/bin/spacetime"), Arg0: u.arg0, Stdin: stdin, Stdout: io.MultiWriter(&out, seen), Stderr: &errs,
		Getenv: func(k string) string { return u.env[k] }, HomeDir: u.home, WorkDir: u.work, Start: u.start, SDK: u.sdk,
		LookupEnv: func(k string) (string, bool) { v, ok := u.env[k]; return v, ok }, Describe: u.describe, Menus: u.menus,
	}
	code := p.Main(ctx, args)
	return result{code, out.String(), errs.String()}
}

// ok runs a command line that must succeed and returns what it printed.
func (u *user) ok(args ...string) string {
	u.t.Helper()
	r := u.run(args...)
	if r.code != 0 {
		u.t.Fatalf("%q: %s", args, r)
	}
	return r.stdout
}

// fails runs a command line that must end with the code, and returns its errors.
func (u *user) fails(code int, args ...string) string {
	u.t.Helper()
	r := u.run(args...)
	if r.code != code {
		u.t.Fatalf("%q: wanted exit %d, got %s", args, code, r)
	}
	return r.stderr
}

func (u *user) configFile() string { return filepath.Join(u.home, ".config", "spacetime", "cli.toml") }

func (u *user) config() string {
	u.t.Helper()
	text, err := os.ReadFile(u.configFile())
	if err != nil {
		u.t.Fatal(err)
	}
	return string(text)
}

// write writes a file below the working directory.
func (u *user) write(name, text string) {
	u.t.Helper()
	path := filepath.Join(u.work, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		u.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		u.t.Fatal(err)
	}
}

// setConfig writes the user's configuration: a server "local" at an address.
func (u *user) setConfig(address, extra string) {
	u.t.Helper()
	host := strings.TrimPrefix(address, "http://")
	text := fmt.Sprintf("default_server = \"local\"\n%s\n[[server_configs]]\nnickname = \"local\"\nhost = %q\nprotocol = \"http\"\n", extra, host)
	if err := os.MkdirAll(filepath.Dir(u.configFile()), 0o755); err != nil {
		u.t.Fatal(err)
	}
	if err := os.WriteFile(u.configFile(), []byte(text), 0o600); err != nil {
		u.t.Fatal(err)
	}
}

// sharedServer is a real server that the tests of this package share.
type sharedServer struct {
	once    sync.Once
	dir     string
	running *server.Running
	err     error
}

var shared sharedServer

// realServer returns the address of the real server.
func realServer(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a server and compiles modules; not in -short")
	}
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "cli-test-"); shared.err != nil {
			return
		}
		shared.running, shared.err = server.Start(context.Background(), server.RunOptions{
			DataDir: filepath.Join(shared.dir, "data"), KeyDir: filepath.Join(shared.dir, "keys"), ListenAddr: "127.0.0.1:0",
			Version: cli.CompatVersion, ExeName: "spacetime", ExePath: "spacetime", NonInteractive: true, NoDiskLogging: true,
			Stdin: strings.NewReader(""), Stdout: io.Discard, Engines: engines,
		})
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return "http://" + shared.running.Addr().String()
}

func engines(o server.EngineOptions) (map[host.ProgramKind]abi.Engine, error) {
	w, err := wasm.New(wasm.Options{CacheDir: o.CacheDir, Engine: wasm.Mode(o.Wasm), Logger: o.Logger})
	return map[host.ProgramKind]abi.Engine{host.Wasm: w}, err
}

func (s *sharedServer) stop() {
	if s.running != nil {
		if err := s.running.Shutdown(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	_ = os.RemoveAll(s.dir)
}

// modulePath is the path of a built module of the recorded suite.
func modulePath(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "testdata", "vectors", "live", "modules", name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// realUser is a user of the real server, who is not logged in.
func realUser(t *testing.T) *user {
	t.Helper()
	u := newUser(t)
	u.setConfig(realServer(t), "")
	return u
}

var databaseCount int

// publish publishes a module under a fresh name.
func (u *user) publish(module string) string {
	u.t.Helper()
	databaseCount++
	name := fmt.Sprintf("db-%d", databaseCount)
	u.ok("publish", "-y", "-b", modulePath(u.t, module), name)
	return name
}

// A fake is a server that answers as a test wants and remembers what it was asked.
type fake struct {
	*httptest.Server
	mu       sync.Mutex
	requests []fakeRequest
	answers  map[string]func(w http.ResponseWriter, r *http.Request)
}

type fakeRequest struct {
	what   string // method, path and query
	body   string
	header http.Header
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{answers: map[string]func(http.ResponseWriter, *http.Request){}}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		what := r.Method + " " + r.URL.Path
		f.mu.Lock()
		full := what
		if r.URL.RawQuery != "" {
			full += "?" + r.URL.RawQuery
		}
		f.requests = append(f.requests, fakeRequest{full, string(body), r.Header})
		answer := f.answers[what]
		f.mu.Unlock()
		if answer == nil {
			http.Error(w, "nothing here", http.StatusNotFound)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

// on answers a request with a status, a content type and a body.
func (f *fake) on(what string, status int, kind, body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[what] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func (f *fake) onJSON(what string, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	f.on(what, status, "application/json", string(text))
}

// asked returns the requests so far, without their bodies.
func (f *fake) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]string, len(f.requests))
	for i, r := range f.requests {
		list[i] = r.what
	}
	return list
}

// schemaVersions makes the fake know some versions of a database's schema.
func (f *fake) schemaVersions(base string, versions map[string]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers["GET "+base+"/schema"] = func(w http.ResponseWriter, r *http.Request) {
		v := r.URL.Query().Get("version")
		if text, ok := versions[v]; ok {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, text)
			return
		}
		http.Error(w, "no version "+v, http.StatusBadRequest)
	}
}

func (f *fake) last() fakeRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests[len(f.requests)-1]
}

// want fails the test unless the text contains every part.
func want(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is missing in:\n%s", p, text)
		}
	}
}

func wantMatch(t *testing.T, text, pattern string) []string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no match of %s in:\n%s", pattern, text)
	}
	return m
}

func wantEqual(t *testing.T, got, wanted string) {
	t.Helper()
	if got != wanted {
		t.Errorf("got\n%q\nwanted\n%q", got, wanted)
	}
}
