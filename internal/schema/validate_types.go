package schema

import (
	"errors"
	"fmt"
	"strings"

	"github.com/stdbgo/spacetime/sats"
)

var (
	errNotAUse     = errors.New("a product or sum must be declared as a type with a name to be used here")
	errRefCycle    = errors.New("the typespace entries it refers to refer to each other without end")
	errUseTooLarge = errors.New("it is nested too deeply")
)

// use checks that t may stand where clients see a type (spec 02 §6.4); what
// says where.
func (v *validator) use(t *sats.Type, what string) bool {
	err := v.checkUse(t, 0)
	if err != nil {
		v.add(ClientCodegenError, "%s: type %s: %v", what, typeText(t), err)
	}
	return err == nil
}

func (v *validator) checkUse(t *sats.Type, depth int) error {
	if depth > sats.MaxDepth {
		return errUseTooLarge
	}
	switch t.Kind {
	case sats.KindRef:
		return v.checkRefUse(t.Ref, depth)
	case sats.KindArray:
		return v.checkUse(t.Elem, depth+1)
	case sats.KindProduct, sats.KindSum:
		if len(t.Elems) == 0 {
			return nil
		}
		switch t.Special() {
		case sats.SpecialNone:
			return errNotAUse
		case sats.SpecialOption, sats.SpecialResult:
			for i := range t.Elems {
				if err := v.checkUse(t.Elems[i].Type, depth+1); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// checkRefUse checks a reference: one to a declared entry may be used, one to
// another entry stands for that entry. Results are remembered, so that entries
// used many times cost no more than those used once.
func (v *validator) checkRefUse(ref uint32, depth int) error {
	t, err := v.typespace.Get(ref)
	if err != nil || v.declared[ref] {
		return err
	}
	if err, done := v.uses[ref]; done {
		return err
	}
	if v.open[ref] {
		return errRefCycle
	}
	v.open[ref] = true
	err = v.checkUse(t, depth+1)
	delete(v.open, ref)
	v.uses[ref] = err
	return err
}

// checkType checks an entry of the types section.
func (v *validator) checkType(t *RawType) {
	d := &TypeDef{SourceScope: t.Scope, SourceName: t.Name, Name: v.names.pascal(t.Name), Ref: t.Ref, CustomOrdering: t.CustomOrdering}
	what := "type `" + scopedName(t.Scope, t.Name) + "`"
	v.sourceIdent(t.Name, d.Name, what)
	for _, s := range t.Scope {
		d.Scope = append(d.Scope, v.names.pascal(s))
		v.sourceIdent(s, v.names.pascal(s), "scope of "+what)
	}
	if full := d.FullName(); v.types[full] {
		v.add(DuplicateTypeName, "the type name `%s` is used twice", full)
	} else {
		v.types[full] = true
	}
	v.def.Types = append(v.def.Types, d)

	raw, err := v.typespace.Get(t.Ref)
	if err != nil {
		v.add(InvalidTypeRef, "%s: the typespace has no entry %d", what, t.Ref)
		return
	}
	if raw.Kind != sats.KindProduct && raw.Kind != sats.KindSum {
		v.add(ClientCodegenError, "%s: only a product or a sum can be given a name, not %s", what, typeText(raw))
		return
	}
	if v.checkElements(raw, what) && !t.CustomOrdering {
		v.checkOrdering(v.def.Typespace.Types[t.Ref], what)
	}
}

// FullName returns the name with its scope, separated by dots.
func (d *TypeDef) FullName() string { return scopedName(d.Scope, d.Name) }

func scopedName(scope []string, name string) string {
	if len(scope) == 0 {
		return name
	}
	return strings.Join(scope, ".") + "." + name
}

// checkElements checks the fields or variants of a named type.
func (v *validator) checkElements(t *sats.Type, what string) bool {
	before := v.count
	for i, e := range t.Elems {
		if !e.Name.Set {
			v.add(ClientCodegenError, "%s: its element %d has no name", what, i)
			continue
		}
		element := "element `" + e.Name.Text + "` of " + what
		if err := CheckIdentifier(e.Name.Text); err != nil {
			v.add(ClientCodegenError, "%s: its name is not an identifier: %v", element, err)
		}
		v.use(e.Type, element)
	}
	return v.count == before
}

// checkOrdering checks a type that claims the default order of elements.
func (v *validator) checkOrdering(t *sats.Type, what string) {
	for i := 1; i < len(t.Elems); i++ {
		if a, b := t.Elems[i-1].Name.Text, t.Elems[i].Name.Text; a > b {
			v.add(TypeHasIncorrectOrdering, "%s: without custom ordering, element `%s` must stand before `%s`", what, b, a)
			return
		}
	}
}

// params checks the parameters of a function.
func (v *validator) params(p *sats.Type, what string) bool {
	before := v.count
	for i, e := range p.Elems {
		if !e.Name.Set {
			v.add(ClientCodegenError, "%s: parameter %d has no name", what, i)
			continue
		}
		param := "parameter `" + e.Name.Text + "` of " + what
		if err := CheckIdentifier(e.Name.Text); err != nil {
			v.add(ClientCodegenError, "%s: its name is not an identifier: %v", param, err)
		} else {
			v.sourceIdent(e.Name.Text, v.names.snake(e.Name.Text), param)
		}
		v.use(e.Type, param)
	}
	return v.count == before
}

// typeText returns t in compact notation, cut to a readable length.
func typeText(t *sats.Type) string {
	return shorten(t.String())
}

// shorten cuts what a module sent to a length that suits a message.
func shorten(s string) string {
	const limit = 200
	if len(s) <= limit {
		return s
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(s[:limit], ""), len(s))
}
