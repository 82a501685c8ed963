package module

import (
	"iter"
	"reflect"
	"strings"
	"unsafe"

	"github.com/stdbgo/spacetime/internal/guest"
	"github.com/stdbgo/spacetime/sats"
)

// A Table is a table of rows of type Row. Make it with NewTable and keep it in a package variable.
//
// All methods work inside a call only and panic otherwise; what they read includes what the call has written.
type Table[Row any] struct{ d *tableDef }

// NewTable declares a table. Each field of the struct Row is a column, called by the field's name in snake case or
// by the word name=… in the field's stdb tag. Other words of that tag, separated by commas:
//
//	primarykey   identifies the row; at most one column; implies unique
//	unique       no two rows have the same value
//	autoinc      an integer: a zero is replaced by the next number when the row is inserted
//	hash         of a unique column: its index is a hash table, which has no ranges
//	direct       of a unique column: its index is an array, for small dense numbers
//	target       of an outbox: the database that is called
func NewTable[Row any](name string, options ...TableOption) *Table[Row] {
	std.open("NewTable")
	return &Table[Row]{std.newTable(name, reflect.TypeFor[Row](), options)}
}

// tableDef is a table without its type.
type tableDef struct {
	reg    *registry
	slot   int // position in the registry
	name   string
	goType reflect.Type

	public, private, event bool

	cols     []column
	key      int // column of the primary key, or -1
	indexes  []*indexDef
	defaults []columnDefault
	schedule *scheduleDef
	outbox   *outboxDef
	onResult *functionDef // of an outbox

	codec    *sats.Codec // from here on: after the definition is made
	counters []counter
}

// A counter is an autoinc column: where it lies in memory and how it is decoded.
type counter struct {
	offset, size uintptr
	codec        *sats.Codec
}

func (r *registry) newTable(name string, t reflect.Type, options []TableOption) *tableDef {
	d := &tableDef{reg: r, slot: len(r.tables), name: name, goType: t, key: -1}
	for _, o := range options {
		o.applyTable(d)
	}
	if why := nameProblem(name); why != "" {
		r.problem("table %q (%s): the name %s", name, t, why)
	} else if strings.HasPrefix(name, "st_") {
		r.problem("table %q (%s): names that begin with st_ belong to the system", name, t)
	}
	for _, other := range r.tables {
		if other.name == name {
			r.problem("table %q is declared twice, with rows of type %s and %s", name, other.goType, t)
		}
	}
	if d.public && d.private {
		r.problem("table %q (%s) is both Public and Private", name, t)
	}
	r.tables = append(r.tables, d)
	d.readColumns()
	return d
}

// Name returns the table's name.
func (t *Table[Row]) Name() string { return t.d.name }

// Insert adds a row and returns it with the values of its autoinc columns. Inserting a row that is there already, equal
// in all columns, changes nothing. The error is a *RowError.
func (t *Table[Row]) Insert(ctx *Context, row Row) (Row, error) {
	d := t.d
	in := ctx.use(d, "Insert")
	in.row = d.codec.Append(in.row[:0], unsafe.Pointer(&row))
	n, e := in.host.Insert(in.tableID(d), in.row)
	if e != guest.OK {
		var none Row
		return none, d.rowError("insert", e)
	}
	if n > 0 {
		d.readBack(in.row[:n], unsafe.Pointer(&row))
	}
	return row, nil
}

// readBack decodes the generated columns, those that were zero, into the row at p.
func (d *tableDef) readBack(b []byte, p unsafe.Pointer) {
	for i := range d.counters {
		c := &d.counters[i]
		at := unsafe.Add(p, c.offset)
		if !allZero(unsafe.Slice((*byte)(at), c.size)) {
			continue
		}
		n, err := c.codec.Decode(b, at)
		if err != nil {
			panic("module: table " + d.name + ": generated columns do not decode: " + err.Error())
		}
		b = b[n:]
	}
}

func allZero(b []byte) bool {
	for _, v := range b {
		if v != 0 {
			return false
		}
	}
	return true
}

// Delete removes the row that equals row in all columns and reports whether there was one. To delete by key use an
// index.
func (t *Table[Row]) Delete(ctx *Context, row Row) bool {
	d := t.d
	in := ctx.use(d, "Delete")
	in.row = d.codec.Append(append(in.row[:0], 1, 0, 0, 0), unsafe.Pointer(&row))
	n, e := in.host.DeleteEqual(in.tableID(d), in.row)
	if e != guest.OK {
		d.fault("Delete", e)
	}
	return n > 0
}

// Clear removes all rows and returns how many there were.
func (t *Table[Row]) Clear(ctx *Context) uint64 {
	in := ctx.use(t.d, "Clear")
	// What the host returns counts rows that the call had deleted before (spec 08 §3.4).
	n := t.Count(ctx)
	if _, e := in.host.Clear(in.tableID(t.d)); e != guest.OK {
		t.d.fault("Clear", e)
	}
	return n
}

// Count returns the number of rows.
func (t *Table[Row]) Count(ctx *Context) uint64 {
	in := ctx.use(t.d, "Count")
	n, e := in.host.RowCount(in.tableID(t.d))
	if e != guest.OK {
		t.d.fault("Count", e)
	}
	return n
}

// All yields all rows as they are when the loop begins, in no order; the loop may change the table.
func (t *Table[Row]) All(ctx *Context) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		in := ctx.use(t.d, "All")
		handle, e := in.host.ScanTable(in.tableID(t.d))
		each(in.open(t.d, "All", handle, e), yield)
	}
}
