// Program readme is the module in the README: test/docs compares them.
package main

import (
	"errors"

	"github.com/stdbgo/spacetime/module"
)

type Message struct {
	Sender module.Identity
	Sent   module.Timestamp
	Text   string
}

var messages = module.NewTable[Message]("message", module.Public)

type SendMessageArgs struct{ Text string }

// SendMessage says something to everybody.
func SendMessage(ctx *module.Context, args SendMessageArgs) error {
	if args.Text == "" {
		return errors.New("Messages must not be empty")
	}
	_, err := messages.Insert(ctx, Message{Sender: ctx.Sender, Sent: ctx.Timestamp, Text: args.Text})
	return err
}

func init() { module.Reducer("send_message", SendMessage) }
func main() { module.Main() }
