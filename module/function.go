package module

import (
	"reflect"
	"runtime"
	"strings"
	"unsafe"

	"github.com/stdbgo/spacetime/sats"
)

// A lifecycle is the event that the database calls a reducer for; the number is its tag in the definition.
type lifecycle uint8

const (
	onInit lifecycle = iota
	onConnect
	onDisconnect
	noLifecycle
)

// Kinds of functions, as mistakes name them.
const (
	kindReducer   = "reducer"
	kindView      = "view"
	kindProcedure = "procedure"
)

// functionDef is a function without the type of its arguments.
type functionDef struct {
	kind    string // "reducer", "view", "procedure"
	name    string
	event   lifecycle
	private bool
	args    reflect.Type // struct of the parameters, or the row of a scheduled table; nil: none
	table   *tableDef    // whose rows it is called for, or nil
	result  bool         // of an outbox: it is given a result as well
	call    func(ctx *Context, args []byte) error
	entry   uintptr // of the Go function

	codec *sats.Codec // of args; after the definition is made
}

// Reducer declares a function that clients call by name. It runs in a transaction: if it returns an error or panics, all
// that it wrote is undone. The text of the error reaches the caller. The fields of the struct A are the parameters,
// named like the columns of a table; struct{} stands for none.
func Reducer[A any](name string, fn func(*Context, A) error, options ...FunctionOption) {
	std.open("Reducer")
	f := typedFunction(name, fn)
	for _, o := range options {
		o.applyFunction(f)
	}
	std.addFunction(f, fn == nil)
}

// OnInit declares what runs once, when the module is published for the first time. An error keeps it from being
// published.
func OnInit(fn func(*Context) error) { std.addLifecycle("OnInit", "init", onInit, fn) }

// OnConnect declares what runs when a client connects. An error turns the client away.
func OnConnect(fn func(*Context) error) {
	std.addLifecycle("OnConnect", "client_connected", onConnect, fn)
}

// OnDisconnect declares what runs after a client is gone.
func OnDisconnect(fn func(*Context) error) {
	std.addLifecycle("OnDisconnect", "client_disconnected", onDisconnect, fn)
}

// typedFunction makes a function that decodes its argument into an A.
func typedFunction[A any](name string, fn func(*Context, A) error) *functionDef {
	f := &functionDef{kind: kindReducer, name: name, event: noLifecycle, args: reflect.TypeFor[A](), entry: reflect.ValueOf(fn).Pointer()}
	f.call = func(ctx *Context, b []byte) error {
		var args A
		if _, err := f.codec.Decode(b, unsafe.Pointer(&args)); err != nil {
			panic("module: arguments of " + f.name + " do not decode: " + err.Error())
		}
		return fn(ctx, args)
	}
	return f
}

func (r *registry) addLifecycle(call, name string, event lifecycle, fn func(*Context) error) {
	r.open(call)
	for _, f := range r.functions {
		if f.event == event {
			r.problem("%s is called twice; one function can do both things", call)
			return
		}
	}
	f := &functionDef{kind: kindReducer, name: name, event: event, private: true}
	f.call = func(ctx *Context, _ []byte) error { return fn(ctx) }
	r.addFunction(f, fn == nil)
}

func (r *registry) addFunction(f *functionDef, isNil bool) {
	r.checkFunction(f, isNil)
	r.functions = append(r.functions, f)
}

// checkFunction looks at what all functions have. Reducers, procedures and views share their names.
func (r *registry) checkFunction(f *functionDef, isNil bool) {
	if why := nameProblem(f.name); why != "" {
		r.problem("%s %q: the name %s", f.kind, f.name, why)
	}
	if isNil {
		r.problem("%s %q: the function is nil", f.kind, f.name)
	}
	if r.names == nil {
		r.names = map[string]string{}
	}
	switch other := r.names[f.name]; other {
	case "":
		r.names[f.name] = f.kind
	case f.kind:
		r.problem("%s %q is declared twice", f.kind, f.name)
	default:
		r.problem("%s %q: there is a %s of this name", f.kind, f.name, other)
	}
}

// scheduleDef makes a table scheduled.
type scheduleDef struct {
	function *functionDef
	col      int // of type ScheduleAt; after the definition is made
}

// Scheduled makes t a scheduled table: fn is called for each row at the time that its ScheduleAt field says, and then
// the row is removed, unless it fires again and again. The row type has one field of type ScheduleAt and a primary key
// of type uint64, best with autoinc. The database itself is the caller; clients cannot call the reducer, only the owner
// can. fn must be a top-level function, because a table outlives the process that a closure belongs to.
func Scheduled[Row any](t *Table[Row], name string, fn func(*Context, Row) error) {
	r := t.d.reg
	r.open("Scheduled")
	f := typedFunction(name, fn)
	f.private, f.table = true, t.d
	r.addFunction(f, fn == nil)
	t.d.addSchedule("Scheduled", f, fn == nil)
}

func (d *tableDef) addSchedule(call string, f *functionDef, isNil bool) {
	if !isNil && !topLevel(runtime.FuncForPC(f.entry).Name()) {
		d.reg.problem("table %q (%s): %s needs a top-level function, not a closure or a method", d.name, d.goType, call)
	}
	if d.schedule != nil {
		d.reg.problem("table %q (%s) is scheduled twice, with %s and %s", d.name, d.goType, d.schedule.function.name, f.name)
		return
	}
	d.schedule = &scheduleDef{function: f}
}

// topLevel tells from the name of a function in the symbol table, like example.com/game.Tick, whether it is one of its
// package. Closures are called Tick.func1, methods (*T).Tick-fm.
func topLevel(name string) bool {
	name = name[strings.LastIndexByte(name, '/')+1:]
	_, name, ok := strings.Cut(name, ".")
	return ok && !strings.ContainsAny(strings.TrimSuffix(name, "[...]"), ".-(")
}

// checkSchedule finds the column of a scheduled table and says what the table lacks.
func (d *tableDef) checkSchedule() {
	s := d.schedule
	s.col = -1
	for i, c := range d.cols {
		if c.field.Type != reflect.TypeFor[ScheduleAt]() {
			continue
		}
		if s.col >= 0 {
			d.reg.problem("%s: the scheduled table %q has the ScheduleAt field %s already", d.at(i), d.name, d.at(s.col))
		}
		s.col = i
	}
	if s.col < 0 {
		d.reg.problem("table %q (%s) is scheduled and needs a field of type ScheduleAt", d.name, d.goType)
	}
	if d.key < 0 || d.cols[d.key].field.Type.Kind() != reflect.Uint64 {
		d.reg.problem("table %q (%s) is scheduled and needs a primary key of type uint64", d.name, d.goType)
	}
	if d.event {
		d.reg.problem("table %q (%s) is scheduled and cannot be an event table, which keeps no rows", d.name, d.goType)
	}
}

// columnDefault is a default value of a column.
type columnDefault struct {
	col   int
	typ   reflect.Type
	value func(*sats.Codec) []byte
}

// Default gives a column a default value: rows that are there when the column is added to a published table get it.
// Insert does not use it, since a Go struct always has all its fields.
func Default[Row, K any](t *Table[Row], field func(*Row) *K, value K) {
	d := t.d
	d.reg.open("Default")
	col := d.column("Default", selected(field))
	if col < 0 {
		return
	}
	for _, other := range d.defaults {
		if other.col == col {
			d.reg.problem("%s has two defaults", d.at(col))
		}
	}
	d.defaults = append(d.defaults, columnDefault{col, reflect.TypeFor[K](), func(c *sats.Codec) []byte {
		return c.Append(nil, unsafe.Pointer(&value))
	}})
}
