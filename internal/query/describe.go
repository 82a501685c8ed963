package query

import (
	"fmt"
	"strings"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// A drawing is the text of a plan. With aliases it is for users, and says how many
// rows it expects.
type drawing struct {
	strings.Builder
	tables  []*schema.Table
	aliases []string // of the relations of FROM; nil: tables by name and number
	cards   *estimates
}

func (w *drawing) line(depth int, op operator, format string, args ...any) {
	for range depth {
		w.WriteString("  ")
	}
	fmt.Fprintf(w, format, args...)
	if w.cards != nil && op != nil {
		rows, scanned := w.cards.of(op)
		fmt.Fprintf(w, " (rows %d, scanned %d)", rows, scanned)
	}
	w.WriteByte('\n')
}

// relation names a relation in expressions.
func (w *drawing) relation(rel int) string {
	if rel < len(w.aliases) {
		return w.aliases[rel]
	}
	return fmt.Sprintf("%s#%d", w.tables[rel].Name, rel)
}

func (w *drawing) leaf(l *leaf) string {
	name := w.relation(l.rel)
	if l.rel < len(w.aliases) && name != l.table.Name {
		name = l.table.Name + " AS " + name
	}
	switch l.ver {
	case before:
		return name + " before"
	case changes:
		return name + " changes"
	}
	return name
}

func (s *scan) describe(w *drawing, depth int) { w.line(depth, s, "scan %s", w.leaf(&s.leaf)) }

func (p *point) describe(w *drawing, depth int) {
	kind := "point"
	if p.index.Unique {
		kind = "unique point"
	}
	w.line(depth, p, "%s %s by %s%s", kind, w.leaf(&p.leaf), p.index.Name, w.parts(p.parts))
}

func (r *ranged) describe(w *drawing, depth int) {
	if r.walked {
		dir, where := "", ""
		if r.desc {
			dir = " backwards"
		}
		if len(r.used) > 0 {
			where = " where " + w.expr(And(r.used))
		}
		w.line(depth, r, "walk %s in the order of %s%s%s", w.leaf(&r.leaf), r.index.Name, dir, where)
		return
	}
	w.line(depth, r, "range %s by %s%s where %s", w.leaf(&r.leaf), r.index.Name, w.parts(r.prefix), w.expr(And(r.used)))
}

func (w *drawing) parts(parts []keyPart) string {
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = w.expr(p.value)
	}
	return "(" + strings.Join(texts, ", ") + ")"
}

func (o *filter) describe(w *drawing, depth int) {
	w.line(depth, o, "filter %s", w.expr(And(o.conds)))
	o.in.describe(w, depth+1)
}

func (o *nest) describe(w *drawing, depth int) {
	w.line(depth, o, "nest")
	o.outer.describe(w, depth+1)
	o.inner.describe(w, depth+1)
}

func (o *outerJoin) describe(w *drawing, depth int) {
	w.line(depth, o, "left join")
	o.outer.describe(w, depth+1)
	o.inner.describe(w, depth+1)
}

func (o *keep) describe(w *drawing, depth int) {
	w.line(depth, o, "keep")
	o.in.describe(w, depth+1)
}

func (o *keyed) describe(w *drawing, depth int) {
	w.line(depth, o, "keep by %s", w.pairs(o.ownKeys, o.askKeys))
	o.in.describe(w, depth+1)
}

func (o *hashJoin) describe(w *drawing, depth int) {
	w.line(depth, o, "hash join on %s", w.pairs(o.buildKeys, o.probeKeys))
	o.build.describe(w, depth+1)
	o.probe.describe(w, depth+1)
}

func (w *drawing) pairs(a, b []Expr) string {
	var on []string
	for i := range a {
		on = append(on, w.expr(&Compare{Eq, a[i], b[i]}))
	}
	return strings.Join(on, ", ")
}

func (o *given) describe(w *drawing, depth int) { w.line(depth, nil, "row of %s", w.relation(o.rel)) }

func (o *shifted) describe(w *drawing, depth int) {
	w.line(depth, nil, "visible %s", w.leaf(&o.leaf))
}

func (o *oneRow) describe(w *drawing, depth int) { w.line(depth, o, "one row") }

// expr writes an expression. Rules are not spelled out: they may read tables that
// the reader must not know of.
func (w *drawing) expr(e Expr) string {
	switch e := e.(type) {
	case *Const:
		return w.constant(e)
	case *Column:
		return w.relation(e.Rel) + "." + w.tables[e.Rel].Cols[e.Col].Name
	case *Compare:
		return w.expr(e.L) + " " + e.Op.String() + " " + w.expr(e.R)
	case *Not:
		return "NOT (" + w.expr(e.X) + ")"
	case And:
		return w.list(e, " AND ")
	case Or:
		return "(" + w.list(e, " OR ") + ")"
	case *Is:
		return w.expr(e.X) + " IS " + e.What.String()
	case *Distinct:
		return w.expr(e.L) + " IS DISTINCT FROM " + w.expr(e.R)
	case *Like:
		if e.Pattern.Fold {
			return w.expr(e.X) + " ILIKE '" + e.Pattern.Text + "'"
		}
		return w.expr(e.X) + " LIKE '" + e.Pattern.Text + "'"
	case *Apply:
		if len(e.Args) == 2 {
			return "(" + w.expr(e.Args[0]) + " " + e.Name + " " + w.expr(e.Args[1]) + ")"
		}
		return e.Name + "(" + w.list(e.Args, ", ") + ")"
	case Coalesce:
		return "COALESCE(" + w.list(e, ", ") + ")"
	case *Sub:
		return [...]string{"(sub-select)", "IN (sub-select)", "EXISTS (sub-select)"}[e.Kind]
	case *Stored:
		return w.expr(e.X)
	case *Slot:
		return fmt.Sprintf("group value %d", e.N+1)
	case *semi:
		return "visible(" + w.relation(e.rel) + ")"
	}
	return "?"
}

func (w *drawing) constant(c *Const) string {
	if w.aliases == nil {
		return fmt.Sprintf("0x%x", c.Value)
	}
	if c.Value == nil {
		return "NULL"
	}
	text, _, err := sats.AppendJSON(nil, nil, c.Type, c.Value, sats.FlavorUntyped)
	if err != nil {
		return fmt.Sprintf("0x%x", c.Value)
	}
	return string(text)
}

func (w *drawing) list(xs []Expr, sep string) string {
	texts := make([]string, len(xs))
	for i, x := range xs {
		texts[i] = w.expr(x)
	}
	return strings.Join(texts, sep)
}

func (w *drawing) order(keys []Order) string {
	texts := make([]string, len(keys))
	for i, k := range keys {
		texts[i] = w.expr(k.X)
		if k.Desc {
			texts[i] += " DESC"
		}
	}
	return strings.Join(texts, ", ")
}
