package sats

// skipValue reads over one value of type t, checking it, with refs looked up in ts.
func skipValue(r *Reader, ts *Typespace, t *Type, depth int) {
	if t = enter(r, ts, t, depth); t == nil {
		return
	}
	switch t.Kind {
	case KindProduct:
		before := r.pos
		for i := range t.Elems {
			skipValue(r, ts, t.Elems[i].Type, depth+1)
		}
		r.productDone(before)
	case KindSum:
		tag := r.Tag(len(t.Elems))
		if r.err == nil {
			skipValue(r, ts, t.Elems[tag].Type, depth+1)
		}
	case KindArray:
		if isBytes(r, ts, t) {
			r.BytesView()
			return
		}
		for i, n := uint32(0), r.u32("u32"); i < n && r.err == nil; i++ {
			before := r.pos
			if skipValue(r, ts, t.Elem, depth+1); i == 0 {
				r.firstElement(before, n)
			}
		}
	case KindString:
		r.StrView()
	case KindBool:
		r.Bool()
	default:
		r.take(t.Kind.Size(), readNames[t.Kind])
	}
}

// Validate checks the value of type t at the start of b, with refs looked up in ts, and returns its length. It
// follows recursive types down to MaxDepth; for ref-free types a [Walker] is faster.
func (ts *Typespace) Validate(t *Type, b []byte) (int, error) {
	r := Reader{b: b}
	skipValue(&r, ts, t, 0)
	return r.pos, r.err
}
