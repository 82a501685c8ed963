package query

import (
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// makeTable describes a table of U32 columns named in cols, with B-tree indexes
// over the listed columns; a leading ! makes one unique.
func makeTable(t testing.TB, name, cols string, indexes ...string) *schema.Table {
	t.Helper()
	out := &schema.Table{Name: name, Kind: schema.User}
	var elems []sats.Element
	for _, c := range strings.Fields(cols) {
		elems = append(elems, sats.E(c, sats.U32))
		out.Cols = append(out.Cols, schema.Column{Name: c, Type: sats.U32})
	}
	var err error
	if out.Layout, err = sats.NewLayout(sats.Product(elems...)); err != nil {
		t.Fatal(err)
	}
	for _, spec := range indexes {
		spec, unique := strings.CutPrefix(spec, "!")
		ix := &schema.Index{Name: name + "_" + strings.ReplaceAll(spec, ",", "_"), Unique: unique}
		for _, c := range strings.Split(spec, ",") {
			id, ok := out.Col(c)
			if !ok {
				t.Fatalf("no column %s", c)
			}
			ix.Cols = append(ix.Cols, id)
		}
		out.Indexes = append(out.Indexes, ix)
		if unique {
			out.Constraints = append(out.Constraints, &schema.Constraint{Name: ix.Name + "_key", Cols: ix.Cols})
		}
	}
	return out
}

// makeStore creates the tables and returns them with their ids.
func makeStore(t testing.TB, tables ...*schema.Table) (*store.Store, []*schema.Table) {
	t.Helper()
	s := store.New(store.Options{})
	tx := s.Begin()
	out := make([]*schema.Table, len(tables))
	for i, def := range tables {
		var err error
		if out[i], err = tx.CreateTable(def); err != nil {
			t.Fatal(err)
		}
	}
	tx.Commit(nil)
	return s, out
}

func u32Row(v ...uint32) (b []byte) {
	for _, n := range v {
		b = sats.AppendU32(b, n)
	}
	return b
}

func insert(t testing.TB, tx *store.Tx, table *schema.Table, v ...uint32) {
	t.Helper()
	if _, _, err := tx.Insert(table.ID, u32Row(v...)); err != nil {
		t.Fatal(err)
	}
}

// col is column name of relation rel.
func col(tables []*schema.Table, rel int, name string) *Column {
	id, ok := tables[rel].Col(name)
	if !ok {
		panic("no column " + name)
	}
	return &Column{Rel: rel, Col: id, Type: sats.U32}
}

func num(n uint32) *Const { return &Const{sats.U32, sats.AppendU32(nil, n)} }

func cmp(l Expr, op CmpOp, r Expr) Expr { return &Compare{op, l, r} }
