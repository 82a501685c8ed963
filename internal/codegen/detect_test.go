package codegen

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/spec"
)

// tree writes files below a new directory and returns it.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestDetect(t *testing.T) {
	spec.Covers(t, "10.8")
	builder := "Plugins/SpacetimeDbSdk/Source/SpacetimeDbSdk/Public/Connection/DbConnectionBuilder.h"
	flags := "Plugins/SpacetimeDbSdk/Source/SpacetimeDbSdk/Public/Connection/SetReducerFlags.h"
	procedures := "Plugins/SpacetimeDbSdk/Source/SpacetimeDbSdk/Public/Connection/ProcedureFlags.h"
	plugin := "Plugins/SpacetimeDbSdk/SpacetimeDbSdk.uplugin"
	for _, c := range []struct {
		name     string
		language Language
		files    map[string]string
		version  string
		evidence string
	}{
		{"nothing", TypeScript, nil, "2.10.1", ""},
		{"npm installed", TypeScript, map[string]string{
			"node_modules/spacetimedb/package.json": `{"version":"1.12.0"}`, "a/package.json": `{"dependencies":{"spacetimedb":"^2.1.0"}}`}, "1.12.0", "node_modules/spacetimedb"},
		{"npm locked", TypeScript, map[string]string{
			"package-lock.json": `{"packages":{"node_modules/spacetimedb":{"version":"2.0.1"}}}`, "package.json": `{"dependencies":{"spacetimedb":"^1.12.0"}}`}, "2.0.1", "package-lock.json"},
		{"pnpm 9", TypeScript, map[string]string{"pnpm-lock.yaml": "importers:\n  .:\n    dependencies:\n      spacetimedb:\n        specifier: ^2.0.0\n        version: 2.4.1(react@18.3.1)\npackages:\n  spacetimedb@2.4.1:\n    resolution: {}\n"}, "2.4.1", "pnpm-lock.yaml"},
		{"pnpm 6", TypeScript, map[string]string{"pnpm-lock.yaml": "packages:\n\n  /spacetimedb@1.11.3:\n    resolution: {}\n"}, "1.11.3", "pnpm-lock.yaml"},
		{"yarn 1", TypeScript, map[string]string{"yarn.lock": "# yarn lockfile v1\n\nspacetimedb@^1.10.0:\n  version \"1.10.0\"\n  resolved \"x\"\n"}, "1.10.0", "yarn.lock"},
		{"yarn 4", TypeScript, map[string]string{"yarn.lock": "\"spacetimedb@npm:^2.8.0\":\n  version: 2.8.3\n  resolution: \"spacetimedb@npm:2.8.3\"\n"}, "2.8.3", "yarn.lock"},
		{"bun", TypeScript, map[string]string{"bun.lock": "{\n  \"packages\": {\n    \"spacetimedb\": [\"spacetimedb@2.2.0\", \"\", {}, \"sha512-x\"],\n  }\n}\n"}, "2.2.0", "bun.lock"},
		{"npm range", TypeScript, map[string]string{"package.json": `{"devDependencies":{"spacetimedb":"^2.1.0"}}`}, "2.1.0", "package.json"},
		{"npm alias", TypeScript, map[string]string{"package.json": `{"dependencies":{"spacetimedb":"npm:spacetimedb@1.12.0"}}`}, "1.12.0", "package.json"},
		{"npm major", TypeScript, map[string]string{"package.json": `{"dependencies":{"spacetimedb":"1.x"}}`}, "1.12.0", "package.json"},
		{"npm latest", TypeScript, map[string]string{"package.json": `{"dependencies":{"spacetimedb":"latest"}}`}, "2.10.1", "package.json"},
		{"npm workspace", TypeScript, map[string]string{"package.json": `{"peerDependencies":{"spacetimedb":"workspace:*"}}`}, "2.10.1", "package.json"},
		{"npm old package", TypeScript, map[string]string{"package.json": `{"dependencies":{"@clockworklabs/spacetimedb-sdk":"^1.3.1"}}`}, "1.3.1", "package.json"},
		{"npm old package, new", TypeScript, map[string]string{"node_modules/@clockworklabs/spacetimedb-sdk/package.json": `{"version":"2.0.0"}`}, "2.10.1", "node_modules/@clockworklabs/spacetimedb-sdk"},
		{"npm broken", TypeScript, map[string]string{"package.json": `{"dependencies":`, "node_modules/spacetimedb/package.json": `{"version":7}`}, "2.10.1", ""},
		{"cargo locked", Rust, map[string]string{
			"Cargo.lock": "[[package]]\nname = \"spacetimedb-sdk\"\nversion = \"1.12.0\"\n", "client/Cargo.toml": "[dependencies]\nspacetimedb-sdk = \"1.11\"\n"}, "1.12.0", "Cargo.lock"},
		{"cargo locked twice", Rust, map[string]string{
			"Cargo.lock": "[[package]]\nname = \"spacetimedb-sdk\"\nversion = \"2.8.3\"\n[[package]]\nname = \"spacetimedb-sdk\"\nversion = \"1.12.0\"\n",
			"Cargo.toml": "[dependencies]\nspacetimedb-sdk = \"1\"\n"}, "1.12.0", "Cargo.lock"},
		{"cargo declared", Rust, map[string]string{"Cargo.toml": "[target.'cfg(unix)'.dependencies]\nspacetimedb-sdk = { version = \"=2.0.5\" }\n"}, "2.0.5", "Cargo.toml"},
		{"cargo workspace", Rust, map[string]string{
			"Cargo.toml": "[workspace.dependencies]\nspacetimedb-sdk = \"1.8.0\"\n", "a/Cargo.toml": "[dependencies]\nspacetimedb-sdk = { workspace = true }\n"}, "1.8.0", "Cargo.toml"},
		{"cargo path", Rust, map[string]string{
			"Cargo.toml": "[dependencies]\nspacetimedb-sdk = { path = \"sdk\" }\n", "sdk/Cargo.toml": ""}, "2.14.0", "Cargo.toml"},
		{"cargo path with version", Rust, map[string]string{
			"Cargo.toml": "[dependencies]\nspacetimedb-sdk = { path = \"vendor\" }\n", "vendor/Cargo.toml": "[package]\nname = \"spacetimedb-sdk\"\nversion = \"1.4.0\"\n"}, "1.4.0", "Cargo.toml"},
		{"cargo git", Rust, map[string]string{"Cargo.toml": "[dependencies]\nspacetimedb-sdk = { git = \"x\" }\n"}, "2.14.0", "Cargo.toml"},
		{"nuget restored", CSharp, map[string]string{"obj/project.assets.json": `{"libraries":{"SpacetimeDB.ClientSDK/2.0.4":{}}}`}, "2.0.4", "obj/project.assets.json"},
		{"nuget attribute", CSharp, map[string]string{"a.csproj": "<Project><ItemGroup>\n<PackageReference Include=\"Other\" Version=\"9.9.9\" />\n<PackageReference Include=\"SpacetimeDB.ClientSDK\" Version=\"1.12.0\" /></ItemGroup></Project>"}, "1.12.0", "a.csproj"},
		{"nuget element", CSharp, map[string]string{"a.csproj": "<PackageReference Include=\"SpacetimeDB.ClientSDK\"><Version>[2.8.3]</Version></PackageReference>"}, "2.8.3", "a.csproj"},
		{"nuget wildcard", CSharp, map[string]string{"a.csproj": `<PackageReference Include="SpacetimeDB.ClientSDK" Version="1.*" />`}, "1.12.0", "a.csproj"},
		{"nuget central", CSharp, map[string]string{
			"app/a.csproj": `<PackageReference Include="SpacetimeDB.ClientSDK" />`, "Directory.Packages.props": `<PackageVersion Include="SpacetimeDB.ClientSDK" Version="2.1.0" />`}, "2.1.0", "Directory.Packages.props"},
		{"unity locked", CSharp, map[string]string{"Packages/packages-lock.json": `{"dependencies":{"com.clockworklabs.spacetimedbsdk":{"version":"https://host/sdk.git#v1.10.0"}}}`}, "1.10.0", "Packages/packages-lock.json"},
		{"unity manifest", CSharp, map[string]string{"Packages/manifest.json": `{"dependencies":{"com.clockworklabs.spacetimedbsdk":"https://host/sdk.git"}}`}, "2.14.0", "Packages/manifest.json"},
		{"unity file", CSharp, map[string]string{
			"Packages/manifest.json": `{"dependencies":{"com.clockworklabs.spacetimedbsdk":"file:../sdk"}}`, "sdk/package.json": `{"version":"1.9.0"}`}, "1.9.0", "Packages/manifest.json"},
		{"unity embedded", CSharp, map[string]string{"Packages/com.clockworklabs.spacetimedbsdk/package.json": `{"version":"2.0.1"}`}, "2.0.1", "Packages/com.clockworklabs.spacetimedbsdk"},
		{"unreal queries", Unreal, map[string]string{plugin: "{}", "Plugins/SpacetimeDbSdk/Source/SpacetimeDbSdk/Public/QueryBuilder/Query.h": ""}, "2.14.0", "Plugins/SpacetimeDbSdk"},
		{"unreal 2.1", Unreal, map[string]string{plugin: "{}", builder: "WithDatabaseName"}, "2.1.0", "Plugins/SpacetimeDbSdk"},
		{"unreal 2.0", Unreal, map[string]string{plugin: "{}", builder: "WithDatabaseName", flags: "", procedures: ""}, "2.0.0", "Plugins/SpacetimeDbSdk"},
		{"unreal 1.10", Unreal, map[string]string{plugin: "{}", builder: "WithModuleName", flags: "", procedures: ""}, "1.12.0", "Plugins/SpacetimeDbSdk"},
		{"unreal 1.4", Unreal, map[string]string{plugin: "{}", builder: "WithModuleName", flags: ""}, "1.4.0", "Plugins/SpacetimeDbSdk"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := tree(t, c.files)
			out := filepath.Join(root, "a", "src", "module_bindings")
			switch {
			case c.files["app/a.csproj"] != "":
				out = filepath.Join(root, "app")
			case c.files["client/Cargo.toml"] != "":
				out = filepath.Join(root, "client", "src")
			}
			d := Detect(c.language, out)
			if d.Version.String() != c.version || d.Evidence != c.evidence {
				t.Errorf("got %s by %q, want %s by %q", d.Version, d.Evidence, c.version, c.evidence)
			}
		})
	}
}

func TestParseVersion(t *testing.T) {
	for in, want := range map[string]string{"1": "1.12.0", "2": "2.10.1", "1.10": "1.10.0", "v2.0.1": "2.0.1", "2.8.3": "2.8.3"} {
		v, err := ParseVersion(TypeScript, in)
		if err != nil || v.String() != want {
			t.Errorf("%s: %s, %v", in, v, err)
		}
	}
	for _, in := range []string{"", "3", "3.0.0", "0.9", "x", "1.2.3.4", "99999", "1.-2"} {
		if v, err := ParseVersion(TypeScript, in); err == nil {
			t.Errorf("%q was read as %s", in, v)
		}
	}
}

func TestGenerateUnknownLanguage(t *testing.T) {
	if _, err := Generate("cobol", &model.Module{Root: &model.Level{}}, model.Options{}); err == nil {
		t.Error("there is a generator for cobol")
	}
}
