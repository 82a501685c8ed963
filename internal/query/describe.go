package query

import (
	"fmt"
	"strings"

	"github.com/stdbgo/spacetime/internal/schema"
)

func line(w *strings.Builder, depth int, format string, args ...any) {
	for range depth {
		w.WriteString("  ")
	}
	fmt.Fprintf(w, format, args...)
	w.WriteByte('\n')
}

func (l *leaf) name(tables []*schema.Table) string {
	name := fmt.Sprintf("%s#%d", tables[l.rel].Name, l.rel)
	switch l.ver {
	case before:
		return name + " before"
	case changes:
		return name + " changes"
	}
	return name
}

func (s *scan) describe(w *strings.Builder, depth int, tables []*schema.Table) {
	line(w, depth, "scan %s", s.name(tables))
}

func (p *point) describe(w *strings.Builder, depth int, tables []*schema.Table) {
	kind := "point"
	if p.index.Unique {
		kind = "unique point"
	}
	line(w, depth, "%s %s by %s%s", kind, p.name(tables), p.index.Name, partsText(p.parts, tables))
}

func (r *ranged) describe(w *strings.Builder, depth int, tables []*schema.Table) {
	line(w, depth, "range %s by %s%s where %s", r.name(tables), r.index.Name, partsText(r.prefix, tables), exprText(And(r.used), tables))
}

func partsText(parts []keyPart, tables []*schema.Table) string {
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = exprText(p.value, tables)
	}
	return "(" + strings.Join(texts, ", ") + ")"
}

func (o *filter) describe(w *strings.Builder, depth int, tables []*schema.Table) {
	line(w, depth, "filter %s", exprText(And(o.conds), tables))
	o.in.describe(w, depth+1, tables)
}

func (o *nest) describe(w *strings.Builder, depth int, tables []*schema.Table) {
	line(w, depth, "nest")
	o.outer.describe(w, depth+1, tables)
	o.inner.describe(w, depth+1, tables)
}

func (o *keep) describe(w *strings.Builder, depth int, tables []*schema.Table) {
	line(w, depth, "keep")
	o.in.describe(w, depth+1, tables)
}

func (o *hashJoin) describe(w *strings.Builder, depth int, tables []*schema.Table) {
	var on []string
	for i := range o.buildKeys {
		on = append(on, exprText(&Compare{Eq, o.buildKeys[i], o.probeKeys[i]}, tables))
	}
	line(w, depth, "hash join on %s", strings.Join(on, ", "))
	o.build.describe(w, depth+1, tables)
	o.probe.describe(w, depth+1, tables)
}

func exprText(e Expr, tables []*schema.Table) string {
	switch e := e.(type) {
	case *Const:
		return fmt.Sprintf("0x%x", e.Value)
	case *Column:
		return fmt.Sprintf("%s#%d.%s", tables[e.Rel].Name, e.Rel, tables[e.Rel].Cols[e.Col].Name)
	case *Compare:
		return exprText(e.L, tables) + " " + e.Op.String() + " " + exprText(e.R, tables)
	case *Not:
		return "NOT (" + exprText(e.X, tables) + ")"
	case And:
		return listText(e, " AND ", tables)
	case Or:
		return "(" + listText(e, " OR ", tables) + ")"
	}
	return "?"
}

func listText(xs []Expr, sep string, tables []*schema.Table) string {
	texts := make([]string, len(xs))
	for i, x := range xs {
		texts[i] = exprText(x, tables)
	}
	return strings.Join(texts, sep)
}
