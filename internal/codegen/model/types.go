package model

import (
	"fmt"
	"strings"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// maxUse bounds the parts of one use with everything it contains. Entries
// without a name may refer to each other in a way that doubles with every
// step, and generated text spells all of it out.
const maxUse = 4096

// A typeBuilder turns the types of one level into definitions and uses.
type typeBuilder struct {
	*levelBuilder
	space  *sats.Typespace
	byRef  map[uint32]*Type
	chains map[uint32]*Use // what entries without a name stand for; nil while it is being found
	sizes  map[*Use]int
}

func newTypeBuilder(b *levelBuilder) *typeBuilder {
	return &typeBuilder{
		levelBuilder: b, space: b.def.SourceTypespace,
		byRef: map[uint32]*Type{}, chains: map[uint32]*Use{}, sizes: map[*Use]int{},
	}
}

// define fills in the level's types.
func (b *typeBuilder) define() {
	refs := map[*Type]uint32{}
	for _, d := range b.def.Types {
		t := newType(b.level, d)
		refs[t] = d.Ref
		if b.byRef[d.Ref] == nil {
			b.byRef[d.Ref] = t
		}
		b.level.Types = append(b.level.Types, t)
	}
	sortTypes(b.level.Types)
	names := NewScope("types")
	for _, t := range b.level.Types {
		names.Claim(t.Ident, "type `"+t.Source()+"`")
		b.content(t, refs[t])
	}
	if err := names.Err(); err != nil {
		b.problems = append(b.problems, err)
	}
	markRecursive(b.level.Types)
}

func newType(l *Level, d *schema.TypeDef) *Type {
	t := &Type{Level: l, Scope: d.SourceScope, Name: d.SourceName}
	t.name()
	return t
}

// name derives the names of identifiers and files from scope and name.
func (t *Type) name() {
	var ident, stem []string
	for _, s := range t.Scope {
		ident, stem = append(ident, schema.ToPascal(s)), append(stem, schema.ToSnake(s))
	}
	t.Ident = strings.Join(append(ident, schema.ToPascal(t.Name)), "")
	t.Stem = strings.Join(append(stem, schema.ToSnake(t.Name)), "_")
}

// content fills in shape and fields.
func (b *typeBuilder) content(t *Type, ref uint32) {
	what := "type `" + t.Source() + "`"
	raw, err := b.space.Get(ref)
	if err != nil {
		b.failf("%s: %v", what, err)
		return
	}
	switch raw.Kind {
	case sats.KindProduct:
		t.Fields = b.fields(raw, "field", what)
	case sats.KindSum:
		t.Shape, t.Fields = PlainEnum, b.fields(raw, "variant", what)
		for _, f := range t.Fields {
			if f.Use.Kind != Unit {
				t.Shape = Sum
			}
		}
	default:
		b.failf("%s: only a product or a sum can have a name", what)
	}
}

// specials are the kinds of uses that are recognised by their shape.
var specials = map[sats.Special]Kind{
	sats.SpecialConnectionID: ConnectionID, sats.SpecialIdentity: Identity, sats.SpecialTimestamp: Timestamp,
	sats.SpecialTimeDuration: TimeDuration, sats.SpecialUuid: UUID, sats.SpecialOption: Option,
	sats.SpecialResult: Result, sats.SpecialScheduleAt: ScheduleAt,
}

// scalars are the kinds of uses that contain nothing.
var scalars = map[sats.Kind]Kind{
	sats.KindString: String, sats.KindBool: Bool,
	sats.KindI8: I8, sats.KindU8: U8, sats.KindI16: I16, sats.KindU16: U16, sats.KindI32: I32, sats.KindU32: U32,
	sats.KindI64: I64, sats.KindU64: U64, sats.KindI128: I128, sats.KindU128: U128, sats.KindI256: I256, sats.KindU256: U256,
	sats.KindF32: F32, sats.KindF64: F64,
}

// use converts a type where it is used (spec 10 §2.5); what says where. What
// cannot be converted is reported and stands as Unit, which nobody gets to see.
func (b *typeBuilder) use(t *sats.Type, what string) *Use {
	u, err := b.convert(t, 0)
	if err == nil && b.sizes[u] > maxUse {
		err = fmt.Errorf("written out it would have more than %d parts; give some of them names", maxUse)
	}
	if err != nil {
		b.failf("%s: %v", what, err)
		return &Use{Kind: Unit}
	}
	return u
}

func (b *typeBuilder) convert(t *sats.Type, depth int) (*Use, error) {
	if depth > sats.MaxDepth {
		return nil, fmt.Errorf("its type is nested deeper than %d levels", sats.MaxDepth)
	}
	u := new(Use)
	switch special := t.Special(); {
	case special != sats.SpecialNone:
		u.Kind = specials[special]
	case t.IsUnit():
		u.Kind = Unit
	case t.IsNever():
		u.Kind = Never
	case t.Kind == sats.KindRef:
		return b.reference(t.Ref, depth)
	case t.Kind == sats.KindArray:
		u.Kind = Array
	default:
		k, ok := scalars[t.Kind]
		if !ok {
			return nil, fmt.Errorf("its type is a product or sum without a name; give it one")
		}
		u.Kind = k
	}
	var err error
	switch u.Kind {
	case Array:
		u.Elem, err = b.convert(t.Elem, depth+1)
	case Option, Result:
		u.Elem, err = b.convert(t.Elems[0].Type, depth+1)
		if u.Kind == Result && err == nil {
			u.Err, err = b.convert(t.Elems[1].Type, depth+1)
		}
	}
	// Sizes saturate: they double with every step in the worst case.
	b.sizes[u] = min(1+b.sizes[u.Elem]+b.sizes[u.Err], maxUse+1)
	return u, err
}

// reference converts a reference to a definition, or to an entry without a
// name, which stands for its content.
func (b *typeBuilder) reference(ref uint32, depth int) (*Use, error) {
	if t := b.byRef[ref]; t != nil {
		u := &Use{Kind: Ref, Type: t}
		b.sizes[u] = 1
		return u, nil
	}
	if u, begun := b.chains[ref]; begun {
		if u == nil {
			return nil, fmt.Errorf("its type contains itself without a name on the way; give one of the parts a name")
		}
		return u, nil
	}
	t, err := b.space.Get(ref)
	if err != nil {
		return nil, err
	}
	b.chains[ref] = nil
	u, err := b.convert(t, depth+1)
	if err != nil {
		delete(b.chains, ref)
		return nil, err
	}
	b.chains[ref] = u
	return u, nil
}

// Refs calls f for every definition that a use refers to, with repetitions.
func (u *Use) Refs(f func(*Type)) {
	if u == nil {
		return
	}
	if u.Kind == Ref {
		f(u.Type)
	}
	u.Elem.Refs(f)
	u.Err.Refs(f)
}

// HasRef reports whether a use refers to a definition.
func (u *Use) HasRef() bool {
	has := false
	u.Refs(func(*Type) { has = true })
	return has
}

// IsBytes reports whether a use is an array of U8.
func (u *Use) IsBytes() bool { return u.Kind == Array && u.Elem.Kind == U8 }

// IsInteger reports whether a use is an integer of any width.
func (u *Use) IsInteger() bool { return u.Kind >= I8 && u.Kind <= U256 }

// markRecursive sets Recursive in the types that take part in a cycle: those
// whose strongly connected component has more than one type, or a reference to
// itself (Tarjan's algorithm; its depth is bounded by the number of types).
func markRecursive(types []*Type) {
	s := sccs{index: map[*Type]int{}, low: map[*Type]int{}, onStack: map[*Type]bool{}}
	for _, t := range types {
		if s.index[t] == 0 {
			s.visit(t)
		}
	}
}

type sccs struct {
	index, low map[*Type]int // from 1; 0: not visited
	onStack    map[*Type]bool
	stack      []*Type
}

func (s *sccs) visit(t *Type) {
	s.index[t] = len(s.index) + 1
	s.low[t] = s.index[t]
	s.stack, s.onStack[t] = append(s.stack, t), true
	for _, f := range t.Fields {
		f.Use.Refs(func(o *Type) {
			switch {
			case o == t:
				t.Recursive = true
			case s.index[o] == 0:
				s.visit(o)
				s.low[t] = min(s.low[t], s.low[o])
			case s.onStack[o]:
				s.low[t] = min(s.low[t], s.index[o])
			}
		})
	}
	if s.low[t] != s.index[t] {
		return
	}
	first := len(s.stack) - 1
	for s.stack[first] != t {
		first--
	}
	for _, o := range s.stack[first:] {
		o.Recursive = o.Recursive || len(s.stack)-first > 1
		s.onStack[o] = false
	}
	s.stack = s.stack[:first]
}
