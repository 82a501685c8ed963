package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/module"
	"github.com/stdbgo/spacetime/module/moduletest"
)

func TestModuletest(t *testing.T) {
	db := moduletest.New(t)
	read := db.Read()
	secretByID := func() (list []string) {
		for s := range secrets.All(read) {
			list = append(list, s.Text)
		}
		return list
	}
	if got := secretByID(); len(got) != 1 || got[0] != "made by init" {
		t.Errorf("after init: %q", got)
	}
	alice := db.Connect(moduletest.User("alice"))
	for i := range 10 {
		p := Player{Name: fmt.Sprint("p", i), Badge: uint32(100 + i), Seat: uint8(i), Level: int32(i / 2),
			Team: string(rune('a' + i%2)), Score: int64(10 * i), Color: Color(i % 3)}
		if err := moduletest.Call(alice, AddPlayer, p); err != nil {
			t.Fatal(err)
		}
	}
	// Reading between calls gives what reading in a call gives.
	if err := CheckIndexes(read, struct{}{}); err != nil {
		t.Error(err)
	}
	if read.Database() != moduletest.User("database") {
		t.Errorf("the database is %v", read.Database())
	}
	if err := moduletest.Call(alice, CheckIndexes, struct{}{}); err != nil {
		t.Error(err)
	}
	var failed *moduletest.CallError
	err := moduletest.Call(alice, Fail, struct{ How string }{"panic"})
	if !errors.As(err, &failed) || failed.Panic != "as you wish" || failed.Reducer != "fail" {
		t.Errorf("a panic: %v", err)
	}
	if err := moduletest.Call(alice, Fail, struct{ How string }{"error"}); err == nil || err.Error() != "as you wish" {
		t.Errorf("an error: %v", err)
	}
	if secrets.Count(read) != 1 {
		t.Errorf("failed calls have written: %q", secretByID())
	}
	alice.Disconnect()
	log := db.Log()
	if last := log[len(log)-1]; last.Function != "client_disconnected" || !strings.HasPrefix(last.Message, "gone") {
		t.Errorf("log %+v", last)
	}
}

func TestModuletestClock(t *testing.T) {
	db := moduletest.New(t)
	owner := db.Owner()
	begin := db.Clock.Now()
	plan := func(after time.Duration, note string) {
		t.Helper()
		err := moduletest.Call(owner, Plan, struct {
			After module.TimeDuration
			Note  string
		}{module.TimeDurationOf(after), note})
		if err != nil {
			t.Fatal(err)
		}
	}
	plan(time.Minute, "second")
	plan(30*time.Second, "first")
	count := func() uint64 { return secrets.Count(db.Read()) - 1 }
	for _, step := range []struct {
		d    time.Duration
		want uint64
	}{{29 * time.Second, 0}, {time.Second, 1}, {time.Hour, 2}} {
		db.Clock.Advance(step.d)
		if got := count(); got != step.want {
			t.Errorf("after %v %d rows have fired; want %d", db.Clock.Now().Sub(begin), got, step.want)
		}
	}
	if n := ticks.Count(db.Read()); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	plan(0, "at once")
	if got := count(); got != 3 {
		t.Errorf("%d rows have fired; want 3", got)
	}
	if err := moduletest.Call(db.Connect(moduletest.User("alice")), OnTick, Tick{ID: 9}); err == nil || !strings.Contains(err.Error(), "private") {
		t.Errorf("a client calls a scheduled reducer: %v", err)
	}
}

func TestReadOnly(t *testing.T) {
	db := moduletest.New(t)
	defer func() {
		if got := fmt.Sprint(recover()); got != "module: insert on table secret: nothing can be written here" {
			t.Error(got)
		}
	}()
	_, _ = secrets.Insert(db.Read(), Secret{ID: 3})
}

// A fresh database must cost so little that every test can have one.
func BenchmarkModuletestNew(b *testing.B) {
	for b.Loop() {
		moduletest.New(b)
	}
}
