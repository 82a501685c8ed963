package schema

import (
	"math/big"
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/sats"
)

// checkTable validates a table with its indexes, constraints and sequences.
func (v *validator) checkTable(raw *RawTableV10) {
	name := v.names.table(raw.SourceName)
	what := "table `" + name + "`"
	before := v.count
	if v.sourceIdent(raw.SourceName, name, "table name") && raw.Kind != System && strings.HasPrefix(name, "st_") {
		v.add(TableNameReserved, "%s: names that start with `st_` are reserved for system tables", what)
	}
	v.claim(what, raw.SourceName, name)
	columns, row, ok := v.columns(raw.ProductTypeRef, what)
	if !ok {
		v.declareTable(name, nil)
		return
	}
	t := &tableCheck{v: v, raw: raw, what: what, def: &TableDef{
		Name: name, Accessor: raw.SourceName, Typespace: v.def.Typespace, TypeRef: raw.ProductTypeRef, RowType: row,
		Columns: columns, Kind: raw.Kind, Access: raw.Access, IsEvent: raw.IsEvent,
	}}
	t.indexes()
	t.constraints()
	t.primaryKey()
	t.sequences()
	t.defaults()
	if v.count != before {
		v.declareTable(name, nil)
		return
	}
	v.def.Tables = append(v.def.Tables, t.def)
	v.declareTable(name, t.def)
}

// declareTable enters a table for those that refer to it by name; nil if it is
// wrong itself. Of two with one name, which is an error, the first stays.
func (v *validator) declareTable(name string, d *TableDef) {
	if _, taken := v.tables[name]; !taken {
		v.tables[name] = d
	}
}

// tableCheck validates the parts of a table whose columns are known to be
// right.
type tableCheck struct {
	v    *validator
	raw  *RawTableV10
	def  *TableDef
	what string
}

// checkCols checks a list of columns; object says whose.
func (t *tableCheck) checkCols(cols []ColID, object string) bool {
	ok := true
	if len(cols) == 0 {
		t.v.add(ColumnNotFound, "%s of %s covers no column", object, t.what)
		return false
	}
	seen := make(map[ColID]bool, min(len(cols), len(t.def.Columns)))
	for _, c := range cols {
		switch {
		case int(c) >= len(t.def.Columns):
			t.v.add(ColumnNotFound, "%s of %s refers to column %d, but the table has %d columns", object, t.what, c, len(t.def.Columns))
			ok = false
		case seen[c]:
			t.v.add(DuplicateColumns, "%s of %s has column `%s` more than once", object, t.what, t.def.Columns[c].Name)
			ok = false
		}
		seen[c] = true
	}
	return ok
}

func (t *tableCheck) indexes() {
	for i := range t.raw.Indexes {
		x := &t.raw.Indexes[i]
		object := "index " + x.Name.Or("without a name")
		if !t.checkCols(x.Cols, object) {
			continue
		}
		if x.Accessor.Set {
			t.v.ident(x.Accessor.Text, "accessor name of "+object+" of "+t.what)
		}
		if x.Algo == Direct && !t.directIndexable(x.Cols[0]) {
			t.v.add(DirectIndexOnBadType, "%s of %s: a direct index needs a column of type U8, U16, U32, U64 or an enum without data, not %s",
				object, t.what, typeText(t.def.Columns[x.Cols[0]].RawType))
		}
		t.addIndex(x, object)
	}
}

// addIndex gives the index its names (spec 02 §5.3).
func (t *tableCheck) addIndex(x *RawIndex, object string) {
	d := IndexDef{Codegen: x.Accessor, Algo: x.Algo, Cols: x.Cols}
	generated := indexName(t.def.Name, columnNames(t.def.Columns, x.Cols), x.Algo)
	if t.v.version == V9 {
		d.Name = x.Name.Or(generated)
		d.Accessor = d.Name
	} else {
		if !x.Name.Set {
			t.v.add(IdentifierError, "%s of %s: an index must have a source name", object, t.what)
			return
		}
		d.Name, d.Accessor = generated, x.Name.Text
		if explicit, ok := t.v.names.index(x.Name.Text); ok {
			d.Name = explicit
			t.v.ident(d.Name, "canonical name of "+object+" of "+t.what)
		}
	}
	t.v.claim("index `"+d.Name+"` of "+t.what, d.Accessor, d.Name)
	t.def.Indexes = append(t.def.Indexes, d)
}

// directIndexable reports whether the column may have a direct index. The
// typespace is the converted one, in which references lead to the same shapes.
func (t *tableCheck) directIndexable(c ColID) bool {
	switch raw := t.def.Columns[c].RawType; raw.Kind {
	case sats.KindU8, sats.KindU16, sats.KindU32, sats.KindU64:
		return true
	case sats.KindRef, sats.KindSum:
		resolved := t.def.Columns[c].Type
		return resolved.IsPlainEnum() || resolved.IsNever()
	}
	return false
}

func (t *tableCheck) constraints() {
	indexed := map[string]bool{}
	for _, x := range t.raw.Indexes {
		indexed[columnSetKey(x.Cols)] = true
	}
	for i := range t.raw.Constraints {
		x := &t.raw.Constraints[i]
		if !t.checkCols(x.Cols, "unique constraint "+x.Name.Or("without a name")) {
			continue
		}
		name := constraintName(t.def.Name, columnNames(t.def.Columns, x.Cols))
		if t.v.version == V9 {
			name = x.Name.Or(name)
		}
		d := ConstraintDef{Name: name, Cols: columnSet(x.Cols)}
		t.v.claim("unique constraint `"+name+"` of "+t.what, name)
		t.def.Constraints = append(t.def.Constraints, d)
		if !indexed[columnSetKey(d.Cols)] {
			t.v.add(UniqueConstraintWithoutIndex, "unique constraint `%s` of %s needs an index on the same columns (%s)",
				name, t.what, strings.Join(columnNames(t.def.Columns, d.Cols), ", "))
		}
	}
}

func (t *tableCheck) primaryKey() {
	key := t.raw.PrimaryKey
	if len(key) == 0 {
		return
	}
	if len(key) > 1 {
		t.v.add(RepeatedPrimaryKey, "%s has a primary key of %d columns; only one column can be the primary key", t.what, len(key))
		return
	}
	if !t.checkCols(key, "the primary key") {
		return
	}
	pk := key[0]
	t.def.PrimaryKey = &pk
	if !slices.ContainsFunc(t.raw.Constraints, func(c RawConstraint) bool { return SameColumnSet(c.Cols, key) }) {
		t.v.add(MissingPrimaryKeyUniqueConstraint, "%s: its primary key `%s` needs a unique constraint on that column", t.what, t.def.Columns[pk].Name)
	}
}

func (t *tableCheck) sequences() {
	seen := map[ColID]bool{}
	for i := range t.raw.Sequences {
		x := &t.raw.Sequences[i]
		if !t.checkCols([]ColID{x.Col}, "sequence "+x.Name.Or("without a name")) {
			continue
		}
		column := &t.def.Columns[x.Col]
		name := x.Name.Or(sequenceName(t.def.Name, column.Name))
		what := "sequence `" + name + "` of " + t.what
		if t.v.version != V9 && x.Name.Set {
			t.v.ident(name, what)
		}
		if !column.Type.Kind.IsInteger() {
			t.v.add(InvalidSequenceColumnType, "%s: column `%s` must be of an integer type, not %s", what, column.Name, typeText(column.RawType))
		}
		if seen[x.Col] {
			t.v.add(OneAutoInc, "column `%s` of %s has more than one sequence", column.Name, t.what)
		}
		seen[x.Col] = true
		d := SequenceDef{
			Name: name, Col: x.Col, Increment: x.Increment, raw: *x,
			Start: valueOr(x.Start, sats.I128From(1)), Min: valueOr(x.Min, sats.I128From(1)), Max: valueOr(x.Max, maxI128),
		}
		t.checkRange(&d, what)
		t.v.claim(what, name)
		t.def.Sequences = append(t.def.Sequences, d)
	}
}

func valueOr(p *sats.I128, def sats.I128) sats.I128 {
	if p == nil {
		return def
	}
	return *p
}

// checkRange refuses what would make a sequence stop or overflow.
func (t *tableCheck) checkRange(d *SequenceDef, what string) {
	width := new(big.Int).Sub(d.Max.Big(), d.Min.Big())
	switch {
	case d.Max.Cmp(d.Min) <= 0:
		t.v.add(InvalidSequenceRange, "%s: its maximum %s must be greater than its minimum %s", what, d.Max, d.Min)
	case d.Start.Cmp(d.Min) < 0 || d.Start.Cmp(d.Max) > 0:
		t.v.add(InvalidSequenceRange, "%s: its start %s must lie between its minimum %s and its maximum %s", what, d.Start, d.Min, d.Max)
	case d.Increment == sats.I128{}:
		t.v.add(InvalidSequenceRange, "%s: its increment must not be 0", what)
	case d.Increment.Big().CmpAbs(width) >= 0:
		t.v.add(InvalidSequenceRange, "%s: its increment %s does not fit between its minimum %s and its maximum %s", what, d.Increment, d.Min, d.Max)
	}
}

// defaults attaches the default values; of several for one column the last
// counts.
func (t *tableCheck) defaults() {
	for _, d := range t.raw.Defaults {
		if !t.checkCols([]ColID{d.Col}, "a default value") {
			continue
		}
		c := &t.def.Columns[d.Col]
		n, err := sats.NewWalker(c.Type).Validate(d.Value)
		if err != nil {
			t.v.add(ColumnDefaultValueMalformed, "the default value of column `%s` of %s is no value of type %s: %v", c.Name, t.what, typeText(c.RawType), err)
			continue
		}
		c.Default = append([]byte{}, d.Value[:n]...)
	}
}
