package store

import (
	"cmp"
	"slices"
)

// fill builds the tree from entries in any order, which it sorts in place.
func (t *btree) fill(es []entry) {
	sortEntries(es)
	if t.ix != nil {
		t.sortRuns(es)
	}
	*t = btree{ix: t.ix, count: len(es)}
	for i := range es {
		if i == 0 || !t.sameKey(&es[i-1], &es[i]) {
			t.keys++
		}
	}
	if len(es) == 0 {
		t.root = t.newLeaf()
		return
	}
	var first []entry
	var ids []uint32
	last := noNode
	for part := range slices.Chunk(es, bulkFill) {
		id := t.newLeaf()
		n := t.leaf(id)
		for i, e := range part {
			n.set(i, e)
		}
		n.n = len(part)
		n.prev = last
		if last != noNode {
			t.leaf(last).next = id
		}
		last = id
		first, ids = append(first, part[0]), append(ids, id)
	}
	for len(ids) > 1 {
		var upFirst []entry
		var upIDs []uint32
		for i := 0; i < len(ids); i += bulkFill {
			j := min(i+bulkFill, len(ids))
			id := t.newInner()
			n := t.inner(id)
			for k := i; k < j; k++ {
				n.insert(n.n, first[k], ids[k])
			}
			upFirst, upIDs = append(upFirst, first[i]), append(upIDs, id)
		}
		first, ids = upFirst, upIDs
		t.height++
	}
	t.root = ids[0]
}

// sortRuns orders sorted entries whose first eight bytes are equal by their whole keys.
func (t *btree) sortRuns(es []entry) {
	for from := 0; from < len(es); {
		to := from + 1
		for to < len(es) && es[to].key == es[from].key {
			to++
		}
		slices.SortFunc(es[from:to], func(a, b entry) int {
			if c := t.ix.compareRows(a.ptr, b.ptr); c != 0 {
				return c
			}
			return cmp.Compare(a.ptr, b.ptr)
		})
		from = to
	}
}
