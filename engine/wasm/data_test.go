package wasm

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

func TestInsert(t *testing.T) {
	spec.Covers(t, "03.14", "03.26", "03.27", "03.28")
	g := newGuest(t, abi.KindReducer, personTable)
	table := g.tableID("person")
	if table != 4096 {
		t.Errorf("the first table has id %d", table)
	}
	if gen, status := g.insert(table, person(0, "Ann", 30)); status != 0 || !bytes.Equal(gen, sats.AppendU64(nil, 1)) {
		t.Errorf("status %d, generated %x", status, gen)
	}
	if gen, status := g.insert(table, person(7, "Bob", 30)); status != 0 || len(gen) != 0 {
		t.Errorf("status %d, generated %x", status, gen)
	}
	// The identical row changes nothing; another row with the same id is refused, and the transaction goes on.
	if _, status := g.insert(table, person(7, "Bob", 30)); status != 0 {
		t.Errorf("the identical row: %d", status)
	}
	if _, status := g.insert(table, person(7, "Eve", 30)); status != uint32(abi.ErrUniqueAlreadyExists) {
		t.Errorf("a second row with id 7: %d", status)
	}
	g.want(0, "datastore_table_row_count", table, atOut)
	if n := g.u64(atOut); n != 2 {
		t.Errorf("%d rows", n)
	}
	if _, status := g.insert(table, []byte{1, 2}); status != uint32(abi.ErrBSATNDecode) {
		t.Errorf("half a row: %d", status)
	}
	if _, status := g.insert(99, person(1, "", 1)); status != uint32(abi.ErrNoSuchTable) {
		t.Errorf("no such table: %d", status)
	}
}

func TestUpdate(t *testing.T) {
	spec.Covers(t, "03.29")
	g := newGuest(t, abi.KindReducer, func(tx *store.Tx) {
		newTable("pair", column("a", sats.U8), column("b", sats.U8), column("c", sats.U8)).
			unique(schema.BTree, 0).unique(schema.Hash, 1).index(schema.BTree, 2).create(tx)
	})
	table := g.tableID("pair")
	byA, byC := g.indexID("pair_a_idx_btree"), g.indexID("pair_c_idx_btree")
	update := func(index uint64, row ...byte) uint32 {
		g.put(atIn, row...)
		g.putU32(atOut, uint32(len(row)))
		return g.call("datastore_update_bsatn", table, index, atIn, atOut)
	}
	g.insert(table, []byte{1, 10, 5})
	g.insert(table, []byte{2, 20, 5})
	for _, c := range []struct {
		index uint64
		row   []byte
		want  abi.Errno
	}{
		{9999, []byte{1, 10, 6}, abi.ErrNoSuchIndex},
		{byC, []byte{1, 10, 6}, abi.ErrIndexNotUnique},
		{byA, []byte{1, 20, 6}, abi.ErrUniqueAlreadyExists},
		{byA, []byte{3, 30, 6}, abi.ErrNoSuchRow},
		{byA, []byte{1, 11, 6}, abi.OK},
		{byA, []byte{1, 11, 6}, abi.OK}, // no change
	} {
		if got := update(c.index, c.row...); got != uint32(c.want) {
			t.Errorf("update %v: got %d, want %d", c.row, got, c.want)
		}
	}
	g.want(0, "datastore_table_scan_bsatn", table, atOut)
	rows := []string{}
	for all := g.rows(); len(all) >= 3; all = all[3:] {
		rows = append(rows, all[:3])
	}
	slices.Sort(rows)
	if want := []string{"\x01\x0b\x06", "\x02\x14\x05"}; !slices.Equal(rows, want) {
		t.Errorf("rows are %q, want %q", rows, want)
	}
}

func TestPointScans(t *testing.T) {
	spec.Covers(t, "03.30", "03.33")
	g := newGuest(t, abi.KindReducer, func(tx *store.Tx) {
		cols := []schema.Column{column("a", sats.U8), column("b", sats.U8)}
		newTable("btree", cols...).index(schema.BTree, 0).index(schema.BTree, 1, 0).create(tx)
		newTable("hash", cols...).index(schema.Hash, 0).index(schema.Hash, 1, 0).create(tx)
		newTable("direct", cols...).unique(schema.Direct, 0).create(tx)
	})
	for _, algo := range []string{"btree", "hash", "direct"} {
		table := g.tableID(algo)
		for _, row := range [][]byte{{1, 10}, {2, 10}, {1, 11}} {
			g.insert(table, row)
		}
		single := g.indexID(algo + "_a_idx_" + algo)
		p, n := g.put(atIn, 2)
		g.want(0, "datastore_index_scan_point_bsatn", single, p, n, atOut)
		if rows := g.rows(); rows != "\x02\x0a" {
			t.Errorf("%s: rows %q", algo, rows)
		}
		p, n = g.put(atIn, 9)
		g.want(0, "datastore_index_scan_point_bsatn", single, p, n, atOut)
		if rows := g.rows(); rows != "" {
			t.Errorf("%s: rows %q", algo, rows)
		}
		g.want(uint32(abi.ErrBSATNDecode), "datastore_index_scan_point_bsatn", single, p, 0, atOut)
		g.want(uint32(abi.ErrNoSuchIndex), "datastore_index_scan_point_bsatn", 77, p, n, atOut)
		if algo == "direct" {
			continue
		}
		double := g.indexID(algo + "_b_a_idx_" + algo)
		p, n = g.put(atIn, 11, 1)
		g.want(0, "datastore_index_scan_point_bsatn", double, p, n, atOut)
		if rows := g.rows(); rows != "\x01\x0b" {
			t.Errorf("%s: rows %q", algo, rows)
		}
		g.want(uint32(abi.ErrBSATNDecode), "datastore_index_scan_point_bsatn", double, p, 1, atOut)
		p, n = g.put(atIn, 11, 1, 0)
		g.want(uint32(abi.ErrBSATNDecode), "datastore_index_scan_point_bsatn", double, p, n, atOut) // trailing byte
		p, n = g.put(atIn, 1)
		g.want(0, "datastore_delete_by_index_scan_point_bsatn", single, p, n, atOut)
		if gone := g.u32(atOut); gone != 2 {
			t.Errorf("%s: %d rows deleted", algo, gone)
		}
		p, n = g.put(atIn, 1, 0, 0, 0, 2, 10)
		g.want(0, "datastore_delete_all_by_eq_bsatn", table, p, n, atOut)
		if gone := g.u32(atOut); gone != 1 {
			t.Errorf("%s: %d rows deleted by value", algo, gone)
		}
	}
	direct := g.tableID("direct")
	g.want(0, "datastore_clear", direct, atOut)
	if gone := g.u64(atOut); gone != 2 { // the third row had been refused
		t.Errorf("clear deleted %d rows", gone)
	}
	p, n := g.put(atIn, 255, 255, 255, 255)
	g.want(uint32(abi.ErrBSATNDecode), "datastore_delete_all_by_eq_bsatn", direct, p, n, atOut)
	g.want(uint32(abi.ErrNoSuchTable), "datastore_delete_all_by_eq_bsatn", 1234, p, n, atOut)
	g.want(uint32(abi.ErrNoSuchTable), "datastore_clear", 1234, atOut)
	g.want(uint32(abi.ErrNoSuchTable), "datastore_table_scan_bsatn", 1234, atOut)
	g.want(uint32(abi.ErrNoSuchTable), "datastore_table_row_count", 1234, atOut)
}

// All combinations of bounds, with and without a prefix, against a plain filter.
func TestRangeScans(t *testing.T) {
	spec.Covers(t, "03.31", "03.33")
	g := newGuest(t, abi.KindReducer, func(tx *store.Tx) {
		newTable("one", column("v", sats.U8)).index(schema.BTree, 0).create(tx)
		newTable("two", column("p", sats.U8), column("v", sats.U8)).index(schema.BTree, 0, 1).create(tx)
	})
	one, two := g.tableID("one"), g.tableID("two")
	var values []byte
	for v := byte(0); v < 10; v++ {
		g.insert(one, []byte{v})
		for p := byte(0); p < 3; p++ {
			g.insert(two, []byte{p, v})
		}
		values = append(values, v)
	}
	oneIx, twoIx := g.indexID("one_v_idx_btree"), g.indexID("two_p_v_idx_btree")
	bound := func(kind int, v byte) []byte { return []byte{byte(kind), v}[:2-kind/2] }
	within := func(lo, hi int, v byte) bool {
		return (lo == 2 || lo == 0 && v >= 3 || lo == 1 && v > 3) && (hi == 2 || hi == 0 && v <= 7 || hi == 1 && v < 7)
	}
	for lo := range 3 {
		for hi := range 3 {
			ps, ns := g.put(atIn2, bound(lo, 3)...)
			pe, ne := g.put(atIn3, bound(hi, 7)...)
			var want1, want2 []byte
			for _, v := range values {
				if within(lo, hi, v) {
					want1 = append(want1, v)
					want2 = append(want2, 1, v)
				}
			}
			// Without prefix its pointer is not looked at.
			g.want(0, "datastore_index_scan_range_bsatn", oneIx, 0, 5, 0, ps, ns, pe, ne, atOut)
			if got := g.rows(); got != string(want1) {
				t.Errorf("bounds %d %d: %v, want %v", lo, hi, []byte(got), want1)
			}
			p, n := g.put(atIn, 1)
			g.want(0, "datastore_btree_scan_bsatn", twoIx, p, n, 1, ps, ns, pe, ne, atOut)
			if got := g.rows(); got != string(want2) {
				t.Errorf("prefix, bounds %d %d: %v, want %v", lo, hi, []byte(got), want2)
			}
		}
	}
	ps, ns := g.put(atIn2, bound(0, 3)...)
	pe, ne := g.put(atIn3, bound(0, 7)...)
	p, n := g.put(atIn, 1)
	g.want(0, "datastore_delete_by_index_scan_range_bsatn", twoIx, p, n, 1, ps, ns, pe, ne, atOut)
	if gone := g.u32(atOut); gone != 5 {
		t.Errorf("%d rows deleted", gone)
	}
	g.want(uint32(abi.ErrBSATNDecode), "datastore_index_scan_range_bsatn", oneIx, p, n, 1, ps, ns, pe, ne, atOut)
	g.want(uint32(abi.ErrBSATNDecode), "datastore_index_scan_range_bsatn", oneIx, p, n, 0, ps, 1, pe, ne, atOut)
	g.want(uint32(abi.ErrNoSuchIndex), "datastore_index_scan_range_bsatn", 7777, p, n, 0, ps, ns, pe, ne, atOut)
	g.wantTrap("datastore_index_scan_range_bsatn", oneIx, p, n, 65536, ps, ns, pe, ne, atOut)
	// An inverted range is empty.
	ps, ns = g.put(atIn2, bound(0, 7)...)
	pe, ne = g.put(atIn3, bound(0, 3)...)
	g.want(0, "datastore_index_scan_range_bsatn", oneIx, 0, 0, 0, ps, ns, pe, ne, atOut)
	if got := g.rows(); got != "" {
		t.Errorf("inverted range: %v", []byte(got))
	}
}

func TestRangeOnOtherIndexes(t *testing.T) {
	spec.Covers(t, "03.32")
	g := newGuest(t, abi.KindReducer, func(tx *store.Tx) {
		newTable("direct", column("v", sats.U8)).unique(schema.Direct, 0).create(tx)
		newTable("hash", column("v", sats.U8)).index(schema.Hash, 0).create(tx)
	})
	g.insert(g.tableID("direct"), []byte{5})
	p, n := g.put(atIn2, 0, 5)
	g.want(0, "datastore_index_scan_range_bsatn", g.indexID("direct_v_idx_direct"), 0, 0, 0, p, n, p, n, atOut)
	if got := g.rows(); got != "\x05" {
		t.Errorf("got %v", []byte(got))
	}
	g.want(uint32(abi.ErrWrongIndexAlgo), "datastore_index_scan_range_bsatn", g.indexID("hash_v_idx_hash"), 0, 0, 0, p, n, p, n, atOut)
}

func TestNames(t *testing.T) {
	spec.Covers(t, "03.13", "03.34", "03.65")
	g := newGuest(t, abi.KindReducer, func(tx *store.Tx) {
		d := newTable("tea_box", column("v", sats.U8)).index(schema.BTree, 0)
		d.Accessor, d.Indexes[0].Accessor = "teaBox", "teaBox_v_idx_btree"
		d.create(tx)
	})
	if a, b := g.tableID("tea_box"), g.tableID("teaBox"); a != b {
		t.Errorf("ids %d and %d", a, b)
	}
	if a, b := g.indexID("tea_box_v_idx_btree"), g.indexID("teaBox_v_idx_btree"); a != b {
		t.Errorf("ids %d and %d", a, b)
	}
	if g.tableID("st_table") != uint64(schema.StTable) {
		t.Error("st_table is not found")
	}
	for name, errno := range map[string]abi.Errno{"st_env": abi.ErrNoSuchTable, "nothing": abi.ErrNoSuchTable, "": abi.ErrNoSuchTable} {
		p, n := g.put(atIn, []byte(name)...)
		g.want(uint32(errno), "table_id_from_name", p, n, atOut)
	}
	for _, name := range []string{"st_env_key_idx_btree", "nothing"} {
		p, n := g.put(atIn, []byte(name)...)
		g.want(uint32(abi.ErrNoSuchIndex), "index_id_from_name", p, n, atOut)
	}
	for _, ix := range g.tx.Table(schema.StEnv).Indexes {
		if ix.ID != 30 {
			t.Errorf("index %s has id %d: the hidden one is 30", ix.Name, ix.ID)
		}
	}
	p, n := g.put(atIn, 0, 0, 0, 0)
	g.want(uint32(abi.ErrNoSuchTable), "datastore_table_scan_bsatn", 21, atOut)
	g.want(uint32(abi.ErrNoSuchTable), "datastore_table_row_count", 21, atOut)
	g.want(uint32(abi.ErrNoSuchIndex), "datastore_index_scan_point_bsatn", 30, p, n, atOut)
	p, n = g.put(atIn, 't', 0xff)
	g.wantTrap("table_id_from_name", p, n, atOut)
}

// The catalogue is the host's.
func TestSystemTablesCannotBeWritten(t *testing.T) {
	g := newGuest(t, abi.KindReducer, personTable)
	g.putU32(atOut, 4)
	g.wantTrap("datastore_insert_bsatn", uint64(schema.StTable), atIn, atOut)
	g.wantTrap("datastore_clear", uint64(schema.StTable), atOut)
	p, n := g.put(atIn, 0, 0, 0, 0)
	g.wantTrap("datastore_delete_all_by_eq_bsatn", uint64(schema.StColumn), p, n, atOut)
	for _, ix := range g.tx.Table(schema.StTable).Indexes {
		if ix.Cols[0] == 0 {
			g.wantTrap("datastore_delete_by_index_scan_point_bsatn", uint64(ix.ID), p, n, atOut)
		}
	}
}

// A row is too far away from 2^36 - 1 milliseconds on.
func TestScheduleDelay(t *testing.T) {
	spec.Covers(t, "03.35")
	g := newGuest(t, abi.KindReducer, func(tx *store.Tx) {
		d := newTable("timer", column("scheduled_id", sats.U64), column("scheduled_at", sats.ScheduleAtType)).unique(schema.BTree, 0)
		d.Schedule = &schema.Schedule{Name: "timer_sched", AtCol: 1, IDCol: 0, Function: "tick"}
		d.create(tx)
	})
	table := g.tableID("timer")
	now := sats.Timestamp(1_700_000_000_000_000)
	g.s.now = func() sats.Timestamp { return now - 5 } // the call's time is later and counts
	const limit = 1<<36 - 1
	for i, c := range []struct {
		tag    byte
		micros int64
		want   abi.Errno
	}{
		{0, limit * 1000, abi.ErrScheduleDelayTooLong},
		{0, (limit - 1) * 1000, abi.OK},
		{1, int64(now) + limit*1000, abi.ErrScheduleDelayTooLong},
		{1, int64(now) + (limit-1)*1000, abi.OK},
		{1, 0, abi.OK},
		{1, -1 << 63, abi.OK},
		{0, 1<<63 - 1, abi.ErrScheduleDelayTooLong},
	} {
		row := append(sats.AppendU64(nil, uint64(i+1)), c.tag)
		if _, status := g.insert(table, sats.AppendU64(row, uint64(c.micros))); status != uint32(c.want) {
			t.Errorf("tag %d, %d µs: got %d, want %d", c.tag, c.micros, status, c.want)
		}
	}
}

func TestNoTransaction(t *testing.T) {
	spec.Covers(t, "03.11")
	g := newGuest(t, abi.KindInit, nil)
	p, n := g.put(atIn, 1, 2, 3)
	g.putU32(atOut, 3)
	for _, c := range []struct {
		name string
		args []uint64
	}{
		{"table_id_from_name", []uint64{p, n, atOut}},
		{"index_id_from_name", []uint64{p, n, atOut}},
		{"datastore_table_row_count", []uint64{1, atOut}},
		{"datastore_table_scan_bsatn", []uint64{1, atOut}},
		{"datastore_index_scan_point_bsatn", []uint64{1, p, n, atOut}},
		{"datastore_index_scan_range_bsatn", []uint64{1, 0, 0, 0, p, n, p, n, atOut}},
		{"datastore_insert_bsatn", []uint64{1, p, atOut}},
		{"datastore_update_bsatn", []uint64{1, 1, p, atOut}},
		{"datastore_delete_by_index_scan_point_bsatn", []uint64{1, p, n, atOut}},
		{"datastore_delete_by_index_scan_range_bsatn", []uint64{1, 0, 0, 0, p, n, p, n, atOut}},
		{"datastore_delete_all_by_eq_bsatn", []uint64{1, p, n, atOut}},
		{"datastore_clear", []uint64{1, atOut}},
		{"get_jwt", []uint64{p, atOut}},
	} {
		g.want(uint32(abi.ErrNotInTransaction), c.name, c.args...)
		if g.u32(atOut) != 3 {
			t.Errorf("%s wrote a result", c.name)
			g.putU32(atOut, 3)
		}
	}
	g.wantTrap("table_id_from_name", 0, 0, atOut) // bad pointers are seen first
}

func TestViewsCannotWrite(t *testing.T) {
	spec.Covers(t, "03.42")
	g := newGuest(t, abi.KindView, func(tx *store.Tx) {
		personTable(tx)
		if _, _, err := tx.Insert(4096, person(1, "Ann", 30)); err != nil {
			panic(err)
		}
	})
	table, index := g.tableID("person"), g.indexID("person_id_idx_btree")
	p, n := g.put(atIn, person(1, "Ann", 31)...)
	g.putU32(atOut, uint32(n))
	readOnly := uint32(abi.ErrTransactionIsReadOnly)
	g.want(readOnly, "datastore_insert_bsatn", table, p, atOut)
	g.want(readOnly, "datastore_update_bsatn", table, index, p, atOut)
	g.want(readOnly, "datastore_delete_all_by_eq_bsatn", table, p, n, atOut)
	g.want(readOnly, "datastore_delete_by_index_scan_point_bsatn", index, p, 8, atOut)
	b, bn := g.put(atIn2, 2)
	g.want(readOnly, "datastore_delete_by_index_scan_range_bsatn", index, 0, 0, 0, b, bn, b, bn, atOut)
	g.want(readOnly, "datastore_clear", table, atOut)
	g.want(0, "datastore_table_scan_bsatn", table, atOut)
	if rows := g.rows(); rows != string(person(1, "Ann", 30)) {
		t.Errorf("rows are %q", rows)
	}
}

// Iterators are snapshots.
func TestIteratorsAreSnapshots(t *testing.T) {
	spec.Covers(t, "03.25")
	g := newGuest(t, abi.KindReducer, personTable)
	table := g.tableID("person")
	for i := uint64(1); i <= 3; i++ {
		g.insert(table, person(i, strings.Repeat("x", int(i)), 0))
	}
	g.want(0, "datastore_table_scan_bsatn", table, atOut)
	it := g.u32(atOut)
	g.insert(table, person(4, "late", 0))
	g.want(0, "datastore_clear", table, atOut)
	g.putU32(atOut, it)
	if rows := g.rows(); len(rows) != len(person(1, "x", 0))+len(person(2, "xx", 0))+len(person(3, "xxx", 0)) {
		t.Errorf("rows are %q", rows)
	}
}

func TestAdvance(t *testing.T) {
	spec.Covers(t, "03.21", "03.22", "03.23", "03.24")
	for _, fixed := range []bool{true, false} {
		t.Run(fmt.Sprintf("fixed size %v", fixed), func(t *testing.T) {
			g := newGuest(t, abi.KindReducer, func(tx *store.Tx) {
				if fixed {
					newTable("t", column("a", sats.U64), column("b", sats.U16)).create(tx)
				} else {
					newTable("t", column("a", sats.String)).create(tx) // six bytes of text: ten in all
				}
			})
			table := g.tableID("t")
			g.want(0, "datastore_table_scan_bsatn", table, atOut)
			if rows := g.rows(); rows != "" {
				t.Errorf("an empty table has %q", rows)
			}
			for i := range 7 {
				row := fmt.Sprintf("row%07d", i)
				if !fixed {
					row = "\x06\x00\x00\x00" + fmt.Sprintf("row%03d", i)
				}
				g.insert(table, []byte(row))
			}
			g.want(0, "datastore_table_scan_bsatn", table, atOut)
			it := uint64(g.u32(atOut))
			advance := func(capacity, status, n uint32) {
				t.Helper()
				g.putU32(atOut, capacity)
				g.want(status, "row_iter_bsatn_advance", it, atBuf, atOut)
				if got := g.u32(atOut); got != n {
					t.Errorf("length %d, want %d", got, n)
				}
			}
			advance(25, 0, 20)
			advance(9, uint32(abi.ErrBufferTooSmall), 10)
			advance(10, 0, 10)
			advance(25, 0, 20)
			advance(25, minusOne, 20)
			g.want(uint32(abi.ErrNoSuchIter), "row_iter_bsatn_advance", it, 0, 0) // memory is not looked at
			g.want(uint32(abi.ErrNoSuchIter), "row_iter_bsatn_close", it)

			g.want(0, "datastore_table_scan_bsatn", table, atOut)
			it = uint64(g.u32(atOut))
			g.want(0, "row_iter_bsatn_close", it)
			g.want(uint32(abi.ErrNoSuchIter), "row_iter_bsatn_close", it)
			g.want(uint32(abi.ErrNoSuchIter), "row_iter_bsatn_close", 0)
		})
	}
}

// Handles are not used again while an instance lives, so a stale close hits nothing.
func TestIteratorHandlesAreNotReused(t *testing.T) {
	g := newGuest(t, abi.KindReducer, personTable)
	table := g.tableID("person")
	seen := map[uint32]bool{}
	for range 3 {
		g.want(0, "datastore_table_scan_bsatn", table, atOut)
		it := g.u32(atOut)
		if seen[it] || it == 0 {
			t.Errorf("handle %d again", it)
		}
		seen[it] = true
		g.in.end()
		g.begin(abi.Call{Kind: abi.KindReducer, Function: "probe", Tx: g.tx})
		g.want(uint32(abi.ErrNoSuchIter), "row_iter_bsatn_close", uint64(it)) // gone with its call
	}
}
