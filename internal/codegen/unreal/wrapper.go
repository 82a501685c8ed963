package unreal

import (
	"maps"
	"slices"

	"github.com/stdbgo/spacetime/internal/codegen/model"
)

// Options and results are structs of their own, one per type that they are of.

func (g *generator) findWrappers() {
	var note func(*model.Use)
	note = func(u *model.Use) {
		if u == nil {
			return
		}
		note(u.Elem)
		note(u.Err)
		if u.Kind == model.Option || u.Kind == model.Result {
			g.wrappers[g.use(u)] = u
		}
	}
	fields := func(list []model.Field) {
		for _, f := range list {
			note(f.Use)
		}
	}
	for _, t := range g.root.Types {
		fields(t.Fields)
	}
	for _, f := range g.root.Reducers {
		fields(f.Params)
	}
	for _, f := range g.procedures() {
		fields(f.Params)
		note(f.Return)
	}
}

func (g *generator) wrapperNames() []string { return slices.Sorted(maps.Keys(g.wrappers)) }

// wrapperInclude returns the header of an option or a result.
func (g *generator) wrapperInclude(u *model.Use) string {
	dir := "Optionals/"
	if u.Kind == model.Result {
		dir = "Results/"
	}
	return "ModuleBindings/" + dir + g.use(u)[1:] + ".g.h"
}

func (g *generator) wrapperFile(class string, u *model.Use) {
	if u.Kind == model.Option {
		g.option(class, u)
	} else {
		g.result(class, u)
	}
}

func (g *generator) option(class string, u *model.Use) {
	w := g.header(class[1:], "", g.includes(u.Elem))
	initial := g.initial(u.Elem)
	if initial == "" {
		initial = " = {}"
	}
	property := ""
	if blueprint(u.Elem) {
		property = "\tUPROPERTY(EditAnywhere, BlueprintReadWrite, Category = \"SpacetimeDB\", meta = (EditCondition = \"bHasValue\"))\n"
	}
	w.Put(`

USTRUCT(BlueprintType)
struct ‹API› ‹Class›
{
	GENERATED_BODY()

	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "SpacetimeDB")
	bool bHasValue = false;

`+property+`	‹T› Value‹initial›;

	‹Class›() = default;
	explicit ‹Class›(const ‹T›& InValue) : bHasValue(true), Value(InValue) {}

	bool IsSet() const { return bHasValue; }
	void Reset() { bHasValue = false; }

	bool operator==(const ‹Class›& Other) const
	{
		return bHasValue == Other.bHasValue && (!bHasValue || Value == Other.Value);
	}
	bool operator!=(const ‹Class›& Other) const { return !(*this == Other); }
};

inline uint32 GetTypeHash(const ‹Class›& Opt)
{
	return Opt.bHasValue ? HashCombine(1u, GetTypeHash(Opt.Value)) : 0u;
}

namespace UE::SpacetimeDB
{
	UE_SPACETIMEDB_ENABLE_TARRAY(‹Class›);
	UE_SPACETIMEDB_OPTIONAL(‹Class›, bHasValue, Value);
}
`, g.holes("Class", class, "T", g.use(u.Elem), "initial", initial)...)
	g.add("Public", "Optionals/"+class[1:]+".g.h", w)
}

func (g *generator) result(class string, u *model.Use) {
	w := g.header(class[1:], "", g.includes(u.Elem, u.Err))
	property := func(u *model.Use) string {
		if !blueprint(u) {
			return ""
		}
		return "\tUPROPERTY(EditAnywhere, BlueprintReadWrite, Category = \"SpacetimeDB\")\n"
	}
	w.Put(`

USTRUCT(BlueprintType)
struct ‹API› ‹Class›
{
	GENERATED_BODY()

	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "SpacetimeDB")
	bool bIsOk = true;

`+property(u.Elem)+`	‹T› OkValue‹okInitial›;

`+property(u.Err)+`	‹E› ErrValue‹errInitial›;

	static ‹Class› Ok(const ‹T›& Value)
	{
		‹Class› Out;
		Out.bIsOk = true;
		Out.OkValue = Value;
		return Out;
	}
	static ‹Class› Err(const ‹E›& Value)
	{
		‹Class› Out;
		Out.bIsOk = false;
		Out.ErrValue = Value;
		return Out;
	}

	bool IsOk() const { return bIsOk; }
	bool IsErr() const { return !bIsOk; }
	const ‹T›& GetOk() const { return OkValue; }
	const ‹E›& GetErr() const { return ErrValue; }

	bool operator==(const ‹Class›& Other) const
	{
		return bIsOk == Other.bIsOk && (bIsOk ? OkValue == Other.OkValue : ErrValue == Other.ErrValue);
	}
	bool operator!=(const ‹Class›& Other) const { return !(*this == Other); }
};

inline uint32 GetTypeHash(const ‹Class›& Value)
{
	return Value.bIsOk ? HashCombine(1u, GetTypeHash(Value.OkValue)) : HashCombine(2u, GetTypeHash(Value.ErrValue));
}

namespace UE::SpacetimeDB
{
	UE_SPACETIMEDB_ENABLE_TARRAY(‹Class›);
	UE_SPACETIMEDB_RESULT(‹Class›, bIsOk, OkValue, ErrValue);
}
`, g.holes("Class", class, "T", g.use(u.Elem), "E", g.use(u.Err), "okInitial", g.initial(u.Elem), "errInitial", g.initial(u.Err))...)
	g.add("Public", "Results/"+class[1:]+".g.h", w)
}
