package store

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

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
	nodeChunk  = 31 // of leaves: 32 KiB
	bulkFill   = fanout - fanout/8
	mergeFill  = fanout - fanout/16
	maxHeight  = 12
	shiftRoom  = fanout / 8 // free places that make moving entries there worth while
	noNode     = ^uint32(0)
	sideBefore = -1 // before all entries that equal the probe
	sideAfter  = +1
	sideExact  = 0 // compare addresses as well
)

type entry struct {
	key uint64
	ptr rowPtr
}

// entries are those of a node, keys apart from addresses: a search reads few lines of
// memory then.
type entries struct {
	n    int
	keys [fanout]uint64
	ptrs [fanout]rowPtr
}

type leafNode struct {
	prev, next uint32
	entries
}

type innerNode struct {
	entries // the first entry below kids[i]
	kids    [fanout]uint32
}

func (n *entries) at(i int) entry     { return entry{n.keys[i], n.ptrs[i]} }
func (n *entries) set(i int, e entry) { n.keys[i], n.ptrs[i] = e.key, e.ptr }

func (n *entries) insert(at int, e entry) {
	copy(n.keys[at+1:n.n+1], n.keys[at:n.n])
	copy(n.ptrs[at+1:n.n+1], n.ptrs[at:n.n])
	n.set(at, e)
	n.n++
}

func (n *entries) remove(at int) {
	copy(n.keys[at:], n.keys[at+1:n.n])
	copy(n.ptrs[at:], n.ptrs[at+1:n.n])
	n.n--
}

// moveTo moves the entries from one on to the end of another node.
func (n *entries) moveTo(to *entries, from int) {
	copy(to.keys[to.n:], n.keys[from:n.n])
	to.n += copy(to.ptrs[to.n:], n.ptrs[from:n.n])
	n.n = from
}

// below returns how many keys are less than key. It looks at every eighth and then at
// eight that stand together, without branches: no load waits for another.
func (n *entries) below(key uint64) int {
	c := uint64(0)
	for i := 7; i < n.n; i += 8 {
		_, less := bits.Sub64(n.keys[i&(fanout-1)], key, 0)
		c += less
	}
	c *= 8
	for i := int(c); i < min(int(c)+8, n.n); i++ {
		_, less := bits.Sub64(n.keys[i&(fanout-1)], key, 0)
		c += less
	}
	return int(c)
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
		more := min(2*at, nodeChunk)
		(*chunks)[c] = append(make([]N, 0, more), (*chunks)[c]...)[:more]
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

// lowerBound returns how many entries of a node stand before the probe.
func (t *btree) lowerBound(n *entries, p *treeProbe) int {
	lo := n.below(p.key)
	if lo == n.n || n.keys[lo] != p.key {
		return lo
	}
	hi := n.n
	if p.key != math.MaxUint64 {
		hi = n.below(p.key + 1)
	}
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if e := n.at(mid); t.compare(&e, p) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// hasKey reports whether an entry of a node has the key of the probe, which is a whole
// one.
func (t *btree) hasKey(n *leafNode, i int, p *treeProbe) bool {
	return n.keys[i] == p.key && (t.ix == nil || t.ix.compareRow(n.ptrs[i], p.full, p.cols) == 0)
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
		if t.hasKey(n, left, p) {
			return true
		}
	case n.prev != noNode:
		l := t.leaf(n.prev)
		if t.hasKey(l, l.n-1, p) {
			return true
		}
	}
	switch {
	case right < n.n:
		return t.hasKey(n, right, p)
	case n.next != noNode:
		return t.hasKey(t.leaf(n.next), 0, p)
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
		at := t.lowerBound(&n.entries, p)
		// The entry at position at is not before p. It is p itself, or p belongs
		// to the child before it.
		if at == n.n || at > 0 && !(p.side == sideExact && n.at(at) == entry{p.key, p.ptr}) {
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
	at := t.lowerBound(&n.entries, p)
	e := entry{p.key, p.ptr}
	t.count++
	if !t.besideEqual(n, at-1, at, p) {
		t.keys++
	}
	if n.n == fanout && t.shift(&path, n, at, e) {
		return
	}
	if n.n == fanout {
		right := t.splitLeaf(id, at)
		n = t.leaf(id)
		t.raise(&path, t.height-1, t.leaf(right).at(0), right)
		if at > n.n {
			t.leaf(right).insert(at-n.n, e)
			return // at > 0: the first entry stays
		}
	}
	n.insert(at, e)
	if at == 0 {
		t.lowered(&path, e)
	}
}

// shift enters an entry at a place in a full leaf, moving others to a neighbour under the
// same parent that has room for some. It reports whether there is one. Leaves are fuller
// for it: four fifths instead of two thirds, if keys come in any order.
func (t *btree) shift(path *treePath, n *leafNode, at int, e entry) bool {
	if t.height == 0 {
		return false
	}
	parent, kid := t.inner(path[t.height-1].id), path[t.height-1].at
	if kid+1 < parent.n {
		if r := t.leaf(parent.kids[kid+1]); r.n <= fanout-shiftRoom {
			keep := (fanout + r.n) / 2
			r.insertAll(n, keep)
			parent.set(kid+1, r.at(0))
			if at > keep {
				r.insert(at-keep, e)
				return true // not in the first place
			}
			n.insert(at, e)
			if at == 0 {
				t.lowered(path, e)
			}
			return true
		}
	}
	if kid > 0 && at > 0 {
		if l := t.leaf(parent.kids[kid-1]); l.n <= fanout-shiftRoom {
			moved, before := (fanout-l.n)/2, l.n
			n.moveFirst(&l.entries, moved)
			parent.set(kid, n.at(0))
			if at <= moved {
				l.insert(before+at, e)
			} else {
				n.insert(at-moved, e)
			}
			return true
		}
	}
	return false
}

// insertAll puts the entries of another leaf from one on in front.
func (n *entries) insertAll(from *leafNode, keep int) {
	k := from.n - keep
	copy(n.keys[k:], n.keys[:n.n])
	copy(n.ptrs[k:], n.ptrs[:n.n])
	copy(n.keys[:k], from.keys[keep:from.n])
	copy(n.ptrs[:k], from.ptrs[keep:from.n])
	n.n += k
	from.n = keep
}

// moveFirst moves the first entries to the end of another node.
func (n *entries) moveFirst(to *entries, k int) {
	copy(to.keys[to.n:], n.keys[:k])
	to.n += copy(to.ptrs[to.n:], n.ptrs[:k])
	copy(n.keys[:], n.keys[k:n.n])
	copy(n.ptrs[:], n.ptrs[k:n.n])
	n.n -= k
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
	n.moveTo(&r.entries, keep)
	r.prev, r.next = id, n.next
	n.next = right
	if r.next != noNode {
		t.leaf(r.next).prev = right
	}
	return right
}

// insert enters a kid and its first entry.
func (n *innerNode) insert(at int, first entry, kid uint32) {
	copy(n.kids[at+1:n.n+1], n.kids[at:n.n])
	n.kids[at] = kid
	n.entries.insert(at, first)
}

func (n *innerNode) remove(at int) {
	copy(n.kids[at:], n.kids[at+1:n.n])
	n.entries.remove(at)
}

// moveTo moves the kids from one on to the end of another node.
func (n *innerNode) moveTo(to *innerNode, from int) {
	copy(to.kids[to.n:], n.kids[from:n.n])
	n.entries.moveTo(&to.entries, from)
}

// raise enters a new right sibling of path[level]'s child into the inner nodes.
func (t *btree) raise(path *treePath, level int, first entry, kid uint32) {
	if level < 0 {
		old := t.root
		id := t.newInner()
		n := t.inner(id)
		n.insert(0, t.firstEntry(old, t.height), old)
		n.insert(1, first, kid)
		t.root = id
		t.height++
		// The path grew at its top.
		copy(path[1:], path[:maxHeight-1])
		path[0].id, path[0].at = id, 0
		return
	}
	id, at := path[level].id, path[level].at+1
	if n := t.inner(id); n.n < fanout {
		n.insert(at, first, kid)
		return
	}
	right := t.newInner()
	n, r := t.inner(id), t.inner(right)
	const keep = fanout / 2
	n.moveTo(r, keep)
	if at > keep {
		r.insert(at-keep, first, kid)
	} else {
		n.insert(at, first, kid)
	}
	t.raise(path, level-1, r.at(0), right)
}

// firstEntry returns the first entry of a subtree with so many inner levels.
func (t *btree) firstEntry(id uint32, levels int) entry {
	if levels == 0 {
		return t.leaf(id).at(0)
	}
	return t.inner(id).at(0)
}

// lowered tells the inner nodes that the first entry of the path's leaf is e now.
func (t *btree) lowered(path *treePath, e entry) { t.loweredAt(path, t.height, e) }

// loweredAt tells the nodes above path[level] that its first entry is e now.
func (t *btree) loweredAt(path *treePath, level int, e entry) {
	for l := level - 1; l >= 0; l-- {
		t.inner(path[l].id).set(path[l].at, e)
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
	at := t.lowerBound(&n.entries, p)
	if at == n.n || n.at(at) != (entry{p.key, p.ptr}) {
		return false
	}
	t.count--
	if !t.besideEqual(n, at-1, at+1, p) {
		t.keys--
	}
	n.remove(at)
	if n.n == 0 {
		t.dropLeaf(&path, id)
		return true
	}
	if at == 0 {
		t.lowered(&path, n.at(0))
	}
	if n.n < fanout/2 {
		t.mergeLeaf(&path)
	}
	return true
}

// replace points an entry to another row with the same key, and reports whether it
// could do so without moving the entry.
func (t *btree) replace(p *treeProbe, ptr rowPtr) bool {
	var path treePath
	n := t.leaf(t.descend(p, &path))
	at := t.lowerBound(&n.entries, p)
	if at == n.n || n.at(at) != (entry{p.key, p.ptr}) {
		return false
	}
	if at == 0 || at == n.n-1 || n.keys[at-1] == p.key || n.keys[at+1] == p.key {
		return false
	}
	n.ptrs[at] = ptr
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
	n.remove(at)
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
		t.loweredAt(path, level, n.at(0))
	}
	if level > 0 && n.n < fanout/2 {
		t.mergeInner(path, level)
	}
	for t.height > 0 && t.inner(t.root).n == 1 {
		t.free.inners = append(t.free.inners, t.root)
		t.root = t.inner(t.root).kids[0]
		t.height--
	}
}

// pair returns path[level]'s child and a neighbour under the same parent, for merging,
// and has the path lead to the right one of them. ok is false if it is alone.
func (t *btree) pair(path *treePath, level int) (left, right uint32, ok bool) {
	parent, at := t.inner(path[level].id), path[level].at
	if at+1 < parent.n {
		at++
	}
	if at == 0 {
		return 0, 0, false
	}
	path[level].at = at
	return parent.kids[at-1], parent.kids[at], true
}

// mergeLeaf joins the path's sparse leaf with a neighbour, if both fit in one node with
// room to spare.
func (t *btree) mergeLeaf(path *treePath) {
	if t.height == 0 {
		return
	}
	left, right, ok := t.pair(path, t.height-1)
	if !ok || t.leaf(left).n+t.leaf(right).n > mergeFill {
		return
	}
	t.leaf(right).moveTo(&t.leaf(left).entries, 0)
	t.unlink(right)
	t.dropKid(path, t.height-1)
}

// mergeInner does the same with path[level]'s node.
func (t *btree) mergeInner(path *treePath, level int) {
	left, right, ok := t.pair(path, level-1)
	if !ok || t.inner(left).n+t.inner(right).n > mergeFill {
		return
	}
	t.inner(right).moveTo(t.inner(left), 0)
	t.free.inners = append(t.free.inners, right)
	t.dropKid(path, level-1)
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
	return treeCursor{t, id, t.lowerBound(&n.entries, p)}
}

// next returns the entry behind the cursor and steps over it.
func (c *treeCursor) next() (entry, bool) {
	for {
		n := c.t.leaf(c.leaf)
		if c.at < n.n {
			c.at++
			return n.at(c.at - 1), true
		}
		if n.next == noNode {
			return entry{}, false
		}
		c.leaf, c.at = n.next, 0
	}
}

// last returns the cursor behind the last entry that is before p; nil means the last
// of all.
func (t *btree) last(p *treeProbe) treeCursor {
	if p != nil {
		return t.seek(p)
	}
	id := t.root
	for range t.height {
		n := t.inner(id)
		id = n.kids[n.n-1]
	}
	return treeCursor{t, id, t.leaf(id).n}
}

// prev returns the entry before the cursor and steps back over it.
func (c *treeCursor) prev() (entry, bool) {
	for {
		n := c.t.leaf(c.leaf)
		if c.at > 0 {
			c.at--
			return n.at(c.at), true
		}
		if n.prev == noNode {
			return entry{}, false
		}
		c.leaf = n.prev
		c.at = c.t.leaf(c.leaf).n
	}
}

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
