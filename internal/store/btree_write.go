package store

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
