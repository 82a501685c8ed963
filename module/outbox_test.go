package module

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"golang.org/x/crypto/sha3"
)

type (
	letter struct {
		ID   uint64   `stdb:"primarykey,autoinc"`
		To   Identity `stdb:"target"`
		Text string
	}
	letterArgs struct{ Text string }
	twoTargets struct {
		A Identity `stdb:"target"`
		B Identity `stdb:"target"`
		C uint32   `stdb:"target"`
	}
	strangeArgs struct {
		Text int32
		Body string
	}
)

func onLetter(*Context, letter, error) error { return nil }
func onGood(*Context, goodRow, error) error  { return nil }

func TestOutboxProblems(t *testing.T) {
	r := declare(func() {
		table := NewTable[letter]("letter")
		Outbox[letterArgs](table, "receive")
		Outbox[letterArgs](table, "receive_again")
		OnResult(table, "answered", onLetter)
		OnResult(table, "answered_again", func(*Context, letter, error) error { return nil })
		OnResult(NewTable[goodRow]("plain"), "plainly", onGood)
		NewTable[letter]("no_outbox")
		Outbox[struct{}](NewTable[twoTargets]("two", Event), "bad.1")
		Outbox[struct{}](NewTable[goodRow]("none"), "receive")
		Outbox[strangeArgs](NewTable[letter]("strange"), "receive")
		Outbox[uint32](NewTable[letter]("number"), "receive")
		OnResult[letter](NewTable[letter]("nil"), "never", nil)
	})
	if _, err := r.Definition(); err == nil {
		t.Fatal("no problem was found")
	}
	text := strings.Join(r.problems, "\n")
	for _, want := range []string{
		`table "letter" (module.letter) is an outbox twice, for receive and receive_again`,
		`table "letter" (module.letter): OnResult needs a top-level function, not a closure or a method`,
		`table "letter" (module.letter) has two functions for results, answered and answered_again`,
		`table "plain" (module.goodRow): OnResult belongs to an outbox; call Outbox for the table`,
		`module.letter.To: the word target belongs to an outbox; call Outbox for the table "no_outbox"`,
		`table "two" (module.twoTargets) is an outbox and needs a primary key of type uint64`,
		`table "two" (module.twoTargets) is an outbox and cannot be an event table, which keeps no rows`,
		`table "two" (module.twoTargets): the name "bad.1" of the other database's reducer has the character '1'`,
		`module.twoTargets.B: the outbox "two" has the target module.twoTargets.A already`,
		"table \"none\" (module.goodRow) is an outbox and needs a field of type Identity with the tag `stdb:\"target\"`",
		`module.letter.Text is of type string, but the parameter Text of receive is of type int32`,
		`table "strange" (module.letter) has no column "body" for the parameter Body of receive; add a field, or name one with the tag`,
		`table "number" (module.letter): the parameters of the other database's reducer must be the fields of a struct, which uint32 is not`,
		`reducer "never": the function is nil`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the problems lack %q", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestKeccak(t *testing.T) {
	if got := keccak256(nil); hex.EncodeToString(got[:]) != "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470" {
		t.Errorf("of nothing: %x", got)
	}
	message := bytes.Repeat([]byte("abcdefg"), 100)
	for n := range len(message) {
		h := sha3.NewLegacyKeccak256()
		h.Write(message[:n])
		if got := keccak256(message[:n]); !bytes.Equal(got[:], h.Sum(nil)) {
			t.Fatalf("of %d bytes: %x; want %x", n, got, h.Sum(nil))
		}
	}
}
