package query

import (
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
)

// benchStore has two tables of n rows, unique by id, and a plan for each shape.
func benchStore(t testing.TB, n uint32) (*store.Store, []*schema.Table) {
	s, tables := makeStore(t, makeTable(t, "u", "id k v", "!id", "k"), makeTable(t, "w", "id x y", "!id", "x"))
	tx := s.Begin()
	for i := range n {
		insert(t, tx, tables[0], i, i%100, i)
		insert(t, tx, tables[1], i, i%100, i)
	}
	tx.Commit(nil)
	return s, tables
}

func benchPlans(tables []*schema.Table) map[string]*Plan {
	u := []Relation{{Table: tables[0]}}
	join := []Relation{{Table: tables[0]}, {Table: tables[1], On: cmp(col(tables, 0, "id"), Eq, col(tables, 1, "id"))}}
	hash := []Relation{{Table: tables[0]}, {Table: tables[1], On: cmp(col(tables, 0, "v"), Eq, col(tables, 1, "y"))}}
	return map[string]*Plan{
		"scan":   CompileLive(Select{From: u}),
		"filter": CompileLive(Select{From: u, Where: And{cmp(col(tables, 0, "v"), Gt, num(10)), cmp(col(tables, 0, "k"), Ne, num(3))}}),
		"unique": CompileLive(Select{From: u, Where: cmp(col(tables, 0, "id"), Eq, num(77))}),
		"index":  CompileLive(Select{From: u, Where: cmp(col(tables, 0, "k"), Eq, num(7))}),
		"range":  CompileLive(Select{From: u, Where: And{cmp(col(tables, 0, "k"), Ge, num(7)), cmp(col(tables, 0, "k"), Lt, num(9))}}),
		"join":   CompileLive(Select{From: join, Where: cmp(col(tables, 1, "x"), Eq, num(5))}),
		"hash":   CompileLive(Select{From: hash}),
		"cols":   CompileLive(Select{From: u, Out: OutColumns, Items: []Expr{col(tables, 0, "v"), col(tables, 0, "id")}}),
		"count":  CompileLive(Select{From: u, Out: OutCount, Where: cmp(col(tables, 0, "v"), Gt, num(10))}),
	}
}

// Runs allocate a few objects for iterators, never one per row.
func TestRunAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("pools forget at random under the race detector")
	}
	s, tables := benchStore(t, 2000)
	tx := s.Begin()
	defer tx.Rollback()
	rows := 0
	emit := func([]byte) bool { rows++; return true }
	for name, p := range benchPlans(tables) {
		limit := map[string]float64{"unique": 0}
		most, ok := limit[name]
		if !ok {
			most = 10
		}
		if err := p.Run(tx, emit); err != nil { // fills the frame
			t.Fatal(err)
		}
		got := testing.AllocsPerRun(20, func() { p.Run(tx, emit) })
		if got > most {
			t.Errorf("%s: %v allocations, want at most %v", name, got, most)
		}
	}
}

// The delta of a query costs no allocation at all: not for the plan, not per
// changed row.
func TestDeltaAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("pools forget at random under the race detector")
	}
	s, tables := benchStore(t, 2000)
	plans := benchPlans(tables)
	tx := s.Begin()
	for i := range uint32(50) {
		if _, err := tx.DeleteRow(tables[0].ID, u32Row(i, i%100, i)); err != nil {
			t.Fatal(err)
		}
		insert(t, tx, tables[0], i, i%100, i+1)
		insert(t, tx, tables[1], 10_000+i, 5, i)
	}
	d := tx.Commit(nil).Delta
	tx = s.Begin()
	defer tx.Rollback()
	rows := 0
	emit := func([]byte) { rows++ }
	for _, name := range []string{"scan", "filter", "unique", "index", "range", "join"} {
		p := plans[name]
		if err := p.Delta(tx, d, emit, emit); err != nil {
			t.Fatal(err)
		}
		if got := testing.AllocsPerRun(20, func() { p.Delta(tx, d, emit, emit) }); got > 0 {
			t.Errorf("%s: %v allocations, want none", name, got)
		}
	}
	if rows == 0 {
		t.Error("nothing changed")
	}
}

func BenchmarkRun(b *testing.B) {
	s, tables := benchStore(b, 10_000)
	tx := s.Begin()
	defer tx.Rollback()
	emit := func([]byte) bool { return true }
	for name, p := range benchPlans(tables) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Run(tx, emit)
			}
		})
	}
}

// BenchmarkDelta evaluates one changed row, as after a typical reducer.
func BenchmarkDelta(b *testing.B) {
	s, tables := benchStore(b, 10_000)
	plans := benchPlans(tables)
	tx := s.Begin()
	if _, err := tx.DeleteRow(tables[0].ID, u32Row(5, 5, 5)); err != nil {
		b.Fatal(err)
	}
	insert(b, tx, tables[0], 5, 5, 6)
	d := tx.Commit(nil).Delta
	tx = s.Begin()
	defer tx.Rollback()
	emit := func([]byte) {}
	for _, name := range []string{"scan", "filter", "join"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				plans[name].Delta(tx, d, emit, emit)
			}
		})
	}
}
