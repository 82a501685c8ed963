package schema

import "github.com/stdbgo/spacetime/sats"

// level is one module, without its submodules' insides, in a form that all
// generations share: that of V10, with what V9 puts elsewhere moved there.
type level struct {
	version   Version
	names     *naming
	typespace *sats.Typespace

	types       []RawType
	tables      []RawTableV10
	reducers    []RawReducerV10
	procedures  []RawProcedureV10
	views       []RawView
	schedules   []RawScheduleV10
	lifecycle   []RawLifecycle
	rls         []string
	handlers    []string
	routes      []RawHTTPRoute
	viewKeys    []RawViewPrimaryKey
	submodules  []RawSubmodule
	environment []RawEnvironmentVar
	outboxes    []RawOutbox
}

func levelOfV10(r *RawV10) *level {
	return &level{
		version:     V10,
		names:       newNaming(r.Section(SecCasePolicy).CasePolicy, r.Section(SecExplicitNames).ExplicitNames),
		typespace:   orEmpty(r.Section(SecTypespace).Typespace),
		types:       r.Section(SecTypes).Types,
		tables:      r.Section(SecTables).Tables,
		reducers:    r.Section(SecReducers).Reducers,
		procedures:  r.Section(SecProcedures).Procedures,
		views:       r.Section(SecViews).Views,
		schedules:   r.Section(SecSchedules).Schedules,
		lifecycle:   r.Section(SecLifecycle).Lifecycle,
		rls:         r.Section(SecRLS).RLS,
		handlers:    r.Section(SecHTTPHandlers).HTTPHandlers,
		routes:      r.Section(SecHTTPRoutes).HTTPRoutes,
		viewKeys:    r.Section(SecViewPrimaryKeys).ViewPrimaryKeys,
		submodules:  r.Section(SecSubmodules).Submodules,
		environment: r.Section(SecEnvironment).Environment,
		outboxes:    r.Section(SecOutboxes).Outboxes,
	}
}

// levelOfV9 also finds what only V9 can get wrong: defaults of tables that do
// not exist, and two defaults for one column.
func levelOfV9(r *RawV9, p *problems) *level {
	l := &level{version: V9, names: newNaming(CaseNone, nil), typespace: orEmpty(r.Typespace), types: r.Types, rls: r.RLS}
	byName := map[string]int{}
	given := map[tableCol]bool{}
	for i, t := range r.Tables {
		byName[t.Name] = i
		l.tables = append(l.tables, RawTableV10{
			SourceName: t.Name, ProductTypeRef: t.ProductTypeRef, PrimaryKey: t.PrimaryKey,
			Indexes: t.Indexes, Constraints: t.Constraints, Sequences: t.Sequences, Kind: t.Kind, Access: t.Access,
		})
		if s := t.Schedule; s != nil {
			l.schedules = append(l.schedules, RawScheduleV10{SourceName: s.Name, Table: t.Name, AtCol: s.AtCol, Function: s.Function})
		}
	}
	for _, f := range r.Reducers {
		l.reducers = append(l.reducers, RawReducerV10{
			SourceName: f.Name, Params: orUnit(f.Params), Visibility: VisibilityClient, Ok: sats.Unit, Err: sats.String,
		})
		if f.Lifecycle != LifecycleNone {
			l.lifecycle = append(l.lifecycle, RawLifecycle{Event: f.Lifecycle, Function: f.Name})
		}
	}
	for _, m := range r.MiscExports {
		switch {
		case m.Procedure != nil:
			f := m.Procedure
			l.procedures = append(l.procedures, RawProcedureV10{
				SourceName: f.Name, Params: orUnit(f.Params), Return: orUnit(f.Return), Visibility: VisibilityClient,
			})
		case m.View != nil:
			l.views = append(l.views, *m.View)
		case m.ColumnDefault != nil:
			l.addDefault(m.ColumnDefault, byName, given, p)
		}
	}
	return l
}

// tableCol is a column of a table given by position.
type tableCol struct {
	table int
	col   ColID
}

func (l *level) addDefault(d *RawColumnDefaultV9, byName map[string]int, given map[tableCol]bool, p *problems) {
	i, ok := byName[d.Table]
	if !ok {
		p.add(TableNotFound, "a default value is given for table `%s`, which does not exist", d.Table)
		return
	}
	t := &l.tables[i]
	if given[tableCol{i, d.Col}] {
		p.add(MultipleColumnDefaultValues, "column %d of table `%s` has more than one default value", d.Col, d.Table)
		return
	}
	given[tableCol{i, d.Col}] = true
	t.Defaults = append(t.Defaults, RawColumnDefault{Col: d.Col, Value: d.Value})
}
