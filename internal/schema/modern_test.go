package schema

import (
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

func TestEnvironment(t *testing.T) {
	spec.Covers(t, "02.67")
	many := make([]RawEnvironmentVar, 257)
	for i := range many {
		many[i].Name = "K" + strings.Repeat("x", i%250) + string('A'+rune(i/250))
	}
	literal := func(name string, values ...string) RawEnvironmentVar {
		return RawEnvironmentVar{Name: name, Type: RawEnvType{Kind: EnvUnion, Values: values}}
	}
	huge := make([]RawEnvironmentVar, 2)
	for i := range huge {
		values := make([]string, 250)
		for j := range values {
			values[j] = strings.Repeat("v", 8192)
		}
		huge[i] = literal("K"+string('a'+rune(i)), values...)
	}
	for _, c := range []struct {
		vars []RawEnvironmentVar
		want string
	}{
		{many, "too many declarations"},
		{[]RawEnvironmentVar{{Name: "1A"}}, "invalid name"},
		{[]RawEnvironmentVar{{Name: ""}}, "invalid name"},
		{[]RawEnvironmentVar{{Name: "A-B"}}, "invalid name"},
		{[]RawEnvironmentVar{{Name: strings.Repeat("A", 257)}}, "invalid name"},
		{[]RawEnvironmentVar{literal("K")}, `environment key "K": string union must not be empty`},
		{[]RawEnvironmentVar{literal("K", make([]string, 257)...)}, `environment key "K": string union has too many entries`},
		{[]RawEnvironmentVar{literal("K", strings.Repeat("v", 8193))}, `environment key "K": declared literal exceeds value size limit`},
		{huge, `environment key "Kb": declaration schema exceeds size limit`},
		{[]RawEnvironmentVar{{Name: "K"}, {Name: "K"}}, `environment key "K": duplicate declaration`},
		{[]RawEnvironmentVar{{Name: "1A"}, literal("K")}, "invalid name"}, // the first failure only
	} {
		m := newModule()
		m.Environment = c.vars
		e := problemsOf(t, m)
		if want := "invalid environment declaration: " + c.want; len(e.Problems) != 1 || e.Problems[0].Text != want {
			t.Errorf("%v\nwant %s", e, want)
		}
	}
	m := newModule()
	m.must(t) // an empty section
	m.Environment = []RawEnvironmentVar{literal("K", "b", "a", "b"), {Name: "s", Optional: true}, {Name: "L", Type: RawEnvType{EnvLiteral, []string{"only"}}}}
	env := m.must(t).Environment
	if !slices.Equal(env[0].Values, []string{"a", "b"}) || env[0].Optional || env[1].Values != nil || !env[1].Optional || !slices.Equal(env[2].Values, []string{"only"}) {
		t.Errorf("environment: %+v", env)
	}
}

// outboxModule has an outbox `letters` with the result reducer `onResult`.
func outboxModule() *rawModule {
	m := newModule()
	d := m.table("letters", sats.E("id", sats.U64), sats.E("to", sats.IdentityType), sats.E("raw", sats.U256Type), sats.E("text", sats.String)).key(0)
	m.reducer("onResult", sats.E("row", sats.Ref(d.ProductTypeRef)), sats.E("result", sats.Result(sats.Unit, sats.String)))
	m.Outboxes = []RawOutbox{{
		Table: "letters", RemoteReducer: "mail.receive", TargetCol: 1, ArgCols: []ColID{3, 3}, OnResult: sats.Named("onResult"),
		SignatureHash: sats.Hash{0xab, 31: 0x01},
	}}
	return m
}

func TestOutbox(t *testing.T) {
	spec.Covers(t, "02.68")
	for name, c := range map[string]struct {
		change func(m *rawModule, d *RawTableV10, o *RawOutbox)
		want   ProblemKind
	}{
		"twice":              {func(m *rawModule, d *RawTableV10, o *RawOutbox) { m.Outboxes = append(m.Outboxes, *o) }, DuplicateOutbox},
		"no table":           {func(m *rawModule, d *RawTableV10, o *RawOutbox) { o.Table = "letter" }, MissingOutboxTable},
		"event":              {func(m *rawModule, d *RawTableV10, o *RawOutbox) { d.IsEvent = true }, OutboxEventTable},
		"scheduled":          {func(m *rawModule, d *RawTableV10, o *RawOutbox) { m.tick(); o.Table = "tick" }, OutboxScheduledTable},
		"no key":             {func(m *rawModule, d *RawTableV10, o *RawOutbox) { d.PrimaryKey = nil }, OutboxMissingPrimaryKey},
		"key of other type":  {func(m *rawModule, d *RawTableV10, o *RawOutbox) { d.key(3) }, OutboxInvalidPrimaryKey},
		"target is the key":  {func(m *rawModule, d *RawTableV10, o *RawOutbox) { o.TargetCol = 0 }, OutboxTargetColumnMissing},
		"target of text":     {func(m *rawModule, d *RawTableV10, o *RawOutbox) { o.TargetCol = 3 }, OutboxTargetColumnMissing},
		"target missing":     {func(m *rawModule, d *RawTableV10, o *RawOutbox) { o.TargetCol = 9 }, OutboxTargetColumnMissing},
		"argument missing":   {func(m *rawModule, d *RawTableV10, o *RawOutbox) { o.ArgCols = []ColID{9} }, OutboxArgumentColumnNotFound},
		"callback elsewhere": {func(m *rawModule, d *RawTableV10, o *RawOutbox) { o.OnResult.Text = "lib.f" }, OutboxOnResultMustBeLocal},
		"callback in path":   {func(m *rawModule, d *RawTableV10, o *RawOutbox) { o.OnResult.Text = "lib::f" }, OutboxOnResultMustBeLocal},
		"callback missing":   {func(m *rawModule, d *RawTableV10, o *RawOutbox) { o.OnResult.Text = "f" }, MissingOutboxOnResult},
		"callback params":    {func(m *rawModule, d *RawTableV10, o *RawOutbox) { m.Reducers[0].Params.Elems[1].Type = sats.U8 }, IncorrectOutboxOnResultParams},
		"remote reducer":     {func(m *rawModule, d *RawTableV10, o *RawOutbox) { o.RemoteReducer = "a..b" }, IdentifierError},
	} {
		m := outboxModule()
		c.change(m, &m.Tables[0], &m.Outboxes[0])
		if e := problemsOf(t, m); !e.Has(c.want) || len(e.Problems) != 1 {
			t.Errorf("%s: %v", name, e)
		}
	}
	for _, target := range []ColID{1, 2} {
		m := outboxModule()
		m.Outboxes[0].TargetCol = target
		def := m.must(t)
		if r, _ := def.Reducer("on_result"); !r.Private {
			t.Error("the result reducer is not private")
		}
		d, _ := def.Table("letters")
		row := StOutboxRow{TableID: 4096, Outbox: *d.Instantiate().Outbox}
		b := row.Append(nil)
		if hash := "ab" + strings.Repeat("00", 30) + "01"; !strings.HasSuffix(string(b), hash) {
			t.Errorf("row %q does not end in the hash %s", b, hash)
		}
		var back StOutboxRow
		if err := back.Decode(b); err != nil || back.OnResult != "on_result" || back.TargetCol != target || back.SignatureHash != row.SignatureHash || !slices.Equal(back.ArgCols, []ColID{3, 3}) {
			t.Errorf("decoded %+v, %v", back, err)
		}
	}
}

func TestSubmoduleNames(t *testing.T) {
	mounted := func(change func(*rawModule)) *ModuleDef {
		sub := newModule()
		sub.table("Sessions", sats.E("ID", sats.U64)).key(0).sequence(0)
		sub.reducer("logIn")
		m := newModule()
		m.mount("myAuth", sub)
		change(m)
		return m.must(t)
	}
	for want, change := range map[string]func(*rawModule){
		"my_auth": func(*rawModule) {},
		"AuthLib": func(m *rawModule) { m.ExplicitNames = []RawExplicitName{{NameNamespace, "myAuth", "AuthLib"}} },
		"myAuth":  func(m *rawModule) { m.CasePolicy = CaseNone },
	} {
		m := mounted(change)
		d, ok := m.Table(want + ".sessions")
		if !ok {
			t.Errorf("table %s.sessions is not there: %v", want, m.Tables[0])
			continue
		}
		if alias, _ := m.Table("myAuth.Sessions"); alias != d {
			t.Errorf("%s: lookup by accessor", want)
		}
		got := []string{d.Indexes[0].Name, d.Indexes[0].Accessor, d.Constraints[0].Name, d.Sequences[0].Name, d.Columns[0].Name}
		if names := []string{want + ".sessions_id_idx_btree", "myAuth.Sessions_c_idx", want + ".sessions_id_key", want + ".sessions_id_seq", "id"}; !slices.Equal(got, names) {
			t.Errorf("names %q, want %q", got, names)
		}
		if r, ok := m.Reducer(want + ".log_in"); !ok || r.ID != 0 {
			t.Errorf("%s: reducer %v", want, r)
		}
	}
}

// Ids count the module's own functions first, then submodules depth first;
// views are counted by kind (spec 02 §7).
func TestSubmoduleIDs(t *testing.T) {
	inner, outer, m := newModule(), newModule(), newModule()
	inner.reducer("c")
	inner.rows("y")
	outer.reducer("b")
	outer.rows("x").IsAnonymous = false
	outer.rows("z")
	outer.mount("inner", inner)
	m.reducer("a")
	m.rows("w")
	other := newModule()
	other.reducer("d")
	m.mount("outer", outer)
	m.mount("other", other)
	def := m.must(t)
	for i, name := range []string{"a", "outer.b", "outer.inner.c", "other.d"} {
		if r, ok := def.Reducer(name); !ok || r.ID != uint32(i) {
			t.Errorf("reducer %s: %v, want id %d", name, r, i)
		}
	}
	for name, want := range map[string]uint32{"w": 0, "outer.x": 0, "outer.z": 1, "outer.inner.y": 2} {
		if w, ok := def.View(name); !ok || w.Index != want {
			t.Errorf("view %s: %v, want index %d", name, w, want)
		}
	}
	if w, _ := def.View("outer.inner.y"); w.Namespace != "outer.inner" {
		t.Errorf("namespace %q", w.Namespace)
	}
}

func TestCreationOrder(t *testing.T) {
	tables, views := valid(t, "v10_full_ts2.10.1").CreationOrder()
	var got []string
	for _, d := range tables {
		got = append(got, d.Name)
	}
	for _, w := range views {
		got = append(got, w.Name)
	}
	if want := []string{"Slots", "damage", "lib.session", "player_score", "tick", "leaders", "my_player"}; !slices.Equal(got, want) {
		t.Errorf("order %q, want %q", got, want)
	}
}

// The exported form of a V10 module validates to the same names, as long as
// the default policy agrees with them.
func TestExportValidatesAgain(t *testing.T) {
	m := outboxModule()
	m.tick()
	m.Environment = []RawEnvironmentVar{{Name: "KEY"}}
	sub := newModule()
	sub.table("session", sats.E("id", sats.U64)).key(0)
	m.mount("fooBar", sub)
	m.ExplicitNames = []RawExplicitName{{NameNamespace, "fooBar", "FB"}}
	def := m.must(t)
	raw, err := DecodeRaw((&RawModule{V10: def.ToV10()}).Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Validate(raw)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := def.ExportV10()
	b, _ := again.ExportV10()
	if string(a) != string(b) {
		t.Errorf("exported again:\n%s\nwant\n%s", b, a)
	}
	for _, want := range []string{`{"Environment":[{"name":"KEY"`, `{"Outboxes":[{"table_name":"letters"`, `"on_result_reducer":{"some":"on_result"}`, `{"Namespace":{"source_name":"fooBar","canonical_name":"FB"}}`} {
		if !strings.Contains(string(a), want) {
			t.Errorf("no %s in\n%s", want, a)
		}
	}
}
