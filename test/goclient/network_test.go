package goclient

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/test/goclient/bindings"
)

// A proxy is a network that can be cut.
type proxy struct {
	t      *testing.T
	listen net.Listener
	target string
	all    sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
	down  bool // connections are accepted and cut at once
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, listen: l, target: target, conns: map[net.Conn]bool{}}
	p.all.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.cut(true)
		p.all.Wait()
	})
	return p
}

func (p *proxy) accept() {
	for {
		from, err := p.listen.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = from.Close()
			continue
		}
		p.mu.Lock()
		p.conns[from], p.conns[to] = true, true
		down := p.down
		p.mu.Unlock()
		if down {
			_, _ = from.Close(), to.Close()
		}
		p.all.Go(func() { p.copy(from, to) })
		p.all.Go(func() { p.copy(to, from) })
	}
}

// copy carries bytes one way, in pieces of odd sizes, so that a cut falls anywhere.
func (p *proxy) copy(to, from net.Conn) {
	buf := make([]byte, 1013)
	_, _ = io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, buf)
	_, _ = to.Close(), from.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, from)
}

// cut breaks all connections; down says whether new ones break, too.
func (p *proxy) cut(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *proxy) restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}

// A replica follows one table by callbacks alone, and checks each of them.
type replica[R any, K cmp.Ordered] struct {
	t    *testing.T
	name string
	key  func(*R) K
	mu   sync.Mutex
	rows map[K]R
}

func mirrorOf[R any, K cmp.Ordered](t *testing.T, name string, table client.KeyedTable[R], key func(*R) K) *replica[R, K] {
	m := &replica[R, K]{t: t, name: name, key: key, rows: map[K]R{}}
	table.OnInsert(func(ev *client.Event, r *R) { m.change(ev, nil, r) })
	table.OnDelete(func(ev *client.Event, r *R) { m.change(ev, r, nil) })
	table.OnUpdate(m.change)
	return m
}

func (m *replica[R, K]) change(ev *client.Event, old, new *R) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old != nil {
		if have, ok := m.rows[m.key(old)]; !ok || !reflect.DeepEqual(have, *old) {
			m.t.Errorf("%s, %s: %v goes, but there is %v", m.name, ev.Kind, *old, have)
		}
		delete(m.rows, m.key(old))
	}
	if new != nil {
		if have, ok := m.rows[m.key(new)]; ok {
			m.t.Errorf("%s, %s: %v comes, but there is %v", m.name, ev.Kind, *new, have)
		}
		m.rows[m.key(new)] = *new
	}
	if old != nil && new != nil && reflect.DeepEqual(*old, *new) {
		m.t.Errorf("%s, %s: an update that changes nothing: %v", m.name, ev.Kind, *new)
	}
}

func (m *replica[R, K]) sorted() []R {
	m.mu.Lock()
	defer m.mu.Unlock()
	return sortedBy(func(yield func(R) bool) {
		for _, r := range m.rows {
			if !yield(r) {
				return
			}
		}
	}, m.key)
}

func sortedBy[R any, K cmp.Ordered](rows func(func(R) bool), key func(*R) K) []R {
	return slices.SortedFunc(rows, func(a, b R) int { return cmp.Compare(key(&a), key(&b)) })
}

func values[R any](rows func(func(*R) bool)) func(func(R) bool) {
	return func(yield func(R) bool) {
		for r := range rows {
			if !yield(*r) {
				return
			}
		}
	}
}

// Random transactions of several clients, while the network breaks and comes back at
// random: at the end the cache holds what the server has, and what the callbacks said
// adds up to the same.
func TestRandomNetwork(t *testing.T) {
	spec.Covers(t, "10.29", "10.33")
	each(t, func(t *testing.T, w *world, o client.Options) {
		cuts := 25
		if testing.Short() {
			cuts = 6
		}
		p := newProxy(t, strings.TrimPrefix(w.http.URL, "http://"))
		o.URL = "http://" + p.listen.Addr().String()
		o.Reconnect = client.Reconnect{Initial: time.Millisecond, Max: 10 * time.Millisecond}
		c := w.dial(o)
		items := mirrorOf(t, "item", c.Tables.Item.KeyedTable, func(r *bindings.Item) uint32 { return r.Id })
		grps := mirrorOf(t, "grp", c.Tables.Grp.KeyedTable, func(r *bindings.Grp) uint32 { return r.Id })
		clocks := mirrorOf(t, "clock", c.Tables.Clock.KeyedTable, func(r *bindings.Clock) uint8 { return r.Id })
		c.Tables.Clock.OnUpdate(func(ev *client.Event, old, new *bindings.Clock) {
			if new.N <= old.N || ev.Kind != client.Resync && new.N != old.N+1 {
				t.Errorf("%s: the clock goes from %d to %d", ev.Kind, old.N, new.N)
			}
		})
		q := bindings.Query
		for _, set := range [][]client.Query{
			{q.Item, q.Clock}, {q.Item.Where(q.Item.Grp.Lt(3)), q.Grp},
			{client.Semijoin(q.Item, q.Grp.Where(q.Grp.Open.Eq(true)), client.On(q.Item.Grp, q.Grp.Id))}, {q.OpenItems},
		} {
			if _, err := c.Subscribe(within(t), set...); err != nil {
				t.Fatal(err)
			}
		}

		stop := make(chan struct{})
		var writing sync.WaitGroup
		for n := range uint64(3) {
			writer := w.dial(client.Options{})
			writing.Go(func() { write(t, writer, n, stop) })
		}
		writing.Go(func() { flicker(t, c, stop) })
		random := rand.New(rand.NewPCG(1, uint64(c.Protocol())))
		for range cuts {
			time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
			p.cut(random.IntN(2) == 0)
			time.Sleep(time.Duration(random.IntN(10)) * time.Millisecond)
			p.restore()
		}
		close(stop)
		writing.Wait()
		settle(t, c, w.dial(client.Options{}))

		compare(t, c, "item", sortedBy(values(c.Tables.Item.All()), items.key), items.sorted(), items.key)
		compare(t, c, "grp", sortedBy(values(c.Tables.Grp.All()), grps.key), grps.sorted(), grps.key)
		compare(t, c, "clock", sortedBy(values(c.Tables.Clock.All()), clocks.key), clocks.sorted(), clocks.key)
		if c.Tables.Clock.Len() != 1 || c.Stats().Reconnects == 0 {
			t.Errorf("%d clocks, %d reconnections", c.Tables.Clock.Len(), c.Stats().Reconnects)
		}
		var open []bindings.Item
		for i := range c.Tables.Item.All() {
			if g, ok := c.Tables.Grp.Id.Find(i.Grp); ok && g.Open {
				open = append(open, *i)
			}
		}
		open = sortedBy(slices.Values(open), items.key)
		if got := sortedBy(values(c.Tables.OpenItems.All()), items.key); !reflect.DeepEqual(got, open) {
			t.Errorf("the view has %v, want %v", got, open)
		}
		byGroup := 0
		for g := range uint32(numGroups) {
			byGroup += len(slices.Collect(c.Tables.Item.GrpValue.FilterGrp(g)))
		}
		if byGroup != c.Tables.Item.Len() {
			t.Errorf("%d items by their groups, %d in all", byGroup, c.Tables.Item.Len())
		}
	})
}

// write makes random transactions until stop is closed.
func write(t *testing.T, c *bindings.Conn, seed uint64, stop <-chan struct{}) {
	random := rand.New(rand.NewPCG(seed, 3))
	for {
		select {
		case <-stop:
			return
		default:
		}
		fail := random.IntN(5) == 0
		err := c.Reducers.Change(within(t), random.Uint64(), 1+random.Uint32N(5), fail)
		var refused *client.ReducerError
		if fail && !errors.As(err, &refused) || !fail && err != nil {
			t.Errorf("change: %v", err)
			return
		}
	}
}

// flicker makes and ends subscriptions and calls on the connection that breaks.
func flicker(t *testing.T, c *bindings.Conn, stop <-chan struct{}) {
	random := rand.New(rand.NewPCG(7, 7))
	for {
		select {
		case <-stop:
			return
		default:
		}
		s, err := c.Subscribe(within(t), bindings.Query.Item.Where(bindings.Query.Item.Id.Lt(random.Uint32N(numItems))))
		if err != nil {
			t.Errorf("subscribe: %v", err)
			return
		}
		if err := c.Reducers.Change(within(t), random.Uint64(), 1, false); err != nil && !errors.Is(err, client.ErrDisconnected) {
			t.Errorf("change: %v", err)
		}
		if err := s.Unsubscribe(within(t)); err != nil {
			t.Errorf("unsubscribe: %v", err)
			return
		}
	}
}

// settle makes one more transaction and waits until c has seen it.
func settle(t *testing.T, c, other *bindings.Conn) {
	t.Helper()
	if err := other.Reducers.Change(within(t), 1, 0, false); err != nil {
		t.Fatal(err)
	}
	now, err := client.QuerySQL[bindings.Clock](within(t), other, "SELECT * FROM clock")
	if err != nil || len(now) != 1 {
		t.Fatal(now, err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if seen, ok := c.Tables.Clock.Id.Find(0); ok && seen.N == now[0].N {
			return
		}
		if time.Now().After(end) || c.Err() != nil {
			t.Fatalf("the last transaction does not arrive: %+v", c.State())
		}
	}
}

// compare holds the cache and the mirror against a query of the server.
func compare[R any, K cmp.Ordered](t *testing.T, c *bindings.Conn, table string, cache, mirror []R, key func(*R) K) {
	t.Helper()
	rows, err := client.QuerySQL[R](within(t), c, "SELECT * FROM "+table)
	if err != nil {
		t.Fatal(err)
	}
	server := sortedBy(slices.Values(rows), key)
	if fmt.Sprint(cache) != fmt.Sprint(server) || fmt.Sprint(mirror) != fmt.Sprint(server) {
		t.Errorf("%s\ncache  %v\nmirror %v\nserver %v", table, cache, mirror, server)
	}
}
