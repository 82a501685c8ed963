package store

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

func TestOnCommit(t *testing.T) {
	s, def := grid(t)
	var ran []int
	tx := s.Begin()
	tx.OnCommit(func() { ran = append(ran, 1) })
	tx.OnCommit(func() { ran = append(ran, 2) })
	tx.Commit(nil)
	tx = s.Begin()
	tx.OnCommit(func() { ran = append(ran, 3) })
	mustInsert(t, tx, def.ID, gridRow(9, 9))
	tx.Rollback()
	s.Begin().Commit(nil)
	if fmt.Sprint(ran) != "[1 2]" {
		t.Errorf("ran %v; want what was given to the transaction that committed", ran)
	}
}

// Reading very many keys is reading the table.
func TestReadSetIsBounded(t *testing.T) {
	s, def := grid(t)
	byA := def.Indexes[1].ID
	tx := s.Begin()
	r := &ReadSet{}
	tx.TrackReads(r)
	for i := range uint32(maxPoints + 10) {
		tx.FindUnique(def.Indexes[0].ID, append(u32(i), 1))
	}
	collect(tx.Point(byA, u32(1)))
	tx.Rollback()
	if len(r.points) != 0 || len(r.tables) != 1 {
		t.Errorf("the set has %d indexes and %d tables; want the table alone", len(r.points), len(r.tables))
	}
	var x ReadIndex
	if !x.Empty() {
		t.Error("an index without owners is not empty")
	}
	x.Replace(7, r)
	tx = s.Begin()
	mustInsert(t, tx, def.ID, gridRow(200_000, 9))
	if got := tx.Stale(&x); !slices.Equal(got, []uint64{7}) || x.Empty() {
		t.Errorf("stale are %v; want 7", got)
	}
	tx.Rollback()
}

// A view follows its definition: aliases, grown enums, parameters.
func TestUpdateView(t *testing.T) {
	s := New(Options{})
	view := func(accessor string, kind *sats.Type, params ...sats.Element) *schema.ViewDef {
		return &schema.ViewDef{
			Name: "things", Accessor: accessor, IsPublic: true, IsAnonymous: true,
			Params: sats.Product(params...), ParamCols: sats.Product(params...),
			Columns: []schema.ColumnDef{{Name: "id", Accessor: "Id", Type: sats.U32}, {Name: "kind", Accessor: accessor, Type: kind}},
		}
	}
	tx := s.Begin()
	def, id, err := tx.CreateView(view("one", sats.Enum("a", "b"), sats.E("p", sats.U32)))
	if err != nil {
		t.Fatal(err)
	}
	row := append(append(make([]byte, 32), u32(5)...), 1)
	mustInsert(t, tx, def.ID, row)
	tx.Commit(nil)

	same := func(tx *Tx) {
		t.Helper()
		if err := tx.UpdateView(view("one", sats.Enum("a", "b"), sats.E("p", sats.U32))); err != nil {
			t.Fatal(err)
		}
	}
	tx = s.Begin()
	same(tx)
	if c := tx.Commit(nil); c.Logged {
		t.Errorf("an update without a change is logged: %s", deltaText(c.Delta))
	}
	grown := view("two", sats.Enum("a", "b", "c"), sats.E("p", sats.U32), sats.E("q", sats.U8))
	tx = s.Begin()
	if err := tx.UpdateView(grown); err != nil {
		t.Fatal(err)
	}
	tx.Rollback()
	check(t, s)
	tx = s.Begin()
	same(tx)
	if err := tx.UpdateView(grown); err != nil {
		t.Fatal(err)
	}
	now := tx.TableByName("two")
	if now == nil || now.ID != def.ID || !now.IsView || now.Cols[2].Accessor != "two" {
		t.Fatalf("the view is %+v after the update", now)
	}
	wantRows(t, tx, def.ID, row)
	mustInsert(t, tx, def.ID, append(append(make([]byte, 32), u32(6)...), 2))
	if n := len(collect(tx.Range(schema.IxViewParam, Range{Prefix: key32(id), PrefixCols: 1}))); n != 2 {
		t.Errorf("%d parameters are described; want 2", n)
	}
	tx.Commit(nil)
	check(t, s)
	tx = s.Begin()
	defer tx.Rollback()
	if err := tx.UpdateView(&schema.ViewDef{Name: "other"}); err == nil {
		t.Error("a view that does not exist is updated")
	}
}
