package module

import (
	"encoding/binary"
	"reflect"
	"unsafe"

	"github.com/stdbgo/spacetime/sats"
)

// A ViewOption says what kind of view View makes: Anonymous.
type ViewOption interface{ applyView(*viewDef) }

// Anonymous makes a view that does not depend on who looks at it: its context has no Sender. It is evaluated once for all
// clients instead of once for each.
const Anonymous anonymous = 0

type anonymous uint8

func (anonymous) applyView(v *viewDef) { v.anonymous = true }

// A Query is what a view returns that lets the database find its rows: SQL text of the form SELECT * FROM a table, with
// conditions and joins as in subscriptions. Nothing but white space means no rows.
//
//	module.Query[User]("SELECT * FROM user WHERE online = true")
type Query[Row any] string

func (Query[Row]) rowType() reflect.Type { return reflect.TypeFor[Row]() }
func (q Query[Row]) text() string        { return string(q) }

// query is any Query.
type query interface {
	rowType() reflect.Type
	text() string
}

// viewDef is a view without its types.
type viewDef struct {
	functionDef
	anonymous bool
	form      viewForm
	row       reflect.Type
	rowCodec  *sats.Codec // after the definition is made; nil for queries
	eval      func(ctx *Context, args, result []byte) ([]byte, error)
}

// A viewForm is what a view's function returns.
type viewForm uint8

const (
	viewRows   viewForm = iota // []Row
	viewOneRow                 // *Row
	viewQuery                  // Query[Row]
)

// View declares a view: rows that clients can subscribe to like those of a table, computed by a function. The result R is
// []Row, or *Row with nil for no row, or Query[Row], where the struct Row may be that of a table. The function may read
// tables, and is called again when something that it has read changes; writing in it panics. The fields of the struct A are
// the parameters; struct{} stands for none. Its context has the caller as Sender, and no Timestamp.
//
// An error stands in the module's log. A view that fails when it is first read has no rows until the next reader tries again;
// later it fails the reducer whose changes concern it, which is rolled back.
func View[A, R any](name string, fn func(*Context, A) (R, error), options ...ViewOption) {
	std.open("View")
	v := &viewDef{functionDef: functionDef{kind: kindView, name: name, event: noLifecycle, args: reflect.TypeFor[A](),
		entry: reflect.ValueOf(fn).Pointer()}}
	for _, o := range options {
		o.applyView(v)
	}
	v.eval = func(ctx *Context, b, result []byte) ([]byte, error) {
		value, err := fn(ctx, decodeArgs[A](&v.functionDef, b))
		if err != nil {
			return result, err
		}
		if v.form == viewQuery {
			return sats.AppendString(append(result, headerQuery), any(value).(query).text()), nil
		}
		return v.appendRows(append(result, headerRows), unsafe.Pointer(&value)), nil
	}
	std.addView(v, reflect.TypeFor[R](), fn == nil)
}

// Tags of the header of a view's result (spec 03 §8.6).
const (
	headerRows  = 0
	headerQuery = 1
)

// decodeArgs decodes the arguments of a call. The host has checked them.
func decodeArgs[A any](f *functionDef, b []byte) (args A) {
	if _, err := f.codec.Decode(b, unsafe.Pointer(&args)); err != nil {
		panic("module: arguments of " + f.name + " do not decode: " + err.Error())
	}
	return args
}

// appendRows encodes the []Row or *Row at p as an array of rows.
func (v *viewDef) appendRows(b []byte, p unsafe.Pointer) []byte {
	if v.form == viewRows {
		return v.rowCodec.Append(b, p)
	}
	row := *(*unsafe.Pointer)(p)
	if row == nil {
		return binary.LittleEndian.AppendUint32(b, 0)
	}
	return v.rowCodec.Append(binary.LittleEndian.AppendUint32(b, 1), row)
}

func (r *registry) addView(v *viewDef, result reflect.Type, isNil bool) {
	r.checkFunction(&v.functionDef, isNil)
	if q, ok := reflect.Zero(result).Interface().(query); ok {
		v.form, v.row = viewQuery, q.rowType()
	} else if result.Kind() == reflect.Slice {
		v.form, v.row = viewRows, result.Elem()
	} else if result.Kind() == reflect.Pointer {
		v.form, v.row = viewOneRow, result.Elem()
	} else {
		r.problem("view %q returns %s; a view returns []Row, *Row or Query[Row]", v.name, result)
		return
	}
	if v.row.Kind() != reflect.Struct || v.row.Name() == "" {
		r.problem("view %q: its row type %s is not a struct with a name", v.name, v.row)
		v.row = nil
	}
	list := &r.views[0]
	if v.anonymous {
		list = &r.views[1]
	}
	*list = append(*list, v)
}

// views adds what all views need and encodes them.
func (d *definer) views() []byte {
	b := sats.AppendLen([]byte{sectionViews}, len(d.r.views[0])+len(d.r.views[1]))
	for _, list := range d.r.views {
		for i, v := range list {
			b = d.appendView(b, v, uint32(i))
		}
	}
	return b
}

func (d *definer) appendView(b []byte, v *viewDef, index uint32) []byte {
	params := d.params(&v.functionDef)
	if params == nil || v.row == nil || !d.fields(v.row) {
		return b
	}
	row, err := d.types.Type(v.row)
	if err != nil {
		d.r.problem("view %q: %s", v.name, reworded(err.Error()))
		return b
	}
	var result *sats.Type
	switch v.form {
	case viewRows:
		result, v.rowCodec = sats.Array(row), d.codec(reflect.SliceOf(v.row))
	case viewOneRow:
		result, v.rowCodec = sats.Option(row), d.codec(v.row)
	case viewQuery:
		result = sats.Product(sats.E("__query__", row))
	}
	b = sats.AppendString(b, v.name)
	b = sats.AppendU32(b, index)
	b = sats.AppendBool(b, true) // public
	b = sats.AppendBool(b, v.anonymous)
	b = sats.AppendElements(b, params.Elems)
	return sats.AppendType(b, result)
}
