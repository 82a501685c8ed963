package schema

import "github.com/stdbgo/spacetime/sats"

// RawModule is a module definition as a module describes itself, before any
// check (spec 02 §3). Exactly one field is set.
type RawModule struct {
	V8  *RawV8
	V9  *RawV9
	V10 *RawV10
}

// RawV9 is a definition in the form of the 1.x SDKs (spec 02 §3.1).
type RawV9 struct {
	Typespace   *sats.Typespace
	Tables      []RawTableV9
	Reducers    []RawReducerV9
	Types       []RawType
	MiscExports []RawMiscExport
	RLS         []string
}

// RawTableV9 is a table of a [RawV9].
type RawTableV9 struct {
	Name           string
	ProductTypeRef uint32
	PrimaryKey     []ColID
	Indexes        []RawIndex
	Constraints    []RawConstraint
	Sequences      []RawSequence
	Schedule       *RawScheduleV9
	Kind           TableKind
	Access         Access
}

// RawIndex is an index; V10 calls Name its source name.
type RawIndex struct {
	Name     sats.Name
	Accessor sats.Name
	Algo     Algo
	Cols     []ColID // exactly one if Algo is Direct
}

// RawConstraint is a unique constraint.
type RawConstraint struct {
	Name sats.Name
	Cols []ColID
}

// RawSequence is an auto-increment column.
type RawSequence struct {
	Name            sats.Name
	Col             ColID
	Start, Min, Max *sats.I128 // nil: not given
	Increment       sats.I128
}

// RawScheduleV9 is the schedule of a table.
type RawScheduleV9 struct {
	Name     sats.Name
	Function string
	AtCol    ColID
}

// RawReducerV9 is a reducer of a [RawV9].
type RawReducerV9 struct {
	Name      string
	Params    *sats.Type
	Lifecycle Lifecycle
}

// RawType gives an entry of the typespace a name.
type RawType struct {
	Scope          []string
	Name           string
	Ref            uint32
	CustomOrdering bool
}

// RawMiscExport is one of the later additions to V9; exactly one field is set.
type RawMiscExport struct {
	ColumnDefault *RawColumnDefaultV9
	Procedure     *RawProcedureV9
	View          *RawView
}

// RawColumnDefaultV9 is the default value of a column.
type RawColumnDefaultV9 struct {
	Table string
	Col   ColID
	Value []byte // BSATN
}

// RawProcedureV9 is a procedure of a [RawV9].
type RawProcedureV9 struct {
	Name   string
	Params *sats.Type
	Return *sats.Type
}

// RawView is a view; V10 calls Name its source name.
type RawView struct {
	Name        string
	Index       uint32 // within the anonymous or the sender-dependent views
	IsPublic    bool
	IsAnonymous bool
	Params      *sats.Type
	Return      *sats.Type
}

// RawV10 is a definition in the form of the 2.x SDKs (spec 02 §3.2). Sections
// stand in the order they were sent in; of several with one tag the first
// counts.
type RawV10 struct {
	Sections []RawSection
}

// SectionTag tells what a [RawSection] holds.
type SectionTag uint8

const (
	SecTypespace SectionTag = iota
	SecTypes
	SecTables
	SecReducers
	SecProcedures
	SecViews
	SecSchedules
	SecLifecycle
	SecRLS
	SecCasePolicy
	SecExplicitNames
	SecHTTPHandlers
	SecHTTPRoutes
	SecViewPrimaryKeys
	SecSubmodules
	SecEnvironment
	SecOutboxes
)

// sectionNames are the names of the sections by tag.
var sectionNames = []string{
	"Typespace", "Types", "Tables", "Reducers", "Procedures", "Views", "Schedules", "LifeCycleReducers",
	"RowLevelSecurity", "CaseConversionPolicy", "ExplicitNames", "HttpHandlers", "HttpRoutes",
	"ViewPrimaryKeys", "Submodules", "Environment", "Outboxes",
}

// RawSection is one section of a [RawV10]. Only the field that Tag names is
// meaningful.
type RawSection struct {
	Tag SectionTag

	Typespace       *sats.Typespace
	Types           []RawType
	Tables          []RawTableV10
	Reducers        []RawReducerV10
	Procedures      []RawProcedureV10
	Views           []RawView
	Schedules       []RawScheduleV10
	Lifecycle       []RawLifecycle
	RLS             []string
	CasePolicy      CasePolicy
	ExplicitNames   []RawExplicitName
	HTTPHandlers    []string
	HTTPRoutes      []RawHTTPRoute
	ViewPrimaryKeys []RawViewPrimaryKey
	Submodules      []RawSubmodule
	Environment     []RawEnvironmentVar
	Outboxes        []RawOutbox
}

// Section returns the section that counts for tag, or an empty one. An absent
// policy is SnakeCase.
func (r *RawV10) Section(tag SectionTag) *RawSection {
	for i := range r.Sections {
		if r.Sections[i].Tag == tag {
			return &r.Sections[i]
		}
	}
	return &RawSection{Tag: tag, Typespace: &sats.Typespace{}, CasePolicy: SnakeCase}
}

// CasePolicy says how source names become canonical names.
type CasePolicy uint8

const (
	CaseNone CasePolicy = iota // verbatim
	SnakeCase
)

// RawTableV10 is a table of a [RawV10].
type RawTableV10 struct {
	SourceName     string
	ProductTypeRef uint32
	PrimaryKey     []ColID
	Indexes        []RawIndex
	Constraints    []RawConstraint
	Sequences      []RawSequence
	Kind           TableKind
	Access         Access
	Defaults       []RawColumnDefault
	IsEvent        bool
}

// RawColumnDefault is the default value of a column.
type RawColumnDefault struct {
	Col   ColID
	Value []byte // BSATN
}

// Visibility says who may call a function.
type Visibility uint8

const (
	VisibilityPrivate Visibility = iota // the owner and the database itself
	VisibilityClient                    // every client
)

// RawReducerV10 is a reducer of a [RawV10].
type RawReducerV10 struct {
	SourceName string
	Params     *sats.Type
	Visibility Visibility
	Ok, Err    *sats.Type
}

// RawProcedureV10 is a procedure of a [RawV10].
type RawProcedureV10 struct {
	SourceName string
	Params     *sats.Type
	Return     *sats.Type
	Visibility Visibility
}

// RawScheduleV10 makes a table a timer. Names are source names.
type RawScheduleV10 struct {
	SourceName sats.Name
	Table      string
	AtCol      ColID
	Function   string
}

// RawLifecycle binds a reducer, by source name, to an event.
type RawLifecycle struct {
	Event    Lifecycle
	Function string
}

// NameKind tells what a [RawExplicitName] names.
type NameKind uint8

const (
	NameTable NameKind = iota
	NameFunction
	NameIndex
	NameNamespace
)

// RawExplicitName gives an object a canonical name of its own.
type RawExplicitName struct {
	Kind      NameKind
	Source    string
	Canonical string
}

// RawHTTPRoute is a route to an HTTP handler, which is given by source name.
type RawHTTPRoute struct {
	Handler string
	Method  RawHTTPMethod
	Path    string
}

// RawHTTPMethod is the method of a route; the zero value is "any".
type RawHTTPMethod struct {
	Set       bool
	Tag       uint8  // index into httpMethods
	Extension string // if Tag is the last one
}

// httpMethods are the variants of HttpMethod by tag; the last carries a name.
var httpMethods = []string{"Get", "Head", "Post", "Put", "Delete", "Connect", "Options", "Trace", "Patch", "Extension"}

const httpExtension = 9

// RawViewPrimaryKey is the primary key of a view, by source names.
type RawViewPrimaryKey struct {
	View    string
	Columns []string
}

// RawSubmodule is a module mounted into another.
type RawSubmodule struct {
	Namespace string
	Module    *RawV10
}

// RawEnvironmentVar declares an environment variable.
type RawEnvironmentVar struct {
	Name     string
	Type     RawEnvType
	Optional bool
}

// RawEnvType is the type of an environment variable.
type RawEnvType struct {
	Kind   EnvKind
	Values []string // one for EnvLiteral, any number for EnvUnion
}

// EnvKind is the kind of a [RawEnvType].
type EnvKind uint8

const (
	EnvString EnvKind = iota
	EnvLiteral
	EnvUnion
)

// RawOutbox makes a table, by source name, an outbox.
type RawOutbox struct {
	Table         string
	RemoteReducer string
	TargetCol     ColID
	ArgCols       []ColID
	OnResult      sats.Name
	SignatureHash sats.Hash
}
