package csharp

import (
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/codegen/source"
)

// params returns "A a, B b".
func (g *generator) params(fields []model.Field) []string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = g.use(f.Use) + " " + camel(f.Name)
	}
	return list
}

// names returns "a, b".
func names(fields []model.Field) string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = camel(f.Name)
	}
	return strings.Join(list, ", ")
}

func (g *generator) reducerFile(f *model.Function) *source.Writer {
	w := g.file("")
	p, class := pascal(f.Accessor), functionClass("Reducer", f)
	context := own("ctx", f.Params)
	arguments := []string{"ctx"}
	for _, param := range f.Params {
		arguments = append(arguments, "args."+member(class, param.Name))
	}
	pairs := []string{
		"F", p, "Class", class, "Base", g.sdkType("RemoteBase"), "list", names(f.Params),
		"params", strings.Join(g.params(f.Params), ", "),
		"handler", strings.Join(append([]string{"ReducerEventContext " + context}, g.params(f.Params)...), ", "),
		"arguments", strings.Join(arguments, ", "), "IReducerArgs", g.sdkType("IReducerArgs"), "c", quote(f.Name),
	}
	w.Put(`
public sealed partial class RemoteReducers : ‹Base›
{
    public delegate void ‹F›Handler(‹handler›);
    public event ‹F›Handler? On‹F›;
`, pairs...)
	switch {
	case f.Lifecycle != 0:
	case g.has.v2:
		w.Put(`

    public void ‹F›(‹params›) => conn.InternalCallReducer(new Reducer.‹Class›(‹list›));
`, pairs...)
	default:
		w.Put(`

    public void ‹F›(‹params›) =>
        conn.InternalCallReducer(new Reducer.‹Class›(‹list›), this.SetCallReducerFlags.‹F›Flags);
`, pairs...)
	}
	w.Put(`

    public bool Invoke‹F›(ReducerEventContext ctx, Reducer.‹Class› args)
    {
        if (On‹F› == null)
        {
            return InternalReportUnhandled(ctx);
        }
        On‹F›(‹arguments›);
        return true;
    }
}

public abstract partial class Reducer
{
    [SpacetimeDB.Type]
    [DataContract]
    public sealed partial class ‹Class› : Reducer, ‹IReducerArgs›
    {
`, pairs...)
	g.nested(w, class, f.Params)
	w.Put(`
        string ‹IReducerArgs›.ReducerName => ‹c›;
    }
}
`, pairs...)
	if !g.has.v2 && f.Lifecycle == 0 {
		w.Put(`

public sealed partial class SetReducerFlags
{
    internal ‹Flags› ‹F›Flags;
    public void ‹F›(‹Flags› flags) => ‹F›Flags = flags;
}
`, append(pairs, "Flags", g.flagsType())...)
	}
	w.Close("}")
	return w
}

// flagsType is the SDK's type of the flags of releases before 2.0.
func (g *generator) flagsType() string {
	if g.types["CallReducerFlags"] {
		return "global::SpacetimeDB.ClientApi.CallReducerFlags"
	}
	return "CallReducerFlags"
}

// nested writes the members of a class that stands inside another, and an empty
// line after them.
func (g *generator) nested(w *source.Writer, class string, fields []model.Field) {
	if len(fields) == 0 {
		return
	}
	inner := source.New("    ")
	g.members(inner, class, fields)
	for line := range strings.Lines(string(inner.Bytes())) {
		if line = strings.TrimSuffix(line, "\n"); line != "" {
			line = "        " + line
		}
		w.Line("%s", line)
	}
	w.Line("")
}

func (g *generator) procedureFile(f *model.Function) *source.Writer {
	w := g.file("")
	p, class := pascal(f.Accessor), functionClass("Procedure", f)
	callback := own("callback", f.Params)
	result := g.use(f.Return)
	params := append(g.params(f.Params), g.sdkType("ProcedureCallback")+"<"+result+"> "+callback)
	pairs := []string{
		"F", p, "Class", class, "Base", g.sdkType("RemoteBase"), "params", strings.Join(params, ", "), "list", names(f.Params),
		"Callback", g.sdkType("ProcedureCallback"), "Result", g.sdkType("ProcedureCallbackResult"), "R", result, "callback", callback,
		"IProcedureArgs", g.sdkType("IProcedureArgs"), "c", quote(f.Name),
	}
	w.Put(`
public sealed partial class RemoteProcedures : ‹Base›
{
    public void ‹F›(‹params›) =>
        conn.InternalCallProcedure(
            new Procedure.‹F›Args(‹list›),
            (‹Callback›<Procedure.‹Class›>)((__ctx, __result) =>
            {
                if (__result.IsSuccess && __result.Value != null)
                {
                    ‹callback›(__ctx, ‹Result›<‹R›>.Success(__result.Value.Value));
                }
                else
                {
                    ‹callback›(__ctx, ‹Result›<‹R›>.Failure(__result.Error!));
                }
            })
        );
}

public abstract partial class Procedure
{
    [SpacetimeDB.Type]
    [DataContract]
    public sealed partial class ‹Class›
    {
`, pairs...)
	inner := source.New("    ")
	g.members(inner, class, []model.Field{{Name: "Value", Use: f.Return}})
	for line := range strings.Lines(string(inner.Bytes())) {
		w.Line("%s", strings.TrimRight("        "+line, "\n"))
	}
	w.Put(`
    }

    [SpacetimeDB.Type]
    [DataContract]
    public sealed partial class ‹F›Args : Procedure, ‹IProcedureArgs›
    {
`, pairs...)
	g.nested(w, p+"Args", f.Params)
	w.Put(`
        string ‹IProcedureArgs›.ProcedureName => ‹c›;
    }
}
`, pairs...)
	w.Close("}")
	return w
}
