package client_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/internal/wire"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
)

func TestDial(t *testing.T) {
	f := serve(t, (*peer).untilEnd)
	o := f.options()
	o.URL += "/behind/a/proxy/"
	o.Token = "mine"
	o.ConfirmedReads = client.ConfirmedNo
	c := dial(t, o)
	if c.Identity() != fakeIdentity || c.ConnectionID() != fakeConnectionID || c.Token() != "a token" || c.Protocol() != client.V3 {
		t.Errorf("%s %s %q %s", c.Identity(), c.ConnectionID(), c.Token(), c.Protocol())
	}
	r := <-f.requests
	if got := r.URL.String(); got != "/behind/a/proxy/v1/database/db/subscribe?compression=None&confirmed=false" {
		t.Errorf("asked for %s", got)
	}
	if got := r.Header.Get("Authorization"); got != "Bearer mine" {
		t.Errorf("Authorization: %q", got)
	}
	if got := r.Header.Get("Sec-Websocket-Protocol"); got != "v3.bsatn.spacetimedb,v2.bsatn.spacetimedb,v1.bsatn.spacetimedb" {
		t.Errorf("offered %q", got)
	}
	if err := c.Err(); err != nil {
		t.Errorf("a live connection has the error %v", err)
	}
}

func TestDialAddresses(t *testing.T) {
	f := serve(t, (*peer).untilEnd)
	for _, test := range []struct{ url, database, path string }{
		{"ws" + strings.TrimPrefix(f.URL, "http"), "db", "/v1/database/db/subscribe"},
		{f.URL, "a/b", "/v1/database/a%2Fb/subscribe"},
		{f.URL, "x?y", "/v1/database/x%3Fy/subscribe"},
	} {
		c, err := client.Dial(within(t), nil, client.Options{URL: test.url, Database: test.database})
		if err != nil {
			t.Fatal(err)
		}
		if got := (<-f.requests).URL.EscapedPath(); got != test.path {
			t.Errorf("%s %s: asked for %s", test.url, test.database, got)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestDialWrongOptions(t *testing.T) {
	for _, test := range []struct {
		o    client.Options
		want string
	}{
		{client.Options{URL: "http://h"}, "client: Options.Database is empty: give the name or identity of a database"},
		{client.Options{URL: "h:3000", Database: "db"}, `client: Options.URL "h:3000" must begin with http://, https://, ws:// or wss://`},
		{client.Options{URL: "127.0.0.1:3000", Database: "db"}, `client: Options.URL "127.0.0.1:3000" must begin with http://, https://, ws:// or wss://`},
		{client.Options{Database: "db"}, `client: Options.URL "" must begin with http://, https://, ws:// or wss://`},
		{client.Options{URL: "http://h\x00", Database: "db"}, "client: Options.URL: parse "},
	} {
		_, err := client.Dial(background, nil, test.o)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %s", test.o, err, test.want)
		}
	}
}

// What is no connection says so with the server's words.
func TestDialRefused(t *testing.T) {
	status, body := 404, " No such database \n"
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	defer s.Close()
	for _, test := range []struct {
		status     int
		body, text string
	}{
		{404, " No such database \n", "No such database"},
		{401, "", "Unauthorized"},
		{200, "not here", "not here"},
		{500, strings.Repeat("x", 5000), strings.Repeat("x", 1024)},
	} {
		status, body = test.status, test.body
		_, err := client.Dial(within(t), nil, client.Options{URL: s.URL, Database: "db"})
		var refused *client.DialError
		if !errors.As(err, &refused) || refused.Status != test.status || refused.Message != test.text || !strings.Contains(refused.Error(), "/v1/database/db/subscribe") {
			t.Errorf("status %d: %v", test.status, err)
		}
	}
}

func TestDialNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = client.Dial(within(t), nil, client.Options{URL: "http://" + addr, Database: "db"})
	var op *net.OpError
	if !errors.As(err, &op) || !strings.HasPrefix(err.Error(), "client: http://"+addr+" cannot be reached: ") || strings.Contains(err.Error(), "compression=") {
		t.Errorf("got %v", err)
	}
}

func TestDialFirstMessage(t *testing.T) {
	mute := func(f *fake) { f.mute = true }
	for name, test := range map[string]struct {
		script func(*peer)
		want   string
	}{
		"none":       {func(*peer) {}, "client: the server ended the connection at once, as when the module refuses a client: "},
		"close":      {func(p *peer) { _ = p.ws.Close(websocket.StatusPolicyViolation, "no") }, "client: the server ended the connection at once, as when the module refuses a client: "},
		"empty":      {func(p *peer) { p.send() }, "client: the server's first message is empty"},
		"another":    {func(p *peer) { p.send(&v2.TransactionUpdate{}) }, "client: the server's first message is a *v2.TransactionUpdate"},
		"garbage":    {func(p *peer) { p.raw([]byte{0, 99}) }, "client: a message of the server does not decode: "},
		"compressed": {func(p *peer) { p.raw([]byte{7, 1}) }, "wire: "},
		"text": {func(p *peer) {
			_ = p.ws.Write(background, websocket.MessageText, []byte("hello"))
		}, "client: the server sent text, which the protocol does not have"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client.Dial(within(t), nil, serve(t, test.script, mute).options())
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
	t.Run("late", func(t *testing.T) {
		var err error
		for limit := 50 * time.Millisecond; limit < patience; limit *= 4 { // the handshake takes a part of it
			ctx, cancel := context.WithTimeout(background, limit)
			_, err = client.Dial(ctx, nil, serve(t, (*peer).untilEnd, mute).options())
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "waiting for the server's first message") {
				break
			}
		}
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "waiting for the server's first message") {
			t.Errorf("got %v", err)
		}
	})
}

func TestDialForeignProtocol(t *testing.T) {
	f := serve(t, (*peer).untilEnd, func(f *fake) { f.protocol = wire.V1Binary })
	o := f.options()
	o.Protocols = []client.Protocol{client.V3, client.V2}
	_, err := client.Dial(within(t), nil, o)
	if err == nil || !strings.Contains(err.Error(), "speaks the subprotocol") {
		t.Errorf("got %v", err)
	}
}

func TestMessageTooLong(t *testing.T) {
	f := serve(t, func(p *peer) {
		p.send(&v2.SubscriptionError{Error: strings.Repeat("x", 2000)})
		p.untilEnd()
	})
	o := f.options()
	o.MaxMessage = 1000
	c := dial(t, o)
	<-c.Done()
	if err := c.Err(); err == nil || client.ClosedByServer(err) {
		t.Errorf("ended with %v", err)
	}
}
