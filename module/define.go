package module

import (
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stdbgo/spacetime/sats"
)

// Sections of a module definition of version 10 (spec 02 §3.2).
const (
	version10          = 2
	sectionTypespace   = 0
	sectionTypes       = 1
	sectionTables      = 2
	sectionReducers    = 3
	sectionProcedures  = 4
	sectionViews       = 5
	sectionSchedules   = 6
	sectionLifecycle   = 7
	sectionFilters     = 8
	sectionCase        = 9
	sectionHandlers    = 11
	sectionRoutes      = 12
	sectionEnvironment = 15
	sectionOutboxes    = 16
)

// define checks everything, compiles the codecs and encodes the definition.
//
// The case policy is None: names are final as they stand here, in snake case where they come from fields. So a name
// that the author chose is never changed.
func (r *registry) define() []byte {
	d := &definer{r: r}
	rows := make([]*sats.Type, len(r.tables))
	for i, t := range r.tables {
		rows[i] = d.row(t)
	}
	params := make([]*sats.Type, len(r.functions))
	for i, f := range r.functions {
		params[i] = d.params(f)
	}
	optional := d.optionalSections()
	d.checkTypes()
	if len(r.problems) > 0 {
		return nil
	}
	for _, ix := range r.indexes {
		for _, col := range ix.cols {
			ix.keys = append(ix.keys, d.codec(ix.table.cols[col].field.Type))
		}
	}

	b := append([]byte{version10}, sats.AppendLen(nil, 7+len(optional))...)
	b = sats.AppendTypespace(append(b, sectionTypespace), d.types.Typespace())
	b = d.appendTypes(append(b, sectionTypes))
	b = sats.AppendLen(append(b, sectionTables), len(r.tables))
	for i, t := range r.tables {
		b = d.appendTable(b, t, rows[i].Ref)
	}
	b = sats.AppendLen(append(b, sectionReducers), len(r.functions))
	for i, f := range r.functions {
		b = appendReducer(b, f, params[i])
	}
	b = appendSchedules(append(b, sectionSchedules), r.tables)
	b = appendLifecycle(append(b, sectionLifecycle), r.functions)
	const casePolicyNone = 0
	b = append(b, sectionCase, casePolicyNone)
	for _, section := range optional {
		b = append(b, section...)
	}
	return b
}

type definer struct {
	r     *registry
	types sats.TypeSet
}

// codec compiles the codec of a type that has been found to have one.
func (d *definer) codec(t reflect.Type) *sats.Codec {
	c, err := sats.CodecFor(t)
	if err != nil {
		d.r.problem("%s", reworded(err.Error()))
	}
	return c
}

// row adds the row type of a table, after looking at each field by itself so that all mistakes are found.
func (d *definer) row(t *tableDef) *sats.Type {
	if t.schedule != nil {
		t.checkSchedule()
	}
	d.checkOutbox(t)
	if t.goType.Kind() != reflect.Struct || !d.fields(t.goType) {
		return nil
	}
	if t.goType.Name() == "" {
		d.r.problem("table %q: its row type has no name; client code needs one, so declare a type for it", t.name)
		return nil
	}
	typ, err := d.types.Type(t.goType)
	if err != nil {
		d.r.problem("%s", reworded(err.Error()))
		return nil
	}
	if t.codec = d.codec(t.goType); t.codec != nil && t.codec.Type() == nil {
		d.r.problem("table %q: its row type %s contains itself, so its rows have no bounded size", t.name, t.goType)
	}
	for _, c := range t.cols {
		if c.auto {
			t.counters = append(t.counters, counter{c.field.Offset, c.field.Type.Size(), d.codec(c.field.Type)})
		}
	}
	return typ
}

// fields checks the fields of a struct one by one.
func (d *definer) fields(t reflect.Type) bool {
	before := len(d.r.problems)
	names := map[string]string{}
	for i := range t.NumField() {
		f := t.Field(i)
		at := t.String() + "." + f.Name
		if t.Name() == "" {
			at = "field " + f.Name + " of " + t.String()
		}
		name := sats.FieldName(f)
		switch {
		case f.Anonymous:
			d.r.problem("%s: embedded fields are not supported; give the field a name", at)
			continue
		case !f.IsExported():
			d.r.problem("%s: unexported fields are not supported; export it or take it out", at)
			continue
		case nameProblem(name) != "":
			d.r.problem("%s: the name %q %s; give it another one with the tag `stdb:\"name=…\"`", at, name, nameProblem(name))
		case names[name] != "":
			d.r.problem("%s: the field %s is called %s as well", at, names[name], name)
		}
		names[name] = f.Name
		var alone sats.TypeSet // so that the real one gets the struct before the types of its fields
		if _, err := alone.Type(f.Type); err != nil {
			d.r.problem("%s: %s", at, reworded(err.Error()))
		}
	}
	return len(d.r.problems) == before
}

// params adds what the parameters of a function need and returns their product: the fields of its struct, or the row.
func (d *definer) params(f *functionDef) *sats.Type {
	if f.args == nil {
		return sats.Product()
	}
	if f.table != nil {
		if f.codec = f.table.codec; f.codec == nil {
			return nil // the table has a problem of its own
		}
		row, err := d.types.Type(f.args)
		if err != nil {
			return nil
		}
		if f.result {
			return sats.Product(sats.E("row", row), sats.E("result", sats.Result(sats.Unit, sats.String)))
		}
		return sats.Product(sats.E("row", row))
	}
	if f.args.Kind() != reflect.Struct {
		d.r.problem("%s %q: its argument %s is not a struct", f.kind, f.name, f.args)
		return nil
	}
	if !d.fields(f.args) {
		return nil
	}
	p, err := d.types.Product(f.args)
	if err != nil {
		d.r.problem("%s %q: %s", f.kind, f.name, reworded(err.Error()))
		return nil
	}
	f.codec = d.codec(f.args)
	return p
}

// typeName is the name of a Go type for clients: with a capital, as their languages expect.
func typeName(d sats.Definition) string {
	first, n := utf8.DecodeRuneInString(d.Name)
	return string(unicode.ToUpper(first)) + d.Name[n:]
}

// checkTypes looks at the names of all types.
func (d *definer) checkTypes() {
	seen := map[string]reflect.Type{}
	for _, def := range d.types.Definitions() {
		name := typeName(def)
		if strings.ContainsRune(name, '[') {
			d.r.problem("%s: a generic type has no name for clients; declare a type of its own, as in type Pair GenericPair[…]", def.GoType)
			continue
		}
		if other := seen[name]; other != nil {
			d.r.problem("%s and %s have the same name for clients, %s; rename one", other, def.GoType, name)
		}
		seen[name] = def.GoType
	}
	for i, t := range d.types.Typespace().Types {
		if t != nil && t.Kind == sats.KindSum {
			d.checkVariants(d.types.Definitions()[i].GoType, t)
		}
	}
}

func (d *definer) checkVariants(goType reflect.Type, t *sats.Type) {
	seen := map[string]bool{}
	for _, v := range t.Elems {
		if why := nameProblem(v.Name.Text); why != "" {
			d.r.problem("%s: the name %q of a variant %s", goType, v.Name.Text, why)
		} else if seen[v.Name.Text] {
			d.r.problem("%s: two variants are called %s", goType, v.Name.Text)
		}
		seen[v.Name.Text] = true
	}
}

func (d *definer) appendTypes(b []byte) []byte {
	defs := d.types.Definitions()
	b = sats.AppendLen(b, len(defs))
	for _, def := range defs {
		b = sats.AppendLen(b, 0) // scope
		b = sats.AppendString(b, typeName(def))
		b = sats.AppendU32(b, def.Ref)
		b = sats.AppendBool(b, true) // custom ordering: fields keep their order
	}
	return b
}

func appendCols(b []byte, cols ...int) []byte {
	b = sats.AppendLen(b, len(cols))
	for _, c := range cols {
		b = sats.AppendU16(b, uint16(c))
	}
	return b
}

func (d *definer) appendTable(b []byte, t *tableDef, row uint32) []byte {
	b = sats.AppendU32(sats.AppendString(b, t.name), row)
	if t.key >= 0 {
		b = appendCols(b, t.key)
	} else {
		b = appendCols(b)
	}
	b = sats.AppendLen(b, len(t.indexes))
	for _, ix := range t.indexes {
		b = appendIndex(b, ix)
	}
	var unique, counters []int
	for i, c := range t.cols {
		if c.unique {
			unique = append(unique, i)
		}
		if c.auto {
			counters = append(counters, i)
		}
	}
	b = sats.AppendLen(b, len(unique))
	for _, col := range unique {
		const dataUnique = 0
		b = appendCols(append(sats.AppendNone(b), dataUnique), col)
	}
	b = sats.AppendLen(b, len(counters))
	for _, col := range counters {
		b = sats.AppendU16(sats.AppendNone(b), uint16(col))
		b = append(b, 1, 1, 1) // start, least and greatest value: none given
		b = sats.AppendI128(b, sats.I128From(1))
	}
	const user, public, private = 1, 0, 1
	b = append(b, user)
	if t.public {
		b = append(b, public)
	} else {
		b = append(b, private)
	}
	b = sats.AppendLen(b, len(t.defaults))
	for _, def := range t.defaults {
		b = sats.AppendU16(b, uint16(def.col))
		b = sats.AppendBytes(b, def.value(d.codec(def.typ)))
	}
	return sats.AppendBool(b, t.event)
}

func appendIndex(b []byte, ix *indexDef) []byte {
	b = sats.AppendString(sats.AppendSome(b), ix.sourceName())
	b = sats.AppendString(sats.AppendSome(b), ix.accessor())
	b = append(b, byte(ix.algo))
	if ix.algo == direct {
		return sats.AppendU16(b, uint16(ix.cols[0]))
	}
	return appendCols(b, ix.cols...)
}

func appendReducer(b []byte, f *functionDef, params *sats.Type) []byte {
	b = sats.AppendString(b, f.name)
	b = sats.AppendElements(b, params.Elems)
	b = sats.AppendBool(b, !f.private) // visibility: 1 is "clients may call it"
	b = sats.AppendType(b, sats.Unit)
	return sats.AppendType(b, sats.String)
}

func appendSchedules(b []byte, tables []*tableDef) []byte {
	n := 0
	for _, t := range tables {
		if t.schedule != nil {
			n++
		}
	}
	b = sats.AppendLen(b, n)
	for _, t := range tables {
		if t.schedule != nil {
			b = sats.AppendString(sats.AppendNone(b), t.name)
			b = sats.AppendU16(b, uint16(t.schedule.col))
			b = sats.AppendString(b, t.schedule.function.name)
		}
	}
	return b
}

func appendLifecycle(b []byte, functions []*functionDef) []byte {
	n := 0
	for _, f := range functions {
		if f.event != noLifecycle {
			n++
		}
	}
	b = sats.AppendLen(b, n)
	for _, f := range functions {
		if f.event != noLifecycle {
			b = sats.AppendString(append(b, byte(f.event)), f.name)
		}
	}
	return b
}
