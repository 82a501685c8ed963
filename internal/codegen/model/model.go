// Package model is what every generator of client bindings starts from: a
// module definition with what clients cannot see taken out, sorted as spec 10
// §2.4 demands, and with every type brought into the form of spec 10 §2.5. It
// must not know any target language; the conversion of names to a language's
// case and the escaping of its reserved words belong to the generators.
package model

import "github.com/stdbgo/spacetime/internal/schema"

// A Module is one module definition as clients see it.
type Module struct {
	Root *Level
	// Private names the tables that were left out because they are private,
	// by canonical name, sorted.
	Private []string
}

// A Level is the root of a module or one of its submodules.
type Level struct {
	Path      []string // accessor names of the submodules that lead here; empty at the root
	Canonical string   // the dotted canonical path, "" at the root

	Types      []*Type     // by scoped accessor name
	Tables     []*Table    // tables by canonical name, then views by canonical name
	Reducers   []*Function // in the order of definition
	Procedures []*Function // by canonical name
	Subs       []*Level    // by accessor name
}

// A Table is a table or a view.
type Table struct {
	Level    *Level
	Name     string // canonical and qualified: what goes over the wire
	Accessor string // source name within its level
	IsView   bool
	IsEvent  bool
	Private  bool

	Params  []Field // of a view with parameters
	Row     *Type   // a product
	Columns []Column
	// PrimaryKey is the position of the primary key in Columns, or -1. A view
	// with parameters has none (spec 10 §2.10).
	PrimaryKey  int
	Indexes     []Index      // by canonical name
	Constraints []Constraint // unique ones, by canonical name
}

// A Column is one column of a Table.
type Column struct {
	Name     string // canonical: what SQL text uses
	Accessor string // source name
	Use      *Use
	Unique   bool // a unique constraint covers this column alone; never set in views
	AutoInc  bool
}

// An Index is one index of a Table.
type Index struct {
	Name     string // canonical
	Accessor string // for generated clients; "" means that they have no access
	Algo     schema.Algo
	Columns  []int // positions in Table.Columns
	Unique   bool  // a unique constraint covers exactly these columns
}

// A Constraint says that no two rows agree in Columns.
type Constraint struct {
	Name    string // canonical
	Columns []int
}

// A Function is a reducer or a procedure.
type Function struct {
	Level    *Level
	Name     string // canonical and qualified: what goes over the wire
	Accessor string // source name within its level
	Params   []Field
	Return   *Use // of a procedure
	// Lifecycle is not zero for a reducer that the server calls. It has an
	// entry among the events, but no call function (spec 10 §2.2).
	Lifecycle schema.Lifecycle
	Private   bool
}

// A Field is an element of a product, a variant of a sum, or a parameter.
type Field struct {
	Name string // source name
	Use  *Use
}

// A Shape tells the three forms of a Type apart.
type Shape uint8

// The shapes of types.
const (
	Product Shape = iota
	Sum
	PlainEnum // a sum whose variants carry nothing; one without variants, too
)

// A Type is a named type of the module: a definition in the words of spec 10 §2.5.
type Type struct {
	Level *Level
	Scope []string // source scope segments
	Name  string   // source name
	// Ident is the PascalCase of the scope segments and the name, concatenated.
	Ident string
	// Stem is the snake_case of the same, joined by underscores, for names of files.
	Stem string

	Shape  Shape
	Fields []Field
	// Recursive is set if the type takes part in a cycle of references.
	Recursive bool
	// RowOf has the visible tables and views whose rows are of this type.
	RowOf []*Table
}

// A Kind tells the uses of types apart.
type Kind uint8

// The kinds of uses. Their order within the integers is that of spec 01.
const (
	Ref    Kind = iota // Use.Type
	Array              // of Use.Elem
	Option             // of Use.Elem
	Result             // Use.Elem is ok, Use.Err the error
	ScheduleAt
	Identity
	ConnectionID
	Timestamp
	TimeDuration
	UUID
	Unit
	Never
	String
	Bool
	I8
	U8
	I16
	U16
	I32
	U32
	I64
	U64
	I128
	U128
	I256
	U256
	F32
	F64
)

// A Use is a type where it is used: a reference to a definition, a built-in
// type, or an array, option or result of other uses.
type Use struct {
	Kind Kind
	Type *Type
	Elem *Use
	Err  *Use
}
