package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

const callQuery = "?stream_id=5&seq=2&ack_prefix=1&signature_hash=0100000000000000000000000000000000000000000000000000000000000000"

// Calls between databases need the token of their host, and answer with statuses of
// their own.
func TestCallFromDatabase(t *testing.T) {
	spec.Covers(t, "06.65")
	r := newRig(t)
	_, alice := r.identity()
	id := r.published("db", alice, "program")
	receiver, err := sats.ParseIdentity(id)
	if err != nil {
		t.Fatal(err)
	}
	sender := sats.Identity{7}
	token := func(to sats.Identity) string {
		t.Helper()
		text, err := r.auth.HostToken(sender, to)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	path := "/v1/database/" + id + "/call-from-database/"

	for name, bearer := range map[string]string{
		"no token": "", "a client's token": alice, "nonsense": "x", "another database's token": token(sender),
	} {
		if a := r.do("POST", path+"fine"+callQuery, bearer, "args"); a.status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	db := r.only()
	if len(db.received) > 0 {
		t.Fatalf("calls without a good token: %+v", db.received)
	}
	good := token(receiver)
	for _, tt := range []struct {
		reducer string
		status  int
		body    string
	}{
		{"fine", 200, ""}, {"refuses", 422, "not today"}, {"burns", 402, "Module energy budget exhausted."}, {"forgotten", 208, ""},
		{"early", 409, "IDC delivery is out of order: expected seq 2, got 2"}, {"stopped", 503, "no such module"},
	} {
		r.want(r.do("POST", path+tt.reducer+callQuery, good, "args"), tt.status, tt.body)
	}
	db.reject = &RejectedError{Message: "no entry"}
	r.want(r.do("POST", path+"fine"+callQuery, good, "args"), 422, "refused: no entry") // an outcome: the sender goes on
	db.reject = nil
	want := host.OutboxCall{Sender: sender, Target: receiver, Stream: 5, Seq: 2, AckedTo: 1, Reducer: "fine", Signature: sats.Hash{1}}
	got := db.received[0]
	args := string(got.Args)
	got.Args = nil
	if args != "args" || got.Sender != want.Sender || got.Target != want.Target || got.Stream != 5 || got.Seq != 2 || got.AckedTo != 1 ||
		got.Reducer != "fine" || got.Signature != want.Signature {
		t.Errorf("the call was %+v with %q; want %+v", got, args, want)
	}
	if a := r.do("GET", "/v1/identity/"+id+"/verify", good, ""); a.status != http.StatusUnauthorized {
		t.Errorf("a host token at another route: %d %s", a.status, a.body)
	}
	for _, query := range []string{"", "?stream_id=5", strings.Replace(callQuery, "seq=2", "seq=x", 1), strings.Replace(callQuery, "hash=01", "hash=", 1), callQuery + "&seq=3"} {
		if a := r.do("POST", path+"fine"+query, good, "args"); a.status != http.StatusBadRequest || a.body == "" {
			t.Errorf("query %q: %d %s", query, a.status, a.body)
		}
	}
	if a := r.do("POST", "/v1/database/"+sender.String()+"/call-from-database/fine"+callQuery, good, ""); a.status != http.StatusNotFound {
		t.Errorf("a database that is not there: %d %s", a.status, a.body)
	}
}

// The courier makes the request that the route understands, over HTTP/2, and reads
// the answers.
func TestCourier(t *testing.T) {
	r := newRig(t)
	_, alice := r.identity()
	receiver, err := sats.ParseIdentity(r.published("db", alice, "program"))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var versions []string
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Server{Protocols: &protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		mu.Lock()
		versions = append(versions, q.Proto)
		mu.Unlock()
		r.Handler().ServeHTTP(w, q)
	})}
	go func() { _ = web.Serve(listener) }()
	direct, posted := newCourier(r.auth), newCourier(r.auth)
	direct.server.Store(r.Server)
	posted.listens(listener.Addr())
	t.Cleanup(func() {
		posted.close()
		if err := web.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for name, k := range map[string]*courier{"direct": direct, "posted": posted} {
		for _, tt := range []struct {
			reducer string
			want    host.OutboxAnswer
			err     string
		}{
			{"fine", host.OutboxAnswer{Status: schema.ResultOk}, ""},
			{"refuses", host.OutboxAnswer{Status: schema.ResultErr, Text: "not today"}, ""},
			{"burns", host.OutboxAnswer{Status: schema.ResultBudget, Text: "Module energy budget exhausted."}, ""},
			{"forgotten", host.OutboxAnswer{Forgotten: true}, ""},
			{"early", host.OutboxAnswer{}, "IDC delivery is out of order: expected seq 2, got 3"},
			{"a.b/c?d", host.OutboxAnswer{}, "no such module"},
		} {
			c := &host.OutboxCall{Sender: sats.Identity{7}, Target: receiver, Stream: 1, Seq: 3, AckedTo: 2, Reducer: tt.reducer, Args: []byte("args")}
			answer, err := k.Deliver(t.Context(), c)
			var order *host.OutOfOrderError
			if errors.As(err, &order) != (tt.reducer == "early") {
				t.Errorf("%s, %s: the error is a %T", name, tt.reducer, err)
			}
			if tt.err == "" && (err != nil || answer != tt.want) || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("%s, %s: %+v, %v; want %+v, %q", name, tt.reducer, answer, err, tt.want, tt.err)
			}
		}
		if _, err := k.Deliver(t.Context(), &host.OutboxCall{Target: sats.Identity{9}, Reducer: "fine"}); err == nil || !strings.Contains(err.Error(), "no such database") && !strings.Contains(err.Error(), "404") {
			t.Errorf("%s: a database that is not there: %v", name, err)
		}
	}
	if len(versions) != 7 || versions[0] != "HTTP/2.0" {
		t.Errorf("requests over %v; want 7 over HTTP/2.0", versions)
	}
	for i, c := range r.only().received {
		if c.Sender != (sats.Identity{7}) || c.Stream != 1 || c.Seq != 3 || c.AckedTo != 2 || string(c.Args) != "args" {
			t.Errorf("call %d: %+v", i, c)
		}
	}
}

// only returns the one database that runs.
func (r *rig) only() *fakeDatabase {
	r.t.Helper()
	r.fake.mu.Lock()
	defer r.fake.mu.Unlock()
	for _, db := range r.fake.running {
		return db
	}
	r.t.Fatal("no database runs")
	return nil
}
