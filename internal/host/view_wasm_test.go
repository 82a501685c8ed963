package host

import (
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
)

// The views of a module that was made with the official SDK: rows, queries, options,
// senders, keys that were read, a panic.
func TestViewsOfAnSDKModule(t *testing.T) {
	spec.Covers(t, "03.41", "03.43", "08.34", "08.37")
	h := wasmHost(t, t.TempDir())
	db, err := h.Create(background, DatabaseInfo{Replica: 1, Identity: dbID, Owner: ownerID}, readModule(t, vectorModule("live.wasm")))
	if err != nil {
		t.Fatal(err)
	}
	call := func(name, args string) CallResult {
		t.Helper()
		res, err := db.CallReducer(background, &CallRequest{Caller: owner, Name: name, Args: []byte(args), ArgsJSON: true})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	ran := func(view string, n int) {
		t.Helper()
		if got := strings.Count(logsOf(t, db), "view "+view+" runs"); got != n {
			t.Errorf("the view %s ran %d times; want %d", view, got, n)
		}
	}
	call("add_person", `[1,"Ann",30]`)
	call("add_person", `[2,"Bob",70]`)
	call("add_person", `[3,"Cy",10]`)
	want(t, "pensioners", sqlText(t, db, "SELECT name FROM pensioners"), []string{`(name = "Bob")`})
	want(t, "kids", sqlText(t, db, "SELECT name FROM kids"), []string{`(name = "Cy")`})
	want(t, "my_account", sqlText(t, db, "SELECT * FROM my_account"), nil)
	call("add_person", `[9,"New",80]`)
	call("add_person", `[8,"Kim",8]`)
	call("add_account", `[["0x`+ownerID.String()+`"],10]`)
	ran("pensioners", 3)
	want(t, "pensioners", sqlText(t, db, "SELECT name FROM pensioners"), []string{`(name = "Bob")`, `(name = "New")`})
	want(t, "kids", sqlText(t, db, "SELECT name FROM kids"), []string{`(name = "Cy")`, `(name = "Kim")`})
	want(t, "my_account", sqlText(t, db, "SELECT balance FROM my_account"), []string{"(balance = 10)"})
	ran("pensioners", 3)

	call("set_switch", "[1,0]")
	want(t, "fragile", sqlText(t, db, "SELECT * FROM fragile"), []string{"(id = 1, mode = 0)"})
	call("set_switch", "[7,0]") // another key than the one that was read
	ran("fragile", 1)
	if res := call("set_switch", "[1,1]"); res.Status != Trapped {
		t.Errorf("a call that makes a view panic: %+v", res)
	}
	want(t, "fragile", sqlText(t, db, "SELECT * FROM fragile"), []string{"(id = 1, mode = 0)"})
	if res := call("set_switch", "[1,4]"); res.Status != Committed {
		t.Errorf("the call after a panic: %+v", res)
	}
	want(t, "fragile", sqlText(t, db, "SELECT * FROM fragile"), []string{"(id = 1, mode = 4)"})
	call("set_switch", "[2,0]")
	want(t, "doubled", sqlText(t, db, "SELECT * FROM doubled"), []string{"(id = 2, mode = 0)"})
	if res := call("set_switch", "[2,2]"); res.Status != Trapped || res.Message != "Error materializing view `doubled`: Error materializing view" {
		t.Errorf("two rows of one key: %+v", res)
	}
}
