//go:build unix

package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/cli"
	"github.com/stdbgo/spacetime/internal/spec"
)

// A seen is what a command has printed so far.
type seen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *seen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *seen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// eventually waits for what has to come.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain: %s", what)
}

// devUser is somebody with a project of a TypeScript module, and a server that
// accepts what is published.
func devUser(t *testing.T) (*user, *fake) {
	t.Helper()
	u, f := newUser(t), newFake(t)
	token, _ := tokenOf("dev")
	u.setConfig(f.URL, "spacetimedb_token = \""+token+"\"\n")
	const id = "c2000000000000000000000000000000000000000000000000000000000000aa"
	f.on("GET /v1/database/dev-db/identity", 200, "text/plain", id)
	f.on("GET /v1/ping", 200, "text/plain", "")
	f.onJSON("PUT /v1/database/dev-db", 200, map[string]any{"Success": map[string]any{"domain": "dev-db", "database_identity": id, "op": "created"}})
	f.mu.Lock()
	f.answers["GET /v1/database/"+id+"/logs"] = func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, `{"level":"Info","ts":1000000,"message":"hello from the log","trace":[{"func_name":"not shown"}]}`)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	f.mu.Unlock()
	t.Cleanup(f.CloseClientConnections)
	u.write("spacetime.json", "{\n  // ours\n  \"server\": \"local\",\n}\n")
	u.write("spacetime.local.json", `{"database": "dev-db"}`)
	u.write("spacetimedb/package.json", "{}")
	u.write("spacetimedb/src/index.ts", tsModule)
	u.write("spacetimedb/.gitignore", "/scratch/\n*.tmp\n!keep.tmp\n")
	return u, f
}

// published counts the programs that a fake server has been sent.
func (f *fake) programs() (n int) {
	for _, what := range f.asked() {
		if strings.HasPrefix(what, "PUT /v1/database/dev-db?") {
			n++
		}
	}
	return n
}

// running starts a command in process, which ends with the test at the latest.
func (u *user) running(args ...string) (out, errs *seen, stop func() int) {
	u.t.Helper()
	out, errs = &seen{}, &seen{}
	ctx, cancel := context.WithCancel(context.Background())
	code := make(chan int, 1)
	p := &cli.Program{
		Version: "test", Path: "/bin/spacetime", Stdin: strings.NewReader(""), Stdout: out, Stderr: errs,
		Getenv: func(k string) string { return u.env[k] }, HomeDir: u.home, WorkDir: u.work,
	}
	go func() { code <- p.Main(ctx, args) }()
	stop = sync.OnceValue(func() int { cancel(); return <-code })
	u.t.Cleanup(func() { stop() })
	return out, errs, stop
}

func TestDev(t *testing.T) {
	u, f := devUser(t)
	u.write(".env.local", "# mine\nexport VITE_SPACETIMEDB_DB_NAME = old\nOTHER=1\n")
	client := `echo "$SPACETIMEDB_DB_NAME $SPACETIMEDB_HOST $$" >>client.txt; sleep 1000 & wait`
	out, errs, stop := u.running("dev", "--run", client)
	eventually(t, "the first round", func() bool { return strings.Contains(out.String(), "Published successfully!\n---\n") })
	eventually(t, "the log", func() bool {
		return strings.Contains(out.String(), "1970-01-01T00:00:01Z  INFO: hello from the log\n")
	})
	eventually(t, "the client", func() bool { _, err := os.Stat(filepath.Join(u.work, "client.txt")); return err == nil })
	want(t, out.String(), "Database: dev-db\n", "Watching for changes in: "+filepath.Join(u.work, "spacetimedb")+"\n", "Client command: "+client+"\n", "Starting client: "+client+"\n")

	env := u.read(".env.local")
	if !strings.HasPrefix(env, "# mine\nexport VITE_SPACETIMEDB_DB_NAME=dev-db\nOTHER=1\n") || !strings.Contains(env, "\nNEXT_PUBLIC_SPACETIMEDB_HOST="+f.URL+"\n") {
		t.Errorf(".env.local: %s", env)
	}

	// what does not count
	for _, name := range []string{"target/x.rs", "node_modules/a/b.js", "scratch/deep/x.ts", "src/x.tmp", "dist/bundle.js"} {
		u.write("spacetimedb/"+name, "x")
	}
	time.Sleep(2 * time.Second)
	if n := f.programs(); n != 1 {
		t.Errorf("published %d times after changes that do not count:\n%s", n, out)
	}

	// many changes are one, also in new directories
	const many = 20
	for i := range many {
		u.write(fmt.Sprintf("spacetimedb/src/new/part%d.ts", i), "export const y = 1;\n")
	}
	eventually(t, "a round for new files", func() bool { return f.programs() > 1 })
	time.Sleep(time.Second)
	if n := f.programs(); n >= 1+many {
		t.Errorf("%d rounds for %d changes", n, many)
	}

	// an error of the compiler's is shown, and the next change is built
	u.write("spacetimedb/src/index.ts", "export const = 1;\n")
	failed := func() int { return strings.Count(errs.String(), "Waiting for next change...\n") }
	eventually(t, "the compiler's message", func() bool { return failed() > 0 })
	want(t, errs.String(), "src/index.ts:1:13")
	eventually(t, "that each round has either failed or published", func() bool {
		return 1+strings.Count(out.String(), "File change detected, rebuilding...\n") == f.programs()+failed()
	})
	before := f.programs()
	u.write("spacetimedb/src/new/part0.ts", "export const y = 2;\n")
	u.write("spacetimedb/src/index.ts", tsModule)
	eventually(t, "a round after the error", func() bool { return f.programs() > before })
	eventually(t, "the round's end", func() bool { return strings.HasSuffix(strings.TrimSpace(out.String()), "---") })

	lines := strings.Fields(u.read("client.txt"))
	if len(lines) != 3 || lines[0] != "dev-db" || lines[1] != f.URL {
		t.Fatalf("the client was started with %q", lines)
	}
	pid, err := strconv.Atoi(lines[2])
	if err != nil {
		t.Fatal(err)
	}
	if syscall.Kill(pid, 0) != nil {
		t.Error("the client does not run any more")
	}
	if code := stop(); code != 0 {
		t.Errorf("exit code %d:\n%s%s", code, out, errs)
	}
	eventually(t, "the end of the client and what it has started", func() bool { return syscall.Kill(-pid, 0) != nil })
	want(t, out.String(), "Stopping development mode.")
	wantEqual(t, u.read("spacetime.json"), "{\n  // ours\n  \"server\": \"local\",\n}\n")
	spec.Covers(t, "09.89", "09.91")
}

// What is written while the first round runs becomes live, too.
func TestDevFirstRound(t *testing.T) {
	u, f := devUser(t)
	var once sync.Once
	f.mu.Lock()
	publish := f.answers["PUT /v1/database/dev-db"]
	f.answers["PUT /v1/database/dev-db"] = func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() { u.write("spacetimedb/src/late.ts", "export const late = 1;\n") })
		publish(w, r)
	}
	f.mu.Unlock()
	_, _, stop := u.running("dev")
	eventually(t, "a second round", func() bool { return f.programs() > 1 })
	stop()
}

// The client's command is found and remembered where it belongs; without project
// files they are made.
func TestDevFindsClient(t *testing.T) {
	cli.ClientsFailAtOnce(t)
	u, f := devUser(t)
	u.write("package.json", `{"scripts":{"dev":"sleep 1000"}}`)
	u.write("pnpm-lock.yaml", "")
	out, _, stop := u.running("dev", "--skip-publish")
	eventually(t, "the detection", func() bool { return strings.Contains(out.String(), "Client command: pnpm run dev\n") })
	stop()
	wantEqual(t, u.read("spacetime.json"), "{\n  // ours\n  \"server\": \"local\",\n  \"dev\": {\n    \"run\": \"pnpm run dev\"\n  }\n}\n")
	wantEqual(t, u.read("spacetime.local.json"), `{"database": "dev-db"}`)

	fresh := newUser(t)
	fresh.setConfig(f.URL, "")
	fresh.write("spacetimedb/package.json", "{}")
	fresh.write("spacetimedb/src/index.ts", tsModule)
	out, _, stop = fresh.running("dev", "--skip-publish", "--server-only")
	eventually(t, "the first round", func() bool { return strings.Contains(out.String(), "Build complete!") })
	stop()
	wantEqual(t, fresh.read("spacetime.json"), "{\n  \"server\": \"local\",\n  \"module-path\": \"./spacetimedb\"\n}")
	name := wantMatch(t, fresh.read("spacetime.local.json"), `"database": "([a-z]+-[a-z]+-[0-9]{4})"`)[1]
	want(t, out.String(), "Selected database: "+name+"\n")

	// a client that fails at once
	broken, f := devUser(t)
	r := broken.run("dev", "--run", "exit 3")
	if r.code != 1 || f.programs() != 1 {
		t.Error(r)
	}
	want(t, r.stdout, "Client command 'exit 3' failed immediately with exit code: 3\n")

	// the first round must succeed
	broken.write("spacetimedb/src/index.ts", "export const = 1;\n")
	if r := broken.run("dev"); r.code != 1 || !strings.Contains(r.stderr, "src/index.ts:1:13") {
		t.Error(r)
	}
}

func TestDevAsksForSharedDatabase(t *testing.T) {
	spec.Covers(t, "09.90")
	const question = "Do you want to proceed with publishing in dev mode?"
	cli.ClientsFailAtOnce(t)
	u, f := devUser(t)
	u.menus = true
	for _, local := range []string{"spacetime.local.json", "spacetime.dev.json", "spacetime.dev.local.json"} {
		u.write("spacetime.json", `{"server": "local", "database": "production"}`)
		u.write("spacetime.local.json", "{}")
		u.write(local, `{"database": "dev-db"}`)
		if r := u.runWith("n\n", "dev", "--run", "exit 3"); strings.Contains(r.stderr, question) || !strings.Contains(r.stdout, "exit code: 3") {
			t.Errorf("%s: %s", local, r)
		}
		u.write(local, "{}")
	}
	before := f.programs()
	u.write("spacetime.json", `{"server": "local", "database": "dev-db"}`)
	r := u.runWith("n\n", "dev", "--run", "exit 3")
	if r.code != 1 || !strings.Contains(r.stderr, question) || !strings.Contains(r.stderr, "Error: Aborted.\n") || f.programs() != before {
		t.Error(r)
	}
	r = u.runWith("\n", "dev", "--run", "exit 3")
	if !strings.Contains(r.stderr, question) || f.programs() != before+1 {
		t.Error(r)
	}
	if r := u.run("dev", "-y", "--run", "exit 3"); strings.Contains(r.stderr, question) || f.programs() != before+2 {
		t.Error(r)
	}
	u.menus = false
	want(t, u.fails(1, "dev", "--run", "exit 3"), "IO error: not a terminal")
}

func TestDevUsage(t *testing.T) {
	u := newUser(t)
	r := u.run("dev", "--help")
	if r.code != 0 || !strings.Contains(r.stdout, "-t, --template <template>") {
		t.Error(r)
	}
	text := u.fails(1, "dev", "--template", "react", "--server", "nonexistent")
	want(t, text, "No such saved server configuration: nonexistent")
	if strings.Contains(text, "--template") {
		t.Error(text)
	}
	spec.Covers(t, "09.88")
	want(t, u.fails(1, "dev"), "IO error: not a terminal")
	want(t, u.fails(1, "dev", "--module-bindings-path", u.work), "Module bindings path must be a relative path")
	want(t, u.fails(1, "dev", "--module-path", "nowhere"), "Module directory does not exist: '"+filepath.Join(u.work, "nowhere")+"'")

	cli.ClientsFailAtOnce(t)
	p, _ := devUser(t)
	want(t, p.fails(1, "dev", "--module-path", "spacetimedb"), "Cannot use --module-path")
	p.write("spacetime.json", `{"generate": [{"language": "rust"}]}`)
	want(t, p.fails(1, "dev", "--module-bindings-path", "x"), "Cannot use --module-bindings-path")
	p.write("spacetime.json", `{"dev": {"run": 5}}`)
	want(t, p.fails(1, "dev"), "`run` of `dev` must be a text")
	p.write("spacetime.json", `{"module-path": "gone"}`)
	want(t, p.fails(1, "dev"), "Module directory does not exist", "spacetime.json")
	if r := p.run("dev", "--no-config", "--template", "basic-ts", "--run", "exit 3", "dev-db"); !strings.Contains(r.stderr, "Warning: --template option is ignored") {
		t.Error(r)
	}
}

// At a terminal: the client reads what is typed, and Ctrl-C ends all.
func TestDevTerminal(t *testing.T) {
	u, _ := devUser(t)
	s := u.terminal(nil, "dev", "--run", `echo "client $$."; while read line; do echo "client has read $line"; done`)
	at := s.expect(0, `client [0-9]+\.`)
	pid, err := strconv.Atoi(wantMatch(t, s.seen(), `client ([0-9]+)\.`)[1])
	if err != nil {
		t.Fatal(err)
	}
	s.send("something\r")
	at = s.expect(at, "client has read something")
	s.send("\x03")
	s.expect(at, "Stopping development mode")
	select {
	case err := <-s.exit:
		if err != nil {
			t.Errorf("dev ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Ctrl-C does not end dev")
	}
	eventually(t, "the client's end", func() bool { return syscall.Kill(-pid, 0) != nil })
}
