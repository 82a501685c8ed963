package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// ProblemKind classifies a [Problem]. The order is that of reports (spec 02
// §6.9).
type ProblemKind uint8

const (
	DuplicateName ProblemKind = iota
	DuplicateTypeName
	DuplicateLifecycle
	IdentifierError
	UnnamedColumn
	TypeHasIncorrectOrdering
	ColumnNotFound
	ColumnDefMalformed
	RepeatedPrimaryKey
	OneAutoInc
	UniqueConstraintWithoutIndex
	DirectIndexOnBadType
	DuplicateColumns
	InvalidSequenceColumnType
	InvalidSequenceRange
	InvalidViewReturnType
	ViewPrimaryKeyViewNotFound
	RepeatedViewPrimaryKey
	MultipleViewPrimaryKeyColumns
	ViewPrimaryKeyColumnNotFound
	ViewPrimaryKeyWithParams
	ViewFloatParam
	InvalidProductTypeRef
	InvalidTypeRef
	ScheduledIncorrectColumns
	ClientCodegenError
	MissingPrimaryKeyUniqueConstraint
	MissingScheduledFunction
	IncorrectScheduledFunctionParams
	TableNameReserved
	ColumnDefaultValueMalformed
	MultipleColumnDefaultValues
	TableNotFound
	DuplicateOutbox
	MissingOutboxTable
	MissingOutboxOnResult
	IncorrectOutboxOnResultParams
	OutboxOnResultMustBeLocal
	OutboxEventTable
	OutboxScheduledTable
	OutboxMissingPrimaryKey
	OutboxInvalidPrimaryKey
	OutboxTargetColumnMissing
	OutboxArgumentColumnNotFound
	DuplicateFunctionName
	DuplicateHTTPHandlerName
	DuplicateHTTPRoute
	InvalidHTTPRoutePath
	MissingHTTPHandler
	LifecycleWithoutReducer
	DuplicateSchedule
	ScheduledEventTable
	InvalidReducerReturnType
	LifecycleInSubmodule
	NamespaceTooLong
	NamespaceNameConflict
	InvalidEnvironment
	EnvironmentInSubmodule
	// TooLarge is ours: the definition exceeds a limit of this server.
	TooLarge
)

// Problem is one thing that is wrong with a module definition.
type Problem struct {
	Kind ProblemKind
	Text string // names the object and says what is expected
}

// Errors is the error of [Validate]: everything that is wrong with a module
// definition, in the order of kinds.
type Errors struct{ Problems []Problem }

func (e *Errors) Error() string {
	var b strings.Builder
	b.WriteString("Errors occurred:\n")
	for _, p := range e.Problems {
		b.WriteString(p.Text)
		b.WriteString("\n\n")
	}
	return b.String()
}

// Has reports whether a problem of kind k is among the errors.
func (e *Errors) Has(k ProblemKind) bool {
	return slices.ContainsFunc(e.Problems, func(p Problem) bool { return p.Kind == k })
}

// maxProblems bounds a report: a hostile definition can hold millions of
// errors, and nobody reads more than a few.
const maxProblems = 1000

// problems collects what is wrong with a module and its submodules.
type problems struct {
	list  []Problem
	count int // also of those beyond maxProblems
}

func (p *problems) add(kind ProblemKind, format string, args ...any) {
	p.count++
	if len(p.list) < maxProblems {
		p.list = append(p.list, Problem{kind, fmt.Sprintf(format, args...)})
	}
}

// err returns the collected problems as an error, sorted and without
// repetitions; nil if there are none.
func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	slices.SortFunc(p.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Text, b.Text))
	})
	return &Errors{slices.Compact(p.list)}
}
