package sats

import "slices"

// AppendType appends the BSATN of a type (spec 01 §3.5).
func AppendType(b []byte, t *Type) []byte {
	b = append(b, byte(t.Kind))
	switch t.Kind {
	case KindRef:
		b = AppendU32(b, t.Ref)
	case KindArray:
		b = AppendType(b, t.Elem)
	case KindSum, KindProduct:
		b = AppendElements(b, t.Elems)
	}
	return b
}

// AppendElements appends the BSATN of the elements of a product type (ProductType) or the variants of a sum.
func AppendElements(b []byte, elems []Element) []byte {
	b = AppendLen(b, len(elems))
	for i := range elems {
		if e := &elems[i]; e.Name.Set {
			b = AppendString(AppendSome(b), e.Name.Text)
		} else {
			b = AppendNone(b)
		}
		b = AppendType(b, elems[i].Type)
	}
	return b
}

// DecodeType reads the BSATN of a type. Types nested deeper than MaxDepth and sums of more than MaxVariants variants
// are errors.
func DecodeType(r *Reader) (*Type, error) {
	t := decodeType(r, 0)
	if r.err != nil {
		return nil, r.err
	}
	return t, nil
}

// DecodeProductType reads the BSATN of a bare product type, as the columns of a table or the parameters of a
// function are given.
func DecodeProductType(r *Reader) (*Type, error) {
	elems := decodeElements(r, 0)
	if r.err != nil {
		return nil, r.err
	}
	return Product(elems...), nil
}

func decodeType(r *Reader, depth int) *Type {
	if depth > MaxDepth {
		r.Fail(errDepth)
	}
	k := Kind(r.TagOf(numKinds, "AlgebraicType"))
	if r.err != nil {
		return nil
	}
	switch k {
	case KindRef:
		return Ref(r.U32())
	case KindArray:
		return Array(decodeType(r, depth+1))
	case KindSum, KindProduct:
		elems := decodeElements(r, depth+1)
		if k == KindSum && len(elems) > MaxVariants {
			r.Fail(errOther("sum type has " + utoa(uint64(len(elems))) + " variants, more than 256"))
		}
		return &Type{Kind: k, Elems: elems}
	}
	return Primitive(k)
}

func decodeElements(r *Reader, depth int) []Element {
	n := r.U32()
	if n == 0 || r.err != nil {
		return nil
	}
	elems := make([]Element, 0, min(int64(n), int64(r.Len()/2), 4096))
	for ; n > 0 && r.err == nil; n-- {
		var e Element
		if r.Option() {
			e.Name = Named(r.Str())
		}
		if r.err == nil {
			e.Type = decodeType(r, depth)
			elems = append(elems, e)
		}
	}
	return slices.Clip(elems)
}

// A Typespace is the list of types that refs of one module index: a ref n means Types[n].
type Typespace struct{ Types []*Type }

// AppendTypespace appends the BSATN of a typespace.
func AppendTypespace(b []byte, ts *Typespace) []byte {
	b = AppendLen(b, len(ts.Types))
	for _, t := range ts.Types {
		b = AppendType(b, t)
	}
	return b
}

// DecodeTypespace reads the BSATN of a typespace.
func DecodeTypespace(r *Reader) (*Typespace, error) {
	n := r.Count(1)
	ts := &Typespace{Types: make([]*Type, 0, min(n, 4096))}
	for ; n > 0 && r.err == nil; n-- {
		ts.Types = append(ts.Types, decodeType(r, 0))
	}
	if r.err != nil {
		return nil, r.err
	}
	return ts, nil
}
