package store

import "slices"

// A btree orders the rows of an ordered index. An entry is the first eight bytes
// of the row's encoded key and the row's address; where that is not the whole
// key, ties are broken by comparing the rows themselves, then by address.
//
// It is a B+tree whose nodes stand in chunks without pointers and name each other
// by number. An inner node repeats the first entry of each child, so that every
// entry in the tree belongs to a row that is stored: comparing never meets a row
// that is gone.
type btree struct {
	ix     *index // compares keys that agree in their first eight bytes; nil: they are equal
	leaves [][]leafNode
	inners [][]innerNode
	free   struct{ leaves, inners []uint32 }
	nLeaf  uint32 // leaves ever handed out
	nInner uint32
	root   uint32
	height int // inner levels above the leaves
	count  int
	keys   int // different ones among the entries
}

const (
	fanout     = 64
	nodeChunk  = 64
	minFill    = fanout / 4
	bulkFill   = fanout - fanout/8
	maxHeight  = 12
	noNode     = ^uint32(0)
	sideBefore = -1 // before all entries that equal the probe
	sideAfter  = +1
	sideExact  = 0 // compare addresses as well
)

type entry struct {
	key uint64
	ptr rowPtr
}

type leafNode struct {
	prev, next uint32
	n          int32
	e          [fanout]entry
}

type innerNode struct {
	n    int32
	e    [fanout]entry // the first entry below kids[i]
	kids [fanout]uint32
}

// A treeProbe is a place in the order: a key of the index's first cols columns,
// and the side of the entries that equal it.
type treeProbe struct {
	key  uint64
	full []byte // BSATN of the columns back to back
	cols int
	side int
	ptr  rowPtr // for sideExact
}

func newBtree(ix *index) *btree {
	t := &btree{ix: ix}
	t.root = t.newLeaf()
	return t
}

func (t *btree) leaf(id uint32) *leafNode   { return &t.leaves[id/nodeChunk][id%nodeChunk] }
func (t *btree) inner(id uint32) *innerNode { return &t.inners[id/nodeChunk][id%nodeChunk] }

func (t *btree) newLeaf() uint32 {
	id := takeNode(&t.free.leaves, &t.nLeaf, &t.leaves)
	*t.leaf(id) = leafNode{prev: noNode, next: noNode}
	return id
}

func (t *btree) newInner() uint32 {
	id := takeNode(&t.free.inners, &t.nInner, &t.inners)
	t.inner(id).n = 0
	return id
}

// takeNode hands out a node number. The first chunk grows by doubling, as most
// tables are small; pointers to nodes must not be kept across it.
func takeNode[N any](free *[]uint32, n *uint32, chunks *[][]N) uint32 {
	if k := len(*free); k > 0 {
		id := (*free)[k-1]
		*free = (*free)[:k-1]
		return id
	}
	id := *n
	*n++
	switch c, at := id/nodeChunk, id%nodeChunk; {
	case int(c) == len(*chunks) && c == 0:
		*chunks = append(*chunks, make([]N, 1))
	case int(c) == len(*chunks):
		*chunks = append(*chunks, make([]N, nodeChunk))
	case int(at) == len((*chunks)[c]):
		(*chunks)[c] = append(make([]N, 0, 2*at), (*chunks)[c]...)[:2*at]
	}
	return id
}

// compare orders an entry against a probe.
func (t *btree) compare(e *entry, p *treeProbe) int {
	if e.key != p.key {
		if e.key < p.key {
			return -1
		}
		return 1
	}
	if t.ix != nil {
		if c := t.ix.compareRow(e.ptr, p.full, p.cols); c != 0 {
			return c
		}
	}
	if p.side != sideExact {
		return -p.side
	}
	switch {
	case e.ptr < p.ptr:
		return -1
	case e.ptr > p.ptr:
		return 1
	}
	return 0
}

// lowerBound returns the number of the n entries that stand before the probe.
func (t *btree) lowerBound(e []entry, p *treeProbe) int {
	lo, hi := 0, len(e)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if t.compare(&e[mid], p) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// hasKey reports whether the entry has the key of the probe, which is a whole one.
func (t *btree) hasKey(e *entry, p *treeProbe) bool {
	return e.key == p.key && (t.ix == nil || t.ix.compareRow(e.ptr, p.full, p.cols) == 0)
}

// sameKey reports whether two entries have the same key.
func (t *btree) sameKey(a, b *entry) bool {
	return a.key == b.key && (t.ix == nil || t.ix.compareRows(a.ptr, b.ptr) == 0)
}

// besideEqual reports whether one of two neighbours, counted from the start of a
// leaf and perhaps in the leaf beside it, has the key of the probe.
func (t *btree) besideEqual(n *leafNode, left, right int, p *treeProbe) bool {
	switch {
	case left >= 0:
		if t.hasKey(&n.e[left], p) {
			return true
		}
	case n.prev != noNode:
		l := t.leaf(n.prev)
		if t.hasKey(&l.e[l.n-1], p) {
			return true
		}
	}
	switch {
	case right < int(n.n):
		return t.hasKey(&n.e[right], p)
	case n.next != noNode:
		return t.hasKey(&t.leaf(n.next).e[0], p)
	}
	return false
}

type treePath [maxHeight]struct {
	id uint32
	at int
}

// descend finds the leaf where the probe belongs and notes the way.
func (t *btree) descend(p *treeProbe, path *treePath) uint32 {
	id := t.root
	for l := range t.height {
		n := t.inner(id)
		at := t.lowerBound(n.e[:n.n], p)
		// The entry at position at is not before p. It is p itself, or p belongs
		// to the child before it.
		if at == int(n.n) || at > 0 && (p.side != sideExact || t.compare(&n.e[at], p) != 0) {
			at--
		}
		path[l].id, path[l].at = id, at
		id = n.kids[at]
	}
	return id
}

// insert adds the entry the probe describes, which must not be in the tree.
func (t *btree) insert(p *treeProbe) {
	var path treePath
	id := t.descend(p, &path)
	n := t.leaf(id)
	at := t.lowerBound(n.e[:n.n], p)
	e := entry{p.key, p.ptr}
	t.count++
	if !t.besideEqual(n, at-1, at, p) {
		t.keys++
	}
	if n.n == fanout {
		right := t.splitLeaf(id, at)
		n = t.leaf(id)
		t.raise(&path, t.height-1, t.leaf(right).e[0], right)
		if at > int(n.n) {
			at -= int(n.n)
			n = t.leaf(right)
			insertEntry(&n.e, int(n.n), at, e)
			n.n++
			return // at > 0: the first entry stays
		}
	}
	insertEntry(&n.e, int(n.n), at, e)
	n.n++
	if at == 0 {
		t.lowered(&path, e)
	}
}

func insertEntry(e *[fanout]entry, n, at int, x entry) {
	copy(e[at+1:n+1], e[at:n])
	e[at] = x
}

// splitLeaf moves the upper part of a full leaf to a new one on its right. Where
// the entry to come belongs at the very end, as for ascending keys, little moves.
func (t *btree) splitLeaf(id uint32, at int) uint32 {
	right := t.newLeaf()
	n, r := t.leaf(id), t.leaf(right)
	keep := fanout / 2
	if at == fanout && n.next == noNode {
		keep = fanout - fanout/16
	}
	r.n = int32(copy(r.e[:], n.e[keep:n.n]))
	n.n = int32(keep)
	r.prev, r.next = id, n.next
	n.next = right
	if r.next != noNode {
		t.leaf(r.next).prev = right
	}
	return right
}

// raise enters a new right sibling of path[level]'s child into the inner nodes.
func (t *btree) raise(path *treePath, level int, first entry, kid uint32) {
	if level < 0 {
		old := t.root
		id := t.newInner()
		n := t.inner(id)
		n.n = 2
		n.e[0], n.kids[0] = t.firstEntry(old, t.height), old
		n.e[1], n.kids[1] = first, kid
		t.root = id
		t.height++
		// The path grew at its top.
		copy(path[1:], path[:maxHeight-1])
		path[0].id, path[0].at = id, 0
		return
	}
	id, at := path[level].id, path[level].at+1
	n := t.inner(id)
	if n.n < fanout {
		insertEntry(&n.e, int(n.n), at, first)
		copy(n.kids[at+1:n.n+1], n.kids[at:n.n])
		n.kids[at] = kid
		n.n++
		return
	}
	right := t.newInner()
	n = t.inner(id)
	r := t.inner(right)
	const keep = fanout / 2
	r.n = int32(copy(r.e[:], n.e[keep:]))
	copy(r.kids[:], n.kids[keep:])
	n.n = keep
	to, pos := n, at
	if at > keep {
		to, pos = r, at-keep
	}
	insertEntry(&to.e, int(to.n), pos, first)
	copy(to.kids[pos+1:to.n+1], to.kids[pos:to.n])
	to.kids[pos] = kid
	to.n++
	t.raise(path, level-1, r.e[0], right)
}

// firstEntry returns the first entry of a subtree with so many inner levels.
func (t *btree) firstEntry(id uint32, levels int) entry {
	if levels == 0 {
		return t.leaf(id).e[0]
	}
	return t.inner(id).e[0]
}

// lowered tells the inner nodes that the first entry of the path's leaf is e now.
func (t *btree) lowered(path *treePath, e entry) {
	for l := t.height - 1; l >= 0; l-- {
		t.inner(path[l].id).e[path[l].at] = e
		if path[l].at > 0 {
			return
		}
	}
}

// remove takes out the entry the probe describes and reports whether it was there.
func (t *btree) remove(p *treeProbe) bool {
	var path treePath
	id := t.descend(p, &path)
	n := t.leaf(id)
	at := t.lowerBound(n.e[:n.n], p)
	if at == int(n.n) || n.e[at].ptr != p.ptr || n.e[at].key != p.key {
		return false
	}
	t.count--
	if !t.besideEqual(n, at-1, at+1, p) {
		t.keys--
	}
	copy(n.e[at:], n.e[at+1:n.n])
	n.n--
	if n.n == 0 {
		t.dropLeaf(&path, id)
		return true
	}
	if at == 0 {
		t.lowered(&path, n.e[0])
	}
	if n.n < minFill {
		t.mergeLeaf(&path, id)
	}
	return true
}

// replace points an entry to another row with the same key, and reports whether it
// could do so without moving the entry.
func (t *btree) replace(p *treeProbe, ptr rowPtr) bool {
	var path treePath
	n := t.leaf(t.descend(p, &path))
	at := t.lowerBound(n.e[:n.n], p)
	if at == int(n.n) || n.e[at].ptr != p.ptr || n.e[at].key != p.key {
		return false
	}
	if at == 0 || at == int(n.n)-1 || n.e[at-1].key == p.key || n.e[at+1].key == p.key {
		return false
	}
	n.e[at].ptr = ptr
	return true
}

// dropLeaf removes an empty leaf from the chain and from its parents.
func (t *btree) dropLeaf(path *treePath, id uint32) {
	if t.height == 0 {
		return
	}
	t.unlink(id)
	t.dropKid(path, t.height-1)
}

func (t *btree) unlink(id uint32) {
	n := t.leaf(id)
	if n.prev != noNode {
		t.leaf(n.prev).next = n.next
	}
	if n.next != noNode {
		t.leaf(n.next).prev = n.prev
	}
	t.free.leaves = append(t.free.leaves, id)
}

// dropKid removes path[level]'s child from its inner node.
func (t *btree) dropKid(path *treePath, level int) {
	id, at := path[level].id, path[level].at
	n := t.inner(id)
	copy(n.e[at:], n.e[at+1:n.n])
	copy(n.kids[at:], n.kids[at+1:n.n])
	n.n--
	if n.n == 0 {
		t.free.inners = append(t.free.inners, id)
		if level > 0 {
			t.dropKid(path, level-1)
			return
		}
		t.height = 0
		t.root = t.newLeaf()
		return
	}
	if at == 0 {
		t.loweredAt(path, level, n.e[0])
	}
	for t.height > 0 && t.inner(t.root).n == 1 {
		t.free.inners = append(t.free.inners, t.root)
		t.root = t.inner(t.root).kids[0]
		t.height--
	}
}

// loweredAt tells the nodes above path[level] that its first entry is e now.
func (t *btree) loweredAt(path *treePath, level int, e entry) {
	for l := level - 1; l >= 0; l-- {
		t.inner(path[l].id).e[path[l].at] = e
		if path[l].at > 0 {
			return
		}
	}
}

// mergeLeaf joins a sparse leaf with a neighbour under the same parent, if both fit
// in one node with room to spare.
func (t *btree) mergeLeaf(path *treePath, id uint32) {
	if t.height == 0 {
		return
	}
	level := t.height - 1
	parent, at := t.inner(path[level].id), path[level].at
	if at+1 < int(parent.n) {
		at++
	}
	if at == 0 {
		return
	}
	left, right := parent.kids[at-1], parent.kids[at]
	l, r := t.leaf(left), t.leaf(right)
	if l.n+r.n > bulkFill {
		return
	}
	l.n += int32(copy(l.e[l.n:], r.e[:r.n]))
	t.unlink(right)
	path[level].at = at
	t.dropKid(path, level)
}

// A treeCursor stands before an entry. It is void once the tree changed.
type treeCursor struct {
	t    *btree
	leaf uint32
	at   int
}

// seek returns the cursor before the first entry that is not before p; nil means
// the first of all.
func (t *btree) seek(p *treeProbe) treeCursor {
	if p == nil {
		id := t.root
		for range t.height {
			id = t.inner(id).kids[0]
		}
		return treeCursor{t, id, 0}
	}
	var path treePath
	id := t.descend(p, &path)
	n := t.leaf(id)
	return treeCursor{t, id, t.lowerBound(n.e[:n.n], p)}
}

// next returns the entry behind the cursor and steps over it.
func (c *treeCursor) next() (entry, bool) {
	for {
		n := c.t.leaf(c.leaf)
		if c.at < int(n.n) {
			c.at++
			return n.e[c.at-1], true
		}
		if n.next == noNode {
			return entry{}, false
		}
		c.leaf, c.at = n.next, 0
	}
}

// fill builds the tree from entries in any order, which it sorts in place.
func (t *btree) fill(es []entry) {
	slices.SortFunc(es, func(a, b entry) int {
		switch {
		case a.key < b.key:
			return -1
		case a.key > b.key:
			return 1
		}
		if t.ix != nil {
			if c := t.ix.compareRows(a.ptr, b.ptr); c != 0 {
				return c
			}
		}
		if a.ptr < b.ptr {
			return -1
		}
		return 1
	})
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
		n.n = int32(copy(n.e[:], part))
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
			n.n = int32(copy(n.e[:], first[i:j]))
			copy(n.kids[:], ids[i:j])
			upFirst, upIDs = append(upFirst, first[i]), append(upIDs, id)
		}
		first, ids = upFirst, upIDs
		t.height++
	}
	t.root = ids[0]
}

func (t *btree) bytes() uint64 {
	n := uint64(0)
	for _, c := range t.leaves {
		n += uint64(len(c)) * (16 + 16*fanout)
	}
	for _, c := range t.inners {
		n += uint64(len(c)) * (8 + 20*fanout)
	}
	return n
}
