package sats

// AppendReachable appends the types, then an array of the entries of ts that they refer to, directly or through other
// entries. References are numbered anew: entries stand in the order of their first use, each before those that its own
// content uses. So the bytes depend on nothing else that ts holds. Every reference must have an entry.
func AppendReachable(b []byte, ts *Typespace, types ...*Type) []byte {
	r := reachable{ts: ts, numbers: map[uint32]uint32{}}
	for _, t := range types {
		b = AppendType(b, r.renumber(t))
	}
	b = AppendLen(b, len(r.entries))
	for _, t := range r.entries {
		b = AppendType(b, t)
	}
	return b
}

type reachable struct {
	ts      *Typespace
	numbers map[uint32]uint32 // new by old
	entries []*Type
}

// renumber returns a copy of t with the new references.
func (r *reachable) renumber(t *Type) *Type {
	c := *t
	switch t.Kind {
	case KindRef:
		n, known := r.numbers[t.Ref]
		if !known {
			n = uint32(len(r.entries))
			r.numbers[t.Ref] = n
			r.entries = append(r.entries, Unit)
			r.entries[n] = r.renumber(r.ts.Types[t.Ref])
		}
		c.Ref = n
	case KindArray:
		c.Elem = r.renumber(t.Elem)
	case KindProduct, KindSum:
		c.Elems = make([]Element, len(t.Elems))
		for i, e := range t.Elems {
			e.Type = r.renumber(e.Type)
			c.Elems[i] = e
		}
	}
	return &c
}
