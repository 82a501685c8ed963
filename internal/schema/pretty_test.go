package schema

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

var update = flag.Bool("update", false, "write the printed plans into testdata")

// planOfEverything returns a plan with every kind of step.
func planOfEverything(t *testing.T) *Plan {
	t.Helper()
	id := sats.E("id", sats.U64)
	name := sats.E("name", sats.String)
	build := func(grown bool) *ModuleDef {
		m := newModule()
		kinds := []string{"red", "blue"}
		if grown {
			kinds = append(kinds, "green")
		}
		kind := m.named("Kind", sats.Enum(kinds...))
		apples := m.table("apples", id, name, sats.E("kind", sats.Ref(kind)), sats.E("mood", sats.Ref(m.named("Mood", sats.Enum("ok")))))
		if grown { // also to another entry, so that the column's own type differs
			apples.key(0).index(BTree, 1, 2)
			m.typeOf("Rowapples").Elems[3].Type = sats.Ref(m.named("NewMood", sats.Enum("ok", "bad")))
		} else {
			apples.PrimaryKey = nil
			apples.unique(1).sequence(0).index(BTree, 0, 1)
			apples.Sequences[0].Name = sats.Named("apples_old_seq")
		}
		bananas := m.table("bananas", id)
		if grown {
			elems := m.typeOf("Rowbananas")
			elems.Elems = append(elems.Elems, sats.E("freshness", sats.U32), sats.E("color", sats.String))
			bananas.Defaults = []RawColumnDefault{{1, []byte{5, 0, 0, 0}}, {2, []byte{1, 0, 0, 0, 'y'}}}
			bananas.Access = Private
			bananas.key(0)
			bananas.sequence(0)
			bananas.SourceName = "Bananas"
			elems.Elems[0].Name.Text = "Id"
			bananas.Indexes[0].Name.Text = "new_source"
		} else {
			bananas.unique(0)
		}
		spark := m.table("spark", id)
		spark.IsEvent = true
		timer := m.table("timer", sats.E("scheduled_id", sats.U64), sats.E("scheduled_at", sats.ScheduleAtType)).key(0)
		m.reducer("run", sats.E("arg", sats.Ref(timer.ProductTypeRef)))
		other := m.table("clock", sats.E("scheduled_id", sats.U64), sats.E("scheduled_at", sats.ScheduleAtType)).key(0)
		m.Procedures = []RawProcedureV10{{SourceName: "ring", Params: sats.Product(sats.E("arg", sats.Ref(other.ProductTypeRef))), Return: sats.Unit}}
		if grown {
			m.Schedules = []RawScheduleV10{{Table: "clock", AtCol: 1, Function: "ring"}}
			m.typeOf("Rowspark").Elems[0].Type = sats.String
			m.rows("both")
			m.rows("added").IsAnonymous = false
			oranges := m.table("oranges", sats.E("id", sats.U32), sats.E("pair", sats.Option(sats.String))).key(0).sequence(0)
			oranges.Access = Public
			m.tock()
			m.RLS = []string{"SELECT * FROM oranges"}
			sub := newModule()
			sub.table("seeds", id).key(0)
			m.mount("garden", sub)
		} else {
			m.Schedules = []RawScheduleV10{{Table: "timer", AtCol: 1, Function: "run"}}
			m.rows("both")
			m.rows("gone", sats.E("limit", sats.U32))
			m.table("pears", id)
			m.RLS = []string{"SELECT * FROM apples"}
		}
		return m.must(t)
	}
	p, err := PlanMigration(build(false), build(true))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// tock is a second scheduled table with names of its own.
func (m *rawModule) tock() {
	d := m.table("tock", sats.E("scheduled_id", sats.U64), sats.E("scheduled_at", sats.ScheduleAtType)).key(0).sequence(0)
	m.reducer("ring_bell", sats.E("arg", sats.Ref(d.ProductTypeRef)))
	m.Schedules = append(m.Schedules, RawScheduleV10{Table: "tock", AtCol: 1, Function: "ring_bell"})
}

func TestPrettyPlan(t *testing.T) {
	spec.Covers(t, "02.63")
	p := planOfEverything(t)
	names := stepNames(p)
	for _, want := range []string{
		"RemoveIndex", "RemoveConstraint", "RemoveSequence", "RemoveSchedule", "RemoveView", "RemoveRLS", "RemoveTable", "ChangeColumns",
		"ReschemaEventTable", "AddColumns", "ChangeIndexSourceName", "ChangeTableAccessor", "ChangeColumnAccessor", "AddTable", "AddIndex",
		"AddConstraint", "AddSequence", "AddSchedule", "AddView", "AddRLS", "ChangeAccess", "ChangePrimaryKey", "UpdateView", "DisconnectAllUsers",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("the plan has no %s: %q", want, names)
		}
	}
	for style, file := range map[PrettyStyle]string{NoColor: "plan.txt", AnsiColor: "plan_ansi.txt"} {
		got := p.Pretty(style)
		if style == AnsiColor { // readable in the file
			got = strings.ReplaceAll(got, "\x1b[", "^[")
		}
		file = filepath.Join("testdata", file)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s:\n%s\nwant\n%s", file, got, want)
		}
	}
	codes := regexp.MustCompile("\x1b\\[[0-9]+m")
	if got := codes.ReplaceAllString(p.Pretty(AnsiColor), ""); got != p.Pretty(NoColor) {
		t.Errorf("without colours:\n%s\nwant\n%s", got, p.Pretty(NoColor))
	}
}

func TestPrettyKeyChanges(t *testing.T) {
	one, two := ColID(1), ColID(2)
	for _, c := range []struct {
		old, new *ColID
		want     string
	}{{&one, nil, "removed"}, {nil, &two, "added on column 2"}, {&one, &two, "changed to column 2"}} {
		if got := keyChange(c.old, c.new); got != c.want {
			t.Errorf("keyChange = %q, want %q", got, c.want)
		}
	}
}

func TestDebugValue(t *testing.T) {
	for _, c := range []struct {
		t    *sats.Type
		b    []byte
		want string
	}{
		{sats.U32, []byte{5, 0, 0, 0}, "U32(\n    5,\n)"},
		{sats.I8, []byte{0xff}, "I8(\n    -1,\n)"},
		{sats.Bool, []byte{1}, "Bool(\n    true,\n)"},
		{sats.String, []byte{1, 0, 0, 0, '"'}, "String(\n    \"\\\"\",\n)"},
		{sats.F64, []byte{0, 0, 0, 0, 0, 0, 0xf8, 0x3f}, "F64(\n    1.5,\n)"},
		{sats.Unit, nil, "Product(\n    ProductValue {\n        elements: [],\n    },\n)"},
		{sats.Option(sats.U8), []byte{0, 7}, "Sum(\n    SumValue {\n        tag: 0,\n        value: U8(\n            7,\n        ),\n    },\n)"},
		{sats.Array(sats.U8), []byte{1, 0, 0, 0, 9}, "Array(\n    [\n        U8(\n            9,\n        ),\n    ],\n)"},
	} {
		if got := debugValue(c.t, c.b); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.t, got, c.want)
		}
	}
	// A million units in four bytes do not become a million lines.
	if got := debugValue(sats.Array(sats.Unit), []byte{0, 0, 0x10, 0}); len(got) > 2*maxDebugText || !strings.HasSuffix(got, "…") {
		t.Errorf("%d bytes of text", len(got))
	}
}
