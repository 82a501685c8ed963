package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/vfs"
)

func TestServerCommands(t *testing.T) {
	spec.Covers(t, "09.9", "09.67")
	f := newFake(t)
	u := newUser(t)
	u.setConfig(f.URL, "")
	r := u.run("server", "add", "--url", "https://h/", "n", "--no-fingerprint")
	wantEqual(t, r.stdout, "Host: h\nProtocol: https\n")
	wantEqual(t, r.stderr, "WARNING: This command is UNSTABLE and subject to breaking changes.\n\nSaving config to "+u.configFile()+".\n")
	wantMatch(t, u.ok("server", "list"), `(?m)^\s*h\s+https\s+n\s*$`)
	want(t, u.fails(1, "server", "add", "--url", "http://g", "n", "--no-fingerprint"), "Error: Server nickname n already in use: https://h\n")
	want(t, u.fails(1, "server", "add", "--url", "http://h", "m", "--no-fingerprint"), "Error: Server already configured for host: h\n")
	want(t, u.fails(1, "server", "add", "--url", "http://n", "m", "--no-fingerprint"), "Error: Server host name is ambiguous with existing server nickname: n\n")
	want(t, u.fails(1, "server", "add", "--url", "h2", "m", "--no-fingerprint"), "Error: Invalid url: h2\n")
	want(t, u.fails(1, "server", "add", "--url", "ftp://h2", "m", "--no-fingerprint"), "Error: Invalid protocol: ftp\n")

	wantEqual(t, u.ok("server", "edit", "n", "--new-name", "m", "--url", "http://h:2", "--no-fingerprint", "--yes"),
		"Changing nickname from n to m\nChanging host from h to h:2\nChanging protocol from https to http\nSkipping confirmation due to --yes\n")
	wantMatch(t, u.ok("server", "list"), `(?m)^\s*h:2\s+http\s+m\s*$`)
	if r := u.runWith("no\n", "server", "edit", "m", "--new-name", "k"); r.code != 1 || !strings.HasSuffix(r.stdout, "Continue? [y/N]") || !strings.HasSuffix(r.stderr, "Error: Aborted\n") {
		t.Error(r)
	}
	want(t, u.fails(1, "server", "edit", "m", "--new-name", "local", "-y"), "Nickname local conflicts with saved configuration for server local: "+f.URL)
	if strings.Contains(u.config(), `"k"`) {
		t.Error("a change that was declined has been saved")
	}
	// the default follows its server
	u.ok("server", "edit", "local", "--new-name", "here", "--url", "http://other:9", "--no-fingerprint", "-y")
	want(t, u.config(), `default_server = "here"`)
	u.ok("server", "edit", "here", "--url", f.URL, "--no-fingerprint", "-y")

	const pem = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
	f.on("GET /v1/identity/public-key", 200, "text/plain", pem)
	wantEqual(t, u.ok("server", "fingerprint", "here", "-y"), "No saved fingerprint for server here. New fingerprint:\n"+pem+"\nSkipping confirmation due to --yes\n")
	wantEqual(t, u.ok("server", "fingerprint", "here", "-y"), "Fingerprint is unchanged for server here:\n"+pem+"\n")
	f.on("GET /v1/identity/public-key", 200, "text/plain", "other\n")
	want(t, u.ok("server", "fingerprint", "here", "-y"), "Fingerprint has changed for server here.\nWas:\n"+pem, "New:\nother\n")
	want(t, u.fails(1, "server", "add", "--url", "http://127.0.0.1:1", "dead"), "Unable to retrieve fingerprint for server: http://127.0.0.1:1\n")
	u.ok("server", "remove", "m")
	want(t, u.fails(1, "server", "remove", "m"), "No such saved server configuration: m")
}

func TestServerPing(t *testing.T) {
	spec.Covers(t, "09.68")
	f := newFake(t)
	u := newUser(t)
	wantEqual(t, u.ok("server", "ping", f.URL), "Server returned 404 (Not Found): "+f.URL+"\n")
	f.on("GET /v1/ping", 503, "text/plain", "")
	wantEqual(t, u.ok("server", "ping", f.URL), "Server could not be reached (503 Service Unavailable): "+f.URL+"\n")
	want(t, u.fails(1, "server", "ping", "http://127.0.0.1:1"), "Error: error sending request for url (http://127.0.0.1:1/v1/ping)\n\nCaused by:\n    connection refused", "spacetime start")
}

func TestServerClear(t *testing.T) {
	spec.Covers(t, "09.69")
	u := newUser(t)
	data := filepath.Join(u.home, ".local", "share", "spacetime", "data")
	wantEqual(t, u.ok("server", "clear", "-y"), "Local database not found. Nothing has been deleted.\n")
	if err := os.MkdirAll(data, 0o755); err != nil {
		t.Fatal(err)
	}
	want(t, u.fails(1, "server", "clear", "-y"), "does not look like a data directory")
	if err := os.WriteFile(filepath.Join(data, "metadata.toml"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	lock, err := vfs.OS{}.Lock(filepath.Join(data, "spacetime.pid"))
	if err != nil {
		t.Fatal(err)
	}
	want(t, u.fails(1, "server", "clear", "-y"), "a server is running on "+data)
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, u.runWith("n\n", "server", "clear").stdout, "Database path: "+data+"\nAre you sure you want to delete all data from the local database? [y/N]Aborting\n")
	if _, err := os.Stat(data); err != nil {
		t.Error(err)
	}
	wantEqual(t, u.ok("server", "clear", "-y"), "Database path: "+data+"\nSkipping confirmation due to --yes\nDeleted database: "+data+"\n")
	if _, err := os.Stat(data); err == nil {
		t.Error("the directory is still there")
	}
}
