package module

import (
	"errors"
	"reflect"
	"runtime"
	"strings"
	"unsafe"

	"github.com/stdbgo/spacetime/sats"
)

// outboxDef makes a table an outbox.
type outboxDef struct {
	reducer string       // of the other database
	args    reflect.Type // struct of its parameters

	target int   // from here on: after the definition is made
	cols   []int // of the arguments
	hash   [32]byte
}

// Outbox makes t an outbox: each inserted row becomes a call of a reducer of another database, if the call that inserted it
// succeeds. Rows for one database are delivered in the order in which they were inserted, each once, whatever happens to
// either server; then the row is removed. Until then it must be neither changed nor deleted.
//
// The row type has a primary key of type uint64, best with autoinc, and one field of type Identity with the word target in
// its stdb tag: the database to be called. The fields of the struct Args are the parameters of the reducer, named and typed as
// that declares them; for each of them the row type has a field of the same column name and type. The caller that the
// reducer sees as its sender is this database.
//
//	type greeting struct {
//		ID   uint64          `stdb:"primarykey,autoinc"`
//		To   module.Identity `stdb:"target"`
//		Text string
//	}
//
//	var greetings = module.NewTable[greeting]("greeting")
//
//	func init() { module.Outbox[struct{ Text string }](greetings, "greet") }
func Outbox[Args, Row any](t *Table[Row], reducer string) {
	r := t.d.reg
	r.open("Outbox")
	if t.d.outbox != nil {
		r.problem("table %q (%s) is an outbox twice, for %s and %s", t.d.name, t.d.goType, t.d.outbox.reducer, reducer)
		return
	}
	t.d.outbox = &outboxDef{reducer: reducer, args: reflect.TypeFor[Args]()}
}

// OnResult has fn called with each row of the outbox t when its call has ended: failure is nil, or says what the other
// reducer returned or what kept it from running. The row is removed in the same transaction. If fn fails, what it wrote is
// undone and it is not called again. Nobody is the caller; clients cannot call the reducer, only the owner can. fn must be a
// top-level function, because a table outlives the process that a closure belongs to.
func OnResult[Row any](t *Table[Row], name string, fn func(ctx *Context, row Row, failure error) error) {
	d := t.d
	d.reg.open("OnResult")
	f := &functionDef{
		kind: kindReducer, name: name, event: noLifecycle, private: true, table: d, result: true,
		args: reflect.TypeFor[Row](), entry: reflect.ValueOf(fn).Pointer(),
	}
	f.call = func(ctx *Context, b []byte) error {
		var row Row
		n, err := f.codec.Decode(b, unsafe.Pointer(&row))
		if err != nil {
			panic("module: arguments of " + f.name + " do not decode: " + err.Error())
		}
		return fn(ctx, row, resultOf(f.name, b[n:]))
	}
	d.reg.addFunction(f, fn == nil)
	if fn != nil && !topLevel(runtime.FuncForPC(f.entry).Name()) {
		d.reg.problem("table %q (%s): OnResult needs a top-level function, not a closure or a method", d.name, d.goType)
	}
	if d.onResult != nil {
		d.reg.problem("table %q (%s) has two functions for results, %s and %s", d.name, d.goType, d.onResult.name, name)
		return
	}
	d.onResult = f
}

// resultOf decodes a Result<(), String>.
func resultOf(fn string, b []byte) error {
	r := sats.NewReader(b)
	var failure error
	if r.Tag(2) == 1 {
		failure = errors.New(r.Str())
	}
	if err := r.End(); err != nil {
		panic("module: the result for " + fn + " does not decode: " + err.Error())
	}
	return failure
}

// checkOutbox finds the columns of an outbox and says what the table lacks.
func (d *definer) checkOutbox(t *tableDef) {
	o := t.outbox
	if o == nil {
		t.checkNoOutbox()
		return
	}
	what := "table " + quoted(t.name) + " (" + t.goType.String() + ")"
	if t.key < 0 || t.cols[t.key].field.Type.Kind() != reflect.Uint64 {
		d.r.problem("%s is an outbox and needs a primary key of type uint64", what)
	}
	if t.event {
		d.r.problem("%s is an outbox and cannot be an event table, which keeps no rows", what)
	}
	if t.schedule != nil {
		d.r.problem("%s is an outbox and cannot be scheduled as well", what)
	}
	for part := range strings.SplitSeq(o.reducer, ".") {
		if why := nameProblem(part); why != "" {
			d.r.problem("%s: the name %q of the other database's reducer %s", what, o.reducer, why)
			break
		}
	}
	t.findTarget(what)
	d.findArguments(t, what)
}

func (t *tableDef) checkNoOutbox() {
	for i, c := range t.cols {
		if c.target {
			t.reg.problem("%s: the word target belongs to an outbox; call Outbox for the table %q", t.at(i), t.name)
		}
	}
	if t.onResult != nil {
		t.reg.problem("table %q (%s): OnResult belongs to an outbox; call Outbox for the table", t.name, t.goType)
	}
}

func (t *tableDef) findTarget(what string) {
	o := t.outbox
	o.target = -1
	for i, c := range t.cols {
		switch {
		case !c.target:
		case o.target >= 0:
			t.reg.problem("%s: the outbox %q has the target %s already", t.at(i), t.name, t.at(o.target))
		case c.field.Type != reflect.TypeFor[Identity]():
			t.reg.problem("%s: the target must be of type Identity, not %s", t.at(i), c.field.Type)
			o.target = i
		default:
			o.target = i
		}
	}
	if o.target < 0 {
		t.reg.problem("%s is an outbox and needs a field of type Identity with the tag `stdb:\"target\"`: the database that is called", what)
	}
}

// findArguments finds a column for each parameter of the other database's reducer and hashes their types.
func (d *definer) findArguments(t *tableDef, what string) {
	o := t.outbox
	if o.args.Kind() != reflect.Struct {
		d.r.problem("%s: the parameters of the other database's reducer must be the fields of a struct, which %s is not", what, o.args)
		return
	}
	if !d.fields(o.args) {
		return
	}
	for i := range o.args.NumField() {
		f := o.args.Field(i)
		name := sats.FieldName(f)
		col := t.columnNamed(name)
		switch {
		case col < 0:
			d.r.problem("%s has no column %q for the parameter %s of %s; add a field, or name one with the tag `stdb:\"name=%s\"`",
				what, name, f.Name, o.reducer, name)
		case t.cols[col].field.Type != f.Type:
			d.r.problem("%s is of type %s, but the parameter %s of %s is of type %s", t.at(col), t.cols[col].field.Type, f.Name, o.reducer, f.Type)
		}
		o.cols = append(o.cols, col)
	}
	var types sats.TypeSet // of its own: what else the module declares does not count
	params, err := types.Product(o.args)
	if err != nil {
		d.r.problem("%s: %s", what, reworded(err.Error()))
		return
	}
	const domain = "spacetimedb:idc:reducer-signature:v1\x00" // spec 08 §38.5
	o.hash = keccak256(sats.AppendReachable([]byte(domain), types.Typespace(), params, sats.Unit, sats.String))
}

func (t *tableDef) columnNamed(name string) int {
	for i, c := range t.cols {
		if c.name == name {
			return i
		}
	}
	return -1
}

func quoted(s string) string { return `"` + s + `"` }

func (r *registry) outboxes() (n int) {
	for _, t := range r.tables {
		if t.outbox != nil {
			n++
		}
	}
	return n
}

// outboxes encodes the section.
func (d *definer) outboxes() []byte {
	b := sats.AppendLen([]byte{sectionOutboxes}, d.r.outboxes())
	for _, t := range d.r.tables {
		o := t.outbox
		if o == nil {
			continue
		}
		b = sats.AppendString(sats.AppendString(b, t.name), o.reducer)
		b = appendCols(sats.AppendU16(b, uint16(o.target)), o.cols...)
		if t.onResult == nil {
			b = sats.AppendNone(b)
		} else {
			b = sats.AppendString(sats.AppendSome(b), t.onResult.name)
		}
		b = append(b, o.hash[:]...)
	}
	return b
}
