package store

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// TestBtree runs long histories over few and many keys, so that leaves split, merge
// and vanish, and inner nodes come and go.
func TestBtree(t *testing.T) {
	for _, keys := range []uint64{3, 300, 1 << 40} {
		r := rand.New(rand.NewPCG(1, keys))
		tree := newBtree(nil)
		have := map[entry]bool{}
		for phase := range 6 {
			for range 20_000 {
				e := entry{r.Uint64N(keys), rowPtr(1 + r.Uint64N(20_000))}
				p := treeProbe{key: e.key, ptr: e.ptr}
				switch grow := phase%2 == 0; {
				case have[e]:
					if !tree.remove(&p) {
						t.Fatalf("remove(%v) does not find it", e)
					}
					delete(have, e)
				case grow:
					tree.insert(&p)
					have[e] = true
				case tree.remove(&p):
					t.Fatalf("remove(%v) finds what is not there", e)
				}
			}
			if phase%2 == 1 { // take out all but a few
				for e := range have {
					if len(have) < 100 {
						break
					}
					p := treeProbe{key: e.key, ptr: e.ptr}
					if !tree.remove(&p) {
						t.Fatalf("remove(%v) does not find it", e)
					}
					delete(have, e)
				}
			}
			compareTree(t, tree, have)
		}
	}
}

func compareTree(t *testing.T, tree *btree, have map[entry]bool) {
	t.Helper()
	if err := tree.check(); err != nil {
		t.Fatal(err)
	}
	if tree.count != len(have) {
		t.Fatalf("count is %d, want %d", tree.count, len(have))
	}
	for c := tree.seek(nil); ; {
		e, ok := c.next()
		if !ok {
			return
		}
		if !have[e] {
			t.Fatalf("entry %v is not wanted", e)
		}
	}
}

// Keys that come in descending order enter full leaves in front, whose right neighbours
// have room.
func TestBtreeDescending(t *testing.T) {
	tree := newBtree(nil)
	have := map[entry]bool{}
	for k := uint64(5000); k > 0; k-- {
		e := entry{k, 1}
		tree.insert(&treeProbe{key: e.key, ptr: e.ptr})
		have[e] = true
		if k%50 == 0 {
			compareTree(t, tree, have)
		}
	}
	for k := uint64(1); k <= 5000; k++ {
		if !tree.remove(&treeProbe{key: k, ptr: 1}) {
			t.Fatalf("key %d is lost", k)
		}
	}
}

func TestBtreeFill(t *testing.T) {
	for _, n := range []int{0, 1, bulkFill, bulkFill + 1, 10_000} {
		es := make([]entry, n)
		have := map[entry]bool{}
		for i := range es {
			es[i] = entry{rand.Uint64N(500), rowPtr(i + 1)}
			have[es[i]] = true
		}
		tree := newBtree(nil)
		tree.fill(es)
		compareTree(t, tree, have)
		for e := range have { // it can be changed afterwards
			p := treeProbe{key: e.key, ptr: e.ptr}
			if !tree.remove(&p) {
				t.Fatalf("remove(%v) does not find it", e)
			}
		}
		compareTree(t, tree, nil)
	}
}

func TestBtreeSeek(t *testing.T) {
	tree := newBtree(nil)
	var all []entry
	for k := range uint64(300) {
		for p := range rowPtr(7) {
			probe := treeProbe{key: 2 * k, ptr: p + 1}
			tree.insert(&probe)
			all = append(all, entry{2 * k, p + 1})
		}
	}
	for k := range uint64(601) {
		for _, side := range []int{sideBefore, sideAfter} {
			want := slices.IndexFunc(all, func(e entry) bool { return e.key > k || e.key == k && side == sideBefore })
			c := tree.seek(&treeProbe{key: k, side: side})
			e, ok := c.next()
			if ok != (want >= 0) || ok && e != all[want] {
				t.Fatalf("seek(%d, %d) = %v, %v", k, side, e, ok)
			}
		}
	}
}

// A hashEntry is what a test has put into a hash map.
type hashEntry struct {
	key uint64
	ptr rowPtr
}

// keyed returns a map of rows that are nothing but their keys.
func keyed(keys map[rowPtr]uint64) *hashMap {
	return newHashMap(77, func(p rowPtr) uint64 { return keys[p] })
}

// TestHashMap runs long histories over few and many keys. Segments split often enough
// to need new tags, and shrink when nearly all is gone.
func TestHashMap(t *testing.T) {
	for _, keys := range []uint64{10, 5000, 1 << 50} {
		r := rand.New(rand.NewPCG(2, keys))
		of := map[rowPtr]uint64{}
		m := keyed(of)
		have := map[hashEntry]bool{}
		next := rowPtr(0)
		var all []hashEntry
		for range 200_000 {
			if len(all) > 0 && r.IntN(4) == 0 {
				i := r.IntN(len(all))
				e := all[i]
				if !m.has(e.key, e.ptr) || !m.remove(e.key, e.ptr) || m.has(e.key, e.ptr) || m.remove(e.key, e.ptr) {
					t.Fatalf("%v is not removed", e)
				}
				all[i] = all[len(all)-1]
				all = all[:len(all)-1]
				delete(have, e)
				continue
			}
			next++
			e := hashEntry{r.Uint64N(keys), next}
			of[e.ptr] = e.key
			m.add(e.key, e.ptr)
			have[e] = true
			all = append(all, e)
		}
		if err := m.check(); err != nil {
			t.Fatal(err)
		}
		if m.count != len(have) {
			t.Fatalf("count is %d, want %d", m.count, len(have))
		}
		for _, e := range all[:1000] {
			found := false
			it := m.probe(e.key)
			for p := it.next(); p != 0; p = it.next() {
				found = found || p == e.ptr
			}
			if !found {
				t.Fatalf("%v is lost", e)
			}
			of[e.ptr+1<<30] = e.key
			if !m.replace(e.key, e.ptr, e.ptr+1<<30) || m.replace(e.key, e.ptr, 1) || !m.replace(e.key, e.ptr+1<<30, e.ptr) {
				t.Fatalf("%v is not replaced", e)
			}
		}
		before := m.bytes()
		for e := range have {
			if !m.remove(e.key, e.ptr) {
				t.Fatalf("remove(%v) does not find it", e)
			}
		}
		if err := m.check(); err != nil || m.count != 0 {
			t.Fatalf("after removing all: %d, %v", m.count, err)
		}
		if m.bytes() > before/4 {
			t.Errorf("an empty map keeps %d bytes of %d", m.bytes(), before)
		}
	}
}

// The deepest maps take new tags from the rows, and still tell nearly all keys apart.
func TestHashMapTags(t *testing.T) {
	of := map[rowPtr]uint64{}
	m := keyed(of)
	const n = 1_000_000
	for p := rowPtr(1); p <= n; p++ {
		of[p] = uint64(p)
		m.add(uint64(p), p)
	}
	rebased := slices.ContainsFunc(m.dir, func(s *hashSegment) bool { return s.base > 0 })
	if err := m.check(); err != nil || !rebased {
		t.Fatalf("new tags: %v, %v", rebased, err)
	}
	wrong := 0
	for p := rowPtr(1); p <= 100_000; p++ {
		it := m.probe(uint64(p) + 1<<40)
		for it.next() != 0 {
			wrong++
		}
	}
	if wrong > 10_000 { // about five neighbours, of which at most one in 64 has the tag
		t.Errorf("%d wrong candidates for 100,000 keys that are not there", wrong)
	}
}

// Many equal keys must not make a segment split for ever.
func TestHashMapEqualKeys(t *testing.T) {
	of := map[rowPtr]uint64{}
	m := keyed(of)
	for p := range rowPtr(20_000) {
		of[p+1] = 7
		m.add(7, p+1)
	}
	of[20_001] = 8
	m.add(8, 20_001)
	if err := m.check(); err != nil || m.count != 20_001 {
		t.Fatalf("%d entries, %v", m.count, err)
	}
}

func TestDirectIndex(t *testing.T) {
	s := New(Options{})
	def := create(t, s, withUnique(tableDef("d", col("n", sats.U64)), schema.Direct, 0))
	row := func(n uint64) []byte { return sats.AppendU64(nil, n) }
	tx := s.Begin()
	for n := range uint64(5000) {
		mustInsert(t, tx, def.ID, row(n))
	}
	ix := s.tables[def.ID].indexes[0]
	if ix.direct == nil {
		t.Error("dense keys are not in an array")
	}
	check(t, s)
	for _, n := range []uint64{1 << 40, 1<<64 - 1} {
		mustInsert(t, tx, def.ID, row(n))
	}
	if ix.direct != nil {
		t.Error("sparse keys are in an array")
	}
	check(t, s)
	for _, n := range []uint64{0, 4999, 1 << 40, 1<<64 - 1} {
		if got, ok := tx.FindUnique(def.Indexes[0].ID, row(n)); !ok || !bytes.Equal(got, row(n)) {
			t.Errorf("FindUnique(%d) = %x, %v", n, got, ok)
		}
	}
	if _, ok := tx.FindUnique(def.Indexes[0].ID, row(5000)); ok {
		t.Error("FindUnique(5000) finds a row")
	}
	tx.Commit(nil)
	check(t, s)
}

// A table that is a queue, new keys behind and old ones taken in front, has the pages of
// the keys that are there.
func TestDirectIndexOfQueue(t *testing.T) {
	s := New(Options{})
	def := create(t, s, withUnique(tableDef("d", col("n", sats.U64)), schema.Direct, 0))
	const length = 300
	tx := s.Begin()
	for n := range uint64(15_000) {
		mustInsert(t, tx, def.ID, sats.AppendU64(nil, n))
		if n >= length {
			if k, err := tx.DeletePoint(def.Indexes[0].ID, sats.AppendU64(nil, n-length)); k != 1 || err != nil {
				t.Fatalf("key %d: %d rows, %v", n-length, k, err)
			}
		}
	}
	tx.Commit(nil)
	check(t, s)
	if d := s.tables[def.ID].indexes[0].direct; d == nil || d.used > length/directKeys+2 {
		t.Errorf("the array of %d keys is %+v", length, d)
	}
}

// TestArena stores and frees rows of all sizes beside views that must not notice.
func TestArena(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := epochs{now: 1, open: map[uint64]int{}}
		var a arena
		fixed := rapid.Bool().Draw(t, "fixed")
		size := rapid.SampledFrom([]int{0, 1, 40, 3000, maxSlotRow, maxSlotRow + 1, 9000}).Draw(t, "size")
		a.init(&e, size, fixed)
		rows := map[rowPtr][]byte{}
		type view struct {
			epoch uint64
			vt    viewTable
			rows  map[rowPtr][]byte
		}
		var views []view
		seq := byte(0)
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0, 1, 2, 3, 4:
				n := size
				if !fixed {
					n = rapid.SampledFrom([]int{0, 1, 11, 12, 13, 100, 1000, maxSlotRow - 1, maxSlotRow, maxSlotRow + 1, 70_000}).Draw(t, "n")
				}
				seq++
				row := bytes.Repeat([]byte{seq}, n)
				p := a.put(row, slotLive)
				if rows[p] != nil {
					t.Fatalf("slot %x is handed out twice", p)
				}
				rows[p] = row
			case 5, 6, 7:
				for _, p := range slices.Sorted(keysOf(rows)) {
					a.release(p)
					delete(rows, p)
					break
				}
			case 8:
				v := view{epoch: e.pin(), rows: map[rowPtr][]byte{}}
				v.vt.dir = a.dir[:len(a.dir):len(a.dir)]
				for p, r := range rows {
					v.rows[p] = r
				}
				views = append(views, v)
			case 9:
				if len(views) > 0 {
					e.unpin(views[0].epoch)
					views = views[1:]
				}
			}
			if err := a.check(); err != nil {
				t.Fatal(err)
			}
			for p, row := range rows {
				if !bytes.Equal(a.get(p), row) {
					t.Fatalf("row at %x is lost", p)
				}
			}
			for _, v := range views {
				n := 0
				v.vt.each(func(p rowPtr, row []byte) bool {
					if want, ok := v.rows[p]; !ok || !bytes.Equal(row, want) {
						t.Fatalf("a view sees another row at %x", p)
					}
					n++
					return true
				})
				if n != len(v.rows) {
					t.Fatalf("a view sees %d rows, want %d", n, len(v.rows))
				}
			}
		}
	})
}

func keysOf[K cmp.Ordered, V any](m map[K]V) func(func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// Freed slots must be used again: a table that is rewritten many times stays small.
func TestSpaceIsReused(t *testing.T) {
	s := New(Options{})
	def := create(t, s, withUnique(tableDef("t", col("id", sats.U32), col("s", sats.String)), schema.BTree, 0))
	row := func(i uint32, n int) []byte {
		return sats.AppendString(u32(i), string(bytes.Repeat([]byte{'x'}, n)))
	}
	const twice = 2 * 2000 * (4 + 4 + 11 + headerSize + 8) // old and new rows of a transaction
	for round := range 20 {
		tx := s.Begin()
		for i := range uint32(2000) {
			if _, _, err := tx.Update(def.ID, def.Indexes[0].ID, row(i, 10+round%2)); code(err) == ErrNoSuchRow {
				mustInsert(t, tx, def.ID, row(i, 10))
			}
		}
		tx.Commit(nil)
		if n := s.tables[def.ID].rows.bytes; n > twice+maxSlab {
			t.Fatalf("round %d: slabs have %d bytes, want at most %d", round, n, twice+maxSlab)
		}
	}
	check(t, s)
	tx := s.Begin()
	tx.Clear(def.ID)
	tx.Commit(nil)
	if left := s.tables[def.ID].rows.bytes; left > maxSlab {
		t.Errorf("an empty table keeps %d bytes", left)
	}
	check(t, s)
}

// The prefix of a key must never contradict the order of keys.
func TestPrefixFollowsOrder(t *testing.T) {
	types := []*sats.Type{
		sats.U8, sats.I16, sats.F32, sats.F64, sats.String, sats.IdentityType, sats.Bool, sats.Option(sats.U16),
		sats.I128Type, sats.Enum("a", "b", "c"), sats.Bytes, sats.Array(sats.I16), sats.TimestampType,
	}
	rapid.Check(t, func(t *rapid.T) {
		var cols []schema.Column
		for range rapid.IntRange(1, 3).Draw(t, "columns") {
			cols = append(cols, col("c", rapid.SampledFrom(types).Draw(t, "type")))
		}
		d := tableDef("t", cols...)
		var kinds []*sats.Type
		for _, c := range cols {
			kinds = append(kinds, c.Type)
		}
		p := newPrefixer(kinds)
		a, b := drawAny(t, d), drawAny(t, d)
		pa, _ := p.of(a, len(cols))
		pb, _ := p.of(b, len(cols))
		order := d.Layout.CompareRows(a, b)
		if c := cmp.Compare(pa, pb); c != 0 && c != cmp.Compare(order, 0) || c == 0 && p.exact && order != 0 {
			t.Fatalf("prefixes %x, %x of %x, %x, which compare %d", pa, pb, a, b, order)
		}
		for n := range len(cols) { // first n columns: the range of prefixes holds the key
			head, rest := p.of(a, n)
			if pa < head || pa > head|rest {
				t.Fatalf("prefix %x of %x is not in %x…%x of its first %d columns", pa, a, head, head|rest, n)
			}
		}
	})
}

// A float that is negative or not a number must not hide what follows it in a key.
func TestPrefixBehindFloat(t *testing.T) {
	p := newPrefixer([]*sats.Type{sats.F32, sats.U16})
	for _, f := range []uint32{0x7fc00000, 0xbf800000, 0xff800000, 1 << 31, 0, 0x3f800000} {
		low, _ := p.of(sats.AppendU16(sats.AppendU32(nil, f), 1), 2)
		high, _ := p.of(sats.AppendU16(sats.AppendU32(nil, f), 2), 2)
		if low >= high {
			t.Errorf("behind the float with bits %x, 1 has prefix %x and 2 has %x", f, low, high)
		}
	}
}

// drawAny returns a valid row with random contents.
func drawAny(t *rapid.T, d *schema.Table) []byte {
	var row []byte
	for _, c := range d.Cols {
		row = drawAnyValue(t, row, c.Type)
	}
	return row
}

func drawAnyValue(t *rapid.T, b []byte, typ *sats.Type) []byte {
	switch typ.Kind {
	case sats.KindString:
		return sats.AppendString(b, rapid.StringN(0, 10, 12).Draw(t, "s"))
	case sats.KindArray:
		n := rapid.IntRange(0, 3).Draw(t, "n")
		b = sats.AppendU32(b, uint32(n))
		for range n {
			b = drawAnyValue(t, b, typ.Elem)
		}
		return b
	case sats.KindProduct:
		for _, e := range typ.Elems {
			b = drawAnyValue(t, b, e.Type)
		}
		return b
	case sats.KindSum:
		tag := rapid.IntRange(0, len(typ.Elems)-1).Draw(t, "tag")
		return drawAnyValue(t, append(b, byte(tag)), typ.Elems[tag].Type)
	case sats.KindBool:
		return sats.AppendBool(b, rapid.Bool().Draw(t, "b"))
	}
	size := typ.Kind.Size()
	for range size {
		b = append(b, rapid.SampledFrom([]byte{0, 1, 0x7f, 0x80, 0xff, 0xf0, 0x3f}).Draw(t, "byte"))
	}
	return b
}
