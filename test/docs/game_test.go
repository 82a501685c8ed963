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
