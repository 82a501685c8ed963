package cli_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/codegen/codegentest"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
)

// generator is a user with the chat module as definition and as files that the
// fake engine knows.
func generator(t *testing.T) *user {
	t.Helper()
	u := newUser(t)
	raw := codegentest.ChatMaker()
	private := raw.Table("zz_secret", raw.Type(codegentest.Unit, "Secret"))
	private.Access = schema.Private
	def := raw.Module(t)
	u.describe = func(_ context.Context, program []byte, js bool) (*schema.ModuleDef, error) {
		if strings.Contains(string(program), "broken") {
			return nil, errors.New("the module is broken")
		}
		return def, nil
	}
	u.write("m.wasm", "\x00asm")
	u.write("m.js", "module")
	u.write("def.json", string(def.Raw.AppendJSON(nil)))
	return u
}

func (u *user) exists(name string) bool {
	_, err := os.Stat(filepath.Join(u.work, filepath.FromSlash(name)))
	return err == nil
}

func TestGenerateSources(t *testing.T) {
	spec.Covers(t, "09.80")
	u := generator(t)
	u.ok("generate", "-l", "ts", "-o", "a", "-b", "m.wasm")
	u.ok("generate", "--lang", "typescript", "-o", "b", "-j", "m.js")
	u.ok("generate", "-l", "TS", "-o", "c", "--module-def", "def.json")
	if r := u.runWith(u.read("def.json"), "generate", "-l", "ts", "-o", "d", "--module-def"); r.code != 0 {
		t.Fatal(r)
	}
	for _, dir := range []string{"b", "c", "d"} {
		if u.read("a/index.ts") != u.read(dir+"/index.ts") {
			t.Errorf("%s differs from a", dir)
		}
	}
	for _, c := range []struct {
		text string
		part string
	}{
		{"", "must be JSON"}, {"[]", "must be JSON"}, {"{}", "must be an object like"}, {`{"V10":{"sections":[{"Nope":[]}]}}`, "JSON"},
		{`{"V9":7}`, "JSON"}, {`{"V8":{}}`, "must be an object like"},
	} {
		if r := u.runWith(c.text, "generate", "-l", "ts", "-o", "x", "--module-def"); r.code != 1 || !strings.Contains(r.stderr, c.part) {
			t.Errorf("%s: %s", c.text, r)
		}
	}
	u.write("broken.wasm", "\x00asm broken")
	want(t, u.fails(1, "generate", "-l", "ts", "-o", "x", "-b", "broken.wasm"), "could not extract schema", "the module is broken")
	want(t, u.fails(1, "generate", "-l", "ts", "-o", "x", "-b", "m.js"), "no WebAssembly module")
	want(t, u.fails(1, "generate", "-l", "ts", "-o", "x", "-j", "m.wasm"), "--bin-path")
	want(t, u.fails(1, "generate", "-l", "ts", "-o", "x", "-b", "none.wasm"), "none.wasm cannot be read")
	if u.exists("x") {
		t.Error("a failed run has made the output directory")
	}
}

func TestGenerateOptions(t *testing.T) {
	spec.Covers(t, "09.77")
	u := generator(t)
	want(t, u.fails(1, "generate", "-l", "unreal", "-b", "m.wasm"), "--uproject-dir is required for --lang unrealcpp")
	want(t, u.fails(1, "generate", "-l", "uecpp", "-b", "m.wasm", "--uproject-dir", "p"), "--unreal-module-name is required for --lang unrealcpp")
	r := u.run("generate", "-l", "rs", "-o", "x", "--namespace", "N", "-b", "m.wasm")
	if r.code != 1 || r.stdout != "Generating Rust module bindings for module spacetimedb\n" || r.stderr != "Error: --namespace is only supported with --lang csharp\n" {
		t.Error(r)
	}
	r = u.run("generate", "-l", "cs", "-o", "x", "--go-package", "N", "-b", "m.wasm")
	want(t, r.stdout, "Generating C# module bindings")
	want(t, r.stderr, "--go-package is only supported with --lang go")
	want(t, u.fails(2, "generate", "-l", "cobol", "-b", "m.wasm"), "invalid value 'cobol' for '--lang <lang>'", "csharp, typescript, rust, unrealcpp")
	want(t, u.fails(1, "generate", "-l", "ts", "--sdk-version", "9", "-b", "m.wasm"), "SDK version 9 is not known")
	want(t, u.fails(1, "generate", "-l", "ts", "--sdk-version", "1.3.3", "-b", "m.wasm"), "@clockworklabs/spacetimedb-sdk")
	want(t, u.fails(1, "generate", "-l", "ts"), "Could not find module source at 'spacetimedb'", "--bin-path/--js-path")
	want(t, u.fails(1, "generate", "-b", "m.wasm"), "Could not auto-detect client language from '.'", "--lang")
	want(t, u.fails(1, "generate", "db"), "no spacetime.json was found", "--from-database db")
	for _, args := range [][]string{
		{"-b", "m.wasm", "-j", "m.js"}, {"-b", "m.wasm", "-p", "."}, {"-j", "m.js", "--build-options", "x"}, {"-b", "m.wasm", "--dotnet-version", "8"},
		{"--module-def", "def.json", "-p", "."}, {"--from-database", "x", "-b", "m.wasm"}, {"-o", "x", "--uproject-dir", "y"}, {"-s", "local"},
	} {
		if r := u.run(append([]string{"generate", "-l", "ts"}, args...)...); r.code != 2 {
			t.Errorf("%q: %s", args, r)
		}
	}
}

func TestGenerateDetects(t *testing.T) {
	u := generator(t)
	u.write("package.json", `{"dependencies":{"spacetimedb":"^1.12.0"}}`)
	out := u.ok("generate", "-b", "m.wasm")
	want(t, out, "Detected client language 'typescript' from '.'", "Detected TypeScript SDK 1.12.0 (package.json); generating 1.x bindings.", "Writing file "+filepath.Join("src", "module_bindings", "index.ts"))
	if !u.exists("src/module_bindings/user_type.ts") {
		t.Error("the bindings are not those of 1.x")
	}
	want(t, u.ok("generate", "-b", "m.wasm", "--sdk-version", "2", "-y"), "user_type.ts", "Skipping confirmation due to --yes")
	if u.exists("src/module_bindings/user_type.ts") || !u.exists("src/module_bindings/types.ts") {
		t.Error("the bindings are not those of 2.x alone")
	}
	u.write("package.json", `{"dependencies":{"spacetimedb":"^7.0.0"}}`)
	if r := u.run("generate", "-b", "m.wasm"); r.code != 0 || !strings.Contains(r.stderr, "uses version 7.0.0 of the TypeScript SDK (package.json)") {
		t.Error(r)
	}
}

func TestGenerateFiles(t *testing.T) {
	spec.Covers(t, "09.78", "10.2")
	u := generator(t)
	first := u.ok("generate", "-l", "ts", "-o", "out", "-b", "m.wasm")
	want(t, first, "Writing file "+filepath.Join("out", "user_table.ts"), "Creating directory "+filepath.Join("out", "types"), "Generate finished successfully.")
	old := time.Now().Add(-time.Hour)
	path := filepath.Join(u.work, "out", "index.ts")
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, u.ok("generate", "-l", "ts", "-o", "out", "-b", "m.wasm"), strings.Join([]string{
		"Generating TypeScript module bindings for module spacetimedb", "Skipping build. Instead we are inspecting m.wasm",
		"Skipping private tables during codegen: zz_secret.", "Creating directory " + filepath.Join("out", "types"), "Creating directory " + filepath.Join("out", "types"),
		"Generate finished successfully.", "",
	}, "\n"))
	if st, err := os.Stat(path); err != nil || !st.ModTime().Equal(old.Truncate(0)) && st.ModTime().Unix() != old.Unix() {
		t.Errorf("an unchanged file was written: %v", err)
	}

	marker := "// THIS FILE IS AUTOMATICALLY GENERATED BY SPACETIMEDB"
	u.write("out/old.ts", marker+". WILL NOT BE SAVED.\n")
	u.write("out/sub/older.rs", marker)
	u.write("out/mine.ts", "// by hand\n"+marker+"\n")
	u.write("out/short.ts", "//")
	u.write("out/node_modules/pkg/index.ts", marker)
	r := u.runWith("n\n", "generate", "-l", "ts", "-o", "out", "-b", "m.wasm")
	want(t, r.stdout, "The following files were not generated by this command and will be deleted:\n  "+filepath.Join("out", "old.ts")+"\n  "+filepath.Join("out", "sub", "older.rs")+"\n",
		"Are you sure you want to delete these files? [y/N]Files not deleted.\nGenerate finished successfully.\n")
	if r.code != 0 || !u.exists("out/old.ts") {
		t.Errorf("a no deletes: %s", r)
	}
	want(t, u.ok("generate", "-l", "ts", "-o", "out", "-b", "m.wasm", "-y"), "Files deleted successfully.")
	for name, kept := range map[string]bool{"out/old.ts": false, "out/sub/older.rs": false, "out/mine.ts": true, "out/short.ts": true, "out/node_modules/pkg/index.ts": true, "out/index.ts": true} {
		if u.exists(name) != kept {
			t.Errorf("%s: there is %v, want %v", name, !kept, kept)
		}
	}
}

func TestGeneratePrivate(t *testing.T) {
	spec.Covers(t, "09.79")
	u := generator(t)
	want(t, u.ok("generate", "-l", "ts", "-o", "out", "-b", "m.wasm"), "Skipping private tables during codegen: zz_secret.")
	if u.exists("out/zz_secret_table.ts") {
		t.Error("the private table is there")
	}
	if out := u.ok("generate", "-l", "ts", "-o", "out", "-b", "m.wasm", "--include-private"); strings.Contains(out, "Skipping private") || !u.exists("out/zz_secret_table.ts") {
		t.Errorf("the private table is not there: %s", out)
	}
}

func TestGenerateEntries(t *testing.T) {
	spec.Covers(t, "09.34")
	u := generator(t)
	u.write("spacetime.json", `{
		// comments are allowed
		"database": "one", "wasm-file": "m.wasm",
		"generate": [{"language": "typescript", "out-dir": "x"}, {"language": "typescript", "out-dir": "x"}, {"language": "ts", "out-dir": "y", "include-private": true, "sdk-version": "1"}],
		"children": [{"database": "two", "generate": [{"language": "typescript", "out-dir": "x"}]}, {"database": "three"}]
	}`)
	out := u.ok("generate")
	if strings.Count(out, "Generate finished successfully.") != 2 || !strings.HasPrefix(out, "Using configuration from "+filepath.Join(u.work, "spacetime.json")+"\n") {
		t.Errorf("entries: %s", out)
	}
	if !u.exists("x/types.ts") || !u.exists("y/zz_secret_table.ts") || !u.exists("y/user_type.ts") || u.exists("x/zz_secret_table.ts") {
		t.Error("the entries' options do not count")
	}
	want(t, u.ok("generate", "two"), "Generating TypeScript")
	want(t, u.ok("generate", "two", "-o", "z", "--sdk-version", "1"), filepath.Join("z", "user_type.ts"))
	want(t, u.ok("generate", "three", "-l", "ts", "-o", "zz"), "inspecting m.wasm")
	want(t, u.fails(1, "generate", "none"), "No database target matches 'none'. Available databases: one, two, three")
	want(t, u.fails(1, "generate", "-o", "z"), "Cannot use generate-entry-specific arguments (--out-dir) when generating for multiple entries.")
	want(t, u.fails(1, "generate", "-b", "m.wasm"), "Cannot use module-specific arguments (--bin-path) when generating for multiple targets.")
	want(t, u.ok("generate", "--no-config", "-l", "ts", "-o", "w", "-b", "m.wasm"), "Generate finished")

	sub := filepath.Join(u.work, "deep", "er")
	if err := os.MkdirAll(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	there := *u
	there.work = sub
	if out := there.ok("generate", "two"); strings.Contains(out, "Writing file") {
		t.Errorf("paths are not those of the project: %s", out)
	}
	for _, c := range []struct{ text, part string }{
		{`{"database": "a", "generate": [{"out-dir": "x"}]}`, "Required key 'language' is missing"},
		{`{"database": "a", "generate": [{"language": "ts", "color": "red"}]}`, "Config key 'color' is not supported in the config file. Available keys: "},
		{`{"database": "a", "generate": [{"language": "cobol"}]}`, "'cobol'"},
		{`{"database": "a", "generate": {"language": "ts"}}`, "Failed to convert config value for key 'generate'"},
		{`{"database": "a", "generate": [{"language": "ts", "include-private": "yes"}]}`, "Failed to convert config value for key 'include_private' to type bool"},
	} {
		u.write("spacetime.json", c.text)
		want(t, u.fails(1, "generate"), c.part)
	}
}

func TestExtractSchema(t *testing.T) {
	u := generator(t)
	if out := u.ok("extract-schema", "m.wasm"); out != u.read("def.json") {
		t.Errorf("got %s", out)
	}
	wantEqual(t, u.ok("extract-schema", "m.js", "--host-type", "js"), u.read("def.json"))
	want(t, u.fails(1, "extract-schema", "spacetime.json"), "--host-type not provided but cannot deduce from file extension")
	want(t, u.fails(1, "extract-schema", "none.wasm"), "cannot be read")
}

func TestSchemaExtractor(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the extractor of this test is a shell script")
	}
	u := generator(t)
	u.write("good.sh", "#!/bin/sh\n[ -z \"$HOME$TERM\" ] || exit 3\n[ \"$1 $3 $4\" = 'extract-schema --host-type wasm' ] || exit 4\n/bin/cat "+filepath.Join(u.work, "def.json")+"\n")
	u.write("bad.sh", "#!/bin/sh\necho no idea >&2\nexit 1\n")
	for _, name := range []string{"good.sh", "bad.sh"} {
		if err := os.Chmod(filepath.Join(u.work, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	u.describe = nil
	u.env["SPACETIMEDB_SCHEMA_EXTRACTOR"] = filepath.Join(u.work, "good.sh")
	want(t, u.ok("generate", "-l", "ts", "-o", "out", "-b", "m.wasm"), "Writing file")
	u.env["SPACETIMEDB_SCHEMA_EXTRACTOR"] = filepath.Join(u.work, "bad.sh")
	want(t, u.fails(1, "generate", "-l", "ts", "-o", "out", "-b", "m.wasm"), "could not extract schema", "no idea")
}

func TestGenerateFromDatabase(t *testing.T) {
	u := realUser(t)
	name := u.publish("kitchen")
	out := u.ok("generate", "-l", "ts", "-o", "out", "--from-database", name)
	want(t, out, "for module of database "+name, "Skipping private tables during codegen: secret, setting.", "Generate finished successfully.")
	if !u.exists("out/item_table.ts") {
		t.Error("a table is missing")
	}
	want(t, u.fails(1, "generate", "-l", "ts", "-o", "out", "--from-database", "no-such-database"), "no-such-database")
}

func TestGenerateReceiver(t *testing.T) {
	spec.Covers(t, "09.104")
	u := generator(t)
	u.write("lib/module_bindings/mod.rs", "// THIS FILE IS AUTOMATICALLY GENERATED BY SPACETIMEDB")
	u.ok("generate", "--lang", "rust", "--bindings", "module", "-o", "lib", "-b", "m.wasm", "-y")
	text := u.read("lib/lib.rs")
	want(t, text, "pub struct Identity(pub spacetimedb::Identity);", "impl spacetimedb::rt::RemoteReducer for set_name", `const NAME: &'static str = "set_name";`)
	if strings.Contains(text, "DbConnection") || u.exists("lib/mod.rs") || !u.exists("lib/module_bindings/mod.rs") {
		t.Error("the receiver's bindings are more than their one file")
	}
	want(t, u.fails(1, "generate", "-l", "ts", "--bindings", "module", "-o", "x", "-b", "m.wasm"), "--bindings module is only supported with --lang rust")
	want(t, u.fails(2, "generate", "-l", "rs", "--bindings", "server", "-b", "m.wasm"), "[possible values: client, module]")

	u.write("sender/src/lib.rs", "")
	u.write("spacetime.json", `{"server": "local", "children": [
		{"database": "game-world", "bin-path": "m.wasm"}, {"database": "other", "js-path": "m.js"},
		{"database": "lobby", "module-path": "sender", "dependencies": [{"name": "other", "database": "other"}, {"name": "game_world", "database": "game-world"}]}]}`)
	want(t, u.ok("generate", "lobby"), "Generating Rust receiver bindings for module", "Writing file "+filepath.Join("sender", "src", "remote_bindings", "game_world", "mod.rs"), "Generate finished successfully.")
	want(t, u.read("sender/src/remote_bindings/mod.rs"), "pub mod game_world;\npub mod other;\n")
	want(t, u.read("sender/src/remote_bindings/other/mod.rs"), "impl spacetimedb::rt::RemoteReducer for send_message")
	if out := u.ok("generate", "lobby"); strings.Contains(out, "Writing file") {
		t.Errorf("a second run writes: %s", out)
	}
	for _, c := range []struct{ dependencies, part string }{
		{`[{"name": "x", "database": "nowhere"}]`, "No database target matches 'nowhere'. Available databases: lobby"},
		{`[{"name": "x"}]`, "must have the keys 'name' and 'database'"},
		{`[{"name": "../x", "database": "lobby"}]`, "no name of a Rust module"},
		{`[{"name": "type", "database": "lobby"}]`, "no name of a Rust module"},
		{`[{"name": "x", "database": "lobby", "color": "red"}]`, "Config key 'color' is not supported"},
		{`[{"name": "x", "database": "lobby"}, {"name": "x", "database": "lobby"}]`, "names the module `x` twice"},
		{`{"name": "x"}`, "Failed to convert config value for key 'dependencies'"},
	} {
		u.write("spacetime.json", `{"database": "lobby", "bin-path": "m.wasm", "dependencies": `+c.dependencies+`}`)
		want(t, u.fails(1, "generate"), c.part)
	}
}
