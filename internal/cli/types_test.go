package cli_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
)

// What a call sends for the words that were typed (spec 01 §4.10).
func TestCallRewritesArguments(t *testing.T) {
	spec.Covers(t, "01.50")
	f := newFake(t)
	u := newUser(t)
	token, _ := tokenOf("c")
	u.setConfig(f.URL, fmt.Sprintf("spacetimedb_token = %q\n", token))
	base := "/v1/database/" + someIdentity
	const identity = `{"Product":{"elements":[{"name":{"some":"__identity__"},"algebraic_type":{"U256":[]}}]}}`
	reducer := func(name, typ string) string {
		return `{"source_name":"` + name + `","params":{"elements":[{"name":{"some":"a"},"algebraic_type":` + typ +
			`}]},"visibility":{"ClientCallable":[]},"ok_return_type":{"Product":{"elements":[]}},"err_return_type":{"String":[]}}`
	}
	f.schemaVersions(base, map[string]string{"10": `{"sections":[{"Typespace":{"types":[]}},{"Reducers":[` +
		strings.Join([]string{reducer("who", identity), reducer("text", `{"String":[]}`), reducer("number", `{"U64":[]}`),
			reducer("list", `{"Array":`+identity+`}`), reducer("plain", `{"U256":[]}`)}, ",") + `]}]}`})
	id := "c200" + strings.Repeat("ab", 30)
	for _, c := range []struct{ reducer, arg, want string }{
		{"who", id, `[["0x` + id + `"]]`},
		{"who", `"` + id + `"`, `[["0x` + id + `"]]`},
		{"who", "0x" + id, `[["0x` + id + `"]]`},
		{"who", `"0x2a"`, `[["0x2a"]]`},
		{"who", `["0x` + id + `"]`, `[["0x` + id + `"]]`},
		{"who", `{"__identity__":"0x` + id + `"}`, `[{"__identity__":"0x` + id + `"}]`},
		{"who", strings.Repeat("0", 64), `[` + strings.Repeat("0", 64) + `]`}, // as it is
		{"text", "hello", `["hello"]`},
		{"text", `"hello"`, `["hello"]`},
		{"text", "7", `["7"]`},
		{"text", `a\nb`, `["a\nb"]`}, // its escapes count
		{"text", id, `["` + id + `"]`},
		{"number", "7", `[7]`},
		{"number", `"7"`, `["7"]`},
		{"list", `[["0x2a"]]`, `[[["0x2a"]]]`},
		{"list", id, `[` + id + `]`},
		{"plain", "0x" + id, `["0x` + id + `"]`}, // as wide, but no identity: a number alone
	} {
		f.on("POST "+base+"/call/"+c.reducer, 200, "text/plain", "")
		u.ok("call", someIdentity, c.reducer, c.arg)
		if last := f.last(); last.what != "POST "+base+"/call/"+c.reducer || last.body != c.want {
			t.Errorf("%s %s: sent %s, want %s", c.reducer, c.arg, last.body, c.want)
		}
	}
}

// Clearing the data of a database that is there, from the command line to the disk.
func TestPublishDeletesData(t *testing.T) {
	u := realUser(t)
	spec.Covers(t, "02.64")
	db := u.publish("kitchen")
	identity := u.identity(db)
	items := func() string { return u.ok("sql", db, "select name from item") }
	u.ok("call", db, "add_item", "spoon", "1", "1")

	// Nothing is lost as long as the database can be migrated.
	for _, mode := range []string{"--delete-data=on-conflict", "--delete-data=never"} {
		want(t, u.ok("publish", "-y", "-b", modulePath(t, "kitchen_added"), mode, db), "Updated database with name: "+db)
		want(t, items(), `"spoon"`)
	}
	broken := modulePath(t, "kitchen_broken")
	want(t, u.fails(1, "publish", "-y", "-b", broken, db), "manual migration", "--delete-data")
	want(t, items(), `"spoon"`)

	u.ok("lock", db)
	for _, mode := range []string{"-c", "--delete-data=on-conflict"} {
		want(t, u.fails(1, "publish", "-y", "-b", broken, mode, db), "403 Forbidden", "Database is locked")
	}
	want(t, items(), `"spoon"`)
	u.ok("unlock", db)

	initialised := func() int { return strings.Count(u.ok("logs", db), "Invoking `init` reducer") }
	want(t, u.ok("publish", "-y", "-b", broken, "--delete-data=on-conflict", db), "Updated database with name: "+db+", identity: "+identity)
	if out := items(); strings.Contains(out, "spoon") {
		t.Errorf("after clearing:\n%s", out)
	}
	if n := initialised(); n != 1 {
		t.Errorf("init ran %d times in the new database", n)
	}
	// always: although the program is the same
	u.ok("publish", "-y", "-b", modulePath(t, "kitchen"), "-c", db)
	u.ok("call", db, "add_item", "spoon", "1", "1")
	want(t, u.ok("publish", "-y", "-b", modulePath(t, "kitchen"), "--delete-data", db), "Updated database with name: "+db+", identity: "+identity)
	if out := items(); strings.Contains(out, "spoon") {
		t.Errorf("after clearing:\n%s", out)
	}
	if n := initialised(); n != 1 {
		t.Errorf("init ran %d times in the new database", n)
	}
}
