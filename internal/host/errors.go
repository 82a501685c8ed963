package host

import (
	"errors"
	"fmt"
	"strings"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

var (
	// ErrStopped means that the database does not run any more; opening it again
	// may help. Its text is what clients know (spec 08 §11).
	ErrStopped = errors.New("no such module")
	// ErrNoSuchReducer means that no reducer of that name may be called by the
	// caller.
	ErrNoSuchReducer = errors.New("no such reducer")
	// ErrNoSuchProcedure is the same for procedures.
	ErrNoSuchProcedure = errors.New("no such procedure")
	// ErrIsProcedure says that what was called as a reducer is a procedure.
	ErrIsProcedure = errors.New("it is a procedure")
)

// A LifecycleError refuses a direct call of a lifecycle reducer.
type LifecycleError struct{ Lifecycle schema.Lifecycle }

func (e *LifecycleError) Error() string {
	return fmt.Sprintf("can't directly call special %s lifecycle reducer", e.Lifecycle)
}

// An InvalidArgsError says that a call's arguments do not fit the function.
type InvalidArgsError struct {
	Kind string // "reducer" or "procedure"
	Name string
	Err  error
}

// Error names the function and, if the arguments are JSON, only the path of what
// is wrong with them; Chain says all (spec 05 §11.3, 06 §4.8).
func (e *InvalidArgsError) Error() string {
	return fmt.Sprintf("invalid arguments for %s %s: %s", e.Kind, e.Name, e.place())
}

// Chain returns the text with all causes.
func (e *InvalidArgsError) Chain() string {
	place := e.place()
	chain := fmt.Sprintf("%s: invalid arguments for function %s: %s: %[3]s", e.Error(), e.Name, place)
	if cause := e.Err.Error(); cause != place {
		chain += ": " + cause
	}
	return chain
}

func (e *InvalidArgsError) place() string {
	var json *sats.JSONError
	if errors.As(e.Err, &json) && json.Path != "" {
		return json.Path
	}
	return e.Err.Error()
}

func (e *InvalidArgsError) Unwrap() error { return e.Err }

// A RejectedError is a refusal by client_connected. Message is for the client.
type RejectedError struct {
	Message     string
	OutOfEnergy bool
}

func (e *RejectedError) Error() string { return e.Message }

// A ProgramError says that a program cannot be the module of the database.
// Nothing was changed.
type ProgramError struct{ Err error }

func (e *ProgramError) Error() string { return e.Err.Error() }
func (e *ProgramError) Unwrap() error { return e.Err }

// An InitError is a failure of the reducer that initialises a database. Its text
// is the reducer's. The log, where a panic's message would stand, goes with the
// database; so the message is kept here.
type InitError struct{ Message, Panic string }

func (e *InitError) Error() string { return e.Message }

// Hint is for the owner, beside the text.
func (e *InitError) Hint() string {
	text := e.Panic
	if len(text) > maxHint {
		text = strings.ToValidUTF8(text[:maxHint], "") + "…"
	}
	if text != "" {
		text = "init panicked: " + text
	}
	return text
}

// maxHint bounds a hint, in bytes.
const maxHint = 1000

// A MigrationError refuses an update; the old module runs on.
type MigrationError struct {
	Manual bool // there is no automatic way from the old definition to the new one
	Err    error
}

func (e *MigrationError) Error() string { return e.Err.Error() }
func (e *MigrationError) Unwrap() error { return e.Err }
