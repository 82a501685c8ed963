package store

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
