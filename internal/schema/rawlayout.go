package schema

import "github.com/stdbgo/spacetime/sats"

// The layouts of spec 02 §3.1 and §3.2: field order is wire order.

var (
	kindNames       = []string{"System", "User"}
	accessNames     = []string{"Public", "Private"}
	algoNames       = []string{"BTree", "Hash", "Direct"}
	lifecycleNames  = []string{"Init", "OnConnect", "OnDisconnect"}
	visibilityNames = []string{"Private", "ClientCallable"}
	policyNames     = []string{"None", "SnakeCase"}
	nameKindNames   = []string{"Table", "Function", "Index", "Namespace"}
	envKindNames    = []string{"String", "StringLiteral", "Union"}
	miscNames       = []string{"ColumnDefaultValue", "Procedure", "View"}
	constraintNames = []string{"Unique"}
	methodNames     = []string{"Any", "Method"}
)

func visitTypespace(c codec, p **sats.Typespace) { c.typespace(p) }
func visitType(c codec, p **sats.Type)           { c.typ(p) }
func visitProduct(c codec, p **sats.Type)        { c.product(p) }
func visitString(c codec, p *string)             { c.str(p) }
func visitBool(c codec, p *bool)                 { c.boolean(p) }
func visitU32(c codec, p *uint32)                { c.u32(p) }
func visitBytes(c codec, p *[]byte)              { c.bytes(p) }
func visitHash(c codec, p *sats.Hash)            { c.hash(p) }
func visitKind(c codec, p *TableKind)            { enum(c, p, kindNames) }
func visitAccess(c codec, p *Access)             { enum(c, p, accessNames) }
func visitVisibility(c codec, p *Visibility)     { enum(c, p, visibilityNames) }
func visitPolicy(c codec, p *CasePolicy)         { enum(c, p, policyNames) }
func visitOptI128(c codec, p **sats.I128)        { optional(c, p, i128) }

// listOf turns the visitor of an element into one of a list.
func listOf[T any](min int, visit func(codec, *T)) func(codec, *[]T) {
	return func(c codec, p *[]T) { list(c, p, min, visit) }
}

func visitV9(c codec, m *RawV9) {
	c.open()
	field(c, "typespace", &m.Typespace, visitTypespace)
	field(c, "tables", &m.Tables, listOf(31, visitTableV9))
	field(c, "reducers", &m.Reducers, listOf(9, visitReducerV9))
	field(c, "types", &m.Types, listOf(13, visitTypeV9))
	field(c, "misc_exports", &m.MiscExports, listOf(11, visitMisc))
	field(c, "row_level_security", &m.RLS, visitRLS)
	c.close()
}

func visitTableV9(c codec, t *RawTableV9) {
	c.open()
	field(c, "name", &t.Name, visitString)
	field(c, "product_type_ref", &t.ProductTypeRef, visitU32)
	field(c, "primary_key", &t.PrimaryKey, cols)
	field(c, "indexes", &t.Indexes, listOf(5, visitIndexV9))
	field(c, "constraints", &t.Constraints, listOf(6, visitConstraintV9))
	field(c, "sequences", &t.Sequences, listOf(22, visitSequenceV9))
	c.key("schedule")
	optional(c, &t.Schedule, visitScheduleV9)
	field(c, "table_type", &t.Kind, visitKind)
	field(c, "table_access", &t.Access, visitAccess)
	c.close()
}

func visitIndexV9(c codec, x *RawIndex)            { visitIndex(c, x, "name") }
func visitConstraintV9(c codec, x *RawConstraint)  { visitConstraint(c, x, "name") }
func visitSequenceV9(c codec, s *RawSequence)      { visitSequence(c, s, "name") }
func visitIndexV10(c codec, x *RawIndex)           { visitIndex(c, x, "source_name") }
func visitConstraintV10(c codec, x *RawConstraint) { visitConstraint(c, x, "source_name") }
func visitSequenceV10(c codec, s *RawSequence)     { visitSequence(c, s, "source_name") }

func visitIndex(c codec, x *RawIndex, nameKey string) {
	c.open()
	field(c, nameKey, &x.Name, name)
	field(c, "accessor_name", &x.Accessor, name)
	c.key("algorithm")
	x.Algo = Algo(c.sum(uint8(x.Algo), algoNames))
	if x.Algo == Direct {
		if len(x.Cols) != 1 {
			x.Cols = make([]ColID, 1)
		}
		col(c, &x.Cols[0])
	} else {
		cols(c, &x.Cols)
	}
	c.endSum()
	c.close()
}

func visitConstraint(c codec, x *RawConstraint, nameKey string) {
	c.open()
	field(c, nameKey, &x.Name, name)
	c.key("data")
	c.sum(0, constraintNames)
	c.open()
	field(c, "columns", &x.Cols, cols)
	c.close()
	c.endSum()
	c.close()
}

func visitSequence(c codec, s *RawSequence, nameKey string) {
	c.open()
	field(c, nameKey, &s.Name, name)
	field(c, "column", &s.Col, col)
	field(c, "start", &s.Start, visitOptI128)
	field(c, "min_value", &s.Min, visitOptI128)
	field(c, "max_value", &s.Max, visitOptI128)
	field(c, "increment", &s.Increment, i128)
	c.close()
}

func visitScheduleV9(c codec, s *RawScheduleV9) {
	c.open()
	field(c, "name", &s.Name, name)
	field(c, "reducer_name", &s.Function, visitString)
	field(c, "scheduled_at_column", &s.AtCol, col)
	c.close()
}

func visitReducerV9(c codec, r *RawReducerV9) {
	c.open()
	field(c, "name", &r.Name, visitString)
	field(c, "params", &r.Params, visitProduct)
	c.key("lifecycle")
	if !option(c, r.Lifecycle != LifecycleNone, func() { visitLifecycle(c, &r.Lifecycle) }) {
		r.Lifecycle = LifecycleNone
	}
	c.close()
}

// visitLifecycle visits an event that is not LifecycleNone.
func visitLifecycle(c codec, l *Lifecycle) {
	tag := uint8(0)
	if *l > LifecycleNone {
		tag = uint8(*l - LifecycleInit)
	}
	*l = LifecycleInit + Lifecycle(c.sum(tag, lifecycleNames))
	c.unit()
	c.endSum()
}

func visitTypeV9(c codec, t *RawType)  { visitTypeDef(c, t, "name", "name") }
func visitTypeV10(c codec, t *RawType) { visitTypeDef(c, t, "source_name", "source_name") }

func visitTypeDef(c codec, t *RawType, outerKey, innerKey string) {
	c.open()
	c.key(outerKey)
	c.open()
	field(c, "scope", &t.Scope, strs)
	field(c, innerKey, &t.Name, visitString)
	c.close()
	field(c, "ty", &t.Ref, visitU32)
	field(c, "custom_ordering", &t.CustomOrdering, visitBool)
	c.close()
}

func visitMisc(c codec, m *RawMiscExport) {
	tag := uint8(0)
	switch {
	case m.Procedure != nil:
		tag = 1
	case m.View != nil:
		tag = 2
	}
	switch c.sum(tag, miscNames) {
	case 0:
		held(&m.ColumnDefault)
		c.open()
		field(c, "table", &m.ColumnDefault.Table, visitString)
		field(c, "col_id", &m.ColumnDefault.Col, col)
		field(c, "value", &m.ColumnDefault.Value, visitBytes)
		c.close()
	case 1:
		held(&m.Procedure)
		c.open()
		field(c, "name", &m.Procedure.Name, visitString)
		field(c, "params", &m.Procedure.Params, visitProduct)
		field(c, "return_type", &m.Procedure.Return, visitType)
		c.close()
	case 2:
		held(&m.View)
		visitView(c, m.View, "name")
	}
	c.endSum()
}

// held makes sure that p points to something, for the decoder's sake.
func held[T any](p **T) {
	if *p == nil {
		*p = new(T)
	}
}

func visitView(c codec, v *RawView, nameKey string) {
	c.open()
	field(c, nameKey, &v.Name, visitString)
	field(c, "index", &v.Index, visitU32)
	field(c, "is_public", &v.IsPublic, visitBool)
	field(c, "is_anonymous", &v.IsAnonymous, visitBool)
	field(c, "params", &v.Params, visitProduct)
	field(c, "return_type", &v.Return, visitType)
	c.close()
}

func visitViewV10(c codec, v *RawView) { visitView(c, v, "source_name") }

func visitRLS(c codec, p *[]string) {
	list(c, p, 4, func(c codec, s *string) {
		c.open()
		field(c, "sql", s, visitString)
		c.close()
	})
}

func visitV10(c codec, m *RawV10) {
	c.open()
	field(c, "sections", &m.Sections, listOf(2, visitSection))
	c.close()
}

func visitSection(c codec, s *RawSection) {
	s.Tag = SectionTag(c.sum(uint8(s.Tag), sectionNames))
	switch s.Tag {
	case SecTypespace:
		c.typespace(&s.Typespace)
	case SecTypes:
		list(c, &s.Types, 13, visitTypeV10)
	case SecTables:
		list(c, &s.Tables, 31, visitTableV10)
	case SecReducers:
		list(c, &s.Reducers, 11, visitReducerV10)
	case SecProcedures:
		list(c, &s.Procedures, 10, visitProcedureV10)
	case SecViews:
		list(c, &s.Views, 15, visitViewV10)
	case SecSchedules:
		list(c, &s.Schedules, 11, visitScheduleV10)
	case SecLifecycle:
		list(c, &s.Lifecycle, 5, visitLifecycleEntry)
	case SecRLS:
		visitRLS(c, &s.RLS)
	case SecCasePolicy:
		visitPolicy(c, &s.CasePolicy)
	case SecExplicitNames:
		c.open()
		field(c, "entries", &s.ExplicitNames, listOf(9, visitExplicitName))
		c.close()
	case SecHTTPHandlers:
		list(c, &s.HTTPHandlers, 4, visitHandler)
	case SecHTTPRoutes:
		list(c, &s.HTTPRoutes, 9, visitRoute)
	case SecViewPrimaryKeys:
		list(c, &s.ViewPrimaryKeys, 8, visitViewPrimaryKey)
	case SecSubmodules:
		list(c, &s.Submodules, 8, visitSubmodule)
	case SecEnvironment:
		list(c, &s.Environment, 6, visitEnvironmentVar)
	case SecOutboxes:
		list(c, &s.Outboxes, 47, visitOutbox)
	}
	c.endSum()
}

func visitTableV10(c codec, t *RawTableV10) {
	c.open()
	field(c, "source_name", &t.SourceName, visitString)
	field(c, "product_type_ref", &t.ProductTypeRef, visitU32)
	field(c, "primary_key", &t.PrimaryKey, cols)
	field(c, "indexes", &t.Indexes, listOf(5, visitIndexV10))
	field(c, "constraints", &t.Constraints, listOf(6, visitConstraintV10))
	field(c, "sequences", &t.Sequences, listOf(22, visitSequenceV10))
	field(c, "table_type", &t.Kind, visitKind)
	field(c, "table_access", &t.Access, visitAccess)
	field(c, "default_values", &t.Defaults, listOf(6, func(c codec, d *RawColumnDefault) {
		c.open()
		field(c, "col_id", &d.Col, col)
		field(c, "value", &d.Value, visitBytes)
		c.close()
	}))
	field(c, "is_event", &t.IsEvent, visitBool)
	c.close()
}

func visitReducerV10(c codec, r *RawReducerV10) {
	c.open()
	field(c, "source_name", &r.SourceName, visitString)
	field(c, "params", &r.Params, visitProduct)
	field(c, "visibility", &r.Visibility, visitVisibility)
	field(c, "ok_return_type", &r.Ok, visitType)
	field(c, "err_return_type", &r.Err, visitType)
	c.close()
}

func visitProcedureV10(c codec, p *RawProcedureV10) {
	c.open()
	field(c, "source_name", &p.SourceName, visitString)
	field(c, "params", &p.Params, visitProduct)
	field(c, "return_type", &p.Return, visitType)
	field(c, "visibility", &p.Visibility, visitVisibility)
	c.close()
}

func visitScheduleV10(c codec, s *RawScheduleV10) {
	c.open()
	field(c, "source_name", &s.SourceName, name)
	field(c, "table_name", &s.Table, visitString)
	field(c, "schedule_at_col", &s.AtCol, col)
	field(c, "function_name", &s.Function, visitString)
	c.close()
}

func visitLifecycleEntry(c codec, l *RawLifecycle) {
	c.open()
	field(c, "lifecycle_spec", &l.Event, visitLifecycle)
	field(c, "function_name", &l.Function, visitString)
	c.close()
}

func visitExplicitName(c codec, e *RawExplicitName) {
	e.Kind = NameKind(c.sum(uint8(e.Kind), nameKindNames))
	c.open()
	field(c, "source_name", &e.Source, visitString)
	field(c, "canonical_name", &e.Canonical, visitString)
	c.close()
	c.endSum()
}

func visitHandler(c codec, h *string) {
	c.open()
	field(c, "source_name", h, visitString)
	c.close()
}

func visitRoute(c codec, r *RawHTTPRoute) {
	c.open()
	field(c, "handler_function", &r.Handler, visitString)
	field(c, "method", &r.Method, visitMethod)
	field(c, "path", &r.Path, visitString)
	c.close()
}

func visitMethod(c codec, m *RawHTTPMethod) {
	tag := uint8(0)
	if m.Set {
		tag = 1
	}
	m.Set = c.sum(tag, methodNames) == 1
	if !m.Set {
		c.unit()
	} else {
		m.Tag = c.sum(m.Tag, httpMethods)
		if m.Tag == httpExtension {
			c.str(&m.Extension)
		} else {
			c.unit()
		}
		c.endSum()
	}
	c.endSum()
}

func visitViewPrimaryKey(c codec, k *RawViewPrimaryKey) {
	c.open()
	field(c, "view_source_name", &k.View, visitString)
	field(c, "columns", &k.Columns, strs)
	c.close()
}

func visitSubmodule(c codec, s *RawSubmodule) {
	held(&s.Module)
	c.open()
	field(c, "namespace", &s.Namespace, visitString)
	c.key("module")
	c.nest(func() { visitV10(c, s.Module) })
	c.close()
}

func visitEnvironmentVar(c codec, e *RawEnvironmentVar) {
	c.open()
	field(c, "name", &e.Name, visitString)
	field(c, "ty", &e.Type, visitEnvType)
	field(c, "optional", &e.Optional, visitBool)
	c.close()
}

func visitEnvType(c codec, t *RawEnvType) {
	t.Kind = EnvKind(c.sum(uint8(t.Kind), envKindNames))
	switch t.Kind {
	case EnvLiteral:
		if len(t.Values) != 1 {
			t.Values = make([]string, 1)
		}
		c.str(&t.Values[0])
	case EnvUnion:
		strs(c, &t.Values)
	default:
		c.unit()
	}
	c.endSum()
}

func visitOutbox(c codec, o *RawOutbox) {
	c.open()
	field(c, "table_name", &o.Table, visitString)
	field(c, "remote_reducer", &o.RemoteReducer, visitString)
	field(c, "target_column", &o.TargetCol, col)
	field(c, "arg_columns", &o.ArgCols, cols)
	field(c, "on_result_reducer", &o.OnResult, name)
	field(c, "signature_hash", &o.SignatureHash, visitHash)
	c.close()
}
