package module

import (
	"reflect"
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/sats"
)

// An algorithm is the kind of an index; the number is its tag in the definition (spec 02 §3.1).
type algorithm uint8

const (
	btree algorithm = iota
	hash
	direct
)

var algorithmNames = [...]string{btree: "btree", hash: "hash", direct: "direct"}

// indexDef is an index without its types.
type indexDef struct {
	table  *tableDef
	slot   int // position in the registry
	algo   algorithm
	unique bool
	cols   []int
	keys   []*sats.Codec // of the columns; after the definition is made
}

// index finds or makes the index of the table over cols.
func (d *tableDef) index(algo algorithm, unique bool, cols ...int) *indexDef {
	for _, ix := range d.indexes {
		if ix.algo == algo && slices.Equal(ix.cols, cols) {
			return ix
		}
	}
	ix := &indexDef{table: d, slot: len(d.reg.indexes), algo: algo, unique: unique, cols: cols}
	for i, col := range cols {
		if why := notIndexable(d.cols[col].field.Type); why != "" {
			d.reg.problem("%s: a column of type %s cannot be indexed: %s", d.at(col), d.cols[col].field.Type, why)
		}
		if slices.Contains(cols[:i], col) {
			d.reg.problem("%s: an index of table %q has this column twice", d.at(col), d.name)
		}
	}
	if algo == direct && !isDirect(d.cols[cols[0]].field.Type) {
		d.reg.problem("%s: a direct index needs an unsigned integer of up to 64 bits or an enum, not %s",
			d.at(cols[0]), d.cols[cols[0]].field.Type)
	}
	d.reg.indexes = append(d.reg.indexes, ix)
	d.indexes = append(d.indexes, ix)
	return ix
}

// declare makes the index that a call like IndexOf asks for. After a problem it returns an index that nothing uses.
func (d *tableDef) declare(call string, algo algorithm, fields ...selection) *indexDef {
	cols := make([]int, len(fields))
	for i, f := range fields {
		if cols[i] = d.column(call, f); cols[i] < 0 {
			return &indexDef{table: d}
		}
	}
	return d.index(algo, false, cols...)
}

// uniqueIndex finds the index of a unique column.
func (d *tableDef) uniqueIndex(field selection) *indexDef {
	col := d.column("UniqueOf", field)
	if col < 0 {
		return &indexDef{table: d}
	}
	for _, ix := range d.indexes {
		if ix.unique && ix.cols[0] == col {
			return ix
		}
	}
	d.reg.problem("%s: UniqueOf needs the word primarykey or unique in the field's stdb tag", d.at(col))
	return &indexDef{table: d}
}

func notIndexable(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Float32, reflect.Float64:
		return "floating-point numbers are no keys"
	case reflect.Pointer:
		return "it is optional"
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 {
			return "it is a list"
		}
	case reflect.Interface:
		return "it is a sum type"
	case reflect.Struct:
		switch t {
		case reflect.TypeFor[U128](), reflect.TypeFor[I128]():
			return ""
		}
		return "it is a struct"
	}
	return ""
}

func isDirect(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	return false
}

// sourceName is the name by which the module asks the host for the index (spec 03 §5.1).
func (ix *indexDef) sourceName() string {
	return ix.table.name + "_" + ix.accessor() + "_idx_" + algorithmNames[ix.algo]
}

// accessor is the name that clients get to see.
func (ix *indexDef) accessor() string {
	names := make([]string, len(ix.cols))
	for i, col := range ix.cols {
		names[i] = ix.table.cols[col].name
	}
	return strings.Join(names, "_")
}
