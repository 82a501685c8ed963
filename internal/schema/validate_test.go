package schema

import (
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

func i128p(n int64) *sats.I128 {
	v := sats.I128From(n)
	return &v
}

// wrong is a module with one mistake.
type wrong struct {
	item   string // of the checklist; may be empty
	name   string
	change func(m *rawModule)
	want   ProblemKind
	text   string // must be in the report
}

var wrongModules = []wrong{
	{"02.13", "row type out of range", func(m *rawModule) { m.table("t").ProductTypeRef = 99 }, InvalidProductTypeRef, "table `t`"},
	{"02.13", "row type is a sum", func(m *rawModule) {
		ref := m.named("E", sats.Enum("a"))
		m.table("t").ProductTypeRef = ref
	}, InvalidProductTypeRef, "table `t`"},
	{"02.14", "unnamed column", func(m *rawModule) { m.table("t", sats.Unnamed(sats.U8)) }, UnnamedColumn, "column 0"},
	{"", "bad column name", func(m *rawModule) { m.table("t", sats.E("a b", sats.U8)) }, IdentifierError, `"a b"`},
	{"", "two columns of one name", func(m *rawModule) { m.table("t", sats.E("fooBar", sats.U8), sats.E("foo_bar", sats.U8)) }, DuplicateName, "`foo_bar`"},
	{"02.15", "index on a missing column", func(m *rawModule) { m.table("t", sats.E("a", sats.U8)).index(BTree, 1) }, ColumnNotFound, "column 1"},
	{"", "index on no column", func(m *rawModule) { m.table("t", sats.E("a", sats.U8)).index(BTree) }, ColumnNotFound, "no column"},
	{"02.16", "index with a repeated column", func(m *rawModule) { m.table("t", sats.E("a", sats.U8)).index(BTree, 0, 0) }, DuplicateColumns, "`a`"},
	{"", "index without a source name", func(m *rawModule) { m.table("t", sats.E("a", sats.U8)).index(BTree, 0).Indexes[0].Name.Set = false }, IdentifierError, "source name"},
	{"", "index with a bad accessor", func(m *rawModule) {
		m.table("t", sats.E("a", sats.U8)).index(BTree, 0).Indexes[0].Accessor = sats.Named("1")
	}, IdentifierError, `"1"`},
	{"02.17", "key of two columns", func(m *rawModule) {
		m.table("t", sats.E("a", sats.U8), sats.E("b", sats.U8)).key(0).PrimaryKey = []ColID{0, 1}
	}, RepeatedPrimaryKey, "2 columns"},
	{"", "key on a missing column", func(m *rawModule) { m.table("t", sats.E("a", sats.U8)).PrimaryKey = []ColID{7} }, ColumnNotFound, "column 7"},
	{"02.18", "key without constraint", func(m *rawModule) { m.table("t", sats.E("a", sats.U8)).index(BTree, 0).PrimaryKey = []ColID{0} }, MissingPrimaryKeyUniqueConstraint, "`a`"},
	{"02.19", "constraint without index", func(m *rawModule) {
		m.table("t", sats.E("a", sats.U8)).Constraints = []RawConstraint{{Cols: []ColID{0}}}
	}, UniqueConstraintWithoutIndex, "`t_a_key`"},
	{"02.21", "direct index on a string", func(m *rawModule) { m.table("t", sats.E("a", sats.String)).index(Direct, 0) }, DirectIndexOnBadType, "String"},
	{"02.22", "sequence on a string", func(m *rawModule) { m.table("t", sats.E("a", sats.String)).sequence(0) }, InvalidSequenceColumnType, "String"},
	{"02.23", "two sequences on a column", func(m *rawModule) {
		m.table("t", sats.E("a", sats.U64)).sequence(0).sequence(0).Sequences[1].Name = sats.Named("other")
	}, OneAutoInc, "`a`"},
	{"02.24", "start above maximum", func(m *rawModule) {
		s := m.table("t", sats.E("a", sats.U64)).sequence(0).Sequences
		s[0].Start, s[0].Max = i128p(11), i128p(10)
	}, InvalidSequenceRange, "start 11"},
	{"02.24", "maximum below the default minimum", func(m *rawModule) {
		m.table("t", sats.E("a", sats.U64)).sequence(0).Sequences[0].Max = i128p(0)
	}, InvalidSequenceRange, "maximum 0"},
	{"02.24", "default start below minimum", func(m *rawModule) {
		m.table("t", sats.E("a", sats.U64)).sequence(0).Sequences[0].Min = i128p(5)
	}, InvalidSequenceRange, "start 1"},
	{"02.24", "increment 0", func(m *rawModule) {
		m.table("t", sats.E("a", sats.U64)).sequence(0).Sequences[0].Increment = sats.I128{}
	}, InvalidSequenceRange, "increment"},
	{"02.24", "increment as large as the range", func(m *rawModule) {
		s := m.table("t", sats.E("a", sats.U64)).sequence(0).Sequences
		s[0].Max, s[0].Increment = i128p(10), sats.I128From(-9)
	}, InvalidSequenceRange, "increment -9"},
	{"02.25", "schedule without U64 key", func(m *rawModule) {
		t := m.table("t", sats.E("scheduled_id", sats.U32), sats.E("scheduled_at", sats.ScheduleAtType)).key(0)
		m.reducer("run", sats.E("arg", sats.Ref(t.ProductTypeRef)))
		m.Schedules = []RawScheduleV10{{Table: "t", AtCol: 1, Function: "run"}}
	}, ScheduledIncorrectColumns, "scheduled_id"},
	{"02.26", "schedule column of another type", func(m *rawModule) {
		m.tick()
		m.Schedules[0].AtCol = 0
	}, ScheduledIncorrectColumns, "scheduled_at"},
	{"", "schedule column missing", func(m *rawModule) {
		m.tick()
		m.Schedules[0].AtCol = 9
	}, ColumnNotFound, "column 9"},
	{"", "schedule of a missing table", func(m *rawModule) {
		m.tick()
		m.Schedules[0].Table = "tock"
	}, TableNotFound, "`tock`"},
	{"", "two schedules", func(m *rawModule) {
		m.tick()
		m.Schedules = append(m.Schedules, m.Schedules[0])
	}, DuplicateSchedule, "`tick`"},
	{"02.71", "scheduled event table", func(m *rawModule) { m.tick().IsEvent = true }, ScheduledEventTable, "`tick`"},
	{"02.27", "scheduled function missing", func(m *rawModule) {
		m.tick()
		m.Schedules[0].Function = "walk"
	}, MissingScheduledFunction, "`walk`"},
	{"02.27", "scheduled function with two parameters", func(m *rawModule) {
		t := m.tick()
		m.Reducers[0].Params = sats.Product(sats.E("a", sats.Ref(t.ProductTypeRef)), sats.E("b", sats.U8))
	}, IncorrectScheduledFunctionParams, "`run`"},
	{"02.27", "scheduled function with an equal but different type", func(m *rawModule) {
		t := m.tick()
		m.Reducers[0].Params = sats.Product(sats.E("a", sats.Ref(m.named("Copy", m.Typespace.Types[t.ProductTypeRef]))))
	}, IncorrectScheduledFunctionParams, "`run`"},
	{"02.28", "two init reducers", func(m *rawModule) {
		m.reducer("a")
		m.reducer("b")
		m.lifecycle(LifecycleInit, "a")
		m.lifecycle(LifecycleInit, "b")
	}, DuplicateLifecycle, "Init"},
	{"02.28", "one reducer for two events", func(m *rawModule) {
		m.reducer("a")
		m.lifecycle(LifecycleInit, "a")
		m.lifecycle(LifecycleOnConnect, "a")
	}, DuplicateLifecycle, "OnConnect"},
	{"02.29", "lifecycle of a missing reducer", func(m *rawModule) { m.lifecycle(LifecycleOnConnect, "hello") }, LifecycleWithoutReducer, "`hello`"},
	{"02.30", "reducer with a result", func(m *rawModule) { m.reducer("r").Ok = sats.U32 }, InvalidReducerReturnType, "U32"},
	{"", "reducer with an unnamed parameter", func(m *rawModule) { m.reducer("r", sats.Unnamed(sats.U8)) }, ClientCodegenError, "parameter 0"},
	{"", "reducer with a bad parameter name", func(m *rawModule) { m.reducer("r", sats.E("a.b", sats.U8)) }, ClientCodegenError, "`a.b`"},
	{"", "procedure with an inline product", func(m *rawModule) {
		m.Procedures = []RawProcedureV10{{SourceName: "p", Params: sats.Unit, Return: sats.Product(sats.E("a", sats.U8))}}
	}, ClientCodegenError, "`p`"},
	{"02.31", "view of numbers", func(m *rawModule) { m.view("v", sats.U32) }, InvalidViewReturnType, "U32"},
	{"", "view of an array of numbers", func(m *rawModule) { m.view("v", sats.Array(sats.U32)) }, InvalidViewReturnType, "U32"},
	{"", "view of enums", func(m *rawModule) { m.view("v", sats.Option(sats.Ref(m.named("E", sats.Enum("a"))))) }, InvalidProductTypeRef, "view `v`"},
	{"02.32", "key of a missing view", func(m *rawModule) { m.ViewPrimaryKeys = []RawViewPrimaryKey{{"v", []string{"a"}}} }, ViewPrimaryKeyViewNotFound, "`v`"},
	{"02.32", "two keys of a view", func(m *rawModule) {
		m.rows("v")
		m.ViewPrimaryKeys = []RawViewPrimaryKey{{"v", []string{"a"}}, {"v", []string{"a"}}}
	}, RepeatedViewPrimaryKey, "`v`"},
	{"02.32", "view key of two columns", func(m *rawModule) {
		m.rows("v")
		m.ViewPrimaryKeys = []RawViewPrimaryKey{{"v", []string{"a", "b"}}}
	}, MultipleViewPrimaryKeyColumns, "2 columns"},
	{"02.32", "view key on a missing column", func(m *rawModule) {
		m.rows("v")
		m.ViewPrimaryKeys = []RawViewPrimaryKey{{"v", []string{"c"}}}
	}, ViewPrimaryKeyColumnNotFound, "`c`"},
	{"02.72", "view parameter F64", func(m *rawModule) { m.rows("v", sats.E("p", sats.F64)) }, ViewFloatParam, "`p`"},
	{"02.72", "key of a view with parameters", func(m *rawModule) {
		m.rows("v", sats.E("p", sats.I32))
		m.ViewPrimaryKeys = []RawViewPrimaryKey{{"v", []string{"a"}}}
	}, ViewPrimaryKeyWithParams, "`v`"},
	{"02.33", "default of a wrong type", func(m *rawModule) {
		m.table("t", sats.E("a", sats.U32)).Defaults = []RawColumnDefault{{0, []byte{1, 2}}}
	}, ColumnDefaultValueMalformed, "`a`"},
	{"", "default of a missing column", func(m *rawModule) {
		m.table("t", sats.E("a", sats.U32)).Defaults = []RawColumnDefault{{3, []byte{1}}}
	}, ColumnNotFound, "column 3"},
	{"02.34", "route without slash", func(m *rawModule) { m.route("hello", RawHTTPMethod{}) }, InvalidHTTPRoutePath, "hello"},
	{"02.34", "route in capitals", func(m *rawModule) { m.route("/A", RawHTTPMethod{}) }, InvalidHTTPRoutePath, "/A"},
	{"02.34", "route with a wildcard", func(m *rawModule) { m.route("/a*", RawHTTPMethod{}) }, InvalidHTTPRoutePath, "/a*"},
	{"02.35", "routes Any and Get", func(m *rawModule) {
		m.route("/a", RawHTTPMethod{})
		m.route("/a", RawHTTPMethod{Set: true})
	}, DuplicateHTTPRoute, `GET "/a"`},
	{"02.35", "routes Get and Any", func(m *rawModule) {
		m.route("/a", RawHTTPMethod{Set: true})
		m.route("/a", RawHTTPMethod{})
	}, DuplicateHTTPRoute, `ANY "/a"`},
	{"02.36", "route to a missing handler", func(m *rawModule) { m.HTTPRoutes = []RawHTTPRoute{{Handler: "nobody", Path: "/a"}} }, MissingHTTPHandler, "`nobody`"},
	{"", "two handlers of one name", func(m *rawModule) { m.HTTPHandlers = []string{"aB", "a_b"} }, DuplicateHTTPHandlerName, "`a_b`"},
	{"02.37", "namespace of 64 bytes", func(m *rawModule) { m.mount(strings.Repeat("n", 64), newModule()) }, NamespaceTooLong, "64 bytes"},
	{"02.37", "two submodules of one namespace", func(m *rawModule) {
		m.mount("lib", newModule())
		m.mount("lib", newModule())
	}, DuplicateName, "`lib`"},
	{"02.37", "submodule with lifecycle", func(m *rawModule) {
		sub := newModule()
		sub.reducer("init")
		sub.lifecycle(LifecycleInit, "init")
		m.mount("lib", sub)
	}, LifecycleInSubmodule, "submodule `lib`"},
	{"02.38", "inline product as column type", func(m *rawModule) {
		m.table("t", sats.E("a", sats.Product(sats.E("x", sats.U8))))
	}, ClientCodegenError, "column `a`"},
	{"02.39", "references without end", func(m *rawModule) {
		a := m.entry(nil)
		m.Typespace.Types[a] = sats.Array(sats.Ref(a))
		m.reducer("r", sats.E("p", sats.Ref(a)))
	}, ClientCodegenError, "without end"},
	{"", "reference out of range", func(m *rawModule) { m.reducer("r", sats.E("p", sats.Ref(77))) }, ClientCodegenError, "&77"},
	{"02.40", "recursive column", func(m *rawModule) {
		m.table("t", sats.E("a", sats.Ref(m.tree())))
	}, ClientCodegenError, "column `a`"},
	{"", "type out of range", func(m *rawModule) { m.Types = []RawType{{Name: "T", Ref: 5, CustomOrdering: true}} }, InvalidTypeRef, "entry 5"},
	{"", "type that is a number", func(m *rawModule) { m.named("T", sats.U8) }, ClientCodegenError, "U8"},
	{"", "type with an unnamed field", func(m *rawModule) { m.named("T", sats.Product(sats.Unnamed(sats.U8))) }, ClientCodegenError, "element 0"},
	{"", "two types of one name", func(m *rawModule) {
		m.named("fooBar", sats.Unit)
		m.named("foo_bar", sats.Unit)
	}, DuplicateTypeName, "`FooBar`"},
	{"", "type out of default order", func(m *rawModule) {
		m.named("T", sats.Product(sats.E("b", sats.U8), sats.E("a", sats.U8)))
		m.Types[0].CustomOrdering = false
	}, TypeHasIncorrectOrdering, "`a`"},
	{"02.70", "two namespaces with one canonical name", func(m *rawModule) {
		m.mount("fooBar", newModule())
		m.mount("foo_bar", newModule())
	}, DuplicateName, "`foo_bar`"},
	{"02.70", "table called like a namespace", func(m *rawModule) {
		m.mount("lib", newModule())
		m.table("lib", sats.E("a", sats.U8))
	}, NamespaceNameConflict, "table `lib`"},
	{"02.70", "view called like a namespace", func(m *rawModule) {
		m.mount("lib", newModule())
		m.rows("lib")
	}, NamespaceNameConflict, "view `lib`"},
	{"02.70", "reducer called like a namespace", func(m *rawModule) {
		m.mount("lib", newModule())
		m.reducer("lib")
	}, NamespaceNameConflict, "reducer `lib`"},
	{"02.70", "procedure called like a namespace", func(m *rawModule) {
		m.mount("lib", newModule())
		m.Procedures = []RawProcedureV10{{SourceName: "lib", Params: sats.Unit, Return: sats.Unit}}
	}, NamespaceNameConflict, "procedure `lib`"},
	{"02.67", "environment in a submodule", func(m *rawModule) {
		inner, outer := newModule(), newModule()
		inner.Environment = []RawEnvironmentVar{{Name: "KEY"}}
		outer.mount("inner", inner)
		m.mount("outer", outer)
	}, EnvironmentInSubmodule, "`outer.inner`"},
}

// rows adds an anonymous view that returns rows (a, b) of no table.
func (m *rawModule) rows(name string, params ...sats.Element) *RawView {
	ref := m.named("View"+name, sats.Product(sats.E("a", sats.U64), sats.E("b", sats.String)))
	return m.view(name, sats.Array(sats.Ref(ref)), params...)
}

func (m *rawModule) route(path string, method RawHTTPMethod) {
	m.HTTPHandlers = []string{"hello"}
	m.HTTPRoutes = append(m.HTTPRoutes, RawHTTPRoute{Handler: "hello", Method: method, Path: path})
}

// tree adds the type of a binary tree.
func (m *rawModule) tree() uint32 {
	ref := m.named("Tree", sats.Unit)
	m.Typespace.Types[ref] = sats.Product(sats.E("left", sats.Option(sats.Ref(ref))), sats.E("value", sats.U8))
	return ref
}

func TestWrongModules(t *testing.T) {
	for _, c := range wrongModules {
		t.Run(c.name, func(t *testing.T) {
			if c.item != "" {
				spec.Covers(t, c.item)
			}
			m := newModule()
			c.change(m)
			e := problemsOf(t, m)
			i := slices.IndexFunc(e.Problems, func(p Problem) bool { return p.Kind == c.want })
			if i < 0 || !strings.Contains(e.Problems[i].Text, c.text) {
				t.Errorf("want a problem of kind %d with the text %q, got:\n%v", c.want, c.text, e)
			}
			if len(e.Problems) > 2 {
				t.Errorf("one mistake, %d problems:\n%v", len(e.Problems), e)
			}
		})
	}
}

// All mistakes of all modules above that can stand together are reported at
// once, in the order of kinds and without repetitions.
func TestAllProblemsAtOnce(t *testing.T) {
	m := newModule()
	m.table("st_x", sats.E("a", sats.U8)).index(BTree, 4).sequence(0)
	m.table("b", sats.E("a", sats.String)).index(Direct, 0).sequence(0)
	m.table("b", sats.Unnamed(sats.U8))
	m.reducer("r", sats.Unnamed(sats.U8)).Ok = sats.U8
	m.view("v", sats.U32)
	m.lifecycle(LifecycleInit, "nobody")
	m.HTTPRoutes = []RawHTTPRoute{{Handler: "nobody", Path: "x"}}
	sub := newModule()
	sub.reducer("1")
	m.mount("lib", sub)
	e := problemsOf(t, m)
	for _, k := range []ProblemKind{
		DuplicateName, IdentifierError, UnnamedColumn, ColumnNotFound, DirectIndexOnBadType, InvalidSequenceColumnType, InvalidViewReturnType,
		ClientCodegenError, TableNameReserved, InvalidHTTPRoutePath, MissingHTTPHandler, LifecycleWithoutReducer, InvalidReducerReturnType,
	} {
		if !e.Has(k) {
			t.Errorf("no problem of kind %d in\n%v", k, e)
		}
	}
	if !slices.IsSortedFunc(e.Problems, func(a, b Problem) int { return int(a.Kind) - int(b.Kind) }) {
		t.Errorf("not in order:\n%v", e)
	}
	text := e.Error()
	if !strings.HasPrefix(text, "Errors occurred:\n"+e.Problems[0].Text+"\n\n") || strings.Count(text, "\n\n") != len(e.Problems) {
		t.Errorf("rendered:\n%s", text)
	}
}

func TestAcceptedModules(t *testing.T) {
	for _, c := range []struct {
		item, name string
		change     func(m *rawModule)
	}{
		{"02.20", "index order differs from the constraint's", func(m *rawModule) {
			d := m.table("t", sats.E("a", sats.U8), sats.E("b", sats.U8)).index(BTree, 1, 0)
			d.Constraints = []RawConstraint{{Cols: []ColID{0, 1}}}
		}},
		{"02.21", "direct index on an enum", func(m *rawModule) {
			m.table("t", sats.E("a", sats.Ref(m.named("E", sats.Enum("x", "y"))))).index(Direct, 0)
		}},
		{"02.40", "recursive argument", func(m *rawModule) { m.reducer("r", sats.E("tree", sats.Ref(m.tree()))) }},
		{"02.72", "view parameter I32", func(m *rawModule) { m.rows("v", sats.E("p", sats.I32)) }},
		{"", "special types", func(m *rawModule) {
			m.table("t", sats.E("a", sats.IdentityType), sats.E("b", sats.ConnectionIDType), sats.E("c", sats.TimestampType),
				sats.E("d", sats.TimeDurationType), sats.E("e", sats.UuidType), sats.E("f", sats.Option(sats.Array(sats.Bytes))),
				sats.E("g", sats.Result(sats.Unit, sats.String)), sats.E("h", sats.Unit), sats.E("i", sats.ScheduleAtType))
		}},
		{"", "undeclared alias", func(m *rawModule) { m.reducer("r", sats.E("a", sats.Ref(m.entry(sats.Array(sats.U8))))) }},
		{"", "hash index", func(m *rawModule) { m.table("t", sats.E("a", sats.String), sats.E("b", sats.U8)).index(Hash, 0, 1) }},
		{"", "sequence counting down", func(m *rawModule) {
			s := m.table("t", sats.E("a", sats.I64)).sequence(0).Sequences
			s[0].Start, s[0].Min, s[0].Max, s[0].Increment = i128p(0), i128p(-100), i128p(0), sats.I128From(-1)
		}},
		{"", "routes that do not overlap", func(m *rawModule) {
			m.route("/a", RawHTTPMethod{Set: true})
			m.route("/a", RawHTTPMethod{Set: true, Tag: 2})
			m.route("", RawHTTPMethod{})
			m.route("/a", RawHTTPMethod{Set: true, Tag: httpExtension, Extension: "PURGE"})
		}},
		{"", "empty view key", func(m *rawModule) {
			m.rows("v")
			m.ViewPrimaryKeys = []RawViewPrimaryKey{{"v", nil}}
		}},
		{"", "namespace of 63 bytes", func(m *rawModule) { m.mount(strings.Repeat("n", 63), newModule()) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.item != "" {
				spec.Covers(t, c.item)
			}
			m := newModule()
			c.change(m)
			def := m.must(t)
			for _, d := range def.Tables { // the store can have it
				if got := d.Instantiate().RowType(); !got.Equal(d.RowType) {
					t.Errorf("row type %s, want %s", got, d.RowType)
				}
			}
		})
	}
}

func TestVisibility(t *testing.T) {
	m := newModule()
	m.tick()
	m.reducer("onConnect")
	m.lifecycle(LifecycleOnConnect, "onConnect")
	m.reducer("plain")
	m.reducer("hidden").Visibility = VisibilityPrivate
	def := m.must(t)
	for name, want := range map[string]bool{"run": true, "on_connect": true, "plain": false, "hidden": true} {
		if r, ok := def.Reducer(name); !ok || r.Private != want {
			t.Errorf("reducer %s: %+v, want private %t", name, r, want)
		}
	}
	if r := def.Lifecycle(LifecycleOnConnect); r == nil || r.Name != "on_connect" {
		t.Errorf("lifecycle names are not converted: %v", r)
	}
	for _, r := range valid(t, "v9_full_ts1.12.0").Reducers {
		if r.Private {
			t.Errorf("reducer %s of a V9 module is private", r.Name)
		}
	}
}

func TestViewKeys(t *testing.T) {
	m := newModule()
	ref := m.table("a", sats.E("id", sats.U64), sats.E("n", sats.U64)).key(0).ProductTypeRef
	query := sats.Product(sats.E("__query__", sats.Ref(ref)))
	m.view("all", query)
	m.view("some", query, sats.E("p", sats.U8))
	m.view("rows", sats.Array(sats.Ref(ref)))
	m.view("own", query)
	m.ViewPrimaryKeys = []RawViewPrimaryKey{{"own", []string{"n"}}}
	key := func(name string) int {
		w, ok := m.must(t).View(name)
		if !ok {
			t.Fatalf("view %s is not there", name)
		}
		if w.PrimaryKey == nil {
			return -1
		}
		return int(*w.PrimaryKey)
	}
	for name, want := range map[string]int{"all": 0, "some": -1, "rows": -1, "own": 1} {
		if got := key(name); got != want {
			t.Errorf("key of view %s: %d, want %d", name, got, want)
		}
	}
	m.Tables = append(m.Tables, RawTableV10{SourceName: "b", ProductTypeRef: ref, Kind: User})
	if got := key("all"); got != 0 {
		t.Errorf("a table without key changes the key to %d", got)
	}
	m.Tables[1].key(1)
	if got := key("all"); got != -1 {
		t.Errorf("tables that disagree give the key %d", got)
	}
}

// Only V9 modules can be wrong in these ways.
func TestWrongV9(t *testing.T) {
	table := RawTableV9{Name: "t", Kind: User}
	base := func() *RawV9 {
		return &RawV9{Typespace: &sats.Typespace{Types: []*sats.Type{sats.Product(sats.E("a", sats.U8))}}, Tables: []RawTableV9{table}}
	}
	deflt := func(table string, col ColID) RawMiscExport {
		return RawMiscExport{ColumnDefault: &RawColumnDefaultV9{table, col, []byte{1}}}
	}
	for name, c := range map[string]struct {
		change func(*RawV9)
		want   ProblemKind
	}{
		"default for no table":  {func(m *RawV9) { m.MiscExports = []RawMiscExport{deflt("u", 0)} }, TableNotFound},
		"two defaults":          {func(m *RawV9) { m.MiscExports = []RawMiscExport{deflt("t", 0), deflt("t", 0)} }, MultipleColumnDefaultValues},
		"schedule called 1":     {func(m *RawV9) { m.Tables[0].Schedule = &RawScheduleV9{Name: sats.Named("1")} }, IdentifierError},
		"schedule of nothing":   {func(m *RawV9) { m.Tables[0].Schedule = &RawScheduleV9{Function: "f"} }, MissingScheduledFunction},
		"two init reducers":     {func(m *RawV9) { m.Reducers = []RawReducerV9{{Name: "a", Lifecycle: 1}, {Name: "b", Lifecycle: 1}} }, DuplicateLifecycle},
		"index named as table":  {func(m *RawV9) { m.Tables[0].Indexes = []RawIndex{{Name: sats.Named("t"), Cols: []ColID{0}}} }, DuplicateName},
		"name in two functions": {func(m *RawV9) { m.Reducers = []RawReducerV9{{Name: "a"}, {Name: "a"}} }, DuplicateFunctionName},
	} {
		m := base()
		c.change(m)
		_, err := Validate(&RawModule{V9: m})
		if e, ok := err.(*Errors); !ok || !e.Has(c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Validate(&RawModule{V9: base()}); err != nil {
		t.Error(err)
	}
}

// V9 modules keep the names they give (spec 02 §5.3).
func TestV9Names(t *testing.T) {
	m := valid(t, "v9_full_ts1.12.0")
	d, ok := m.Table("player")
	if !ok || d.Indexes[3].Name != "player_level_score_idx_btree" || d.Indexes[3].Codegen.Text != "by_team_score" || d.Constraints[1].Name != "player_owner_key" || d.Sequences[0].Name != "player_id_seq" {
		t.Errorf("player: %+v", d)
	}
	if d, ok := m.Table("tick"); !ok || d.Schedule == nil || d.Schedule.Name != "tick_sched" || d.Schedule.Function != "run_tick" {
		t.Errorf("tick: %+v", d)
	}
	if len(m.RLS) != 1 || len(m.Views) != 2 || len(m.Procedures) != 1 || m.Views[0].PrimaryKey != nil {
		t.Errorf("module: %+v", m)
	}
}
