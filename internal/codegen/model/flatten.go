package model

import (
	"errors"
	"slices"
	"strings"
)

// Flatten returns the module with the objects of its submodules moved to the
// root, for languages without a form of their own for them (spec 10 §2.9):
// accessors begin with the segments of the namespace and underscores, scopes of
// types with the same segments; canonical names stay. The module m is not
// changed. Types that get one name are an error.
func Flatten(m *Module) (*Module, error) {
	f := flattener{root: &Level{}, types: map[*Type]*Type{}, uses: map[*Use]*Use{}}
	levels := m.Root.Levels()
	for _, l := range levels {
		for _, t := range l.Types {
			f.typ(t)
		}
	}
	for _, t := range f.root.Types {
		for i := range t.Fields {
			t.Fields[i].Use = f.use(t.Fields[i].Use)
		}
	}
	for _, l := range levels {
		f.objects(l)
	}
	sortTables(f.root.Tables)
	slices.SortStableFunc(f.root.Tables, func(a, b *Table) int { return boolOrder(a.IsView, b.IsView) })
	sortFunctions(f.root.Procedures)
	sortTypes(f.root.Types)
	for _, t := range f.root.Tables {
		t.Row.RowOf = append(t.Row.RowOf, t)
	}
	names := NewScope("types")
	for _, t := range f.root.Types {
		names.Claim(t.Ident, "type `"+t.Source()+"`")
	}
	return &Module{Root: f.root, Private: m.Private}, errors.Join(names.Err())
}

func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

type flattener struct {
	root  *Level
	types map[*Type]*Type
	uses  map[*Use]*Use
}

func (f *flattener) typ(t *Type) {
	c := *t
	c.Level, c.RowOf = f.root, nil
	c.Scope = slices.Concat(t.Level.Path, t.Scope)
	c.Fields = slices.Clone(t.Fields)
	c.name()
	f.types[t] = &c
	f.root.Types = append(f.root.Types, &c)
}

func (f *flattener) use(u *Use) *Use {
	if u == nil {
		return nil
	}
	c, done := f.uses[u]
	if !done {
		c = &Use{Kind: u.Kind, Type: f.types[u.Type], Elem: f.use(u.Elem), Err: f.use(u.Err)}
		f.uses[u] = c
	}
	return c
}

func (f *flattener) fields(fields []Field) []Field {
	out := slices.Clone(fields)
	for i := range out {
		out[i].Use = f.use(out[i].Use)
	}
	return out
}

func (f *flattener) objects(l *Level) {
	accessor := func(s string) string { return strings.Join(append(slices.Clip(l.Path), s), "_") }
	for _, t := range l.Tables {
		c := *t
		c.Level, c.Accessor, c.Row = f.root, accessor(t.Accessor), f.types[t.Row]
		c.Params, c.Columns = f.fields(t.Params), slices.Clone(t.Columns)
		for i := range c.Columns {
			c.Columns[i].Use = f.use(c.Columns[i].Use)
		}
		f.root.Tables = append(f.root.Tables, &c)
	}
	function := func(o *Function) *Function {
		c := *o
		c.Level, c.Accessor, c.Params, c.Return = f.root, accessor(o.Accessor), f.fields(o.Params), f.use(o.Return)
		return &c
	}
	for _, r := range l.Reducers {
		f.root.Reducers = append(f.root.Reducers, function(r))
	}
	for _, p := range l.Procedures {
		f.root.Procedures = append(f.root.Procedures, function(p))
	}
}
