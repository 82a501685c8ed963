package jshost

import (
	_ "embed"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/stdbgo/spacetime/internal/abi"
)

// Names of the functions that a module gives the host to call, spec 04 §8.1.
const (
	HookDescribe    = "__describe_module__"
	HookReducer     = "__call_reducer__"
	HookView        = "__call_view__"
	HookViewAnon    = "__call_view_anon__"
	HookProcedure   = "__call_procedure__"
	HookHandler     = "__call_http_handler__"
	HookErrorClass  = "__get_error_constructor__"
	HookSenderError = "__sender_error_class__"
)

const (
	// ExportHooks is the name under which a sys module exports the symbol of a module's hooks.
	ExportHooks = "moduleHooks"
	// SymbolText is the description of that symbol.
	SymbolText = "SpacetimeDB.moduleHooks.v2"
)

// Prelude is a script whose value is a function. Called with three of the engine's, it makes the globals that spec 04 §9 and
// §13 add to an engine's own: encode(text), decode(bytes, fatal), and asUintN(bits, number), which a right engine never sees called.
//
//go:embed prelude.js
var Prelude string

// errnoTexts are the messages that errors of version 2 carry, spec 04 §5.2.
var errnoTexts = map[abi.Errno]string{
	abi.ErrHostCallFailure:         "ABI called by host returned an error",
	abi.ErrNotInTransaction:        "ABI call can only be made while in a transaction",
	abi.ErrBSATNDecode:             "Couldn't decode the BSATN to the expected type",
	abi.ErrNoSuchTable:             "No such table",
	abi.ErrNoSuchIndex:             "No such index",
	abi.ErrNoSuchIter:              "The provided row iterator is not valid",
	abi.ErrNoSuchConsoleTimer:      "The provided console timer does not exist",
	abi.ErrNoSuchBytes:             "The provided bytes source or sink is not valid",
	abi.ErrNoSpace:                 "The provided sink has no more space left",
	abi.ErrWrongIndexAlgo:          "The Index does not support range scans",
	abi.ErrBufferTooSmall:          "The provided buffer is not large enough to store the data",
	abi.ErrUniqueAlreadyExists:     "Value with given unique identifier already exists",
	abi.ErrScheduleDelayTooLong:    "Specified delay in scheduling row was too long",
	abi.ErrIndexNotUnique:          "The index was not unique",
	abi.ErrNoSuchRow:               "The row was not found, e.g., in an update call",
	abi.ErrAutoIncOverflow:         "The auto-increment sequence overflowed",
	abi.ErrWouldBlockTransaction:   "Attempted async or blocking op while holding open a transaction",
	abi.ErrTransactionNotAnonymous: "Not in an anonymous transaction. Called by a reducer?",
	abi.ErrTransactionIsReadOnly:   "ABI call can only be made while within a mutable transaction",
	abi.ErrTransactionIsMut:        "ABI call can only be made while within a read-only transaction",
	abi.ErrHTTP:                    "The HTTP request failed",
}

// ErrnoText is the message that an error of version 2 carries.
func ErrnoText(e abi.Errno) string {
	if text := errnoTexts[e]; text != "" {
		return text
	}
	return "Unknown error"
}

// Texts of TypeErrors and RangeErrors that modules may see.
const (
	OutOfBounds     = "length argument was out of bounds for `ArrayBuffer`"
	ReducerReturned = "Reducer returned a value other than `undefined`"
	HooksTwice      = "cannot call `register_hooks` multiple times"
	HooksMixed      = "cannot call `register_hooks` from different versions"
	BadRequest      = "the request is not a valid BSATN HttpRequest"
	PendingAwait    = "TypeError: module has top-level await and is pending"
)

// FixDefault is the advice to who publishes a module without a schema.
const FixDefault = "end src/index.ts with: export default schema(…)"

// UnknownModule is the error for an import that names no module.
func UnknownModule(spec string) string {
	name, version, ok := strings.Cut(spec, "@")
	name, ok2 := strings.CutPrefix(name, "spacetime:")
	if !ok || !ok2 || name != "sys" {
		return fmt.Sprintf("Could not find module %q", spec)
	}
	major, minor, ok := strings.Cut(version, ".")
	if _, err := strconv.ParseUint(major, 10, 16); err != nil || !ok {
		return fmt.Sprintf("Invalid version in module spec %q", spec)
	}
	if _, err := strconv.ParseUint(minor, 10, 16); err != nil {
		return fmt.Sprintf("Invalid version in module spec %q", spec)
	}
	return fmt.Sprintf("Could not import %q, likely because this module was built for a newer version of SpacetimeDB.\n"+
		"It requires sys module v%s.%s, which this server does not support.", spec, major, minor)
}

// AsTrap makes a trap of what a host function panicked with.
func AsTrap(p any, function string) *abi.Trap {
	if t, ok := p.(*abi.Trap); ok {
		if t.Reason != abi.TrapFault {
			return t
		}
		return &abi.Trap{Msg: "runtime error calling " + function, Err: t}
	}
	return &abi.Trap{Msg: "runtime error calling " + function, Err: fmt.Errorf("%v\n%s", p, debug.Stack())}
}

// MissingHook is the outcome of a call of what the module defines but has no hook for.
func MissingHook(kind, name, hook string) abi.Outcome {
	return abi.Outcome{Status: abi.StatusTrap, Message: abi.FatalErrorText,
		Err: fmt.Errorf("the module defines the %s %s but has no hook `%s`", kind, name, hook)}
}

// MemoryText says that an instance has used up its memory.
func MemoryText(limit uint64) string {
	return fmt.Sprintf("Javascript module exceeded memory limit (current limit: %d, initial: %[1]d)", limit)
}
