package cli_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
)

const unstable = "WARNING: This command is UNSTABLE and subject to breaking changes.\n\n"

func TestCall(t *testing.T) {
	u := realUser(t)
	db := u.publish("kitchen")
	spec.Covers(t, "09.7", "09.51", "09.52", "09.54")
	if r := u.run("call", db, "nop"); r.code != 0 || r.stdout != "" || r.stderr != unstable {
		t.Error(r)
	}
	// strings in every spelling, numbers with and without --
	for i, c := range [][]string{
		{"cup", "1", "-5"}, {`"cup2"`, "1", "5"}, {"5", "1", "5"}, {`a "b" c`, "1", "5"}, {`back\nslash`, "1", "5"}, {`"`, "1", "5"}, {"--", "last", "1", "-7"},
	} {
		if r := u.run(append([]string{"call", "--server", "local", db, "add_item"}, c...)...); r.code != 0 {
			t.Errorf("%d: %q: %s", i, c, r)
		}
	}
	u.ok("call", db, "add_item", "--server", "local", "after", "1", "-5")
	table := u.ok("sql", db, "select name, rank from item where kind = 1")
	for _, name := range []string{`"cup"`, `"cup2"`, `"5"`, `"a "b" c"`, "\"back", `"""`, `"last"`, `"after"`} {
		want(t, table, " "+name)
	}
	want(t, table, "| -5 ", "| -7 ")

	const hex = "c20035600353a2e93544d898c6ed0eac323e200c0468300f22958f8b472a265d"
	for i, arg := range []string{hex, "0x" + hex, `["0x` + hex + `"]`, `{"__identity__":"0x` + hex + `"}`} {
		u.ok("call", db, "put_special", fmt.Sprint(100+i), arg, "[1]", "[2]", "[3]", `{"Interval":[4]}`, "[5]")
	}
	if n := strings.Count(u.ok("sql", db, "select who from special where id >= 100 and id < 104"), "0x"+hex); n != 4 {
		t.Errorf("%d of 4 identities have arrived", n)
	}

	wantEqual(t, u.fails(1, "call", db, "fail", "no more salt"), unstable+"Error: Response text: no more salt\n\nCaused by:\n    HTTP status server error (530 <none>) for url ("+realServer(t)+"/v1/database/"+u.identity(db)+"/call/fail)\n")
	spec.Covers(t, "09.10")
}

// identity is a database's identity, as describe's failure names it.
func (u *user) identity(db string) string {
	u.t.Helper()
	return wantMatch(u.t, u.run("call", db, "no_such_function_at_all").stderr, `resolving to identity .([0-9a-f]{64})`)[1]
}

func TestCallUnknown(t *testing.T) {
	u := realUser(t)
	db := u.publish("kitchen")
	spec.Covers(t, "09.53")
	head := func(name string) string {
		return unstable + "Error: No such reducer OR procedure `" + name + "` for database `" + db + "` resolving to identity `" + u.identity(db) + "`.\n\n"
	}
	wantEqual(t, u.fails(1, "call", db, "nopp"), head("nopp")+"A reducer with a similar name exists: `nop`\n")
	wantEqual(t, u.fails(1, "call", db, "NOP"), head("NOP")+"A reducer with a similar name exists: `nop`\n")
	wantEqual(t, u.fails(1, "call", db, "item_add"), head("item_add")+"A reducer with a similar name exists: `add_item`\n")
	wantEqual(t, u.fails(1, "call", db, "count_itemz"), head("count_itemz")+"A procedure with a similar name exists: `count_items`\n")
	far := u.fails(1, "call", db, "something_else_entirely")
	wantEqual(t, far, head("something_else_entirely")+`Here are some existing reducers:
- put_special
- set_closed
- fail_after_insert
- must_add_item
- write_diary
- put_bytes
- put_scalar
- add_item
- fill
- put_compound
... (8 reducers not shown)

Here are some existing procedures:
- nothing_much
- count_items
- make_outer
- mirror_bytes
- pick_shape
- maybe
- sum
- trip
`)
	kettle := u.publish("kettle1")
	want(t, u.fails(1, "call", kettle, "something_else_entirely"), "\n\nThe database has no procedures.\n")

	// wrong counts are refused without a request, with the signature
	wantEqual(t, u.fails(1, "call", db, "fail"), unstable+"Error: Invalid arguments provided for reducer `fail` for database `"+db+"` resolving to identity `"+u.identity(db)+"`.\n\n1 parameters were expected, but 0 were provided.\n\nThe reducer has the following signature:\n\tfail(message: String)\n")
	want(t, u.fails(1, "call", db, "nop", "1"), "0 parameters were expected, but 1 were provided.")
	want(t, u.fails(1, "call", db, "put_scalar", "x"), "id: u32, flag: bool")
	// wrong types by the server
	want(t, u.fails(1, "call", db, "add_item", "a", "b", "c"), "Error: Invalid arguments provided for reducer `add_item`", "\tadd_item(name: String, kind: u8, rank: i32)\n\nCaused by:\n    0: Response text: invalid arguments for reducer add_item: ", "    1: HTTP status client error (400 Bad Request)")
	wantEqual(t, u.fails(1, "call", db), unstable+"Error: the following required arguments were not provided:\n  <function_name>\n\nUsage: spacetime call [database] <function_name> <arguments>... (or --no-config for legacy behavior)\n")
	near := db[:len(db)-1] + "x"
	want(t, u.fails(1, "call", near, "nop"), "Error: failed to find database `"+near+"`.\n\nCaused by:\n    No such database. Do you mean `db-")
}

// A project of one database: the first word may still name another one.
func TestCallOtherDatabaseInProject(t *testing.T) {
	u := realUser(t)
	mine, other := u.publish("kettle1"), u.publish("kitchen")
	u.write("spacetime.json", fmt.Sprintf(`{"database":%q}`, mine))
	u.ok("call", other, "add_item", "spoon", "2", "-1")
	want(t, u.ok("sql", other, "select name from item where kind = 2"), `"spoon"`)
	u.ok("call", "pour", "mint")
	want(t, u.ok("sql", "select label from cup"), `(some = "mint")`)
	want(t, u.fails(1, "call", "nowhere", "f"), "No such reducer OR procedure `nowhere` for database `"+mine+"`")

	u.write("spacetime.json", `{"database":"not-published"}`)
	u.ok("call", other, "add_item", "knife", "2", "-1")
	want(t, u.fails(1, "call", "nowhere", "f"), "Error: failed to find database `not-published`.")
}

// A database that is not there, and was named by a project file: the error says which
// file, and how to name another one.
func TestUnknownDatabaseOfProject(t *testing.T) {
	u := realUser(t)
	u.write("spacetime.json", `{"database": "shared-name", "children": [{"database": "gone-b"}]}`)
	u.write("spacetime.local.json", `{"database": "gone-a"}`)
	for _, command := range [][]string{{"sql", "gone-b", "select 1"}, {"logs", "gone-a"}} {
		if text := u.fails(1, command...); strings.Contains(text, "The name comes from") {
			t.Errorf("%q named it: %s", command, text)
		}
	}
	u.write("spacetime.json", `{"database": "shared-name"}`)
	says := "The name comes from " + filepath.Join(u.work, "spacetime.local.json") + ": give another database as the first argument, or --no-config to leave that file out.\n"
	for _, command := range [][]string{{"sql", "select 1 from t"}, {"call", "f", "1"}, {"logs"}, {"describe"}, {"subscribe", "select * from t"}, {"delete"}, {"env", "list"}} {
		want(t, u.fails(1, command...), "Error: failed to find database `gone-a`.\n", says)
	}
	u.write("spacetime.local.json", `{}`)
	want(t, u.fails(1, "logs"), "`shared-name`", "The name comes from "+filepath.Join(u.work, "spacetime.json")+": ")
	if text := u.fails(1, "logs", "--no-config", "shared-name"); strings.Contains(text, "The name comes from") {
		t.Errorf("--no-config: %s", text)
	}
}

// Options bare text is taken for.
func TestCallProcedureAnswer(t *testing.T) {
	spec.Covers(t, "09.50", "09.56")
	f := newFake(t)
	u := newUser(t)
	token, _ := tokenOf("c")
	u.setConfig(f.URL, fmt.Sprintf("spacetimedb_token = %q\n", token))
	base := "/v1/database/" + someIdentity
	const v9 = `{"typespace":{"types":[]},"tables":[],"reducers":[{"name":"r","params":{"elements":[]},"lifecycle":{"none":[]}}],"types":[],"misc_exports":[{"Procedure":{"name":"p","params":{"elements":[{"name":{"some":"a"},"algebraic_type":{"String":[]}}]},"return_type":{"String":[]}}}],"row_level_security":[]}`
	// the first answer of 400 makes the command ask for version 9
	f.schemaVersions(base, map[string]string{"9": v9})
	f.on("POST "+base+"/call/p", 200, "application/json", `["World"]`)
	f.on("POST "+base+"/call/r", 200, "text/plain", "ignored")
	r := u.run("call", someIdentity, "p", "x")
	wantEqual(t, r.stdout, "[\"World\"]\n")
	wantEqual(t, f.last().body, `["x"]`)
	wantEqual(t, f.last().header.Get("User-Agent"), "spacetimedb-cli/2.8.3")
	wantEqual(t, u.ok("call", someIdentity, "r"), "")
	wantEqual(t, strings.Join(f.asked()[:2], "\n"), "GET "+base+"/schema?version=10\nGET "+base+"/schema?version=9")
	// neither: the first answer is reported
	f.schemaVersions(base, nil)
	want(t, u.fails(1, "call", someIdentity, "r"), "Error: no version 10\n\nCaused by:\n    HTTP status client error (400 Bad Request) for url ("+f.URL+base+"/schema?version=10)")
}
