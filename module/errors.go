package module

import (
	"errors"
	"fmt"

	"github.com/stdbgo/spacetime/internal/guest"
)

// Errors of writing a row, to be tested for with errors.Is. After such an error nothing has changed and the reducer may
// go on.
var (
	// ErrNotUnique: another row has the same value in a column that is unique.
	ErrNotUnique = errors.New("another row has the same value in a unique column")
	// ErrNotFound: Update found no row with the key.
	ErrNotFound = errors.New("there is no row with this key")
	// ErrDelayTooLong: a row of a scheduled table would fire in more than two years.
	ErrDelayTooLong = errors.New("the row would fire too far in the future")
)

// A RowError says in which table a row could not be written.
type RowError struct {
	Table string
	Op    string // "insert" or "update"
	Err   error  // ErrNotUnique, ErrNotFound or ErrDelayTooLong
}

// Error names the operation, the table and the reason.
func (e *RowError) Error() string { return e.Op + " into table " + e.Table + ": " + e.Err.Error() }

// Unwrap returns Err, for errors.Is.
func (e *RowError) Unwrap() error { return e.Err }

// rowError makes the error of a write. Answers that no correct module can get are panics.
func (d *tableDef) rowError(op string, e guest.Errno) error {
	var err error
	switch e {
	case guest.NotUnique:
		err = ErrNotUnique
	case guest.NoSuchRow:
		err = ErrNotFound
	case guest.DelayTooLong:
		err = ErrDelayTooLong
	default:
		d.fault(op, e)
	}
	return &RowError{Table: d.name, Op: op, Err: err}
}

// fault panics with what is wrong with a call that the host refused.
func (d *tableDef) fault(op string, e guest.Errno) {
	why := fmt.Sprintf("the host answered with error number %d", e)
	switch e {
	case guest.NotInTransaction:
		why = "there is no open transaction"
	case guest.InvalidEncoding:
		why = "a value cannot be stored; is a string not valid UTF-8?"
	case guest.NoSuchTable, guest.NoSuchIndex:
		why = "the database does not have it"
	case guest.WrongIndexAlgo:
		why = "a hash index has no order, so it has no ranges"
	case guest.ReadOnly:
		why = "nothing can be written here"
	}
	panic("module: " + op + " on table " + d.name + ": " + why)
}
