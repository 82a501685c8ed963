package codegentest

import (
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// Odd returns a module of rarities: recursion without an array between, through
// several types and below options and results, sums of one and of no variants,
// empty rows, keys that not every client can look up, explicit names, names
// that are words of languages or of the bindings, a view with parameters.
func Odd(t testing.TB) *schema.ModuleDef { return OddMaker().Module(t) }

// OddMaker returns the module of Odd before validation.
func OddMaker() *Maker {
	m := new(Maker)
	treeRef, leftRef, rightRef := sats.Ref(0), sats.Ref(1), sats.Ref(2)
	tree := m.Type(sats.Product(sats.E("next", sats.Option(treeRef)), sats.E("by", sats.Result(treeRef, sats.String)), sats.E("at", ScheduleAt)), "Tree")
	left := m.Type(sats.Sum(sats.E("End", Unit), sats.E("Right", rightRef)), "Left")
	m.Type(sats.Product(sats.E("left", leftRef), sats.E("ids", sats.Array(UUID))), "Right")
	one := m.Type(sats.Enum("only"), "One")
	none := m.Type(sats.Sum(), "None")
	empty := m.Type(Unit, "Empty")
	scoped := m.Type(sats.Product(sats.E("never", sats.Sum()), sats.E("_0", sats.U8), sats.E("class", sats.Bool)), "my_scope", "Inner")
	config := m.Type(sats.Product(
		sats.E("color", one), sats.E("id", UUID), sats.E("made_at", Timestamp), sats.E("result", sats.Result(sats.U8, sats.String)),
		sats.E("nothing", Unit), sats.E("count", sats.U64), sats.E("deep", sats.Option(sats.Array(scoped))),
	), "EventContext")
	table := m.Table("settings", config)
	table.PrimaryKey = []schema.ColID{0}
	Unique(table, "color", 0)
	Unique(table, "id", 1)
	Unique(table, "count", 5)
	Indexed(table, "twice", 1, 2)
	Indexed(table, "any", 4, 3)
	table.Indexes[4].Accessor = sats.Name{}
	m.Table("void", empty)
	m.Reducer("HTTPGet", sats.E("my_tree", tree), sats.E("left", left))
	m.Reducer("doThing", sats.E("none", none))
	m.Procedure("maybe", sats.Option(left))
	m.View("found", config, sats.E("name", sats.String))
	m.More = append(m.More, schema.RawSection{Tag: schema.SecExplicitNames, ExplicitNames: []schema.RawExplicitName{
		{Kind: schema.NameTable, Source: "settings", Canonical: "AppSettings"}, {Kind: schema.NameFunction, Source: "doThing", Canonical: "xyz_abc"}}})
	return m
}

// Empty returns a module without anything.
func Empty(t testing.TB) *schema.ModuleDef { return new(Maker).Module(t) }
