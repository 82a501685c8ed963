package module

import (
	"reflect"
	"strings"
	"unsafe"

	"github.com/stdbgo/spacetime/sats"
)

// A column is a field of a row type.
type column struct {
	name   string
	field  reflect.StructField
	unique bool
	auto   bool
	target bool // of an outbox
}

// readColumns makes the columns of the row type and the indexes that its tags ask for.
func (d *tableDef) readColumns() {
	if d.goType.Kind() != reflect.Struct {
		d.reg.problem("table %q: its row type %s is not a struct", d.name, d.goType)
		return
	}
	if d.goType.NumField() == 0 {
		d.reg.problem("table %q: its row type %s has no fields", d.name, d.goType)
	}
	for i := range d.goType.NumField() {
		f := d.goType.Field(i)
		c := column{name: sats.FieldName(f), field: f}
		d.cols = append(d.cols, c)
		if f.IsExported() && !f.Anonymous { // what is wrong otherwise is found with the types
			d.readTag(i)
		}
	}
}

// at names a column in a problem.
func (d *tableDef) at(col int) string { return d.goType.String() + "." + d.cols[col].field.Name }

func (d *tableDef) readTag(col int) {
	c := &d.cols[col]
	algo := btree
	algorithms := 0
	for word := range tagWords(c.field) {
		switch word {
		case "primarykey":
			if d.key >= 0 {
				d.reg.problem("%s: the table %q has the primary key %s already", d.at(col), d.name, d.at(d.key))
			}
			d.key, c.unique = col, true
		case "unique":
			c.unique = true
		case "autoinc":
			c.auto = true
			if !isInteger(c.field.Type) {
				d.reg.problem("%s: autoinc needs an integer, not %s", d.at(col), c.field.Type)
			}
		case "target":
			c.target = true
		case "hash":
			algo = hash
			algorithms++
		case "direct":
			algo = direct
			algorithms++
		default:
			d.reg.problem("%s: the stdb tag has the unknown word %q; it knows name=…, primarykey, unique, autoinc, target, hash and direct",
				d.at(col), word)
		}
	}
	switch {
	case algorithms > 1:
		d.reg.problem("%s: hash and direct exclude each other", d.at(col))
	case algorithms > 0 && !c.unique:
		d.reg.problem("%s: the words hash and direct go with primarykey or unique; for other columns use HashIndexOf", d.at(col))
	case c.unique:
		d.index(algo, true, col)
	}
}

// tagWords yields the words of a field's tag but its name, which package sats reads.
func tagWords(f reflect.StructField) func(func(string) bool) {
	return func(yield func(string) bool) {
		for word := range strings.SplitSeq(f.Tag.Get("stdb"), ",") {
			word = strings.TrimSpace(word)
			if word != "" && !strings.HasPrefix(word, "name=") && !yield(word) {
				return
			}
		}
	}
}

func isInteger(t reflect.Type) bool {
	if _, enum := sats.EnumNames(t); enum {
		return false
	}
	switch t {
	case reflect.TypeFor[U128](), reflect.TypeFor[I128](), reflect.TypeFor[U256](), reflect.TypeFor[I256]():
		return true
	case reflect.TypeFor[Timestamp](), reflect.TypeFor[TimeDuration]():
		return false
	}
	switch t.Kind() {
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	return false
}

// A selection is what a selector function points to.
type selection struct {
	offset uintptr
	typ    reflect.Type
	why    string // what is wrong with the selector, or ""
}

// selected calls a selector on a row of its own to learn which field it means.
func selected[Row, K any](field func(*Row) *K) (s selection) {
	s.typ = reflect.TypeFor[K]()
	if field == nil {
		s.why = "is nil"
		return s
	}
	row := new(Row)
	defer func() {
		if recover() != nil {
			s.why = "panics on an empty row; it must only take the address of a field, as in func(r *Row) *K { return &r.Field }"
		}
	}()
	p := field(row)
	s.offset = uintptr(unsafe.Pointer(p)) - uintptr(unsafe.Pointer(row))
	if p == nil || s.offset >= unsafe.Sizeof(*row) {
		s.why = "does not return the address of a field of the row it is given"
	}
	return s
}

// column finds the column that a selector of the given call means; -1 after noting a problem.
func (d *tableDef) column(call string, s selection) int {
	if s.why != "" {
		d.reg.problem("%s of table %q (%s): the selector %s", call, d.name, d.goType, s.why)
		return -1
	}
	for i, c := range d.cols {
		if c.field.Offset == s.offset && c.field.Type == s.typ {
			return i
		}
	}
	for i, c := range d.cols {
		if c.field.Offset <= s.offset && s.offset < c.field.Offset+c.field.Type.Size() {
			d.reg.problem("%s of table %q: the selector means a part of %s; only whole columns can be selected", call, d.name, d.at(i))
			break
		}
	}
	return -1
}
