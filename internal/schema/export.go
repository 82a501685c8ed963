package schema

import (
	"cmp"
	"slices"

	"github.com/stdbgo/spacetime/sats"
)

// ExportV9 returns the definition as the JSON of a RawModuleDefV9, with
// canonical names. It leaves out what V9 has no place for: submodules, HTTP,
// event tables, visibility, keys of views and aliases (spec 02 §10.2).
func (m *ModuleDef) ExportV9() ([]byte, error) { return m.ToV9().AppendJSON(nil), nil }

// ExportV10 returns the definition as the JSON of a RawModuleDefV10 (spec 02
// §10.3), in the form of servers before 2.14, which every published client
// reads.
func (m *ModuleDef) ExportV10() ([]byte, error) { return m.ToV10().AppendJSON(nil), nil }

// ToV9 returns the definition in the form that [ModuleDef.ExportV9] writes.
func (m *ModuleDef) ToV9() *RawV9 {
	out := &RawV9{Typespace: m.Typespace, Types: m.exportTypes(), RLS: m.RLS}
	tables := m.sortedTables()
	for _, t := range tables {
		raw := RawTableV9{
			Name: t.Name, ProductTypeRef: t.TypeRef, PrimaryKey: exportKey(t.PrimaryKey), Kind: t.Kind, Access: t.Access,
			Indexes:     t.exportIndexes(func(x IndexDef) string { return x.Name }),
			Constraints: t.exportConstraints(), Sequences: t.exportSequences(),
		}
		if s := t.Schedule; s != nil {
			raw.Schedule = &RawScheduleV9{Name: sats.Named(s.Name), Function: s.Function, AtCol: s.AtCol}
		}
		out.Tables = append(out.Tables, raw)
		for _, d := range t.exportDefaults() {
			out.MiscExports = append(out.MiscExports, RawMiscExport{ColumnDefault: &RawColumnDefaultV9{t.Name, d.Col, d.Value}})
		}
	}
	for _, r := range m.ownReducers() {
		out.Reducers = append(out.Reducers, RawReducerV9{Name: r.Name, Params: r.Params, Lifecycle: r.Lifecycle})
	}
	for _, p := range m.ownProcedures() {
		out.MiscExports = append(out.MiscExports, RawMiscExport{Procedure: &RawProcedureV9{p.Name, p.Params, p.Return}})
	}
	for _, w := range m.ownViews() {
		out.MiscExports = append(out.MiscExports, RawMiscExport{View: w.export(w.Name)})
	}
	return out
}

// ToV10 returns the definition in the form that [ModuleDef.ExportV10] writes.
func (m *ModuleDef) ToV10() *RawV10 {
	out := new(RawV10)
	add := func(present bool, s RawSection) {
		if present {
			out.Sections = append(out.Sections, s)
		}
	}
	tables := m.sortedTables()
	env := m.exportEnvironment()
	add(len(env) > 0, RawSection{Tag: SecEnvironment, Environment: env})
	add(true, RawSection{Tag: SecTypespace, Typespace: m.Typespace})
	types := m.exportTypes()
	add(len(types) > 0, RawSection{Tag: SecTypes, Types: types})
	add(len(tables) > 0, RawSection{Tag: SecTables, Tables: exportTables(tables)})
	reducers := m.exportReducers()
	add(len(reducers) > 0, RawSection{Tag: SecReducers, Reducers: reducers})
	procedures := m.exportProcedures()
	add(len(procedures) > 0, RawSection{Tag: SecProcedures, Procedures: procedures})
	handlers, routes := m.exportHTTP()
	add(len(handlers) > 0, RawSection{Tag: SecHTTPHandlers, HTTPHandlers: handlers})
	add(len(routes) > 0, RawSection{Tag: SecHTTPRoutes, HTTPRoutes: routes})
	views, keys := m.exportViews()
	add(len(views) > 0, RawSection{Tag: SecViews, Views: views})
	add(len(keys) > 0, RawSection{Tag: SecViewPrimaryKeys, ViewPrimaryKeys: keys})
	schedules, outboxes := exportRoles(tables)
	add(len(schedules) > 0, RawSection{Tag: SecSchedules, Schedules: schedules})
	add(len(outboxes) > 0, RawSection{Tag: SecOutboxes, Outboxes: outboxes})
	lifecycle := m.exportLifecycle()
	add(len(lifecycle) > 0, RawSection{Tag: SecLifecycle, Lifecycle: lifecycle})
	add(len(m.RLS) > 0, RawSection{Tag: SecRLS, RLS: m.RLS})
	submodules := m.exportSubmodules()
	add(len(submodules) > 0, RawSection{Tag: SecSubmodules, Submodules: submodules})
	add(true, RawSection{Tag: SecExplicitNames, ExplicitNames: m.exportNames(tables)})
	return out
}

func (m *ModuleDef) sortedTables() []*TableDef {
	tables := slices.Clone(m.ownTables())
	slices.SortFunc(tables, func(a, b *TableDef) int { return cmp.Compare(a.Name, b.Name) })
	return tables
}

func (m *ModuleDef) exportTypes() []RawType {
	types := make([]RawType, len(m.Types))
	for i, t := range m.Types {
		types[i] = RawType{Scope: t.Scope, Name: t.Name, Ref: t.Ref, CustomOrdering: t.CustomOrdering}
	}
	slices.SortFunc(types, func(a, b RawType) int {
		return cmp.Or(slices.Compare(a.Scope, b.Scope), cmp.Compare(a.Name, b.Name))
	})
	return types
}

func exportKey(pk *ColID) []ColID {
	if pk == nil {
		return nil
	}
	return []ColID{*pk}
}

// exportIndexes returns the indexes in name order; name tells under which name
// each is exported.
func (d *TableDef) exportIndexes(name func(IndexDef) string) []RawIndex {
	indexes := slices.Clone(d.Indexes)
	sortByName(indexes, func(x *IndexDef) string { return x.Name })
	out := make([]RawIndex, len(indexes))
	for i, x := range indexes {
		out[i] = RawIndex{Name: sats.Named(name(x)), Accessor: x.Codegen, Algo: x.Algo, Cols: x.Cols}
	}
	return out
}

func (d *TableDef) exportConstraints() []RawConstraint {
	out := make([]RawConstraint, len(d.Constraints))
	for i, c := range d.Constraints {
		out[i] = RawConstraint{Name: sats.Named(c.Name), Cols: c.Cols}
	}
	sortByName(out, func(c *RawConstraint) string { return c.Name.Text })
	return out
}

func (d *TableDef) exportSequences() []RawSequence {
	out := make([]RawSequence, len(d.Sequences))
	for i, s := range d.Sequences {
		out[i] = s.raw
		out[i].Name = sats.Named(s.Name)
	}
	sortByName(out, func(s *RawSequence) string { return s.Name.Text })
	return out
}

func (d *TableDef) exportDefaults() []RawColumnDefault {
	var out []RawColumnDefault
	for i, c := range d.Columns {
		if c.Default != nil {
			out = append(out, RawColumnDefault{Col: ColID(i), Value: c.Default})
		}
	}
	return out
}

func exportTables(tables []*TableDef) []RawTableV10 {
	out := make([]RawTableV10, len(tables))
	for i, t := range tables {
		out[i] = RawTableV10{
			SourceName: t.Accessor, ProductTypeRef: t.TypeRef, PrimaryKey: exportKey(t.PrimaryKey),
			Indexes:     t.exportIndexes(func(x IndexDef) string { return x.Accessor }),
			Constraints: t.exportConstraints(), Sequences: t.exportSequences(),
			Kind: t.Kind, Access: t.Access, Defaults: t.exportDefaults(), IsEvent: t.IsEvent,
		}
	}
	return out
}

func exportVisibility(private bool) Visibility {
	if private {
		return VisibilityPrivate
	}
	return VisibilityClient
}

func (m *ModuleDef) exportReducers() []RawReducerV10 {
	var out []RawReducerV10
	for _, r := range m.ownReducers() {
		out = append(out, RawReducerV10{SourceName: r.Accessor, Params: r.Params, Visibility: exportVisibility(r.Private), Ok: r.ok, Err: r.err})
	}
	return out
}

func (m *ModuleDef) exportProcedures() []RawProcedureV10 {
	var out []RawProcedureV10
	for _, p := range m.ownProcedures() {
		out = append(out, RawProcedureV10{SourceName: p.Accessor, Params: p.Params, Return: p.Return, Visibility: exportVisibility(p.Private)})
	}
	return out
}

func (m *ModuleDef) exportHTTP() (handlers []string, routes []RawHTTPRoute) {
	for _, h := range m.HTTPHandlers {
		handlers = append(handlers, h.Accessor)
	}
	for _, r := range m.HTTPRoutes {
		routes = append(routes, RawHTTPRoute{Handler: r.Handler, Method: r.raw, Path: r.Path})
	}
	return handlers, routes
}

func (d *ViewDef) export(name string) *RawView {
	return &RawView{Name: name, Index: d.Index, IsPublic: d.IsPublic, IsAnonymous: d.IsAnonymous, Params: d.Params, Return: d.Return}
}

func (m *ModuleDef) exportViews() (views []RawView, keys []RawViewPrimaryKey) {
	for _, w := range m.ownViews() {
		views = append(views, *w.export(w.Accessor))
		if w.PrimaryKey != nil && !w.IsQuery {
			keys = append(keys, RawViewPrimaryKey{View: w.Accessor, Columns: []string{w.Columns[*w.PrimaryKey].Name}})
		}
	}
	return views, keys
}

// exportRoles returns what makes some tables timers or outboxes.
func exportRoles(tables []*TableDef) (schedules []RawScheduleV10, outboxes []RawOutbox) {
	for _, t := range tables {
		if s := t.Schedule; s != nil {
			schedules = append(schedules, RawScheduleV10{SourceName: sats.Named(s.Name), Table: t.Name, AtCol: s.AtCol, Function: s.Function})
		}
		if o := t.Outbox; o != nil {
			outboxes = append(outboxes, RawOutbox{
				Table: t.Accessor, RemoteReducer: o.RemoteReducer, TargetCol: o.TargetCol, ArgCols: o.ArgCols,
				OnResult: sats.Name{Text: o.OnResult, Set: o.OnResult != ""}, SignatureHash: o.SignatureHash,
			})
		}
	}
	return schedules, outboxes
}

func (m *ModuleDef) exportLifecycle() []RawLifecycle {
	var out []RawLifecycle
	for _, r := range m.lifecycle {
		if r != nil {
			out = append(out, RawLifecycle{Event: r.Lifecycle, Function: r.Name})
		}
	}
	return out
}

func (m *ModuleDef) exportEnvironment() []RawEnvironmentVar {
	var out []RawEnvironmentVar
	for _, e := range m.Environment {
		out = append(out, RawEnvironmentVar{Name: e.Name, Type: RawEnvType{Kind: e.Kind, Values: e.Values}, Optional: e.Optional})
	}
	return out
}

func (m *ModuleDef) exportSubmodules() []RawSubmodule {
	var out []RawSubmodule
	for _, s := range m.Submodules {
		out = append(out, RawSubmodule{Namespace: s.Accessor, Module: s.Module.ToV10()})
	}
	return out
}

// exportNames maps accessors to canonical names. A namespace has an entry only
// if the default conversion would miss it: clients before 2.10.2 cannot read
// entries of that kind.
func (m *ModuleDef) exportNames(tables []*TableDef) []RawExplicitName {
	var out []RawExplicitName
	for _, t := range tables {
		out = append(out, RawExplicitName{NameTable, t.Accessor, t.Name})
	}
	for _, r := range m.ownReducers() {
		out = append(out, RawExplicitName{NameFunction, r.Accessor, r.Name})
	}
	for _, p := range m.ownProcedures() {
		out = append(out, RawExplicitName{NameFunction, p.Accessor, p.Name})
	}
	for _, w := range m.ownViews() {
		out = append(out, RawExplicitName{NameFunction, w.Accessor, w.Name})
	}
	for _, s := range m.Submodules {
		if s.Namespace != ToSnake(s.Accessor) {
			out = append(out, RawExplicitName{NameNamespace, s.Accessor, s.Namespace})
		}
	}
	return out
}
