package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"github.com/stdbgo/spacetime/internal/spec"
)

func TestFirstCommandWritesConfig(t *testing.T) {
	spec.Covers(t, "09.13")
	u := newUser(t)
	r := u.run("server", "list")
	if r.code != 0 || strings.Contains(r.stdout, "Saving") {
		t.Error(r)
	}
	want(t, r.stderr, "Saving config to "+u.configFile()+".\n")
	want(t, u.config(), `default_server = "local"`, `nickname = "local"`, `nickname = "maincloud"`)
	wantMatch(t, r.stdout, `(?m)^ +\*\*\*  127\.0\.0\.1:3000 +http +local +$`)
	wantMatch(t, r.stdout, `(?m)^\s*maincloud\.spacetimedb\.com\s+https\s+maincloud\s*$`)
	if st, err := os.Stat(u.configFile()); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: tokens stand in it", st.Mode(), err)
	}
	if r := u.run("server", "list"); strings.Contains(r.stderr, "Saving") {
		t.Errorf("written again: %s", r)
	}
}

const commented = `# mine
default_server = "a" # for now
other = [1,
  2]

# the first
[[server_configs]]
host = "h:1"     # here
nickname = "a"
protocol = "http"
colour = "red"

[[server_configs]]
nickname = "b"
host = "h:2"
protocol = "https"

[unknown]
x = 1
`

func TestConfigKeepsForm(t *testing.T) {
	spec.Covers(t, "09.14")
	u := newUser(t)
	u.setConfig("http://x", "")
	if err := os.WriteFile(u.configFile(), []byte(commented), 0o600); err != nil {
		t.Fatal(err)
	}
	u.ok("server", "set-default", "b")
	wantEqual(t, u.config(), strings.Replace(commented, `"a" # for now`, `"b" # for now`, 1))
	u.ok("server", "remove", "a")
	u.ok("server", "remove", "h:2")
	text := u.config()
	want(t, text, "# mine", "other = [1,\n  2]", "[unknown]\nx = 1")
	if strings.Contains(text, "server_configs") || strings.Contains(text, "default_server") {
		t.Errorf("left over:\n%s", text)
	}
}

func TestBadConfig(t *testing.T) {
	spec.Covers(t, "09.15")
	u := newUser(t)
	u.setConfig("http://x", "")
	for text, parts := range map[string][]string{
		"default_server = 1\n":                             {"Config error: The option `default_server` is not a `string`, found: 1"},
		"server_configs = 1\n":                             {"Config error: The option `server_configs` is not a `table array`, found: 1"},
		"[[server_configs]]\nhost = \"h\"\n":               {"Config error: The option `protocol` not found"},
		"[[server_configs]]\nhost = 3\nprotocol = \"x\"\n": {"Config error: The option `host` is not a `string`, found: 3"},
		"x = \n": {"line 1"},
	} {
		if err := os.WriteFile(u.configFile(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got := u.fails(1, "login", "show")
		want(t, got, "Error: config file "+u.configFile()+" is invalid\n\nCaused by:\n    ")
		want(t, got, parts...)
	}
}

func TestNamingServers(t *testing.T) {
	spec.Covers(t, "09.17")
	f := newFake(t)
	u := newUser(t)
	u.setConfig(f.URL, "")
	f.on("GET /v1/ping", 200, "text/plain", "")
	host := strings.TrimPrefix(f.URL, "http://")
	for _, name := range []string{f.URL, f.URL + "/", "local", host} {
		wantEqual(t, u.ok("server", "ping", name), "Server is online: "+f.URL+"\n")
	}
	wantEqual(t, strings.SplitN(u.fails(1, "server", "ping", "nope"), "\n\n", 2)[1],
		"Error: No such saved server configuration: nope\nAdd a new server configuration with:\n\tspacetime server add nope --url <url>\n")
	want(t, u.fails(1, "server", "ping", "ftp://x"), "Error: Invalid protocol: ftp\n")

	// without a default server
	if err := os.WriteFile(u.configFile(), []byte("x = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, u.fails(1, "sql", "db", "select 1"), "Error: Cannot find protocol for default server\n", "No default server configuration.", "spacetime server set-default")
	if err := os.WriteFile(u.configFile(), []byte("default_server = \"gone\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, u.fails(1, "sql", "db", "select 1"), "    0: Default server does not refer to a saved server configuration: gone\n")
}

// Many command lines at once: the file is always one that somebody wrote.
func TestParallelSaves(t *testing.T) {
	spec.Covers(t, "09.18")
	u := newUser(t)
	u.ok("server", "list")
	var wg sync.WaitGroup
	stop := make(chan struct{})
	var reads sync.WaitGroup
	reads.Go(func() {
		for {
			text, err := os.ReadFile(u.configFile())
			var v map[string]any
			if err == nil {
				err = toml.Unmarshal(text, &v)
			}
			if err != nil || v["server_configs"] == nil {
				t.Errorf("torn: %v\n%s", err, text)
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	for i := range 8 {
		wg.Go(func() {
			for j := range 10 {
				u.run("server", "add", "--no-fingerprint", "--url", fmt.Sprintf("http://h%d-%d", i, j), fmt.Sprintf("n%d-%d", i, j))
			}
		})
	}
	wg.Wait()
	close(stop)
	reads.Wait()
	left, err := filepath.Glob(filepath.Join(filepath.Dir(u.configFile()), ".cli*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A home that cannot be written must not stop commands that only read.
func TestReadOnlyHome(t *testing.T) {
	f := newFake(t)
	f.on("GET /v1/ping", 200, "text/plain", "")
	u := newUser(t)
	u.home = filepath.Join(u.work, "file", "home")
	u.write("file", "not a directory")
	r := u.run("server", "ping", f.URL)
	if r.code != 0 {
		t.Error(r)
	}
	want(t, r.stderr, "Could not save config file: ")
}
