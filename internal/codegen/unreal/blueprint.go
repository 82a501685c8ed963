package unreal

import (
	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/codegen/source"
)

// A columnKind is a type of column that Blueprint can compare with a value.
type columnKind struct {
	name, param string
	kind        model.Kind
	ordered     bool
}

var columnKinds = []columnKind{
	{"Bool", "bool", model.Bool, false},
	{"UInt8", "uint8", model.U8, true},
	{"Int32", "int32", model.I32, true},
	{"Int64", "int64", model.I64, true},
	{"Float", "float", model.F32, true},
	{"Double", "double", model.F64, true},
	{"String", "const FString&", model.String, false},
	{"Identity", "const FSpacetimeDBIdentity&", model.Identity, false},
	{"ConnectionId", "const FSpacetimeDBConnectionId&", model.ConnectionID, false},
	{"Timestamp", "const FSpacetimeDBTimestamp&", model.Timestamp, true},
	{"Uuid", "const FSpacetimeDBUuid&", model.UUID, false},
}

// A comparison is a node that makes a predicate of a column and a value.
type comparison struct{ name, title, operator string }

var (
	equal    = comparison{"Equal", "==", "="}
	ordering = []comparison{{"GreaterThan", ">", ">"}, {"GreaterEqual", ">=", ">="}, {"LessThan", "<", "<"}, {"LessEqual", "<=", "<="}}
)

// sources are the tables and views that queries can name.
func (g *generator) sources() (list []*model.Table) {
	for _, t := range g.root.Combined() {
		if len(t.Params) == 0 {
			list = append(list, t)
		}
	}
	return list
}

// blueprintQueries writes the structs and nodes that Blueprint makes queries of
// (spec 10 §8.6). In Blueprint a query is its text.
func (g *generator) blueprintQueries(w *source.Writer) {
	structure := func(name, second string) {
		w.Put(`

USTRUCT(BlueprintType)
struct ‹API› F‹P›‹Struct›
{
	GENERATED_BODY()

	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "SpacetimeDB|Queries")
	FString ‹first›;

	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "SpacetimeDB|Queries")
	FString ‹second›;
};
`, g.holes("Struct", name, "first", map[string]string{"ResultSourceName": "Sql", "ColumnName": "ResultSourceName"}[second], "second", second)...)
	}
	structure("BlueprintQuery", "ResultSourceName")
	structure("BlueprintPredicate", "ResultSourceName")
	taken := map[string]bool{"And": true, "Or": true, "Not": true, "Compare": true}
	for _, t := range g.sources() {
		name := querySource(t)
		structure(name+"Query", "ResultSourceName")
		taken["From"+name], taken["Conv_"+name+"QueryToBlueprintQuery"], taken[name+"Where"] = true, true, true
	}
	for _, k := range columnKinds {
		structure("Blueprint"+k.name+"Column", "ColumnName")
		for _, c := range append(ordering, equal) {
			taken[k.name+c.name] = true
		}
	}
	w.Put(`

UCLASS(BlueprintType)
class ‹API› U‹P›QueryBuilderBlueprintLibrary : public UBlueprintFunctionLibrary
{
	GENERATED_BODY()

public:
`, g.holes()...)
	for _, t := range g.sources() {
		g.blueprintSource(w, t, taken)
	}
	for _, k := range columnKinds {
		g.blueprintComparison(w, k, equal)
		for _, c := range ordering {
			if k.ordered {
				g.blueprintComparison(w, k, c)
			}
		}
	}
	g.blueprintLogic(w)
}

// querySource returns how the queries of a table or view are called.
func querySource(t *model.Table) string {
	if name := pascal(t.Accessor); name != "Blueprint" {
		return name
	}
	return "Blueprint_" // FBlueprintQuery is that of all sources
}

// blueprintSource writes the nodes of one table or view. The header tool refuses
// two functions of one name, so those of columns step aside for taken ones.
func (g *generator) blueprintSource(w *source.Writer, t *model.Table, taken map[string]bool) {
	holes := g.tableHoles(t, "Source", querySource(t))
	w.Put(`
	UFUNCTION(BlueprintPure, Category = "SpacetimeDB|Queries|‹Source›", meta = (DisplayName = "From ‹Source›"))
	static F‹P›‹Source›Query From‹Source›()
	{
		F‹P›‹Source›Query Query;
		Query.Sql = FString(UTF8_TO_TCHAR(F‹P›QueryBuilder().From.‹Name›().into_sql().c_str()));
		Query.ResultSourceName = TEXT(‹c›);
		return Query;
	}

	UFUNCTION(BlueprintPure, Category = "SpacetimeDB|Queries|‹Source›", meta = (DisplayName = "To Query", BlueprintAutocast))
	static F‹P›BlueprintQuery Conv_‹Source›QueryToBlueprintQuery(const F‹P›‹Source›Query& Query)
	{
		F‹P›BlueprintQuery Out;
		Out.Sql = Query.Sql;
		Out.ResultSourceName = Query.ResultSourceName;
		return Out;
	}

	UFUNCTION(BlueprintPure, Category = "SpacetimeDB|Queries|‹Source›", meta = (DisplayName = "‹Source› Where"))
	static F‹P›‹Source›Query ‹Source›Where(F‹P›‹Source›Query Query, const F‹P›BlueprintPredicate& Predicate)
	{
		if (!Predicate.Sql.IsEmpty() && Query.ResultSourceName == Predicate.ResultSourceName)
		{
			Query.Sql += (Query.Sql.Contains(TEXT(" WHERE ")) ? TEXT(" AND (") : TEXT(" WHERE (")) + Predicate.Sql + TEXT(")");
		}
		return Query;
	}

`, holes...)
	for _, c := range t.Columns {
		for _, k := range columnKinds {
			if c.Use.Kind != k.kind {
				continue
			}
			name := pascal(c.Accessor)
			for taken[querySource(t)+name] {
				name += "_"
			}
			taken[querySource(t)+name] = true
			w.Put(`
	UFUNCTION(BlueprintPure, Category = "SpacetimeDB|Queries|‹Source›|Columns", meta = (DisplayName = "‹Source› ‹Column›"))
	static F‹P›Blueprint‹Kind›Column ‹Source›‹Column›(const F‹P›‹Source›Query& Query)
	{
		F‹P›Blueprint‹Kind›Column Out;
		Out.ResultSourceName = Query.ResultSourceName.IsEmpty() ? FString(TEXT(‹c›)) : Query.ResultSourceName;
		Out.ColumnName = TEXT(‹column›);
		return Out;
	}

`, append(holes, "Kind", k.name, "Column", name, "column", quote(c.Name))...)
		}
	}
}

func (g *generator) blueprintComparison(w *source.Writer, k columnKind, c comparison) {
	w.Put(`
	UFUNCTION(BlueprintPure, Category = "SpacetimeDB|Queries|Predicates", meta = (CompactNodeTitle = "‹title›"))
	static F‹P›BlueprintPredicate ‹Kind›‹Comparison›(const F‹P›Blueprint‹Kind›Column& Column, ‹param› Value)
	{
		return Compare(Column.ResultSourceName, Column.ColumnName, TEXT("‹operator›"), ::SpacetimeDB::query_builder::detail::literal_sql(Value));
	}

`, g.holes("Kind", k.name, "param", k.param, "Comparison", c.name, "title", c.title, "operator", c.operator)...)
}

// blueprintLogic writes what joins predicates, and the end of the library.
func (g *generator) blueprintLogic(w *source.Writer) {
	for _, c := range []comparison{{"And", "AND", "AND"}, {"Or", "OR", "OR"}} {
		w.Put(`
	UFUNCTION(BlueprintPure, Category = "SpacetimeDB|Queries|Predicates", meta = (CompactNodeTitle = "‹title›"))
	static F‹P›BlueprintPredicate ‹Comparison›(const F‹P›BlueprintPredicate& A, const F‹P›BlueprintPredicate& B)
	{
		F‹P›BlueprintPredicate Out;
		Out.ResultSourceName = A.ResultSourceName;
		Out.Sql = TEXT("(") + A.Sql + TEXT(") ‹title› (") + B.Sql + TEXT(")");
		return Out;
	}

`, g.holes("Comparison", c.name, "title", c.title)...)
	}
	w.Put(`
	UFUNCTION(BlueprintPure, Category = "SpacetimeDB|Queries|Predicates", meta = (CompactNodeTitle = "NOT"))
	static F‹P›BlueprintPredicate Not(const F‹P›BlueprintPredicate& A)
	{
		F‹P›BlueprintPredicate Out;
		Out.ResultSourceName = A.ResultSourceName;
		Out.Sql = TEXT("NOT (") + A.Sql + TEXT(")");
		return Out;
	}

private:
	static F‹P›BlueprintPredicate Compare(const FString& Source, const FString& Column, const FString& Operator, const std::string& Value)
	{
		F‹P›BlueprintPredicate Out;
		Out.ResultSourceName = Source;
		Out.Sql = TEXT("\"") + Source + TEXT("\".\"") + Column + TEXT("\" ") + Operator + TEXT(" ") + FString(UTF8_TO_TCHAR(Value.c_str()));
		return Out;
	}
};
`, g.holes()...)
}

// addQueries writes how the subscription builder takes queries of Blueprint.
func (g *generator) addQueries(w *source.Writer) {
	w.Put(`

	UFUNCTION(BlueprintCallable, Category = "SpacetimeDB", meta = (DisplayName = "AddQuery", ScriptName = "AddQuery"))
	U‹P›SubscriptionBuilder* AddBlueprintQuery(const F‹P›BlueprintQuery& Query)
	{
		PendingSqlQueries.Add(Query.Sql);
		return this;
	}
`, g.holes()...)
	for _, t := range g.sources() {
		w.Put(`

	U‹P›SubscriptionBuilder* Add‹Source›Query(const F‹P›‹Source›Query& Query)
	{
		PendingSqlQueries.Add(Query.Sql);
		return this;
	}
`, g.tableHoles(t, "Source", querySource(t))...)
	}
}
