package main

import (
	"testing"

	"github.com/stdbgo/spacetime/module/moduletest"
)

func TestNames(t *testing.T) {
	db := moduletest.New(t)
	alice := db.Connect(moduletest.User("alice"))
	if err := moduletest.Call(alice, SetName, SetNameArgs{}); err == nil || err.Error() != "Names must not be empty" {
		t.Errorf("an empty name: %v", err)
	}
	if err := moduletest.Call(alice, SetName, SetNameArgs{Name: "Alice"}); err != nil {
		t.Fatal(err)
	}
	alice.Disconnect()
	if u, ok := userByID.Find(db.Read(), alice.Identity); !ok || *u.Name != "Alice" || u.Online {
		t.Errorf("after leaving: %+v", u)
	}
	stranger := db.Owner() // not connected
	if err := moduletest.Call(stranger, SetName, SetNameArgs{Name: "x"}); err == nil || err.Error() != "Cannot set name for unknown user" {
		t.Errorf("a stranger: %v", err)
	}
}

func TestMessages(t *testing.T) {
	db := moduletest.New(t)
	alice := db.Connect(moduletest.User("alice"))
	if err := moduletest.Call(alice, SendMessage, SendMessageArgs{}); err == nil {
		t.Error("an empty message is sent")
	}
	if err := moduletest.Call(alice, SendMessage, SendMessageArgs{Text: "Hello, World!"}); err != nil {
		t.Fatal(err)
	}
	for m := range messages.All(db.Read()) {
		if m.Sender != alice.Identity || m.Text != "Hello, World!" || m.Sent == 0 {
			t.Errorf("message %+v", m)
		}
	}
	if n := messages.Count(db.Read()); n != 1 {
		t.Errorf("%d messages; want 1", n)
	}
}
