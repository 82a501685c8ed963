package subscribe

import (
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// A Failure is how a reducer call ended that changed nothing.
type Failure uint8

const (
	// UserError: the reducer returned an error.
	UserError Failure = iota
	// InternalError: it trapped, or the host failed.
	InternalError
	// OutOfEnergy: its budget was used up.
	OutOfEnergy
)

// outOfEnergyText is what v2 clients get, which have no status for it.
const outOfEnergyText = "reducer ran out of energy"

// Failed returns the delivery of the answer to a call that was rolled back; only
// the calling connection is told (spec 05 §11.2, §12.3). offset and gated belong
// to the transaction before it.
func Failed(ev *Event, kind Failure, text string, offset uint64, gated bool) Delivery {
	c := ev.Client
	if c == nil {
		return Nothing
	}
	if c.Protocol.Version() > 1 {
		m := v2.ReducerResult{RequestID: ev.RequestID, Timestamp: ev.Timestamp, Kind: v2.OutcomeInternalError, Message: text}
		switch kind {
		case UserError:
			m.Kind = v2.OutcomeErr
		case OutOfEnergy:
			m.Message = outOfEnergyText
		}
		return send(c, Message{Body: m.Append(nil), Workload: Reducer})
	}
	if ev.Flags == wire.NoSuccessNotify {
		return Nothing
	}
	status := v1.UpdateStatus{Kind: v1.Failed, Message: text}
	if kind == OutOfEnergy {
		status = v1.UpdateStatus{Kind: v1.OutOfEnergy}
	}
	return send(c, Message{Body: bodyV1(c, ev.full(c, status)), Offset: offset, Gated: gated, Workload: Reducer})
}

// NotStarted returns the message to a connection whose call never started:
// unknown or private reducer, wrong arguments (spec 05 §11.3, §12.3). The event
// needs Client, Reducer (empty if it is no identifier), ReducerID, RequestID and
// Timestamp. A v1 message goes out at once, overtaking everything queued; the
// caller decides how.
func NotStarted(ev *Event, text string) Message {
	c := ev.Client
	if c.Protocol.Version() > 1 {
		m := v2.ReducerResult{RequestID: ev.RequestID, Timestamp: ev.Timestamp, Kind: v2.OutcomeInternalError, Message: text}
		return Message{Body: m.Append(nil), Workload: Reducer}
	}
	e := *ev
	e.Caller, e.Connection = c.Identity, c.Connection
	e.RequestID, e.Args, e.ArgsJSON = 0, nil, nil
	e.Energy.Lo, e.Energy.Hi, e.Duration = 0, 0, 0
	return Message{Body: bodyV1(c, e.full(c, v1.UpdateStatus{Kind: v1.Failed, Message: text})), Workload: Reducer}
}

// ProcedureFailed returns the answer to a procedure call that gave no result.
func ProcedureFailed(c *Client, request uint32, text string) Message {
	if c.Protocol.Version() > 1 {
		m := v2.ProcedureResult{Failed: true, Message: text, RequestID: request}
		return Message{Body: m.Append(nil), Workload: Procedure}
	}
	return Message{Body: bodyV1(c, &v1.ProcedureResult{Kind: v1.ProcedureFailed, Message: text, RequestID: request}), Workload: Procedure}
}

// Returned is what a procedure returned.
type Returned struct {
	RequestID uint32
	Value     []byte        // BSATN
	JSON      func() []byte // the same as positional JSON text
	Timestamp sats.Timestamp
	Duration  sats.TimeDuration
	Offset    uint64 // of the last transaction that it ended; counts if Gated
	Gated     bool
}

// ProcedureReturned returns the answer to a procedure call that gave a result.
func ProcedureReturned(c *Client, r *Returned) Message {
	msg := Message{Offset: r.Offset, Gated: r.Gated, Workload: Procedure}
	if c.Protocol.Version() > 1 {
		m := v2.ProcedureResult{Value: r.Value, Timestamp: r.Timestamp, Duration: r.Duration, RequestID: r.RequestID}
		msg.Body = m.Append(nil)
		return msg
	}
	m := v1.ProcedureResult{
		Kind: v1.ProcedureReturned, Value: r.Value, Timestamp: r.Timestamp, Duration: r.Duration, RequestID: r.RequestID,
	}
	if c.Protocol == wire.V1JSON {
		m.Value = r.JSON()
	}
	msg.Body = bodyV1(c, &m)
	return msg
}

// ProcedureOutOfEnergy returns the answer to a procedure call whose budget was used
// up; text is for clients of version 2, which have no status for it.
func ProcedureOutOfEnergy(c *Client, request uint32, text string) Message {
	if c.Protocol.Version() > 1 {
		return ProcedureFailed(c, request, text)
	}
	return Message{Body: bodyV1(c, &v1.ProcedureResult{Kind: v1.ProcedureOutOfEnergy, RequestID: request}), Workload: Procedure}
}
