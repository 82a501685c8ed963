package schema

import (
	"bytes"
	"encoding/json"
	"errors"
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

// Two random definitions give a plan or reasons, and a plan can be printed.
func TestRandomMigrations(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		old, err := Validate(&RawModule{V10: randomModule(r, 1).v10()})
		if err != nil {
			return
		}
		new, err := Validate(&RawModule{V10: randomModule(r, 1).v10()})
		if err != nil {
			return
		}
		p, err := PlanMigration(old, new)
		if err != nil {
			var e *MigrationError
			if !errors.As(err, &e) || len(e.Reasons) == 0 {
				r.Fatalf("no reasons: %v", err)
			}
			return
		}
		if p.Pretty(NoColor) == "" {
			r.Fatal("an empty plan")
		}
		for i := 1; i < len(p.Steps); i++ {
			if p.Steps[i-1].place().compare(p.Steps[i].place()) > 0 {
				r.Fatalf("%T before %T", p.Steps[i-1], p.Steps[i])
			}
		}
	})
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
		raw, err := DecodeRaw(b)
		if err != nil {
			return
		}
		if got := raw.Append(nil); !bytes.HasPrefix(b, got) {
			t.Fatalf("encoded again:\n%x\nwant a prefix of\n%x", got, b)
		}
		checkDefinition(t, raw)
	})
}
