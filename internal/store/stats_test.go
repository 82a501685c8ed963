package store

import (
	"bytes"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// Rows with memory of their own are counted, and go when they are deleted, rolled back or
// cleared.
func TestStatsCountLargeRows(t *testing.T) {
	s := New(Options{HashSeed: 5})
	def := create(t, s, withUnique(tableDef("t", col("id", sats.U32), col("v", sats.String)), schema.BTree, 0))
	row := func(id, n uint32) []byte {
		return append(append(u32(id), u32(n)...), bytes.Repeat([]byte("x"), int(n))...)
	}
	want := func(what string, large, size uint64) {
		t.Helper()
		for _, st := range s.Stats() {
			if st.Table.ID != def.ID {
				continue
			}
			if st.Large != large || st.LargeBytes != size || st.IndexBytes == 0 && st.Rows > 0 || st.IndexBytes+st.LargeBytes > st.Bytes {
				t.Errorf("%s: %+v, want %d large rows of %d bytes", what, st, large, size)
			}
			return
		}
		t.Fatal("no such table")
	}
	tx := s.Begin()
	mustInsert(t, tx, def.ID, row(1, 10))
	mustInsert(t, tx, def.ID, row(2, 5000))
	mustInsert(t, tx, def.ID, row(3, 6000))
	tx.Commit(nil)
	want("inserted", 2, 11016)
	tx = s.Begin()
	mustInsert(t, tx, def.ID, row(4, 7000))
	tx.Rollback()
	want("rolled back", 2, 11016)
	tx = s.Begin()
	if ok, err := tx.DeleteRow(def.ID, row(2, 5000)); err != nil || !ok {
		t.Fatal(ok, err)
	}
	tx.Commit(nil)
	want("deleted", 1, 6008)
	tx = s.Begin()
	if _, err := tx.Clear(def.ID); err != nil {
		t.Fatal(err)
	}
	tx.Commit(nil)
	want("cleared", 0, 0)
}
