package cli_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
)

// declaring is a user whose modules declare an environment.
func declaring(t *testing.T, vars ...schema.EnvironmentVar) (*user, *fake) {
	u, f := publisher(t)
	u.write("m.wasm", "\x00asm env_get")
	u.describe = func(context.Context, []byte, bool) (*schema.ModuleDef, error) {
		return &schema.ModuleDef{Environment: vars}, nil
	}
	return u, f
}

var declarations = []schema.EnvironmentVar{
	{Name: "HOST"}, {Name: "MODE", Kind: schema.EnvUnion, Values: []string{"dev", "prod"}}, {Name: "EMPTY", Optional: true},
}

func environmentOf(f *fake) string {
	last := f.last()
	return strings.Join(last.header["Spacetime-Environment"], "; ") + " | " + strings.Join(last.header["Spacetime-Environment-Remove"], "; ")
}

// Values come from the project files and from variables that the module declares; the
// latter win.
func TestPublishEnvironment(t *testing.T) {
	spec.Covers(t, "09.96", "09.97", "09.99")
	u, f := declaring(t, declarations...)
	u.write("spacetime.json", `{"database": "db", "env": {"HOST": "config", "MODE": "dev", "EMPTY": "x", "OTHER": true, "N": 9007199254740993, "F": 1.0, "E": 1e3, "Q": "a,\"b'\\\n\u00fc\ud83d\ude00", "BLANK": ""}}`)
	u.env["HOST"], u.env["EMPTY"], u.env["UNDECLARED"] = "shell", "", "secret"
	out := u.ok("publish", "-y", "-b", "m.wasm")
	want(t, out, "Environment BLANK (config)\nEnvironment E (config)\nEnvironment EMPTY (shell)\nEnvironment F (config)\nEnvironment HOST (shell)\nEnvironment MODE (config)\nEnvironment N (config)\nEnvironment OTHER (config)\nEnvironment Q (config)\nUploading to ")
	wantEqual(t, environmentOf(f), `BLANK=; E=1e3; EMPTY=; F=1.0; HOST=shell; MODE=dev; N=9007199254740993; OTHER=true; Q="a,\"b'\\\u000a\u00fc\ud83d\ude00" | `)
	for _, r := range f.requests {
		if strings.Contains(r.what, "pre_publish") && r.header["Spacetime-Environment"] != nil {
			t.Error("values went to the pre-publish check")
		}
	}
	u.ok("publish", "-y", "-b", "m.wasm", "--unset-env", "GONE", "--unset-env=TOO")
	if got := environmentOf(f); !strings.HasSuffix(got, "| GONE, TOO") {
		t.Error(got)
	}
	u.ok("publish", "-y", "-b", "m.wasm", "--replace-env")
	if got := environmentOf(f); !strings.HasSuffix(got, "| *") {
		t.Error(got)
	}
	before := len(f.asked())
	want(t, u.fails(2, "publish", "-y", "-b", "m.wasm", "--replace-env", "--unset-env", "X"), "cannot be used with '--replace-env'")
	want(t, u.fails(2, "publish", "-y", "-b", "m.wasm", "--unset-env", "1X"), "invalid POSIX environment variable name (maximum 256 bytes)")
	want(t, u.fails(1, "publish", "-y", "-b", "m.wasm", "--unset-env", "HOST"), `Error: Environment key "HOST" is both supplied and removed`)
	u.env["MODE"] = "secret"
	want(t, u.fails(1, "publish", "-y", "-b", "m.wasm"), `Error: environment key "MODE": value does not satisfy its declared string constraint`)
	u.env["MODE"], u.env["HOST"] = "dev", "a\xff"
	want(t, u.fails(1, "publish", "-y", "-b", "m.wasm"), `Error: Environment key "HOST": shell input must be UTF-8`)
	u.env["HOST"] = strings.Repeat("x", 8193)
	want(t, u.fails(1, "publish", "-y", "-b", "m.wasm"), `Error: environment key "HOST": value exceeds size limit`)
	for text, message := range map[string]string{
		`{"K": NaN}`: `Environment key "K": config input must be`, `{"K": 0xFF}`: `"K"`, `{"K": +2}`: `"K"`, `{"K": .5}`: `"K"`, `{"K": 5.}`: `"K"`, `{"K": null}`: `"K"`,
		`{"K": ["secret"]}`: `"K"`, `{"K": {}}`: `"K"`, `{"A-B": "secret"}`: "invalid POSIX environment variable name (maximum 256 bytes)", `"secret"`: "Environment config must be an object",
		`null`: "Environment config must be an object",
	} {
		u.write("spacetime.json", `{"database": "db", "env": `+text+`}`)
		errs := u.fails(1, "publish", "-y", "-b", "m.wasm")
		want(t, errs, "Error: ", message)
		if strings.Contains(errs, "secret") {
			t.Errorf("a value in %s", errs)
		}
	}
	if n := len(f.asked()); n != before {
		t.Errorf("%d requests were sent", n-before)
	}
}

// Layers and parents give values key by key.
func TestEnvironmentLayers(t *testing.T) {
	spec.Covers(t, "09.98")
	u, f := declaring(t)
	u.write("spacetime.json", `{"database": "root", "env": {"A": "1", "B": "1", "C": "1"}, "children": [{"database": "db", "env": {"C": "child"}}, {"database": "plain", "env": {}}]}`)
	u.write("spacetime.local.json", `{"env": {"B": "local"}}`)
	u.write("spacetime.dev.json", `{"env": {"D": "dev"}}`)
	f.takes("plain")
	u.ok("publish", "-y", "-b", "m.wasm", "db", "--env", "dev")
	wantEqual(t, environmentOf(f), "A=1; B=local; C=child; D=dev | ")
	u.ok("publish", "-y", "-b", "m.wasm", "plain")
	wantEqual(t, environmentOf(f), "A=1; B=local; C=1 | ")
	u.ok("publish", "-y", "-b", "m.wasm", "plain", "--no-config")
	wantEqual(t, environmentOf(f), " | ")
}

// Without declarations and values nothing new is sent, and the module is not looked at.
func TestPublishWithoutEnvironment(t *testing.T) {
	spec.Covers(t, "09.103")
	u, f := publisher(t)
	u.describe = func(context.Context, []byte, bool) (*schema.ModuleDef, error) {
		t.Error("the module was looked at")
		return nil, nil
	}
	out := u.ok("publish", "-y", "-b", "m.wasm", "db")
	if got := environmentOf(f); got != " | " || strings.Contains(out, "Environment") {
		t.Errorf("sent %s; %s", got, out)
	}
}

// A value that is missing is named, whichever way the values go.
func TestMissingEnvironment(t *testing.T) {
	u, f := declaring(t, declarations...)
	f.onJSON("PUT /v1/database/db", 400, map[string]any{"EnvironmentError": map[string]any{"MissingRequiredEnvironment": map[string]any{"keys": []string{"HOST", "MODE"}}}})
	wantEqual(t, u.fails(1, "publish", "-y", "-b", "m.wasm", "db"), "Error: Missing required environment variable(s) [\"HOST\", \"MODE\"]\n")
}

// Values can be changed without a program.
func TestEnvironmentOnly(t *testing.T) {
	spec.Covers(t, "09.100", "09.101")
	u, f := declaring(t)
	const path = "/v1/database/db/environment"
	f.on("GET "+path, 200, "application/json", `{"module_hash":"0xab","declarations":[{"name":"HOST","ty":"String","optional":false},{"name":"MODE","ty":{"Union":["dev"]},"optional":true},{"name":"LIT","ty":{"StringLiteral":"l"},"optional":true}],"stored_keys":[]}`)
	f.on("PATCH "+path, 200, "application/json", `{"Ok":null}`)
	f.on("PUT "+path, 200, "application/json", `{"Ok":null}`)
	u.write("spacetime.json", `{"database": "db", "env": {"Q": "a,\"b'\\\n\u00fc", "BLANK": ""}}`)
	u.env["HOST"] = "h"
	before := len(f.asked())
	wantEqual(t, u.ok("publish", "--env-only", "--unset-env", "OLD"), "Using configuration from "+u.work+"/spacetime.json\nEnvironment BLANK (config)\nEnvironment HOST (shell)\nEnvironment Q (config)\nSuccessfully updated environment\n")
	wantEqual(t, strings.Join(f.asked()[before:], ", "), "GET "+path+", PATCH "+path+"?expected_module_hash=0xab")
	var values map[string]string
	if err := json.Unmarshal([]byte(f.last().body), &values); err != nil || len(values) != 3 || values["Q"] != "a,\"b'\\\nü" || values["BLANK"] != "" || values["HOST"] != "h" {
		t.Errorf("body %s, %v", f.last().body, err)
	}
	wantEqual(t, environmentOf(f), " | OLD")
	u.ok("publish", "db", "--env-only", "--replace-env")
	if last := f.last(); last.what != "PUT "+path+"?expected_module_hash=0xab" || last.header["Spacetime-Environment-Remove"] != nil {
		t.Errorf("%s, %v", last.what, last.header)
	}
	for _, args := range [][]string{{"-p", "."}, {"-b", "m.wasm"}, {"-j", "m.js"}, {"-c"}, {"--parent", "x"}, {"--org", "x"}, {"--num-replicas", "1"}, {"--build-options", "x"}} {
		want(t, u.fails(2, append([]string{"publish", "db", "--env-only"}, args...)...), "cannot be used with")
	}
	want(t, u.fails(1, "publish", "--env-only", "--no-config"), "Error: --env-only requires an existing database name or identity")
	u.env["MODE"] = "secret"
	want(t, u.fails(1, "publish", "--env-only"), `Error: environment key "MODE": value does not satisfy its declared string constraint`)
	delete(u.env, "MODE")
	for _, tt := range []struct {
		status int
		body   string
		text   string
	}{
		{400, `{"Err":{"MissingRequiredEnvironment":{"keys":["K"]}}}`, `Error: Missing required environment variable(s) ["K"]`},
		{409, `{"Err":"VersionConflict"}`, "Error: database program changed before publication; reload environment metadata and retry"},
	} {
		f.on("PATCH "+path, tt.status, "application/json", tt.body)
		want(t, u.fails(1, "publish", "--env-only"), tt.text)
	}
	f.mu.Lock()
	f.answers["PATCH "+path] = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}
	f.mu.Unlock()
	before = len(f.asked())
	u.fails(1, "publish", "--env-only")
	if n := len(f.asked()) - before; n != 2 {
		t.Errorf("%d requests; a redirect was followed", n)
	}
	f.on("GET "+path, 404, "text/plain", "")
	want(t, u.fails(1, "publish", "--env-only"), "Error: failed to fetch environment schema")
	elsewhere := strings.Replace(f.URL, "127.0.0.1", "127.0.0.2", 1)
	r := u.runWith("n\n", "publish", "db", "--env-only", "-s", elsewhere)
	if r.code != 1 || !strings.Contains(r.stdout, "You are about to publish environment values to a non-local server: ") || r.stderr != "Error: Publish aborted by user.\n" {
		t.Error(r)
	}
}

// The owner reads values, one or all.
func TestEnvCommand(t *testing.T) {
	spec.Covers(t, "09.102")
	u, f := publisher(t)
	f.on("GET /v1/database/db/identity", 200, "text/plain", someIdentity)
	sql := "POST /v1/database/" + someIdentity + "/sql"
	answer := func(rows string) {
		f.on(sql, 200, "application/json", `[{"schema":{"elements":[{"name":{"some":"key"},"algebraic_type":{"String":[]}},{"name":{"some":"value"},"algebraic_type":{"String":[]}}]},"rows":`+rows+`,"total_duration_micros":1,"stats":{"rows_inserted":0,"rows_deleted":0,"rows_updated":0}}]`)
	}
	answer(`[["MODE","two\nlines"]]`)
	wantEqual(t, u.ok("env", "get", "db", "MODE"), "two\nlines\n")
	wantEqual(t, f.last().body, "SELECT * FROM st_env WHERE key = 'MODE'")
	answer(`[["MODE",""]]`)
	wantEqual(t, u.ok("env", "get", "db", "MODE", "--confirmed", "false"), "\n")
	want(t, f.last().what, "?confirmed=false")
	answer(`[]`)
	wantEqual(t, u.fails(1, "env", "get", "db", "MODE"), "Error: Environment key is absent\n")
	answer(`[["VERBOSE","false"],["LIMIT","250"]]`)
	wantEqual(t, u.ok("env", "list", "db"), " key       | value   \n-----------+---------\n \"LIMIT\"   | \"250\"   \n \"VERBOSE\" | \"false\" \n")
	before := len(f.asked())
	wantEqual(t, u.fails(1, "env", "get", "db", "A'B"), "Error: Invalid environment key name\n")
	for _, args := range [][]string{{"env"}, {"env", "set", "db", "K", "V"}, {"env", "unset", "db", "K"}, {"env", "get", "db"}} {
		u.fails(2, args...)
	}
	if n := len(f.asked()) - before; n != 0 {
		t.Errorf("%d requests", n)
	}
	f.on(sql, 400, "text/plain", "secret")
	for _, args := range [][]string{{"env", "get", "db", "K"}, {"env", "list", "db"}} {
		errs := u.fails(1, args...)
		want(t, errs, "Error: failed to fetch environment\n", "400 Bad Request")
		if strings.Contains(errs, "secret") {
			t.Errorf("the answer in %s", errs)
		}
	}
	for _, rows := range []string{`[["K",5]]`, `[["K"]]`, `[["K","` + strings.Repeat("x", 8193) + `"]]`} {
		answer(rows)
		want(t, u.fails(1, "env", "list", "db"), "is not a list of environment values")
	}
}
