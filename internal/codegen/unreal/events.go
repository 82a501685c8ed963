package unreal

import (
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/codegen/source"
)

// tagLimit is how many reducers fit the tag of a byte and the plugin's variants.
const tagLimit = 255

// callVariant returns the name of a reducer among the members of FReducer.
func callVariant(f *model.Function) string {
	switch name := pascal(f.Accessor); name {
	case "Tag", "Data", "ReducerName", "ReducerId", "RequestId", "ProcedureName", "ProcedureId", "None":
		return name + "_"
	default:
		return name
	}
}

// tagged writes the struct of any reducer (or procedure) with its arguments.
func (g *generator) tagged(w *source.Writer, kind string, list []*model.Function) {
	wide := len(list) > tagLimit
	payloads := make([]string, len(list))
	for i, f := range list {
		payloads[i] = "F" + g.prefix + pascal(f.Accessor) + "Args"
	}
	if len(payloads) == 0 {
		payloads = append(payloads, "FSpacetimeDBUnit")
	}
	base, reflected, data := "uint8", "UENUM(BlueprintType, Category = \"SpacetimeDB\")", "TVariant<"+strings.Join(payloads, ", ")+">"
	tagProperty := "\tUPROPERTY(BlueprintReadOnly, Category = \"SpacetimeDB\")\n"
	if wide {
		base, reflected, data, tagProperty = "int32", "UENUM()", "TSharedPtr<void>", ""
	}
	holes := g.holes("Kind", kind, "base", base, "reflected", reflected, "Data", data)
	w.Put(`

‹reflected›
enum class E‹P›‹Kind›Tag : ‹base›
{
`, holes...)
	for _, f := range list {
		w.Line("\t%s,", callVariant(f))
	}
	if len(list) == 0 {
		w.Line("\tNone")
	}
	w.Put(`
};

USTRUCT(BlueprintType)
struct ‹API› F‹P›‹Kind›
{
	GENERATED_BODY()

`+tagProperty+`	E‹P›‹Kind›Tag Tag = static_cast<E‹P›‹Kind›Tag>(0);

	‹Data› Data;

	UPROPERTY(BlueprintReadOnly, Category = "SpacetimeDB")
	FString ‹Kind›Name;
	uint32 ‹Kind›Id = 0;
	uint32 RequestId = 0;
`, holes...)
	for _, f := range list {
		g.taggedVariant(w, kind, f, wide)
	}
	w.Put(`

	bool operator==(const F‹P›‹Kind›& Other) const
	{
		if (Tag != Other.Tag || ‹Kind›Id != Other.‹Kind›Id || RequestId != Other.RequestId || ‹Kind›Name != Other.‹Kind›Name) return false;
		switch (Tag)
		{
`, holes...)
	for _, f := range list {
		w.Put("\t\tcase E‹P›‹Kind›Tag::‹V›: return GetAs‹V›() == Other.GetAs‹V›();\n", append(holes, "V", callVariant(f))...)
	}
	w.Put(`
		default: return false;
		}
	}
	bool operator!=(const F‹P›‹Kind›& Other) const { return !(*this == Other); }
};
`, holes...)
	g.taggedLibrary(w, kind, list)
}

func (g *generator) taggedVariant(w *source.Writer, kind string, f *model.Function, wide bool) {
	set, get := "Out.Data.Set<‹Args›>(Value);", "Data.Get<‹Args›>()"
	if wide {
		set, get = "Out.Data = MakeShared<‹Args›>(Value);", "*static_cast<const ‹Args›*>(Data.Get())"
	}
	w.Put(`

	static F‹P›‹Kind› ‹V›(const ‹Args›& Value)
	{
		F‹P›‹Kind› Out;
		Out.Tag = E‹P›‹Kind›Tag::‹V›;
		`+set+`
		Out.‹Kind›Name = TEXT(‹c›);
		return Out;
	}
	bool Is‹V›() const { return Tag == E‹P›‹Kind›Tag::‹V›; }
	‹Args› GetAs‹V›() const { return `+get+`; }
`, g.functionHoles(f, "Kind", kind, "V", callVariant(f))...)
}

func (g *generator) taggedLibrary(w *source.Writer, kind string, list []*model.Function) {
	w.Put(`

UCLASS()
class ‹API› U‹P›‹Kind›BpLib : public UBlueprintFunctionLibrary
{
	GENERATED_BODY()

private:
`, g.holes("Kind", kind)...)
	for _, f := range list {
		w.Put(`
	UFUNCTION(BlueprintCallable, Category = "SpacetimeDB|‹Kind›")
	static F‹P›‹Kind› ‹V›(const ‹Args›& Value) { return F‹P›‹Kind›::‹V›(Value); }

	UFUNCTION(BlueprintPure, Category = "SpacetimeDB|‹Kind›")
	static bool Is‹V›(const F‹P›‹Kind›& Value) { return Value.Is‹V›(); }

	UFUNCTION(BlueprintPure, Category = "SpacetimeDB|‹Kind›")
	static ‹Args› GetAs‹V›(const F‹P›‹Kind›& Value) { return Value.GetAs‹V›(); }

`, g.functionHoles(f, "Kind", kind, "V", callVariant(f))...)
	}
	w.Line("};")
}

// An eventVariant is one reason why callbacks on rows run.
type eventVariant struct{ name, payload string }

func (g *generator) eventVariants() []eventVariant {
	list := []eventVariant{{"Reducer", "F" + g.prefix + "Reducer"}, {"SubscribeApplied", unit}, {"UnsubscribeApplied", unit}, {"Disconnected", unit}}
	if g.has.v2 {
		list = append(list, eventVariant{"Transaction", unit})
	}
	return append(list, eventVariant{"SubscribeError", "FString"}, eventVariant{"UnknownTransaction", unit})
}

const unit = "FSpacetimeDBUnit"

// events writes what the contexts of callbacks hold.
func (g *generator) events(w *source.Writer) {
	fields := func(class string, pairs ...string) {
		var equal []string
		for i := 0; i < len(pairs); i += 2 {
			w.Put(`

	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "SpacetimeDB")
	‹T› ‹Name›;
`, "T", pairs[i], "Name", pairs[i+1])
			equal = append(equal, pairs[i+1]+" == Other."+pairs[i+1])
		}
		w.Put(`

	bool operator==(const ‹Class›& Other) const
	{
		return ‹equal›;
	}
	bool operator!=(const ‹Class›& Other) const { return !(*this == Other); }
`, "Class", class, "equal", strings.Join(equal, " && "))
	}
	w.Put(`

USTRUCT(BlueprintType)
struct ‹API› F‹M›ReducerEvent
{
	GENERATED_BODY()
`, g.holes()...)
	fields("F"+g.module+"ReducerEvent", "FSpacetimeDBTimestamp", "Timestamp", "FSpacetimeDBStatus", "Status", "FSpacetimeDBIdentity", "CallerIdentity",
		"FSpacetimeDBConnectionId", "CallerConnectionId", "FEnergyQuantaType", "EnergyConsumed", "F"+g.prefix+"Reducer", "Reducer")
	w.Line("};")
	if g.has.procedures {
		w.Put(`

USTRUCT(BlueprintType)
struct ‹API› F‹M›ProcedureEvent
{
	GENERATED_BODY()
`, g.holes()...)
		fields("F"+g.module+"ProcedureEvent", "FSpacetimeDBTimestamp", "Timestamp", "FSpacetimeDBProcedureStatus", "Status", "FSpacetimeDBTimeDuration", "TotalHostExecutionDuration")
		w.Put(`

	F‹M›ProcedureEvent() {}
	F‹M›ProcedureEvent(FProcedureEvent Event)
	{
		Timestamp = Event.Timestamp;
		Status = FSpacetimeDBProcedureStatus::FromStatus(Event.Status);
		TotalHostExecutionDuration = Event.TotalHostExecutionDuration;
	}
};
`, g.holes()...)
	}
	g.eventStruct(w)
}

func (g *generator) eventStruct(w *source.Writer) {
	class := "F" + g.module + "Event"
	w.Put(`

/** Why a row callback runs. */
USTRUCT(BlueprintType)
struct ‹API› ‹Class›
{
	GENERATED_BODY()

	TVariant<F‹P›Reducer, FSpacetimeDBUnit, FString> MessageData;

	UPROPERTY(BlueprintReadOnly, Category = "SpacetimeDB")
	ESpacetimeDBEventTag Tag = ESpacetimeDBEventTag::UnknownTransaction;
`, g.holes("Class", class)...)
	for _, v := range g.eventVariants() {
		g.variantMembers(w, class, "ESpacetimeDBEventTag", v.name, v.payload)
	}
	w.Put(`

	bool operator==(const ‹Class›& Other) const
	{
		if (Tag != Other.Tag) return false;
		switch (Tag)
		{
`, "Class", class)
	for _, v := range g.eventVariants() {
		w.Put("\t\tcase ESpacetimeDBEventTag::‹V›: return GetAs‹V›() == Other.GetAs‹V›();\n", "V", v.name)
	}
	w.Put(`
		default: return false;
		}
	}
	bool operator!=(const ‹Class›& Other) const { return !(*this == Other); }
};

UCLASS()
class ‹API› U‹M›EventBpLib : public UBlueprintFunctionLibrary
{
	GENERATED_BODY()

private:
`, g.holes("Class", class)...)
	for _, v := range g.eventVariants() {
		w.Put(`
	UFUNCTION(BlueprintCallable, Category = "SpacetimeDB|‹M›Event")
	static ‹Class› ‹V›(const ‹T›& InValue) { return ‹Class›::‹V›(InValue); }

	UFUNCTION(BlueprintPure, Category = "SpacetimeDB|‹M›Event")
	static bool Is‹V›(const ‹Class›& Event) { return Event.Is‹V›(); }

	UFUNCTION(BlueprintPure, Category = "SpacetimeDB|‹M›Event")
	static ‹T› GetAs‹V›(const ‹Class›& Event) { return Event.GetAs‹V›(); }

`, g.holes("Class", class, "V", v.name, "T", v.payload)...)
	}
	w.Line("};")
}
