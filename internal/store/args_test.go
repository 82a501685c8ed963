package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// grid is a table with rows (a, b) for a, b in 0…4, and every kind of index.
func grid(t testing.TB) (*Store, *schema.Table) {
	s := New(Options{})
	d := tableDef("grid", col("a", sats.U32), col("b", sats.I8), col("n", sats.U16), col("id", sats.IdentityType))
	withUnique(d, schema.BTree, 0, 1) // 0
	withIndex(d, schema.BTree, 0)     // 1
	withUnique(d, schema.Direct, 2)   // 2
	withIndex(d, schema.Hash, 1, 0)   // 3
	withUnique(d, schema.BTree, 3)    // 4
	withUnique(d, schema.Hash, 2, 1)  // 5
	d.Indexes[0].Accessor, d.Accessor = "byPlace", "Grid"
	def := create(t, s, d)
	tx := s.Begin()
	for a := range uint32(5) {
		for b := range int8(5) {
			mustInsert(t, tx, def.ID, gridRow(a, b))
		}
	}
	tx.Commit(nil)
	return s, def
}

func gridRow(a uint32, b int8) []byte {
	row := sats.AppendU16(sats.AppendI8(u32(a), b), uint16(a)*5+uint16(b))
	var id sats.Identity
	id[31], id[0] = byte(a), byte(b)
	return id.AppendBSATN(row)
}

func TestPointScans(t *testing.T) {
	spec.Covers(t, "03.30")
	s, def := grid(t)
	tx := s.Begin()
	defer tx.Rollback()
	id := gridRow(2, 3)[7:]
	for _, c := range []struct {
		name  string
		index int
		point []byte
		rows  int
		code  Errno
	}{
		{"two columns", 0, append(u32(2), 3), 1, 0},
		{"two columns and more", 0, append(u32(2), 3, 0), 0, ErrDecode},
		{"half a key", 0, u32(2), 0, ErrDecode},
		{"not unique", 1, u32(2), 5, 0},
		{"one column and more", 1, append(u32(2), 9, 9), 5, 0},
		{"direct", 2, []byte{13, 0}, 1, 0},
		{"hash", 3, append([]byte{3}, u32(2)...), 1, 0},
		{"identity", 4, id, 1, 0},
		{"unique hash", 5, []byte{13, 0, 3}, 1, 0},
		{"nothing there", 5, []byte{13, 0, 4}, 0, 0},
	} {
		ix := def.Indexes[c.index].ID
		key, err := tx.ParsePoint(ix, c.point)
		if code(err) != c.code {
			t.Errorf("%s: %v, want code %d", c.name, err, c.code)
		}
		if err != nil {
			continue
		}
		if got := collect(tx.Point(ix, key)); len(got) != c.rows {
			t.Errorf("%s: %d rows, want %d", c.name, len(got), c.rows)
		}
	}
	_, err := tx.ParsePoint(1<<20, nil)
	wantCode(t, err, ErrNoSuchIndex)
}

func TestRangeScans(t *testing.T) {
	spec.Covers(t, "03.31")
	s, def := grid(t)
	tx := s.Begin()
	defer tx.Rollback()
	v := s.View()
	defer v.Close()
	bound := func(kind int, v []byte) []byte {
		if kind == 2 {
			return []byte{2}
		}
		return append([]byte{byte(kind)}, v...)
	}
	inside := func(x, lo, hi, kindLo, kindHi int) bool {
		return (kindLo == 2 || x > lo || x == lo && kindLo == 0) && (kindHi == 2 || x < hi || x == hi && kindHi == 0)
	}
	for kindLo := range 3 {
		for kindHi := range 3 {
			for lo := range 5 {
				for hi := range 5 {
					var first, second []string // on a alone; on b where a = 2
					for a := range 5 {
						for b := range 5 {
							row := string(gridRow(uint32(a), int8(b)))
							if inside(a, lo, hi, kindLo, kindHi) {
								first = append(first, row)
							}
							if a == 2 && inside(b, lo, hi, kindLo, kindHi) {
								second = append(second, row)
							}
						}
					}
					for _, c := range []struct {
						prefix []byte
						n      int
						lo, hi []byte
						want   []string
					}{
						{[]byte{1, 2}, 0, u32(uint32(lo)), u32(uint32(hi)), first},
						{append(u32(2), 99), 1, []byte{byte(lo)}, []byte{byte(hi), 77}, second},
					} {
						r, err := tx.ParseRange(def.Indexes[0].ID, c.prefix, c.n, bound(kindLo, c.lo), bound(kindHi, c.hi))
						if err != nil {
							t.Fatal(err)
						}
						for _, reader := range []Reader{tx, v} {
							if got := collect(reader.Range(def.Indexes[0].ID, r)); !slices.Equal(got, c.want) {
								t.Errorf("%T: range %v: %d rows, want %d", reader, r, len(got), len(c.want))
							}
						}
					}
				}
			}
		}
	}
}

func TestRangeArguments(t *testing.T) {
	spec.Covers(t, "03.32")
	s, def := grid(t)
	tx := s.Begin()
	defer tx.Rollback()
	inc := func(v ...byte) []byte { return append([]byte{0}, v...) }
	all := []byte{2}
	id := gridRow(2, 3)[7:]
	for _, c := range []struct {
		name   string
		index  int
		prefix []byte
		n      int
		lo, hi []byte
		rows   int
		code   Errno
	}{
		{"direct, equal bounds", 2, nil, 0, inc(13, 0), inc(13, 0), 1, 0},
		{"direct, range", 2, nil, 0, inc(13, 0), []byte{1, 15, 0}, 2, 0},
		{"hash", 3, nil, 0, all, all, 0, ErrWrongIndexAlgo},
		{"inverted", 1, nil, 0, inc(u32(3)...), inc(u32(1)...), 0, 0},
		{"full prefix", 0, append(u32(2), 3), 2, all, all, 0, ErrDecode},
		{"prefix on one column", 1, u32(2), 1, all, all, 0, ErrDecode},
		{"short prefix", 0, []byte{2}, 1, all, all, 0, ErrDecode},
		{"no bound", 1, nil, 0, nil, all, 0, ErrDecode},
		{"bad tag", 1, nil, 0, all, []byte{3}, 0, ErrDecode},
		{"short bound", 1, nil, 0, inc(1), all, 0, ErrDecode},
		{"field of a product", 4, nil, 0, inc(id...), inc(id...), 1, 0},
		{"negative prefix", 0, nil, -1, all, all, 0, ErrDecode},
	} {
		r, err := tx.ParseRange(def.Indexes[c.index].ID, c.prefix, c.n, c.lo, c.hi)
		if code(err) != c.code {
			t.Errorf("%s: %v, want code %d", c.name, err, c.code)
		}
		if err == nil {
			if got := collect(tx.Range(def.Indexes[c.index].ID, r)); len(got) != c.rows {
				t.Errorf("%s: %d rows, want %d", c.name, len(got), c.rows)
			}
		}
	}
}

func TestNames(t *testing.T) {
	spec.Covers(t, "03.34")
	s, def := grid(t)
	tx := s.Begin()
	defer tx.Rollback()
	for _, name := range []string{"grid", "Grid"} {
		if d := tx.TableByName(name); d == nil || d.ID != def.ID {
			t.Errorf("TableByName(%s) = %v", name, d)
		}
	}
	for _, name := range []string{"grid_a_b_idx_btree", "byPlace"} {
		if d, ix := tx.IndexByName(name); ix == nil || ix.ID != def.Indexes[0].ID || d.ID != def.ID {
			t.Errorf("IndexByName(%s) = %v", name, ix)
		}
	}
	if tx.TableByName("none") != nil || tx.TableByName("st_table").ID != schema.StTable {
		t.Error("TableByName finds the wrong tables")
	}
}

func TestDeletesCount(t *testing.T) {
	spec.Covers(t, "03.33", "08.7")
	s, def := grid(t)
	tx := s.Begin()
	defer tx.Rollback()
	rows := func(list ...[]byte) []byte { return append(u32(uint32(len(list))), bytes.Join(list, nil)...) }
	for _, c := range []struct {
		name string
		do   func() (uint32, error)
		want uint32
		left int
	}{
		{"point", func() (uint32, error) { return tx.DeletePoint(def.Indexes[1].ID, u32(0)) }, 5, 20},
		{"point again", func() (uint32, error) { return tx.DeletePoint(def.Indexes[1].ID, u32(0)) }, 0, 20},
		{"range", func() (uint32, error) {
			return tx.DeleteRange(def.Indexes[0].ID, Range{Prefix: u32(1), PrefixCols: 1, Lo: Bound{Included, []byte{3}}})
		}, 2, 18},
		{"list", func() (uint32, error) {
			return tx.DeleteRows(def.ID, append(rows(gridRow(2, 2), gridRow(2, 2), gridRow(0, 0), gridRow(2, 3)), 1, 2, 3))
		}, 2, 16},
		{"bad list", func() (uint32, error) { return tx.DeleteRows(def.ID, rows(gridRow(3, 3), []byte{1})) }, 0, 16},
		{"short list", func() (uint32, error) { return tx.DeleteRows(def.ID, []byte{1, 0}) }, 0, 16},
		{"clear", func() (uint32, error) { n, err := tx.Clear(def.ID); return uint32(n), err }, 25, 0},
	} {
		n, err := c.do()
		if n != c.want || (err != nil) != (c.name == "bad list" || c.name == "short list") {
			t.Errorf("%s: %d, %v, want %d", c.name, n, err, c.want)
		}
		if left := len(contents(tx, def.ID)); left != c.left {
			t.Errorf("%s: %d rows are left, want %d", c.name, left, c.left)
		}
		check(t, s)
	}
}

// Rows of no size: a table of them has one row or none.
func TestUnitRows(t *testing.T) {
	s := New(Options{})
	def := create(t, s, tableDef("unit"))
	tx := s.Begin()
	mustInsert(t, tx, def.ID, nil)
	mustInsert(t, tx, def.ID, nil)
	wantRows(t, tx, def.ID, []byte{})
	check(t, s)
	c := tx.Commit(nil)
	if c.Delta.Tables[0].Inserts.Len() != 1 || len(c.Delta.Tables[0].Inserts.At(0)) != 0 {
		t.Error("the delta has not one row of no size")
	}
	tx = s.Begin()
	if n, err := tx.DeleteRows(def.ID, u32(1<<31)); n != 1 || err != nil {
		t.Errorf("DeleteRows = %d, %v", n, err)
	}
	tx.Commit(nil)
	check(t, s)
}

// Values of a hundred megabytes must work; one of five shows the same paths.
func TestLargeRows(t *testing.T) {
	s := New(Options{})
	def := create(t, s, withUnique(tableDef("blob", col("id", sats.U32), col("data", sats.Bytes)), schema.BTree, 0))
	row := func(fill byte, n int) []byte { return sats.AppendBytes(u32(1), bytes.Repeat([]byte{fill}, n)) }
	for i, n := range []int{5 << 20, maxSlotRow, 6 << 20} {
		tx := s.Begin()
		tx.Clear(def.ID)
		mustInsert(t, tx, def.ID, row(byte(i), n))
		c := tx.Commit(nil)
		if got := c.Delta.Tables[0].Inserts.At(0); !bytes.Equal(got, row(byte(i), n)) {
			t.Errorf("the delta of %d bytes is wrong", n)
		}
		c.Delta.Release()
		check(t, s)
	}
	v := s.View()
	tx := s.Begin()
	if _, _, err := tx.Update(def.ID, def.Indexes[0].ID, row(9, 100)); err != nil {
		t.Fatal(err)
	}
	tx.Rollback()
	wantRows(t, v, def.ID, row(2, 6<<20))
	v.Close()
	check(t, s)
}

// Rows of 100 MB are stored, read through views and indexes, updated, rolled back, and come
// back from the log and from a snapshot.
func TestHugeRows(t *testing.T) {
	if testing.Short() {
		t.Skip("moves a gigabyte")
	}
	const size = 100_000_000
	row := func(id uint32, fill byte) []byte { return sats.AppendBytes(u32(id), bytes.Repeat([]byte{fill}, size)) }
	s := New(Options{})
	d := withUnique(tableDef("blob", col("id", sats.U32), col("data", sats.Bytes)), schema.BTree, 0)
	var log [][]byte
	tx := s.Begin()
	def, err := tx.CreateTable(d)
	if err != nil {
		t.Fatal(err)
	}
	log = append(log, bytes.Clone(tx.Commit(nil).Record))
	one, other := row(1, 'a'), row(1, 'b')
	tx = s.Begin()
	mustInsert(t, tx, def.ID, one)
	log = append(log, tx.Commit(nil).Record)
	v := s.View()
	tx = s.Begin()
	if _, _, err := tx.Update(def.ID, def.Indexes[0].ID, other); err != nil {
		t.Fatal(err)
	}
	if got, ok := tx.FindUnique(def.Indexes[0].ID, u32(1)); !ok || !bytes.Equal(got, other) {
		t.Error("the transaction does not see its row")
	}
	tx.Rollback()
	if got, ok := v.FindUnique(def.Indexes[0].ID, u32(1)); !ok || !bytes.Equal(got, one) {
		t.Error("the view has lost the row")
	}
	var snapshot bytes.Buffer
	if err := s.WriteSnapshot(v, &snapshot); err != nil {
		t.Fatal(err)
	}
	v.Close()
	check(t, s)
	fromSnapshot := New(Options{})
	if err := errors.Join(fromSnapshot.LoadSnapshot(&snapshot), fromSnapshot.FinishReplay()); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Store{restart(t, log), fromSnapshot} {
		tx := r.Begin()
		if got, ok := tx.FindUnique(def.Indexes[0].ID, u32(1)); !ok || !bytes.Equal(got, one) {
			t.Error("recovery has lost the row")
		}
		if ok, err := tx.DeleteRow(def.ID, one); !ok || err != nil {
			t.Errorf("DeleteRow = %v, %v", ok, err)
		}
		tx.Commit(nil)
		if n := r.tables[def.ID].rows.bytes; n != 0 {
			t.Errorf("an empty table keeps %d bytes", n)
		}
	}
}

func TestRowsOfDelta(t *testing.T) {
	s := New(Options{})
	def := create(t, s, people())
	tx := s.Begin()
	var want [][]byte
	for i := range uint32(5) {
		row := person(i+1, fmt.Sprintf("%*d", i*3, i), i)
		want = append(want, row)
		mustInsert(t, tx, def.ID, row)
	}
	c := tx.Commit(nil)
	got := slices.Collect(c.Delta.Tables[0].Inserts.All())
	if !slices.EqualFunc(got, want, bytes.Equal) || !bytes.Equal(c.Delta.Tables[0].Inserts.Bytes(), bytes.Join(want, nil)) {
		t.Errorf("rows are %q, want %q", got, want)
	}
	// They stay while later transactions come and go.
	for range 10 {
		tx = s.Begin()
		tx.Clear(def.ID)
		for _, row := range want {
			row[4+4+1]++
			mustInsert(t, tx, def.ID, row)
			row[4+4+1]--
		}
		tx.Commit(nil).Delta.Release()
	}
	if !slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("rows of an old delta are %q, want %q", got, want)
	}
}
