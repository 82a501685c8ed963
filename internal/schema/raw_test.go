package schema

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

func TestDecodeErrors(t *testing.T) {
	spec.Covers(t, "02.2")
	for name, c := range map[string]struct{ hex, want string }{
		"no bytes":          {"", "no bytes"},
		"generation":        {"03", "unknown tag 0x3"},
		"section":           {"02 01000000 11 00000000", "unknown tag 0x11"},
		"type":              {"02 01000000 00 01000000 14", "sections[0].Typespace"},
		"policy":            {"02 01000000 09 02", "sections[0].CaseConversionPolicy"},
		"table type":        {"02 01000000 02 01000000 0100000074 00000000 00000000 00000000 00000000 00000000 02 00 00000000 00", "sections[0].Tables[0].table_type"},
		"option":            {"02 01000000 06 01000000 02 0000000000000000000000000000", "unknown tag 0x2"},
		"bool":              {"02 01000000 05 01000000 00000000 00000000 02 00 00000000 04", "sections[0].Views[0].is_public"},
		"UTF-8":             {"02 01000000 0b 01000000 01000000 ff", "sections[0].HttpHandlers[0].source_name"},
		"list length":       {"02 ffffffff", "byte 5"},
		"string length":     {"02 01000000 0b 01000000 ffffffff", "byte 14"},
		"misc export of V9": {"01 00000000 00000000 00000000 00000000 01000000 03 00000000000000000000", "misc_exports[0]"},
	} {
		b, err := hex.DecodeString(strings.ReplaceAll(c.hex, " ", ""))
		if err != nil {
			t.Fatal(name, err)
		}
		if _, err := DecodeRaw(b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for _, name := range vectorNames(t) {
		b := vector(t, name)
		for n := range b {
			if _, err := DecodeRaw(b[:n]); err == nil {
				t.Errorf("%s cut after %d of %d bytes decodes", name, n, len(b))
			}
		}
		if _, err := DecodeRaw(append(b, 1, 2, 3)); err != nil {
			t.Errorf("%s with bytes after its end: %v", name, err)
		}
	}
}

func TestVectorRoundTrip(t *testing.T) {
	spec.Covers(t, "02.1")
	for _, name := range vectorNames(t) {
		b := vector(t, name)
		raw, err := DecodeRaw(b)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(raw.Append(nil), b) || string(raw.AppendJSON(nil)) != compactJSON(t, "moduledef_"+name+".json") {
			t.Errorf("%s does not survive", name)
		}
		// The other way: the bytes of the JSON.
		var wrapped map[string]json.RawMessage
		if err := json.Unmarshal([]byte(compactJSON(t, "moduledef_"+name+".json")), &wrapped); err != nil || len(wrapped) != 1 {
			t.Fatalf("%s: %v, %d members", name, err, len(wrapped))
		}
		for form, text := range wrapped {
			back, err := ParseJSON(map[string]int{"V9": 9, "V10": 10}[form], text)
			if err != nil || !bytes.Equal(back.Append(nil), b) {
				t.Errorf("%s: its JSON does not give its bytes: %v", name, err)
			}
		}
	}
}

func TestSectionOrder(t *testing.T) {
	spec.Covers(t, "02.3")
	m := newModule()
	m.tick()
	want, _ := m.must(t).ExportV10()
	raw := m.build(t)
	slices.Reverse(raw.V10.Sections)
	raw.V10.Sections = slices.DeleteFunc(raw.V10.Sections, func(s RawSection) bool { return s.Tag == SecCasePolicy || s.Tag == SecViews })
	// A second section of a kind is ignored.
	raw.V10.Sections = append(raw.V10.Sections, RawSection{Tag: SecTables, Tables: []RawTableV10{{SourceName: "second"}}}, RawSection{Tag: SecCasePolicy})
	raw, err := DecodeRaw(raw.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	def, err := Validate(raw)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := def.ExportV10(); string(got) != string(want) {
		t.Errorf("sections in another order:\n%s\nwant\n%s", got, want)
	}
	empty, err := Validate(&RawModule{V10: &RawV10{}})
	if err != nil || len(empty.Tables) != 0 {
		t.Errorf("no sections: %v, %v", empty, err)
	}
}

func TestDepthBombs(t *testing.T) {
	spec.Covers(t, "02.5")
	typespace := append([]byte{2, 1, 0, 0, 0, 0, 1, 0, 0, 0}, bytes.Repeat([]byte{3}, 100_000)...)
	if _, err := DecodeRaw(append(typespace, 4)); err == nil {
		t.Error("nested arrays decode")
	}
	// Submodules within submodules: one section each, tag 14, one entry "".
	level := []byte{1, 0, 0, 0, 14, 1, 0, 0, 0, 0, 0, 0, 0}
	b := append([]byte{2}, bytes.Repeat(level, 100_000)...)
	if _, err := DecodeRaw(append(b, 0, 0, 0, 0)); err == nil || !strings.Contains(err.Error(), "nested too deeply") {
		t.Errorf("nested submodules: %v", err)
	}
}

// The deepest submodule that is allowed may hold everything a module can.
func TestSubmoduleDepth(t *testing.T) {
	build := func(depth int) *rawModule {
		m := newModule()
		m.tick()
		for range depth {
			outer := newModule()
			outer.mount("n", m)
			m = outer
		}
		return m
	}
	if def := build(maxSubmoduleDepth).must(t); len(def.Tables) != 1 || strings.Count(def.Tables[0].Name, ".") != maxSubmoduleDepth {
		t.Errorf("tables: %+v", def.Tables)
	}
	if _, err := DecodeRaw((&RawModule{V10: build(maxSubmoduleDepth + 1).v10()}).Append(nil)); err == nil {
		t.Error("one level too many decodes")
	}
}

// A small definition can describe rows that are huge once references are
// replaced, or many such tables.
func TestSizeBombs(t *testing.T) {
	m := newModule()
	ref := m.named("T0", sats.Product(sats.E("a", sats.U8)))
	for i := range 100 {
		ref = m.named("T"+strings.Repeat("x", i+1), sats.Product(sats.E("a", sats.Ref(ref)), sats.E("b", sats.Ref(ref))))
	}
	m.table("t", sats.E("a", sats.Ref(ref)))
	if e := problemsOf(t, m); len(e.Problems) != 1 {
		t.Errorf("doubling types: %v", e)
	}
	m = newModule()
	ref = m.named("T0", sats.Product(sats.E("a", sats.U8)))
	for i := range 14 {
		ref = m.named("T"+strings.Repeat("x", i+1), sats.Product(sats.E("a", sats.Ref(ref)), sats.E("b", sats.Ref(ref))))
	}
	d := m.table("t", sats.E("a", sats.Ref(ref)))
	for i := range 2000 {
		m.Tables = append(m.Tables, RawTableV10{SourceName: "t" + strings.Repeat("y", i+1), ProductTypeRef: d.ProductTypeRef, Kind: User})
	}
	if e := problemsOf(t, m); !e.Has(TooLarge) {
		t.Errorf("many large tables: %v", e)
	}
	// Undeclared entries that use each other twice.
	m = newModule()
	ref = m.entry(sats.U8)
	for range 100 {
		ref = m.entry(sats.Result(sats.Ref(ref), sats.Ref(ref)))
	}
	m.reducer("r", sats.E("p", sats.Ref(ref)))
	m.must(t)
}

// Lists announce their length: memory is spent on what is there.
func TestListLengthsAllocateLittle(t *testing.T) {
	b := append([]byte{2, 1, 0, 0, 0, 2, 0xff, 0xff, 0, 0}, make([]byte, 1000)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := DecodeRaw(b); err == nil {
		t.Error("a list longer than its bytes decodes")
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
		t.Errorf("%d bytes allocated for %d bytes of input", grown, len(b))
	}
}

func TestNewSections(t *testing.T) {
	spec.Covers(t, "02.66")
	m := outboxModule()
	m.Environment = []RawEnvironmentVar{
		{Name: "A"}, {Name: "B", Type: RawEnvType{EnvLiteral, []string{"x"}}, Optional: true}, {Name: "C", Type: RawEnvType{EnvUnion, []string{"x", "y"}}},
	}
	m.ExplicitNames = []RawExplicitName{{NameNamespace, "lib", "Lib"}}
	m.route("/a", RawHTTPMethod{Set: true, Tag: httpExtension, Extension: "PURGE"})
	b := (&RawModule{V10: m.v10()}).Append(nil)
	raw, err := DecodeRaw(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(raw.Append(nil), b) {
		t.Error("not the same bytes when encoded again")
	}
	if o := raw.V10.Section(SecOutboxes).Outboxes; len(o) != 1 || o[0].SignatureHash != m.Outboxes[0].SignatureHash {
		t.Errorf("outboxes: %+v", o)
	}
	for want, v := range map[string]*RawV10{ // spec 02 §3.2
		"0f00000000":                   {Sections: []RawSection{{Tag: SecEnvironment}}},
		"0f01000000030000004b45590000": {Sections: []RawSection{{Tag: SecEnvironment, Environment: []RawEnvironmentVar{{Name: "KEY"}}}}},
	} {
		if got := hex.EncodeToString((&RawModule{V10: v}).Append(nil)[5:]); got != want {
			t.Errorf("environment section %s, want %s", got, want)
		}
	}
	if _, err := DecodeRaw([]byte{2, 1, 0, 0, 0, 17, 0, 0, 0, 0}); err == nil {
		t.Error("section 17 decodes")
	}
}

func TestV8(t *testing.T) {
	row := sats.Product(sats.E("id", sats.U64), sats.E("name", sats.String), sats.E("scheduled_at", sats.ScheduleAtType))
	v8 := func() *RawV8 {
		return &RawV8{
			Typespace: &sats.Typespace{Types: []*sats.Type{row}},
			Tables: []RawTableDescV8{{Ref: 0, Schema: RawTableV8{
				Name: "Timer", Kind: "user", Access: "private", Scheduled: sats.Named("fire"),
				Columns:     []RawColumnV8{{"id", sats.U64}, {"name", sats.String}, {"scheduled_at", sats.ScheduleAtType}},
				Indexes:     []RawIndexV8{{Name: "by_name", IsUnique: true, Cols: []ColID{1}}},
				Constraints: []RawConstraintV8{{Name: "ct_Timer_id_pk", Kind: 15, Cols: []ColID{0}}},
			}}},
			Reducers:    []RawReducerV8{{Name: "__init__", Args: sats.Unit}, {Name: "fire", Args: sats.Product(sats.E("arg", sats.Ref(0)))}},
			MiscExports: []RawTypeAliasV8{{Name: "game::Timer", Ref: 0}},
		}
	}
	b := (&RawModule{V8: v8()}).Append(nil)
	raw, err := DecodeRaw(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(raw.Append(nil), b) {
		t.Error("not the same bytes when encoded again")
	}
	m, err := Validate(raw)
	if err != nil {
		t.Fatal(err)
	}
	d, _ := m.Table("Timer")
	names := []string{d.Indexes[0].Name, d.Indexes[1].Name, d.Constraints[0].Name, d.Constraints[1].Name, d.Sequences[0].Name, d.Schedule.Function, m.Types[0].FullName()}
	want := []string{"by_name", "idx_Timer_id_pk_unique", "ct_Timer_id_pk", "ct_Timer_name_unique", "seq_Timer_id_pk", "fire", "game.Timer"}
	if !slices.Equal(names, want) || *d.PrimaryKey != 0 || d.Access != Private || m.Version != V9 {
		t.Errorf("upgraded: %q, want %q; %+v", names, want, d)
	}
	if r := m.Lifecycle(LifecycleInit); r == nil || r.Name != "__init__" {
		t.Errorf("init reducer: %v", r)
	}
	for name, c := range map[string]struct {
		change func(*RawTableV8)
		want   ProblemKind
	}{
		"columns": {func(s *RawTableV8) { s.Columns[1].Name = "nom" }, ColumnDefMalformed},
		"two keys": {func(s *RawTableV8) {
			s.Constraints = append(s.Constraints, RawConstraintV8{"ct_Timer_name", 13, []ColID{1}})
		}, RepeatedPrimaryKey},
		"table type":   {func(s *RawTableV8) { s.Kind = "users" }, ColumnDefMalformed},
		"table access": {func(s *RawTableV8) { s.Access = "" }, ColumnDefMalformed},
		"bits":         {func(s *RawTableV8) { s.Constraints[0].Kind = 16 }, ColumnDefMalformed},
		"auto-inc":     {func(s *RawTableV8) { s.Constraints[0] = RawConstraintV8{"c", 2, nil} }, InvalidSequenceColumnType},
		"no at column": {func(s *RawTableV8) { s.Columns[2].Name = "at" }, ScheduledIncorrectColumns},
	} {
		m := v8()
		c.change(&m.Tables[0].Schema)
		_, err := Validate(&RawModule{V8: m})
		if e, ok := err.(*Errors); !ok || !e.Has(c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
