package schema

import "github.com/stdbgo/spacetime/sats"

// compatProblem is a way in which a type cannot become another in place (spec
// 02 §11.4).
type compatProblem uint8

const (
	fewerVariants compatProblem = iota
	renamedVariant
	sizeMismatch
	alignMismatch
	fewerFields
	renamedField
	changedType
)

// compat compares two types without references and reports every problem.
// Within tells that it lies below the type the comparison began with.
type compat struct {
	report func(p compatProblem, within bool, old, new *sats.Type)
}

// upgradable reports whether the types differ; whether new may replace old is
// known from the problems reported meanwhile.
func (c *compat) upgradable(old, new *sats.Type, within bool) (changed bool) {
	switch {
	case old.Kind == sats.KindSum && new.Kind == sats.KindSum:
		return c.sums(old, new, within)
	case old.Kind == sats.KindProduct && new.Kind == sats.KindProduct:
		return c.products(old, new, within)
	case old.Kind == sats.KindArray && new.Kind == sats.KindArray:
		return c.upgradable(old.Elem, new.Elem, true)
	case old.Equal(new):
		return false
	}
	c.report(changedType, within, old, new)
	return true
}

func (c *compat) sums(old, new *sats.Type, within bool) (changed bool) {
	if len(new.Elems) < len(old.Elems) {
		c.report(fewerVariants, within, old, new)
		changed = true
	}
	for i := range min(len(old.Elems), len(new.Elems)) {
		if old.Elems[i].Name != new.Elems[i].Name {
			c.report(renamedVariant, within, old, new)
			changed = true
		}
		if c.upgradable(old.Elems[i].Type, new.Elems[i].Type, true) {
			changed = true
		}
	}
	a, b := layoutOf(old), layoutOf(new)
	if a.size != b.size {
		c.report(sizeMismatch, within, old, new)
	}
	if a.align != b.align {
		c.report(alignMismatch, within, old, new)
	}
	return changed || len(new.Elems) != len(old.Elems) || a != b
}

func (c *compat) products(old, new *sats.Type, within bool) (changed bool) {
	if len(new.Elems) != len(old.Elems) {
		c.report(fewerFields, within, old, new)
		changed = true
	}
	for i := range min(len(old.Elems), len(new.Elems)) {
		if old.Elems[i].Name != new.Elems[i].Name {
			c.report(renamedField, within, old, new)
			changed = true
		}
		if c.upgradable(old.Elems[i].Type, new.Elems[i].Type, true) {
			changed = true
		}
	}
	return changed
}

// rowLayout is the size and alignment in bytes that a type has in the rows of
// the original server. Ours stores rows otherwise, but refuses the same changes
// (spec 02 §11.4).
type rowLayout struct{ size, align int }

func layoutOf(t *sats.Type) rowLayout {
	switch t.Kind {
	case sats.KindString, sats.KindArray:
		return rowLayout{4, 2}
	case sats.KindProduct:
		out := rowLayout{0, 1}
		for i := range t.Elems {
			e := layoutOf(t.Elems[i].Type)
			out.size = roundUp(out.size, e.align) + e.size
			out.align = max(out.align, e.align)
		}
		out.size = roundUp(out.size, out.align)
		return out
	case sats.KindSum:
		payload := rowLayout{0, 1}
		for i := range t.Elems {
			e := layoutOf(t.Elems[i].Type)
			payload.size, payload.align = max(payload.size, e.size), max(payload.align, e.align)
		}
		return rowLayout{payload.align + roundUp(payload.size, payload.align), payload.align}
	}
	n := t.Kind.Size()
	return rowLayout{n, max(n, 1)}
}

func roundUp(n, align int) int { return (n + align - 1) / align * align }
