package schema

import (
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/sats"
)

func (v *validator) checkReducer(raw *RawReducerV10) {
	name := v.names.function(raw.SourceName)
	what := "reducer `" + name + "`"
	before := v.count
	v.sourceIdent(raw.SourceName, name, "reducer name")
	v.params(raw.Params, what)
	if !raw.Ok.IsUnit() || raw.Err.Kind != sats.KindString {
		v.add(InvalidReducerReturnType, "%s: a reducer returns () or an error of type String, not %s or an error of type %s",
			what, typeText(raw.Ok), typeText(raw.Err))
	}
	d := &ReducerDef{
		ID: uint32(len(v.def.Reducers)), Name: name, Accessor: raw.SourceName, Typespace: v.def.Typespace,
		Params: raw.Params, ParamCols: v.names.params(raw.Params), Private: raw.Visibility == VisibilityPrivate,
		ok: raw.Ok, err: raw.Err,
	}
	v.def.Reducers = append(v.def.Reducers, d)
	if _, taken := v.reducers[name]; taken {
		return
	}
	if v.count != before {
		d = nil
	}
	v.reducers[name] = d
}

func (v *validator) checkProcedure(raw *RawProcedureV10) {
	name := v.names.function(raw.SourceName)
	what := "procedure `" + name + "`"
	before := v.count
	v.sourceIdent(raw.SourceName, name, "procedure name")
	v.params(raw.Params, what)
	v.use(raw.Return, "return value of "+what)
	d := &ProcedureDef{
		ID: uint32(len(v.def.Procedures)), Name: name, Accessor: raw.SourceName, Typespace: v.def.Typespace,
		Params: raw.Params, ParamCols: v.names.params(raw.Params), Return: raw.Return, Private: raw.Visibility == VisibilityPrivate,
	}
	v.def.Procedures = append(v.def.Procedures, d)
	if _, taken := v.procedures[name]; taken {
		return
	}
	if v.count != before {
		d = nil
	}
	v.procedures[name] = d
}

func (v *validator) checkView(raw *RawView) {
	name := v.names.function(raw.Name)
	what := "view `" + name + "`"
	before := v.count
	v.sourceIdent(raw.Name, name, "view name")
	v.claim(what, name)
	v.params(raw.Params, what)
	d := &ViewDef{
		Index: raw.Index, Name: name, Accessor: raw.Name, Typespace: v.def.Typespace, Params: raw.Params,
		ParamCols: v.names.params(raw.Params), Return: raw.Return, IsPublic: raw.IsPublic, IsAnonymous: raw.IsAnonymous,
	}
	if v.version != V9 {
		v.checkViewParams(d)
	}
	var ok bool
	if d.TypeRef, d.IsQuery, ok = viewRows(raw.Return); ok {
		d.Columns, d.RowType, _ = v.columns(d.TypeRef, what)
	} else {
		v.add(InvalidViewReturnType, "%s: a view returns an option, an array or a query of a type with a name, not %s", what, typeText(raw.Return))
	}
	v.def.Views = append(v.def.Views, d)
	if _, taken := v.views[raw.Name]; taken {
		return
	}
	if v.count != before {
		d = nil
	}
	v.views[raw.Name] = d
}

// viewRows returns the typespace entry of the rows a view returns, and whether
// it returns them as a query.
func viewRows(t *sats.Type) (ref uint32, query, ok bool) {
	if t.Kind == sats.KindProduct && len(t.Elems) == 1 && t.Elems[0].Name == sats.Named("__query__") {
		t, query = t.Elems[0].Type, true
	} else if elem, isOption := t.IsOption(); isOption {
		t = elem
	} else if t.Kind == sats.KindArray {
		t = t.Elem
	} else {
		return 0, false, false
	}
	return t.Ref, query, t.Kind == sats.KindRef
}

// checkViewParams refuses parameters that cannot tell two calls apart.
func (v *validator) checkViewParams(d *ViewDef) {
	for _, e := range d.Params.Elems {
		if e.Type.Kind.IsFloat() {
			v.add(ViewFloatParam, "view `%s`: parameter `%s` must not be of a floating-point type", d.Name, e.Name.Text)
		}
	}
}

func (v *validator) attachLifecycle() {
	var bound [LifecycleOnDisconnect + 1]string
	for _, l := range v.level.lifecycle {
		name := v.names.function(l.Function)
		if v.where != "" {
			v.add(LifecycleInSubmodule, "reducer `%s` is bound to %s; only the root module may have lifecycle reducers", name, l.Event)
			continue
		}
		d, declared := v.reducers[name]
		if !declared {
			v.add(LifecycleWithoutReducer, "the reducer `%s`, bound to %s, does not exist", name, l.Event)
			continue
		}
		if other := bound[l.Event]; other != "" {
			v.add(DuplicateLifecycle, "two reducers are bound to %s: `%s` and `%s`", l.Event, other, name)
			continue
		}
		bound[l.Event] = name
		if d == nil {
			continue
		}
		if d.Lifecycle != LifecycleNone {
			v.add(DuplicateLifecycle, "reducer `%s` is bound to %s and to %s; one is the limit", name, d.Lifecycle, l.Event)
			continue
		}
		d.Lifecycle = l.Event
		d.Private = d.Private || v.version != V9
		v.def.lifecycle[l.Event] = d
	}
}

func (v *validator) attachSchedules() {
	for i := range v.level.schedules {
		s := &v.level.schedules[i]
		name := v.names.table(s.Table)
		t, declared := v.tables[name]
		switch {
		case !declared:
			v.add(TableNotFound, "a schedule is given for table `%s`, which does not exist", name)
		case t == nil:
		case t.Schedule != nil:
			v.add(DuplicateSchedule, "table `%s` has more than one schedule", name)
		default:
			v.attachSchedule(t, s)
		}
	}
}

func (v *validator) attachSchedule(t *TableDef, s *RawScheduleV10) {
	what := "table `" + t.Name + "`"
	d := &ScheduleDef{Name: scheduleName(t.Name), AtCol: s.AtCol, Function: v.names.function(s.Function)}
	if v.version == V9 && s.SourceName.Set {
		d.Name = s.SourceName.Text
		v.ident(d.Name, "schedule of "+what)
	}
	t.Schedule = d
	v.claim("schedule of "+what, d.Name)
	if t.IsEvent {
		v.add(ScheduledEventTable, "%s is an event table, whose rows are not stored, and cannot have a schedule", what)
	}
	switch {
	case int(s.AtCol) >= len(t.Columns):
		v.add(ColumnNotFound, "the schedule of %s refers to column %d, but the table has %d columns", what, s.AtCol, len(t.Columns))
	case t.Columns[s.AtCol].Type.Special() != sats.SpecialScheduleAt || t.PrimaryKey == nil || t.Columns[*t.PrimaryKey].Type.Kind != sats.KindU64:
		v.add(ScheduledIncorrectColumns, "%s has a schedule and so needs a primary key of type U64, usually `scheduled_id`, "+
			"and a column of type ScheduleAt, usually `scheduled_at`", what)
	default:
		d.IDCol = *t.PrimaryKey
	}
	v.attachScheduledFunction(t, d)
}

func (v *validator) attachScheduledFunction(t *TableDef, d *ScheduleDef) {
	what := "table `" + t.Name + "`"
	var params *sats.Type
	private := v.version != V9
	if r, declared := v.reducers[d.Function]; declared {
		if r == nil {
			return
		}
		params, r.Private = r.Params, r.Private || private
	} else if p, declared := v.procedures[d.Function]; declared {
		if p == nil {
			return
		}
		d.IsProcedure = true
		params, p.Private = p.Params, p.Private || private
	} else {
		v.add(MissingScheduledFunction, "the schedule of %s calls `%s`, which is neither a reducer nor a procedure", what, d.Function)
		return
	}
	if len(params.Elems) != 1 || !params.Elems[0].Type.Equal(sats.Ref(t.TypeRef)) {
		v.add(IncorrectScheduledFunctionParams, "`%s`, which the schedule of %s calls, must have exactly one parameter, of the table's row type", d.Function, what)
	}
}

func (v *validator) attachViewKeys() {
	given := map[string]bool{}
	for _, k := range v.viewKeys {
		d, declared := v.views[k.View]
		switch {
		case !declared:
			v.add(ViewPrimaryKeyViewNotFound, "a primary key is given for view `%s`, which does not exist", k.View)
			continue
		case given[k.View]:
			v.add(RepeatedViewPrimaryKey, "view `%s` has more than one primary key", k.View)
			continue
		case len(k.Columns) > 1:
			v.add(MultipleViewPrimaryKeyColumns, "the primary key of view `%s` has %d columns; only one column can be the primary key", k.View, len(k.Columns))
		}
		given[k.View] = true
		if d == nil || len(k.Columns) != 1 {
			continue
		}
		i := slices.IndexFunc(d.Columns, func(c ColumnDef) bool { return c.Accessor == k.Columns[0] })
		if i < 0 {
			v.add(ViewPrimaryKeyColumnNotFound, "the primary key of view `%s` names column `%s`, which the view does not return", k.View, k.Columns[0])
			continue
		}
		if len(d.Params.Elems) > 0 {
			v.add(ViewPrimaryKeyWithParams, "view `%s` has parameters and so cannot have a primary key", k.View)
		}
		pk := ColID(i)
		d.PrimaryKey = &pk
	}
	if v.version == V9 {
		return
	}
	keys := v.commonKeys()
	for _, d := range v.def.Views {
		if d.IsQuery && d.PrimaryKey == nil && len(d.Params.Elems) == 0 {
			d.PrimaryKey = keys[d.TypeRef]
		}
	}
}

// commonKeys returns by row type the primary key that all tables of this type
// that have one agree on; nil if they do not.
func (v *validator) commonKeys() map[uint32]*ColID {
	keys := map[uint32]*ColID{}
	for _, t := range v.def.Tables {
		if t.PrimaryKey == nil {
			continue
		}
		if key, found := keys[t.TypeRef]; !found {
			keys[t.TypeRef] = t.PrimaryKey
		} else if key != nil && *key != *t.PrimaryKey {
			keys[t.TypeRef] = nil
		}
	}
	return keys
}

func (v *validator) checkHandlers() {
	if v.where != "" { // handlers and routes of submodules are not used
		return
	}
	for i, source := range v.level.handlers {
		name := v.names.function(source)
		d := &HTTPHandlerDef{ID: uint32(i), Name: name, Accessor: source}
		v.sourceIdent(source, name, "HTTP handler name")
		if _, taken := v.handlers[name]; taken {
			v.add(DuplicateHTTPHandlerName, "the HTTP handler name `%s` is used twice", name)
			continue
		}
		v.handlers[name] = d
		v.def.HTTPHandlers = append(v.def.HTTPHandlers, d)
	}
	type route struct{ path, method string }
	seen, methods := map[route]bool{}, map[string]int{}
	for _, r := range v.level.routes {
		d := HTTPRouteDef{Handler: v.names.function(r.Handler), Path: r.Path, Method: r.Method.String(), raw: r.Method}
		if !validRoutePath(r.Path) {
			v.add(InvalidHTTPRoutePath, "the route path %q must be empty or start with `/`, and hold only a-z, 0-9, `-`, `_`, `~` and `/`", r.Path)
		}
		if v.handlers[d.Handler] == nil {
			v.add(MissingHTTPHandler, "the route %s %q leads to HTTP handler `%s`, which does not exist", r.Method.display(), r.Path, d.Handler)
		}
		if seen[route{d.Path, d.Method}] || seen[route{d.Path, ""}] || d.Method == "" && methods[d.Path] > 0 {
			v.add(DuplicateHTTPRoute, "the route %s %q overlaps with another one", r.Method.display(), r.Path)
		}
		seen[route{d.Path, d.Method}] = true
		methods[d.Path]++
		v.def.HTTPRoutes = append(v.def.HTTPRoutes, d)
	}
}

// String returns the method in upper case, or "" for any.
func (m RawHTTPMethod) String() string {
	switch {
	case !m.Set:
		return ""
	case m.Tag == httpExtension:
		return m.Extension
	}
	return strings.ToUpper(httpMethods[m.Tag])
}

func (m RawHTTPMethod) display() string {
	if !m.Set {
		return "ANY"
	}
	return m.String()
}

func validRoutePath(p string) bool {
	if p != "" && p[0] != '/' {
		return false
	}
	for i := range len(p) {
		switch c := p[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_', c == '~', c == '/':
		default:
			return false
		}
	}
	return true
}
