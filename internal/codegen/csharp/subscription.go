package csharp

import (
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/source"
)

const actions = `    private global::System.Action<SubscriptionEventContext>? applied;
    private global::System.Action<ErrorContext, global::System.Exception>? error;
`

// callbacks are the methods of both builders.
const callbacks = `
    public ‹Builder› OnApplied(global::System.Action<SubscriptionEventContext> callback)
    {
        applied += callback;
        return this;
    }

    public ‹Builder› OnError(global::System.Action<ErrorContext, global::System.Exception> callback)
    {
        error += callback;
        return this;
    }
`

func (g *generator) subscriptions(w *source.Writer) {
	w.Put(`

public sealed class SubscriptionHandle : SubscriptionHandleBase<SubscriptionEventContext, ErrorContext>
{
    public SubscriptionHandle(
        ‹IDbConnection› conn,
        global::System.Action<SubscriptionEventContext>? onApplied,
        global::System.Action<ErrorContext, global::System.Exception>? onError,
        string[] querySqls
    ) : base(conn, onApplied, onError, querySqls) { }
`, g.pairs()...)
	if !g.has.v2 {
		w.Put(`

    public SubscriptionHandle(
        ‹IDbConnection› conn,
        global::System.Action<SubscriptionEventContext>? onApplied,
        string[] querySqls
    ) : base(conn, onApplied, querySqls) { }
`, g.pairs()...)
	}
	w.Put(`
}

public sealed class SubscriptionBuilder
{
    private readonly ‹IDbConnection› conn;
`+actions+`
    public SubscriptionBuilder(‹IDbConnection› conn)
    {
        this.conn = conn;
    }
`+callbacks, g.pairs("Builder", "SubscriptionBuilder")...)
	if g.has.queries {
		w.Put(`

    public TypedSubscriptionBuilder AddQuery<TRow>(global::System.Func<QueryBuilder, ‹Query›<TRow>> build) =>
        new TypedSubscriptionBuilder(conn, applied, error).AddQuery(build);
`, "Query", g.queryType())
	}
	all := `
    public SubscriptionHandle SubscribeToAllTables() => new(conn, applied, error, QueryBuilder.AllTablesSqlQueries());
`
	if !g.has.v2 {
		all = `
    public void SubscribeToAllTables() => new SubscriptionHandle(conn, applied, new string[] { "SELECT * FROM *" });
`
	}
	w.Put(`

    public SubscriptionHandle Subscribe(string[] querySqls) => new(conn, applied, error, querySqls);
` + all + `}
`)
	if g.has.queries {
		g.typedBuilder(w)
	}
}

// queryType is the SDK's type of finished queries.
func (g *generator) queryType() string {
	if g.has.v2 {
		return "global::SpacetimeDB.IQuery"
	}
	return "global::SpacetimeDB.Query"
}

func (g *generator) typedBuilder(w *source.Writer) {
	w.Put(`

public sealed class TypedSubscriptionBuilder
{
    private readonly ‹IDbConnection› conn;
`+actions+`    private readonly global::System.Collections.Generic.List<string> querySqls = new();

    internal TypedSubscriptionBuilder(
        ‹IDbConnection› conn,
        global::System.Action<SubscriptionEventContext>? applied,
        global::System.Action<ErrorContext, global::System.Exception>? error
    )
    {
        this.conn = conn;
        this.applied = applied;
        this.error = error;
    }
`+callbacks+`
    public TypedSubscriptionBuilder AddQuery<TRow>(global::System.Func<QueryBuilder, ‹Query›<TRow>> build)
    {
        querySqls.Add(build(new QueryBuilder()).ToSql());
        return this;
    }

    public SubscriptionHandle Subscribe() => new(conn, applied, error, querySqls.ToArray());
}
`, g.pairs("Builder", "TypedSubscriptionBuilder", "Query", g.queryType())...)
}

// queryBuilder writes where typed queries begin.
func (g *generator) queryBuilder(w *source.Writer) {
	w.Put(`

public sealed class QueryBuilder
{
    public From From { get; } = new();
`)
	if g.has.v2 {
		var all []string
		for _, t := range g.root.Combined() {
			if len(t.Params) == 0 {
				all = append(all, "all."+member("From", t.Accessor)+"().ToSql()")
			}
		}
		w.Put(`

    internal static string[] AllTablesSqlQueries()
    {
        var all = new From();
        return new string[] { ‹all› };
    }
`, "all", strings.Join(all, ", "))
	}
	w.Put(`
}

public sealed class From
{
`)
	first := true
	for _, t := range g.root.Combined() {
		if len(t.Params) > 0 {
			continue // a call, which is subscribed to as SQL text
		}
		if !first {
			w.Line("")
		}
		first = false
		w.Put(`
    public global::SpacetimeDB.Table<‹Row›, ‹P›Cols, ‹P›IxCols> ‹Name›() =>
        new(‹c›, new ‹P›Cols(‹c›), new ‹P›IxCols(‹c›));
`, "Row", g.ref(t.Row), "P", pascal(t.Accessor), "Name", member("From", t.Accessor), "c", quote(t.Name))
	}
	w.Line("}")
}
