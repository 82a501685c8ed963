package cli_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
)

func TestReceiverBindings(t *testing.T) {
	spec.Covers(t, "09.104")
	u := generator(t)
	want(t, u.ok("generate", "--lang", "rust", "--bindings", "module", "--out-dir", "d", "-b", "m.wasm"),
		"Writing file "+filepath.Join("d", "lib.rs"), "Generate finished successfully.")
	text := u.read("d/lib.rs")
	want(t, text, "pub struct Identity(pub spacetimedb::Identity);", "impl spacetimedb::rt::RemoteReducer for set_name", `const NAME: &'static str = "set_name";`)
	if strings.Contains(text, "DbConnection") || u.exists("d/mod.rs") {
		t.Error("there is client code")
	}
	if out := u.ok("generate", "--lang", "rust", "--bindings", "module", "--out-dir", "d", "-b", "m.wasm"); strings.Contains(out, "Writing file") {
		t.Errorf("the second run wrote: %s", out)
	}
	want(t, u.fails(1, "generate", "--lang", "ts", "--bindings", "module", "-o", "d", "-b", "m.wasm"), "--bindings module is only supported with --lang rust")
	want(t, u.fails(2, "generate", "--lang", "rust", "--bindings", "all", "-o", "d", "-b", "m.wasm"), "invalid value 'all' for '--bindings <kind>'")
}

func TestDependencies(t *testing.T) {
	spec.Covers(t, "09.104")
	u := generator(t)
	config := func(dependencies string) {
		u.write("spacetime.json", `{"server": "local", "children": [
			{"database": "game-world", "bin-path": "m.wasm"},
			{"database": "shop", "bin-path": "m.wasm"},
			{"database": "lobby", "module-path": "./sender", "dependencies": `+dependencies+`}]}`)
	}
	config(`[{"name": "game_world", "database": "game-world"}, {"name": "shop", "database": "shop"}]`)
	u.write("sender/src/lib.rs", "// by hand\n")
	out := u.ok("generate", "lobby")
	want(t, out, "Writing file "+filepath.Join("sender", "src", "remote_bindings", "game_world", "mod.rs"))
	if strings.Contains(out, "module_bindings") {
		t.Errorf("client code was generated: %s", out)
	}
	index := u.read("sender/src/remote_bindings/mod.rs")
	want(t, index, "\npub mod game_world;\npub mod shop;\n")
	want(t, u.read("sender/src/remote_bindings/game_world/mod.rs"), "RemoteReducer for send_message")

	config(`[{"name": "shop", "database": "shop"}]`)
	want(t, u.ok("generate", "lobby", "-y"), "Files deleted successfully.")
	if u.exists("sender/src/remote_bindings/game_world/mod.rs") || !u.exists("sender/src/lib.rs") {
		t.Error("the bindings of a former dependency are there, or a file by hand is gone")
	}
	if out := u.ok("generate", "shop", "-l", "ts", "-o", "x"); strings.Contains(out, "receiver") {
		t.Errorf("another target has the dependencies: %s", out)
	}
	for _, c := range []struct{ dependencies, part string }{
		{`[{"name": "a", "database": "moon"}]`, "No database target matches 'moon'. Available databases: game-world, shop, lobby"},
		{`[{"name": "a-b", "database": "shop"}]`, "'a-b'"},
		{`[{"name": "type", "database": "shop"}]`, "'type'"},
		{`[{"database": "shop"}]`, "'name'"},
		{`[{"name": "a", "database": "shop"}, {"name": "a", "database": "lobby"}]`, "twice"},
		{`[{"name": "a", "database": "shop", "color": "red"}]`, "'color'"},
		{`{"a": "shop"}`, "'dependencies' to type list of objects"},
	} {
		config(c.dependencies)
		want(t, u.fails(1, "generate", "lobby"), c.part)
	}
}
