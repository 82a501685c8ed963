package docs

import (
	"testing"
	"time"

	"github.com/stdbgo/spacetime/module"
	"github.com/stdbgo/spacetime/module/moduletest"
)

// The tests that docs/testing.md shows.

func TestJoin(t *testing.T) {
	db := moduletest.New(t)
	alice := db.Connect(moduletest.User("alice"))
	if err := moduletest.Call(alice, Join, JoinArgs{Name: "ada"}); err != nil {
		t.Fatal(err)
	}
	if p, ok := playerByName.Find(db.Read(), "ada"); !ok || p.ID != 1 {
		t.Errorf("the player is %+v", p)
	}
	if err := moduletest.Call(alice, Join, JoinArgs{}); err == nil || err.Error() != "a player needs a name" {
		t.Errorf("without a name: %v", err)
	}
}

func TestBreak(t *testing.T) {
	db := moduletest.New(t)
	alice := db.Connect(moduletest.User("alice"))
	for _, err := range []error{moduletest.Call(alice, Join, JoinArgs{Name: "ada"}), moduletest.Call(alice, Play, PlayArgs{Name: "ada"})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	db.Clock.Advance(time.Minute)
	if p, _ := playerByName.Find(db.Read(), "ada"); p.State != Idle {
		t.Error("ada still plays after a minute")
	}
}

func TestLeaders(t *testing.T) {
	db := moduletest.New(t)
	alice := db.Connect(moduletest.User("alice"))
	for _, name := range []string{"ada", "bob"} {
		if err := moduletest.Call(alice, Join, JoinArgs{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	if err := moduletest.Call(alice, Report, ReportArgs{Winner: "ada", Loser: "bob", Points: 12}); err != nil {
		t.Fatal(err)
	}
	rows, err := moduletest.Rows[Player](alice, "SELECT * FROM leaders")
	if err != nil || len(rows) != 1 || rows[0].Name != "ada" {
		t.Errorf("leaders %+v, %v", rows, err)
	}
}

func TestNotes(t *testing.T) {
	db := moduletest.New(t)
	alice, bob := db.Connect(moduletest.User("alice")), db.Connect(moduletest.User("bob"))
	if err := moduletest.Call(alice, Remember, RememberArgs{Text: "bob cheats"}); err != nil {
		t.Fatal(err)
	}
	for c, want := range map[*moduletest.Client]int{alice: 1, bob: 0} {
		if rows, err := moduletest.Rows[Note](c, "SELECT * FROM note"); err != nil || len(rows) != want {
			t.Errorf("%d notes, %v; want %d", len(rows), err, want)
		}
	}
}

func TestSayHello(t *testing.T) {
	db := moduletest.New(t)
	friend, heard := moduletest.User("friend"), ""
	moduletest.Remote(db, friend, "greet", func(_ module.Identity, args struct{ Text string }) error {
		heard = args.Text
		return nil
	})
	if err := moduletest.Call(db.Owner(), SayHello, SayHelloArgs{To: friend, Text: "hi"}); err != nil || heard != "hi" {
		t.Errorf("heard %q, %v", heard, err)
	}
}

func TestTotal(t *testing.T) {
	db := moduletest.New(t)
	total, err := moduletest.CallProcedure(db.Owner(), Total, TotalArgs{Team: "red"})
	if err != nil || total != 0 {
		t.Errorf("total %d, %v", total, err)
	}
}

func TestStandings(t *testing.T) {
	db := moduletest.New(t, moduletest.Env{"MOTTO": "play on"})
	resp, err := db.Do(&module.HTTPRequest{Method: "GET", URL: "/standings"})
	if err != nil || string(resp.Body) != "play on\n" {
		t.Errorf("%v, %v", resp, err)
	}
}
