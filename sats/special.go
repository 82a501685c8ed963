package sats

// A Special says which special type a type is recognised as (spec 01 §1.4, §1.5).
type Special uint8

// The special types; SpecialNone are all others.
const (
	SpecialNone Special = iota
	SpecialIdentity
	SpecialConnectionID
	SpecialTimestamp
	SpecialTimeDuration
	SpecialUuid
	SpecialScheduleAt
	SpecialOption
	SpecialResult
)

// The element names that make a product of one element special.
const (
	identityTag     = "__identity__"
	connectionIDTag = "__connection_id__"
	timestampTag    = "__timestamp_micros_since_unix_epoch__"
	timeDurationTag = "__time_duration_micros__"
	uuidTag         = "__uuid__"
)

// The special types. They must appear inline in module definitions: recognition does not follow refs.
var (
	IdentityType     = &Type{Kind: KindProduct, Elems: []Element{{Name{identityTag, true}, U256Type}}}
	ConnectionIDType = &Type{Kind: KindProduct, Elems: []Element{{Name{connectionIDTag, true}, U128Type}}}
	TimestampType    = &Type{Kind: KindProduct, Elems: []Element{{Name{timestampTag, true}, I64}}}
	TimeDurationType = &Type{Kind: KindProduct, Elems: []Element{{Name{timeDurationTag, true}, I64}}}
	UuidType         = &Type{Kind: KindProduct, Elems: []Element{{Name{uuidTag, true}, U128Type}}}
	ScheduleAtType   = &Type{Kind: KindSum, Elems: []Element{
		{Name{"Interval", true}, TimeDurationType}, {Name{"Time", true}, TimestampType}}}
)

// Special recognises special types exactly by shape, names and widths.
func (t *Type) Special() Special {
	switch t.Kind {
	case KindProduct:
		return t.specialProduct()
	case KindSum:
		if len(t.Elems) != 2 {
			return SpecialNone
		}
		if _, ok := t.IsOption(); ok {
			return SpecialOption
		}
		if _, _, ok := t.IsResult(); ok {
			return SpecialResult
		}
		if t.twoVariants("Interval", "Time") && t.Elems[0].Type.specialProduct() == SpecialTimeDuration &&
			t.Elems[1].Type.specialProduct() == SpecialTimestamp {
			return SpecialScheduleAt
		}
	}
	return SpecialNone
}

func (t *Type) specialProduct() Special {
	if t.Kind != KindProduct || len(t.Elems) != 1 || !t.Elems[0].Name.Set {
		return SpecialNone
	}
	name, kind := t.Elems[0].Name.Text, t.Elems[0].Type.Kind
	if len(name) < 8 || name[0] != '_' {
		return SpecialNone
	}
	switch {
	case name == identityTag && kind == KindU256:
		return SpecialIdentity
	case name == connectionIDTag && kind == KindU128:
		return SpecialConnectionID
	case name == timestampTag && kind == KindI64:
		return SpecialTimestamp
	case name == timeDurationTag && kind == KindI64:
		return SpecialTimeDuration
	case name == uuidTag && kind == KindU128:
		return SpecialUuid
	}
	return SpecialNone
}

// IsSpecial reports whether t is a special product, ScheduleAt, an option or a result.
func (t *Type) IsSpecial() bool { return t.Special() != SpecialNone }

// ValidClientTypeUse reports whether t may appear where client code generation uses a type (spec 01 §1.6).
func (t *Type) ValidClientTypeUse() bool {
	switch t.Kind {
	case KindProduct:
		return t.IsUnit() || t.specialProduct() != SpecialNone
	case KindArray:
		return t.Elem.ValidClientTypeUse()
	case KindSum:
		if t.IsNever() {
			return true
		}
		switch t.Special() {
		case SpecialScheduleAt:
			return true
		case SpecialOption, SpecialResult:
			return t.Elems[0].Type.ValidClientTypeUse() && t.Elems[1].Type.ValidClientTypeUse()
		}
		return false
	}
	return true
}

// ValidClientTypeDefinition reports whether t may be an entry that client code generation gives a name
// (spec 01 §1.6).
func (t *Type) ValidClientTypeDefinition() bool {
	if t.Kind != KindProduct && t.Kind != KindSum || t.IsSpecial() {
		return false
	}
	for i := range t.Elems {
		if !t.Elems[i].Type.ValidClientTypeUse() {
			return false
		}
	}
	return true
}
