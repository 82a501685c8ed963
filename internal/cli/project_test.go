package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
)

// projectUser is a user whose publishes go to a fake server that takes them all.
func projectUser(t *testing.T) (*user, *fake) {
	t.Helper()
	f := newFake(t)
	u := newUser(t)
	token, _ := tokenOf("project")
	u.setConfig(f.URL, fmt.Sprintf("spacetimedb_token = %q\n", token))
	u.write("m.wasm", "\x00asm")
	return u, f
}

// takes makes the fake server know a database, with a module.
func (f *fake) takes(names ...string) {
	for _, n := range names {
		f.onJSON("PUT /v1/database/"+n, 200, map[string]any{"Success": map[string]any{"domain": n, "database_identity": strings.Repeat("c", 64), "op": "created"}})
	}
}

// published returns the names that programs have been sent for.
func (f *fake) published() string {
	var names []string
	for _, what := range f.asked() {
		if rest, ok := strings.CutPrefix(what, "PUT /v1/database/"); ok {
			name, _, _ := strings.Cut(rest, "?")
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

func TestProjectFile(t *testing.T) {
	spec.Covers(t, "09.25")
	u, f := projectUser(t)
	f.takes("deep")
	u.write("spacetime.json", "\ufeff// of the team\n{ database: 'deep', /* built before */ \"bin-path\": \"m.wasm\", }\n")
	u.write("a/b/c.txt", "")
	top := u.work
	u.work = filepath.Join(top, "a", "b")
	out := u.ok("publish", "-y")
	want(t, out, "Using configuration from "+filepath.Join(top, "spacetime.json")+"\nPublishing precompiled module to database 'deep'\n")
	u.work = top
	u.write("spacetime.json", "{\n  \"database\": \"x\"\n  \"env\": {\"SECRET\": \"hush\"}}")
	text := u.fails(1, "publish", "-y")
	want(t, text, "Failed to load spacetime.json", "Failed to parse config file "+filepath.Join(top, "spacetime.json")+": line 3, column 3: a comma or } is missing")
	if strings.Contains(text, "hush") {
		t.Errorf("the error quotes the file:\n%s", text)
	}
	u.ok("publish", "-y", "--no-config", "-b", "m.wasm", "deep")
	// only spacetime.json anchors
	if err := os.Remove(filepath.Join(top, "spacetime.json")); err != nil {
		t.Fatal(err)
	}
	u.write("spacetime.local.json", `{"database": "local-only"}`)
	want(t, u.fails(1, "logs"), "<database>")
}

func TestProjectLayers(t *testing.T) {
	spec.Covers(t, "09.26", "09.27")
	u, f := projectUser(t)
	f.takes("a", "b2", "b3", "c", "d")
	u.write("spacetime.json", `{"database":"a","bin-path":"m.wasm","children":[{"database":"b"},{"database":"c"}]}`)
	u.write("spacetime.local.json", `{"children":[{"database":"b2"}]}`)
	u.write("spacetime.dev.json", `{"database":"d"}`)
	u.write("spacetime.dev.local.json", `{"children":[{"database":"b3"},{},{"database":"surplus"}]}`)
	u.ok("publish", "-y")
	wantEqual(t, f.published(), "a b2 c")
	u.ok("publish", "-y", "--env", "dev")
	wantEqual(t, f.published(), "a b2 c d b3 c")

	// a child with a source of its own inherits no other
	u.write("own.js", "export {}")
	u.write("spacetime.json", `{"database":"a","bin-path":"m.wasm","children":[{"database":"c","js-path":"own.js"}]}`)
	u.write("spacetime.local.json", `{}`)
	want(t, u.ok("publish", "-y"), "(WASM) Skipping build. Instead we are publishing "+filepath.Join(u.work, "m.wasm"), "(JS) Skipping build. Instead we are publishing "+filepath.Join(u.work, "own.js"))
}

func TestProjectKeys(t *testing.T) {
	spec.Covers(t, "09.28", "09.29")
	u, f := projectUser(t)
	f.takes("a")
	u.write("spacetime.json", `{"dev":{"run_command":"x"}}`)
	want(t, u.fails(1, "publish", "-y"), "Failed to load spacetime.json", "unknown field `run_command`, expected `run`")
	u.write("spacetime.json", `{"database":"a","bin-path":"m.wasm","colour":"red"}`)
	want(t, u.fails(1, "publish", "-y"), "Config key 'colour' is not supported in the config file. Available keys: ")
	for _, text := range []string{`"bin-path":"m.wasm","anonymous":true`, `"wasm-file":"m.wasm","anon-identity":true`, `"wasm_file":"m.wasm","num_replicas":2`} {
		u.write("spacetime.json", `{"database":"a",`+text+`}`)
		u.ok("publish", "-y")
		if strings.Contains(text, "true") != (f.last().header.Get("Authorization") == "") {
			t.Errorf("%s: sent %v", text, f.last().header)
		}
	}
	want(t, f.last().what, "num_replicas=2")
	u.write("x.js", "export {}")
	for _, key := range []string{"js-path", "js-file"} {
		u.write("spacetime.json", `{"database":"a","`+key+`":"x.js"}`)
		want(t, u.ok("publish", "-y"), "(JS) Skipping build")
	}
	u.write("spacetime.json", `{"database":"a","bin-path":7}`)
	want(t, u.fails(1, "publish", "-y"), "Failed to convert config value for key 'bin_path' to type string")
	u.write("spacetime.json", `{"bin-path":"m.wasm"}`)
	want(t, u.fails(1, "publish", "-y"), "Required key 'database' is missing from the config file or CLI")
}

func TestProjectTargets(t *testing.T) {
	spec.Covers(t, "09.30", "09.31")
	u, f := projectUser(t)
	f.takes("region-a", "region-b", "main", "fresh")
	u.write("spacetime.json", `{"bin-path":"m.wasm","children":[{"database":"region-a"},{"database":"region-b"},{"database":"main"}]}`)
	u.ok("publish", "-y", "region-*")
	wantEqual(t, f.published(), "region-a region-b")
	want(t, u.fails(1, "publish", "-y", "nope"), "Error: No database target matches 'nope'. Available databases: region-a, region-b, main\n")
	want(t, u.fails(1, "publish", "-y", "[a"), "Invalid glob pattern: [a")
	for _, o := range [][]string{{"--bin-path", "m.wasm"}, {"--module-path", "."}, {"--build-options=--debug"}, {"--num-replicas", "1"}, {"--js-path", "x"}} {
		name, _, _ := strings.Cut(o[0], "=")
		want(t, u.fails(1, append([]string{"publish", "-y"}, o...)...), "Cannot use module-specific arguments ("+name+") when publishing to multiple targets.")
	}
	u.write("spacetime.json", `{"bin-path":"m.wasm","database":"one","server":"local"}`)
	u.ok("publish", "-y", "fresh")
	wantEqual(t, f.published(), "region-a region-b fresh")
}

func TestProjectPaths(t *testing.T) {
	spec.Covers(t, "09.32")
	u, f := projectUser(t)
	f.takes("a")
	u.write("spacetime.json", `{"database":"a","bin-path":"sub/../m.wasm"}`)
	u.write("sub/own.wasm", "\x00asm")
	u.work = filepath.Join(u.work, "sub")
	want(t, u.ok("publish", "-y"), "publishing "+filepath.Join(filepath.Dir(u.work), "m.wasm"))
	want(t, u.ok("publish", "-y", "-b", "own.wasm"), "publishing own.wasm")
}

// In a project commands need no database; --no-config takes them literally.
func TestProjectDatabaseArguments(t *testing.T) {
	spec.Covers(t, "09.33")
	f := newFake(t)
	u := newUser(t)
	token, _ := tokenOf("p")
	u.setConfig("http://127.0.0.1:1", fmt.Sprintf("spacetimedb_token = %q\n", token))
	u.write("spacetime.json", fmt.Sprintf(`{"database":"mine","server":%q}`, f.URL))
	for _, c := range []struct {
		args []string
		db   string // looked up at the project's server; empty: not there
	}{
		{[]string{"call", "add", "Alice"}, "mine"},
		{[]string{"call", "mine", "add", "Alice"}, "mine"},
		{[]string{"sql", "SELECT 1"}, "mine"},
		{[]string{"sql", "mine", "SELECT 1"}, "mine"},
		{[]string{"sql", "select", "1"}, "mine"},
		{[]string{"sql", "other", "SELECT 1"}, ""},
		{[]string{"logs"}, "mine"},
		{[]string{"logs", "other"}, ""},
		{[]string{"subscribe", "SELECT * FROM a", "SELECT * FROM b"}, "mine"},
		{[]string{"subscribe", "other", "SELECT * FROM b"}, ""},
		{[]string{"describe", "--json"}, "mine"},
		{[]string{"describe", "--json", "table", "x"}, "mine"},
		{[]string{"delete", "-y"}, "mine"},
		{[]string{"lock"}, "mine"},
		{[]string{"call", "--no-config", "add", "Alice"}, ""},
		{[]string{"sql", "--no-config", "add", "Alice"}, ""},
	} {
		before := len(f.asked())
		r := u.run(c.args...)
		asked := f.asked()[before:]
		wanted := "GET /v1/database/" + c.db + "/identity"
		switch {
		case r.code == 0:
			t.Errorf("%q: %s", c.args, r)
		case c.db == "" && len(asked) > 0:
			t.Errorf("%q asked the project's server: %v", c.args, asked)
		case c.db != "" && (len(asked) == 0 || asked[0] != wanted):
			t.Errorf("%q asked %v; wanted %s", c.args, asked, wanted)
		}
	}

	u.write("spacetime.json", fmt.Sprintf(`{"server":%q,"children":[{"database":"foo"},{"database":"bar"}]}`, f.URL))
	want(t, u.fails(1, "call", "x", "f"), "Multiple databases found in config: foo, bar. Please specify which database to use, or pass --no-config to use 'x' directly.")
	want(t, u.fails(1, "sql", "select * from t"), "Multiple databases found in config: foo, bar. Please specify which database to query:\n")
	for _, c := range []string{"call", "sql", "subscribe", "logs"} {
		want(t, u.fails(1, c), "the following required arguments were not provided:\n  <database>\n")
	}
	before := len(f.asked())
	u.run("call", "bar", "f")
	wantEqual(t, f.asked()[before], "GET /v1/database/bar/identity")
	// the server that all targets share serves list and rename
	before = len(f.asked())
	u.run("list")
	u.run("rename", "--to", "new", "foo")
	wantMatch(t, strings.Join(f.asked()[before:], "\n"), `^GET /v1/identity/[0-9a-f]{64}/databases\nPUT /v1/database/foo/names$`)
	before = len(f.asked())
	u.run("list", "--no-config")
	if len(f.asked()) != before {
		t.Error("list --no-config asked the project's server")
	}
}

// Commands that name no target take the server that all targets share.
func TestSharedServer(t *testing.T) {
	u, shared, def := newUser(t), newFake(t), newFake(t)
	token, id := tokenOf("shared")
	u.setConfig(def.URL, "spacetimedb_token = \""+token+"\"\n")
	for _, f := range []*fake{shared, def} {
		f.onJSON("GET /v1/identity/"+id+"/databases", 200, map[string]any{"identities": []string{}})
		f.onJSON("PUT /v1/database/x/names", 200, map[string]any{"Success": nil})
		f.onJSON("POST /v1/mcp", 200, map[string]any{})
	}
	asked := func(f *fake, args ...string) bool {
		before := len(f.asked())
		u.runWith("{}\n", args...)
		return len(f.asked()) > before
	}
	u.write("spacetime.json", `{"children": [{"database": "a", "server": "`+shared.URL+`"}, {"database": "b", "server": "`+shared.URL+`"}, {"database": "c"}]}`)
	for _, args := range [][]string{{"list"}, {"rename", "--to", "new", "x"}, {"mcp"}} {
		if !asked(shared, args...) {
			t.Errorf("%q asks another server than the targets' one", args)
		}
		if plain := append([]string{args[0], "--no-config"}, args[1:]...); !asked(def, plain...) {
			t.Errorf("%q does not ask the default server", plain)
		}
	}
	u.write("spacetime.json", `{"children": [{"database": "a", "server": "`+shared.URL+`"}, {"database": "b", "server": "local"}]}`)
	if !asked(def, "list") {
		t.Error("targets of two servers: the default one is not asked")
	}
	spec.Covers(t, "09.105")
}
