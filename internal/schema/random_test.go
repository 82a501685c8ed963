package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stdbgo/spacetime/sats"
)

// randomModule draws a definition that is often valid and often nearly so.
func randomModule(r *rapid.T, depth int) *rawModule {
	m := newModule()
	m.CasePolicy = CasePolicy(rapid.IntRange(0, 1).Draw(r, "policy"))
	name := rapid.SampledFrom([]string{"a", "fooBar", "foo_bar", "Item2", "user", "x1y", "ID", "_", "größe", "b-d", "st_t", "z"})
	types := rapid.SampledFrom([]*sats.Type{
		sats.U8, sats.U64, sats.I32, sats.String, sats.Bool, sats.IdentityType, sats.ScheduleAtType, sats.Option(sats.String),
		sats.Array(sats.U16), sats.Ref(0), sats.Ref(3), sats.Unit, sats.Product(sats.E("n", sats.U8)), sats.F64, sats.Result(sats.Unit, sats.String),
	})
	element := rapid.Custom(func(r *rapid.T) sats.Element {
		e := sats.E(name.Draw(r, "element"), types.Draw(r, "type"))
		e.Name.Set = rapid.IntRange(0, 20).Draw(r, "named") > 0
		return e
	})
	m.named("Color", sats.Enum("Red", "Green"))
	for range rapid.IntRange(0, 4).Draw(r, "tables") {
		t := m.table(name.Draw(r, "table"), rapid.SliceOfN(element, 0, 4).Draw(r, "columns")...)
		t.IsEvent = rapid.Bool().Draw(r, "event")
		cols := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) ColID { return ColID(rapid.IntRange(0, 4).Draw(r, "col")) }), 0, 3)
		for range rapid.IntRange(0, 3).Draw(r, "indexes") {
			if c := cols.Draw(r, "cols"); rapid.Bool().Draw(r, "unique") {
				t.unique(c...)
			} else if algo := Algo(rapid.IntRange(0, 2).Draw(r, "algo")); algo != Direct || len(c) == 1 {
				t.index(algo, c...)
			}
		}
		t.PrimaryKey = rapid.SliceOfN(rapid.Just(ColID(0)), 0, 1).Draw(r, "key")
		if rapid.Bool().Draw(r, "sequence") {
			t.sequence(ColID(rapid.IntRange(0, 2).Draw(r, "seq")))
		}
		t.Defaults = rapid.SliceOfN(rapid.Just(RawColumnDefault{0, []byte{1, 0, 0, 0, 'a', 0, 0, 0}}), 0, 1).Draw(r, "default")
	}
	for range rapid.IntRange(0, 3).Draw(r, "reducers") {
		m.reducer(name.Draw(r, "reducer"), rapid.SliceOfN(element, 0, 2).Draw(r, "params")...)
	}
	if len(m.Reducers) > 0 && rapid.Bool().Draw(r, "init") {
		m.lifecycle(LifecycleInit, m.Reducers[0].SourceName)
	}
	if len(m.Tables) > 0 && rapid.Bool().Draw(r, "schedule") {
		m.Schedules = []RawScheduleV10{{Table: m.Tables[0].SourceName, AtCol: 1, Function: name.Draw(r, "function")}}
	}
	if rapid.Bool().Draw(r, "view") {
		m.view(name.Draw(r, "view"), sats.Array(sats.Ref(uint32(rapid.IntRange(0, 4).Draw(r, "rows")))), rapid.SliceOfN(element, 0, 1).Draw(r, "args")...)
	}
	if depth < 2 && rapid.IntRange(0, 3).Draw(r, "mount") == 0 {
		m.mount(name.Draw(r, "namespace"), randomModule(r, depth+1))
	}
	return m
}

// soundModule draws a valid definition from few names, so that two of them
// have much in common.
func soundModule(r *rapid.T) *rawModule {
	m := newModule()
	kinds := []string{"red", "green", "blue"}
	m.named("Color", sats.Enum(kinds[:rapid.IntRange(1, 3).Draw(r, "variants")]...))
	types := rapid.SampledFrom([]*sats.Type{sats.U8, sats.U64, sats.String, sats.Ref(0), sats.Option(sats.U8)})
	for i, name := range []string{"alpha", "betaTable", "gamma"} {
		if rapid.IntRange(0, 3).Draw(r, "skip") == 0 {
			continue
		}
		columns := []sats.Element{sats.E("id", sats.U64)}
		for _, c := range []string{"x", "yCol", "z"}[:rapid.IntRange(0, 3).Draw(r, "columns")] {
			columns = append(columns, sats.E(c, types.Draw(r, "type")))
		}
		t := m.table(name, columns...)
		t.IsEvent, t.Access = i == 2, Access(rapid.IntRange(0, 1).Draw(r, "access"))
		if rapid.Bool().Draw(r, "key") {
			t.key(0)
		}
		if rapid.Bool().Draw(r, "sequence") {
			t.sequence(0)
		}
		if last := ColID(len(columns) - 1); last > 0 {
			t.index(Algo(rapid.IntRange(0, 1).Draw(r, "algo")), last)
			if columns[last].Type == sats.U8 && rapid.Bool().Draw(r, "default") {
				t.Defaults = []RawColumnDefault{{last, []byte{7}}}
			}
		}
	}
	if rapid.Bool().Draw(r, "timer") {
		m.tick()
	}
	if rapid.Bool().Draw(r, "view") {
		m.rows("look").IsAnonymous = rapid.Bool().Draw(r, "anonymous")
	}
	m.RLS = rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b"}), 0, 2).Draw(r, "rules")
	if rapid.Bool().Draw(r, "mount") {
		sub := newModule()
		sub.table("inner", sats.E("id", sats.U64)).key(0)
		m.mount("sub", sub)
	}
	return m
}

// checkDefinition holds every definition, however it came to be, against what
// must be true of it.
func checkDefinition(t rapid.TB, raw *RawModule) {
	if !json.Valid(raw.AppendJSON(nil)) {
		t.Errorf("no JSON: %s", raw.AppendJSON(nil))
	}
	m, err := Validate(raw)
	if err != nil {
		var e *Errors
		if !errors.As(err, &e) || len(e.Problems) == 0 {
			t.Errorf("validation fails without problems: %v", err)
		}
		return
	}
	seen := map[string]bool{}
	for _, d := range m.Tables {
		tab := d.Instantiate()
		if seen[d.Name] || !tab.RowType().Equal(d.RowType) || d.RowType.HasRefs() {
			t.Errorf("table %s: row type %s, want %s", d.Name, tab.RowType(), d.RowType)
		}
		seen[d.Name] = true
		for _, c := range tab.Constraints {
			if found := tab.IndexOn(c.Cols...); found != nil && !found.Unique {
				t.Errorf("constraint %s: its index %s is not unique", c.Name, found.Name)
			}
		}
	}
	for _, w := range m.Views {
		w.Instantiate()
	}
	for i, r := range m.Reducers {
		if got, ok := m.Reducer(r.Name); !ok || got != r || r.ID != uint32(i) {
			t.Errorf("reducer %s is found as %v", r.Name, got)
		}
	}
	for _, export := range []func() ([]byte, error){m.ExportV9, m.ExportV10} {
		if b, err := export(); err != nil || !json.Valid(b) {
			t.Errorf("export: %v, %s", err, b)
		}
	}
	p, err := PlanMigration(m, m)
	if err != nil || p.BreaksClients {
		t.Errorf("a plan from a definition to itself: %v, %v", p, err)
		return
	}
	for _, s := range p.Steps {
		switch s.(type) {
		case RemoveRLS, AddRLS, UpdateView:
		default:
			t.Errorf("a plan from a definition to itself has the step %T", s)
		}
	}
}

func TestRandomModules(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b := (&RawModule{V10: randomModule(r, 0).v10()}).Append(nil)
		raw, err := DecodeRaw(b)
		if err != nil {
			r.Fatal(err)
		}
		if !bytes.Equal(raw.Append(nil), b) {
			r.Fatal("not the same bytes when encoded again")
		}
		checkDefinition(r, raw)
	})
}

// Two valid definitions give reasons, or a plan whose steps, carried out on the
// names of the old objects, give the names of the new ones.
func TestRandomMigrations(t *testing.T) {
	plans := 0
	rapid.Check(t, func(r *rapid.T) {
		old, new := soundModule(r).must(r), soundModule(r).must(r)
		p, err := PlanMigration(old, new)
		if err != nil {
			var e *MigrationError
			if !errors.As(err, &e) || len(e.Reasons) == 0 {
				r.Fatalf("no reasons: %v", err)
			}
			return
		}
		plans++
		got := objectNames(old)
		for i, s := range p.Steps {
			if i > 0 && p.Steps[i-1].place().compare(s.place()) > 0 {
				r.Fatalf("%T before %T", p.Steps[i-1], s)
			}
			carryOut(r, got, s)
		}
		if want := objectNames(new); !maps.Equal(got, want) {
			r.Fatalf("after the plan:\n%v\nwant\n%v", got, want)
		}
		if breaks := slices.ContainsFunc(p.Steps, func(s Step) bool { return s == DisconnectAllUsers{} }); breaks != p.BreaksClients {
			r.Fatalf("breaking: %t, but a step says %t", p.BreaksClients, breaks)
		}
		p.Pretty(NoColor)
	})
	t.Logf("%d plans", plans)
	if plans == 0 {
		t.Error("no pair of definitions could be migrated")
	}
}

// objectNames returns the objects that steps create and drop, with what they
// are made of.
func objectNames(m *ModuleDef) map[string]string {
	out := map[string]string{}
	for _, d := range m.Tables {
		addTableNames(out, d)
	}
	for _, w := range m.Views {
		out["view "+w.Name] = fmt.Sprint(w.RowType, w.IsAnonymous)
	}
	for _, s := range m.RLS {
		out["rule "+s] = ""
	}
	return out
}

func addTableNames(out map[string]string, d *TableDef) {
	out["table "+d.Name] = d.RowType.String()
	out["access "+d.Name] = d.Access.String()
	out["key "+d.Name] = fmt.Sprint(exportKey(d.PrimaryKey))
	for _, x := range d.Indexes {
		out["index "+x.Name] = fmt.Sprint(d.Name, x.Algo, x.Cols)
	}
	for _, c := range d.Constraints {
		out["constraint "+c.Name] = fmt.Sprint(d.Name, c.Cols)
	}
	for _, s := range d.Sequences {
		out["sequence "+s.Name] = d.Name
	}
	if d.Schedule != nil {
		out["schedule "+d.Name] = d.Schedule.Function
	}
}

// carryOut does to the names what the step does to a database.
func carryOut(r *rapid.T, names map[string]string, s Step) {
	add := func(key, value string) {
		if _, taken := names[key]; taken {
			r.Fatalf("%T adds %s, which exists", s, key)
		}
		names[key] = value
	}
	remove := func(key string) {
		if _, found := names[key]; !found {
			r.Fatalf("%T removes %s, which does not exist", s, key)
		}
		delete(names, key)
	}
	switch s := s.(type) {
	case AddTable:
		addTableNames(names, s.Table)
	case RemoveTable:
		gone := map[string]string{}
		addTableNames(gone, s.Table)
		for key := range gone {
			remove(key)
		}
	case AddIndex:
		add("index "+s.Index.Name, fmt.Sprint(s.Table.Name, s.Index.Algo, s.Index.Cols))
	case RemoveIndex:
		remove("index " + s.Index.Name)
	case AddConstraint:
		add("constraint "+s.Constraint.Name, fmt.Sprint(s.Table.Name, s.Constraint.Cols))
	case RemoveConstraint:
		remove("constraint " + s.Constraint.Name)
	case AddSequence:
		add("sequence "+s.Sequence.Name, s.Table.Name)
	case RemoveSequence:
		remove("sequence " + s.Sequence.Name)
	case AddView:
		add("view "+s.View.Name, fmt.Sprint(s.View.RowType, s.View.IsAnonymous))
	case RemoveView:
		remove("view " + s.View.Name)
	case AddRLS:
		add("rule "+s.SQL, "")
	case RemoveRLS:
		remove("rule " + s.SQL)
	case AddColumns:
		names["table "+s.New.Name] = s.New.RowType.String()
	case ChangeColumns:
		names["table "+s.New.Name] = s.New.RowType.String()
	case ReschemaEventTable:
		names["table "+s.New.Name] = s.New.RowType.String()
	case ChangeAccess:
		names["access "+s.Name] = s.New.String()
	case ChangePrimaryKey:
		names["key "+s.New.Name] = fmt.Sprint(exportKey(s.New.PrimaryKey))
	}
}

// What a definition may cost in memory: it comes from whoever publishes.
const (
	rawBytes   = 256 // per byte, for decoding
	validBytes = 2048
	fixedBytes = 16 << 20
)

// wantAllocated fails the test if f allocates more than limit bytes. The runtime
// counts late, and others allocate, too: only what f does every time is its own.
func wantAllocated(t testing.TB, what string, limit uint64, f func()) {
	t.Helper()
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	var n uint64
	for range 5 {
		metrics.Read(s)
		before := s[0].Value.Uint64()
		f()
		metrics.Read(s)
		if n = s[0].Value.Uint64() - before; n <= limit {
			return
		}
	}
	t.Errorf("%s allocated %d bytes; the limit is %d", what, n, limit)
}

// Definitions that say much in few bytes stay within the limits.
func TestDefinitionsAllocateLittle(t *testing.T) {
	doubling := func(depth, tables int) []byte {
		m := newModule()
		ref := m.named("T0", sats.Product(sats.E("a", sats.U8)))
		for i := range depth {
			ref = m.named("T"+strings.Repeat("x", i+1), sats.Product(sats.E("a", sats.Ref(ref)), sats.E("b", sats.Ref(ref))))
		}
		d := m.table("t", sats.E("a", sats.Ref(ref)))
		for i := range tables {
			m.Tables = append(m.Tables, RawTableV10{SourceName: fmt.Sprint("t", i), ProductTypeRef: d.ProductTypeRef, Kind: User})
		}
		return (&RawModule{V10: m.v10()}).Append(nil)
	}
	inputs := [][]byte{
		doubling(100, 0), doubling(14, 2000), doubling(12, 300), doubling(16, 30),
		append([]byte{2, 1, 0, 0, 0, 2, 0xff, 0xff, 0, 0}, make([]byte, 1<<20)...),
		append([]byte{2, 0xff, 0xff, 0xff, 0xff}, make([]byte, 1<<20)...),
		append([]byte{2, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0}, bytes.Repeat([]byte{2, 0, 0, 0, 0}, 1<<18)...), // a quarter of a million units
	}
	for _, name := range vectorNames(t) {
		inputs = append(inputs, vector(t, name))
	}
	for i, b := range inputs {
		var raw *RawModule
		var err error
		wantAllocated(t, fmt.Sprint("decoding definition ", i), rawBytes*uint64(len(b))+fixedBytes, func() { raw, err = DecodeRaw(b) })
		if err != nil {
			continue
		}
		wantAllocated(t, fmt.Sprint("validating definition ", i), validBytes*uint64(len(b))+fixedBytes, func() { _, _ = Validate(raw) })
	}
}

func FuzzDefinition(f *testing.F) {
	for _, name := range vectorNames(f) {
		f.Add(vector(f, name))
	}
	m := outboxModule()
	m.tick()
	m.Environment = []RawEnvironmentVar{{Name: "K", Type: RawEnvType{EnvUnion, []string{"a"}}}}
	m.route("/a", RawHTTPMethod{Set: true, Tag: httpExtension, Extension: "X"})
	f.Add((&RawModule{V10: m.v10()}).Append(nil))
	f.Add((&RawModule{V8: &RawV8{Tables: []RawTableDescV8{{Schema: RawTableV8{Name: "t", Kind: "user", Access: "public"}}}}}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var raw *RawModule
		var err error
		wantAllocated(t, "decoding", rawBytes*uint64(len(b))+fixedBytes, func() { raw, err = DecodeRaw(b) })
		if err != nil {
			return
		}
		wantAllocated(t, "validating", validBytes*uint64(len(b))+fixedBytes, func() { _, _ = Validate(raw) })
		if got := raw.Append(nil); !bytes.HasPrefix(b, got) {
			t.Fatalf("encoded again:\n%x\nwant a prefix of\n%x", got, b)
		}
		checkDefinition(t, raw)
	})
}
