package abi

import (
	"context"
	"errors"
	"time"

	"golang.org/x/crypto/sha3"

	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// An Engine runs the programs of one kind: WebAssembly, JavaScript, or functions linked into the process. It is safe
// for concurrent use.
type Engine interface {
	// Name says which engine this is, for logs and `version`: "wasm/compiler", "js/quickjs".
	Name() string
	// Load checks and compiles a program. Its error is a *LoadError when the program is at fault.
	Load(ctx context.Context, program []byte, o LoadOptions) (Program, error)
}

// LoadOptions say how a program is to be run. The zero value works.
type LoadOptions struct {
	Hash   sats.Hash // of the program; computed by Load if zero
	Limits Limits
}

// Limits bound what one instance may use. Zero fields mean the defaults.
type Limits struct {
	// Fuel is the budget of one top-level call and of the initialisation of one instance, in units of about one executed
	// instruction. Default: DefaultFuel.
	Fuel uint64
	// Time bounds how long one call may execute, as read from Services.Now; waiting for sleep or HTTP does not count.
	// It catches what burns little fuel in much time. Default: DefaultTime. Negative: no bound.
	Time time.Duration
	// Memory caps the instance's own memory in bytes; beyond it the module's attempt to grow fails. Default: what the
	// engine can address.
	Memory uint64
	// Streams bounds the bytes that the host holds for one call in byte sources, sinks and row iterators. A call that needs
	// more traps. Default: DefaultStreams.
	Streams uint64
}

const (
	// DefaultFuel is the budget of spec 03 §13.3: 60 seconds of two thousand million units.
	DefaultFuel uint64 = 120_000_000_000
	// DefaultTime leaves a legitimate call of tens of seconds alone.
	DefaultTime = 2 * time.Minute
	// DefaultStreams is what a 32-bit module can address: it could not hold more itself.
	DefaultStreams uint64 = 1 << 32
)

// WithDefaults returns l with every zero field set to its default; Memory stays as it is.
func (l Limits) WithDefaults() Limits {
	if l.Fuel == 0 {
		l.Fuel = DefaultFuel
	}
	if l.Time == 0 {
		l.Time = DefaultTime
	}
	if l.Streams == 0 {
		l.Streams = DefaultStreams
	}
	return l
}

// A LoadError says what is wrong with a program and what its author can do about it.
type LoadError struct {
	Problem string // what is wrong, with the name of the import, export or function
	Fix     string // the next step; may be empty
	Err     error  // cause; may be nil
}

func (e *LoadError) Error() string {
	s := e.Problem
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Fix != "" {
		s += " (" + e.Fix + ")"
	}
	return s
}

func (e *LoadError) Unwrap() error { return e.Err }

// A Program is a compiled module. It is safe for concurrent use.
type Program interface {
	// Hash is the module hash, HashProgram of the program's bytes.
	Hash() sats.Hash
	// Instantiate makes an instance and runs its initialisers and its description function, exactly once. The error is
	// a *LoadError when the module is at fault.
	Instantiate(ctx context.Context, s Services) (Instance, error)
	// Close releases the compiled code. All instances must have been closed.
	Close() error
}

// An Instance is one running copy of a module with its own memory. It is used by one goroutine at a time, except
// MemoryBytes and Close of an idle instance. Instances are kept: making one is far more expensive than a call.
type Instance interface {
	// Describe returns the raw module definition (spec 02 §3) that the module gave at its initialisation.
	Describe(ctx context.Context) ([]byte, error)
	// CallReducer calls a reducer in call.Tx, which it neither commits nor rolls back. Cancelling ctx stops the call.
	CallReducer(ctx context.Context, call *ReducerCall) Outcome
	// CallView evaluates a view. A module that lacks the export for it answers with StatusTrap, and so below.
	CallView(ctx context.Context, call *ViewCall) (ViewResult, Outcome)
	// CallProcedure calls a procedure and returns the BSATN that it wrote, good until the next call of the instance and not
	// checked. A transaction that is open at the end has been rolled back, and that logged, when it returns.
	CallProcedure(ctx context.Context, call *ProcedureCall) ([]byte, Outcome)
	// CallHandler lets an HTTP handler of the module answer a request.
	CallHandler(ctx context.Context, call *HandlerCall) (HandlerResult, Outcome)
	// MemoryBytes is the size of the instance's memory.
	MemoryBytes() uint64
	Close() error
}

// A ReducerCall is one call of a reducer. Args must not change until the call has returned.
type ReducerCall struct {
	ID     uint32 // position in the module definition, spec 03 §2.6
	Name   string // for log records
	Sender sats.Identity
	Conn   sats.ConnectionID // all zero: called from inside the database
	Time   sats.Timestamp
	Args   []byte // BSATN of the parameters, one after another, without trailing bytes
	Tx     *store.Tx
	Budget uint64 // fuel; 0: the limit of the program
	// HostTime, if set, is added the time that the call spends in host functions.
	HostTime *time.Duration
}

// A Status classifies how a call ended, spec 03 §12.1.
type Status uint8

const (
	StatusOK          Status = iota // the transaction may be committed
	StatusUserError                 // the module answered with an error of its own
	StatusTrap                      // a panic, a crash, a host failure or a cancelled call
	StatusBadResult                 // the module answered with a number that means nothing
	StatusOutOfEnergy               // the fuel or the time of the call is used up
)

func (s Status) String() string {
	switch s {
	case StatusOK:
		return "ok"
	case StatusUserError:
		return "user error"
	case StatusTrap:
		return "trap"
	case StatusBadResult:
		return "bad result"
	case StatusOutOfEnergy:
		return "out of energy"
	}
	return "unknown status"
}

// FatalErrorText is what a caller gets to see instead of a trap's details.
const FatalErrorText = "The instance encountered a fatal error."

// OutOfEnergyText is the message of an outcome with StatusOutOfEnergy.
const OutOfEnergyText = "Module energy budget exhausted."

// An Outcome is how a call ended. With every status but StatusOK the transaction is to be rolled back.
type Outcome struct {
	Status  Status
	Message string // for the caller; with StatusUserError the module's text
	Err     error  // details for the server's log
	Fuel    uint64 // units used
	Discard bool   // the instance must not be used again
}

// ReasonOf returns what callers are told of an error that has ended a call: its method Reason leaves out a stack that means nothing to
// them.
func ReasonOf(err error) string {
	var r interface{ Reason() string }
	if errors.As(err, &r) {
		return r.Reason()
	}
	return err.Error()
}

// HashProgram returns the module hash: Keccak-256 with the padding from before the standard (spec 03 §2.1).
func HashProgram(program []byte) (h sats.Hash) {
	k := sha3.NewLegacyKeccak256()
	k.Write(program)
	k.Sum(h[:0])
	return h
}
