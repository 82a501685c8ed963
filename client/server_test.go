package client_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/engine/wasm"
	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/server"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// A real is a server in this process with the chat module as database "chat".
type real struct {
	t       *testing.T
	running *server.Running
	http    http.Client
	owner   string
}

func startServer(t *testing.T) *real {
	t.Helper()
	dir := t.TempDir()
	running, err := server.Start(background, server.RunOptions{
		DataDir: dir, KeyDir: filepath.Join(dir, "keys"), ListenAddr: "127.0.0.1:0", NonInteractive: true,
		Version: "2.8.3", ExeName: "spacetime", ExePath: "/bin/spacetime", Stdin: strings.NewReader(""), Stdout: io.Discard,
		Engines: func(o server.EngineOptions) (map[host.ProgramKind]abi.Engine, error) {
			e, err := wasm.New(wasm.Options{CacheDir: o.CacheDir, Logger: o.Logger})
			return map[host.ProgramKind]abi.Engine{host.Wasm: e}, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &real{t: t, running: running}
	t.Cleanup(func() {
		r.http.CloseIdleConnections()
		if r.running != nil {
			r.shutdown()
		}
	})
	var identity struct{ Token string }
	r.ask(http.MethodPost, "/v1/identity", nil, &identity)
	r.owner = identity.Token
	program, err := os.ReadFile("../internal/host/testdata/chat1.wasm")
	if err != nil {
		t.Fatal(err)
	}
	r.ask(http.MethodPut, "/v1/database/chat", program, nil)
	return r
}

func (r *real) shutdown() {
	r.t.Helper()
	if err := r.running.Shutdown(); err != nil {
		r.t.Error(err)
	}
	r.running = nil
}

func (r *real) url() string { return "http://" + r.running.Addr().String() }

func (r *real) ask(method, path string, body []byte, v any) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(within(r.t), method, r.url()+path, bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if r.owner != "" {
		req.Header.Set("Authorization", "Bearer "+r.owner)
	}
	res, err := r.http.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		r.t.Fatalf("%s %s: %d %s %v", method, path, res.StatusCode, answer, err)
	}
	if v != nil {
		if err := json.Unmarshal(answer, v); err != nil {
			r.t.Fatalf("%s %s: %v in %s", method, path, err, answer)
		}
	}
}

func (r *real) dial(token string) *client.Conn {
	r.t.Helper()
	return dial(r.t, client.Options{URL: r.url(), Database: "chat", Token: token})
}

func str(s string) []byte { return sats.AppendString(nil, s) }

// message decodes a row of the table message.
func message(t *testing.T, row []byte) (sender sats.Identity, text string) {
	t.Helper()
	r := sats.NewReader(row)
	sender = r.Identity()
	_ = r.Timestamp()
	text = r.Str()
	if r.Err() != nil || r.Len() != 0 {
		t.Errorf("a row of %d bytes: %v, %d left", len(row), r.Err(), r.Len())
	}
	return sender, text
}

// A feed collects the messages that a subscription hands over.
type feed struct {
	t *testing.T

	mu     sync.Mutex
	events []string
	more   chan struct{}
}

func newFeed(t *testing.T) *feed { return &feed{t: t, more: make(chan struct{}, 1)} }

func (f *feed) handle(r client.Rows) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range r.Inserted.Len() {
		_, text := message(f.t, r.Inserted.At(i))
		f.events = append(f.events, fmt.Sprintf("%d+%s", r.Kind, text))
	}
	for i := range r.Deleted.Len() {
		_, text := message(f.t, r.Deleted.At(i))
		f.events = append(f.events, fmt.Sprintf("%d-%s", r.Kind, text))
	}
	select {
	case f.more <- struct{}{}:
	default:
	}
}

// want waits until exactly these events have been handed over.
func (f *feed) want(events ...string) {
	f.t.Helper()
	for end := time.After(patience); ; {
		f.mu.Lock()
		got := slices.Clone(f.events)
		f.mu.Unlock()
		if slices.Equal(got, events) {
			return
		}
		select {
		case <-f.more:
		case <-end:
			f.t.Fatalf("got  %q\nwant %q", got, events)
		}
	}
}

func TestServerIdentity(t *testing.T) {
	r := startServer(t)
	first, second := r.dial(""), r.dial("")
	if first.Identity() == second.Identity() || first.ConnectionID() == second.ConnectionID() {
		t.Error("two strangers are one")
	}
	again := r.dial(first.Token())
	if again.Identity() != first.Identity() || again.Token() != first.Token() || again.ConnectionID() == first.ConnectionID() {
		t.Errorf("with the token of %s: %s, %s", first.Identity(), again.Identity(), again.ConnectionID())
	}
	if again.Protocol() != client.V3 {
		t.Errorf("speaks %s", again.Protocol())
	}
	for _, test := range []struct {
		o      client.Options
		status int
		text   string
	}{
		{client.Options{URL: r.url(), Database: "nowhere"}, 404, "`nowhere` not found"},
		{client.Options{URL: r.url(), Database: "chat", Token: "x.y.z"}, 401, "Invalid token"},
	} {
		_, err := client.Dial(within(t), nil, test.o)
		var refused *client.DialError
		if !errors.As(err, &refused) || refused.Status != test.status || !strings.Contains(refused.Message, test.text) {
			t.Errorf("%s: %v", test.o.Database, err)
		}
	}
}

func TestServerCalls(t *testing.T) {
	r := startServer(t)
	c := r.dial("")
	if err := c.Call("send_message", str("hello")).Wait(within(t)); err != nil {
		t.Fatal(err)
	}
	var refused *client.ReducerError
	if err := c.Call("send_message", str("")).Wait(within(t)); !errors.As(err, &refused) || refused.Message != "Messages must not be empty" {
		t.Errorf("an empty message: %#v", err)
	}
	var unable *client.HostError
	if err := c.Call("no_such", nil).Wait(within(t)); !errors.As(err, &unable) || unable.Call != "no_such" || unable.Message != "no such reducer" {
		t.Errorf("an unknown reducer: %#v", err)
	}
	if err := c.Call("send_message", []byte{1}).Wait(within(t)); !errors.As(err, &unable) {
		t.Errorf("damaged arguments: %#v", err)
	}
	if err := c.Call("set_name", str("Ada")).Wait(within(t)); err != nil {
		t.Errorf("a call after those: %v", err)
	}
}

// Thousands of calls in flight take effect and are answered in their order.
func TestServerManyCalls(t *testing.T) {
	const n = 5000
	r := startServer(t)
	c := r.dial("")
	var inserted []string
	_, err := c.SubscribeRows(within(t), func(rows client.Rows) {
		for i := range rows.Inserted.Len() {
			_, text := message(t, rows.Inserted.At(i))
			inserted = append(inserted, text)
		}
	}, "SELECT * FROM message")
	if err != nil {
		t.Fatal(err)
	}
	var want, answered []string
	done := make(chan struct{})
	for i := range n {
		text := fmt.Sprintf("message %d", i)
		want = append(want, text)
		c.CallFunc("send_message", str(text), func(call *client.Call) {
			if call.Err() != nil {
				t.Error(call.Err())
			}
			if len(inserted) != len(answered)+1 {
				t.Errorf("%d results, %d rows", len(answered)+1, len(inserted))
			}
			if answered = append(answered, text); len(answered) == n {
				close(done)
			}
		})
	}
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("some calls have no end")
	}
	if !slices.Equal(answered, want) || !slices.Equal(inserted, want) {
		t.Error("the calls' order is not that of their effects or of their answers")
	}
}

func TestServerSubscription(t *testing.T) {
	r := startServer(t)
	ada, bob := r.dial(""), r.dial("")
	say := func(c *client.Conn, text string) {
		t.Helper()
		if err := c.Call("send_message", str(text)).Wait(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	say(ada, "before")
	f := newFeed(t)
	s, err := bob.SubscribeRows(within(t), f.handle, "SELECT * FROM message WHERE text <> 'hidden'", "SELECT * FROM message WHERE text = 'nothing'")
	if err != nil {
		t.Fatal(err)
	}
	f.want("0+before")
	say(ada, "hidden")
	say(ada, "theirs")
	f.want("0+before", "3+theirs")
	say(bob, "mine")
	f.want("0+before", "3+theirs", "2+mine") // before the call's Wait returned
	r.ask(http.MethodPost, "/v1/database/chat/sql", []byte("DELETE FROM message WHERE text <> 'mine'"), nil)
	f.want("0+before", "3+theirs", "2+mine", "3-before", "3-theirs")
	if err := s.Unsubscribe(within(t)); err != nil {
		t.Fatal(err)
	}
	f.want("0+before", "3+theirs", "2+mine", "3-before", "3-theirs", "1-mine")
	say(ada, "unheard")
	say(bob, "unheard")
	f.want("0+before", "3+theirs", "2+mine", "3-before", "3-theirs", "1-mine")

	var refused *client.SubscriptionError
	for _, query := range []string{"SELECT * FROM nothing", "SELECT nonsense", ""} {
		if _, err := bob.SubscribeRows(within(t), f.handle, query); !errors.As(err, &refused) || refused.Message == "" {
			t.Errorf("%q: %v", query, err)
		}
	}
	say(bob, "still connected")
}

// Subscribing again and again while others write: each message is in the initial
// rows or comes later, never both or neither.
func TestServerSubscribeWhileWriting(t *testing.T) {
	spec.Covers(t, "05.36", "08.41")
	r := startServer(t)
	const writers, each = 2, 1500
	var writing sync.WaitGroup
	for w := range writers {
		c := r.dial("")
		writing.Go(func() {
			free := make(chan struct{}, 50)
			var all sync.WaitGroup
			for i := range each {
				free <- struct{}{}
				all.Add(1)
				c.CallFunc("send_message", str(fmt.Sprintf("%d/%d", w, i)), func(call *client.Call) {
					if call.Err() != nil {
						t.Error(call.Err())
					}
					<-free
					all.Done()
				})
			}
			all.Wait()
		})
	}
	type reader struct {
		seen    map[string]int
		initial int
	}
	c := r.dial("")
	var readers []*reader
	for range 30 {
		rd := &reader{seen: map[string]int{}}
		readers = append(readers, rd)
		_, err := c.SubscribeRows(within(t), func(rows client.Rows) {
			if rows.Kind == client.Applied {
				rd.initial += rows.Inserted.Len()
			}
			for i := range rows.Inserted.Len() {
				_, text := message(t, rows.Inserted.At(i))
				rd.seen[text]++
			}
		}, "SELECT * FROM message")
		if err != nil {
			t.Fatal(err)
		}
	}
	writing.Wait()
	// What this call changes comes after everything that was written.
	if err := c.Call("send_message", str("the end")).Wait(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	racing := 0
	for i, rd := range readers {
		if rd.initial > 0 && rd.initial < writers*each {
			racing++
		}
		if len(rd.seen) != writers*each+1 {
			t.Errorf("subscription %d has %d messages, want %d; %d were initial", i, len(rd.seen), writers*each+1, rd.initial)
		}
		for text, n := range rd.seen {
			if n != 1 {
				t.Errorf("subscription %d has the message %s %d times", i, text, n)
			}
		}
	}
	if racing == 0 {
		t.Skip("no subscription was made while others wrote")
	}
}

// A server that shuts down ends the connection in order; calls fail and say so.
func TestServerShutdown(t *testing.T) {
	r := startServer(t)
	c := r.dial("")
	s, err := c.SubscribeRows(within(t), func(client.Rows) {}, "SELECT * FROM message")
	if err != nil {
		t.Fatal(err)
	}
	r.shutdown()
	select {
	case <-c.Done():
	case <-time.After(patience):
		t.Fatal("the connection goes on")
	}
	if err := c.Err(); !client.ClosedByServer(err) {
		t.Errorf("the connection: %v", err)
	}
	if !errors.Is(s.Err(), client.ErrDisconnected) {
		t.Errorf("the subscription: %v", s.Err())
	}
	if err := c.Call("send_message", str("x")).Wait(within(t)); !errors.Is(err, client.ErrDisconnected) {
		t.Errorf("a call: %v", err)
	}
}
