package main

import (
	"errors"

	"github.com/stdbgo/spacetime/module"
)

// A Letter is a row of an outbox: a call of another database's reducer "receive".
type Letter struct {
	ID    uint64          `stdb:"primarykey,autoinc"`
	To    module.Identity `stdb:"target"`
	Text  string
	Where Point
}

// A Postcard is a row of an outbox without a function for results.
type Postcard struct {
	Text string
	To   module.Identity `stdb:"target"`
	ID   uint64          `stdb:"primarykey,autoinc"`
}

// ReceiveArgs are the parameters of the reducer that letters call, in another order than the columns.
type ReceiveArgs struct {
	Where Point
	Text  string
}

// A Received is a letter that has arrived.
type Received struct {
	N    uint64 `stdb:"primarykey,autoinc"`
	From module.Identity
	Text string
}

// An Outcome is what became of a letter.
type Outcome struct {
	ID      uint64 `stdb:"primarykey"`
	Failure string
}

var (
	letters   = module.NewTable[Letter]("letter")
	postcards = module.NewTable[Postcard]("postcard")
	received  = module.NewTable[Received]("received")
	outcomes  = module.NewTable[Outcome]("outcome")
)

func init() {
	module.Outbox[ReceiveArgs](letters, "receive")
	module.OnResult(letters, "letter_answered", LetterAnswered)
	module.Outbox[struct{ Text string }](postcards, "post.pin_up")
	module.Reducer("write_letter", WriteLetter)
	module.Reducer("write_postcard", WritePostcard)
	module.Reducer("receive", Receive)
}

// WriteLetter sends a letter.
func WriteLetter(ctx *module.Context, l Letter) error {
	_, err := letters.Insert(ctx, l)
	if err == nil && l.Text == "torn up" {
		err = errors.New("torn up")
	}
	return err
}

// WritePostcard sends a postcard.
func WritePostcard(ctx *module.Context, p Postcard) error {
	_, err := postcards.Insert(ctx, p)
	return err
}

// Receive takes a letter in.
func Receive(ctx *module.Context, args ReceiveArgs) error {
	if args.Where.X < 0 {
		return errors.New("no such place")
	}
	_, err := received.Insert(ctx, Received{From: ctx.Sender, Text: args.Text})
	return err
}

// LetterAnswered notes what became of a letter.
func LetterAnswered(ctx *module.Context, l Letter, failure error) error {
	o := Outcome{ID: l.ID}
	if failure != nil {
		o.Failure = failure.Error()
	}
	if ctx.Sender != (module.Identity{}) {
		o.Failure = "called by somebody"
	}
	_, err := outcomes.Insert(ctx, o)
	return err
}
