package cli_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
)

const someIdentity = "c2003560035303e2000000000000000000000000000000000000000000000001"

// plan makes the fake server answer the pre-publish check.
func (f *fake) plan(name string, answer any) {
	f.onJSON("POST /v1/database/"+name+"/pre_publish", 200, answer)
}

func autoMigrate(breaks, major bool) any {
	return map[string]any{"AutoMigrate": map[string]any{"migrate_plan": "THE PLAN", "break_clients": breaks, "token": "0xabc", "major_version_upgrade": major}}
}

func publisher(t *testing.T) (*user, *fake) {
	u, f := projectUser(t)
	f.takes("db")
	return u, f
}

func TestPublishArguments(t *testing.T) {
	spec.Covers(t, "09.5", "09.6")
	u, f := publisher(t)
	for _, c := range []struct {
		args   []string
		name   string
		clears bool
	}{
		{[]string{"publish", "-b", "m.wasm", "--yes", "db"}, "db", false},
		{[]string{"publish", "-b", "m.wasm", "-y", "-c", "db"}, "db", true},
		{[]string{"publish", "-bm.wasm", "-cy", "-s", "local", "db"}, "db", true},
		{[]string{"publish", "-y", "-c=on-conflict", "db", "-b=m.wasm"}, "db", false},
		{[]string{"publish", "-y", "--clear-database", "-b", "m.wasm", "--", "db"}, "db", true},
		{[]string{"publish", "--yes=migrate,skip-login", "--yes=delete-data", "-c=always", "-b", "m.wasm", "db"}, "db", true},
	} {
		u.ok(c.args...)
		last := f.last().what
		if !strings.HasPrefix(last, "PUT /v1/database/"+c.name+"?") || strings.Contains(last, "clear=true") != c.clears {
			t.Errorf("%q sent %s", c.args, last)
		}
	}
	spec.Covers(t, "09.40")
	// always skips the check
	before := len(f.asked())
	u.ok("publish", "-y", "-c", "-b", "m.wasm", "db")
	wantEqual(t, strings.Join(f.asked()[before:], ""), "PUT /v1/database/db?clear=true&host_type=Wasm")
	if r := u.run("publish", "-c", "-b", "m.wasm", "db"); r.code != 1 || !strings.HasSuffix(r.stdout, "[deleting db] [y/N]") || r.stderr != "Error: Aborted.\n" {
		t.Error(r)
	}
	// a conflict
	f.plan("db", map[string]any{"ManualMigrate": map[string]any{"reason": "THE REASON", "major_version_upgrade": false}})
	if r := u.run("publish", "-y", "-b", "m.wasm", "db"); r.code != 1 || !strings.HasSuffix(r.stdout, "THE REASON\nAborting publish due to required manual migration.\n") ||
		r.stderr != "Error: Aborting because publishing would require manual migration or deletion of data and --delete-data was not specified.\n" {
		t.Error(r)
	}
	want(t, u.ok("publish", "-y", "-c=on-conflict", "-b", "m.wasm", "db"), "Proceeding with database clear due to --delete-data=on-conflict.\nThis will DESTROY the current db module, and ALL corresponding data.\nSkipping confirmation due to --yes\n")
	wantEqual(t, f.last().what, "PUT /v1/database/db?clear=true&host_type=Wasm")
}

func TestPublishPrompts(t *testing.T) {
	spec.Covers(t, "09.11", "09.38", "09.39")
	u, f := publisher(t)
	f.plan("db", autoMigrate(false, false))
	u.ok("publish", "-b", "m.wasm", "db")
	wantEqual(t, f.last().what, "PUT /v1/database/db?token=0xabc&policy=BreakClients&host_type=Wasm")
	f.plan("db", autoMigrate(true, false))
	const question = "THE PLAN\nThe above changes will BREAK existing clients. Do you want to proceed? [y/N]"
	for _, answer := range []string{"", "n\n", "yess\n", "no"} {
		r := u.runWith(answer, "publish", "-b", "m.wasm", "db")
		if r.code != 1 || !strings.HasSuffix(r.stdout, question+"Aborting\n") || r.stderr != "Error: Publishing aborted by user\n" {
			t.Errorf("answer %q: %s", answer, r)
		}
	}
	for _, answer := range []string{"y\n", "YES\n", " Yes ", "y\r\n"} {
		if r := u.runWith(answer, "publish", "-b", "m.wasm", "db"); r.code != 0 || !strings.Contains(r.stdout, question+"Publishing module...\n") {
			t.Errorf("answer %q: %s", answer, r)
		}
	}
	for _, o := range []string{"-y", "--yes=break-clients", "--break-clients"} {
		want(t, u.ok("publish", "-b", "m.wasm", o, "db"), "THE PLAN\nSkipping confirmation due to --yes\nPublishing module...\n")
	}
	if r := u.run("publish", "-b", "m.wasm", "--yes=migrate", "db"); r.code != 1 {
		t.Errorf("another consent: %s", r)
	}
}

func TestPublishMajorUpgrade(t *testing.T) {
	spec.Covers(t, "09.41")
	u, f := publisher(t)
	f.plan("db", autoMigrate(false, true))
	const prompt = "\n\nWARNING: Once you publish you cannot revert back to version 1.0.\n\nPlease type 'upgrade' to accept this change: "
	for _, answer := range []string{"", "y\n", "Upgrade\n"} {
		r := u.runWith(answer, "publish", "-b", "m.wasm", "db")
		if r.code != 1 || !strings.HasSuffix(r.stdout, prompt) || r.stderr != "Error: Aborting because major version upgrade was not accepted.\n" {
			t.Errorf("answer %q: %s", answer, r)
		}
		want(t, r.stdout, "major version upgrade from 1.0 to 2.0")
	}
	if r := u.runWith("upgrade\n", "publish", "-b", "m.wasm", "db"); r.code != 0 {
		t.Error(r)
	}
	for _, o := range []string{"-y", "--yes=migrate"} {
		if out := u.ok("publish", "-b", "m.wasm", o, "db"); strings.Contains(out, "Please type") {
			t.Errorf("%s: asked:\n%s", o, out)
		}
	}
}

func TestPublishElsewhere(t *testing.T) {
	spec.Covers(t, "09.42")
	u, f := publisher(t)
	elsewhere := "http://127.0.0.2:" + f.URL[strings.LastIndex(f.URL, ":")+1:]
	// The address need not be reachable: the question comes before the first request.
	r := u.runWith("n\n", "publish", "-b", "m.wasm", "-s", elsewhere, "db")
	host := strings.TrimPrefix(elsewhere, "http://")
	if r.code != 1 || !strings.HasSuffix(r.stdout, "You are about to publish to a non-local server: "+host+"\nAre you sure you want to proceed? [y/N]") || r.stderr != "Error: Publish aborted by user.\n" {
		t.Error(r)
	}
	r = u.run("publish", "-b", "m.wasm", "-s", elsewhere, "-c", "--yes=remote", "db")
	if r.code != 1 || !strings.Contains(r.stdout, "non-local server: "+host+"\nSkipping confirmation due to --yes\n") || r.stderr != "Error: Aborted.\n" {
		t.Errorf("--yes=remote must leave the other question: %s", r)
	}
}

func TestPublishPrograms(t *testing.T) {
	spec.Covers(t, "09.43", "09.36", "09.37")
	u, f := publisher(t)
	u.write("m.js", "export default 1")
	f.onJSON("POST /v1/database", 200, map[string]any{"Success": map[string]any{"database_identity": someIdentity, "op": "created"}})
	out := u.ok("publish", "-j", "m.js")
	wantEqual(t, out, "(JS) Skipping build. Instead we are publishing m.js\nUploading to local => "+f.URL+"\nPublishing module...\nCreated new database with identity: "+someIdentity+"\n")
	if last := f.last(); last.what != "POST /v1/database?host_type=Js" || last.body != "export default 1" {
		t.Errorf("%+v", last)
	}
	u.ok("publish", "-b", "m.wasm")
	wantEqual(t, f.last().what, "POST /v1/database?host_type=Wasm")
	f.onJSON("PUT /v1/database/"+someIdentity, 200, map[string]any{"Success": map[string]any{"database_identity": someIdentity, "op": "updated"}})
	f.plan(someIdentity, autoMigrate(false, false))
	want(t, u.ok("publish", "-b", "m.wasm", someIdentity), "\nUpdated database with identity: "+someIdentity+"\n")
	want(t, u.fails(1, "publish", "-b", "m.js", "db"), "m.js is no WebAssembly module")
	want(t, u.fails(1, "publish", "-j", "m.wasm", "db"), "m.wasm is a WebAssembly module")
	want(t, u.fails(1, "publish", "-b", "gone.wasm", "db"), "the module gone.wasm cannot be read")
	want(t, u.fails(1, "publish", "-p", "gone", "db"), "Project path does not exist: ")
}

func TestPublishNames(t *testing.T) {
	spec.Covers(t, "09.44")
	u, f := publisher(t)
	for name, text := range map[string]string{
		"a_b": "invalid characters in database name", "A": "invalid characters in database name", "a--b": "invalid hyphen in database name",
		"-": "invalid hyphen in database name", "": "", "a//b": "invalid characters in database name", "a/b/": "invalid characters in database name", "a/b/c": "invalid characters in database name",
	} {
		if text != "" {
			wantEqual(t, u.fails(1, "publish", "-y", "-b", "m.wasm", "--", name), "Error: "+text+"\n")
		}
	}
	want(t, u.fails(1, "publish", "-y", "-b", "m.wasm", "A/b"), "Error: invalid parent database name `A`\n\nCaused by:\n    invalid characters in database name\n")
	want(t, u.fails(1, "publish", "-y", "-b", "m.wasm", "a/db", "--parent", "c"), "cannot specify both --parent and <parent>/<child>")
	if len(f.asked()) != 0 {
		t.Errorf("asked %v", f.asked())
	}
	u.ok("publish", "-y", "-b", "m.wasm", "a/db", "--parent", "a", "--org", "o")
	wantEqual(t, f.last().what, "PUT /v1/database/db?parent=a&org=o&host_type=Wasm")
}

func TestPublishRefused(t *testing.T) {
	u, f := publisher(t)
	_, id := tokenOf("project")
	f.onJSON("PUT /v1/database/db", 401, map[string]any{"PermissionDenied": map[string]any{"name": "db"}})
	want(t, u.fails(1, "publish", "-y", "-b", "m.wasm", "db"), "Error: The database db is not registered to the identity you provided.", "spacetime publish "+id[:12])
	want(t, u.fails(1, "publish", "-y", "-b", "m.wasm", "--anonymous", "db"), "Error: You need to be logged in as the owner of db to publish to db\n")
	f.on("PUT /v1/database/db", 500, "text/plain", "it does not work")
	wantEqual(t, u.fails(1, "publish", "-y", "-b", "m.wasm", "db"), fmt.Sprintf("Error: it does not work\n\nCaused by:\n    HTTP status server error (500 Internal Server Error) for url (%s/v1/database/db?host_type=Wasm)\n", f.URL))
	f.on("POST /v1/database/db/pre_publish", 403, "text/plain", "not yours")
	wantEqual(t, u.fails(1, "publish", "-y", "-b", "m.wasm", "db"), "Error: Pre-publish check failed with status 403 Forbidden: not yours\n")
	f.on("POST /v1/database/db/pre_publish", 200, "text/html", "proxy")
	want(t, u.fails(1, "publish", "-y", "-b", "m.wasm", "db"), "was success but did not have content-type: application/json")
}

func TestPublishOnServer(t *testing.T) {
	u := realUser(t)
	spec.Covers(t, "09.19", "09.35", "09.46", "09.12")
	databaseCount++
	name := fmt.Sprintf("published-%d", databaseCount)
	kitchen := modulePath(t, "kitchen")
	r := u.run("publish", "-b", kitchen, name) // without a token, with null stdin
	if r.code != 0 {
		t.Fatal(r)
	}
	token := wantMatch(t, u.config(), `(?m)^spacetimedb_token = "(.*)"$`)[1]
	wantMatch(t, r.stdout, `(?s)^We have logged in directly.*\nLogged in with identity [0-9a-f]{64}\n.*\nChecking for breaking changes...\nPublishing module...\nCreated new database with name: `+name+`, identity: [0-9a-f]{64}\n$`)
	u.env["CLICOLOR_FORCE"] = "1"
	again := u.ok("publish", "-b", kitchen, name)
	delete(u.env, "CLICOLOR_FORCE")
	wantMatch(t, again, `(?s)Database Migration Plan\n.*\nUpdated database with name: `+name+`, identity: [0-9a-f]{64}\n$`)
	if strings.Contains(again, "\x1b") || strings.Contains(again, "logged in") {
		t.Errorf("%q", again)
	}
	want(t, u.config(), token)

	other := realUser(t)
	want(t, other.fails(1, "publish", "-y", "-b", kitchen, name), "is not authorized to perform action")
	want(t, other.fails(1, "delete", "-y", name), "Error: ", "403 Forbidden")
}
