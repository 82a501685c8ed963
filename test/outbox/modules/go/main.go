// Command go is a module whose databases write letters to each other. It is what the other languages' modules of this
// test are, too.
package main

import (
	"errors"

	"github.com/stdbgo/spacetime/module"
)

// A Letter waits for its delivery.
type Letter struct {
	ID   uint64          `stdb:"primarykey,autoinc"`
	To   module.Identity `stdb:"target"`
	N    uint64
	Text string
}

// ReceiveArgs are the parameters of the reducer that letters call.
type ReceiveArgs struct {
	N    uint64
	Text string
}

// A Sent is a letter that was sent.
type Sent struct {
	ID   uint64 `stdb:"primarykey,autoinc"`
	To   module.Identity
	N    uint64
	Text string
}

// A Got is a letter that has arrived.
type Got struct {
	ID     uint64 `stdb:"primarykey,autoinc"`
	Sender module.Identity
	N      uint64
	Text   string
}

// An Outcome is what became of a letter.
type Outcome struct {
	ID      uint64 `stdb:"primarykey,autoinc"`
	N       uint64
	Failure string
}

var (
	letters  = module.NewTable[Letter]("letter")
	sent     = module.NewTable[Sent]("sent", module.Public)
	got      = module.NewTable[Got]("got", module.Public)
	outcomes = module.NewTable[Outcome]("outcome", module.Public)
)

func init() {
	module.Outbox[ReceiveArgs](letters, "receive")
	module.OnResult(letters, "answered", Answered)
	module.Reducer("send", Send)
	module.Reducer("receive", Receive)
}

// SendArgs are the parameters of Send.
type SendArgs struct {
	To   module.Identity
	N    uint64
	Text string
}

// Send writes a letter, and notes it.
func Send(ctx *module.Context, a SendArgs) error {
	if _, err := sent.Insert(ctx, Sent{To: a.To, N: a.N, Text: a.Text}); err != nil {
		return err
	}
	if _, err := letters.Insert(ctx, Letter{To: a.To, N: a.N, Text: a.Text}); err != nil {
		return err
	}
	if a.Text == "torn up" {
		return errors.New("torn up")
	}
	return nil
}

// Receive takes a letter in.
func Receive(ctx *module.Context, a ReceiveArgs) error {
	if _, err := got.Insert(ctx, Got{Sender: ctx.Sender, N: a.N, Text: a.Text}); err != nil {
		return err
	}
	switch a.Text {
	case "refuse":
		return errors.New("refused")
	case "panic":
		panic("in the receiver")
	}
	return nil
}

// Answered notes what became of a letter.
func Answered(ctx *module.Context, l Letter, failure error) error {
	o := Outcome{N: l.N}
	if failure != nil {
		o.Failure = failure.Error()
	}
	if _, err := outcomes.Insert(ctx, o); err != nil {
		return err
	}
	if l.Text == "bad callback" {
		return errors.New("no, thanks")
	}
	return nil
}

func main() { module.Main() }
