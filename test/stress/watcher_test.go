package stress

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/sats"
)

// queries are those that clients subscribe to; %d stands for a small number.
var queries = []string{
	"SELECT * FROM item",
	"SELECT * FROM item WHERE grp = %d",
	"SELECT * FROM item WHERE value > 1000",
	"SELECT * FROM item WHERE id = %d OR grp = 3",
	"SELECT * FROM grp WHERE open = true",
	"SELECT item.* FROM item JOIN grp ON item.grp = grp.id WHERE grp.open = true",
	"SELECT item.* FROM item JOIN grp ON item.grp = grp.id WHERE grp.id = %d",
	"SELECT item.* FROM item JOIN grp ON item.grp = grp.id WHERE grp.owner = 1",
	"SELECT grp.* FROM grp JOIN item ON grp.id = item.grp",
	"SELECT grp.* FROM grp JOIN item ON grp.id = item.grp WHERE item.id = %d",
	"SELECT grp.* FROM grp JOIN item ON grp.id = item.grp WHERE item.value > 900 AND grp.open = true",
}

func query(random *rand.Rand) string {
	q := queries[random.IntN(len(queries))]
	return strings.ReplaceAll(q, "%d", strconv.Itoa(random.IntN(numGroups)))
}

// A cache holds the rows of one query, and checks every change to them.
type cache struct {
	t     *testing.T
	query string

	mu    sync.Mutex
	rows  bag
	table string
	ended bool
	clock int64 // the last value of a cache of the clock; -1: none
}

func newCache(t *testing.T, query string) *cache {
	return &cache{t: t, query: query, rows: bag{}, clock: -1}
}

// change takes what one message says.
func (c *cache) change(r client.Rows) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		c.t.Errorf("%s: rows after the end", c.query)
	}
	c.table = r.Table
	c.list(r.Deleted, -1)
	c.list(r.Inserted, 1)
	for row, n := range c.rows {
		if n < 0 {
			c.t.Errorf("%s: row %s is there %d times", c.query, row, n)
		}
	}
	c.tick(r)
}

func (c *cache) list(l client.RowList, n int) {
	for i := range l.Len() {
		row, err := text(c.table, l.At(i))
		if err != nil {
			c.t.Error(err)
		}
		c.rows.add(row, n)
	}
}

// tick checks that no transaction is missing, comes twice, or out of order.
func (c *cache) tick(r client.Rows) {
	if r.Table != "clock" || r.Inserted.Len() != 1 {
		return
	}
	at := sats.NewReader(r.Inserted.At(0)[1:])
	n := int64(at.U64())
	if c.clock >= 0 && n != c.clock+1 {
		c.t.Errorf("transaction %d after %d", n, c.clock)
	}
	c.clock = n
}

// end is called between transactions.
func (c *cache) end(client.EventKind) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.query != "SELECT * FROM item" || c.ended {
		return
	}
	var sum int64
	for row := range c.rows {
		var id, grp uint32
		var value int64
		if _, err := fmt.Sscanf(row, "[%d,%d,%d,", &id, &grp, &value); err != nil {
			c.t.Errorf("row %s: %v", row, err)
		}
		sum += value
	}
	if len(c.rows) > 0 && sum != total {
		c.t.Errorf("the values of all items add up to %d; want %d", sum, total)
	}
}

// A held subscription and its cache.
type held struct {
	sub   *client.Subscription
	cache *cache
}

// A watcher is a client that always watches the clock, and some other queries
// that it joins and leaves.
type watcher struct {
	w      *world
	conn   *client.Conn
	random *rand.Rand
	clock  *cache
	subs   []held
}

func (w *world) dial() *client.Conn {
	conn, err := client.Dial(w.ctx, nil, client.Options{URL: w.http.URL, Database: database})
	if err != nil {
		w.t.Fatal(err)
	}
	return conn
}

func (w *world) watcher(seed uint64) *watcher {
	v := &watcher{w: w, conn: w.dial(), random: rand.New(rand.NewPCG(seed, 1)), clock: newCache(w.t, "SELECT * FROM clock")}
	if _, err := v.conn.SubscribeUpdates(w.ctx, v.clock.change, v.clock.end, v.clock.query); err != nil {
		w.t.Fatal(err)
	}
	return v
}

// run joins and leaves until stop is closed.
func (v *watcher) run(stop <-chan struct{}) {
	for !v.w.t.Failed() {
		select {
		case <-stop:
			return
		default:
		}
		if len(v.subs) > 5 || len(v.subs) > 0 && v.random.IntN(3) == 0 {
			v.leave(v.random.IntN(len(v.subs)))
		} else {
			v.join()
		}
	}
}

func (v *watcher) join() {
	c := newCache(v.w.t, query(v.random))
	sub, err := v.conn.SubscribeUpdates(v.w.ctx, c.change, c.end, c.query)
	if err != nil {
		v.w.t.Errorf("%s: %v", c.query, err)
		return
	}
	v.subs = append(v.subs, held{sub, c})
}

// leave ends a subscription: the rows that the server says were left must be
// those that the client had.
func (v *watcher) leave(i int) {
	h := v.subs[i]
	if err := h.sub.Unsubscribe(v.w.ctx); err != nil {
		v.w.t.Errorf("unsubscribe from %s: %v", h.cache.query, err)
	}
	h.cache.mu.Lock()
	h.cache.ended = true
	if len(h.cache.rows) > 0 {
		v.w.t.Errorf("%s: rows that the end did not name: %v", h.cache.query, h.cache.rows)
	}
	h.cache.mu.Unlock()
	v.subs = append(v.subs[:i], v.subs[i+1:]...)
}

// check compares all caches with SQL. Nobody writes any more, and what was
// written has arrived.
func (v *watcher) check() {
	for _, h := range append(v.subs, held{nil, v.clock}) {
		want := v.w.sql(h.cache.query)
		h.cache.mu.Lock()
		if d := diff(h.cache.rows, want); d != "" {
			v.w.t.Errorf("%s:\n%s", h.cache.query, d)
		}
		h.cache.mu.Unlock()
	}
}
