// Package guest is the one seam between the Go module SDK and whatever runs the module: as WebAssembly the imports and
// exports of spec 03 §4 and §8, natively an engine in the same process.
//
// It owns the exports, the raw imports with their pointers, and the buffers in which arguments arrive. It promises that
// a call crosses the seam without allocating. It knows bytes, handles and error numbers; what a row, a table or a
// reducer is, is the business of package module.
package guest

// An Errno is what the host answers instead of doing its work (spec 03 §3.3). Zero is success.
type Errno uint16

// The numbers that the SDK tells apart.
const (
	OK               Errno = 0
	HostCallFailure  Errno = 1
	NotInTransaction Errno = 2
	InvalidEncoding  Errno = 3
	NoSuchTable      Errno = 4
	NoSuchIndex      Errno = 5
	WrongIndexAlgo   Errno = 10
	BufferTooSmall   Errno = 11
	NotUnique        Errno = 12
	DelayTooLong     Errno = 13
	NoSuchRow        Errno = 15
	WouldBlock       Errno = 17
	NotAnonymous     Errno = 18
	ReadOnly         Errno = 19
	HTTPFailed       Errno = 21
)

// Levels of log records (spec 03 §5.12).
const (
	LevelError uint32 = 0
	LevelWarn  uint32 = 1
	LevelInfo  uint32 = 2
	LevelDebug uint32 = 3
	LevelTrace uint32 = 4
)

// NoLine says that a log record has no line number.
const NoLine uint32 = 1<<32 - 1

// A Call is one call of a function of the module.
type Call struct {
	ID           uint32   // position in the definition
	Sender       [32]byte // identity, little-endian
	ConnectionID [16]byte // little-endian; zero: from inside the database
	Timestamp    int64    // microseconds since the Unix epoch
	Args         []byte   // BSATN of the parameters, or of an HTTP request; good during the call
	Anonymous    bool     // of a view: it is one of those without a sender
	Body         []byte   // of an HTTP request
	JWT          []byte   // of an HTTP request: payload of a token for its sender
}

// A Module is the program's module, of which package module registers one.
type Module interface {
	// Definition returns the raw module definition (spec 02 §3). The error names everything that is wrong with it.
	// All calls return the same.
	Definition() ([]byte, error)
	// Instantiate makes an instance that works on h. The definition has been found right.
	Instantiate(h Host) Instance
}

// An Instance is used by one goroutine at a time. What its methods return is good until the next call.
type Instance interface {
	// CallReducer runs a reducer. If it fails, ok is false and text says why. A panic of the module passes through.
	CallReducer(c *Call) (text string, ok bool)
	// CallView evaluates a view: a header, and rows or a query (spec 03 §8.6). It may come while a procedure commits.
	CallView(c *Call) (result []byte, text string, ok bool)
	// CallProcedure runs a procedure and returns the BSATN of its result.
	CallProcedure(c *Call) (result []byte, text string, ok bool)
	// CallHandler lets an HTTP handler answer: the BSATN of the response (spec 03 §11.1), and the body.
	CallHandler(c *Call) (response, body []byte, text string, ok bool)
}

var registered Module

// Register makes m the program's module. Package module calls it once.
func Register(m Module) { registered = m }

// Registered returns the program's module, nil if it has none.
func Registered() Module { return registered }
