package sats

import "sync"

// meta is the typespace that describes types themselves: entry 0 is AlgebraicType (spec 01 §3.5).
var meta = sync.OnceValue(func() *Typespace {
	element := Product(E("name", Option(String)), E("algebraic_type", Ref(0)))
	elements := Array(element)
	variants := make([]Element, numKinds)
	for k := range variants {
		variants[k] = E(kindNames[k], Unit)
	}
	variants[KindRef].Type = U32
	variants[KindSum].Type = Product(E("variants", elements))
	variants[KindProduct].Type = Product(E("elements", elements))
	variants[KindArray].Type = Ref(0)
	return &Typespace{Types: []*Type{
		Sum(variants...),
		variants[KindProduct].Type,
		Product(E("types", Array(Ref(0)))),
	}}
})

// MetaTypespace returns the typespace that describes types: entry 0 is AlgebraicType, 1 ProductType, 2 Typespace.
// Callers must not change it.
func MetaTypespace() *Typespace { return meta() }

// AppendTypeJSON appends the JSON of a type (spec 01 §4.7).
func AppendTypeJSON(dst []byte, t *Type) []byte { return appendMetaJSON(dst, 0, AppendType(nil, t)) }

// AppendProductTypeJSON appends the JSON of a bare product type: {"elements":[…]}.
func AppendProductTypeJSON(dst []byte, t *Type) []byte {
	return appendMetaJSON(dst, 1, AppendElements(nil, t.Elems))
}

// AppendTypespaceJSON appends the JSON of a typespace: {"types":[…]}.
func AppendTypespaceJSON(dst []byte, ts *Typespace) []byte {
	return appendMetaJSON(dst, 2, AppendTypespace(nil, ts))
}

func appendMetaJSON(dst []byte, entry uint32, bsatn []byte) []byte {
	w := jsonWriter{out: dst, flavor: FlavorMessage, r: Reader{b: bsatn}, ts: meta()}
	w.value(Ref(entry), -1<<30) // a type in memory is no hostile input: its depth is not counted
	return w.out
}

// ParseTypeJSON parses the JSON of a type.
func ParseTypeJSON(json []byte) (*Type, error) {
	b, err := ParseJSON(nil, meta(), Ref(0), json)
	if err != nil {
		return nil, err
	}
	return DecodeType(NewReader(b))
}

// ParseProductTypeJSON parses the JSON of a bare product type.
func ParseProductTypeJSON(json []byte) (*Type, error) {
	b, err := ParseJSON(nil, meta(), Ref(1), json)
	if err != nil {
		return nil, err
	}
	return DecodeProductType(NewReader(b))
}

// ParseTypespaceJSON parses the JSON of a typespace.
func ParseTypespaceJSON(json []byte) (*Typespace, error) {
	b, err := ParseJSON(nil, meta(), Ref(2), json)
	if err != nil {
		return nil, err
	}
	return DecodeTypespace(NewReader(b))
}
