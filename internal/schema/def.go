package schema

import "github.com/stdbgo/spacetime/sats"

// ModuleDef is a validated module definition.
//
// The lists hold the module's own objects in declaration order, followed by
// those of its submodules, depth first, under qualified names ("lib.session").
// The objects of one level are those with an empty Namespace; Submodules has
// the nested modules seen from inside.
type ModuleDef struct {
	Version   Version
	Typespace *sats.Typespace // converted names; of this level only
	Types     []*TypeDef      // of this level only
	// SourceTypespace is Typespace with the names the module's author wrote,
	// from which generated clients take identifiers.
	SourceTypespace *sats.Typespace

	Tables     []*TableDef
	Reducers   []*ReducerDef   // position = reducer id
	Procedures []*ProcedureDef // position = procedure id
	Views      []*ViewDef

	RLS          []string          // distinct SQL texts, sorted; root only
	HTTPHandlers []*HTTPHandlerDef // position = handler id; root only
	HTTPRoutes   []HTTPRouteDef
	Environment  []EnvironmentVar // root only
	Submodules   []*SubmoduleDef

	Raw *RawModule // what the module sent

	names     lookups
	lifecycle [LifecycleOnDisconnect + 1]*ReducerDef
}

// SubmoduleDef is a module mounted into another.
type SubmoduleDef struct {
	Namespace string // canonical, one segment
	Accessor  string // as declared, one segment
	Module    *ModuleDef
}

// TypeDef names an entry of the typespace.
type TypeDef struct {
	Scope          []string // PascalCase in V10 modules
	Name           string
	SourceScope    []string // as the module wrote it
	SourceName     string
	Ref            uint32
	CustomOrdering bool
}

// TableDef is a table as a module declares it.
type TableDef struct {
	Namespace string // canonical path of the submodule it comes from; empty at the root
	Name      string // canonical, qualified
	Accessor  string // source name, qualified with the accessor namespace

	Typespace  *sats.Typespace // TypeRef points into it
	TypeRef    uint32
	RowType    *sats.Type // without references
	Columns    []ColumnDef
	PrimaryKey *ColID

	Indexes     []IndexDef
	Constraints []ConstraintDef
	Sequences   []SequenceDef
	Schedule    *ScheduleDef
	Outbox      *OutboxDef

	Kind    TableKind
	Access  Access
	IsEvent bool
}

// ColumnDef is a column as a module declares it.
type ColumnDef struct {
	Name     string
	Accessor string
	Type     *sats.Type // without references
	RawType  *sats.Type // as declared, may hold references
	Default  []byte     // BSATN of the value existing rows get when the column is added; nil: none
}

// IndexDef is an index as a module declares it.
type IndexDef struct {
	Name     string    // canonical, qualified
	Accessor string    // index source name, qualified: what module code asks for
	Codegen  sats.Name // accessor name for generated clients
	Algo     Algo
	Cols     []ColID
}

// ConstraintDef is a unique constraint as a module declares it.
type ConstraintDef struct {
	Name string
	Cols []ColID // ascending, without repetitions
}

// SequenceDef is an auto-increment column as a module declares it, defaults
// filled in.
type SequenceDef struct {
	Name            string
	Col             ColID
	Start, Min, Max sats.I128
	Increment       sats.I128

	raw RawSequence // which of the values the module gave
}

// ScheduleDef makes its table a timer (spec 02 §6.6).
type ScheduleDef struct {
	Name        string
	AtCol       ColID
	IDCol       ColID
	Function    string // canonical, qualified
	IsProcedure bool
}

// OutboxDef makes its table an outbox (spec 02 §6.14).
type OutboxDef = Outbox

// ReducerDef is a reducer. Its Params may hold references into Typespace.
type ReducerDef struct {
	ID        uint32
	Namespace string
	Name      string // canonical, qualified: what clients call
	Accessor  string
	Typespace *sats.Typespace
	Params    *sats.Type // product, names as declared
	ParamCols *sats.Type // the same product with canonical names
	Lifecycle Lifecycle
	Private   bool // only the owner may call it (V10; spec 02 §6.8)

	ok, err *sats.Type
}

// ProcedureDef is a procedure.
type ProcedureDef struct {
	ID        uint32
	Namespace string
	Name      string
	Accessor  string
	Typespace *sats.Typespace
	Params    *sats.Type
	ParamCols *sats.Type
	Return    *sats.Type
	Private   bool
}

// ViewDef is a view.
type ViewDef struct {
	Index       uint32 // within the anonymous or the sender-dependent views; the guest's id
	Namespace   string
	Name        string
	Accessor    string
	Typespace   *sats.Typespace
	Params      *sats.Type
	ParamCols   *sats.Type
	Return      *sats.Type  // Option<Ref>, Array<Ref> or a query
	TypeRef     uint32      // product of the returned rows
	RowType     *sats.Type  // without references
	Columns     []ColumnDef // returned columns, without arg_hash
	PrimaryKey  *ColID      // position in Columns
	IsPublic    bool
	IsAnonymous bool
	IsQuery     bool // Return is the query-builder form
}

// HTTPHandlerDef is a function that answers HTTP requests.
type HTTPHandlerDef struct {
	ID       uint32
	Name     string
	Accessor string
}

// HTTPRouteDef maps requests to a handler.
type HTTPRouteDef struct {
	Handler string // canonical name
	Method  string // upper case; empty: any method
	Path    string

	raw RawHTTPMethod
}

// EnvironmentVar is a declared environment variable (spec 02 §6.13).
type EnvironmentVar struct {
	Name     string
	Kind     EnvKind
	Values   []string // permitted values, sorted, without repetitions; nil: any string
	Optional bool
}
