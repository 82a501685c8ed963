//go:build unix

package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/stdbgo/spacetime/internal/commitlog"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// The row of the measurements has 40 bytes: a primary key, a column with a second index
// whose values are spread at random, three numbers more.
const rowSize = 40

func fill(row []byte, i int) {
	binary.LittleEndian.PutUint64(row, uint64(i))
	binary.LittleEndian.PutUint64(row[8:], scattered(i))
	binary.LittleEndian.PutUint64(row[16:], uint64(i)*3)
}

func scattered(i int) uint64 { return uint64(i) * 0x9e3779b97f4a7c15 % 1_000_000_007 }

// A contender holds the rows with the keys 0…n-1.
type contender interface {
	name() string
	insert(from, to int) // in one transaction
	find(i int) uint64   // a value of the row
}

func makeTable(b testing.TB, s *store.Store, second bool) (*schema.Table, []byte) {
	b.Helper()
	t := &schema.Table{Name: "t", Kind: schema.User}
	var elems []sats.Element
	for _, name := range []string{"id", "x", "a", "b", "c"} {
		t.Cols = append(t.Cols, schema.Column{Name: name, Type: sats.U64})
		elems = append(elems, sats.E(name, sats.U64))
	}
	var err error
	if t.Layout, err = sats.NewLayout(sats.Product(elems...)); err != nil {
		b.Fatal(err)
	}
	t.Indexes = []*schema.Index{{Name: "t_id", Algo: schema.BTree, Cols: []schema.ColID{0}}}
	t.Constraints = []*schema.Constraint{{Name: "t_id_key", Cols: []schema.ColID{0}}}
	if second {
		t.Indexes = append(t.Indexes, &schema.Index{Name: "t_x", Algo: schema.BTree, Cols: []schema.ColID{1}})
	}
	tx := s.Begin()
	made, err := tx.CreateTable(t)
	if err != nil {
		b.Fatal(err)
	}
	return made, tx.Commit(nil).Record
}

// ours is this project's store, with a log or without.
type ours struct {
	b      testing.TB
	s      *store.Store
	def    *schema.Table
	tx     *store.Tx
	in     store.Inputs
	log    *commitlog.Log
	logged commitlog.Offset // of the last transaction
	row    [rowSize]byte
	key    [8]byte
}

func newOurs(b testing.TB, second bool, log *commitlog.Log) *ours {
	o := &ours{b: b, s: store.New(store.Options{HashSeed: 1}), log: log, in: store.Inputs{Reducer: "add", Args: make([]byte, rowSize)}}
	def, record := makeTable(b, o.s, second)
	o.def = def
	o.append(record)
	return o
}

func (o *ours) append(record []byte) {
	if o.log == nil {
		return
	}
	var err error
	if o.logged, err = o.log.Append(record); err != nil {
		o.b.Fatal(err)
	}
}

func (o *ours) name() string { return "ours" }

func (o *ours) insert(from, to int) {
	tx := o.s.Begin()
	for i := from; i < to; i++ {
		fill(o.row[:], i)
		if _, _, err := tx.Insert(o.def.ID, o.row[:]); err != nil {
			o.b.Fatal(err)
		}
	}
	c := tx.Commit(&o.in)
	o.append(c.Record)
	c.Delta.Release()
}

func (o *ours) delete(ids []int) {
	tx := o.s.Begin()
	for _, i := range ids {
		binary.LittleEndian.PutUint64(o.key[:], uint64(i))
		if n, err := tx.DeletePoint(o.def.Indexes[0].ID, o.key[:]); n != 1 || err != nil {
			o.b.Fatalf("row %d: %d deleted, %v", i, n, err)
		}
	}
	tx.Commit(&o.in).Delta.Release()
}

func (o *ours) find(i int) uint64 {
	if o.tx == nil {
		o.tx = o.s.Begin()
	}
	binary.LittleEndian.PutUint64(o.key[:], uint64(i))
	row, ok := o.tx.FindUnique(o.def.Indexes[0].ID, o.key[:])
	if !ok {
		o.b.Fatalf("row %d is lost", i)
	}
	return binary.LittleEndian.Uint64(row[16:])
}

// goMap is what a Go program without a database would have: no transactions, no order, no
// undo. It is the lower bound.
type goMap struct {
	mu   sync.Mutex
	rows map[uint64][rowSize]byte
	byX  map[uint64]uint64
	row  [rowSize]byte
}

func newGoMap(second bool) *goMap {
	m := &goMap{rows: map[uint64][rowSize]byte{}}
	if second {
		m.byX = map[uint64]uint64{}
	}
	return m
}

func (m *goMap) name() string { return "map" }

func (m *goMap) insert(from, to int) {
	for i := from; i < to; i++ {
		m.mu.Lock()
		fill(m.row[:], i)
		if _, ok := m.rows[uint64(i)]; !ok {
			m.rows[uint64(i)] = m.row
			if m.byX != nil {
				m.byX[scattered(i)] = uint64(i)
			}
		}
		m.mu.Unlock()
	}
}

func (m *goMap) find(i int) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	row := m.rows[uint64(i)]
	return binary.LittleEndian.Uint64(row[16:])
}

// sqlite is an in-memory database of modernc.org/sqlite, which like ours is Go alone, with
// one connection and prepared statements.
type sqlite struct {
	b        testing.TB
	conn     *sql.Conn
	add, get *sql.Stmt
}

func newSQLite(b testing.TB, second bool) *sqlite {
	b.Helper()
	ctx := context.Background()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	s := &sqlite{b: b}
	if s.conn, err = db.Conn(ctx); err != nil {
		b.Fatal(err)
	}
	s.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER, a INTEGER, b INTEGER, c INTEGER)")
	if second {
		s.exec("CREATE INDEX t_x ON t (x)")
	}
	if s.add, err = s.conn.PrepareContext(ctx, "INSERT INTO t VALUES (?, ?, ?, ?, ?)"); err != nil {
		b.Fatal(err)
	}
	if s.get, err = s.conn.PrepareContext(ctx, "SELECT a FROM t WHERE id = ?"); err != nil {
		b.Fatal(err)
	}
	return s
}

func (s *sqlite) name() string { return "sqlite" }

func (s *sqlite) exec(text string) {
	if _, err := s.conn.ExecContext(context.Background(), text); err != nil {
		s.b.Fatal(err)
	}
}

func (s *sqlite) insert(from, to int) {
	if to > from+1 {
		s.exec("BEGIN")
		defer s.exec("COMMIT")
	}
	for i := from; i < to; i++ {
		if _, err := s.add.Exec(int64(i), int64(scattered(i)), int64(i)*3, 0, 0); err != nil {
			s.b.Fatal(err)
		}
	}
}

func (s *sqlite) find(i int) uint64 {
	var a int64
	if err := s.get.QueryRow(int64(i)).Scan(&a); err != nil {
		s.b.Fatal(err)
	}
	return uint64(a)
}

// cpu returns the processor time of the whole process: collecting garbage and writing a
// log beside the caller count.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A meter collects the processor time that contenders take for rounds of equal work.
type meter struct {
	names  []string
	rounds map[string][]float64 // ns per operation
}

func (m *meter) time(name string, operations int, do func()) {
	if m.rounds == nil {
		m.rounds = map[string][]float64{}
	}
	if m.rounds[name] == nil {
		m.names = append(m.names, name)
	}
	from := cpu()
	do()
	m.rounds[name] = append(m.rounds[name], float64(cpu()-from)/float64(operations))
}

// report gives the mean of each contender, and the median over the rounds of its ratio to
// the first.
func (m *meter) report(b *testing.B, unit string) {
	first := m.rounds[m.names[0]]
	for i, name := range m.names {
		r := m.rounds[name]
		sum := 0.0
		for _, x := range r {
			sum += x
		}
		b.ReportMetric(sum/float64(len(r)), name+"-"+unit)
		if i == 0 {
			continue
		}
		ratios := make([]float64, len(r))
		for k := range r {
			ratios[k] = r[k] / max(first[k], 0.001)
		}
		slices.Sort(ratios)
		b.ReportMetric(ratios[len(ratios)/2], name+"/"+m.names[0])
	}
	b.ReportMetric(0, "ns/op") // a round has all contenders in it
}
