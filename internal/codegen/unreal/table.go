package unreal

import (
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/codegen/source"
)

// isEvent reports whether t has the interface of event tables. The plugins of
// protocol v1 have none; there an event table looks like a table without keys.
func (g *generator) isEvent(t *model.Table) bool { return t.IsEvent && g.has.v2 }

// table returns the Pascal name of a table behind the prefix.
func (g *generator) table(t *model.Table) string { return g.prefix + pascal(t.Accessor) }

func (g *generator) tableHoles(t *model.Table, more ...string) []string {
	return g.holes(append(more, "Table", g.table(t), "Name", pascal(t.Accessor), "Row", g.class(t.Row), "c", quote(t.Name))...)
}

// key returns the position of the primary key, if rows can be told apart by it.
func (g *generator) key(t *model.Table) (int, bool) {
	if t.IsEvent || t.PrimaryKey < 0 || !keyType(t.Columns[t.PrimaryKey].Use) {
		return 0, false
	}
	return t.PrimaryKey, true
}

func (g *generator) tableHeader(t *model.Table) {
	name := g.table(t) + "Table"
	includes := append(g.includes(&model.Use{Kind: model.Ref, Type: t.Row}), "Tables/RemoteTable.h", "DBCache/WithBsatn.h",
		"DBCache/TableHandle.h", "DBCache/TableCache.h", "Types/Builtins.h")
	indexes := g.indexes(t)
	for _, ix := range indexes {
		for _, c := range ix.columns {
			includes = append(includes, g.includes(t.Columns[c].Use)...)
		}
		includes = append(includes, "DBCache/UniqueIndex.h")
	}
	w := g.header(name, "", includes)
	for _, ix := range indexes {
		g.indexClass(w, t, ix)
	}
	w.Put(`

UCLASS(BlueprintType)
class ‹API› U‹Table›Table : public URemoteTable
{
	GENERATED_BODY()

public:
`, g.tableHoles(t)...)
	for _, ix := range indexes {
		w.Put(`
	UPROPERTY(BlueprintReadOnly)
	‹Class›* ‹Index›;

`, "Class", ix.class, "Index", ix.name)
	}
	w.Put(`
	void PostInitialize();

	FTableAppliedDiff<‹Row›> Update(TArray<FWithBsatn<‹Row›>> InsertsRef, TArray<FWithBsatn<‹Row›>> DeletesRef);

	UFUNCTION(BlueprintCallable, Category = "SpacetimeDB")
	int32 Count() const;

	UFUNCTION(BlueprintCallable, Category = "SpacetimeDB")
	TArray<‹Row›> Iter() const;

	DECLARE_DYNAMIC_MULTICAST_DELEGATE_TwoParams(
		F‹P›On‹Name›Insert,
		const F‹P›EventContext&, Context,
		const ‹Row›&, NewRow);
`, g.tableHoles(t)...)
	if !g.isEvent(t) {
		w.Put(`

	DECLARE_DYNAMIC_MULTICAST_DELEGATE_ThreeParams(
		F‹P›On‹Name›Update,
		const F‹P›EventContext&, Context,
		const ‹Row›&, OldRow,
		const ‹Row›&, NewRow);

	DECLARE_DYNAMIC_MULTICAST_DELEGATE_TwoParams(
		F‹P›On‹Name›Delete,
		const F‹P›EventContext&, Context,
		const ‹Row›&, DeletedRow);
`, g.tableHoles(t)...)
	}
	events := []string{"Insert"}
	if !g.isEvent(t) { // the plugin asks at compile time whether the others are there
		events = append(events, "Update", "Delete")
	}
	for _, event := range events {
		w.Put(`

	UPROPERTY(BlueprintAssignable, Category = "SpacetimeDB Events")
	F‹P›On‹Name›‹Event› On‹Event›;
`, g.tableHoles(t, "Event", event)...)
	}
	w.Put(`

private:
	const FString TableName = TEXT(‹c›);

	TSharedPtr<UClientCache<‹Row›>> Data;
};
`, g.tableHoles(t)...)
	g.add("Public", "Tables/"+name+".g.h", w)
}

func (g *generator) tableSource(t *model.Table) {
	name := g.table(t) + "Table"
	w := source.New("\t")
	g.marker(w, "")
	g.include(w, []string{"ModuleBindings/Tables/" + name + ".g.h", "DBCache/UniqueIndex.h", "DBCache/BTreeUniqueIndex.h", "DBCache/ClientCache.h", "DBCache/TableCache.h"})
	indexes, cache := g.indexes(t), ""
	if len(indexes) > 0 {
		cache = "TSharedPtr<FTableCache<" + g.class(t.Row) + ">> Cache = "
	}
	w.Put(`

void U‹Table›Table::PostInitialize()
{
	Data = MakeShared<UClientCache<‹Row›>>();
	‹cache›Data->GetOrAdd(TableName);
`, g.tableHoles(t, "cache", cache)...)
	for _, ix := range indexes {
		w.Line("")
		g.registerIndex(w, t, ix)
	}
	w.Put(`
}

FTableAppliedDiff<‹Row›> U‹Table›Table::Update(TArray<FWithBsatn<‹Row›>> InsertsRef, TArray<FWithBsatn<‹Row›>> DeletesRef)
{
`, g.tableHoles(t)...)
	w.Indent(1)
	i, keyed := g.key(t)
	switch {
	case g.isEvent(t):
		w.Put(`
FTableAppliedDiff<‹Row›> Diff;
for (const FWithBsatn<‹Row›>& Insert : InsertsRef)
{
	Diff.Inserts.Add(Insert.Bsatn, Insert.Row);
}
return Diff;
`, g.tableHoles(t)...)
	case keyed:
		w.Put(`
FTableAppliedDiff<‹Row›> Diff = BaseUpdate<‹Row›>(InsertsRef, DeletesRef, Data, TableName);
Diff.DeriveUpdatesByPrimaryKey<‹K›>([](const ‹Row›& Row) { return Row.‹Key›; });
return Diff;
`, g.tableHoles(t, "K", g.use(t.Columns[i].Use), "Key", pascal(t.Columns[i].Accessor))...)
	default:
		w.Put("return BaseUpdate<‹Row›>(InsertsRef, DeletesRef, Data, TableName);\n", g.tableHoles(t)...)
	}
	w.Indent(-1)
	w.Put(`
}

int32 U‹Table›Table::Count() const
{
	return GetRowCountFromTable<‹Row›>(Data, TableName);
}

TArray<‹Row›> U‹Table›Table::Iter() const
{
	return GetAllRowsFromTable<‹Row›>(Data, TableName);
}
`, g.tableHoles(t)...)
	g.add("Private", "Tables/"+name+".g.cpp", w)
}

// quote returns s as a string literal.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}
