package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/engine/wasm"
	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/vfs"
)

// A syncBuffer collects output of several goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func runOptions(dir string, out io.Writer) RunOptions {
	return RunOptions{
		DataDir: dir, KeyDir: filepath.Join(dir, "keys"), ListenAddr: "127.0.0.1:0", NonInteractive: true,
		Version: "2.14.0", ExeName: "spacetime", ExePath: "/bin/spacetime", Stdin: strings.NewReader(""), Stdout: out,
		Engines: func(o EngineOptions) (map[host.ProgramKind]abi.Engine, error) {
			e, err := wasm.New(wasm.Options{CacheDir: o.CacheDir, Logger: o.Logger})
			if err != nil {
				return nil, err
			}
			return map[host.ProgramKind]abi.Engine{host.Wasm: e}, nil
		},
	}
}

func started(t *testing.T, o RunOptions) *Running {
	t.Helper()
	r, err := Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ask sends a request to a running server and returns status and body.
func (r *Running) ask(t testing.TB, method, path, token, body string) (int, string) {
	t.Helper()
	scheme := "http"
	if r.config.TLS.Cert != "" {
		scheme = "https"
	}
	req, err := http.NewRequest(method, scheme+"://"+r.Addr().String()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	do := client.Do
	if scheme == "https" { // its certificate is a test's own
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
		defer transport.CloseIdleConnections()
		do = (&http.Client{Transport: transport}).Do
	}
	res, err := do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func (r *Running) want(t *testing.T, method, path, token, body string, status int, contains string) string {
	t.Helper()
	got, text := r.ask(t, method, path, token, body)
	if got != status || !strings.Contains(text, contains) {
		t.Fatalf("%s %s: %d %s; want %d with %s", method, path, got, text, status, contains)
	}
	return text
}

func kettle(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile("../../testdata/vectors/live/modules/kettle1.wasm")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The whole way with a real module: publish, call, query, restart.
func TestServerLife(t *testing.T) {
	spec.Covers(t, "06.47")
	defer client.CloseIdleConnections()
	dir := filepath.Join(t.TempDir(), "data")
	var out syncBuffer
	r := started(t, runOptions(dir, &out))
	lines := regexp.MustCompile(`(?s)spacetime version: 2\.14\.0\nspacetime path: /bin/spacetime\ndatabase running in data directory ` +
		regexp.QuoteMeta(dir) + `\n.*INFO server/run\.go:\d+: Starting SpacetimeDB listening on (127\.0\.0\.1:\d+)\n`)
	m := lines.FindStringSubmatch(out.String())
	if m == nil || m[1] != r.Addr().String() {
		t.Fatalf("output:\n%s", out.String())
	}

	var id struct{ Identity, Token string }
	if err := json.Unmarshal([]byte(r.want(t, "POST", "/v1/identity", "", "", 200, "token")), &id); err != nil {
		t.Fatal(err)
	}
	r.want(t, "PUT", "/v1/database/kettle", id.Token, kettle(t), 200, `"op":"created"`)
	r.want(t, "POST", "/v1/database/kettle/call/pour", id.Token, `[{"some":"mint"}]`, 200, "")
	r.want(t, "POST", "/v1/database/kettle/sql", id.Token, "SELECT * FROM cup", 200, `"rows":[[`)
	r.want(t, "GET", "/v1/database/kettle/schema?version=10", id.Token, "", 200, `{"sections":[{"Typespace":`)
	r.want(t, "GET", "/v1/database/kettle/logs?num_lines=1", id.Token, "", 200, `"level":"Info"`)
	r.want(t, "GET", "/v1/metrics", id.Token, "", 200, `spacetime_num_txns_total{committed="true",db="`)
	if err := r.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "spacetime.pid")); !os.IsNotExist(err) {
		t.Errorf("spacetime.pid after a clean end: %v", err)
	}
	if log, err := os.ReadFile(filepath.Join(dir, "logs", "spacetime-standalone.log")); err != nil || !bytes.Contains(log, []byte("Shutting down server...")) {
		t.Errorf("server log: %v\n%s", err, log)
	}

	// Keys, names and rows are there after a restart, without anybody asking.
	r = started(t, runOptions(dir, &out))
	r.want(t, "GET", "/v1/identity/"+id.Identity+"/verify", id.Token, "", 204, "")
	r.want(t, "POST", "/v1/database/kettle/sql", id.Token, "SELECT * FROM cup", 200, `"rows":[[`)
	if err := r.Shutdown(); err != nil {
		t.Fatal(err)
	}
}

func TestInMemory(t *testing.T) {
	spec.Covers(t, "06.52")
	defer client.CloseIdleConnections()
	o := runOptions(t.TempDir(), io.Discard)
	o.InMemory = true
	r := started(t, o)
	var id struct{ Identity, Token string }
	if err := json.Unmarshal([]byte(r.want(t, "POST", "/v1/identity", "", "", 200, "token")), &id); err != nil {
		t.Fatal(err)
	}
	r.want(t, "PUT", "/v1/database/kettle", id.Token, kettle(t), 200, `"op":"created"`)
	fresh := r.want(t, "POST", "/v1/database/kettle/sql", id.Token, "SELECT COUNT(*) AS n FROM tea_box", 200, `"rows":[[1]]`) // by init
	_ = fresh
	r.want(t, "POST", "/v1/database/kettle/call/pour", id.Token, `[{"some":"mint"}]`, 200, "")
	r.want(t, "POST", "/v1/database/kettle/sql", id.Token, "SELECT COUNT(*) AS n FROM cup", 200, `"rows":[[1]]`)
	if err := r.Shutdown(); err != nil {
		t.Fatal(err)
	}
	r = started(t, o)
	r.want(t, "POST", "/v1/database/kettle/sql", id.Token, "SELECT COUNT(*) AS n FROM cup", 200, `"rows":[[0]]`)
	r.want(t, "POST", "/v1/database/kettle/sql", id.Token, "SELECT COUNT(*) AS n FROM tea_box", 200, `"rows":[[1]]`)
	if err := r.Shutdown(); err != nil {
		t.Fatal(err)
	}
}

func TestOneServerPerDataDirectory(t *testing.T) {
	dir := t.TempDir()
	r := started(t, runOptions(dir, io.Discard))
	_, err := Start(context.Background(), runOptions(dir, io.Discard))
	want := fmt.Sprintf("cannot take lock on database; spacetime.pid already exists (owned by pid Some(%d))", os.Getpid())
	if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("second server: %v, want %s", err, want)
	}
	if err := r.Shutdown(); err != nil {
		t.Fatal(err)
	}
	// A file that a killed server left is no obstacle.
	if err := os.WriteFile(filepath.Join(dir, "spacetime.pid"), []byte("1234"), 0o600); err != nil {
		t.Fatal(err)
	}
	r = started(t, runOptions(dir, io.Discard))
	if err := r.Shutdown(); err != nil {
		t.Fatal(err)
	}
}

// childVariable makes the test binary a server on the directory it names.
const childVariable = "SERVER_TEST_CHILD"

func TestMainProcess(t *testing.T) {
	dir := os.Getenv(childVariable)
	if dir == "" {
		t.Skip("the server process of other tests")
	}
	ctx, stop := notifyContext()
	defer stop()
	if err := Run(ctx, runOptions(dir, os.Stdout)); err != nil {
		t.Fatal(err)
	}
}

// spawn runs a server process and returns its address.
func spawn(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestMainProcess$")
	cmd.Env = append(os.Environ(), childVariable+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line := regexp.MustCompile(`Starting SpacetimeDB listening on (\S+)`)
	var seen []byte
	buf := make([]byte, 4096)
	for {
		n, err := out.Read(buf)
		seen = append(seen, buf[:n]...)
		if m := line.FindSubmatch(seen); m != nil {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return cmd, string(m[1])
		}
		if err != nil {
			t.Fatalf("server did not start: %v\n%s", err, seen)
		}
	}
}

// Without the control database, what is in the data directory is not ours to
// overlook, nor to write into.
func TestDatabasesWithoutTheirCatalogue(t *testing.T) {
	dir := t.TempDir()
	r := started(t, runOptions(dir, io.Discard))
	if err := r.Shutdown(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "control-db", "control.db")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	r = started(t, runOptions(dir, io.Discard)) // nothing is lost
	if err := r.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "replicas", "2", "clog"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, spoil := range []func() error{func() error { return os.Truncate(path, 0) }, func() error { return os.Remove(path) }} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if _, err := Start(context.Background(), runOptions(dir, io.Discard)); err == nil || !strings.Contains(err.Error(), "control.db is missing or empty, but ") {
			t.Errorf("%v", err)
		}
	}
}

func TestKilledServerStartsAgain(t *testing.T) {
	spec.Covers(t, "06.48")
	defer client.CloseIdleConnections()
	dir := t.TempDir()
	cmd, _ := spawn(t, dir)
	_, err := Start(context.Background(), runOptions(dir, io.Discard))
	want := fmt.Sprintf("cannot take lock on database; spacetime.pid already exists (owned by pid Some(%d))", cmd.Process.Pid)
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("second server: %v, want %s", err, want)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if b, err := os.ReadFile(filepath.Join(dir, "spacetime.pid")); err != nil || string(b) != fmt.Sprint(cmd.Process.Pid) {
		t.Errorf("spacetime.pid of a killed server: %q, %v", b, err)
	}
	r := started(t, runOptions(dir, io.Discard))
	if err := r.Shutdown(); err != nil {
		t.Fatal(err)
	}
}

func TestSignalsEndTheServer(t *testing.T) {
	spec.Covers(t, "06.53")
	defer client.CloseIdleConnections()
	for _, signal := range endingSignals {
		dir := t.TempDir()
		// Were the follower of the log waited for, the end would not come.
		if err := os.WriteFile(filepath.Join(dir, "config.toml"), []byte("[http]\nshutdown-timeout = \"1h\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd, address := spawn(t, dir)
		base := "http://" + address
		res, err := client.Post(base+"/v1/identity", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		var id struct{ Token string }
		err = json.NewDecoder(res.Body).Decode(&id)
		_ = res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		do := func(method, path, body string) *http.Response {
			req, err := http.NewRequest(method, base+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+id.Token)
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			return res
		}
		_ = do("PUT", "/v1/database/kettle", kettle(t)).Body.Close()
		follower := do("GET", "/v1/database/kettle/logs?follow=true&num_lines=1", "")
		if follower.StatusCode != 200 {
			t.Fatal(follower.Status)
		}
		late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, follower.Body); err != nil {
			t.Errorf("%v: the log stream breaks off: %v", signal, err)
		}
		_ = follower.Body.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v", signal, err)
		}
		late.Stop()
		if _, err := os.Stat(filepath.Join(dir, "spacetime.pid")); !os.IsNotExist(err) {
			t.Errorf("%v: spacetime.pid: %v", signal, err)
		}
	}
}

func TestPortInUse(t *testing.T) {
	spec.Covers(t, "06.51")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	port := l.Addr().(*net.TCPAddr).Port
	o := runOptions(t.TempDir(), io.Discard)
	o.ListenAddr = l.Addr().String()
	_, err = Start(context.Background(), o)
	want := fmt.Sprintf("Port %d is already in use. Please free up the port or specify a different port with --listen-addr.", port)
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	// The other families of the host count as well.
	if !taken("localhost", port) || !taken("::1", port) {
		t.Error("127.0.0.1 does not take the port of localhost and ::1")
	}

	var out bytes.Buffer
	if _, err := listen(l.Addr().String(), true, strings.NewReader("n\n"), &out); err == nil || err.Error() != want {
		t.Errorf("refused offer: %v", err)
	}
	if !regexp.MustCompile(`^Port \d+ is already in use\. Would you like to use port \d+ instead\? \[y/N\] $`).MatchString(out.String()) {
		t.Errorf("question: %q", out.String())
	}
	next, err := listen(l.Addr().String(), true, strings.NewReader("YES\n"), &out)
	if err != nil {
		t.Fatal(err)
	}
	if got := next.Addr().(*net.TCPAddr).Port; got <= port || got > port+portsAhead {
		t.Errorf("offered port %d after %d", got, port)
	}
	_ = next.Close()
	for _, address := range []string{"127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "no.such.host.invalid:0"} {
		if _, err := listen(address, false, nil, nil); err == nil {
			t.Errorf("%s: no error", address)
		}
	}
}

func TestKeyPaths(t *testing.T) {
	config := &Config{}
	config.Keys.Private, config.Keys.Public = "/c/priv", "/c/pub"
	for _, tt := range []struct {
		o       RunOptions
		c       *Config
		private string
		bad     bool
	}{
		{RunOptions{PrivateKeyPath: "/a", PublicKeyPath: "/b", KeyDir: "/d"}, config, "/a", false},
		{RunOptions{KeyDir: "/d"}, config, "/c/priv", false},
		{RunOptions{KeyDir: "/d"}, &Config{}, filepath.Join("/d", "id_ecdsa"), false},
		{RunOptions{}, &Config{}, "", true},
		{RunOptions{PrivateKeyPath: "/a", KeyDir: "/d"}, &Config{}, "", true},
	} {
		private, _, err := tt.o.keyPaths(tt.c)
		if private != tt.private || (err != nil) != tt.bad {
			t.Errorf("%+v: %s, %v", tt.o, private, err)
		}
	}
}

func TestMetadata(t *testing.T) {
	spec.Covers(t, "06.49")
	const header = "# THIS FILE IS GENERATED BY SPACETIMEDB, DO NOT MODIFY!\n\n"
	file := func(version, edition string) string {
		return header + fmt.Sprintf("version = %q\nedition = %q\n", version, edition)
	}
	for _, tt := range []struct {
		name, found, running string
		want                 string // the file afterwards
		bad                  string
	}{
		{"missing", "", "2.8.3", file("2.8.3", "standalone"), ""},
		{"same", file("2.8.3", "standalone"), "2.8.3", file("2.8.3", "standalone"), ""},
		{"1.x under 2.x", file("1.12.0", "standalone"), "2.8.3", file("2.8.3", "standalone"), ""},
		{"older minor", file("2.7.9", "standalone"), "2.8.3", file("2.8.3", "standalone"), ""},
		{"newer patch", file("2.8.9", "standalone"), "2.8.3", file("2.8.9", "standalone"), ""},
		{"newer minor", file("2.9.0", "standalone"), "2.8.3", "", "metadata.toml indicates that you are running a newer, incompatible database. Your running version is 2.8.3, but the database on disk is from 2.9.0."},
		{"newer major", file("3.0.0", "standalone"), "2.8.3", "", "a newer, incompatible"},
		{"older major", file("1.0.0", "standalone"), "3.0.0", "", "an older, incompatible"},
		{"edition", file("2.8.3", "cloud"), "2.8.3", "", `is from a different edition of SpacetimeDB (running "standalone", but this database is "cloud")`},
		{"no version", header + "edition = \"standalone\"\n", "2.8.3", "", "is no version"},
		{"broken", "version = [", "2.8.3", "", "invalid TOML syntax"},
	} {
		mem := vfs.NewMem()
		if err := mem.MkdirAll("/d"); err != nil {
			t.Fatal(err)
		}
		if tt.found != "" {
			if err := vfs.WriteFileAtomic(mem, "/d/metadata.toml", []byte(tt.found)); err != nil {
				t.Fatal(err)
			}
		}
		err := checkMetadata(mem, "/d", tt.running)
		got, _ := vfs.ReadFile(mem, "/d/metadata.toml")
		switch {
		case tt.bad == "" && (err != nil || string(got) != tt.want):
			t.Errorf("%s: %v\n%s", tt.name, err, got)
		case tt.bad != "" && (err == nil || !strings.Contains(err.Error(), tt.bad) || string(got) != tt.found):
			t.Errorf("%s: %v\n%s", tt.name, err, got)
		}
	}
}

// What a publish that a crash cut short and a deletion leave behind is gone after the
// next start, and a deletion takes the files at once; others stay.
func TestNoFilesAreLeftBehind(t *testing.T) {
	defer client.CloseIdleConnections()
	dir := t.TempDir()
	r := started(t, runOptions(dir, io.Discard))
	var owner struct{ Token string }
	if err := json.Unmarshal([]byte(r.want(t, "POST", "/v1/identity", "", "", 200, "token")), &owner); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"stays", "goes"} {
		r.want(t, "PUT", "/v1/database/"+name, owner.Token, kettle(t), 200, "created")
	}
	replicas := func() string {
		entries, err := os.ReadDir(filepath.Join(dir, "replicas"))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return strings.Join(names, " ")
	}
	both := replicas()
	r.want(t, "DELETE", "/v1/database/goes", owner.Token, "", 200, "")
	one := replicas()
	if strings.Count(both, " ") != 1 || one == both || !strings.HasPrefix(both, one) {
		t.Errorf("replicas: %q, and %q after a deletion", both, one)
	}
	// A publish ends here, by a crash of the process.
	replica, err := r.server.control.NextReplica()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Shutdown(); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, "replicas", fmt.Sprint(replica), "clog")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(left, "00000000000000000000.stdb.log"), []byte("(ds)^2"), 0o600); err != nil {
		t.Fatal(err)
	}
	r = started(t, runOptions(dir, io.Discard))
	eventually(t, "only the replicas "+one, func() bool { return replicas() == one })
	r.want(t, "POST", "/v1/database/stays/sql", owner.Token, "SELECT * FROM st_module", 200, "rows")
	if err := r.Shutdown(); err != nil {
		t.Fatal(err)
	}
}
