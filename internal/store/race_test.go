package store

import (
	"bytes"
	"encoding/binary"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// TestViewsBesideWriter moves amounts between accounts while views add them up in
// every way there is: the sum must be the same in each.
func TestViewsBesideWriter(t *testing.T) {
	t.Run("rows of one length", func(t *testing.T) { testViewsBesideWriter(t, false) })
	t.Run("rows of many lengths", func(t *testing.T) { testViewsBesideWriter(t, true) })
}

func testViewsBesideWriter(t *testing.T, varying bool) {
	const accounts, total = 3000, 3000 * 100
	s := New(Options{})
	d := tableDef("account", colU32("id"), colU32("amount"), colU32("group"))
	if varying {
		d = tableDef("account", colU32("id"), colU32("amount"), colU32("group"), col("history", sats.Array(sats.U8)))
	}
	withUnique(d, schema.BTree, 0)
	withIndex(d, schema.BTree, 2)
	withIndex(d, schema.Hash, 2)
	def := create(t, s, d)
	row := func(id, amount uint32) []byte {
		row := append(append(u32(id), u32(amount)...), u32(id%7)...)
		if n := (id ^ amount) % 150; varying {
			row = append(append(row, u32(n)...), make([]byte, n)...)
		}
		return row
	}
	amount := func(row []byte) int { return int(binary.LittleEndian.Uint32(row[4:])) }
	tx := s.Begin()
	for i := range uint32(accounts) {
		mustInsert(t, tx, def.ID, row(i, 100))
	}
	tx.Commit(nil)
	byID, byGroup, byHash := def.Indexes[0].ID, def.Indexes[1].ID, def.Indexes[2].ID

	var stop atomic.Bool
	var wg sync.WaitGroup
	read := func(sum func(v *View) int) {
		defer wg.Done()
		for !stop.Load() {
			v := s.View()
			if n := sum(v); n != total {
				t.Errorf("a view adds up to %d, want %d", n, total)
				stop.Store(true)
			}
			v.Close()
		}
	}
	sums := []func(v *View) int{
		func(v *View) (n int) {
			for row := range v.Scan(def.ID) {
				n += amount(row)
			}
			return n
		},
		func(v *View) (n int) {
			for i := range uint32(accounts) {
				if row, ok := v.FindUnique(byID, u32(i)); ok {
					n += amount(row)
				}
			}
			return n
		},
		func(v *View) (n int) {
			for g := range uint32(7) {
				for row := range v.Point(byGroup, u32(g)) {
					n += amount(row)
				}
			}
			return n
		},
		func(v *View) (n int) {
			for g := range uint32(7) {
				for row := range v.Point(byHash, u32(g)) {
					n += amount(row)
				}
			}
			return n
		},
		func(v *View) (n int) {
			for row := range v.Range(byID, Range{}) {
				n += amount(row)
			}
			return n
		},
		func(v *View) (n int) {
			if err := s.WriteSnapshot(v, io.Discard); err != nil {
				t.Error(err)
			}
			return total
		},
	}
	for _, f := range sums {
		wg.Add(1)
		go read(f)
	}
	x := uint32(1)
	random := func(n uint32) uint32 { x = x*1664525 + 1013904223; return x >> 8 % n }
	rounds := 1500
	if testing.Short() {
		rounds = 300
	}
	for i := 0; i < rounds && !stop.Load(); i++ {
		tx := s.Begin()
		for range 5 {
			a, b := random(accounts), random(accounts)
			ra, _ := tx.FindUnique(byID, u32(a))
			rb, _ := tx.FindUnique(byID, u32(b))
			if a == b || amount(ra) == 0 {
				continue
			}
			x, y := row(a, uint32(amount(ra)-1)), row(b, uint32(amount(rb)+1))
			if i%3 == 0 { // the hard way
				tx.DeletePoint(byID, u32(a))
				mustInsert(t, tx, def.ID, x)
			} else if _, _, err := tx.Update(def.ID, byID, x); err != nil {
				t.Error(err)
			}
			if _, _, err := tx.Update(def.ID, byID, y); err != nil {
				t.Error(err)
			}
		}
		if i%4 == 0 {
			tx.Rollback()
		} else {
			tx.Commit(nil).Delta.Release()
		}
		if i == rounds/2 { // an index goes, and another comes, under the views
			tx := s.Begin()
			if err := tx.DropIndex(byGroup); err != nil {
				t.Error(err)
			}
			if _, err := tx.CreateIndex(def.ID, &schema.Index{Name: "again", Cols: []schema.ColID{2}}); err != nil {
				t.Error(err)
			}
			tx.Rollback()
		}
	}
	stop.Store(true)
	wg.Wait()
	check(t, s)
}

func colU32(name string) schema.Column { return col(name, u32Type) }

// A view opened inside a transaction sees the state before it.
func TestViewInsideTransaction(t *testing.T) {
	s := New(Options{})
	def := create(t, s, people())
	ix := def.Indexes[0].ID
	tx := s.Begin()
	mustInsert(t, tx, def.ID, person(1, "a", 1))
	mustInsert(t, tx, def.ID, person(2, "b", 1))
	tx.Commit(nil)
	tx = s.Begin()
	mustInsert(t, tx, def.ID, person(3, "c", 1))
	tx.DeletePoint(ix, u32(1))
	tx.Update(def.ID, ix, person(2, "bb", 1))
	if _, err := tx.CreateTable(tableDef("later", colU32("x"))); err != nil {
		t.Fatal(err)
	}
	v := s.View()
	defer v.Close()
	look := func(when string) {
		t.Helper()
		wantRows(t, v, def.ID, person(1, "a", 1), person(2, "b", 1))
		for id, want := range map[uint32][]byte{1: person(1, "a", 1), 2: person(2, "b", 1), 3: nil} {
			if row, _ := v.FindUnique(ix, u32(id)); !bytes.Equal(row, want) {
				t.Errorf("%s: FindUnique(%d) = %q, want %q", when, id, row, want)
			}
		}
		if v.TableByName("later") != nil {
			t.Errorf("%s: the view knows a table that is not committed", when)
		}
	}
	look("inside")
	tx.Commit(nil)
	look("after commit")
	tx = s.Begin()
	tx.Clear(def.ID)
	tx.Commit(nil)
	look("after clear")
	check(t, s)
}

// However many rows an index has lost, a view looks at few of them under the store's lock.
func TestViewCatchesUpWithoutTheLock(t *testing.T) {
	s, def := filled(t, 5000, schema.BTree, true)
	v := s.View()
	defer v.Close()
	tx := s.Begin()
	if _, err := tx.Clear(def.ID); err != nil {
		t.Fatal(err)
	}
	tx.Commit(nil)
	x := v.cat.indexes.get(uint32(def.Indexes[1].ID))
	lost := v.catchUp(x.ix, &v.tables[x.e.at])
	if !s.mu.TryLock() {
		t.Fatal("the lock is held")
	}
	defer s.mu.Unlock()
	if left := len(lost.unseen(x.ix.t)); left > s.rangeSlice {
		t.Errorf("%d rows are left to look at under the lock, want at most %d", left, s.rangeSlice)
	}
	if len(lost.order) < 5000-s.rangeSlice {
		t.Errorf("%d lost rows were found before it, want 5000", len(lost.order))
	}
}
