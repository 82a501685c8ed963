package host

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// outboxOf makes a table of (id u64, to, …) an outbox: args are the columns of
// the arguments, and callback, if any, is told the results.
func outboxOf(remote string, signature sats.Hash, args []schema.ColID, callback string) tableOption {
	return func(m *fakeModule, t *schema.RawTableV10) {
		primary(0)(m, t)
		autoInc(0)(m, t)
		o := schema.RawOutbox{Table: t.SourceName, RemoteReducer: remote, TargetCol: 1, ArgCols: args, SignatureHash: signature}
		if callback != "" {
			o.OnResult = sats.Named(callback)
		}
		sec := m.section(schema.SecOutboxes)
		sec.Outboxes = append(sec.Outboxes, o)
	}
}

var (
	letterCols    = params(sats.E("id", sats.U64), sats.E("to", sats.IdentityType), sats.E("body", sats.String))
	receiveParams = params(sats.E("id", sats.U64), sats.E("body", sats.String))
)

// receiveHash is the signature of the reducer that the letters go to.
func receiveHash() sats.Hash {
	p := sats.Product(receiveParams...)
	return (&schema.ReducerDef{Typespace: &sats.Typespace{}, Params: p, ParamCols: p}).SignatureHash()
}

// post is a module whose databases write to each other. The body of a letter says
// what becomes of it.
func post(name string) *fakeModule {
	hash, args := receiveHash(), []schema.ColID{0, 2}
	m := newFake(name).
		addTable("letter", letterCols, outboxOf("receive", hash, args, "answered")). // type 0
		addTable("quiet", letterCols, outboxOf("receive", hash, args, "")).
		addTable("odd", letterCols, outboxOf("receive", sats.Hash{1}, args, "odd_answered")). // type 2
		addTable("got", params(sats.E("n", sats.U64), sats.E("sender", sats.IdentityType), sats.E("id", sats.U64), sats.E("body", sats.String)), primary(0), autoInc(0)).
		addTable("outcome", params(sats.E("n", sats.U64), sats.E("id", sats.U64), sats.E("text", sats.String)), primary(0), autoInc(0))
	for _, table := range []string{"letter", "quiet", "odd"} {
		m.reducer("send_"+table, letterCols, func(c *fakeCall) error {
			if err := c.insert(table, c.Args); err != nil {
				return err
			}
			if bytes.HasSuffix(c.Args, []byte("rolled back")) {
				return userError("no")
			}
			return nil
		})
	}
	m.reducer("drop", params(sats.E("id", sats.U64)), func(c *fakeCall) error {
		_, err := c.Tx.DeletePoint(c.table("letter").Indexes[0].ID, c.Args)
		return err
	})
	m.reducer("receive", receiveParams, receiveLetter)
	m.function("hidden", schema.VisibilityPrivate, receiveParams, receiveLetter)
	result := sats.Result(sats.Unit, sats.String)
	for ref, name := range []string{"answered", "", "odd_answered"} {
		if name != "" {
			m.reducer(name, params(sats.E("row", sats.Ref(uint32(ref))), sats.E("result", result)), answered)
		}
	}
	return m
}

func receiveLetter(c *fakeCall) error {
	r := sats.NewReader(c.Args)
	id, body := r.U64(), r.Str()
	if c.Conn.IsZero() {
		return trapError("no connection")
	}
	row := sats.AppendString(sats.AppendU64(c.Sender.AppendBSATN(u64(0)), id), body)
	if err := c.insert("got", row); err != nil {
		return err
	}
	switch {
	case strings.HasPrefix(body, "refuse "):
		return userError(body)
	case body == "trap":
		return trapError("boom")
	case body == "energy":
		return errNoEnergy
	}
	return nil
}

func answered(c *fakeCall) error {
	r := sats.NewReader(c.Args)
	id, _, body := r.U64(), r.Identity(), r.Str()
	text := "ok"
	if r.Tag(2) == resultErr {
		text = r.Str()
	}
	if !c.Sender.IsZero() || !c.Conn.IsZero() {
		text = "called by somebody"
	}
	if err := c.insert("outcome", sats.AppendString(append(u64(0), u64(id)...), text)); err != nil {
		return err
	}
	switch {
	case strings.Contains(body, "callback refuses"):
		return userError("callback")
	case strings.Contains(body, "callback traps"):
		return trapError("callback")
	}
	return nil
}

// A postman carries the calls of a test's databases.
type postman struct {
	mu    sync.Mutex
	route map[sats.Identity]*Database
	// before and after may fail an attempt: before it reaches the receiver, or when the
	// answer is on its way.
	before, after func(*OutboxCall) error
	calls         []string
	conns         byte
}

var errNoRoute = errors.New("404 Not Found: no such database")

func (p *postman) Deliver(ctx context.Context, c *OutboxCall) (OutboxAnswer, error) {
	p.mu.Lock()
	db, before, after := p.route[c.Target], p.before, p.after
	p.calls = append(p.calls, fmt.Sprintf("%d: %s", c.Seq, c.Reducer))
	p.conns++
	conn := sats.ConnectionID{p.conns, 1}
	p.mu.Unlock()
	if before != nil {
		if err := before(c); err != nil {
			return OutboxAnswer{}, err
		}
	}
	if db == nil {
		return OutboxAnswer{}, errNoRoute
	}
	// As over a network: who has asked does not have to wait for the end.
	type result struct {
		OutboxAnswer
		err error
	}
	ended := make(chan result, 1)
	go func() {
		answer, err := db.Receive(ctx, c, conn)
		ended <- result{answer, err}
	}()
	select {
	case r := <-ended:
		if r.err == nil && after != nil {
			r.err = after(c)
		}
		return r.OutboxAnswer, r.err
	case <-ctx.Done():
		return OutboxAnswer{}, context.Cause(ctx)
	}
}

// attempts returns how many calls were made.
func (p *postman) attempts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.calls)
}

func (p *postman) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

var (
	leftID  = sats.Identity{0xa1}
	rightID = sats.Identity{0xb2}
)

// A pair is two databases in one host.
type pair struct {
	*world
	post        *postman
	left, right *Database
}

func newPair(t *testing.T, m *fakeModule) *pair {
	w := newWorld(t)
	p := &pair{world: w, post: &postman{route: map[sats.Identity]*Database{}}}
	w.stop()
	w.opts.Courier = p.post
	w.start()
	p.left, p.right = p.database(1, leftID, m), p.database(2, rightID, m)
	return p
}

// database creates a database of the module.
func (p *pair) database(replica uint64, id sats.Identity, m *fakeModule) *Database {
	p.t.Helper()
	db, err := p.host.Create(background, DatabaseInfo{Replica: replica, Identity: id, Owner: ownerID}, p.engine.register(m))
	if err != nil {
		p.t.Fatal(err)
	}
	p.post.set(func() { p.post.route[id] = db })
	return db
}

// send puts a row into an outbox of the left database.
func (p *pair) send(table string, id uint64, to sats.Identity, body string) {
	p.t.Helper()
	p.call(p.left, alice, "send_"+table, u64(id), to.AppendBSATN(nil), str(body))
}

// A gotLetter is a letter that has arrived.
type gotLetter struct {
	n      uint64
	sender sats.Identity
	id     uint64
	body   string
}

// got returns the letters that have arrived, in their order.
func (p *pair) got(db *Database) []gotLetter {
	v := db.View()
	defer v.Close()
	var list []gotLetter
	for row := range v.Scan(v.TableByName("got").ID) {
		r := sats.NewReader(row)
		list = append(list, gotLetter{r.U64(), r.Identity(), r.U64(), r.Str()})
	}
	slices.SortFunc(list, func(a, b gotLetter) int { return cmp.Compare(a.n, b.n) })
	return list
}

// settled waits until the left database has nothing to deliver.
func (p *pair) settled() {
	p.t.Helper()
	eventually(p.t, "the end of all deliveries", func() bool { return len(p.rows(p.left, "st_outbound_msg")) == 0 })
}

// pendingRetry waits until an attempt has failed and the next is due after d.
func (p *pair) pendingRetry(d time.Duration) {
	p.t.Helper()
	eventually(p.t, fmt.Sprintf("another attempt after %s", d), func() bool { return p.clock.pending(d) })
}

// moduleLog returns the module log of a database.
func (p *pair) moduleLog(db *Database) string {
	p.t.Helper()
	r, err := db.Logs(background, -1, false)
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(b)
}
