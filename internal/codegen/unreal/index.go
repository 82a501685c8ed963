package unreal

import (
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/codegen/source"
)

// An index is one that clients look up rows by.
type index struct {
	name, class string
	accessor    string // under which the cache knows it
	unique      bool   // one row per key, of one column
	columns     []int
}

// tableMembers are members of every table's class.
var tableMembers = map[string]bool{
	"Count": true, "Iter": true, "Update": true, "PostInitialize": true, "OnInsert": true, "OnUpdate": true, "OnDelete": true,
	"TableName": true, "Data": true,
}

// indexes returns those of t: all that have an accessor, then the unique columns
// that none of them is named after. Views and event tables have none.
func (g *generator) indexes(t *model.Table) (list []index) {
	if t.IsView || t.IsEvent {
		return nil
	}
	names := model.NewScope("indexes of " + t.Source())
	for name := range tableMembers {
		names.Claim(name, "what every table has")
	}
	add := func(name, accessor string, unique bool, columns []int, what string) {
		for _, c := range columns {
			if use := t.Columns[c].Use; !keyType(use) && !(unique && len(columns) == 1 && use.Kind == model.Option && keyType(use.Elem)) {
				g.warn("%s of %s is left out: Unreal can not look up keys of its type", what, t.Source())
				return
			}
		}
		if tableMembers[name] {
			name += "_"
		}
		ix := index{name: name, accessor: accessor, unique: unique && len(columns) == 1, columns: columns}
		ix.class = "U" + g.table(t) + name + "Index"
		if ix.unique {
			ix.class = "U" + g.table(t) + name + "UniqueIndex"
		}
		if names.Claim(name, what) {
			list = append(list, ix)
		}
	}
	for _, ix := range t.Indexes {
		if ix.Accessor != "" {
			add(pascal(ix.Accessor), ix.Accessor, ix.Unique, ix.Columns, "index `"+ix.Accessor+"`")
		}
	}
	if err := names.Err(); err != nil {
		g.problems = append(g.problems, err)
	}
	for i, c := range t.Columns {
		name := pascal(c.Accessor)
		if tableMembers[name] {
			name += "_"
		}
		if c.Unique && !names.Taken(name) && keyType(c.Use) {
			add(pascal(c.Accessor), c.Accessor, true, []int{i}, "unique column `"+c.Accessor+"`")
		}
	}
	return list
}

// keyType reports whether a type has a hash and an order in Unreal.
func keyType(u *model.Use) bool {
	switch u.Kind {
	case model.Bool, model.F32, model.F64, model.String, model.Identity, model.ConnectionID, model.Timestamp, model.TimeDuration, model.UUID:
		return true
	case model.Ref:
		return u.Type.Shape == model.PlainEnum
	}
	return u.Kind >= model.I8 && u.Kind <= model.U256
}

func (g *generator) indexHoles(t *model.Table, ix index) []string {
	types, params, list, columns := []string{}, []string{}, []string{}, ""
	rows := []string{}
	for _, i := range ix.columns {
		c := t.Columns[i]
		types = append(types, g.use(c.Use))
		params = append(params, "const "+g.use(c.Use)+"& "+param(c.Accessor))
		list = append(list, param(c.Accessor))
		rows = append(rows, "Row."+pascal(c.Accessor))
		columns += pascal(c.Accessor)
	}
	return g.tableHoles(t, "Class", ix.class, "Index", ix.name, "K", types[0], "Keys", strings.Join(types, ", "),
		"params", strings.Join(params, ", "), "list", strings.Join(list, ", "), "rows", strings.Join(rows, ", "),
		"accessor", quote(ix.accessor), "Columns", columns, "Column", pascal(t.Columns[ix.columns[0]].Accessor),
		"constraint", quote(strings.ToLower(pascal(t.Columns[ix.columns[0]].Accessor))))
}

func (g *generator) indexClass(w *source.Writer, t *model.Table, ix index) {
	holes := g.indexHoles(t, ix)
	known := true
	for _, i := range ix.columns {
		known = known && blueprint(t.Columns[i].Use)
	}
	function := ""
	if known {
		function = "\tUFUNCTION(BlueprintCallable, Category = \"SpacetimeDB|‹Table›Index\")\n"
	}
	w.Put(`

UCLASS(Blueprintable)
class ‹API› ‹Class› : public UObject
{
	GENERATED_BODY()

public:
`, holes...)
	if ix.unique {
		w.Put(`
	‹Class›() : Helper(‹constraint›) {}

	/** The row with this key, or a default-constructed row. */
`+function+`	‹Row› Find(‹K› Key) { return Helper.FindUniqueIndex(Key); }

	void SetCache(TSharedPtr<const FTableCache<‹Row›>> InCache) { Helper.Cache = InCache; }

private:
	FUniqueIndexHelper<‹Row›, ‹K›, FTableCache<‹Row›>> Helper;
};
`, holes...)
		return
	}
	w.Put(`
	/** The rows with this key. */
	TArray<‹Row›> Filter(‹params›) const
	{
		TArray<‹Row›> OutResults;
		if (Cache)
		{
			Cache->FindByMultiKeyBTreeIndex<TTuple<‹Keys›>>(OutResults, TEXT(‹accessor›), MakeTuple(‹list›));
		}
		return OutResults;
	}
`, holes...)
	if known {
		w.Put(`

`+function+`	void Filter‹Columns›(TArray<‹Row›>& OutResults, ‹params›) { OutResults = Filter(‹list›); }
`, holes...)
	}
	w.Put(`

	void SetCache(TSharedPtr<FTableCache<‹Row›>> InCache) { Cache = InCache; }

private:
	TSharedPtr<FTableCache<‹Row›>> Cache;
};
`, holes...)
}

func (g *generator) registerIndex(w *source.Writer, t *model.Table, ix index) {
	pattern := `
	Cache->AddMultiKeyBTreeIndex<TTuple<‹Keys›>>(
		TEXT(‹accessor›), [](const ‹Row›& Row) { return MakeTuple(‹rows›); });
`
	if ix.unique {
		pattern = `
	Cache->AddUniqueConstraint<‹K›>(
		‹constraint›, [](const ‹Row›& Row) -> const ‹K›& { return Row.‹Column›; });
`
	}
	w.Put(pattern+`	‹Index› = NewObject<‹Class›>(this);
	‹Index›->SetCache(Cache);
`, g.indexHoles(t, ix)...)
}
