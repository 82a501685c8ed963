package v2

import (
	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

// Tags of ServerMessage (spec 05 §8.2).
const (
	tagInitialConnection = iota
	tagSubscribeApplied
	tagUnsubscribeApplied
	tagSubscriptionError
	tagTransactionUpdate
	tagOneOffQueryResult
	tagReducerResult
	tagProcedureResult
	tagSubscribeBatchApplied
	numServerTags
)

// A ServerMessage is one of the messages below.
type ServerMessage interface {
	// Append appends the BSATN of the message with its tag.
	Append(b []byte) []byte
}

// TableRows holds the rows of one query; Rows is an encoded row list.
type TableRows struct {
	Table string
	Rows  []byte
}

// QueryRows holds the rows of several queries.
type QueryRows []TableRows

// A TableUpdate holds one fragment per query on the table.
type TableUpdate struct {
	Table string
	Rows  [][]byte
}

// A QuerySetUpdate holds the changes that one query set sees.
type QuerySetUpdate struct {
	QuerySetID uint32
	Tables     []TableUpdate
}

// InitialConnection is the first message of a connection.
type InitialConnection struct {
	Identity     sats.Identity
	ConnectionID sats.ConnectionID
	Token        string
}

// SubscribeApplied answers SubscribeSet.
type SubscribeApplied struct {
	RequestID  uint32
	QuerySetID uint32
	Rows       QueryRows
}

// UnsubscribeApplied answers UnsubscribeSet; Rows counts only if HasRows is set.
type UnsubscribeApplied struct {
	RequestID  uint32
	QuerySetID uint32
	HasRows    bool
	Rows       QueryRows
}

// SubscriptionError tells that a query set could not be made or goes on no longer
// (then RequestID is nil).
type SubscriptionError struct {
	RequestID  *uint32
	QuerySetID uint32
	Error      string
}

// TransactionUpdate tells of a transaction of somebody else.
type TransactionUpdate struct{ Sets []QuerySetUpdate }

// OneOffQueryResult answers OneOffQuery; Rows counts if Error is nil.
type OneOffQueryResult struct {
	RequestID uint32
	Rows      QueryRows
	Error     *string
}

// An OutcomeKind says how a reducer ended.
type OutcomeKind uint8

const (
	OutcomeOK            OutcomeKind = iota
	OutcomeOKEmpty                   // as OK with nothing in it; servers need not send it
	OutcomeErr                       // the reducer returned an error
	OutcomeInternalError             // it trapped, was not allowed, or never started
)

// ReducerResult answers CallReducer. Message is the text of OutcomeErr, which
// travels as the BSATN of a string, and of OutcomeInternalError.
type ReducerResult struct {
	RequestID uint32
	Timestamp sats.Timestamp
	Kind      OutcomeKind
	RetValue  []byte
	Sets      []QuerySetUpdate
	Message   string
}

// ProcedureResult answers CallProcedure: Value if Failed is not set, else Message.
type ProcedureResult struct {
	Failed    bool
	Value     []byte
	Message   string
	Timestamp sats.Timestamp
	Duration  sats.TimeDuration
	RequestID uint32
}

// A SetResult is the outcome of one set of a batch; Rows counts if Error is nil.
type SetResult struct {
	QuerySetID uint32
	Rows       QueryRows
	Error      *string
}

// SubscribeBatchApplied answers SubscribeBatch, with one result per set in
// request order.
type SubscribeBatchApplied struct {
	RequestID uint32
	Results   []SetResult
}

// AppendPersistent appends the fragment of one query on an ordinary table.
func AppendPersistent(b []byte, inserts, deletes *wire.RowList) []byte {
	return deletes.Append(inserts.Append(append(b, 0)))
}

// AppendEvents appends the fragment of one query on an event table.
func AppendEvents(b []byte, events *wire.RowList) []byte { return events.Append(append(b, 1)) }

func (q QueryRows) append(b []byte) []byte {
	b = sats.AppendLen(b, len(q))
	for _, t := range q {
		b = append(sats.AppendString(b, t.Table), t.Rows...)
	}
	return b
}

func appendSets(b []byte, sets []QuerySetUpdate) []byte {
	b = sats.AppendLen(b, len(sets))
	for i := range sets {
		b = sats.AppendLen(sats.AppendU32(b, sets[i].QuerySetID), len(sets[i].Tables))
		for _, t := range sets[i].Tables {
			b = sats.AppendLen(sats.AppendString(b, t.Table), len(t.Rows))
			for _, rows := range t.Rows {
				b = append(b, rows...)
			}
		}
	}
	return b
}

func (m *InitialConnection) Append(b []byte) []byte {
	b = append(append(append(b, tagInitialConnection), m.Identity[:]...), m.ConnectionID[:]...)
	return sats.AppendString(b, m.Token)
}

func (m *SubscribeApplied) Append(b []byte) []byte {
	return m.Rows.append(appendIDs(append(b, tagSubscribeApplied), m.RequestID, m.QuerySetID))
}

func (m *UnsubscribeApplied) Append(b []byte) []byte {
	b = appendIDs(append(b, tagUnsubscribeApplied), m.RequestID, m.QuerySetID)
	if !m.HasRows {
		return sats.AppendNone(b)
	}
	return m.Rows.append(sats.AppendSome(b))
}

func (m *SubscriptionError) Append(b []byte) []byte {
	b = wire.AppendOptU32(append(b, tagSubscriptionError), m.RequestID)
	return sats.AppendString(sats.AppendU32(b, m.QuerySetID), m.Error)
}

func (m *TransactionUpdate) Append(b []byte) []byte {
	return appendSets(append(b, tagTransactionUpdate), m.Sets)
}

func (m *OneOffQueryResult) Append(b []byte) []byte {
	return appendOutcome(sats.AppendU32(append(b, tagOneOffQueryResult), m.RequestID), m.Rows, m.Error)
}

// appendOutcome appends rows with tag 0 or a text with tag 1.
func appendOutcome(b []byte, rows QueryRows, failure *string) []byte {
	if failure != nil {
		return sats.AppendString(append(b, 1), *failure)
	}
	return rows.append(append(b, 0))
}

func (m *ReducerResult) Append(b []byte) []byte {
	b = sats.AppendI64(sats.AppendU32(append(b, tagReducerResult), m.RequestID), int64(m.Timestamp))
	b = append(b, byte(m.Kind))
	switch m.Kind {
	case OutcomeOK:
		return appendSets(sats.AppendBytes(b, m.RetValue), m.Sets)
	case OutcomeErr:
		return sats.AppendString(sats.AppendLen(b, 4+len(m.Message)), m.Message)
	case OutcomeInternalError:
		return sats.AppendString(b, m.Message)
	}
	return b
}

func (m *ProcedureResult) Append(b []byte) []byte {
	b = append(b, tagProcedureResult)
	if m.Failed {
		b = sats.AppendString(append(b, 1), m.Message)
	} else {
		b = sats.AppendBytes(append(b, 0), m.Value)
	}
	b = sats.AppendI64(sats.AppendI64(b, int64(m.Timestamp)), int64(m.Duration))
	return sats.AppendU32(b, m.RequestID)
}

func (m *SubscribeBatchApplied) Append(b []byte) []byte {
	b = sats.AppendLen(sats.AppendU32(append(b, tagSubscribeBatchApplied), m.RequestID), len(m.Results))
	for i := range m.Results {
		s := &m.Results[i]
		b = appendOutcome(sats.AppendU32(b, s.QuerySetID), s.Rows, s.Error)
	}
	return b
}
