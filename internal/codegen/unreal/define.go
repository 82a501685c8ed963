package unreal

import (
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/codegen/source"
)

// macroLimit is how many fields or variants the plugin's macros take.
const macroLimit = 30

func (g *generator) typeFile(t *model.Type) {
	file := g.names[t] + "Type"
	own := "ModuleBindings/Types/" + file + ".g.h"
	includes := slices.DeleteFunc(g.includes(usesOf(t.Fields)...), func(s string) bool { return s == own })
	if t.Shape == model.Sum {
		includes = append(includes, "Kismet/BlueprintFunctionLibrary.h")
	}
	w := g.header(file, "", includes)
	switch t.Shape {
	case model.Product:
		g.product(w, t)
	case model.PlainEnum:
		g.plainEnum(w, t)
	case model.Sum:
		g.sum(w, t)
	}
	g.add("Public", "Types/"+file+".g.h", w)
}

// property writes the reflection macro of a member, if Blueprint knows its type.
func property(w *source.Writer, specifiers string, u *model.Use) {
	if blueprint(u) {
		w.Line("UPROPERTY(%s, Category = \"SpacetimeDB\")", specifiers)
	}
}

func (g *generator) product(w *source.Writer, t *model.Type) {
	class := g.class(t)
	w.Put(`

USTRUCT(BlueprintType)
struct ‹API› ‹Class›
{
	GENERATED_BODY()

`, g.holes("Class", class)...)
	w.Indent(1)
	for _, f := range t.Fields {
		if f.Use.Kind != model.Array || f.Use.Elem.Kind != model.Ref || f.Use.Elem.Type != t { // UHT refuses a struct in itself
			property(w, "EditAnywhere, BlueprintReadWrite", f.Use)
		}
		w.Line("%s %s%s;", g.use(f.Use), pascal(f.Name), g.initial(f.Use))
		w.Line("")
	}
	w.Indent(-1)
	g.equality(w, class, t.Fields)
	w.Line("};")
	w.Line("")
	w.Line("inline uint32 GetTypeHash(const %s& Row)", class)
	w.Open("{")
	switch n := len(t.Fields); n {
	case 0:
		w.Line("return 0;")
	case 1:
		w.Line("return GetTypeHash(Row.%s);", pascal(t.Fields[0].Name))
	default:
		w.Line("uint32 Hash = GetTypeHash(Row.%s);", pascal(t.Fields[0].Name))
		for _, f := range t.Fields[1 : n-1] {
			w.Line("Hash = HashCombine(Hash, GetTypeHash(Row.%s));", pascal(f.Name))
		}
		w.Line("return HashCombine(Hash, GetTypeHash(Row.%s));", pascal(t.Fields[n-1].Name))
	}
	w.Close("}")
	w.Line("")
	w.Line("namespace UE::SpacetimeDB")
	w.Open("{")
	w.Line("UE_SPACETIMEDB_ENABLE_TARRAY(%s);", class)
	g.serialize(w, class, t.Fields)
	w.Close("}")
}

// equality writes both operators of a struct with these fields.
func (g *generator) equality(w *source.Writer, class string, fields []model.Field) {
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = pascal(f.Name) + " == Other." + pascal(f.Name)
	}
	if len(parts) == 0 {
		parts = append(parts, "true")
	}
	w.Put(`
	bool operator==(const ‹Class›& Other) const
	{
		return ‹parts›;
	}
	bool operator!=(const ‹Class›& Other) const { return !(*this == Other); }
`, "Class", class, "parts", strings.Join(parts, " && "))
}

// serialize writes how a struct goes over the wire: by the plugin's macro, or
// without it where the fields are too many.
func (g *generator) serialize(w *source.Writer, class string, fields []model.Field) {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = pascal(f.Name)
	}
	switch {
	case len(fields) == 0:
		w.Line("UE_SPACETIMEDB_STRUCT_EMPTY(%s);", class)
	case len(fields) <= macroLimit:
		w.Line("UE_SPACETIMEDB_STRUCT(%s, %s);", class, strings.Join(names, ", "))
	default:
		w.Line("template<> inline void serialize<%s>(UEWriter& w, const %s& v)", class, class)
		w.Open("{")
		for _, n := range names {
			w.Line("serialize(w, v.%s);", n)
		}
		w.Close("}")
		w.Line("")
		w.Line("template<> inline %s deserialize<%s>(UEReader& r)", class, class)
		w.Open("{")
		w.Line("%s v;", class)
		for _, n := range names {
			w.Line("v.%s = deserialize<decltype(v.%s)>(r);", n, n)
		}
		w.Line("return v;")
		w.Close("}")
	}
}

func (g *generator) plainEnum(w *source.Writer, t *model.Type) {
	w.Line("")
	w.Line("UENUM(BlueprintType)")
	w.Line("enum class %s : uint8", g.class(t))
	w.Open("{")
	for _, f := range t.Fields {
		w.Line("%s,", pascal(f.Name))
	}
	if len(t.Fields) == 0 {
		w.Line("None // the type has no values; an enum needs one")
	}
	w.Close("};")
	w.Put(`

namespace UE::SpacetimeDB
{
	UE_SPACETIMEDB_ENABLE_TARRAY(‹Class›);
}
`, "Class", g.class(t))
}

// payloads returns the distinct types of variants, each where it comes first.
func (g *generator) payloads(fields []model.Field) (list []string) {
	for _, f := range fields {
		if u := g.use(f.Use); !slices.Contains(list, u) {
			list = append(list, u)
		}
	}
	return list
}

func (g *generator) sum(w *source.Writer, t *model.Type) {
	class, tag := g.class(t), "E"+g.names[t]+"Tag"
	w.Line("")
	w.Line("UENUM(BlueprintType)")
	w.Line("enum class %s : uint8", tag)
	w.Open("{")
	for _, f := range t.Fields {
		w.Line("%s,", variant(f.Name))
	}
	w.Close("};")
	w.Put(`

USTRUCT(BlueprintType)
struct ‹API› ‹Class›
{
	GENERATED_BODY()

	‹Class›() = default;

	TVariant<‹payloads›> MessageData;

	UPROPERTY(BlueprintReadOnly, Category = "SpacetimeDB")
	‹Tag› Tag = static_cast<‹Tag›>(0);
`, g.holes("Class", class, "Tag", tag, "payloads", strings.Join(g.payloads(t.Fields), ", "))...)
	for _, f := range t.Fields {
		g.variantMembers(w, class, tag, variant(f.Name), g.use(f.Use))
	}
	w.Put(`

	bool operator==(const ‹Class›& Other) const
	{
		if (Tag != Other.Tag) return false;
		switch (Tag)
		{
`, "Class", class)
	for _, f := range t.Fields {
		w.Put("\t\tcase ‹Tag›::‹V›: return GetAs‹V›() == Other.GetAs‹V›();\n", "Tag", tag, "V", variant(f.Name))
	}
	w.Put(`
		default: return false;
		}
	}
	bool operator!=(const ‹Class›& Other) const { return !(*this == Other); }
};

inline uint32 GetTypeHash(const ‹Class›& Value)
{
	const uint32 TagHash = GetTypeHash(static_cast<uint8>(Value.Tag));
	switch (Value.Tag)
	{
`, "Class", class)
	for _, f := range t.Fields {
		w.Put("\tcase ‹Tag›::‹V›: return HashCombine(TagHash, GetTypeHash(Value.GetAs‹V›()));\n", "Tag", tag, "V", variant(f.Name))
	}
	w.Put(`
	default: return TagHash;
	}
}

namespace UE::SpacetimeDB
{
	UE_SPACETIMEDB_ENABLE_TARRAY(‹Class›);
`, "Class", class)
	g.serializeSum(w, class, tag, t.Fields)
	w.Line("}")
	g.library(w, g.names[t], class, t.Fields)
}

// variantMembers writes the factory and the accessors of a variant.
func (g *generator) variantMembers(w *source.Writer, class, tag, v, payload string) {
	w.Put(`

	static ‹Class› ‹V›(const ‹T›& Value)
	{
		‹Class› Out;
		Out.Tag = ‹Tag›::‹V›;
		Out.MessageData.Set<‹T›>(Value);
		return Out;
	}
	bool Is‹V›() const { return Tag == ‹Tag›::‹V›; }
	‹T› GetAs‹V›() const { return MessageData.Get<‹T›>(); }
`, "Class", class, "Tag", tag, "V", v, "T", payload)
}

func (g *generator) serializeSum(w *source.Writer, class, tag string, fields []model.Field) {
	if len(fields) <= macroLimit {
		list := []string{class, tag, "MessageData"}
		for _, f := range fields {
			list = append(list, variant(f.Name), g.use(f.Use))
		}
		w.Line("\tUE_SPACETIMEDB_TAGGED_ENUM(%s);", strings.Join(list, ", "))
		return
	}
	pairs := []string{"Class", class, "Tag", tag}
	w.Put(`
	template<> inline void serialize<‹Class›>(UEWriter& w, const ‹Class›& v)
	{
		serialize(w, static_cast<uint8>(v.Tag));
		switch (v.Tag)
		{
`, pairs...)
	for _, f := range fields {
		w.Put("\t\tcase ‹Tag›::‹V›: serialize(w, v.GetAs‹V›()); break;\n", append(pairs, "V", variant(f.Name))...)
	}
	w.Put(`
		default: break;
		}
	}

	template<> inline ‹Class› deserialize<‹Class›>(UEReader& r)
	{
		switch (static_cast<‹Tag›>(deserialize<uint8>(r)))
		{
`, pairs...)
	for _, f := range fields {
		w.Put("\t\tcase ‹Tag›::‹V›: return ‹Class›::‹V›(deserialize<‹T›>(r));\n", append(pairs, "V", variant(f.Name), "T", g.use(f.Use))...)
	}
	w.Put(`
		default: return ‹Class›();
		}
	}
`, pairs...)
}

// library writes what Blueprint needs to make and read a tagged struct.
func (g *generator) library(w *source.Writer, name, class string, fields []model.Field) {
	w.Put(`

UCLASS()
class ‹API› U‹Name›BpLib : public UBlueprintFunctionLibrary
{
	GENERATED_BODY()

private:
`, g.holes("Name", name)...)
	for i, f := range fields {
		pairs := []string{"Class", class, "V", variant(f.Name), "T", g.use(f.Use), "Name", name}
		if i > 0 {
			w.Line("")
		}
		if blueprint(f.Use) {
			w.Put(`
	UFUNCTION(BlueprintCallable, Category = "SpacetimeDB|‹Name›")
	static ‹Class› ‹V›(const ‹T›& InValue) { return ‹Class›::‹V›(InValue); }

	UFUNCTION(BlueprintPure, Category = "SpacetimeDB|‹Name›")
	static ‹T› GetAs‹V›(const ‹Class›& InValue) { return InValue.GetAs‹V›(); }

`, pairs...)
		}
		w.Put(`
	UFUNCTION(BlueprintPure, Category = "SpacetimeDB|‹Name›")
	static bool Is‹V›(const ‹Class›& InValue) { return InValue.Is‹V›(); }
`, pairs...)
	}
	w.Line("};")
}
