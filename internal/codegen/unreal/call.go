package unreal

import (
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/codegen/source"
)

// delegateLimit is how many parameters of a reducer its dynamic delegate takes
// beside the context; with more it takes the struct of arguments.
const delegateLimit = 8

var counts = [...]string{"", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine"}

// delegate returns the ending of a delegate macro with n parameters.
func delegate(n int) string {
	if n == 1 {
		return "OneParam"
	}
	return counts[n] + "Params"
}

func (g *generator) functionHoles(f *model.Function, more ...string) []string {
	name := pascal(f.Accessor)
	params, list, members, values := []string{}, []string{}, []string{}, []string{}
	for _, p := range f.Params {
		params = append(params, g.argument(p.Use)+" "+param(p.Name))
		list = append(list, param(p.Name))
		members = append(members, "Args."+pascal(p.Name))
		values = append(values, "Args->"+pascal(p.Name))
	}
	construct := "F" + g.prefix + name + "Args CallArgs"
	if len(list) > 0 {
		construct += "(" + strings.Join(list, ", ") + ")"
	} else {
		construct += "{}"
	}
	broadcast := append([]string{"Context"}, members...)
	if len(f.Params) > delegateLimit {
		broadcast = []string{"Context", "Args"}
	}
	return g.holes(append(more, "F", name, "Args", "F"+g.prefix+name+"Args", "params", strings.Join(params, ", "), "list", strings.Join(list, ", "),
		"construct", construct, "broadcast", strings.Join(broadcast, ", "), "values", strings.Join(values, ", "), "c", quote(f.Name))...)
}

func (g *generator) reducerBase() {
	w := g.header(g.prefix+"ReducerBase", "", nil)
	w.Put(`

UCLASS(Abstract, BlueprintType)
class ‹API› U‹P›ReducerBase : public UObject
{
	GENERATED_BODY()

public:
	virtual ~U‹P›ReducerBase() = default;
};
`, g.holes()...)
	g.add("Public", g.prefix+"ReducerBase.g.h", w)
}

func (g *generator) reducerHeader(f *model.Function) {
	name := g.prefix + pascal(f.Accessor)
	w := g.header(name, "", append(g.includes(usesOf(f.Params)...), "ModuleBindings/"+g.prefix+"ReducerBase.g.h"))
	g.args(w, f)
	w.Put(`

UCLASS(BlueprintType)
class ‹API› U‹P›‹F›Reducer : public U‹P›ReducerBase
{
	GENERATED_BODY()

public:
`, g.functionHoles(f)...)
	w.Indent(1)
	for _, p := range f.Params {
		property(w, "BlueprintReadOnly", p.Use)
		w.Line("%s %s%s;", g.use(p.Use), pascal(p.Name), g.initial(p.Use))
	}
	w.Indent(-1)
	w.Line("};")
	g.add("Public", "Reducers/"+name+".g.h", w)
}

func (g *generator) procedureHeader(f *model.Function) {
	name := g.prefix + pascal(f.Accessor)
	w := g.header(name, "", g.includes(append(usesOf(f.Params), f.Return)...))
	g.args(w, f)
	g.add("Public", "Procedures/"+name+".g.h", w)
}

// args writes the struct that goes over the wire when f is called.
func (g *generator) args(w *source.Writer, f *model.Function) {
	class := "F" + g.prefix + pascal(f.Accessor) + "Args"
	w.Put(`

USTRUCT(BlueprintType)
struct ‹API› ‹Args›
{
	GENERATED_BODY()

`, g.functionHoles(f)...)
	w.Indent(1)
	params, inits := []string{}, []string{}
	for _, p := range f.Params {
		name := pascal(p.Name)
		property(w, "BlueprintReadWrite", p.Use)
		w.Line("%s %s%s;", g.use(p.Use), name, g.initial(p.Use))
		w.Line("")
		params = append(params, "const "+g.use(p.Use)+"& In"+name)
		inits = append(inits, name+"(In"+name+")")
	}
	w.Line("%s() = default;", class)
	if len(params) > 0 {
		w.Line("%s(%s) : %s {}", class, strings.Join(params, ", "), strings.Join(inits, ", "))
	}
	w.Line("")
	w.Indent(-1)
	g.equality(w, class, f.Params)
	w.Put(`
};

namespace UE::SpacetimeDB
{
`)
	w.Indent(1)
	g.serialize(w, class, f.Params)
	w.Indent(-1)
	w.Line("}")
}

// reducerMembers writes what URemoteReducers has of one reducer.
func (g *generator) reducerMembers(w *source.Writer, f *model.Function) {
	holes := g.functionHoles(f)
	known := allBlueprint(f.Params)
	if len(f.Params) > delegateLimit {
		w.Put(`
	DECLARE_DYNAMIC_MULTICAST_DELEGATE_TwoParams(
		F‹P›‹F›Handler,
		const F‹P›ReducerEventContext&, Context,
		const ‹Args›&, Args);
`, holes...)
		known = true
	} else {
		w.Put("\tDECLARE_DYNAMIC_MULTICAST_DELEGATE_"+delegate(len(f.Params)+1)+"(\n\t\tF‹P›‹F›Handler,\n", holes...)
		list := []string{"const F" + g.prefix + "ReducerEventContext&, Context"}
		for _, p := range f.Params {
			list = append(list, g.delegateArgument(p.Use)+", "+param(p.Name))
		}
		w.Put("\t\t" + strings.Join(list, ",\n\t\t") + ");\n")
	}
	assignable := ""
	if known {
		assignable = "\tUPROPERTY(BlueprintAssignable, Category = \"SpacetimeDB\")\n"
	}
	w.Put(`

`+assignable+`	F‹P›‹F›Handler On‹F›;

`, holes...)
	if f.Lifecycle == 0 {
		if allBlueprint(f.Params) {
			w.Put("\tUFUNCTION(BlueprintCallable, Category = \"SpacetimeDB\")\n")
		}
		w.Put("\tvoid ‹F›(‹params›);\n\n", holes...)
	}
	w.Put(`
	bool Invoke‹F›(const F‹P›ReducerEventContext& Context, const U‹P›‹F›Reducer* Args);
	bool Invoke‹F›WithArgs(const F‹P›ReducerEventContext& Context, const ‹Args›& Args);

`, holes...)
}

// reducerSource writes how one reducer is called, and who hears of it.
func (g *generator) reducerSource(w *source.Writer, f *model.Function) {
	holes := g.functionHoles(f)
	if f.Lifecycle == 0 {
		call := `
	const uint32 CallId = this->Conn->CallReducerTyped(TEXT(‹c›), CallArgs);
	if (CallId != 0)
	{
		this->Conn->RegisterPendingTypedReducer(CallId, F‹P›Reducer::‹F›(CallArgs));
	}
`
		if !g.has.v2 {
			call = "\n\tthis->Conn->CallReducerTyped(TEXT(‹c›), CallArgs, SetCallReducerFlags);\n"
		}
		w.Put(`

void U‹P›RemoteReducers::‹F›(‹params›)
{
	if (!this->Conn)
	{
		return;
	}
	const ‹construct›;
`+call[1:]+`}
`, holes...)
	}
	w.Put(`

bool U‹P›RemoteReducers::Invoke‹F›WithArgs(const F‹P›ReducerEventContext& Context, const ‹Args›& Args)
{
	if (!On‹F›.IsBound())
	{
		if (Context.Event.Status.IsFailed())
		{
			InternalOnUnhandledReducerError.Broadcast(Context, Context.Event.Status.GetAsFailed());
		}
		return false;
	}
	On‹F›.Broadcast(‹broadcast›);
	return true;
}

bool U‹P›RemoteReducers::Invoke‹F›(const F‹P›ReducerEventContext& Context, const U‹P›‹F›Reducer* Args)
{
	return Invoke‹F›WithArgs(Context, ‹Args›(‹values›));
}
`, holes...)
}

// procedureDelegate writes the type of the callback of one procedure. It stands
// outside of URemoteProcedures, where users name it.
func (g *generator) procedureDelegate(w *source.Writer, f *model.Function) {
	pattern := "\nDECLARE_DELEGATE_ThreeParams(F‹P›On‹F›Complete, const F‹P›ProcedureEventContext&, ‹R›, bool);\n"
	if blueprint(f.Return) {
		pattern = `

DECLARE_DYNAMIC_DELEGATE_ThreeParams(
	F‹P›On‹F›Complete,
	const F‹P›ProcedureEventContext&, Context,
	‹R›, Result,
	bool, bSuccess);
`
	}
	w.Put(pattern, g.functionHoles(f, "R", g.delegateArgument(f.Return))...)
}

// procedureMembers writes what URemoteProcedures has of one procedure.
func (g *generator) procedureMembers(w *source.Writer, f *model.Function) {
	if blueprint(f.Return) && allBlueprint(f.Params) {
		w.Put("\tUFUNCTION(BlueprintCallable, Category = \"SpacetimeDB\")\n")
	}
	w.Put("\tvoid ‹F›(‹params›‹comma›F‹P›On‹F›Complete Callback);\n\n", g.functionHoles(f, "comma", comma(f.Params))...)
}

func comma(params []model.Field) string {
	if len(params) == 0 {
		return ""
	}
	return ", "
}

func (g *generator) procedureSource(w *source.Writer, f *model.Function) {
	w.Put(`

void U‹P›RemoteProcedures::‹F›(‹params›‹comma›F‹P›On‹F›Complete Callback)
{
	if (!this->Conn)
	{
		return;
	}
	const ‹construct›;
	FOnProcedureCompleteDelegate Wrapper;
	Wrapper.BindLambda([This = this->Conn, Callback](const FSpacetimeDBEvent& Event, const TArray<uint8>& ResultData, bool bSuccess)
	{
		‹R› Result{};
		if (bSuccess)
		{
			Result = UE::SpacetimeDB::Deserialize<‹R›>(ResultData);
		}
		const F‹P›ProcedureEventContext Context(This, F‹M›ProcedureEvent(Event.GetAsProcedure()));
		Callback.ExecuteIfBound(Context, Result, bSuccess);
	});
	this->Conn->CallProcedureTyped(TEXT(‹c›), CallArgs, Wrapper);
}
`, g.functionHoles(f, "R", g.use(f.Return), "comma", comma(f.Params))...)
}
