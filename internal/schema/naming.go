package schema

import (
	"strings"

	"github.com/stdbgo/spacetime/sats"
)

// naming turns the source names of one module level into canonical ones (spec
// 02 §5). For a V9 module the policy is CaseNone and there are no explicit
// names.
type naming struct {
	policy   CasePolicy
	explicit [NameNamespace + 1]map[string]string
}

func newNaming(policy CasePolicy, entries []RawExplicitName) *naming {
	n := &naming{policy: policy}
	for i := range n.explicit {
		n.explicit[i] = map[string]string{}
	}
	for _, e := range entries { // of several entries the last wins
		n.explicit[e.Kind][e.Source] = e.Canonical
	}
	return n
}

// canonical returns the canonical name of an object of the given kind.
func (n *naming) canonical(kind NameKind, source string) string {
	if name, ok := n.explicit[kind][source]; ok {
		return name
	}
	return n.snake(source)
}

func (n *naming) table(source string) string     { return n.canonical(NameTable, source) }
func (n *naming) function(source string) string  { return n.canonical(NameFunction, source) }
func (n *naming) namespace(source string) string { return n.canonical(NameNamespace, source) }

// index returns the explicit canonical name of an index, if it has one.
func (n *naming) index(source string) (string, bool) {
	name, ok := n.explicit[NameIndex][source]
	return name, ok
}

func (n *naming) snake(s string) string  { return n.convert(s, ToSnake) }
func (n *naming) camel(s string) string  { return n.convert(s, ToCamel) }
func (n *naming) pascal(s string) string { return n.convert(s, ToPascal) }

func (n *naming) convert(s string, to func(string) string) string {
	if n.policy == CaseNone || len(s) > maxIdentifier {
		return s
	}
	return to(s)
}

// typespace converts the names inside every entry.
func (n *naming) typespace(ts *sats.Typespace) *sats.Typespace {
	if n.policy == CaseNone {
		return ts
	}
	out := &sats.Typespace{Types: make([]*sats.Type, len(ts.Types))}
	for i, t := range ts.Types {
		out.Types[i] = n.typ(t)
	}
	return out
}

// typ converts element names to snake_case and variant names to camelCase. It
// stops at special types, whose names must stay recognisable, and follows no
// references.
func (n *naming) typ(t *sats.Type) *sats.Type {
	if n.policy == CaseNone || t.IsSpecial() {
		return t
	}
	switch t.Kind {
	case sats.KindArray:
		return sats.Array(n.typ(t.Elem))
	case sats.KindProduct, sats.KindSum:
		return n.elements(t)
	}
	return t
}

func (n *naming) elements(t *sats.Type) *sats.Type {
	if len(t.Elems) == 0 {
		return t
	}
	convert := n.snake
	if t.Kind == sats.KindSum {
		convert = n.camel
	}
	elems := make([]sats.Element, len(t.Elems))
	for i, e := range t.Elems {
		elems[i] = sats.Element{Name: e.Name, Type: n.typ(e.Type)}
		if e.Name.Set {
			elems[i].Name.Text = convert(e.Name.Text)
		}
	}
	return &sats.Type{Kind: t.Kind, Elems: elems}
}

// params returns the parameters p of a function with canonical names.
func (n *naming) params(p *sats.Type) *sats.Type {
	if n.policy == CaseNone {
		return p
	}
	return n.elements(p)
}

// Generated names (spec 02 §5.3). table and columns are canonical.

func indexName(table string, columns []string, algo Algo) string {
	return table + "_" + strings.Join(columns, "_") + "_idx_" + algo.String()
}

func constraintName(table string, columns []string) string {
	return table + "_" + strings.Join(columns, "_") + "_key"
}

func sequenceName(table, column string) string { return table + "_" + column + "_seq" }

func scheduleName(table string) string { return table + "_sched" }
