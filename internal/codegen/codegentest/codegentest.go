// Package codegentest has the modules that the generators are tested with: the
// chat of spec 10 §5.10 and one with every type and every kind of object. The
// vectors in testdata/vectors/codegen are bindings of these two.
package codegentest

import (
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// The special types as modules declare them.
var (
	Identity     = sats.Product(sats.E("__identity__", sats.Primitive(sats.KindU256)))
	ConnectionID = sats.Product(sats.E("__connection_id__", sats.Primitive(sats.KindU128)))
	Timestamp    = sats.Product(sats.E("__timestamp_micros_since_unix_epoch__", sats.I64))
	TimeDuration = sats.Product(sats.E("__time_duration_micros__", sats.I64))
	UUID         = sats.Product(sats.E("__uuid__", sats.Primitive(sats.KindU128)))
	ScheduleAt   = sats.Sum(sats.E("Interval", TimeDuration), sats.E("Time", Timestamp))
	Unit         = sats.Product()
)

// A Maker builds a module definition of the current generation.
type Maker struct {
	Typespace  sats.Typespace
	Types      []schema.RawType
	Tables     []schema.RawTableV10
	Reducers   []schema.RawReducerV10
	Procedures []schema.RawProcedureV10
	Views      []schema.RawView
	More       []schema.RawSection // sections of other kinds
}

// Type declares a type; scope segments come before its name.
func (m *Maker) Type(t *sats.Type, path ...string) *sats.Type {
	ref := uint32(len(m.Typespace.Types))
	m.Typespace.Types = append(m.Typespace.Types, t)
	last := len(path) - 1
	m.Types = append(m.Types, schema.RawType{Scope: path[:last], Name: path[last], Ref: ref, CustomOrdering: true})
	return sats.Ref(ref)
}

// Table declares a table with rows of a declared type; edit what it returns.
func (m *Maker) Table(name string, row *sats.Type) *schema.RawTableV10 {
	m.Tables = append(m.Tables, schema.RawTableV10{SourceName: name, ProductTypeRef: row.Ref, Kind: schema.User})
	return &m.Tables[len(m.Tables)-1]
}

// Unique adds an index with an accessor name and a unique constraint on columns.
func Unique(t *schema.RawTableV10, accessor string, cols ...schema.ColID) {
	Indexed(t, accessor, cols...)
	t.Constraints = append(t.Constraints, schema.RawConstraint{Cols: cols})
}

// Indexed adds an index with an accessor name.
func Indexed(t *schema.RawTableV10, accessor string, cols ...schema.ColID) {
	name := sats.Named(t.SourceName + "_" + accessor + "_index")
	t.Indexes = append(t.Indexes, schema.RawIndex{Name: name, Accessor: sats.Named(accessor), Cols: cols})
}

// Reducer declares a reducer that every client may call.
func (m *Maker) Reducer(name string, params ...sats.Element) *schema.RawReducerV10 {
	m.Reducers = append(m.Reducers, schema.RawReducerV10{
		SourceName: name, Params: sats.Product(params...), Visibility: schema.VisibilityClient, Ok: Unit, Err: sats.String,
	})
	return &m.Reducers[len(m.Reducers)-1]
}

// Procedure declares a procedure that every client may call.
func (m *Maker) Procedure(name string, returns *sats.Type, params ...sats.Element) {
	m.Procedures = append(m.Procedures, schema.RawProcedureV10{
		SourceName: name, Params: sats.Product(params...), Return: returns, Visibility: schema.VisibilityClient,
	})
}

// View declares a view for everybody that returns rows of a declared type.
func (m *Maker) View(name string, row *sats.Type, params ...sats.Element) {
	m.Views = append(m.Views, schema.RawView{
		Name: name, Index: uint32(len(m.Views)), IsPublic: true, IsAnonymous: true,
		Params: sats.Product(params...), Return: sats.Array(row),
	})
}

// Raw returns the definition as a module would send it.
func (m *Maker) Raw() *schema.RawV10 {
	return &schema.RawV10{Sections: append([]schema.RawSection{
		{Tag: schema.SecTypespace, Typespace: &m.Typespace},
		{Tag: schema.SecTypes, Types: m.Types},
		{Tag: schema.SecTables, Tables: m.Tables},
		{Tag: schema.SecReducers, Reducers: m.Reducers},
		{Tag: schema.SecProcedures, Procedures: m.Procedures},
		{Tag: schema.SecViews, Views: m.Views},
	}, m.More...)}
}

// Module returns the validated definition.
func (m *Maker) Module(t testing.TB) *schema.ModuleDef {
	t.Helper()
	def, err := schema.Validate(&schema.RawModule{V10: m.Raw()})
	if err != nil {
		t.Fatal(err)
	}
	return def
}

// Chat returns the module of spec 10 §5.10.
func Chat(t testing.TB) *schema.ModuleDef { return ChatMaker().Module(t) }

// ChatMaker returns the module of spec 10 §5.10 before validation.
func ChatMaker() *Maker {
	m := new(Maker)
	user := m.Type(sats.Product(sats.E("identity", Identity), sats.E("name", sats.Option(sats.String)), sats.E("online", sats.Bool)), "User")
	message := m.Type(sats.Product(sats.E("sender", Identity), sats.E("sent", Timestamp), sats.E("text", sats.String)), "Message")
	table := m.Table("user", user)
	table.PrimaryKey = []schema.ColID{0}
	Unique(table, "identity", 0)
	m.Table("message", message)
	m.Reducer("set_name", sats.E("name", sats.String))
	m.Reducer("send_message", sats.E("text", sats.String))
	return m
}

// AllTypes returns a module with every type, recursion, unique and multi-column
// indexes, an event table, a view, a submodule and procedures.
func AllTypes(t testing.TB) *schema.ModuleDef { return AllTypesMaker().Module(t) }

// AllTypesMaker returns the module of AllTypes before validation.
func AllTypesMaker() *Maker {
	m := new(Maker)
	// The first entries refer to one another: references are positions.
	shapeRef, nodeRef := sats.Ref(3), sats.Ref(4)
	empty := m.Type(Unit, "Empty")
	leaf := m.Type(sats.Product(sats.E("x", sats.F32), sats.E("y", sats.F64)), "Leaf")
	color := m.Type(sats.Enum("Red", "Green"), "Color")
	shape := m.Type(sats.Sum(sats.E("Nothing", Unit), sats.E("Radius", sats.F64), sats.E("Corner", leaf), sats.E("Group", sats.Array(shapeRef))), "Shape")
	node := m.Type(sats.Product(sats.E("value", sats.U32), sats.E("children", sats.Array(nodeRef))), "Node")
	everything := m.Type(sats.Product(
		sats.E("aBool", sats.Bool), sats.E("anI8", sats.I8), sats.E("aU8", sats.U8), sats.E("anI16", sats.I16), sats.E("aU16", sats.U16),
		sats.E("anI32", sats.I32), sats.E("aU32", sats.U32), sats.E("anI64", sats.I64), sats.E("aU64", sats.U64),
		sats.E("anI128", sats.Primitive(sats.KindI128)), sats.E("aU128", sats.Primitive(sats.KindU128)),
		sats.E("anI256", sats.Primitive(sats.KindI256)), sats.E("aU256", sats.Primitive(sats.KindU256)),
		sats.E("anF32", sats.F32), sats.E("anF64", sats.F64), sats.E("aString", sats.String), sats.E("bytes", sats.Array(sats.U8)),
		sats.E("ident", Identity), sats.E("conn", ConnectionID), sats.E("ts", Timestamp), sats.E("dur", TimeDuration), sats.E("at", ScheduleAt),
		sats.E("uuid", UUID), sats.E("unit", Unit), sats.E("optI32", sats.Option(sats.I32)), sats.E("optOpt", sats.Option(sats.Option(sats.Bool))),
		sats.E("res", sats.Result(sats.U8, sats.String)), sats.E("nums", sats.Array(sats.I32)), sats.E("nested", sats.Array(sats.Array(sats.String))),
		sats.E("color", color), sats.E("shape", shape), sats.E("optLeaf", sats.Option(leaf)), sats.E("empty", empty),
		sats.E("deep", sats.Option(sats.Array(shape))), sats.E("resLeaf", sats.Result(leaf, color)),
	), "Everything")
	thing := m.Type(sats.Product(
		sats.E("thingId", sats.U64), sats.E("serialNo", sats.String), sats.E("groupId", sats.U32), sats.E("rank", sats.I32),
		sats.E("kindOf", color), sats.E("corner", leaf), sats.E("corners", sats.Array(leaf)), sats.E("delete", sats.Bool), sats.E("type", sats.String),
	), "Thing")
	ping := m.Type(sats.Product(sats.E("note", sats.String)), "Ping")
	mine := m.Type(sats.Product(sats.E("thingId", sats.U64), sats.E("label", sats.String)), "MyThing")

	things := m.Table("thing", thing)
	things.PrimaryKey = []schema.ColID{0}
	Unique(things, "thing_id", 0)
	Unique(things, "serial_no", 1)
	Indexed(things, "by_group", 2, 3)
	m.Table("ping", ping).IsEvent = true
	m.Reducer("set_all", sats.E("all", everything), sats.E("delete", sats.Bool))
	m.Reducer("no_args")
	m.Procedure("add_up", sats.U64, sats.E("a", sats.U32), sats.E("b", sats.Option(sats.U32)))
	m.Procedure("ref_proc", everything, sats.E("node", node))
	m.View("my_things", mine)

	lib := new(Maker)
	widget := lib.Type(sats.Product(sats.E("id", sats.U32)), "Widget")
	widgets := lib.Table("widget", widget)
	widgets.PrimaryKey = []schema.ColID{0}
	Unique(widgets, "id", 0)
	lib.Reducer("do_it", sats.E("n", sats.U8))
	m.More = append(m.More,
		schema.RawSection{Tag: schema.SecViewPrimaryKeys, ViewPrimaryKeys: []schema.RawViewPrimaryKey{{View: "my_things", Columns: []string{"thingId"}}}},
		schema.RawSection{Tag: schema.SecSubmodules, Submodules: []schema.RawSubmodule{{Namespace: "lib", Module: lib.Raw()}}},
	)
	return m
}
