// Command client is a chat in the terminal, on the bindings that
//
//	spacetime generate --lang go --out-dir examples/chat/client/chat --project-path examples/chat/module
//
// has written. Lines are said, "/name Ada" changes your name, Ctrl-D ends.
//
//	go run ./examples/chat/client -server http://127.0.0.1:3000 -db chat
package main

import (
	"bufio"
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/examples/chat/client/chat"
	"github.com/stdbgo/spacetime/sats"
)

func main() {
	var o client.Options
	dir, err := os.UserConfigDir()
	if err != nil {
		dir = "."
	}
	flag.StringVar(&o.URL, "server", "http://127.0.0.1:3000", "the server")
	flag.StringVar(&o.Database, "db", "chat", "the database")
	tokenFile := flag.String("token", filepath.Join(dir, "spacetime-chat", "token"), "file that keeps who you are")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o, *tokenFile, os.Stdin, os.Stdout); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

// run chats until the input, the connection or ctx ends.
func run(ctx context.Context, o client.Options, tokenFile string, in io.Reader, out io.Writer) error {
	var err error
	if o.Token, err = client.LoadToken(tokenFile); err != nil {
		return err
	}
	o.Reconnect = client.DefaultReconnect
	conn, err := chat.Dial(ctx, o)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := client.SaveToken(tokenFile, conn.Token()); err != nil {
		return err
	}

	say := func(m *chat.Message) { fmt.Fprintf(out, "%s: %s\n", name(conn, m.Sender), m.Text) }
	if _, err := conn.Subscribe(ctx, chat.Query.User, chat.Query.Message); err != nil {
		return err
	}
	history := slices.SortedFunc(conn.Tables.Message.All(), func(a, b *chat.Message) int { return cmp.Compare(a.Sent, b.Sent) })
	for _, m := range history {
		say(m)
	}
	conn.Tables.Message.OnInsert(func(_ *client.Event, m *chat.Message) { say(m) })
	conn.Tables.User.OnUpdate(func(_ *client.Event, old, new *chat.User) {
		switch {
		case old.Online != new.Online && new.Online:
			fmt.Fprintf(out, "* %s has come\n", name(conn, new.Identity))
		case old.Online != new.Online:
			fmt.Fprintf(out, "* %s has left\n", name(conn, new.Identity))
		case new.Name != nil:
			fmt.Fprintf(out, "* %s is now called %s\n", shown(old), *new.Name)
		}
	})

	lines := make(chan string)
	go func() { // ends with the program: a terminal cannot be interrupted
		defer close(lines)
		for s := bufio.NewScanner(in); s.Scan(); {
			lines <- s.Text()
		}
	}()
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				return nil
			}
			if err := speak(ctx, conn, strings.TrimSpace(line)); err != nil {
				fmt.Fprintln(out, "!", err)
			}
		case <-conn.Done():
			return conn.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// speak does what a line says.
func speak(ctx context.Context, conn *chat.Conn, line string) error {
	if name, ok := strings.CutPrefix(line, "/name"); ok {
		return conn.Reducers.SetName(ctx, strings.TrimSpace(name))
	}
	return conn.Reducers.SendMessage(ctx, line)
}

// name returns how somebody is called.
func name(conn *chat.Conn, id sats.Identity) string {
	if u, ok := conn.Tables.User.Identity.Find(id); ok {
		return shown(u)
	}
	return id.Abbreviated()
}

func shown(u *chat.User) string {
	if u.Name != nil {
		return *u.Name
	}
	return u.Identity.Abbreviated()
}
