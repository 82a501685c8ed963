package store

import (
	"fmt"
	"strings"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// An Errno is the number a host call returns to a module (spec 03 §3.3).
type Errno uint16

// Those that the store returns; package abi has them all. 0 is success.
const (
	ErrDecode              Errno = 3
	ErrNoSuchTable         Errno = 4
	ErrNoSuchIndex         Errno = 5
	ErrNoSpace             Errno = 9
	ErrWrongIndexAlgo      Errno = 10
	ErrUniqueAlreadyExists Errno = 12
	ErrIndexNotUnique      Errno = 14
	ErrNoSuchRow           Errno = 15
)

// An Error is a refused operation. The transaction stays usable, and but for
// consumed sequence values nothing changed.
type Error struct {
	Code Errno  // 0: no module can cause it (schema operations, recovery)
	Msg  string // for logs and for SQL and migration callers
	Err  error  // what decoding says, or nil
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Msg + ": " + e.Err.Error()
	}
	return e.Msg
}

func (e *Error) Unwrap() error { return e.Err }

func errorf(code Errno, format string, args ...any) *Error {
	return &Error{Code: code, Msg: fmt.Sprintf(format, args...)}
}

// noRoom says that a table has as many rows as it can address.
func noRoom(t *schema.Table) *Error {
	return errorf(ErrNoSpace, "table %s has no room for another row: delete some first", t.Name)
}

func noTable(id schema.TableID) *Error { return errorf(ErrNoSuchTable, "no table with id %d", id) }
func noIndex(id schema.IndexID) *Error { return errorf(ErrNoSuchIndex, "no index with id %d", id) }

func badRow(def *schema.Table, err error) *Error {
	return &Error{Code: ErrDecode, Msg: "row of table " + def.Name, Err: err}
}

// uniqueViolation words the error of spec 08 §4.
func uniqueViolation(ix *index, row []byte) *Error {
	var cols []string
	for _, c := range ix.def.Cols {
		cols = append(cols, `"`+ix.t.def.Cols[c].Name+`"`)
	}
	return errorf(ErrUniqueAlreadyExists, "Unique constraint violation '%s' in table '%s': column(s): '[%s]' value: %s",
		ix.def.Name, ix.t.def.Name, strings.Join(cols, ", "), ix.keyText(ix.keyOf(row, nil)))
}

// keyText returns a key as SATN text: the value of one column, or a product.
func (ix *index) keyText(key []byte) string {
	t := ix.layout.ColType(ix.cols[0])
	if len(ix.cols) > 1 {
		elems := make([]sats.Element, len(ix.cols))
		for i, c := range ix.cols {
			elems[i] = sats.Unnamed(ix.layout.ColType(c))
		}
		t = sats.Product(elems...)
	}
	return satn(t, key)
}
