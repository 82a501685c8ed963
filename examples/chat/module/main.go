// The chat module: who is there, and what they said.
//
// As WebAssembly anybody can publish it (spacetime publish); go run . starts a
// server with it in the same process, under your debugger if you like.
package main

import (
	"errors"

	"github.com/stdbgo/spacetime/module"
)

// A User is somebody who has connected at least once.
type User struct {
	Identity module.Identity `stdb:"primarykey"`
	Name     *string         // nil until set
	Online   bool
}

// A Message is one line of the chat.
type Message struct {
	Sender module.Identity
	Sent   module.Timestamp
	Text   string
}

var (
	users    = module.NewTable[User]("user", module.Public)
	userByID = module.UniqueOf(users, func(u *User) *module.Identity { return &u.Identity })
	messages = module.NewTable[Message]("message", module.Public)
)

// What users read; the same words as in the chat modules of other languages.
var (
	errNoName  = errors.New("Names must not be empty")
	errUnknown = errors.New("Cannot set name for unknown user")
	errNoText  = errors.New("Messages must not be empty")
)

func init() {
	module.Reducer("set_name", SetName)
	module.Reducer("send_message", SendMessage)
	module.OnInit(func(*module.Context) error { return nil })
	module.OnConnect(connected)
	module.OnDisconnect(disconnected)
}

func main() { module.Main() }

// SetNameArgs are the arguments of set_name.
type SetNameArgs struct{ Name string }

// SetName gives the caller a display name.
func SetName(ctx *module.Context, args SetNameArgs) error {
	if args.Name == "" {
		return errNoName
	}
	user, ok := userByID.Find(ctx, ctx.Sender)
	if !ok {
		return errUnknown
	}
	ctx.Log().Info("User " + ctx.Sender.String() + " sets name to " + args.Name)
	user.Name = &args.Name
	_, err := userByID.Update(ctx, user)
	return err
}

// SendMessageArgs are the arguments of send_message.
type SendMessageArgs struct{ Text string }

// SendMessage adds a message of the caller.
func SendMessage(ctx *module.Context, args SendMessageArgs) error {
	if args.Text == "" {
		return errNoText
	}
	ctx.Log().Info("User " + ctx.Sender.String() + ": " + args.Text)
	_, err := messages.Insert(ctx, Message{Sender: ctx.Sender, Sent: ctx.Timestamp, Text: args.Text})
	return err
}

// connected marks the caller as online, whom it adds when they come first.
func connected(ctx *module.Context) error {
	user, ok := userByID.Find(ctx, ctx.Sender)
	if ok {
		user.Online = true
		_, err := userByID.Update(ctx, user)
		return err
	}
	_, err := users.Insert(ctx, User{Identity: ctx.Sender, Online: true})
	return err
}

func disconnected(ctx *module.Context) error {
	user, ok := userByID.Find(ctx, ctx.Sender)
	if !ok {
		return nil
	}
	user.Online = false
	_, err := userByID.Update(ctx, user)
	return err
}
