package cli_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stdbgo/spacetime"
	"github.com/stdbgo/spacetime/internal/spec"
)

// tsModule is a module that bundles without anything installed.
const tsModule = "import { x } from \"spacetime:sys@2.0\";\nexport default x;\n"

// files lists the files below a directory.
func (u *user) files(dir string) []string {
	u.t.Helper()
	var list []string
	top := filepath.Join(u.work, dir)
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(top, path)
			list = append(list, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		u.t.Fatal(err)
	}
	return list
}

func (u *user) read(name string) string {
	u.t.Helper()
	text, err := os.ReadFile(filepath.Join(u.work, name))
	if err != nil {
		u.t.Fatal(err)
	}
	return string(text)
}

func TestInitFirstForm(t *testing.T) {
	u := newUser(t)
	u.sdk = fstest.MapFS{"go.mod": {Data: []byte("module example.com/sdk\n\ngo 1.26.0\n")}, "module/m.go": {Data: []byte("package module\n")}}
	for lang, files := range map[string][]string{
		"rust":       {".cargo/config.toml", ".gitignore", "Cargo.toml", "src/lib.rs"},
		"csharp":     {".gitignore", "Lib.cs", "StdbModule.csproj", "global.json"},
		"typescript": {".gitignore", "package.json", "src/index.ts", "tsconfig.json"},
		"go":         {".gitignore", "go.mod", "main.go"},
	} {
		r := u.run("init", "--lang", lang, "./d-"+lang)
		if r.code != 0 || !strings.HasPrefix(r.stdout, "Project successfully created at path: ./d-"+lang+"\n") || !strings.HasPrefix(r.stderr, unstable) {
			t.Errorf("%s: %s", lang, r)
		}
		if got := u.files("d-" + lang); !slices.Equal(got, files) {
			t.Errorf("%s: %q", lang, got)
		}
		want(t, u.fails(1, "init", "--lang", lang, "./d-"+lang), "Error: Cannot create new SpacetimeDB project in non-empty directory: ./d-"+lang+"\n")
	}
	want(t, u.read("d-rust/Cargo.toml"), "name = \"spacetime-module\"\n", "crate-type = [\"cdylib\"]\n", "spacetimedb = \"1.12.*\"\n", "log = \"0.4\"\n")
	want(t, u.read("d-rust/src/lib.rs"), "#[spacetimedb::table(name = person)]", "#[spacetimedb::reducer(client_connected)]", "pub fn say_hello(ctx: &ReducerContext)")
	want(t, u.read("d-rust/.cargo/config.toml"), `target = "wasm32-unknown-unknown"`)
	want(t, u.read("d-csharp/StdbModule.csproj"), `<TargetFramework>net8.0</TargetFramework>`, `<PackageReference Include="SpacetimeDB.Runtime" Version="1.12.*"`, "<AssemblyName>StdbModule</AssemblyName>")
	want(t, u.read("d-csharp/global.json"), `"version": "8.0.100"`)
	want(t, u.read("d-go/go.mod"), "module d-go\n", "require example.com/sdk v0.0.0", "replace example.com/sdk => "+u.home)

	u.write("full/x", "")
	want(t, u.fails(1, "init", "--lang", "rust", "./full"), "non-empty directory: ./full")
	want(t, u.fails(1, "init", "--lang", "rust", "./full/x"), "Path ./full/x exists but is not a directory.")
	want(t, u.fails(1, "init", "--lang", "cobol", "./y"), "Unknown server language: cobol.")
	want(t, u.fails(2, "init", "--lang", "rust", "-l", "rust", "./y"), "cannot be used multiple times")

	empty := newUser(t) // -l alone: the current directory
	empty.ok("init", "-l", "ts")
	if !slices.Contains(empty.files("."), "src/index.ts") {
		t.Error(empty.files("."))
	}
}

func TestInitSecondForm(t *testing.T) {
	spec.Covers(t, "09.82", "09.84", "09.86")
	u := newUser(t)
	u.sdk = fstest.MapFS{"go.mod": {Data: []byte("module example.com/sdk\n\ngo 1.26.0\n")}, "module/native/n.go": {Data: []byte("package native\n")}}
	u.env["PATH"] = ""
	out := u.ok("init", "--non-interactive", "--lang", "rust", "--project-path", "D", "My-Game")
	wantMatch(t, out, `^Initializing project from template...\nSetting up Rust server...\nProject initialized successfully!\n✓ Created ./D/spacetime.json\n✓ Created ./D/spacetime.local.json\n\nNext steps:\n  cd D\n`)
	if got := u.files("D"); !slices.Equal(got, []string{"spacetime.json", "spacetime.local.json", "spacetimedb/.gitignore", "spacetimedb/Cargo.toml", "spacetimedb/src/lib.rs"}) {
		t.Error(got)
	}
	want(t, u.read("D/spacetimedb/Cargo.toml"), "name = \"My_Game\"\n", "spacetimedb = \"2.8.*\"\n")
	want(t, u.read("D/spacetimedb/src/lib.rs"), "#[spacetimedb::table(accessor = person, public)]")
	wantEqual(t, u.read("D/spacetime.json"), "{\n  \"server\": \"local\",\n  \"module-path\": \"./spacetimedb\"\n}")
	wantMatch(t, u.read("D/spacetime.local.json"), `^\{\n  "database": "my-game-[a-z0-9]{5}"\n\}$`)

	want(t, u.fails(1, "init", "--non-interactive", "--lang", "rust", "--project-path", "D", "n"), "non-empty directory: D")
	want(t, u.fails(1, "init", "--non-interactive", "--lang", "rust", "--project-path", "E"), "Error: PROJECT_NAME is required in non-interactive mode\n")
	want(t, u.fails(1, "init", "--non-interactive", "n"), "Error: Either --template or --lang must be provided in non-interactive mode\n")
	want(t, u.fails(1, "init", "--non-interactive", "--lang", "rust", "--template", "basic-rs", "n"), "Cannot specify both --template and --lang.")
	want(t, u.fails(1, "init", "--non-interactive", "--lang", "rust", "--native-aot", "n"), "--lang csharp")
	want(t, u.fails(1, "init", "n"), "choose the language by --lang")

	u.write("E/README.md", "")
	u.ok("init", "--server-only", "--project-path", "E", "--lang", "typescript", "--non-interactive", "e")
	want(t, u.read("E/spacetimedb/src/index.ts"), "export default spacetimedb;")
	var manifest struct {
		Name            string
		Dependencies    map[string]string
		DevDependencies map[string]string
	}
	if err := json.Unmarshal([]byte(u.read("E/spacetimedb/package.json")), &manifest); err != nil || manifest.Name != "e" || manifest.Dependencies["spacetimedb"] != "2.8.*" || manifest.DevDependencies["typescript"] != "~5.6" {
		t.Errorf("%+v, %v", manifest, err)
	}
	want(t, u.fails(1, "init", "--server-only", "--project-path", "E", "--lang", "typescript", "--non-interactive", "e"), "A SpacetimeDB module already exists in the target directory: "+filepath.Join("E", "spacetimedb"))

	for version, text := range map[string]string{"8": `"version": "8.0.100"`, "10": `"version": "10.0.100"`} {
		dir := "cs" + version
		want(t, u.ok("init", "--non-interactive", "--lang", "c#", "--dotnet-version", version, dir), "Targeting .NET SDK "+version+".\n")
		want(t, u.read(dir+"/spacetimedb/global.json"), text)
		project := u.read(dir + "/spacetimedb/StdbModule.csproj")
		want(t, project, "<TargetFramework>net"+version+".0</TargetFramework>", `<PackageReference Include="SpacetimeDB.Runtime" Version="2.8.*"`)
		if strings.Contains(project, "TargetFrameworks") {
			t.Error("TargetFrameworks")
		}
	}
	u.ok("init", "--lang", "go", "--local", "people")
	want(t, u.read("people/spacetimedb/main.go"), `import "example.com/sdk/module"`)
	want(t, u.read("people/spacetimedb/native.go"), "//go:build !wasip1", `import _ "example.com/sdk/module/native"`)
}

func TestInitTemplates(t *testing.T) {
	spec.Covers(t, "09.85")
	u := newUser(t)
	wantMatch(t, u.ok("init", "--template"), `(?s)^Available templates:\n.*\n  basic-rs - [^\n]+\n.*basic-ts - `)
	wantEqual(t, u.ok("init", "-t"), u.ok("init", "--template"))
	u.ok("init", "--template", "basic-rs", "--local", "--non-interactive", "one")
	for _, dir := range []string{"one/spacetimedb/src/lib.rs", "one/src/main.rs"} {
		want(t, u.read(dir), "fn ")
	}
	spec.Covers(t, "09.83")
	u.ok("init", "--non-interactive", "--template=basic-typescript", "two")
	want(t, u.read("one/spacetimedb/src/lib.rs"), "say_hello")
	want(t, u.read("two/spacetimedb/src/index.ts"), "say_hello")
	want(t, u.fails(1, "init", "--non-interactive", "--template", "basic-tz", "x"), "Unknown template `basic-tz`. This version has the templates angular-ts, ", "Did you mean `basic-ts`?")
}

// A template with a client: its files, what it needs to find the database, and the
// generated code.
func TestInitClient(t *testing.T) {
	u := newUser(t)
	u.write("home/.gitkeep", "")
	out := u.ok("init", "--template", "chat-react-ts", "--local", "--non-interactive", "My Chat")
	want(t, out, "Initializing project from template...\nSetting up client (typescript)...\nSetting up server (typescript)...\n✅ Wrote environment configuration to ./my-chat/.env.local\nProject initialized successfully!\n✓ Created ./my-chat/spacetime.json\n")
	database := wantMatch(t, u.read("my-chat/spacetime.local.json"), `^\{\n  "database": "(my-chat-[a-z0-9]{5})"\n\}$`)[1]
	wantEqual(t, u.read("my-chat/spacetime.json"), `{
  "server": "local",
  "module-path": "./spacetimedb",
  "dev": {
    "run": "npm run dev"
  },
  "generate": [
    {
      "language": "typescript",
      "out-dir": "./src/module_bindings"
    }
  ]
}`)
	want(t, u.read("my-chat/.env.local"), "VITE_SPACETIMEDB_DB_NAME="+database+"\nVITE_SPACETIMEDB_HOST=ws://localhost:3000\n")
	want(t, u.read("my-chat/.gitignore"), "node_modules/\n", "spacetime.local.json\n")
	want(t, u.read("my-chat/src/module_bindings/user_table.ts"), "// THIS FILE IS AUTOMATICALLY GENERATED BY SPACETIMEDB")
	for _, dir := range []string{"my-chat", "my-chat/spacetimedb"} {
		var manifest struct {
			Name         string
			Dependencies map[string]string
		}
		if err := json.Unmarshal([]byte(u.read(dir+"/package.json")), &manifest); err != nil || manifest.Name != "my-chat" || manifest.Dependencies["spacetimedb"] != "2.8.*" {
			t.Errorf("%s: %+v, %v", dir, manifest, err)
		}
	}
	u.ok("init", "--template", "basic-rs", "--server-only", "--non-interactive", "--project-path", "server", "s")
	if got := u.files("server"); slices.Contains(got, "Cargo.toml") || !slices.Contains(got, "spacetimedb/Cargo.toml") {
		t.Error(got)
	}
	u.ok("init", "--template", "basic-cpp", "--non-interactive", "cpp")
	want(t, u.read("cpp/spacetimedb/CMakeLists.txt"), "\nset(SPACETIMEDB_CPP_VERSION \"2.8\" ", "\nset(SPACETIMEDB_CPP_DIR ")
	want(t, u.read("cpp/Cargo.toml"), "spacetimedb-sdk = \"2.8.*\"\n", "exclude = [\"spacetimedb\"]")
	u.env["PATH"] = ""
	u.ok("init", "--template", "basic-cs", "--non-interactive", "--dotnet-version", "8", "cs")
	want(t, u.read("cs/client.csproj"), `<PackageReference Include="SpacetimeDB.ClientSDK" Version="2.8.*"`)
}

// Every template is one of files that can be filled in, for the generation that it
// is made for.
func TestInitAllTemplates(t *testing.T) {
	u := newUser(t)
	u.sdk = fstest.MapFS{"go.mod": {Data: []byte("module example.com/sdk\n\ngo 1.26.0\n")}, "module/m.go": {Data: []byte("package module\n")}}
	for line := range strings.Lines(u.ok("init", "--template")) {
		id, _, found := strings.Cut(strings.TrimSpace(line), " - ")
		if !found {
			continue
		}
		u.ok("init", "--template", id, "--non-interactive", "--project-path", id, "Name \"&<x>\"")
		for _, name := range u.files(id) {
			if text := u.read(id + "/" + name); strings.Contains(text, "{{.") || strings.Contains(text, "<no value>") {
				t.Errorf("%s: %s is not filled in:\n%s", id, name, text)
			}
		}
	}
}

// Without options everything is asked: a project as the answers say.
func TestInitMenus(t *testing.T) {
	u := newUser(t)
	u.menus = true
	t.Setenv("PATH", t.TempDir())
	r := u.runWith("Some App\n./here\nNot Good\nsome-db\nTypeScript/React (2 templates)\n2\nnpm\nnone\n", "init")
	if r.code != 0 {
		t.Fatal(r)
	}
	want(t, r.stderr, "Project name [my-spacetime-app]: ", "Project path [./some-app]: ", "Database name [some-app-", "invalid characters in database name",
		"Select a language (type to filter)", "C# (1 template)", "Clone from GitHub (owner/repo or git URL)", "None", "chat-react-ts - ", "react-ts - ", "npm is not in PATH")
	wantEqual(t, u.read("here/spacetime.local.json"), "{\n  \"database\": \"some-db\"\n}")
	want(t, u.read("here/src/App.tsx"), "tables.person")

	r = u.runWith("\n\nNone\nGo\n", "init", "alone")
	if r.code != 1 { // this test's program carries no SDK
		t.Error(r)
	}
	want(t, r.stdout, "Project name: alone\n")
	if r := u.runWith("x\n", "init"); r.code != 130 {
		t.Error(r)
	}
}

func TestInitRepository(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	u := newUser(t)
	u.write("origin/package.json", "{\n  \"name\": \"theirs\",\n  \"version\": \"1.0.0\"\n}\n")
	u.write("origin/spacetimedb/src/index.ts", tsModule)
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = filepath.Join(u.work, "origin")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	address := "file://" + filepath.ToSlash(filepath.Join(u.work, "origin"))
	out := u.ok("init", "--template", address, "--non-interactive", "mine")
	want(t, out, "  Cloning from "+address+"...\n", "configured by hand")
	if got := u.files("mine"); !slices.Equal(got, []string{"package.json", "spacetime.json", "spacetime.local.json", "spacetimedb/src/index.ts"}) {
		t.Error(got)
	}
	wantEqual(t, u.read("mine/package.json"), "{\n  \"name\": \"mine\",\n  \"version\": \"1.0.0\"\n}\n")
	u.ok("init", "--template", address, "--server-only", "--non-interactive", "--project-path", "server", "mine")
	if got := u.files("server"); slices.Contains(got, "package.json") || !slices.Contains(got, "spacetimedb/src/index.ts") {
		t.Error(got)
	}
	want(t, u.fails(1, "init", "--template", address+"-gone", "--non-interactive", "x"), "Error: the template "+address+"-gone cannot be cloned\n")
}

// What init --lang go makes builds and publishes with nothing but the Go tool
// chain, and behaves as the quick start says.
func TestInitGoBuilds(t *testing.T) {
	u := realUser(t)
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("the go command is not installed")
	}
	u.sdk = spacetime.SDK()
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOFLAGS", "")
	u.ok("init", "--lang", "go", "./chat app")
	u.work = filepath.Join(u.work, "chat app")
	u.ok("publish", "-y", "go-chat")
	u.ok("call", "go-chat", "set_name", `"Alice"`)
	u.ok("call", "go-chat", "send_message", `"Hello, World!"`)
	want(t, u.ok("sql", "go-chat", "SELECT * FROM message"), `"Hello, World!"`)
	want(t, u.ok("sql", "go-chat", "SELECT name FROM user"), `(some = "Alice")`)
	want(t, u.fails(1, "call", "go-chat", "send_message", ""), "Messages must not be empty")

	u.work = filepath.Dir(u.work)
	u.ok("init", "--lang", "go", "--non-interactive", "people")
	u.work = filepath.Join(u.work, "people")
	u.ok("publish")
	u.ok("call", "add", "Alice")
	want(t, u.ok("sql", "SELECT * FROM person"), `"Alice"`)
	u.ok("call", "say_hello")
	wantMatch(t, u.ok("logs"), `INFO: .*Hello, Alice!\n.*INFO: .*Hello, World!\n$`)

	// a module that does not compile: the compiler's words, and nothing is published
	u.write("spacetimedb/broken.go", "package main\n\nfunc broken() { return 1 }\n")
	r := u.run("publish", "-y", "broken")
	if r.code == 0 || !regexp.MustCompile(`broken.go:3:\d+: too many return values`).MatchString(r.stderr) {
		t.Error(r)
	}
	want(t, u.fails(1, "logs", "--no-config", "broken"), "No such database")
}

func TestBuild(t *testing.T) {
	spec.Covers(t, "09.45")
	u := newUser(t)
	want(t, u.fails(1, "build"), "Could not find a SpacetimeDB module in spacetimedb/ or the current directory.")
	want(t, u.fails(1, "build", "-p", "gone"), "Fatal Error: path gone does not exist.")
	u.write("file", "")
	want(t, u.fails(1, "build", "--project-path", "file"), "Fatal Error: path file exists but is not a directory.")
	u.write("README.md", "")
	f := newFake(t)
	token, _ := tokenOf("b")
	u.setConfig(f.URL, "spacetimedb_token = \""+token+"\"\n")
	want(t, u.fails(1, "publish", "-y", "db"), "Could not detect the language of the module. Are you in a SpacetimeDB project directory?")

	// build options reach cargo, and the search for print statements
	bin := t.TempDir()
	script := "#!/bin/sh\necho \"cargo $*\" >&2\nexit 3\n"
	rustc := "#!/bin/sh\necho " + bin + "\n"
	for name, text := range map[string]string{"cargo": script, "rustc": rustc} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	u.write("m/Cargo.toml", "[package]\nname = \"m\"\n")
	u.write("m/src/lib.rs", "fn f() { println!(\"x\"); }\n")
	r := u.run("publish", "-y", "-p", "m", "--build-options=--features x --lint-dir=", "db")
	if r.code == 0 || !strings.Contains(r.stderr, "--features x") && !strings.Contains(r.stderr, "--features=x") {
		t.Errorf("the features: %s", r)
	}
	r = u.run("publish", "-y", "-p", "m", "db")
	if r.code != 1 || strings.Contains(r.stderr, "cargo ") || !strings.Contains(r.stderr, "println!") {
		t.Errorf("the print statement: %s", r)
	}
	want(t, u.fails(2, "publish", "-y", "-p", "m", "--build-options=--nope", "db"), "unexpected argument '--nope' found")
	want(t, u.fails(2, "publish", "-y", "-p", "m", "--build-options=-p x", "db"), "cannot be used multiple times")
	if len(f.asked()) > 0 {
		t.Errorf("asked %v", f.asked())
	}

	// modules that want a browser, or a random device
	for name, text := range map[string]string{"__wbindgen_throw": "wasm-bindgen detected", "__getrandom_custom": "getrandom usage detected"} {
		module := filepath.Join(bin, "m.wasm")
		body := "\x01\x03env" + string(rune(len(name))) + name + "\x00\x00"
		if err := os.WriteFile(module, []byte("\x00asm\x01\x00\x00\x00\x02"+string(rune(len(body)))+body), 0o644); err != nil {
			t.Fatal(err)
		}
		script := "#!/bin/sh\necho '{\"reason\":\"compiler-artifact\",\"filenames\":[\"" + module + "\"]}'\n"
		if err := os.WriteFile(filepath.Join(bin, "cargo"), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		want(t, u.fails(1, "build", "-p", "m", "--lint-dir="), "Error: "+text)
	}
	spec.Covers(t, "09.73")
}
