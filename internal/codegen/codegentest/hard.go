package codegentest

import (
	"fmt"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// HardMaker returns a module of what generators trip over: words that languages
// reserve, types named like those of the standard libraries and SDKs, recursion
// without an array between, enums of one variant and of none, wide structs and
// sums, many parameters, views with a primary key and with parameters, and keys
// of unusual types.
func HardMaker() *Maker {
	m := new(Maker)
	list, tree, leafOrTree := sats.Ref(0), sats.Ref(1), sats.Ref(2)
	m.Type(sats.Product(sats.E("value", sats.U32), sats.E("next", sats.Option(list))), "List")
	m.Type(sats.Product(sats.E("left", leafOrTree), sats.E("all", sats.Array(tree))), "Tree")
	m.Type(sats.Sum(sats.E("leaf", sats.I64), sats.E("Tree", tree)), "LeafOrTree")
	color := m.Type(sats.Enum("Red", "dark_green"), "Color")
	only := m.Type(sats.Sum(sats.E("Only", sats.String)), "OnlyOne")
	none := m.Type(sats.Sum(), "NoVariant")
	empty := m.Type(Unit, "Empty")
	status := m.Type(sats.Enum("Active", "Self"), "Status")
	exception := m.Type(sats.Product(sats.E("message", sats.String), sats.E("exception", sats.U8)), "Exception")
	option := m.Type(sats.Product(sats.E("some", sats.Option(sats.U8))), "Option")
	text := m.Type(sats.Product(sats.E("text", sats.String)), "String")
	scoped := m.Type(sats.Product(sats.E("x", sats.F32)), "geo", "Point")
	wide, many := wideTypes()
	wideRef, manyRef := m.Type(wide, "Wide"), m.Type(many, "Many")

	row := m.Type(sats.Product(
		sats.E("type", sats.U64), sats.E("match", sats.String), sats.E("class", sats.Bool), sats.E("color", color), sats.E("event", Timestamp),
		sats.E("self", sats.I32), sats.E("count", sats.U32), sats.E("arg2", sats.U8), sats.E("status", status), sats.E("at", ScheduleAt),
		sats.E("key", UUID), sats.E("opt", sats.Option(text)), sats.E("where", scoped), sats.E("span", TimeDuration),
	), "Keyword")
	table := m.Table("keyword", row)
	table.PrimaryKey = []schema.ColID{0}
	Unique(table, "type", 0)
	Unique(table, "match", 1)
	Unique(table, "by_color", 3)
	Unique(table, "event", 4)
	Unique(table, "count", 6)
	Unique(table, "key", 10)
	Indexed(table, "by_status", 8)
	Indexed(table, "by_where", 2, 5)
	m.Table("plain", m.Type(sats.Product(sats.E("plain", sats.Primitive(sats.KindI128))), "Plain"))
	events := m.Type(sats.Product(sats.E("id", sats.U32), sats.E("what", sats.String)), "Notice")
	notices := m.Table("notice", events)
	notices.IsEvent, notices.PrimaryKey = true, []schema.ColID{0}
	Unique(notices, "id", 0)

	m.Reducer("nothing")
	m.Reducer("structures", sats.E("list", list), sats.E("tree", tree), sats.E("only", only), sats.E("empty", empty), sats.E("callback", option))
	m.Reducer("delete", sats.E("type", sats.U8), sats.E("self", sats.Primitive(sats.KindI256)), sats.E("class", exception), sats.E("params", sats.Array(status)))
	m.Reducer("big", sats.E("wide", wideRef), sats.E("many", manyRef))
	m.Reducer("nine_params", elements("p", 9, sats.I32)...)
	m.Procedure("compute", sats.Result(list, text), sats.E("event", sats.String), sats.E("none", sats.Array(none)))
	m.Procedure("idle", Unit)
	m.View("keyword_view", row)
	m.View("keyword_by", row, sats.E("least", sats.U32), sats.E("name", sats.String))
	m.More = append(m.More, schema.RawSection{Tag: schema.SecViewPrimaryKeys, ViewPrimaryKeys: []schema.RawViewPrimaryKey{{View: "keyword_view", Columns: []string{"type"}}}})
	return m
}

// WideMaker returns the module of HardMaker without recursive types, which not
// every language has.
func WideMaker() *Maker {
	m := HardMaker()
	m.Typespace.Types[0] = sats.Product(sats.E("value", sats.U32))
	m.Typespace.Types[1] = sats.Product(sats.E("all", sats.Array(sats.Ref(1))))
	m.Typespace.Types[2] = sats.Sum(sats.E("leaf", sats.I64), sats.E("Nothing", Unit))
	return m
}

// wideTypes returns a product of 40 fields and a sum of 40 variants.
func wideTypes() (product, sum *sats.Type) {
	return sats.Product(elements("field", 40, sats.I32)...), sats.Sum(elements("Case", 40, sats.I32)...)
}

func elements(name string, n int, t *sats.Type) []sats.Element {
	list := make([]sats.Element, n)
	for i := range list {
		list[i] = sats.E(fmt.Sprintf("%s_%c%c", name, 'a'+i/26, 'a'+i%26), t)
	}
	return list
}
