package build

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
)

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDetect(t *testing.T) {
	spec.Covers(t, "09.71")
	for _, tt := range []struct {
		files []string
		want  Language
	}{
		{[]string{"Cargo.toml"}, Rust},
		{[]string{"package.json", "Cargo.toml"}, Rust},
		{[]string{"StdbModule.csproj", "package.json"}, CSharp},
		{[]string{"package.json", "CMakeLists.txt"}, TypeScript},
		{[]string{"CMakeLists.txt"}, CPlusPlus},
		{[]string{"go.mod"}, Go},
		{[]string{"main.go"}, Go},
	} {
		dir := filepath.Join(t.TempDir(), "with [odd] name*")
		for _, f := range tt.files {
			write(t, dir, map[string]string{f: ""})
		}
		if got, err := Detect(dir); got != tt.want || err != nil {
			t.Errorf("%v: %q, %v", tt.files, got, err)
		}
	}
	dir := t.TempDir()
	if _, err := Detect(dir); !errors.Is(err, ErrNoModule) {
		t.Errorf("empty directory: %v", err)
	}
	if _, err := Detect(filepath.Join(dir, "nope")); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("missing directory: %v", err)
	}
	write(t, dir, map[string]string{"file": ""})
	if _, err := Detect(filepath.Join(dir, "file")); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("a file: %v", err)
	}
}

func TestFeaturesAreForRust(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"package.json": "{}"})
	if _, err := Build(t.Context(), Options{Dir: dir, Features: []string{"x"}}); err == nil || !strings.Contains(err.Error(), "--features") {
		t.Errorf("%v", err)
	}
}

func TestRustLint(t *testing.T) {
	spec.Covers(t, "09.72")
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"src/lib.rs":     "fn f() {\n  println!(\"x\");\n}\n",
		"src/deep/m.rs":  "// dbg!(1)\n",
		"src/notrust.md": "print!",
		"src/data.rs":    "const DATA: &str = \"" + strings.Repeat("x", 2<<20) + "\";\n",
	})
	var stdout, stderr bytes.Buffer
	b := &builder{Options{Dir: dir, LintDir: "src", Stdout: &stdout, Stderr: &stderr}}
	err := b.lint()
	if err == nil || !strings.HasPrefix(err.Error(), "Found 2 disallowed print statement(s).") {
		t.Errorf("%v", err)
	}
	if !strings.HasPrefix(stderr.String(), "Detected nonfunctional print statements:\n") || !strings.Contains(stderr.String(), "lib.rs:2: println!(\"x\");") {
		t.Errorf("%s", stderr.String())
	}
	b.LintDir = ""
	if err := b.lint(); err != nil || stdout.String() != "Warning: Skipping checks for nonfunctional print statements.\n" {
		t.Errorf("%v, %q", err, stdout.String())
	}
}

func TestWasmNames(t *testing.T) {
	module := []byte("\x00asm\x01\x00\x00\x00" +
		"\x02\x0b\x01\x03env\x03foo\x00\x00" + // import env.foo, a function
		"\x07\x07\x01\x03bar\x00\x00") // export bar, a function
	imports, exports, err := wasmNames(module)
	if err != nil || strings.Join(imports, " ") != "env foo" || strings.Join(exports, " ") != "bar" {
		t.Errorf("%v %v %v", imports, exports, err)
	}
	for cut := range module {
		if cut != 8 && cut != 8+13 { // between sections a module may end
			if _, _, err := wasmNames(module[:cut]); err == nil {
				t.Errorf("%d of %d bytes pass", cut, len(module))
			}
		}
	}
}

func TestCheckRustModule(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]string{"__wbindgen_throw": "wasm-bindgen detected", "__getrandom_custom": "getrandom usage detected", "fine": ""} {
		body := "\x01\x03env" + string(rune(len(name))) + name + "\x00\x00"
		path := filepath.Join(dir, "m.wasm")
		if err := os.WriteFile(path, []byte("\x00asm\x01\x00\x00\x00\x02"+string(rune(len(body)))+body), 0o644); err != nil {
			t.Fatal(err)
		}
		err := checkRustModule(path)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTypeScriptBundle(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"package.json": `{"type":"module"}`,
		"src/index.ts": `import { helper } from "./helper";
import { register } from "spacetime:sys@2.0";
export default helper(register as unknown as string);
export const mode: string = process.env.NODE_ENV ?? "";
`,
		"src/helper.ts": "export const helper = (s: string): string => s + '!';\n",
	})
	a, err := Build(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if a.HostType != JS || a.Language != TypeScript || a.Path != filepath.Join(dir, "dist", "bundle.js") {
		t.Errorf("%+v", a)
	}
	text, err := os.ReadFile(a.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`from "spacetime:sys@2.0"`, `"production"`, inlineMap} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the bundle lacks %s", want)
		}
	}
	if strings.Contains(string(text), "./helper") {
		t.Error("the bundle imports a file")
	}
	if again := namesFromProject(text); !bytes.Equal(again, text) {
		t.Error("the source map names files from dist, or is not stable")
	}
}

func TestTypeScriptRefusals(t *testing.T) {
	for name, tt := range map[string]struct{ source, want, stderr string }{
		"no server package": {"export const x = 1;", "doesn't import the `spacetimedb/server` package", ""},
		"no default export": {`import { x } from "spacetime:sys@2.0"; export const y = x;`, "export default schema(...);", ""},
		"two versions":      {`import { x } from "spacetime:sys@2.0"; import { z } from "spacetime:sys@1.0"; export default [x, z];`, "2 different versions", ""},
		"missing package":   {`import { x } from "not-installed"; export default x;`, "code 1", "npm install"},
		"syntax error":      {"export const = 1;", "code 1", "src/index.ts:1:13"},
	} {
		dir := t.TempDir()
		write(t, dir, map[string]string{"package.json": "{}", "src/index.ts": tt.source})
		var stderr bytes.Buffer
		_, err := Build(t.Context(), Options{Dir: dir, Stderr: &stderr})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(stderr.String(), tt.stderr) {
			t.Errorf("%s: %v\n%s", name, err, stderr.String())
		}
		if strings.Contains(stderr.String(), "as external") {
			t.Errorf("%s: advice for users of the bundler:\n%s", name, stderr.String())
		}
	}
	dir := t.TempDir()
	write(t, dir, map[string]string{"package.json": "{}"})
	if _, err := Build(t.Context(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "src/index.ts") {
		t.Errorf("no source: %v", err)
	}
}

func TestGo(t *testing.T) {
	if testing.Short() {
		t.Skip("building Go for another platform takes seconds; the long run does it")
	}
	dir := t.TempDir()
	write(t, dir, map[string]string{"go.mod": "module m\n\ngo 1.24\n", "main.go": "package main\n\nfunc main() {}\n"})
	a, err := Build(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(a.Path)
	if err != nil {
		t.Fatal(err)
	}
	if _, exports, err := wasmNames(program); err != nil || !strings.Contains(strings.Join(exports, " "), "_initialize") {
		t.Errorf("exports %v, %v", exports, err)
	}
	write(t, dir, map[string]string{"main.go": "package main\n\nfunc main() { nope }\n"})
	var stderr bytes.Buffer
	if _, err := Build(t.Context(), Options{Dir: dir, Stderr: &stderr}); err == nil || !strings.Contains(stderr.String(), "undefined: nope") {
		t.Errorf("%v\n%s", err, stderr.String())
	}
}

func TestMissingTool(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for file, want := range map[string]string{"Cargo.toml": "cargo not found in PATH", "StdbModule.csproj": "dotnet not found in PATH. Please install .NET SDK 8.0 or 10.0.", "go.mod": "go not found in PATH"} {
		dir := t.TempDir()
		write(t, dir, map[string]string{file: ""})
		if _, err := Build(t.Context(), Options{Dir: dir}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", file, err)
		}
	}
	if _, err := exec.LookPath("cargo"); err == nil {
		t.Error("the test's PATH holds cargo")
	}
}

// The check of types needs Node; publishing does not.
func TestTypesWithoutNode(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"package.json":          "{}",
		"src/index.ts":          `import { x } from "spacetime:sys@2.0"; export default x;`,
		"node_modules/.bin/tsc": "#!/usr/bin/env node\n",
	})
	if err := os.Chmod(filepath.Join(dir, "node_modules", ".bin", "tsc"), 0o755); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	if _, err := Build(t.Context(), Options{Dir: dir, Stderr: &stderr}); err != nil || !strings.Contains(stderr.String(), "node is not in PATH") {
		t.Errorf("%v\n%s", err, stderr.String())
	}
}

// tool writes a program of a shell script.
func tool(t *testing.T, path, script string) {
	t.Helper()
	write(t, filepath.Dir(path), map[string]string{filepath.Base(path): "#!/bin/sh\n" + script + "\n"})
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

// The file is where cargo says it is, wherever that is, and is taken as it is
// without wasm-opt.
func TestRustArtifact(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the tools are shell scripts")
	}
	dir, bin, target := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "elsewhere")
	write(t, dir, map[string]string{"Cargo.toml": "", "src/lib.rs": ""})
	t.Setenv("PATH", bin)
	t.Setenv("CARGO_TARGET_DIR", target)
	t.Setenv("CARGO_UNSTABLE_BUILD_STD", "")
	t.Setenv("RUSTC", "")
	tool(t, filepath.Join(bin, "rustc"), "echo "+bin)
	module := filepath.Join(target, "wasm32-unknown-unknown", "release", "m.wasm")
	write(t, filepath.Dir(module), map[string]string{"m.wasm": "\x00asm\x01\x00\x00\x00"})
	tool(t, filepath.Join(bin, "cargo"), `[ "$PWD" = "`+dir+`" ] || exit 5
echo "cargo $*" >&2
echo '{"reason":"compiler-artifact","filenames":["/not/this.rlib"]}'
echo "{\"reason\":\"compiler-artifact\",\"filenames\":[\"$CARGO_TARGET_DIR/wasm32-unknown-unknown/release/m.wasm\"]}"
echo '{"reason":"build-finished","success":true}'`)
	var stderr bytes.Buffer
	a, err := Build(t.Context(), Options{Dir: dir, LintDir: "src", Stderr: &stderr})
	if err != nil || a.Path != module || a.HostType != Wasm {
		t.Fatalf("%+v, %v\n%s", a, err, stderr.String())
	}
	if want := "cargo build --config=net.git-fetch-with-cli=true --target=wasm32-unknown-unknown --release --message-format=json-render-diagnostics\n"; stderr.String() != want {
		t.Errorf("%q", stderr.String())
	}
	spec.Covers(t, "09.74", "09.75")

	// with wasm-opt, its file; without luck, the other one
	tool(t, filepath.Join(bin, "wasm-opt"), `[ "$1 $2 $3" = "-all -g -O2" ] && echo opt >"$6"`)
	if a, err = Build(t.Context(), Options{Dir: dir, LintDir: "src", Stderr: &stderr}); err != nil || a.Path != strings.TrimSuffix(module, ".wasm")+".opt.wasm" {
		t.Errorf("%+v, %v\n%s", a, err, stderr.String())
	}
	tool(t, filepath.Join(bin, "wasm-opt"), "exit 1")
	if a, err = Build(t.Context(), Options{Dir: dir, LintDir: "src", Stderr: &stderr}); err != nil || a.Path != module || !strings.Contains(stderr.String(), "Continuing with unoptimised module.") {
		t.Errorf("%+v, %v\n%s", a, err, stderr.String())
	}
}

// The exit code of the project's compiler is the command's.
func TestTypeErrors(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the tools are shell scripts")
	}
	dir, bin := t.TempDir(), t.TempDir()
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	write(t, dir, map[string]string{"package.json": "{}", "src/index.ts": `import { x } from "spacetime:sys@2.0"; export default x;`})
	tool(t, filepath.Join(bin, "node"), "exit 1") // keeps no compiler running either
	tool(t, filepath.Join(dir, "node_modules", ".bin", "tsc"), `[ "$*" = --noEmit ] && echo "src/index.ts(1,1): error TS1" && exit 7`)
	for _, types := range []*TypeChecker{nil, {}} {
		var stderr bytes.Buffer
		_, err := Build(t.Context(), Options{Dir: dir, Stderr: &stderr, Types: types})
		var exit *ExitError
		if !errors.As(err, &exit) || exit.Code != 7 || !strings.Contains(stderr.String(), "error TS1") {
			t.Errorf("%v\n%s", err, stderr.String())
		}
	}
	if exists(filepath.Join(dir, "dist", "bundle.js")) {
		t.Error("a bundle of what does not compile")
	}
}

// A compiler that is kept running answers again and again; one that dies makes room
// for a run of tsc.
func TestTypeChecker(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed")
	}
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"package.json": "{}", "tsconfig.json": "{}",
		// as much of the compiler as is asked for
		"node_modules/typescript/index.js": `const fs = require('fs');
const category = { Error: 1 };
const text = () => fs.readFileSync('src.ts', 'utf8');
module.exports = {
  DiagnosticCategory: category,
  sys: { fileExists: fs.existsSync },
  findConfigFile: () => 'tsconfig.json',
  getParsedCommandLineOfConfigFile: () => ({ options: {}, fileNames: [] }),
  getConfigFileParsingDiagnostics: () => [],
  createCompilerHost: () => ({}),
  createProgram: () => { if (text() === 'die') process.exit(1); return {}; },
  getPreEmitDiagnostics: () => text() === 'bad' ? [{ category: category.Error }] : [],
  sortAndDeduplicateDiagnostics: list => list,
  formatDiagnostics: list => list.map(() => 'src.ts(1,1): error TS2\n').join(''),
};`,
	})
	c := &TypeChecker{}
	defer c.Close()
	for _, step := range []struct {
		source, text string
		ok           bool
	}{{"good", "", true}, {"bad", "src.ts(1,1): error TS2\n", true}, {"good", "", true}, {"die", "", false}, {"good", "", false}} {
		write(t, dir, map[string]string{"src.ts": step.source})
		var out bytes.Buffer
		ok, err := c.check(t.Context(), dir, &out)
		if ok != step.ok || out.String() != step.text || (err != nil) != (step.text != "") {
			t.Errorf("%s: %v, %v, %q", step.source, ok, err, out.String())
		}
	}
}

func TestCPlusPlus(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the tools are shell scripts")
	}
	dir, bin := t.TempDir(), t.TempDir()
	write(t, dir, map[string]string{"CMakeLists.txt": ""})
	t.Setenv("PATH", bin+":/bin:/usr/bin")
	if _, err := exec.LookPath("emcc"); err != nil {
		if _, err := Build(t.Context(), Options{Dir: dir}); err == nil || !strings.HasPrefix(err.Error(), "emcc not found in PATH. Install Emscripten") {
			t.Error(err)
		}
	}
	tool(t, filepath.Join(bin, "emcc"), "exit 1")
	tool(t, filepath.Join(bin, "emcmake"), `[ "$*" = "cmake -S . -B build -DCMAKE_BUILD_TYPE=Release" ] && mkdir -p build/sub && echo old >build/old.wasm && touch -d 2001-01-01 build/old.wasm`)
	tool(t, filepath.Join(bin, "cmake"), `[ "$*" = "--build build --config Release --parallel" ] && echo new >build/sub/lib.wasm`)
	a, err := Build(t.Context(), Options{Dir: dir})
	if err != nil || a.Path != filepath.Join(dir, "build", "sub", "lib.wasm") || a.HostType != Wasm {
		t.Errorf("%+v, %v", a, err)
	}
	tool(t, filepath.Join(bin, "cmake"), "rm -r build; mkdir build")
	if _, err := Build(t.Context(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "no .wasm file") {
		t.Error(err)
	}
}
