package abi

import (
	"context"

	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// A ViewCall is one evaluation of a view (spec 03 §8.6). It reads call.Tx and may not write to it. The host tracks its
// reads with Tx.TrackReads. Args must not change until the call has returned.
type ViewCall struct {
	ID        uint32 // position among the views of its kind, spec 03 §2.6
	Name      string // for log records
	Anonymous bool   // does not depend on Sender
	Sender    sats.Identity
	Args      []byte // BSATN of the parameters, one after another
	Tx        *store.Tx
	Time      sats.Timestamp // of the enclosing call; what the module's clock begins with
	Budget    uint64         // fuel; 0: the limit of the program
}

// A ViewResult is what a view gave if its outcome is StatusOK: rows, or a query whose rows they are.
type ViewResult struct {
	IsQuery bool
	Rows    []byte // BSATN array of rows, good until the next call of the instance
	Query   string // SQL; nothing but white space means no rows
}

// A ProcedureCall is one call of a procedure (spec 03 §8.5). Args must not change until the call has returned.
type ProcedureCall struct {
	ID     uint32 // position in the module definition, spec 03 §2.6
	Name   string // for log records
	Sender sats.Identity
	Conn   sats.ConnectionID // all zero: called from inside the database
	Time   sats.Timestamp
	Args   []byte // BSATN of the parameters, one after another, without trailing bytes
	Host   ProcedureHost
	Budget uint64 // fuel; 0: the limit of the program
}

// A HandlerCall is one HTTP request for a module's handler (spec 03 §11.3). Sender and JWT are for modules that take
// them; Request is the BSATN of spec 03 §11.1. The slices must not change until the call has returned.
type HandlerCall struct {
	ID      uint32 // position in the module definition, spec 03 §2.6
	Name    string // for log records
	Time    sats.Timestamp
	Sender  sats.Identity // made up for this request
	JWT     []byte        // payload of a token for Sender; may be empty
	Request []byte
	Body    []byte
	Host    ProcedureHost
	Budget  uint64
}

// A HandlerResult is a handler's answer if its outcome is StatusOK; good until the next call of the instance.
type HandlerResult struct {
	Response []byte // BSATN, as the module wrote it: not yet decoded
	Body     []byte
}

// A ProcedureHost carries out what procedures and HTTP handlers may do beyond reducers. One is made for each call, and
// is used on its goroutine. The context checks what is allowed when (spec 03 §9.2), so that the host does not have to.
type ProcedureHost interface {
	// StartTx waits for the right to write and opens a transaction. The time is the one at which it was opened. An error
	// (shutdown, a cancelled call) ends the call with a trap.
	StartTx(ctx context.Context) (*store.Tx, sats.Timestamp, error)
	// CommitTx refreshes the views that tx concerns, commits and, if the call wants that, waits for durability with the
	// right to write given back. An error ends the call with a trap, the transaction being over in any case; only a
	// *ViewError is one that some modules can catch. It may refresh views by CallView of the very instance whose procedure
	// waits for it: that call is nested, shares the procedure's fuel, and does not end its use of the instance.
	CommitTx(ctx context.Context) error
	// AbortTx rolls the open transaction back and gives the right to write back.
	AbortTx()
	// SleepUntil returns the time of waking up. An error ends the call with a trap.
	SleepUntil(ctx context.Context, t sats.Timestamp) (sats.Timestamp, error)
	// HTTP carries out a request (BSATN of spec 03 §11.1, decoded by the host; a *store.Error with code 3 if it cannot be). A failed
	// request is an *HTTPError; every other error ends the call with a trap.
	HTTP(ctx context.Context, request, body []byte) (response, responseBody []byte, err error)
	// HTTPEnabled tells whether the configuration allows requests; without, they fail before anything else is checked.
	HTTPEnabled() bool
}

// An HTTPError is why a request of a module got no response. Its text goes to the module: it names no query string and
// no header values.
type HTTPError struct{ Text string }

func (e *HTTPError) Error() string { return e.Text }

// HTTPDisabledText is the error of requests where the configuration forbids them.
const HTTPDisabledText = "module outbound HTTP requests are disabled"
