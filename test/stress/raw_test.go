package stress

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/coder/websocket"

	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	"github.com/stdbgo/spacetime/sats"
)

// A raw client speaks version 1, binary or JSON. Its one cache holds the rows of
// all its queries together: what the protocol tells.
type raw struct {
	w      *world
	json   bool
	ws     *websocket.Conn
	random *rand.Rand
	done   chan struct{}
	held   map[uint32]string // queries by id
	next   uint32

	mu      sync.Mutex
	rows    map[string]bag // by table
	clock   int64
	applied chan uint32 // ids of answers
	closing bool
}

const clockQuery = "SELECT * FROM clock"

func (w *world) raw(seed uint64) *raw {
	r := &raw{
		w: w, json: seed%2 == 1, random: rand.New(rand.NewPCG(seed, 3)), done: make(chan struct{}),
		held: map[uint32]string{}, rows: map[string]bag{}, clock: -1, applied: make(chan uint32, 1),
	}
	protocol := wire.V1Binary
	if r.json {
		protocol = wire.V1JSON
	}
	url := "ws" + strings.TrimPrefix(w.http.URL, "http") + "/v1/database/" + database + "/subscribe?compression=None"
	var err error
	r.ws, _, err = websocket.Dial(w.ctx, url, &websocket.DialOptions{Subprotocols: []string{protocol.String()}, HTTPHeader: http.Header{}})
	if err != nil {
		w.t.Fatal(err)
	}
	r.ws.SetReadLimit(1 << 30)
	go r.read()
	r.subscribe(clockQuery)
	return r
}

func (r *raw) close() { r.end(func() { _ = r.ws.Close(websocket.StatusNormalClosure, "") }) }
func (r *raw) abort() { r.end(func() { _ = r.ws.CloseNow() }) }

func (r *raw) end(how func()) {
	r.mu.Lock()
	r.closing = true
	r.mu.Unlock()
	how()
	<-r.done
}

func (r *raw) send(m wire.ClientMessage) {
	kind, b := websocket.MessageBinary, v1.AppendClient(nil, m)
	if r.json {
		kind, b = websocket.MessageText, clientJSON(m)
	}
	if err := r.ws.Write(r.w.ctx, kind, b); err != nil {
		r.w.t.Error(err)
	}
}

func clientJSON(m wire.ClientMessage) []byte {
	var v any
	switch m := m.(type) {
	case *wire.SubscribeMulti:
		v = map[string]any{"SubscribeMulti": map[string]any{"query_strings": m.Queries, "request_id": m.RequestID, "query_id": map[string]any{"id": m.QueryID}}}
	case *wire.UnsubscribeMulti:
		v = map[string]any{"UnsubscribeMulti": map[string]any{"request_id": m.RequestID, "query_id": map[string]any{"id": m.QueryID}}}
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func (r *raw) subscribe(query string) {
	id := r.next
	r.next++
	r.send(&wire.SubscribeMulti{Queries: []string{query}, RequestID: id, QueryID: id})
	r.wait(id)
	r.held[id] = query
}

func (r *raw) wait(id uint32) {
	select {
	case got := <-r.applied:
		if got != id {
			r.w.t.Errorf("the answer to %d came for %d", got, id)
		}
	case <-r.done:
	case <-r.w.ctx.Done():
		r.w.t.Error("no answer to a subscription of version 1")
	}
}

// join subscribes to a query that the client has not: version 1 tells the rows of
// a query that is held twice only once.
func (r *raw) join() {
	for {
		q := query(r.random)
		if !slices.Contains(slices.Collect(maps.Values(r.held)), q) {
			r.subscribe(q)
			return
		}
	}
}

func (r *raw) leave() {
	for id, q := range r.held {
		if q != clockQuery {
			r.send(&wire.UnsubscribeMulti{RequestID: id, QueryID: id})
			r.wait(id)
			delete(r.held, id)
			return
		}
	}
}

func (r *raw) run(stop <-chan struct{}) {
	for !r.w.t.Failed() {
		select {
		case <-stop:
			return
		case <-r.done:
			return
		default:
		}
		if len(r.held) > 5 || r.random.IntN(3) == 0 {
			r.leave()
		} else {
			r.join()
		}
	}
}

// read takes messages until the connection ends.
func (r *raw) read() {
	defer close(r.done)
	for {
		kind, b, err := r.ws.Read(context.Background())
		if err != nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			if !r.closing {
				r.w.t.Errorf("a connection of version 1: %v", err)
			}
			return
		}
		if kind == websocket.MessageText {
			err = r.text(b)
		} else {
			err = r.binary(b[1:]) // behind the byte that says how it is compressed
		}
		if err != nil {
			r.w.t.Error(err)
		}
	}
}

func (r *raw) binary(b []byte) error {
	m, err := v1.DecodeServer(b)
	if err != nil {
		return err
	}
	var u v1.DatabaseUpdate
	switch m := m.(type) {
	case *v1.TransactionUpdate:
		u = m.Status.Update
	case *v1.TransactionUpdateLight:
		u = m.Update
	case *v1.SubscribeMultiApplied:
		defer r.answer(m.RequestID)
		u = m.Update
	case *v1.SubscriptionError:
		return fmt.Errorf("version 1: %s", m.Error)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range u.Tables {
		for _, f := range t.Updates {
			fr := sats.NewReader(f)
			deletes, inserts := v1.ReadQueryUpdate(fr)
			if err := fr.Err(); err != nil {
				return err
			}
			var del, ins []string
			for i := range deletes.Len() {
				s, err := text(t.TableName, deletes.At(i))
				if err != nil {
					return err
				}
				del = append(del, s)
			}
			for i := range inserts.Len() {
				s, err := text(t.TableName, inserts.At(i))
				if err != nil {
					return err
				}
				ins = append(ins, s)
			}
			r.change(t.TableName, del, ins)
		}
	}
	return nil
}

func (r *raw) answer(id uint32) {
	select {
	case r.applied <- id:
	case <-r.w.ctx.Done():
	}
}

// change takes a fragment. An update of several queries may mention a row in one
// before its other copy vanishes in another, so only the clock is checked here.
func (r *raw) change(table string, deletes, inserts []string) {
	rows := r.rows[table]
	if rows == nil {
		rows = bag{}
		r.rows[table] = rows
	}
	for _, s := range deletes {
		rows.add(s, -1)
	}
	for _, s := range inserts {
		rows.add(s, 1)
		var id, n int64
		if table == "clock" {
			if _, err := fmt.Sscanf(s, "[%d,%d]", &id, &n); err != nil || r.clock >= 0 && n != r.clock+1 {
				r.w.t.Errorf("version 1: transaction %s after %d: %v", s, r.clock, err)
			}
			r.clock = n
		}
	}
	for row, n := range rows {
		if n < 0 {
			r.w.t.Errorf("version 1: row %s of %s is there %d times", row, table, n)
		}
	}
}

// A tableJSON is the part of messages that holds rows.
type tableJSON struct {
	Name    string `json:"table_name"`
	Updates []struct{ Deletes, Inserts []string }
}

func (r *raw) text(b []byte) error {
	var m struct {
		TransactionUpdate *struct {
			Status struct{ Committed *struct{ Tables []tableJSON } }
		}
		TransactionUpdateLight                         *struct{ Update struct{ Tables []tableJSON } }
		SubscribeMultiApplied, UnsubscribeMultiApplied *struct {
			RequestID uint32 `json:"request_id"`
			Update    struct{ Tables []tableJSON }
		}
		SubscriptionError *struct{ Error string }
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return fmt.Errorf("%w in %s", err, b)
	}
	var tables []tableJSON
	switch {
	case m.TransactionUpdate != nil:
		if c := m.TransactionUpdate.Status.Committed; c != nil {
			tables = c.Tables
		}
	case m.TransactionUpdateLight != nil:
		tables = m.TransactionUpdateLight.Update.Tables
	case m.SubscribeMultiApplied != nil:
		defer r.answer(m.SubscribeMultiApplied.RequestID)
		tables = m.SubscribeMultiApplied.Update.Tables
	case m.UnsubscribeMultiApplied != nil:
		defer r.answer(m.UnsubscribeMultiApplied.RequestID)
		tables = m.UnsubscribeMultiApplied.Update.Tables
	case m.SubscriptionError != nil:
		return fmt.Errorf("version 1: %s", m.SubscriptionError.Error)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range tables {
		for _, u := range t.Updates {
			deletes, err := positional(u.Deletes)
			if err != nil {
				return err
			}
			inserts, err := positional(u.Inserts)
			if err != nil {
				return err
			}
			r.change(t.Name, deletes, inserts)
		}
	}
	return nil
}

// positional turns rows, whose columns may be named, into arrays.
func positional(rows []string) ([]string, error) {
	out := make([]string, len(rows))
	for i, s := range rows {
		if out[i] = s; !strings.HasPrefix(s, "{") {
			continue
		}
		d := json.NewDecoder(strings.NewReader(s))
		var columns []string
		for depth := 0; ; {
			t, err := d.Token()
			if err != nil {
				return nil, fmt.Errorf("row %s: %w", s, err)
			}
			if _, ok := t.(json.Delim); ok {
				if depth++; depth == 2 {
					break
				}
				continue
			}
			var column json.RawMessage
			if err := d.Decode(&column); err != nil {
				return nil, fmt.Errorf("row %s: %w", s, err)
			}
			columns = append(columns, string(column))
		}
		out[i] = "[" + strings.Join(columns, ",") + "]"
	}
	return out, nil
}

// check compares the cache with SQL. Nobody writes any more.
func (r *raw) check() {
	r.leave()
	r.join() // an answer: all that was before it has arrived
	r.mu.Lock()
	defer r.mu.Unlock()
	got, want := bag{}, bag{}
	for table, rows := range r.rows {
		for row, n := range rows {
			got.add(table+row, n)
		}
	}
	for _, q := range r.held {
		table := strings.Fields(strings.ReplaceAll(q, " * FROM", ""))[1]
		table = strings.TrimSuffix(table, ".*")
		for row, n := range r.w.sql(q) {
			want.add(table+row, n)
		}
	}
	if d := diff(got, want); d != "" {
		r.w.t.Errorf("version 1, json %t: %v\n%s", r.json, r.held, d)
	}
}
