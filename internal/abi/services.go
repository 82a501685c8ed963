package abi

import (
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// Services is what a database offers to the instances of its module. An instance calls it on the goroutine of the
// running call.
type Services interface {
	// DatabaseIdentity is the identity of the database itself.
	DatabaseIdentity() sats.Identity
	// Now reads the wall clock.
	Now() sats.Timestamp
	// Log writes one record into the module's log. It must not keep the call waiting for long.
	Log(rec LogRecord)
	// ScheduleImmediate queues a call of the reducer or procedure fn with BSATN arguments, which it may keep
	// (spec 03 §5.15).
	ScheduleImmediate(fn string, args []byte)
	// Seed returns HMAC-SHA-256 of message under the database's secret (spec 03 §17.5): the key of a stream of random
	// bytes that the server can reproduce and nobody else can foresee.
	Seed(message []byte) [32]byte
	// JWT returns the claims (JSON text) stored for the connection, as seen by tx. The bytes must stay unchanged
	// until the call has ended.
	JWT(tx *store.Tx, conn sats.ConnectionID) ([]byte, bool)
	// Env looks an environment variable up (spec 03 §5.19): declared tells whether the function's module declares it, set
	// whether it has a value. A nil tx reads the committed state. The function is the running one, for submodules. It panics
	// with a *Trap if the module has been replaced, or a variable that must have a value has none.
	Env(tx *store.Tx, function, key string) (value []byte, declared, set bool)
}

// A LogLevel is the severity of a log record.
type LogLevel uint8

const (
	LogError LogLevel = iota
	LogWarn
	LogInfo
	LogDebug
	LogTrace
	LogPanic
)

var levelNames = [...]string{"Error", "Warn", "Info", "Debug", "Trace", "Panic"}

// String returns the name that stands in a module log, spec 03 §14.
func (l LogLevel) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return levelNames[LogDebug]
}

// A LogRecord is one record of a module log, spec 03 §14. Empty Target, Filename and Function are absent fields.
type LogRecord struct {
	Level    LogLevel
	Time     sats.Timestamp
	Function string // the function running on the instance; empty during initialisation
	Target   string
	Filename string
	Line     uint32 // meaningful if HasLine
	HasLine  bool
	Message  string
	Trace    []string // of a Panic record: demangled names of the frames, innermost first; empty if unknown
	TraceAt  []string // where the frames of Trace are, "file:line:column"; empty if unknown
}
