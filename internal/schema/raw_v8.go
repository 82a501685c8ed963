package schema

import "github.com/stdbgo/spacetime/sats"

// RawV8 is a definition in the form from before 1.0 (spec 02 §3.3).
type RawV8 struct {
	Typespace   *sats.Typespace
	Tables      []RawTableDescV8
	Reducers    []RawReducerV8
	MiscExports []RawTypeAliasV8
}

// RawTableDescV8 is a table with the typespace entry of its rows.
type RawTableDescV8 struct {
	Schema RawTableV8
	Ref    uint32
}

// RawTableV8 is a table.
type RawTableV8 struct {
	Name        string
	Columns     []RawColumnV8
	Indexes     []RawIndexV8
	Constraints []RawConstraintV8
	Sequences   []RawSequenceV8
	Kind        string // "system" or "user"
	Access      string // "public" or "private"
	Scheduled   sats.Name
}

// RawColumnV8 is a column.
type RawColumnV8 struct {
	Name string
	Type *sats.Type
}

// RawIndexV8 is an index.
type RawIndexV8 struct {
	Name     string
	IsUnique bool
	Algo     Algo // BTree or Hash
	Cols     []ColID
}

// RawConstraintV8 is a constraint; Kind is a set of bits.
type RawConstraintV8 struct {
	Name string
	Kind uint8
	Cols []ColID
}

// The bits of [RawConstraintV8.Kind] and their usual combinations.
const (
	v8Indexed    = 1
	v8AutoInc    = 2
	v8Unique     = 5
	v8PrimaryKey = 13
	v8AllBits    = 15
)

// RawSequenceV8 is an auto-increment column.
type RawSequenceV8 struct {
	Name            string
	Col             ColID
	Increment       sats.I128
	Start, Min, Max *sats.I128
	Allocated       sats.I128
}

// RawReducerV8 is a reducer.
type RawReducerV8 struct {
	Name string
	Args *sats.Type // product
}

// RawTypeAliasV8 gives an entry of the typespace a name.
type RawTypeAliasV8 struct {
	Name string
	Ref  uint32
}

func visitV8(c codec, m *RawV8) {
	c.open()
	field(c, "typespace", &m.Typespace, visitTypespace)
	field(c, "tables", &m.Tables, listOf(37, visitTableDescV8))
	field(c, "reducers", &m.Reducers, listOf(8, func(c codec, r *RawReducerV8) {
		c.open()
		field(c, "name", &r.Name, visitString)
		field(c, "args", &r.Args, visitProduct)
		c.close()
	}))
	field(c, "misc_exports", &m.MiscExports, listOf(9, func(c codec, a *RawTypeAliasV8) {
		c.sum(0, []string{"TypeAlias"})
		c.open()
		field(c, "name", &a.Name, visitString)
		field(c, "ty", &a.Ref, visitU32)
		c.close()
		c.endSum()
	}))
	c.close()
}

func visitTableDescV8(c codec, t *RawTableDescV8) {
	c.open()
	field(c, "schema", &t.Schema, visitTableV8)
	field(c, "data", &t.Ref, visitU32)
	c.close()
}

func visitTableV8(c codec, t *RawTableV8) {
	c.open()
	field(c, "table_name", &t.Name, visitString)
	field(c, "columns", &t.Columns, listOf(5, func(c codec, x *RawColumnV8) {
		c.open()
		field(c, "col_name", &x.Name, visitString)
		field(c, "col_type", &x.Type, visitType)
		c.close()
	}))
	field(c, "indexes", &t.Indexes, listOf(10, func(c codec, x *RawIndexV8) {
		c.open()
		field(c, "index_name", &x.Name, visitString)
		field(c, "is_unique", &x.IsUnique, visitBool)
		c.key("index_type")
		enum(c, &x.Algo, []string{"BTree", "Hash"})
		field(c, "columns", &x.Cols, cols)
		c.close()
	}))
	field(c, "constraints", &t.Constraints, listOf(9, func(c codec, x *RawConstraintV8) {
		c.open()
		field(c, "constraint_name", &x.Name, visitString)
		c.key("constraints")
		c.u8(&x.Kind)
		field(c, "columns", &x.Cols, cols)
		c.close()
	}))
	field(c, "sequences", &t.Sequences, listOf(41, visitSequenceV8))
	field(c, "table_type", &t.Kind, visitString)
	field(c, "table_access", &t.Access, visitString)
	field(c, "scheduled", &t.Scheduled, name)
	c.close()
}

func visitSequenceV8(c codec, s *RawSequenceV8) {
	c.open()
	field(c, "sequence_name", &s.Name, visitString)
	field(c, "col_pos", &s.Col, col)
	field(c, "increment", &s.Increment, i128)
	field(c, "start", &s.Start, visitOptI128)
	field(c, "min_value", &s.Min, visitOptI128)
	field(c, "max_value", &s.Max, visitOptI128)
	field(c, "allocated", &s.Allocated, i128)
	c.close()
}
