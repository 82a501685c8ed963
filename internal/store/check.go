package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/stdbgo/spacetime/internal/schema"
)

// Check verifies the invariants of every table and index, and that the catalogue
// rows describe the tables. It is for tests and for a person who doubts; it reads
// everything.
func (s *Store) Check() error {
	var errs []error
	for id, t := range s.tables {
		if id != t.def.ID {
			errs = append(errs, fmt.Errorf("table %d is registered under %d", t.def.ID, id))
		}
		if err := t.check(); err != nil {
			errs = append(errs, fmt.Errorf("table %s: %w", t.def.Name, err))
		}
	}
	if s.cat != nil && len(s.cat.entries) != len(s.tables) {
		errs = append(errs, fmt.Errorf("the catalogue has %d tables of %d", len(s.cat.entries), len(s.tables)))
	}
	for _, e := range s.catalog().entries {
		if e.t.def != e.def {
			errs = append(errs, fmt.Errorf("the catalogue has an old definition of %s", e.def.Name))
		}
	}
	return errors.Join(append(errs, s.checkCatalogue()...)...)
}

func (t *table) check() error {
	states := [4]int{}
	changed := 0
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	t.rows.each(func(p rowPtr, state uint32, row []byte) bool {
		states[state]++
		if err := t.def.Layout.ValidateExact(row); err != nil {
			fail("row at %x: %w", p, err)
			return true
		}
		if state == slotInserted || state == slotDeleted {
			changed += len(row)
		}
		if state == slotDeleted {
			return true
		}
		if q := t.find(row); q != p {
			fail("row at %x is found at %x", p, q)
		}
		for _, ix := range slices.Concat(t.indexes, t.kept) {
			if n := ix.occurrences(row, p); n != 1 {
				fail("index %s has the row at %x %d times", ix.def.Name, p, n)
			}
		}
		return true
	})
	if n := states[slotLive] + states[slotInserted]; n != t.count {
		fail("count is %d, there are %d rows", t.count, n)
	}
	if states[slotInserted] != t.inserted || states[slotDeleted] != t.deleted {
		fail("inserted, deleted are %d, %d, want %d, %d", t.inserted, t.deleted, states[slotInserted], states[slotDeleted])
	}
	if changed != t.changed {
		fail("changed rows have %d bytes, %d are counted", changed, t.changed)
	}
	if !t.store.tx.open && (t.inserted != 0 || t.deleted != 0 || len(t.touched) != 0) {
		fail("a closed transaction has left %d touched rows", len(t.touched))
	}
	if t.set != nil && (t.ident != nil || t.set.count != t.count) {
		fail("row set of %d rows, want %d and no unique index", t.set.count, t.count)
	}
	if len(t.indexes) != len(t.def.Indexes) {
		fail("%d indexes, want %d", len(t.indexes), len(t.def.Indexes))
	}
	for i, ix := range t.indexes {
		if ix.def.ID != t.def.Indexes[i].ID || ix.def.Unique != t.def.IsUnique(ix.def.Cols) || ix.layout != t.def.Layout || !ix.alive {
			fail("index %s is not what the table says", ix.def.Name)
		}
		if err := ix.check(); err != nil {
			fail("index %s: %w", ix.def.Name, err)
		}
	}
	for _, ix := range t.kept {
		if ix.layout != t.def.Layout || !ix.alive {
			fail("the kept index %s is not what the table says", ix.def.Name)
		}
		if err := ix.check(); err != nil {
			fail("the kept index %s: %w", ix.def.Name, err)
		}
	}
	if err := t.rows.check(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// occurrences counts the entries of a row.
func (ix *index) occurrences(row []byte, p rowPtr) (n int) {
	ix.eachPoint(ix.keyOf(row, nil), func(q rowPtr) bool {
		if q == p {
			n++
		}
		return true
	})
	return n
}

func (ix *index) check() error {
	n := ix.t.count
	switch {
	case ix.points != nil && ix.points.count != n:
		return fmt.Errorf("hash of %d rows, want %d", ix.points.count, n)
	case ix.ordered != nil && ix.ordered.count != n:
		return fmt.Errorf("tree of %d rows, want %d", ix.ordered.count, n)
	case ix.def.Unique != (ix.points != nil || ix.direct != nil), !ix.def.Unique && ix.ordered == nil:
		return errors.New("wrong structure")
	}
	if ix.points != nil {
		if err := ix.points.check(); err != nil {
			return err
		}
	}
	if ix.ordered != nil {
		return ix.ordered.check()
	}
	return nil
}

// check verifies order, links, counts and that inner nodes repeat first entries.
func (t *btree) check() error {
	n, keys := 0, 0
	var before entry
	prev := noNode
	c := t.seek(nil)
	for id := c.leaf; id != noNode; id = t.leaf(id).next {
		l := t.leaf(id)
		if l.prev != prev {
			return fmt.Errorf("leaf %d follows %d, want %d", id, l.prev, prev)
		}
		prev = id
		for i := range l.n {
			e := l.at(i)
			if n > 0 && t.compareEntries(&before, &e) >= 0 {
				return fmt.Errorf("entry %d is out of order", n)
			}
			if n == 0 || !t.sameKey(&before, &e) {
				keys++
			}
			before = e
			n++
		}
	}
	if n != t.count || keys != t.keys {
		return fmt.Errorf("%d entries with %d keys, says %d with %d", n, keys, t.count, t.keys)
	}
	_, err := t.checkNode(t.root, t.height)
	return err
}

func (t *btree) compareEntries(a, b *entry) int {
	p := treeProbe{key: b.key, ptr: b.ptr}
	if t.ix != nil {
		p.full, p.cols = t.ix.keyOf(t.ix.t.rows.get(b.ptr), nil), len(t.ix.parts)
	}
	return t.compare(a, &p)
}

func (t *btree) checkNode(id uint32, levels int) (first entry, err error) {
	if levels == 0 {
		l := t.leaf(id)
		if l.n == 0 && t.height > 0 {
			return first, fmt.Errorf("leaf %d is empty", id)
		}
		return l.at(0), nil
	}
	n := t.inner(id)
	if n.n == 0 {
		return first, fmt.Errorf("inner node %d is empty", id)
	}
	for i := range n.n {
		first, err := t.checkNode(n.kids[i], levels-1)
		if err != nil {
			return first, err
		}
		if first != n.at(i) {
			return first, fmt.Errorf("inner node %d has the wrong first entry of child %d", id, i)
		}
	}
	return n.at(0), nil
}

func (m *hashMap) check() error {
	n := 0
	for i := 0; i < len(m.dir); {
		s := m.dir[i]
		span := 1 << (m.depth - s.depth)
		used := 0
		for _, e := range s.slots {
			if e == 0 {
				continue
			}
			used++
			h := m.mix(m.keyOf(e.ptr()))
			if m.segment(h) != s {
				return fmt.Errorf("row %x is in the wrong segment", e.ptr())
			}
			if _, ok := s.find(h, e.ptr()); !ok {
				return fmt.Errorf("row %x cannot be found", e.ptr())
			}
		}
		if used != s.used {
			return fmt.Errorf("segment of %d entries says %d", used, s.used)
		}
		n += used
		i += span
	}
	if n != m.count {
		return fmt.Errorf("hash of %d entries says %d", n, m.count)
	}
	return nil
}

func (a *arena) check() error {
	var size uint64
	classes := make([]uint64, len(a.classes))
	for n, s := range a.dir {
		if s == nil {
			continue
		}
		size += uint64(len(s.data))
		if s.large() {
			continue
		}
		classes[s.class] += uint64(len(s.data))
		used, free := uint32(0), uint32(0)
		for slot := range s.fresh {
			if s.slotState(slot) != slotFree {
				used++
			}
			if s.base != 0 && slot > 0 && s.stamp(slot) <= s.stamp(slot-1) || s.stamp(slot) > a.stamp {
				return fmt.Errorf("slab %d: slot %d has stamp %d of %d", n, slot, s.stamp(slot), a.stamp)
			}
		}
		for slot := s.fresh; slot < s.slots; slot++ {
			if s.header(slot) != 0 {
				return fmt.Errorf("slab %d: unused slot %d has header %x", n, slot, s.header(slot))
			}
		}
		for f := s.free; f != 0; f = s.next(f - 1) {
			if free++; s.slotState(f-1) != slotFree || free > s.fresh {
				return fmt.Errorf("slab %d: broken list of free slots", n)
			}
		}
		if used != s.used || used+free != s.fresh {
			return fmt.Errorf("slab %d: %d slots used, %d free of %d, says %d", n, used, free, s.fresh, s.used)
		}
	}
	for i, c := range a.classes {
		if c.bytes != classes[i] {
			return fmt.Errorf("slabs of %d bytes with slots of %d, says %d", classes[i], c.stride, c.bytes)
		}
	}
	if size != a.bytes {
		return fmt.Errorf("slabs of %d bytes, says %d", size, a.bytes)
	}
	return nil
}

// checkCatalogue compares the tables with the catalogue rows that describe them.
func (s *Store) checkCatalogue() (errs []error) {
	want := map[schema.TableID]map[string]bool{}
	expect := func(id schema.TableID, row catalogueRow) {
		if want[id] == nil {
			want[id] = map[string]bool{}
		}
		want[id][string(row.Append(nil))] = true
	}
	for _, t := range s.tables {
		d := t.def
		expect(schema.StTable, tableRow(d))
		for i := range d.Cols {
			expect(schema.StColumn, columnRow(d, i))
		}
		for _, ix := range d.Indexes {
			expect(schema.StIndex, indexRow(d, ix))
		}
		for _, c := range d.Constraints {
			expect(schema.StConstraint, constraintRow(d, c))
		}
		for _, q := range t.seqs {
			expect(schema.StSequence, sequenceRow(d, q.def, q.stored))
		}
		if d.Schedule != nil {
			expect(schema.StScheduled, scheduleRow(d))
		}
		if len(t.seqs) != len(d.Sequences) {
			errs = append(errs, fmt.Errorf("table %s: %d sequences, want %d", d.Name, len(t.seqs), len(d.Sequences)))
		}
	}
	for _, id := range []schema.TableID{
		schema.StTable, schema.StColumn, schema.StIndex, schema.StConstraint, schema.StSequence, schema.StScheduled,
	} {
		t := s.tables[id]
		if t.count != len(want[id]) {
			errs = append(errs, fmt.Errorf("%s has %d rows, want %d", t.def.Name, t.count, len(want[id])))
		}
		t.eachVisible(func(_ rowPtr, row []byte) bool {
			if !want[id][string(row)] {
				errs = append(errs, fmt.Errorf("%s has a row that describes nothing: %x", t.def.Name, bytes.Clone(row)))
			}
			return true
		})
	}
	return errs
}
