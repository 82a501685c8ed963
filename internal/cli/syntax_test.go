package cli_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/cli"
	"github.com/stdbgo/spacetime/internal/spec"
)

func TestHelpAndVersion(t *testing.T) {
	spec.Covers(t, "09.1", "09.2")
	u := newUser(t)
	r := u.run()
	if r.code != 2 || r.stdout != "" || !strings.Contains(r.stderr, "publish") {
		t.Errorf("no arguments: %s", r)
	}
	for _, args := range [][]string{{"--help"}, {"help"}, {"-h"}, {"help", "sql"}, {"sql", "--help"}, {"sql", "db", "-h"}, {"server", "--help"}, {"help", "server", "add"}, {"start", "--help"}} {
		r := u.run(args...)
		if r.code != 0 || r.stderr != "" && args[0] != "start" || !strings.Contains(r.stdout, "Usage: spacetime") {
			t.Errorf("%q: %s", args, r)
		}
	}
	want(t, u.ok("help", "server", "add"), "Usage: spacetime server add", "--url <url>")
	wantMatch(t, u.ok("--version"), `(?m)^spacetimedb tool version [0-9.]+; spacetimedb-lib version [0-9.]+;$`)
	wantEqual(t, u.ok("-V"), "spacetime "+cli.CompatVersion+"\n")
	if r := u.run("help", "nope"); r.code != 2 {
		t.Errorf("help nope: %s", r)
	}
	if r := u.run("server"); r.code != 2 || !strings.Contains(r.stderr, "set-default") {
		t.Errorf("server: %s", r)
	}
}

func TestUsageErrors(t *testing.T) {
	u := newUser(t)
	for _, c := range []struct {
		args []string
		part string // of the message
	}{
		{[]string{"nope"}, "unrecognized subcommand 'nope'"},
		{[]string{"publih"}, "a similar subcommand exists: 'publish'"},
		{[]string{"--foo"}, "unexpected argument '--foo' found"},
		{[]string{"sql", "--foo"}, "unexpected argument '--foo' found"},
		{[]string{"sql", "--interacti"}, "unexpected argument '--interacti' found"},
		{[]string{"sql", "-q"}, "unexpected argument '-q' found"},
		{[]string{"publish", "--server"}, "a value is required for '--server <server>'"},
		{[]string{"publish", "a", "b"}, "unexpected argument 'b' found"},
		{[]string{"publish", "--build-options", "--debug"}, "unexpected argument '--debug' found"},
		{[]string{"logs", "db", "-n", "-5"}, "unexpected argument '-5' found"},
		{[]string{"logs", "db", "-n", "x"}, "invalid value 'x' for '--num-lines'"},
		{[]string{"logs", "db", "--level", "loud"}, "[possible values: trace, debug, info, warn, error, panic]"},
		{[]string{"logs", "db", "--level-exact"}, "--level"},
		{[]string{"publish", "x", "--yes=bogus"}, "invalid value 'bogus'"},
		{[]string{"publish", "x", "-c=sometimes"}, "[possible values: always, on-conflict, never]"},
		{[]string{"publish", "-b", "a", "-p", "b"}, "cannot be used with '--module-path'"},
		{[]string{"publish", "-b", "a", "-j", "b"}, "cannot be used with '--js-path'"},
		{[]string{"publish", "-j", "a", "--build-options="}, "cannot be used with '--build-options'"},
		{[]string{"publish", "--num-replicas", "300"}, "invalid value '300'"},
		{[]string{"rename", "x"}, "--to <new-name>"},
		{[]string{"rename", "--to", "x"}, "<database-identity>"},
		{[]string{"server", "add", "x"}, "--url <url>"},
		{[]string{"server", "nope"}, "unrecognized subcommand 'nope'"},
		{[]string{"server", "ping"}, "<server>"},
		{[]string{"list", "x"}, "unexpected argument 'x' found"},
		{[]string{"logs", "db", "-f", "-f"}, "cannot be used multiple times"},
		{[]string{"logs", "db", "--follow=yes"}, "unexpected value 'yes'"},
		{[]string{"start", "x"}, "unexpected argument 'x' found"},
		{[]string{"login", "--token", "a", "--auth-host", "b"}, "cannot be used together"},
		{[]string{"call", "-5", "db"}, "unexpected argument '-5' found"},
		{[]string{"build", "--dotnet-version", "9"}, "[possible values: 8, 10]"},
	} {
		text := u.fails(2, c.args...)
		want(t, text, "error: ", c.part, "For more information, try '--help'.")
	}
	spec.Covers(t, "09.8")
	want(t, u.fails(2, "sql", "--server", "a", "-s", "b", "db", "x"), "the argument '--server <server>' cannot be used multiple times")
}

// What is misspelt is answered with what is like it.
func TestUsageTips(t *testing.T) {
	u := newUser(t)
	for _, c := range []struct {
		args []string
		text string // all up to the usage line
	}{
		{[]string{"publih"}, "unrecognized subcommand 'publih'\n\n  tip: a similar subcommand exists: 'publish'"},
		{[]string{"publish", "--servr", "x"}, "unexpected argument '--servr' found\n\n  tip: a similar argument exists: '--server'"},
		{[]string{"publish", "x", "--delete-dta=always"}, "unexpected argument '--delete-dta' found\n\n  tip: a similar argument exists: '--delete-data'"},
		{[]string{"server", "add", "--ulr", "http://h", "n"}, "unexpected argument '--ulr' found\n\n  tip: a similar argument exists: '--url'"},
		{[]string{"start", "--listen-adr", "127.0.0.1:1"}, "unexpected argument '--listen-adr' found\n\n  tip: a similar argument exists: '--listen-addr'"},
		{[]string{"version", "list", "--al"}, "unexpected argument '--al' found\n\n  tip: a similar argument exists: '--all'"},
		{[]string{"sql", "--hlep"}, "unexpected argument '--hlep' found\n\n  tip: a similar argument exists: '--help'"},
		{[]string{"--server", "publish"}, "unexpected argument '--server' found\n\n  tip: 'publish --server' exists"},
		{[]string{"--rot-dir=x", "list"}, "unexpected argument '--rot-dir' found\n\n  tip: a similar argument exists: '--root-dir'"},
		{[]string{"server", "list", "--config-path=x"}, "unexpected argument '--config-path' found\n\n  tip: '--config-path' is an option of the program: write it before 'server'"},
		{[]string{"call", "db", "f", "--nothing-like-it"}, "unexpected argument '--nothing-like-it' found\n\n  tip: to pass '--nothing-like-it' as a value, use '-- --nothing-like-it'"},
		{[]string{"call", "-5", "db"}, "unexpected argument '-5' found\n\n  tip: to pass '-5' as a value, use '-- -5'"},
		{[]string{"publish", "--build-options", "--debug"}, "unexpected argument '--debug' found\n\n  tip: to pass '--debug' as the value of '--build-options', use '--build-options=--debug'"},
		{[]string{"login", "--nothing-like-it"}, "unexpected argument '--nothing-like-it' found"},
		{[]string{"list", "-q"}, "unexpected argument '-q' found"},
		{[]string{"logs", "db", "--level", "wran"}, "invalid value 'wran' for '--level <level>'\n  [possible values: trace, debug, info, warn, error, panic]\n\n  tip: a similar value exists: 'warn'"},
		{[]string{"logs", "db", "--level", "loud"}, "invalid value 'loud' for '--level <level>'\n  [possible values: trace, debug, info, warn, error, panic]"},
		{[]string{"generate", "--lang", "rusty", "-o", "x"}, "invalid value 'rusty' for '--lang <lang>'\n  [possible values: csharp, typescript, rust, unrealcpp, go]\n\n  tip: a similar value exists: 'rust'"},
	} {
		text := u.fails(2, c.args...)
		_, got, _ := strings.Cut(text, "error: ") // start has said first that it writes its configuration
		got, _, _ = strings.Cut(got, "\n\nUsage: ")
		if got != c.text {
			t.Errorf("%q:\n%s\nwant\n%s", c.args, got, c.text)
		}
	}
}

func TestConfigPath(t *testing.T) {
	spec.Covers(t, "09.3")
	u := newUser(t)
	u.ok("--config-path", "mine.toml", "server", "add", "--url", "http://h:1", "n", "--no-fingerprint")
	text, err := os.ReadFile(filepath.Join(u.work, "mine.toml"))
	if err != nil {
		t.Fatal(err)
	}
	want(t, string(text), `host = "h:1"`)
	if _, err := os.Stat(u.configFile()); err == nil {
		t.Error("the usual file has been written, too")
	}
	want(t, u.fails(2, "server", "--config-path", "mine.toml", "list"), "--config-path")
	want(t, u.fails(2, "server", "list", "--config-path=mine.toml"), "--config-path")
}

func TestStart(t *testing.T) {
	spec.Covers(t, "09.4", "09.16", "09.94")
	u := newUser(t)
	var got cli.StartOptions
	u.start = func(_ context.Context, o cli.StartOptions) error { got = o; return nil }
	u.ok("--root-dir", "r", "start")
	root := filepath.Join(u.work, "r")
	if got.DataDir != filepath.Join(root, "data") || got.KeyDir != filepath.Join(root, "config") || got.ListenAddr != "" || got.InMemory {
		t.Errorf("%+v", got)
	}
	if _, err := os.Stat(filepath.Join(root, "config", "cli.toml")); err != nil {
		t.Error(err)
	}
	u.ok("start", "--listen-addr", "127.0.0.1:1", "--data-dir=a", "--in-memory", "--data-dir", "/b", "-l=127.0.0.1:2", "--jwt-pub-key-path", "p", "--jwt-priv-key-path", "/q", "--enable-tracy", "--page_pool_max_size", "64MiB", "--non-interactive")
	if got.ListenAddr != "127.0.0.1:2" || got.DataDir != "/b" || !got.InMemory || !got.NonInteractive || got.PublicKeyPath != filepath.Join(u.work, "p") || got.PrivateKeyPath != "/q" {
		t.Errorf("%+v", got)
	}
	u.ok("start", "--edition", "standalone", "--in-memory")
	want(t, u.fails(1, "start", "--edition", "cloud"), "edition `cloud`")
	want(t, u.fails(2, "start", "--edition", "other"), "[possible values: standalone, cloud]")
	want(t, u.fails(2, "start", "--data-dir", "X", "--edition", "cloud"), "unexpected argument '--edition' found")
	want(t, u.fails(2, "start", "--jwt-pub-key-path", "p"), "--jwt-priv-key-path")
	for _, bad := range []string{"80", "65535", "x"} {
		want(t, u.fails(2, "start", "--pg-port", bad), "1024 to 65534")
	}
	u.ok("start", "--pg-port", "5432")
	if !slices.Contains(got.Set, "postgres.port=5432") {
		t.Errorf("--pg-port sets %q", got.Set)
	}

	u.ok("start", "--tls-cert", "c.pem", "--tls-key=/k.pem", "--publish", "owner", "--trusted-proxies", "10.0.0.0/8,::1", "--log-format", "json", "--set", "websocket.gzip=true", "--set=logs.level=info", "--print-config")
	settings := []string{"tls.cert-file=" + filepath.Join(u.work, "c.pem"), "tls.key-file=/k.pem", "publish.allow=owner", "proxy.trusted=10.0.0.0/8,::1", "logs.format=json", "websocket.gzip=true", "logs.level=info"}
	if !slices.Equal(got.Set, settings) || !got.PrintConfig {
		t.Errorf("%q, print %t", got.Set, got.PrintConfig)
	}

	// cli.toml's address is the default of --listen-addr, and nothing completes the file
	if err := os.WriteFile(u.configFile(), []byte("listen_addr = \"127.0.0.1:7\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	u.ok("start")
	wantEqual(t, got.ListenAddr, "127.0.0.1:7")
	u.ok("start", "--listen-addr", "127.0.0.1:8")
	wantEqual(t, got.ListenAddr, "127.0.0.1:8")
	wantEqual(t, u.config(), "listen_addr = \"127.0.0.1:7\"\n")
	want(t, u.fails(1, "server", "ping", "local"), "No such saved server configuration: local")
}

func TestColour(t *testing.T) {
	u := newUser(t)
	u.env["CLICOLOR_FORCE"] = "1"
	want(t, u.fails(2, "nope"), "\x1b[1;31merror:\x1b[0m")
	want(t, u.ok("--help"), "\x1b[")
	u.env["NO_COLOR"] = "1"
	if text := u.fails(2, "nope") + u.ok("--help"); strings.Contains(text, "\x1b") {
		t.Errorf("coloured although NO_COLOR is set: %q", text)
	}
}
