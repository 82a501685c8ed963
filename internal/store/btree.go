package store

import (
	"math"
	"math/bits"
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
