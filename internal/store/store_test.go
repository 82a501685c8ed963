package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// A tableMaker builds definitions for tests.
func tableDef(name string, cols ...schema.Column) *schema.Table {
	t := &schema.Table{Name: name, Cols: cols, Kind: schema.User}
	elems := make([]sats.Element, len(cols))
	for i, c := range cols {
		elems[i] = sats.E(c.Name, c.Type)
	}
	l, err := sats.NewLayout(sats.Product(elems...))
	if err != nil {
		panic(err)
	}
	t.Layout = l
	return t
}

func col(name string, t *sats.Type) schema.Column { return schema.Column{Name: name, Type: t} }

func withIndex(t *schema.Table, algo schema.Algo, cols ...schema.ColID) *schema.Table {
	name := t.Name
	for _, c := range cols {
		name += "_" + t.Cols[c].Name
	}
	t.Indexes = append(t.Indexes, &schema.Index{Name: name + "_idx_" + algo.String(), Algo: algo, Cols: cols})
	return t
}

func withUnique(t *schema.Table, algo schema.Algo, cols ...schema.ColID) *schema.Table {
	withIndex(t, algo, cols...)
	set := slices.Clone(cols)
	slices.Sort(set)
	name := t.Name
	for _, c := range set {
		name += "_" + t.Cols[c].Name
	}
	t.Constraints = append(t.Constraints, &schema.Constraint{Name: name + "_key", Cols: set})
	return t
}

func withSequence(t *schema.Table, c schema.ColID) *schema.Table {
	t.Sequences = append(t.Sequences, &schema.Sequence{
		Name: t.Name + "_" + t.Cols[c].Name + "_seq", Col: c, Start: sats.I128From(1), Min: sats.I128From(1),
		Max: sats.I128{Lo: 1<<64 - 1, Hi: 1<<63 - 1}, Increment: sats.I128From(1),
	})
	return t
}

// people is the table of spec 08 §35: id auto-increment and unique, name unique.
func people() *schema.Table {
	t := tableDef("Foo", col("id", sats.U32), col("name", sats.String), col("age", sats.U32))
	withUnique(t, schema.BTree, 0)
	withUnique(t, schema.BTree, 1)
	return withSequence(t, 0)
}

func person(id uint32, name string, age uint32) []byte {
	return sats.AppendU32(sats.AppendString(sats.AppendU32(nil, id), name), age)
}

func u32(n uint32) []byte { return sats.AppendU32(nil, n) }

func check(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Check(); err != nil {
		t.Fatalf("Check: %v", err)
	}
}

// create makes a table in a transaction of its own.
func create(t testing.TB, s *Store, def *schema.Table) *schema.Table {
	t.Helper()
	tx := s.Begin()
	made, err := tx.CreateTable(def)
	if err != nil {
		t.Fatalf("CreateTable(%s): %v", def.Name, err)
	}
	tx.Commit(nil)
	check(t, s)
	return made
}

func mustInsert(t testing.TB, tx *Tx, id schema.TableID, row []byte) (generated []byte) {
	t.Helper()
	_, generated, err := tx.Insert(id, row)
	if err != nil {
		t.Fatalf("Insert(%x): %v", row, err)
	}
	return generated
}

// contents returns the rows of a table as sorted strings.
func contents(r Reader, id schema.TableID) []string {
	rows := []string{}
	for row := range r.Scan(id) {
		rows = append(rows, string(row))
	}
	slices.Sort(rows)
	return rows
}

func wantRows(t testing.TB, r Reader, id schema.TableID, want ...[]byte) {
	t.Helper()
	w := []string{}
	for _, row := range want {
		w = append(w, string(row))
	}
	slices.Sort(w)
	if got := contents(r, id); !slices.Equal(got, w) {
		t.Fatalf("rows are %q, want %q", got, w)
	}
	if n := r.RowCount(id); n != uint64(len(want)) {
		t.Fatalf("RowCount = %d, want %d", n, len(want))
	}
}

func wantCode(t testing.TB, err error, code Errno) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("error is %v, want code %d", err, code)
	}
}

func deltaText(d *Delta) string {
	var b strings.Builder
	for _, t := range d.Tables {
		fmt.Fprintf(&b, "%s +%d -%d", t.Table.Name, t.Inserts.Len(), t.Deletes.Len())
		if t.Truncated {
			b.WriteString(" truncated")
		}
		b.WriteString("; ")
	}
	return b.String()
}

func TestBootstrap(t *testing.T) {
	spec.Covers(t, "08.17")
	s := New(Options{})
	check(t, s)
	v := s.View()
	defer v.Close()
	for id, want := range map[schema.TableID]uint64{
		schema.StTable: 26, schema.StColumn: 102, schema.StIndex: 37, schema.StConstraint: 33, schema.StSequence: 8, schema.StModule: 0,
	} {
		if n := v.RowCount(id); n != want {
			t.Errorf("RowCount(%d) = %d, want %d", id, n, want)
		}
	}
	if len(v.Tables()) != 26 {
		t.Errorf("%d tables, want 26", len(v.Tables()))
	}
	if tab, ix := v.IndexByName("st_view_param_view_id_param_pos_idx_btree"); ix == nil || ix.ID != 16 || tab.ID != schema.StViewParam {
		t.Errorf("index of st_view_param is %v", ix)
	}
	def := create(t, s, people())
	if def.ID != 4096 || def.Indexes[0].ID != 4096 || def.Constraints[0].ID != 4096 || def.Sequences[0].ID != 4096 {
		t.Errorf("first user ids are %d, %d, %d, %d, want 4096", def.ID, def.Indexes[0].ID, def.Constraints[0].ID, def.Sequences[0].ID)
	}
	v2 := s.View()
	defer v2.Close()
	key := u32(uint32(schema.SeqTableID))
	row, _ := v2.FindUnique(schema.IxSequenceID, key)
	var seq schema.StSequenceRow
	if err := seq.Decode(row); err != nil || seq.Allocated != sats.I128From(8192) {
		t.Errorf("allocated = %v, %v; want 8192", seq.Allocated, err)
	}
}

func TestInsertIsSet(t *testing.T) {
	spec.Covers(t, "08.1")
	plain := tableDef("plain", col("a", sats.U32), col("b", sats.U32))
	unique := withUnique(tableDef("unique", col("a", sats.U32), col("b", sats.U32)), schema.BTree, 0)
	for _, def := range []*schema.Table{plain, unique} {
		t.Run(def.Name, func(t *testing.T) {
			s := New(Options{})
			id := create(t, s, def).ID
			row := append(u32(1), u32(2)...)
			tx := s.Begin()
			mustInsert(t, tx, id, row)
			mustInsert(t, tx, id, row)
			wantRows(t, tx, id, row)
			check(t, s)
			if got := deltaText(tx.Commit(nil).Delta); got != def.Name+" +1 -0; " {
				t.Errorf("delta is %q", got)
			}
			tx = s.Begin()
			mustInsert(t, tx, id, row)
			if c := tx.Commit(nil); len(c.Delta.Tables) != 0 || c.Logged {
				t.Errorf("a second insert changes %q", deltaText(c.Delta))
			}
			check(t, s)
		})
	}
}

func TestUniqueViolation(t *testing.T) {
	spec.Covers(t, "08.2")
	s := New(Options{})
	def := create(t, s, people())
	tx := s.Begin()
	if g := mustInsert(t, tx, def.ID, person(0, "Foo", 18)); !bytes.Equal(g, u32(1)) {
		t.Errorf("generated %x, want id 1", g)
	}
	_, _, err := tx.Insert(def.ID, person(0, "Foo", 19))
	wantCode(t, err, ErrUniqueAlreadyExists)
	if want := `Unique constraint violation 'Foo_name_idx_btree' in table 'Foo': column(s): '["name"]' value: "Foo"`; err.Error() != want {
		t.Errorf("error is %q, want %q", err, want)
	}
	mustInsert(t, tx, def.ID, person(0, "Bar", 20))
	tx.Commit(nil)
	check(t, s)
	tx = s.Begin()
	_, _, err = tx.Insert(def.ID, person(0, "Foo", 18))
	wantCode(t, err, ErrUniqueAlreadyExists)
	wantRows(t, tx, def.ID, person(1, "Foo", 18), person(3, "Bar", 20))
	tx.Rollback()
	check(t, s)
}

func TestNetZero(t *testing.T) {
	spec.Covers(t, "08.3", "08.4", "08.5")
	s := New(Options{})
	def := create(t, s, people())
	ix := def.UniqueIndexOn(0).ID
	tx := s.Begin()
	mustInsert(t, tx, def.ID, person(1, "Foo", 18))
	tx.Commit(nil)

	steps := []struct {
		name string
		do   func(tx *Tx)
		want string
	}{
		{"delete and insert the same row", func(tx *Tx) {
			tx.DeleteRow(def.ID, person(1, "Foo", 18))
			mustInsert(t, tx, def.ID, person(1, "Foo", 18))
		}, ""},
		{"update to the same row", func(tx *Tx) { tx.Update(def.ID, ix, person(1, "Foo", 18)) }, ""},
		{"insert and delete", func(tx *Tx) {
			mustInsert(t, tx, def.ID, person(2, "Bar", 18))
			tx.DeletePoint(ix, u32(2))
		}, ""},
		{"update there and back", func(tx *Tx) {
			tx.Update(def.ID, ix, person(1, "Foo", 19))
			tx.Update(def.ID, ix, person(1, "Foo", 18))
		}, ""},
		{"delete, insert another, update to the deleted", func(tx *Tx) {
			tx.DeleteRow(def.ID, person(1, "Foo", 18))
			mustInsert(t, tx, def.ID, person(1, "Foo", 20))
			tx.Update(def.ID, ix, person(1, "Foo", 18))
		}, ""},
		{"delete and insert the same key", func(tx *Tx) {
			tx.DeleteRow(def.ID, person(1, "Foo", 18))
			mustInsert(t, tx, def.ID, person(1, "Foo", 19))
		}, "Foo +1 -1; "},
		{"restore", func(tx *Tx) { tx.Update(def.ID, ix, person(1, "Foo", 18)) }, "Foo +1 -1; "},
	}
	for _, st := range steps {
		tx := s.Begin()
		st.do(tx)
		check(t, s)
		if got := deltaText(tx.Commit(nil).Delta); got != st.want {
			t.Errorf("%s: delta is %q, want %q", st.name, got, st.want)
		}
		check(t, s)
	}
}

func TestUpdateErrors(t *testing.T) {
	spec.Covers(t, "08.6")
	s := New(Options{})
	d := people()
	withIndex(d, schema.BTree, 2)
	def := create(t, s, d)
	byID, byAge := def.UniqueIndexOn(0).ID, def.IndexOn(2).ID
	tx := s.Begin()
	mustInsert(t, tx, def.ID, person(11, "A", 1))
	mustInsert(t, tx, def.ID, person(12, "B", 1))
	tx.Commit(nil)
	tx = s.Begin()
	for _, c := range []struct {
		name string
		ix   schema.IndexID
		row  []byte
		want Errno
	}{
		{"unknown index", 99, person(1, "A", 2), ErrNoSuchIndex},
		{"not unique", byAge, person(1, "A", 2), ErrIndexNotUnique},
		{"another unique column", byID, person(11, "B", 2), ErrUniqueAlreadyExists},
		{"another unique column and no row", byID, person(7, "B", 2), ErrUniqueAlreadyExists},
		{"no row", byID, person(7, "C", 2), ErrNoSuchRow},
		{"generated key", byID, person(0, "C", 2), ErrNoSuchRow},
		{"truncated row", byID, person(1, "A", 2)[:7], ErrDecode},
	} {
		if _, _, err := tx.Update(def.ID, c.ix, c.row); true {
			var e *Error
			if !errors.As(err, &e) || e.Code != c.want {
				t.Errorf("%s: %v, want code %d", c.name, err, c.want)
			}
		}
		check(t, s)
	}
	_, _, err := tx.Insert(77, nil)
	wantCode(t, err, ErrNoSuchTable)
	tx.Rollback()
	check(t, s)
}

func TestRollback(t *testing.T) {
	spec.Covers(t, "08.10", "08.11", "08.14")
	s := New(Options{})
	def := create(t, s, people())
	tx := s.Begin()
	mustInsert(t, tx, def.ID, person(0, "Foo", 18))
	tx.Rollback()
	check(t, s)
	tx = s.Begin()
	wantRows(t, tx, def.ID)
	if g := mustInsert(t, tx, def.ID, person(0, "Foo", 18)); !bytes.Equal(g, u32(2)) {
		t.Errorf("after rollback the id is %x, want 2", g)
	}
	if g := mustInsert(t, tx, def.ID, person(3, "X", 18)); len(g) != 0 {
		t.Errorf("an explicit id generates %x", g)
	}
	_, _, err := tx.Insert(def.ID, person(0, "Y", 18))
	wantCode(t, err, ErrUniqueAlreadyExists) // 3 is taken: explicit ids do not advance
	if g := mustInsert(t, tx, def.ID, person(0, "Y", 18)); !bytes.Equal(g, u32(4)) {
		t.Errorf("the id is %x, want 4", g)
	}
	tx.Commit(nil)
	check(t, s)
}

func TestSequenceWraps(t *testing.T) {
	spec.Covers(t, "08.12")
	s := New(Options{})
	def := create(t, s, withSequence(tableDef("w", col("n", sats.U8), col("at", sats.U32)), 0))
	tx := s.Begin()
	for i := range uint32(258) {
		g := mustInsert(t, tx, def.ID, append([]byte{0}, u32(i)...))
		if want := byte(i + 1); !bytes.Equal(g, []byte{want}) {
			t.Fatalf("value %d is %x, want %d", i, g, want)
		}
	}
	check(t, s)
	tx.Commit(nil)
}

func TestFloatKeys(t *testing.T) {
	spec.Covers(t, "08.18")
	s := New(Options{})
	zero, minus := sats.AppendF64(nil, 0), sats.AppendU64(nil, 1<<63)
	plain := create(t, s, withIndex(tableDef("plain", col("f", sats.F64)), schema.BTree, 0))
	unique := create(t, s, withUnique(tableDef("unique", col("f", sats.F64)), schema.Hash, 0))
	tx := s.Begin()
	mustInsert(t, tx, plain.ID, zero)
	mustInsert(t, tx, plain.ID, minus)
	wantRows(t, tx, plain.ID, zero, minus)
	n := 0
	for range tx.Point(plain.Indexes[0].ID, zero) {
		n++
	}
	if n != 2 {
		t.Errorf("the key 0 finds %d rows, want 2", n)
	}
	mustInsert(t, tx, unique.ID, zero)
	_, _, err := tx.Insert(unique.ID, minus)
	wantCode(t, err, ErrUniqueAlreadyExists)
	check(t, s)
	tx.Commit(nil)
}

func TestEventTable(t *testing.T) {
	s := New(Options{})
	d := withUnique(tableDef("ev", col("id", sats.U32), col("v", sats.U32)), schema.BTree, 0)
	d.IsEvent = true
	def := create(t, s, d)
	ix := def.Indexes[0].ID
	row := func(id, v uint32) []byte { return append(u32(id), u32(v)...) }
	tx := s.Begin()
	mustInsert(t, tx, def.ID, row(1, 1))
	mustInsert(t, tx, def.ID, row(2, 1))
	if _, _, err := tx.Insert(def.ID, row(1, 2)); err == nil {
		t.Error("a key twice in one transaction is accepted")
	}
	if _, _, err := tx.Update(def.ID, ix, row(1, 5)); err != nil {
		t.Error(err)
	}
	tx.DeletePoint(ix, u32(2))
	wantRows(t, tx, def.ID, row(1, 5))
	c := tx.Commit(nil)
	if got := deltaText(c.Delta); got != "ev +1 -0; " || !bytes.Equal(c.Delta.Tables[0].Inserts.At(0), row(1, 5)) {
		t.Errorf("delta is %q", got)
	}
	if !c.Logged || !bytes.Contains(c.Record, row(1, 5)) {
		t.Error("the event is not in the record")
	}
	check(t, s)
	tx = s.Begin()
	wantRows(t, tx, def.ID)
	mustInsert(t, tx, def.ID, row(1, 1))
	tx.Rollback()
	check(t, s)
}
