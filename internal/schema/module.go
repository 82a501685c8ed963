package schema

import (
	"cmp"
	"slices"
)

// finish adds what the submodules contain under qualified names, and numbers
// functions. The module's own objects are complete.
func (m *ModuleDef) finish() {
	for _, s := range m.Submodules {
		for _, t := range s.Module.Tables {
			m.Tables = append(m.Tables, s.qualifyTable(t))
		}
		for _, r := range s.Module.Reducers {
			q := *r
			q.ID = uint32(len(m.Reducers))
			q.Namespace, q.Name, q.Accessor = s.qualify(r.Namespace, r.Name, r.Accessor)
			m.Reducers = append(m.Reducers, &q)
		}
		for _, p := range s.Module.Procedures {
			q := *p
			q.ID = uint32(len(m.Procedures))
			q.Namespace, q.Name, q.Accessor = s.qualify(p.Namespace, p.Name, p.Accessor)
			m.Procedures = append(m.Procedures, &q)
		}
		anonymous, sender := m.countViews()
		for _, w := range s.Module.Views {
			q := *w
			if q.IsAnonymous {
				q.Index += anonymous
			} else {
				q.Index += sender
			}
			q.Namespace, q.Name, q.Accessor = s.qualify(w.Namespace, w.Name, w.Accessor)
			m.Views = append(m.Views, &q)
		}
	}
	m.names = m.newLookups()
}

func (m *ModuleDef) countViews() (anonymous, sender uint32) {
	for _, w := range m.Views {
		if w.IsAnonymous {
			anonymous++
		} else {
			sender++
		}
	}
	return anonymous, sender
}

// qualify returns an object's namespace, canonical name and accessor name as
// seen from the parent module.
func (s *SubmoduleDef) qualify(namespace, name, accessor string) (string, string, string) {
	if namespace == "" {
		namespace = s.Namespace
	} else {
		namespace = s.Namespace + "." + namespace
	}
	return namespace, s.Namespace + "." + name, s.Accessor + "." + accessor
}

func (s *SubmoduleDef) qualifyTable(t *TableDef) *TableDef {
	q := *t
	q.Namespace, q.Name, q.Accessor = s.qualify(t.Namespace, t.Name, t.Accessor)
	q.Indexes = make([]IndexDef, len(t.Indexes))
	for i, x := range t.Indexes {
		x.Name, x.Accessor = s.Namespace+"."+x.Name, s.Accessor+"."+x.Accessor
		q.Indexes[i] = x
	}
	q.Constraints = make([]ConstraintDef, len(t.Constraints))
	for i, c := range t.Constraints {
		c.Name = s.Namespace + "." + c.Name
		q.Constraints[i] = c
	}
	q.Sequences = make([]SequenceDef, len(t.Sequences))
	for i, x := range t.Sequences {
		x.Name = s.Namespace + "." + x.Name
		q.Sequences[i] = x
	}
	if t.Schedule != nil {
		d := *t.Schedule
		d.Function = s.Namespace + "." + d.Function
		q.Schedule = &d
	}
	if t.Outbox != nil {
		d := *t.Outbox
		if d.OnResult != "" {
			d.OnResult = s.Namespace + "." + d.OnResult
		}
		q.Outbox = &d
	}
	return &q
}

// CreationOrder returns the tables and then the views in the order in which a
// new database creates them, which fixes their ids: by the bytes of their full
// canonical names (spec 02 §8.3).
func (m *ModuleDef) CreationOrder() ([]*TableDef, []*ViewDef) {
	tables, views := slices.Clone(m.Tables), slices.Clone(m.Views)
	slices.SortFunc(tables, func(a, b *TableDef) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(views, func(a, b *ViewDef) int { return cmp.Compare(a.Name, b.Name) })
	return tables, views
}

// lookup finds objects by name in constant time.
type lookup[T any] struct{ canonical, accessor map[string]*T }

// newLookup indexes list; of two objects with one name the first counts.
// accessor is nil if only canonical names count.
func newLookup[T any](list []*T, canonical, accessor func(*T) string) lookup[T] {
	l := lookup[T]{canonical: map[string]*T{}, accessor: map[string]*T{}}
	for _, d := range slices.Backward(list) {
		l.canonical[canonical(d)] = d
		if accessor != nil {
			l.accessor[accessor(d)] = d
		}
	}
	return l
}

func (l lookup[T]) find(name string) (*T, bool) {
	d, ok := l.canonical[name]
	if !ok {
		d, ok = l.accessor[name]
	}
	return d, ok
}

// lookups are the names of a [ModuleDef] (spec 02 §5.2).
type lookups struct {
	tables     lookup[TableDef]
	reducers   lookup[ReducerDef]
	procedures lookup[ProcedureDef]
	views      lookup[ViewDef]
	handlers   lookup[HTTPHandlerDef]
}

func (m *ModuleDef) newLookups() lookups {
	return lookups{
		tables:     newLookup(m.Tables, func(t *TableDef) string { return t.Name }, func(t *TableDef) string { return t.Accessor }),
		reducers:   newLookup(m.Reducers, func(r *ReducerDef) string { return r.Name }, nil),
		procedures: newLookup(m.Procedures, func(p *ProcedureDef) string { return p.Name }, nil),
		views:      newLookup(m.Views, func(w *ViewDef) string { return w.Name }, func(w *ViewDef) string { return w.Accessor }),
		handlers:   newLookup(m.HTTPHandlers, func(h *HTTPHandlerDef) string { return h.Name }, nil),
	}
}

// Table returns the table called name, by canonical name, then by accessor.
func (m *ModuleDef) Table(name string) (*TableDef, bool) { return m.names.tables.find(name) }

// Reducer returns the reducer that clients call name; only canonical names
// count.
func (m *ModuleDef) Reducer(name string) (*ReducerDef, bool) { return m.names.reducers.find(name) }

// Procedure returns the procedure that clients call name; only canonical names
// count.
func (m *ModuleDef) Procedure(name string) (*ProcedureDef, bool) {
	return m.names.procedures.find(name)
}

// View returns the view called name, by canonical name, then by accessor.
func (m *ModuleDef) View(name string) (*ViewDef, bool) { return m.names.views.find(name) }

// HTTPHandler returns the HTTP handler with the canonical name.
func (m *ModuleDef) HTTPHandler(name string) (*HTTPHandlerDef, bool) {
	return m.names.handlers.find(name)
}

// Lifecycle returns the reducer bound to the event l, or nil.
func (m *ModuleDef) Lifecycle(l Lifecycle) *ReducerDef {
	if l == LifecycleNone || int(l) >= len(m.lifecycle) {
		return nil
	}
	return m.lifecycle[l]
}

// own returns the objects of a list that belong to no submodule; they come
// first.
func own[T any](list []*T, namespace func(*T) string) []*T {
	for i, d := range list {
		if namespace(d) != "" {
			return list[:i]
		}
	}
	return list
}

func (m *ModuleDef) ownTables() []*TableDef {
	return own(m.Tables, func(t *TableDef) string { return t.Namespace })
}

func (m *ModuleDef) ownReducers() []*ReducerDef {
	return own(m.Reducers, func(r *ReducerDef) string { return r.Namespace })
}

func (m *ModuleDef) ownProcedures() []*ProcedureDef {
	return own(m.Procedures, func(p *ProcedureDef) string { return p.Namespace })
}

func (m *ModuleDef) ownViews() []*ViewDef {
	return own(m.Views, func(w *ViewDef) string { return w.Namespace })
}
