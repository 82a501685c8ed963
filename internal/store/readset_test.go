package store

import (
	"slices"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// Each reader does one read; the wanted readers are those a change must wake.
func TestStaleReads(t *testing.T) {
	s, def := grid(t)
	other := create(t, s, people())
	byPlace, byA := def.Indexes[0].ID, def.Indexes[1].ID
	reads := []func(tx *Tx){
		0: func(tx *Tx) { contents(tx, def.ID) },
		1: func(tx *Tx) { tx.RowCount(def.ID) },
		2: func(tx *Tx) { collect(tx.Point(byA, u32(1))) },
		3: func(tx *Tx) { tx.FindUnique(byPlace, append(u32(2), 2)) },
		4: func(tx *Tx) { tx.FindUnique(byPlace, append(u32(9), 9)) }, // no such row
		5: func(tx *Tx) { collect(tx.Range(byA, Range{Lo: Bound{Included, u32(3)}})) },
		6: func(tx *Tx) {
			b := Bound{Included, []byte{4}}
			collect(tx.Range(byPlace, Range{Prefix: u32(3), PrefixCols: 1, Lo: b, Hi: b}))
		},
		7: func(tx *Tx) { contents(tx, other.ID) },
	}
	var x ReadIndex
	for i, read := range reads {
		tx := s.Begin()
		r := &ReadSet{}
		tx.TrackReads(r)
		read(tx)
		tx.TrackReads(nil)
		contents(tx, schema.StTable) // not tracked
		tx.Rollback()
		x.Replace(uint64(i), r)
		x.Replace(uint64(i), r) // again changes nothing
	}
	for _, c := range []struct {
		name string
		do   func(tx *Tx)
		want []uint64
	}{
		{"nothing", func(tx *Tx) {}, nil},
		{"delete a = 1", func(tx *Tx) { tx.DeletePoint(byA, u32(1)) }, []uint64{0, 1, 2, 5}},
		{"delete (2, 2)", func(tx *Tx) { tx.DeletePoint(byPlace, append(u32(2), 2)) }, []uint64{0, 1, 3, 5}},
		{"insert (9, 9)", func(tx *Tx) { mustInsert(t, tx, def.ID, gridRow(9, 9)) }, []uint64{0, 1, 4, 5}},
		{"delete (3, 4)", func(tx *Tx) { tx.DeletePoint(byPlace, append(u32(3), 4)) }, []uint64{0, 1, 5, 6}},
		{"no net effect", func(tx *Tx) {
			tx.DeletePoint(byPlace, append(u32(2), 2))
			mustInsert(t, tx, def.ID, gridRow(2, 2))
		}, nil},
		{"another table", func(tx *Tx) { mustInsert(t, tx, other.ID, person(1, "x", 1)) }, []uint64{7}},
		{"table made anew", func(tx *Tx) {
			like := *def
			like.Cols = append(slices.Clone(def.Cols), col("z", sats.U8))
			like.Layout = tableDef("grid", like.Cols...).Layout
			if _, err := tx.AddColumns(def.ID, &like, [][]byte{{0}}); err != nil {
				t.Fatal(err)
			}
		}, []uint64{0, 1, 2, 3, 4, 5, 6}},
	} {
		tx := s.Begin()
		c.do(tx)
		if got := tx.Stale(&x); !slices.Equal(got, c.want) {
			t.Errorf("%s: stale are %v, want %v", c.name, got, c.want)
		}
		tx.Rollback()
		check(t, s)
	}
	for i := range reads {
		x.Remove(uint64(i))
	}
	if len(x.sets)+len(x.tables)+len(x.points) != 0 {
		t.Errorf("after removing all owners %v is left", x)
	}
}
