package store

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// TestModelAnySchema is TestModel with random tables: all types as columns and as keys,
// indexes of all kinds over any columns, with and without constraints, auto-increment,
// event tables, and tables without an index.
func TestModelAnySchema(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tables []*schema.Table
		for i := range rapid.IntRange(1, 3).Draw(t, "tables") {
			tables = append(tables, drawTable(t, fmt.Sprintf("t%d", i)))
		}
		m := newMachine(t, tables)
		m.any = true
		m.run(t)
	})
}

// columnTypes are what columns of random tables have.
var columnTypes = []*sats.Type{
	sats.Bool, sats.U8, sats.I8, sats.U16, sats.I16, sats.U32, sats.I32, sats.U64, sats.I64, sats.U128Type, sats.I128Type, sats.U256Type, sats.I256Type,
	sats.F32, sats.F64, sats.String, sats.Bytes, sats.Array(sats.I16), sats.Array(sats.String),
	sats.IdentityType, sats.ConnectionIDType, sats.TimestampType, sats.TimeDurationType, sats.UuidType, sats.ScheduleAtType,
	sats.Enum("red", "green", "blue"), sats.Option(sats.U8), sats.Option(sats.String), sats.Unit,
	sats.Sum(sats.E("n", sats.U32), sats.E("s", sats.String), sats.E("none", sats.Unit)),
	sats.Product(sats.E("x", sats.I32), sats.E("name", sats.String), sats.E("y", sats.U8)),
	sats.Product(sats.E("a", sats.U16), sats.E("b", sats.I8)),
}

func drawType(t *rapid.T) *sats.Type { return rapid.SampledFrom(columnTypes).Draw(t, "type") }

func drawTable(t *rapid.T, name string) *schema.Table {
	var cols []schema.Column
	for i := range rapid.IntRange(1, 5).Draw(t, "columns") {
		cols = append(cols, col(fmt.Sprintf("c%d", i), drawType(t)))
	}
	d := tableDef(name, cols...)
	var numbers []schema.ColID
	for i, c := range cols {
		if c.Type.Kind.IsInteger() && c.Type.Kind.Size() >= 4 {
			numbers = append(numbers, schema.ColID(i))
		}
	}
	for range rapid.IntRange(0, 3).Draw(t, "indexes") {
		drawIndex(t, d)
	}
	if len(numbers) > 0 && rapid.IntRange(0, 2).Draw(t, "sequence") == 0 {
		withSequence(d, rapid.SampledFrom(numbers).Draw(t, "column"))
	}
	d.IsEvent = rapid.IntRange(0, 5).Draw(t, "event") == 0
	return d
}

// drawIndex adds an index unless there is one of its name.
func drawIndex(t *rapid.T, d *schema.Table) {
	perm := rapid.Permutation(numbered(len(d.Cols))).Draw(t, "columns")
	cols := perm[:rapid.IntRange(1, min(3, len(perm))).Draw(t, "width")]
	algo := rapid.SampledFrom([]schema.Algo{schema.BTree, schema.Hash, schema.Direct}).Draw(t, "algo")
	if k := d.Cols[cols[0]].Type; algo == schema.Direct {
		cols = cols[:1]
		if !k.IsPlainEnum() && !slices.Contains([]*sats.Type{sats.U8, sats.U16, sats.U32, sats.U64}, k) {
			algo = schema.BTree
		}
	}
	n := len(d.Indexes)
	if rapid.Bool().Draw(t, "unique") {
		withUnique(d, algo, cols...)
	} else {
		withIndex(d, algo, cols...)
	}
	if slices.ContainsFunc(d.Indexes[:n], func(ix *schema.Index) bool { return ix.Name == d.Indexes[n].Name }) {
		d.Indexes = d.Indexes[:n]
	}
	if k := len(d.Constraints); k > 1 && slices.ContainsFunc(d.Constraints[:k-1], func(c *schema.Constraint) bool { return c.Name == d.Constraints[k-1].Name }) {
		d.Constraints = d.Constraints[:k-1]
	}
}

func numbered(n int) (ids []schema.ColID) {
	for i := range n {
		ids = append(ids, schema.ColID(i))
	}
	return ids
}

// modelIDs are what the sequence of a table has given, which no rollback takes back.
type modelIDs struct {
	given map[string]bool
	next  uint64 // 0: not known, as after a restart
}

func newModelTable(def *schema.Table) *modelTable {
	mt := &modelTable{def: def, rows: map[string]bool{}}
	if len(def.Sequences) > 0 {
		mt.ids = &modelIDs{given: map[string]bool{}, next: 1}
	}
	return mt
}

// generated returns the row as an insert or update of it sees it, its zero replaced by the
// sequence's next value. A number is never given twice, whatever became of the row.
func (mt *modelTable) generated(t *rapid.T, row, stored, generated []byte) []byte {
	if mt.ids == nil {
		return row
	}
	start, end := mt.def.Layout.ColRange(row, int(mt.def.Sequences[0].Col))
	if !isZero(row[start:end]) {
		if len(generated) > 0 {
			t.Fatalf("%x is generated for a column that is not zero", generated)
		}
		return row
	}
	value := make([]byte, end-start)
	if stored == nil {
		return mt.refused(row, value, start)
	}
	copy(value, generated)
	if len(generated) != len(value) || mt.ids.given[string(value)] || isZero(value) {
		t.Fatalf("%x is generated; given before: %v", generated, mt.ids.given)
	}
	n := uint64(value[0]) | uint64(value[1])<<8 | uint64(value[2])<<16
	if want := mt.ids.next; want != 0 && n != want {
		t.Fatalf("%d is generated, want %d", n, want)
	}
	mt.ids.given[string(value)], mt.ids.next = true, n+1
	row = bytes.Clone(row)
	copy(row[start:end], value)
	return row
}

// refused is generated for a row that was not taken: the value is consumed, too.
func (mt *modelTable) refused(row, value []byte, start int) []byte {
	if mt.ids.next == 0 {
		return row // any row of the model does: there is no telling which value it was
	}
	n := mt.ids.next
	value[0], value[1], value[2] = byte(n), byte(n>>8), byte(n>>16)
	mt.ids.given[string(value)] = true
	mt.ids.next++
	row = bytes.Clone(row)
	copy(row[start:], value)
	return row
}

// sameDefinition compares what recovery made of the catalogue with what there was.
func sameDefinition(t *rapid.T, got, want *schema.Table) {
	a, b := *got, *want
	if !a.Layout.Type().Equal(b.Layout.Type()) {
		t.Fatalf("rows of %s are %v, want %v", b.Name, a.Layout.Type(), b.Layout.Type())
	}
	if got, want := definition(&a), definition(&b); got != want {
		t.Fatalf("table is %s, want %s", got, want)
	}
}

// definition writes down a definition, parts in the order of their names.
func definition(d *schema.Table) string {
	var parts []string
	for _, x := range d.Indexes {
		parts = append(parts, fmt.Sprintf("index %+v", *x))
	}
	for _, x := range d.Constraints {
		parts = append(parts, fmt.Sprintf("constraint %+v", *x))
	}
	for _, x := range d.Sequences {
		parts = append(parts, fmt.Sprintf("sequence %+v", *x))
	}
	for _, x := range d.Cols {
		parts = append(parts, fmt.Sprintf("column %s %s %v", x.Name, x.Accessor, x.Type))
	}
	slices.Sort(parts)
	return fmt.Sprintf("%d %s %s %v %v %v %v %q", d.ID, d.Name, d.Accessor, d.Kind, d.Access, d.IsEvent, d.PrimaryKey, parts)
}
