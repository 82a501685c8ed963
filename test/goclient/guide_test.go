package goclient

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/test/goclient/bindings"
)

// The snippets of docs/go-client.md, as they stand there but for what they are called
// with.

func connecting(ctx context.Context) error {
	conn, err := bindings.Dial(ctx, client.Options{URL: "http://localhost:3000", Database: "chat"})
	if err != nil {
		return err
	}
	defer conn.Close()
	return nil
}

func keepingIdentity(ctx context.Context, url, path string) error {
	token, err := client.LoadToken(path) // empty if there is none yet
	if err != nil {
		return err
	}
	conn, err := bindings.Dial(ctx, client.Options{URL: url, Database: "chat", Token: token})
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := client.SaveToken(path, conn.Token()); err != nil { // mode 0600
		return err
	}
	return nil
}

func rows(ctx context.Context, conn *bindings.Conn) error {
	q := bindings.Query
	sub, err := conn.Subscribe(ctx, q.User.Where(q.User.Online.Eq(true)), q.Message)
	if err != nil {
		return err // a *client.SubscriptionError says what the server does not like
	}
	defer sub.Unsubscribe(ctx)

	for m := range conn.Tables.Message.All() {
		fmt.Println(m.Text)
	}
	if me, ok := conn.Tables.User.Identity.Find(conn.Identity()); ok {
		fmt.Println("online:", me.Online)
	}

	items := conn.Tables.Item
	for i := range items.Grp.Filter(3) { // an index of one column
		fmt.Println(i.Id)
	}
	for i := range items.GrpValue.Range(bindings.ItemGrpValueKey{Grp: 3, Value: 10}, bindings.ItemGrpValueKey{Grp: 4}) {
		fmt.Println(i.Id, i.Value) // group 3 from 10 on, by ascending value
	}
	open := client.Semijoin(q.Item, q.Grp.Where(q.Grp.Open.Eq(true)), client.On(q.Item.Grp, q.Grp.Id))
	if _, err := conn.Subscribe(ctx, open); err != nil {
		return err
	}

	err = conn.View(func() error {
		fmt.Println(conn.Tables.User.Len(), "users,", conn.Tables.Message.Len(), "messages")
		return nil
	})
	return err
}

func calls(ctx context.Context, conn *bindings.Conn) error {
	cancel := conn.Tables.User.OnUpdate(func(ev *client.Event, old, new *bindings.User) {
		if args, ok := ev.Reducer.(bindings.SetNameArgs); ok {
			fmt.Println("renamed to", args.Name, "at", ev.Timestamp)
		}
		conn.Send.SendMessage("noticed") // does not wait
	})
	defer cancel()

	var err error
	err = conn.Reducers.SetName(ctx, "Ada") // waits for the outcome
	var refused *client.ReducerError
	switch {
	case errors.As(err, &refused):
		fmt.Println("the module says:", refused.Message)
	case errors.Is(err, client.ErrDisconnected):
		fmt.Println("nobody knows whether it has committed")
	case err != nil:
		return err // a *client.HostError: it could not run
	}

	call := conn.Send.SendMessage("hello") // does not wait
	if err := call.Wait(ctx); err != nil {
		return err
	}

	sum, err := conn.Procedures.AddUp(ctx, 40, nil)
	if err != nil {
		return err
	}
	fmt.Println(sum)

	users, err := client.QuerySQL[bindings.User](ctx, conn, "SELECT * FROM user WHERE online = TRUE")
	if err != nil {
		return err
	}
	fmt.Println(len(users))
	return nil
}

func breaking(url string) client.Options {
	options := client.Options{
		URL: url, Database: "chat",
		Reconnect: client.DefaultReconnect, // one second, doubling to 30
		OnState:   func(s client.State) { fmt.Println(s.Phase, s.Err) },
	}
	return options
}

func byHand(ctx context.Context, url string) error {
	type clock struct {
		Id uint8
		N  uint64
	}
	info := &client.TableInfo[clock]{Name: "clock", PrimaryKey: client.KeyOf(func(c *clock) uint8 { return c.Id })}
	conn, err := client.Dial(ctx, &client.Module{Tables: []client.TableDef{info}}, client.Options{URL: url, Database: "chat"})
	if err != nil {
		return err
	}
	defer conn.Close()
	clocks := client.KeyedTableOf(conn, info)
	if _, err := conn.SubscribeAll(ctx); err != nil {
		return err
	}
	fmt.Println(clocks.Len())
	return nil
}

func TestGuide(t *testing.T) {
	w := newWorld(t)
	ctx := within(t)
	if err := w.server.PublishLinked(ctx, "chat"); err != nil {
		t.Fatal(err)
	}
	conn := w.dial(client.Options{})
	if _, err := conn.SubscribeAll(ctx); err != nil {
		t.Fatal(err)
	}
	again, err := bindings.Dial(ctx, breaking(w.http.URL))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	path := filepath.Join(t.TempDir(), "token")
	for what, err := range map[string]error{
		"keeping the identity": errors.Join(keepingIdentity(ctx, w.http.URL, path), keepingIdentity(ctx, w.http.URL, path)),
		"rows":                 rows(ctx, conn), "calls": calls(ctx, conn), "by hand": byHand(ctx, w.http.URL),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := connecting(ctx); err != nil { // whether somebody listens there is not ours to say
		t.Log(err)
	}
}

// Every snippet of the page is code of this file.
func TestGuideSnippets(t *testing.T) {
	page, err := os.ReadFile("../../docs/go-client.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("guide_test.go")
	if err != nil {
		t.Fatal(err)
	}
	snippets := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(snippets) < 8 {
		t.Errorf("%d snippets", len(snippets))
	}
	for _, s := range snippets {
		indented := regexp.MustCompile(`(?m)^(.)`).ReplaceAllString(s[1], "\t$1")
		if !strings.Contains(string(source), indented) {
			t.Errorf("this snippet is not run:\n%s", s[1])
		}
	}
}
