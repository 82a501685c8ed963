package model_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/codegen/codegentest"
	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

func build(t *testing.T, def *schema.ModuleDef, includePrivate bool) *model.Module {
	t.Helper()
	m, err := model.Build(def, includePrivate)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func tableNames(tables []*model.Table) string {
	var names []string
	for _, t := range tables {
		names = append(names, t.Name)
	}
	return strings.Join(names, " ")
}

func functionNames(list []*model.Function) string {
	var names []string
	for _, f := range list {
		names = append(names, f.Name)
	}
	return strings.Join(names, " ")
}

func TestAllTypes(t *testing.T) {
	m := build(t, codegentest.AllTypes(t), false)
	if got := tableNames(m.Root.Tables); got != "ping thing my_things" {
		t.Errorf("tables: %s", got)
	}
	if got := tableNames(m.Root.Combined()); got != "my_things ping thing" {
		t.Errorf("combined: %s", got)
	}
	thing, mine := m.Root.Tables[1], m.Root.Tables[2]
	if thing.PrimaryKey != 0 || !thing.Columns[1].Unique || thing.Columns[2].Unique || thing.Columns[1].Name != "serial_no" || thing.Columns[1].Accessor != "serialNo" {
		t.Errorf("columns of thing: %+v", thing.Columns)
	}
	if len(thing.Indexes) != 3 || !slices.Equal(thing.Indexes[0].Columns, []int{2, 3}) || thing.Indexes[0].Unique || !thing.Indexes[1].Unique {
		t.Errorf("indexes of thing: %+v", thing.Indexes)
	}
	if !mine.IsView || mine.PrimaryKey != 0 || mine.Columns[0].Unique {
		t.Errorf("view: %+v", mine)
	}
	if !m.Root.Tables[0].IsEvent {
		t.Error("ping is no event table")
	}
	lib := m.Root.Subs[0]
	if lib.Canonical != "lib" || lib.Tables[0].Name != "lib.widget" || lib.Tables[0].Accessor != "widget" || lib.Reducers[0].Name != "lib.do_it" {
		t.Errorf("submodule: %+v", lib)
	}
	recursive := map[string]bool{}
	for _, d := range m.Root.Types {
		recursive[d.Ident] = d.Recursive
		if (d.Ident == "Color") != (d.Shape == model.PlainEnum) {
			t.Errorf("%s has shape %d", d.Ident, d.Shape)
		}
	}
	if !recursive["Shape"] || !recursive["Node"] || recursive["Everything"] || recursive["Thing"] {
		t.Errorf("recursive types: %v", recursive)
	}
	everything := m.Root.Reducers[0].Params[0].Use.Type
	kinds := []model.Kind{
		model.Bool, model.I8, model.U8, model.I16, model.U16, model.I32, model.U32, model.I64, model.U64, model.I128, model.U128, model.I256, model.U256,
		model.F32, model.F64, model.String, model.Array, model.Identity, model.ConnectionID, model.Timestamp, model.TimeDuration, model.ScheduleAt,
		model.UUID, model.Unit, model.Option, model.Option, model.Result, model.Array, model.Array, model.Ref, model.Ref, model.Option, model.Ref, model.Option, model.Result,
	}
	for i, f := range everything.Fields {
		if f.Use.Kind != kinds[i] {
			t.Errorf("%s has kind %d, want %d", f.Name, f.Use.Kind, kinds[i])
		}
	}
}

func TestFlatten(t *testing.T) {
	m := build(t, codegentest.AllTypes(t), false)
	f, err := model.Flatten(m)
	if err != nil {
		t.Fatal(err)
	}
	if got := tableNames(f.Root.Tables); got != "lib.widget ping thing my_things" || len(f.Root.Subs) != 0 {
		t.Errorf("flattened: %s", got)
	}
	widget := f.Root.Tables[0]
	if widget.Accessor != "lib_widget" || widget.Row.Ident != "LibWidget" || widget.Row.Stem != "lib_widget" || widget.Level != f.Root || widget.Row.RowOf[0] != widget {
		t.Errorf("widget: %+v of %+v", widget, widget.Row)
	}
	if got := f.Root.Reducers[2]; got.Accessor != "lib_do_it" || got.Name != "lib.do_it" {
		t.Errorf("reducer: %+v", got)
	}
	for _, d := range f.Root.Types {
		for _, field := range d.Fields {
			field.Use.Refs(func(o *model.Type) {
				if !slices.Contains(f.Root.Types, o) {
					t.Errorf("field %s of %s refers to a type of the module before", field.Name, d.Ident)
				}
			})
		}
	}
	if m.Root.Tables[1].Row.RowOf[0] != m.Root.Tables[1] {
		t.Error("the original module was changed")
	}
}

func TestVisibility(t *testing.T) {
	spec.Covers(t, "10.3")
	raw := codegentest.ChatMaker()
	raw.Tables[1].Access = schema.Private
	raw.Reducer("start")
	raw.Reducer("join")
	raw.Reducer("hidden").Visibility = schema.VisibilityPrivate
	raw.More = append(raw.More, schema.RawSection{Tag: schema.SecLifecycle, Lifecycle: []schema.RawLifecycle{
		{Event: schema.LifecycleInit, Function: "start"}, {Event: schema.LifecycleOnConnect, Function: "join"}}})
	def := raw.Module(t)
	public, all := build(t, def, false), build(t, def, true)
	if got := tableNames(public.Root.Tables) + "|" + functionNames(public.Root.Reducers); got != "user|set_name send_message" {
		t.Errorf("public: %s", got)
	}
	if !slices.Equal(public.Private, []string{"message"}) {
		t.Errorf("left out: %v", public.Private)
	}
	if got := tableNames(all.Root.Tables) + "|" + functionNames(all.Root.Reducers); got != "message user|set_name send_message join hidden" {
		t.Errorf("all: %s", got)
	}
	if len(all.Private) != 0 || all.Root.Reducers[2].Lifecycle != schema.LifecycleOnConnect {
		t.Errorf("all: %v, %+v", all.Private, all.Root.Reducers[2])
	}

	old, err := schema.Validate(&schema.RawModule{V9: &schema.RawV9{Typespace: &sats.Typespace{}, Reducers: []schema.RawReducerV9{
		{Name: "start", Params: codegentest.Unit, Lifecycle: schema.LifecycleInit},
		{Name: "join", Params: codegentest.Unit, Lifecycle: schema.LifecycleOnConnect}}}})
	if err != nil {
		t.Fatal(err)
	}
	m := build(t, old, false)
	if got := functionNames(m.Root.Reducers); got != "join" || m.Root.Reducers[0].Lifecycle == schema.LifecycleNone {
		t.Errorf("V9: %s", got)
	}
}

func TestParameterizedView(t *testing.T) {
	raw := codegentest.ChatMaker()
	raw.View("by_name", sats.Ref(0), sats.E("name", sats.String))
	m := build(t, raw.Module(t), false)
	v := m.Root.Tables[2]
	if v.Name != "by_name" || v.PrimaryKey != -1 || len(v.Params) != 1 || v.Params[0].Use.Kind != model.String {
		t.Errorf("view: %+v", v)
	}
}

func TestBuildErrors(t *testing.T) {
	spec.Covers(t, "10.6")
	t.Run("type names", func(t *testing.T) {
		raw := codegentest.ChatMaker()
		raw.Type(codegentest.Unit, "Foo", "Bar")
		raw.Type(codegentest.Unit, "FooBar")
		_, err := model.Build(raw.Module(t), false)
		if err == nil || !strings.Contains(err.Error(), "type `Foo::Bar`") || !strings.Contains(err.Error(), "type `FooBar`") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("size", func(t *testing.T) {
		raw := codegentest.ChatMaker()
		entry := sats.U8
		for range 30 {
			raw.Typespace.Types = append(raw.Typespace.Types, sats.Result(entry, entry))
			entry = sats.Ref(uint32(len(raw.Typespace.Types) - 1))
		}
		raw.Reducer("huge", sats.E("x", entry))
		_, err := model.Build(raw.Module(t), false)
		if err == nil || !strings.Contains(err.Error(), "parameter `x` of reducer `huge`: written out") {
			t.Errorf("got %v", err)
		}
	})
}

func TestScope(t *testing.T) {
	s := model.NewScope("files")
	if !s.Claim("user", "table `user`") || s.Err() != nil {
		t.Fatal("a free name was refused")
	}
	if s.Claim("user", "view `User`") || !s.Taken("user") {
		t.Fatal("a taken name was given away")
	}
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "table `user` and view `User`") {
		t.Fatalf("got %v", err)
	}
}
