package sats

import "strconv"

// A Kind is the tag of a type in the encoding of types (spec 01 §1.1).
type Kind uint8

// The kinds; their numbers are those of the encoding.
const (
	KindRef Kind = iota
	KindSum
	KindProduct
	KindArray
	KindString
	KindBool
	KindI8
	KindU8
	KindI16
	KindU16
	KindI32
	KindU32
	KindI64
	KindU64
	KindI128
	KindU128
	KindI256
	KindU256
	KindF32
	KindF64

	numKinds = 20
)

// MaxVariants is the number of variants a sum may have: its tag is one byte.
const MaxVariants = 256

// MaxDepth bounds the nesting of types and of values of recursive types.
const MaxDepth = 256

var kindNames = [numKinds]string{
	"Ref", "Sum", "Product", "Array", "String", "Bool", "I8", "U8", "I16", "U16", "I32", "U32",
	"I64", "U64", "I128", "U128", "I256", "U256", "F32", "F64",
}

// kindSizes holds the encoded size in bytes of scalars, 0 for the other kinds.
var kindSizes = [numKinds]uint8{0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 4, 4, 8, 8, 16, 16, 32, 32, 4, 8}

// String returns the name of the kind, which is also its key in the JSON of types.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "Kind(" + strconv.Itoa(int(k)) + ")"
}

// IsInteger reports whether k is one of the twelve integer kinds.
func (k Kind) IsInteger() bool { return k >= KindI8 && k <= KindU256 }

// IsSigned reports whether k is a signed integer kind.
func (k Kind) IsSigned() bool { return k.IsInteger() && k&1 == 0 }

// IsFloat reports whether k is F32 or F64.
func (k Kind) IsFloat() bool { return k == KindF32 || k == KindF64 }

// IsScalar reports whether k is Bool, an integer or a float.
func (k Kind) IsScalar() bool { return k >= KindBool && k <= KindF64 }

// Size returns the encoded size in bytes of a scalar kind, 0 for the others.
func (k Kind) Size() int {
	if int(k) < len(kindSizes) {
		return int(kindSizes[k])
	}
	return 0
}

// A Name is an optional name; a missing name differs from an empty one.
type Name struct {
	Text string
	Set  bool
}

// Named returns the name s.
func Named(s string) Name { return Name{Text: s, Set: true} }

// Or returns the name, or alt if there is none.
func (n Name) Or(alt string) string {
	if n.Set {
		return n.Text
	}
	return alt
}

// An Element is an element of a product or a variant of a sum.
type Element struct {
	Name Name
	Type *Type
}

// E returns an element or variant with a name.
func E(name string, t *Type) Element { return Element{Name: Named(name), Type: t} }

// Unnamed returns an element or variant without a name.
func Unnamed(t *Type) Element { return Element{Type: t} }

// A Type is a type of the type system (AlgebraicType). It is immutable once built and may be shared freely.
type Type struct {
	Kind  Kind
	Ref   uint32    // KindRef: index into the typespace of the owning module
	Elem  *Type     // KindArray: type of the elements
	Elems []Element // KindProduct: elements; KindSum: variants
}

// The types without parameters. U128Type and its three relatives carry the suffix because the plain names are Go
// types that hold such numbers.
var (
	Bool     = &Type{Kind: KindBool}
	I8       = &Type{Kind: KindI8}
	U8       = &Type{Kind: KindU8}
	I16      = &Type{Kind: KindI16}
	U16      = &Type{Kind: KindU16}
	I32      = &Type{Kind: KindI32}
	U32      = &Type{Kind: KindU32}
	I64      = &Type{Kind: KindI64}
	U64      = &Type{Kind: KindU64}
	I128Type = &Type{Kind: KindI128}
	U128Type = &Type{Kind: KindU128}
	I256Type = &Type{Kind: KindI256}
	U256Type = &Type{Kind: KindU256}
	F32      = &Type{Kind: KindF32}
	F64      = &Type{Kind: KindF64}
	String   = &Type{Kind: KindString}
	Bytes    = &Type{Kind: KindArray, Elem: &Type{Kind: KindU8}}
	Unit     = &Type{Kind: KindProduct}
	Never    = &Type{Kind: KindSum}
)

// Primitive returns the shared type of a scalar kind or String, nil for other kinds.
func Primitive(k Kind) *Type {
	switch k {
	case KindString:
		return String
	case KindBool:
		return Bool
	case KindI8:
		return I8
	case KindU8:
		return U8
	case KindI16:
		return I16
	case KindU16:
		return U16
	case KindI32:
		return I32
	case KindU32:
		return U32
	case KindI64:
		return I64
	case KindU64:
		return U64
	case KindI128:
		return I128Type
	case KindU128:
		return U128Type
	case KindI256:
		return I256Type
	case KindU256:
		return U256Type
	case KindF32:
		return F32
	case KindF64:
		return F64
	}
	return nil
}

// Product returns a product of the given elements in their order.
func Product(elems ...Element) *Type { return &Type{Kind: KindProduct, Elems: elems} }

// Sum returns a sum of the given variants; a variant's tag is its position.
func Sum(variants ...Element) *Type { return &Type{Kind: KindSum, Elems: variants} }

// Enum returns a sum of variants without data.
func Enum(names ...string) *Type {
	t := &Type{Kind: KindSum, Elems: make([]Element, len(names))}
	for i, n := range names {
		t.Elems[i] = E(n, Unit)
	}
	return t
}

// Array returns the type of arrays of t.
func Array(t *Type) *Type { return &Type{Kind: KindArray, Elem: t} }

// Ref returns a reference to entry n of the owning module's typespace.
func Ref(n uint32) *Type { return &Type{Kind: KindRef, Ref: n} }

// Option returns the sum that is recognised as an optional t.
func Option(t *Type) *Type { return Sum(E("some", t), E("none", Unit)) }

// Result returns the sum that is recognised as a result.
func Result(ok, err *Type) *Type { return Sum(E("ok", ok), E("err", err)) }

// Equal reports whether t and u are the same type: same kinds, order, names and reference indexes.
func (t *Type) Equal(u *Type) bool {
	if t == u {
		return true
	}
	if t == nil || u == nil || t.Kind != u.Kind {
		return false
	}
	switch t.Kind {
	case KindRef:
		return t.Ref == u.Ref
	case KindArray:
		return t.Elem.Equal(u.Elem)
	case KindSum, KindProduct:
		if len(t.Elems) != len(u.Elems) {
			return false
		}
		for i := range t.Elems {
			if t.Elems[i].Name != u.Elems[i].Name || !t.Elems[i].Type.Equal(u.Elems[i].Type) {
				return false
			}
		}
	}
	return true
}

// String returns the text form of spec 01 §1.7, as in "(some: U8 | none: ())".
func (t *Type) String() string { return string(t.appendText(nil)) }

func (t *Type) appendText(b []byte) []byte {
	switch t.Kind {
	case KindRef:
		return strconv.AppendUint(append(b, '&'), uint64(t.Ref), 10)
	case KindArray:
		return append(t.Elem.appendText(append(b, "Array<"...)), '>')
	case KindProduct:
		b = append(b, '(')
		for i, e := range t.Elems {
			if i > 0 {
				b = append(b, ", "...)
			}
			if e.Name.Set {
				b = append(b, e.Name.Text...)
			} else {
				b = strconv.AppendInt(b, int64(i), 10)
			}
			b = e.Type.appendText(append(b, ": "...))
		}
		return append(b, ')')
	case KindSum:
		if len(t.Elems) == 0 {
			return append(b, "(|)"...)
		}
		b = append(b, '(')
		for i, e := range t.Elems {
			if i > 0 {
				b = append(b, " | "...)
			}
			if e.Name.Set {
				b = append(append(b, e.Name.Text...), ": "...)
			}
			b = e.Type.appendText(b)
		}
		return append(b, ')')
	}
	return append(b, t.Kind.String()...)
}

// IsUnit reports whether t is the empty product.
func (t *Type) IsUnit() bool { return t.Kind == KindProduct && len(t.Elems) == 0 }

// IsNever reports whether t is the empty sum.
func (t *Type) IsNever() bool { return t.Kind == KindSum && len(t.Elems) == 0 }

// IsBytes reports whether t is exactly Array(U8).
func (t *Type) IsBytes() bool { return t.Kind == KindArray && t.Elem.Kind == KindU8 }

// IsPlainEnum reports whether t is a sum of at least one variant, all without data.
func (t *Type) IsPlainEnum() bool {
	if t.Kind != KindSum || len(t.Elems) == 0 {
		return false
	}
	for i := range t.Elems {
		if !t.Elems[i].Type.IsUnit() {
			return false
		}
	}
	return true
}

// twoVariants reports whether t is a sum of exactly the two named variants.
func (t *Type) twoVariants(a, b string) bool {
	return t.Kind == KindSum && len(t.Elems) == 2 && t.Elems[0].Name == Named(a) && t.Elems[1].Name == Named(b)
}

// IsOption reports whether t is an option and of what type (spec 01 §1.4).
func (t *Type) IsOption() (*Type, bool) {
	if t.twoVariants("some", "none") && t.Elems[1].Type.IsUnit() {
		return t.Elems[0].Type, true
	}
	return nil, false
}

// IsResult reports whether t is a result and of what types (spec 01 §1.4).
func (t *Type) IsResult() (ok, err *Type, is bool) {
	if t.twoVariants("ok", "err") {
		return t.Elems[0].Type, t.Elems[1].Type, true
	}
	return nil, nil, false
}

// FieldIndex returns the position of the element or variant called name, or -1.
func (t *Type) FieldIndex(name string) int {
	for i := range t.Elems {
		if t.Elems[i].Name.Set && t.Elems[i].Name.Text == name {
			return i
		}
	}
	return -1
}

// HasRefs reports whether a Ref occurs anywhere in t.
func (t *Type) HasRefs() bool {
	switch t.Kind {
	case KindRef:
		return true
	case KindArray:
		return t.Elem.HasRefs()
	}
	for i := range t.Elems {
		if t.Elems[i].Type.HasRefs() {
			return true
		}
	}
	return false
}

// FixedSize returns the encoded size in bytes that all values of the ref-free type t have (spec 01 §3.9), and
// whether there is such a size.
func (t *Type) FixedSize() (n int, ok bool) {
	switch t.Kind {
	case KindProduct:
		for i := range t.Elems {
			m, ok := t.Elems[i].Type.FixedSize()
			if !ok {
				return 0, false
			}
			n += m
		}
		return n, true
	case KindSum:
		for i := range t.Elems {
			m, ok := t.Elems[i].Type.FixedSize()
			if !ok || i > 0 && m != n {
				return 0, false
			}
			n = m
		}
		return n + 1, len(t.Elems) > 0
	}
	n = t.Kind.Size()
	return n, n > 0
}
