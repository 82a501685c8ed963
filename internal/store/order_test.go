package store

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// blobs is a table whose rows have any length.
func blobs() *schema.Table {
	return withUnique(tableDef("blobs", col("id", sats.U32), col("b", sats.Array(sats.U8))), schema.BTree, 0)
}

func blob(id uint32, n int) []byte {
	return append(append(u32(id), u32(uint32(n))...), bytes.Repeat([]byte{byte(id)}, n)...)
}

var blobSizes = []int{0, 1, 7, 9, 30, 40, 100, 150, 999, 1000, 3000, maxSlotRow - 8, maxSlotRow - 7, 6000}

// wantOrder compares a scan with rows in order.
func wantOrder(t interface {
	Helper()
	Fatalf(string, ...any)
}, what string, r Reader, id schema.TableID, want []string,
) {
	t.Helper()
	if got := collect(r.Scan(id)); !slices.Equal(got, want) {
		t.Fatalf("%s: a scan yields %d rows in another order than the %d came in: %s", what, len(got), len(want), firstDifference(got, want))
	}
}

func firstDifference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("row %d has id %x, want %x", i, got[i][:4], want[i][:4])
		}
	}
	return "one is longer"
}

// As long as nothing is deleted, rows are scanned in the order they came in, by
// transactions, views, and after recovery; transactions that were rolled back do
// not matter, whatever they did.
func TestScanOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := New(Options{})
		tx := s.Begin()
		def, err := tx.CreateTable(blobs())
		if err != nil {
			t.Fatal(err)
		}
		one, err := tx.CreateTable(withUnique(tableDef("fixed", col("id", sats.U32), col("x", sats.U64)), schema.BTree, 0))
		if err != nil {
			t.Fatal(err)
		}
		log := [][]byte{bytes.Clone(tx.Commit(nil).Record)}
		type state struct{ varying, fixed []string }
		type pin struct {
			v    *View
			want state
		}
		var want state
		var views []pin
		var snapshot []byte
		var snapshotNext uint64
		id := uint32(0)
		for range rapid.IntRange(1, 12).Draw(t, "transactions") {
			tx := s.Begin()
			before := want
			undo := rapid.Bool().Draw(t, "undo")
			sizes := rapid.SampledFrom([][]int{blobSizes, blobSizes[:5], {13}}).Draw(t, "sizes")
			for range rapid.IntRange(0, 60).Draw(t, "rows") {
				id++
				row, f := blob(id, rapid.SampledFrom(sizes).Draw(t, "size")), sats.AppendU64(u32(id), uint64(id))
				for k, r := range map[schema.TableID][]byte{def.ID: row, one.ID: f} {
					if _, _, err := tx.Insert(k, r); err != nil {
						t.Fatal(err)
					}
				}
				want.varying, want.fixed = append(want.varying, string(row)), append(want.fixed, string(f))
			}
			wantOrder(t, "transaction", tx, def.ID, want.varying)
			if rapid.IntRange(0, 3).Draw(t, "old") == 0 { // much later
				s.tables[def.ID].rows.stamp += rapid.Uint64Range(maxAge-40, maxAge+10).Draw(t, "by")
			}
			if undo {
				if rapid.Bool().Draw(t, "clear") {
					tx.Clear(def.ID)
					tx.Clear(one.ID)
				}
				tx.Rollback()
				want.varying = before.varying[:len(before.varying):len(before.varying)]
				want.fixed = before.fixed[:len(before.fixed):len(before.fixed)]
			} else if c := tx.Commit(nil); c.Logged {
				log = append(log, bytes.Clone(c.Record))
			}
			if err := s.Check(); err != nil {
				t.Fatal(err)
			}
			v := s.View()
			views = append(views, pin{v, want})
			if rapid.IntRange(0, 4).Draw(t, "snapshot") == 0 {
				var b bytes.Buffer
				if err := s.WriteSnapshot(v, &b); err != nil {
					t.Fatal(err)
				}
				snapshot, snapshotNext = b.Bytes(), s.NextOffset()
			}
			if rapid.Bool().Draw(t, "close") {
				v.Close()
				views = views[:len(views)-1]
			}
		}
		compare := func(what string, s *Store) {
			v := s.View()
			defer v.Close()
			wantOrder(t, what, v, def.ID, want.varying)
			wantOrder(t, what, v, one.ID, want.fixed)
		}
		compare("now", s)
		for i, p := range views {
			wantOrder(t, fmt.Sprint("view ", i), p.v, def.ID, p.want.varying)
			wantOrder(t, fmt.Sprint("view ", i), p.v, one.ID, p.want.fixed)
		}
		recover := func(what string, snapshot []byte, next uint64) {
			s := New(Options{})
			if snapshot != nil {
				if err := s.LoadSnapshot(bytes.NewReader(snapshot)); err != nil {
					t.Fatal(err)
				}
			}
			for _, r := range log[next:] {
				if _, err := s.ReplayRecord(s.NextOffset(), r); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.FinishReplay(); err != nil {
				t.Fatal(err)
			}
			compare(what, s)
		}
		recover("replayed", nil, 0)
		if snapshot != nil {
			recover("from a snapshot", snapshot, snapshotNext)
		}
	})
}

// Whatever happens to other rows, those that stay keep their order; and a table
// that was emptied begins anew.
func TestScanOrderOfSurvivors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := New(Options{})
		tx := s.Begin()
		def, err := tx.CreateTable(blobs())
		if err != nil {
			t.Fatal(err)
		}
		tx.Commit(nil)
		id := uint32(0)
		insert := func(tx *Tx) string {
			id++
			row := blob(id, rapid.SampledFrom(blobSizes).Draw(t, "size"))
			if _, _, err := tx.Insert(def.ID, row); err != nil {
				t.Fatal(err)
			}
			return string(row)
		}
		tx = s.Begin()
		for range 200 {
			insert(tx)
		}
		tx.Commit(nil)
		tx = s.Begin()
		for range rapid.IntRange(1, 150).Draw(t, "steps") {
			before := collect(tx.Scan(def.ID))
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0, 1, 2, 3:
				insert(tx)
			case 4, 5, 6, 7:
				if len(before) > 0 {
					tx.DeleteRow(def.ID, []byte(rapid.SampledFrom(before).Draw(t, "row")))
				}
			case 8:
				tx.Commit(nil)
				tx = s.Begin()
			case 9:
				tx.Rollback()
				tx = s.Begin()
			}
			after := collect(tx.Scan(def.ID))
			stay := func(rows, in []string) []string {
				return slices.DeleteFunc(slices.Clone(rows), func(r string) bool { return !slices.Contains(in, r) })
			}
			if a, b := stay(before, after), stay(after, before); !slices.Equal(a, b) {
				t.Fatalf("rows that stayed changed their order: %s", firstDifference(b, a))
			}
		}
		tx.Commit(nil)
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		tx = s.Begin()
		tx.Clear(def.ID)
		tx.Commit(nil)
		tx = s.Begin()
		var want []string
		for range 200 {
			want = append(want, insert(tx))
		}
		wantOrder(t, "refilled", tx, def.ID, want)
		tx.Commit(nil)
	})
}

// A table whose rows had one length keeps its order when lengths begin to vary, and
// a kind of row that is rare is cut off in time.
func TestScanOrderOverAges(t *testing.T) {
	s := New(Options{})
	enum := func(n int) *sats.Type {
		elems := []sats.Element{sats.E("a", sats.U32), sats.E("b", sats.U32), sats.E("c", sats.String)}
		return sats.Sum(elems[:n]...)
	}
	def := create(t, s, tableDef("t", col("id", sats.U32), col("e", enum(2))))
	var want []string
	insert := func(tx *Tx, row []byte) {
		mustInsert(t, tx, def.ID, row)
		want = append(want, string(row))
	}
	id := uint32(0)
	short := func() []byte { id++; return append(append(u32(id), byte(id%2)), u32(id)...) }
	long := func(n int) []byte {
		id++
		return sats.AppendString(append(u32(id), 2), string(bytes.Repeat([]byte{'x'}, n)))
	}
	tx := s.Begin()
	for range 20_000 {
		insert(tx, short())
	}
	if err := tx.AlterRowType(def.ID, tableDef("t", col("id", sats.U32), col("e", enum(3)))); err != nil {
		t.Fatal(err)
	}
	tx.Commit(nil)
	v := s.View()
	defer v.Close()
	old := slices.Clone(want)
	tx = s.Begin()
	insert(tx, long(100))
	insert(tx, long(1000))
	for i := range maxAge + 10 {
		insert(tx, short())
		if i%50_000 == 1000 {
			insert(tx, long(100))
			insert(tx, long(5000))
		}
	}
	insert(tx, long(100))
	insert(tx, long(1000))
	tx.Commit(nil)
	check(t, s)
	w := s.View()
	defer w.Close()
	wantOrder(t, "afterwards", w, def.ID, want)
	wantOrder(t, "before", v, def.ID, old)
	sealed := 0
	for _, sl := range s.tables[def.ID].rows.dir {
		if sl != nil && sl.sealed {
			sealed++
		}
	}
	if sealed == 0 {
		t.Error("no slab was cut off, so the test shows nothing")
	}
}

// Beside a writer that only adds rows and takes back some, each scan of a view is a
// beginning of what is there in the end.
func TestScanOrderBesideWriter(t *testing.T) {
	s := New(Options{})
	def := create(t, s, blobs())
	size := func(id uint32) int { return blobSizes[id*2654435761>>16%uint32(len(blobSizes)-1)] }
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for last := false; !last; {
				last = stop.Load()
				v := s.View()
				next := uint32(0)
				for row := range v.Scan(def.ID) {
					if !bytes.Equal(row, blob(next, size(next))) {
						t.Errorf("row %d has id %x", next, row[:4])
						last = true
						break
					}
					next++
				}
				if n := v.RowCount(def.ID); uint64(next) != n {
					t.Errorf("a scan yields %d rows, want %d", next, n)
					last = true
				}
				v.Close()
			}
		}()
	}
	id := uint32(0)
	for i := range 150 {
		tx := s.Begin()
		for k := range uint32(20) {
			mustInsert(t, tx, def.ID, blob(id+k, size(id+k)))
		}
		if i%3 == 0 {
			tx.Rollback()
			continue
		}
		id += 20
		tx.Commit(nil).Delta.Release()
	}
	stop.Store(true)
	wg.Wait()
	check(t, s)
}

// Clear counts rows that the transaction had deleted, unless it had inserted them.
func TestClearAfterDelete(t *testing.T) {
	s := New(Options{})
	def := create(t, s, people())
	tx := s.Begin()
	for i := range uint32(3) {
		mustInsert(t, tx, def.ID, person(i+1, fmt.Sprint(i), 0))
	}
	tx.Commit(nil)
	tx = s.Begin()
	tx.DeletePoint(def.Indexes[0].ID, u32(1))
	if n := tx.RowCount(def.ID); n != 2 {
		t.Errorf("%d rows before, want 2", n)
	}
	if n, err := tx.Clear(def.ID); n != 3 || err != nil {
		t.Errorf("Clear = %d, %v, want 3", n, err)
	}
	mustInsert(t, tx, def.ID, person(9, "own", 0))
	tx.DeletePoint(def.Indexes[0].ID, u32(9))
	mustInsert(t, tx, def.ID, person(9, "own", 1))
	if n, err := tx.Clear(def.ID); n != 4 || err != nil {
		t.Errorf("Clear again = %d, %v, want 4", n, err)
	}
	if n := tx.RowCount(def.ID); n != 0 {
		t.Errorf("%d rows afterwards", n)
	}
	tx.Rollback()
	check(t, s)
	tx = s.Begin()
	defer tx.Rollback()
	if n := tx.RowCount(def.ID); n != 3 {
		t.Errorf("%d rows after a rollback, want 3", n)
	}
}

// Many slabs that a rollback or a clear has emptied are filled again from the first.
func TestScanOrderWhenRefilled(t *testing.T) {
	for _, varying := range []bool{false, true} {
		s := New(Options{})
		d := tableDef("t", col("id", sats.U32))
		if varying {
			d = tableDef("t", col("id", sats.U32), col("b", sats.Array(sats.U8)))
		}
		def := create(t, s, d)
		id := uint32(0)
		fill := func(tx *Tx) (rows []string) {
			for range 30_000 {
				id++
				row := u32(id)
				if varying {
					row = blob(id, blobSizes[id%5])
				}
				mustInsert(t, tx, def.ID, row)
				rows = append(rows, string(row))
			}
			return rows
		}
		tx := s.Begin()
		first := fill(tx)
		tx.Commit(nil)
		tx = s.Begin()
		fill(tx)
		tx.Rollback()
		tx = s.Begin()
		wantOrder(t, "after a rollback", tx, def.ID, append(first, fill(tx)...))
		tx.Commit(nil)
		tx = s.Begin()
		tx.Clear(def.ID)
		tx.Commit(nil)
		check(t, s)
		tx = s.Begin()
		wantOrder(t, "after a clear", tx, def.ID, fill(tx))
		tx.Rollback()
		check(t, s)
	}
}
