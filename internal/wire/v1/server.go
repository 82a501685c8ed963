package v1

import "github.com/stdbgo/spacetime/sats"

// NoReducer is the reducer id of transactions that no reducer made.
const NoReducer = 1<<32 - 1

// A ServerMessage is one of the messages below. Append methods write BSATN; in
// the JSON form the message must hold JSON fragments and arguments.
type ServerMessage interface {
	// Append appends the BSATN of the message with its tag.
	Append(b []byte) []byte
}

// Tags of ServerMessage (spec 05 §7.2).
const (
	tagInitialSubscription = iota
	tagTransactionUpdate
	tagTransactionUpdateLight
	tagIdentityToken
	tagOneOffQueryResponse
	tagSubscribeApplied
	tagUnsubscribeApplied
	tagSubscriptionError
	tagSubscribeMultiApplied
	tagUnsubscribeMultiApplied
	tagProcedureResult
	numServerTags
)

// A DatabaseUpdate holds the changes of one transaction or the rows of one
// answer, by table.
type DatabaseUpdate struct{ Tables []TableUpdate }

// A TableUpdate holds one fragment per query on the table. NumRows counts
// inserts and deletes over all of them.
type TableUpdate struct {
	TableID   uint32
	TableName string
	NumRows   uint64
	Updates   [][]byte
}

// A StatusKind says how a reducer ended.
type StatusKind uint8

const (
	Committed StatusKind = iota
	Failed
	OutOfEnergy
)

// UpdateStatus is how a reducer ended; Update counts for Committed, Message for
// Failed.
type UpdateStatus struct {
	Kind    StatusKind
	Update  DatabaseUpdate
	Message string
}

// ReducerCall names the reducer of a transaction; ID is NoReducer without one.
type ReducerCall struct {
	Name      string
	ID        uint32
	Args      []byte
	RequestID uint32
}

// InitialSubscription answers Subscribe.
type InitialSubscription struct {
	Update    DatabaseUpdate
	RequestID uint32
	Duration  sats.TimeDuration
}

// TransactionUpdate tells of a transaction in full.
type TransactionUpdate struct {
	Status       UpdateStatus
	Timestamp    sats.Timestamp
	Caller       sats.Identity
	ConnectionID sats.ConnectionID
	Reducer      ReducerCall
	Energy       sats.U128
	Duration     sats.TimeDuration
}

// TransactionUpdateLight tells of a transaction without who and what caused it.
type TransactionUpdateLight struct {
	RequestID uint32
	Update    DatabaseUpdate
}

// IdentityToken is the first message of a connection.
type IdentityToken struct {
	Identity     sats.Identity
	Token        string
	ConnectionID sats.ConnectionID
}

// A OneOffTable holds the rows of one table; Rows is a list that AppendRows or
// AppendRowsJSON made.
type OneOffTable struct {
	Name string
	Rows []byte
}

// OneOffQueryResponse answers OneOffQuery.
type OneOffQueryResponse struct {
	MessageID []byte
	Error     *string
	Tables    []OneOffTable
	Duration  sats.TimeDuration
}

// SubscribeApplied answers SubscribeSingle, or Unsubscribe if End is set.
type SubscribeApplied struct {
	End            bool
	RequestID      uint32
	DurationMicros uint64
	QueryID        uint32
	Rows           TableUpdate
}

// SubscriptionError tells that a subscription could not be made or goes on no
// longer.
type SubscriptionError struct {
	DurationMicros uint64
	RequestID      *uint32
	QueryID        *uint32
	Error          string
}

// SubscribeMultiApplied answers SubscribeMulti, or UnsubscribeMulti if End is set.
type SubscribeMultiApplied struct {
	End            bool
	RequestID      uint32
	DurationMicros uint64
	QueryID        uint32
	Update         DatabaseUpdate
}

// A ProcedureKind says how a procedure ended.
type ProcedureKind uint8

const (
	ProcedureReturned ProcedureKind = iota
	ProcedureOutOfEnergy
	ProcedureFailed
)

// ProcedureResult answers CallProcedure. Value is the returned BSATN (JSON text
// in the JSON form), Message the text of a failure.
type ProcedureResult struct {
	Kind      ProcedureKind
	Value     []byte
	Message   string
	Timestamp sats.Timestamp
	Duration  sats.TimeDuration
	RequestID uint32
}

// JSON returns the text of a message in the JSON form. The message must hold
// JSON fragments; an error means that it does not.
func JSON(dst []byte, m ServerMessage) ([]byte, error) {
	out, _, err := sats.AppendJSON(dst, nil, serverJSONType, m.Append(nil), sats.FlavorMessage)
	return out, err
}

func (u *DatabaseUpdate) append(b []byte) []byte {
	b = sats.AppendLen(b, len(u.Tables))
	for i := range u.Tables {
		b = u.Tables[i].append(b)
	}
	return b
}

func (t *TableUpdate) append(b []byte) []byte {
	b = sats.AppendString(sats.AppendU32(b, t.TableID), t.TableName)
	b = sats.AppendLen(sats.AppendU64(b, t.NumRows), len(t.Updates))
	for _, u := range t.Updates {
		b = append(b, u...)
	}
	return b
}

func (m *InitialSubscription) Append(b []byte) []byte {
	b = m.Update.append(append(b, tagInitialSubscription))
	return sats.AppendI64(sats.AppendU32(b, m.RequestID), int64(m.Duration))
}

func (m *TransactionUpdate) Append(b []byte) []byte {
	b = append(b, tagTransactionUpdate, byte(m.Status.Kind))
	switch m.Status.Kind {
	case Committed:
		b = m.Status.Update.append(b)
	case Failed:
		b = sats.AppendString(b, m.Status.Message)
	}
	b = sats.AppendI64(b, int64(m.Timestamp))
	b = append(append(b, m.Caller[:]...), m.ConnectionID[:]...)
	b = sats.AppendU32(sats.AppendString(b, m.Reducer.Name), m.Reducer.ID)
	b = sats.AppendU32(sats.AppendBytes(b, m.Reducer.Args), m.Reducer.RequestID)
	return sats.AppendI64(sats.AppendU128(b, m.Energy), int64(m.Duration))
}

func (m *TransactionUpdateLight) Append(b []byte) []byte {
	return m.Update.append(sats.AppendU32(append(b, tagTransactionUpdateLight), m.RequestID))
}

func (m *IdentityToken) Append(b []byte) []byte {
	b = append(append(b, tagIdentityToken), m.Identity[:]...)
	return append(sats.AppendString(b, m.Token), m.ConnectionID[:]...)
}

func (m *OneOffQueryResponse) Append(b []byte) []byte {
	b = sats.AppendOptString(sats.AppendBytes(append(b, tagOneOffQueryResponse), m.MessageID), m.Error)
	b = sats.AppendLen(b, len(m.Tables))
	for _, t := range m.Tables {
		b = append(sats.AppendString(b, t.Name), t.Rows...)
	}
	return sats.AppendI64(b, int64(m.Duration))
}

func (m *SubscribeApplied) Append(b []byte) []byte {
	b = append(b, tagIf(m.End, tagUnsubscribeApplied, tagSubscribeApplied))
	b = sats.AppendU32(sats.AppendU64(sats.AppendU32(b, m.RequestID), m.DurationMicros), m.QueryID)
	return m.Rows.append(sats.AppendString(sats.AppendU32(b, m.Rows.TableID), m.Rows.TableName))
}

func (m *SubscriptionError) Append(b []byte) []byte {
	b = sats.AppendU64(append(b, tagSubscriptionError), m.DurationMicros)
	b = appendOptU32(appendOptU32(b, m.RequestID), m.QueryID)
	return sats.AppendString(sats.AppendNone(b), m.Error) // the table id is always none
}

func (m *SubscribeMultiApplied) Append(b []byte) []byte {
	b = append(b, tagIf(m.End, tagUnsubscribeMultiApplied, tagSubscribeMultiApplied))
	b = sats.AppendU32(sats.AppendU64(sats.AppendU32(b, m.RequestID), m.DurationMicros), m.QueryID)
	return m.Update.append(b)
}

func (m *ProcedureResult) Append(b []byte) []byte {
	b = append(b, tagProcedureResult, byte(m.Kind))
	switch m.Kind {
	case ProcedureReturned:
		b = sats.AppendBytes(b, m.Value)
	case ProcedureFailed:
		b = sats.AppendString(b, m.Message)
	}
	b = sats.AppendI64(sats.AppendI64(b, int64(m.Timestamp)), int64(m.Duration))
	return sats.AppendU32(b, m.RequestID)
}

func tagIf(cond bool, yes, no byte) byte {
	if cond {
		return yes
	}
	return no
}
