package client

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/stdbgo/spacetime/internal/leaktest"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

type item2 struct {
	ID   uint32
	Grp  uint8
	Text string
}

type itemKey struct {
	Grp uint8
	ID  uint32
}

func compareItemKeys(a, b itemKey) int {
	return cmp.Or(cmp.Compare(a.Grp, b.Grp), cmp.Compare(a.ID, b.ID))
}

var itemInfo = &TableInfo[item2]{Name: "item", PrimaryKey: KeyOf(func(r *item2) uint32 { return r.ID })}

// itemModule has one table.
var itemModule = &Module{Tables: []TableDef{itemInfo}}

// offline is a connection that only has a cache.
func offline(t rapid.TB, m *Module) *Conn {
	o := Options{URL: "http://localhost", Database: "db", OnPanic: func(v any, stack []byte) { t.Errorf("%v\n%s", v, stack) }}
	c, err := newConn(m, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func rowList[R any](rows ...R) (l wire.RowList) {
	for i := range rows {
		l.Add(sats.Append(nil, &rows[i]))
	}
	return l
}

// A mirror is what callbacks say that the table holds.
type mirror struct {
	t    rapid.TB
	rows map[uint32]item2
	told []string
}

func (m *mirror) follow(table KeyedTable[item2]) {
	table.OnInsert(func(ev *Event, r *item2) {
		if old, ok := m.rows[r.ID]; ok {
			m.t.Errorf("insert of %v beside %v", *r, old)
		}
		m.rows[r.ID] = *r
		m.told = append(m.told, fmt.Sprintf("%s +%d", ev.Kind, r.ID))
	})
	table.OnDelete(func(ev *Event, r *item2) {
		if m.rows[r.ID] != *r {
			m.t.Errorf("delete of %v, not %v", *r, m.rows[r.ID])
		}
		delete(m.rows, r.ID)
		m.told = append(m.told, fmt.Sprintf("%s -%d", ev.Kind, r.ID))
	})
	table.OnUpdate(func(ev *Event, old, new *item2) {
		if m.rows[old.ID] != *old || old.ID != new.ID || *old == *new {
			m.t.Errorf("update of %v to %v, not of %v", *old, *new, m.rows[old.ID])
		}
		m.rows[new.ID] = *new
		m.told = append(m.told, fmt.Sprintf("%s =%d", ev.Kind, new.ID))
	})
}

// Random transactions over several sets against a model that counts rows in a map: the
// cache, its indexes and what callbacks say are always the model's.
func TestCacheAgainstModel(t *testing.T) {
	spec.Covers(t, "10.29")
	rapid.Check(t, func(t *rapid.T) {
		c := offline(t, itemModule)
		table := KeyedTableOf(c, itemInfo)
		unique := UniqueOf(table.Table, func(r *item2) uint32 { return r.ID }, cmp.Compare[uint32])
		byGroup := IndexOf(table.Table, func(r *item2) itemKey { return itemKey{r.Grp, r.ID} }, compareItemKeys)
		m := &mirror{t: t, rows: map[uint32]item2{}}
		m.follow(table)

		// The server's table, and how often each set has each row.
		server := map[uint32]item2{}
		sets := map[uint32]map[item2]int{}
		nextSet := uint32(1)
		times := func(set, id uint32) int { return int((set+id)%3) * int(id%2+1) } // how often a set has rows of an id
		rowGen := rapid.Custom(func(t *rapid.T) item2 {
			return item2{rapid.Uint32Range(0, 12).Draw(t, "id"), rapid.Uint8Range(0, 3).Draw(t, "grp"), rapid.SampledFrom([]string{"", "a", "b", "longer text"}).Draw(t, "text")}
		})
		check := func() {
			want := map[uint32]item2{}
			for _, rows := range sets {
				for r, n := range rows {
					if n > 0 {
						want[r.ID] = r
					}
				}
			}
			got := map[uint32]item2{}
			for r := range table.All() {
				got[r.ID] = *r
			}
			if !maps.Equal(got, want) || table.Len() != len(want) || !maps.Equal(m.rows, want) {
				t.Fatalf("cache %v, mirror %v, want %v", got, m.rows, want)
			}
			checkIndexes(t, unique, byGroup, want)
		}
		t.Repeat(map[string]func(*rapid.T){
			"transaction": func(t *rapid.T) {
				old, next := maps.Clone(server), server
				for _, r := range rapid.SliceOfN(rowGen, 1, 6).Draw(t, "rows") {
					if rapid.Bool().Draw(t, "delete") {
						delete(next, r.ID)
					} else {
						next[r.ID] = r
					}
				}
				var changes []change
				for set, rows := range sets {
					ch := change{set: set, table: "item"}
					for id := uint32(0); id <= 12; id++ {
						before, was := old[id]
						after, is := next[id]
						if was && is && before == after {
							continue
						}
						for range times(set, id) {
							if was {
								ch.deleted.Add(sats.Append(nil, &before))
								rows[before]--
							}
							if is {
								ch.inserted.Add(sats.Append(nil, &after))
								rows[after]++
							}
						}
					}
					changes = append(changes, ch)
				}
				if err := c.transact(&Event{Kind: Transaction}, changes); err != nil {
					t.Fatal(err)
				}
			},
			"subscribe": func(t *rapid.T) {
				set := nextSet
				nextSet++
				ch, rows := change{set: set, table: "item"}, map[item2]int{}
				for id, r := range server {
					for range times(set, id) {
						ch.inserted.Add(sats.Append(nil, &r))
						rows[r]++
					}
				}
				sets[set] = rows
				if err := c.transact(&Event{Kind: Applied}, []change{ch}); err != nil {
					t.Fatal(err)
				}
			},
			"unsubscribe": func(t *rapid.T) {
				if len(sets) == 0 {
					t.Skip("no set")
				}
				set := rapid.SampledFrom(slices.Sorted(maps.Keys(sets))).Draw(t, "set")
				delete(sets, set)
				if err := c.transact(&Event{Kind: Unapplied}, nil, set); err != nil {
					t.Fatal(err)
				}
			},
			"resync": func(t *rapid.T) { // new names for all sets, same rows: nobody is told anything
				told := len(m.told)
				var changes []change
				var drops []uint32
				renamed := map[uint32]map[item2]int{}
				for set, rows := range sets {
					drops = append(drops, set)
					for nextSet%3 != set%3 { // as often as before
						nextSet++
					}
					ch := change{set: nextSet, table: "item"}
					nextSet++
					for r, n := range rows {
						for range n {
							ch.inserted.Add(sats.Append(nil, &r))
						}
					}
					renamed[ch.set] = rows
					changes = append(changes, ch)
				}
				sets = renamed
				if err := c.transact(&Event{Kind: Resync}, changes, drops...); err != nil {
					t.Fatal(err)
				}
				if len(m.told) != told {
					t.Errorf("told %v", m.told[told:])
				}
			},
			"broken": func(t *rapid.T) { // a transaction that fails at its end changes nothing
				good := item2{99, 1, "new"}
				stranger := item2{98, 1, "unknown"}
				ch := change{set: 1 << 30, table: "item", inserted: rowList(good, good), deleted: rowList(good, stranger)}
				if err := c.transact(&Event{Kind: Transaction}, []change{ch}); err == nil {
					t.Error("a deleted row that is not there is no error")
				}
			},
			"": func(t *rapid.T) { check() },
		})
	})
}

func checkIndexes(t rapid.TB, unique UniqueIndex[item2, uint32], byGroup Index[item2, itemKey], want map[uint32]item2) {
	ids := slices.Sorted(maps.Keys(want))
	for id := uint32(0); id <= 13; id++ {
		r, ok := unique.Find(id)
		if w, there := want[id]; ok != there || ok && *r != w || !ok && r != nil {
			t.Fatalf("Find(%d): %v, %t; want %v", id, r, ok, w)
		}
	}
	var ranged []uint32
	for r := range unique.Range(3, 9) {
		ranged = append(ranged, r.ID)
	}
	if w := slices.DeleteFunc(slices.Clone(ids), func(id uint32) bool { return id < 3 || id >= 9 }); !slices.Equal(ranged, w) {
		t.Fatalf("Range(3, 9): %v, want %v", ranged, w)
	}
	for grp := uint8(0); grp < 5; grp++ {
		var got []uint32
		for r := range byGroup.Search(func(k itemKey) int { return cmp.Compare(k.Grp, grp) }) {
			got = append(got, r.ID)
		}
		if w := slices.DeleteFunc(slices.Clone(ids), func(id uint32) bool { return want[id].Grp != grp }); !slices.Equal(got, w) {
			t.Fatalf("group %d: %v, want %v", grp, got, w)
		}
	}
	var got []itemKey
	for r := range byGroup.RangeOf(Excl(itemKey{1, 4}), Incl(itemKey{2, 7})) {
		got = append(got, itemKey{r.Grp, r.ID})
	}
	var w []itemKey
	for _, r := range want {
		if k := (itemKey{r.Grp, r.ID}); compareItemKeys(k, itemKey{1, 4}) > 0 && compareItemKeys(k, itemKey{2, 7}) <= 0 {
			w = append(w, k)
		}
	}
	slices.SortFunc(w, compareItemKeys)
	if !slices.Equal(got, w) {
		t.Fatalf("RangeOf: %v, want %v", got, w)
	}
}

// The sorted list against a sorted slice, with many more entries than a chunk holds.
func TestSorted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := sorted[int]{compare: cmp.Compare[int]}
		var model []entry[int]
		for range rapid.IntRange(1, 4).Draw(t, "rounds") {
			from, step, n := rapid.IntRange(0, 50).Draw(t, "from"), rapid.IntRange(0, 3).Draw(t, "step"), rapid.IntRange(1, 3*maxChunk).Draw(t, "n")
			for i := range n {
				e := entry[int]{from + i*step, uint32(len(model))}
				model = append(model, e)
				s.add(e)
			}
			for range rapid.IntRange(0, len(model)).Draw(t, "removed") {
				i := len(model) * 7 / 11
				s.remove(model[i])
				s.remove(entry[int]{model[i].key, 1 << 31}) // not there
				model = slices.Delete(model, i, i+1)
			}
		}
		slices.SortFunc(model, s.order)
		lo, hi := rapid.IntRange(-1, 200).Draw(t, "lo"), rapid.IntRange(-1, 4000).Draw(t, "hi")
		var got, want []uint32
		s.from(between(s.compare, Incl(lo), Excl(hi)), func(slot uint32) { got = append(got, slot) })
		for _, e := range model {
			if e.key >= lo && e.key < hi {
				want = append(want, e.slot)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d entries from %d to %d: %v, want %v", len(model), lo, hi, got, want)
		}
	})
}

// A cached row of fixed size costs one allocation, the row itself, and its removal
// none.
func TestCacheAllocations(t *testing.T) {
	type fixed struct {
		ID   uint64
		X, Y float32
		Grp  uint32
	}
	const n = 2000
	info := &TableInfo[fixed]{Name: "fixed"}
	c := offline(t, &Module{Tables: []TableDef{info}})
	table := TableOf(c, info)
	unique := UniqueOf(table, func(r *fixed) uint64 { return r.ID }, nil)
	if _, ok := unique.Find(0); ok { // from now on it is kept up to date
		t.Error("a row is there")
	}
	var rows []fixed
	for i := range n {
		rows = append(rows, fixed{ID: uint64(i), Grp: 7})
	}
	list := rowList(rows...)
	ev := &Event{}
	in, out := []change{{set: 1, table: "fixed", inserted: list}}, []change{{set: 1, table: "fixed", deleted: list}}
	both := testing.AllocsPerRun(20, func() {
		if err := errors.Join(c.transact(ev, in), c.transact(ev, out)); err != nil {
			t.Fatal(err)
		}
	})
	if perRow := both / n; perRow > 1.01 {
		t.Errorf("%.2f allocations for a row that comes and goes", perRow)
	}
	if table.Len() != 0 {
		t.Errorf("%d rows are left", table.Len())
	}
}

// Rows that do not fit the type say which table is wrong, and change nothing.
func TestCacheForeignRows(t *testing.T) {
	c := offline(t, itemModule)
	table := TableOf(c, itemInfo)
	var short wire.RowList
	short.Add([]byte{1, 2, 3})
	var long wire.RowList
	long.Add(append(sats.Append(nil, &item2{}), 1))
	for _, l := range []wire.RowList{short, long} {
		err := c.transact(&Event{}, []change{{set: 1, table: "item", inserted: rowList(item2{ID: 1})}, {set: 1, table: "item", inserted: l}})
		if err == nil || table.Len() != 0 {
			t.Errorf("%v, %d rows", err, table.Len())
		}
	}
	if err := c.transact(&Event{}, []change{{set: 1, table: "nowhere", inserted: short}}); err != nil {
		t.Errorf("rows of an unknown table: %v", err)
	}
}

// BenchmarkCache inserts and deletes transactions of 100 rows of fixed size beside
// 100,000 others, with a unique index; figures are per row that comes and goes.
func BenchmarkCache(b *testing.B) {
	type fixed struct {
		ID   uint64
		X, Y float64
		Grp  uint32
	}
	const batch = 100
	info := &TableInfo[fixed]{Name: "fixed"}
	c, err := newConn(&Module{Tables: []TableDef{info}}, Options{URL: "http://localhost", Database: "db"})
	if err != nil {
		b.Fatal(err)
	}
	unique := UniqueOf(TableOf(c, info), func(r *fixed) uint64 { return r.ID }, nil)
	unique.Find(0)
	rows := func(from, n int) []change {
		list := make([]fixed, n)
		for i := range list {
			list[i] = fixed{ID: uint64(from + i)}
		}
		return []change{{set: 1, table: "fixed", inserted: rowList(list...)}}
	}
	if err := c.transact(&Event{}, rows(1<<20, 100_000)); err != nil {
		b.Fatal(err)
	}
	in := rows(0, batch)
	out := []change{{set: 1, table: "fixed", deleted: in[0].inserted}}
	ev := &Event{}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%batch == 0 {
			if err := errors.Join(c.transact(ev, in), c.transact(ev, out)); err != nil {
				b.Fatal(err)
			}
		}
	}
}
