package v1

import (
	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

// DecodeServer decodes one binary server message. Fragments alias b and have
// been checked to be well formed.
func DecodeServer(b []byte) (ServerMessage, error) {
	r := sats.NewReader(b)
	m := readServer(r)
	if err := r.Err(); err != nil {
		return nil, err
	}
	return m, nil
}

func readServer(r *sats.Reader) ServerMessage {
	tag := r.TagOf(numServerTags, "ServerMessage")
	switch tag {
	case tagInitialSubscription:
		return &InitialSubscription{Update: readDatabaseUpdate(r), RequestID: r.U32(), Duration: sats.TimeDuration(r.I64())}
	case tagTransactionUpdate:
		return readTransactionUpdate(r)
	case tagTransactionUpdateLight:
		return &TransactionUpdateLight{RequestID: r.U32(), Update: readDatabaseUpdate(r)}
	case tagIdentityToken:
		return &IdentityToken{Identity: r.Identity(), Token: r.Str(), ConnectionID: r.ConnectionID()}
	case tagOneOffQueryResponse:
		m := &OneOffQueryResponse{MessageID: r.BytesView(), Error: r.OptStr()}
		for range r.Count(9) {
			t := OneOffTable{Name: r.Str()}
			t.Rows = span(r, func() { wire.ReadRowList(r) })
			m.Tables = append(m.Tables, t)
		}
		m.Duration = sats.TimeDuration(r.I64())
		return m
	case tagSubscribeApplied, tagUnsubscribeApplied:
		m := &SubscribeApplied{End: tag == tagUnsubscribeApplied, RequestID: r.U32(), DurationMicros: r.U64(), QueryID: r.U32()}
		r.U32() // the table's id and name stand twice
		r.Str()
		m.Rows = readTableUpdate(r)
		return m
	case tagSubscriptionError:
		m := &SubscriptionError{DurationMicros: r.U64(), RequestID: wire.ReadOptU32(r), QueryID: wire.ReadOptU32(r)}
		wire.ReadOptU32(r)
		m.Error = r.Str()
		return m
	case tagSubscribeMultiApplied, tagUnsubscribeMultiApplied:
		return &SubscribeMultiApplied{End: tag == tagUnsubscribeMultiApplied, RequestID: r.U32(), DurationMicros: r.U64(), QueryID: r.U32(), Update: readDatabaseUpdate(r)}
	case tagProcedureResult:
		m := &ProcedureResult{Kind: ProcedureKind(r.TagOf(3, "ProcedureStatus"))}
		switch m.Kind {
		case ProcedureReturned:
			m.Value = r.BytesView()
		case ProcedureFailed:
			m.Message = r.Str()
		}
		m.Timestamp, m.Duration, m.RequestID = sats.Timestamp(r.I64()), sats.TimeDuration(r.I64()), r.U32()
		return m
	}
	return nil
}

func readTransactionUpdate(r *sats.Reader) *TransactionUpdate {
	m := &TransactionUpdate{Status: UpdateStatus{Kind: StatusKind(r.TagOf(3, "UpdateStatus"))}}
	switch m.Status.Kind {
	case Committed:
		m.Status.Update = readDatabaseUpdate(r)
	case Failed:
		m.Status.Message = r.Str()
	}
	m.Timestamp, m.Caller, m.ConnectionID = sats.Timestamp(r.I64()), r.Identity(), r.ConnectionID()
	m.Reducer = ReducerCall{Name: r.Str(), ID: r.U32(), Args: r.BytesView(), RequestID: r.U32()}
	m.Energy, m.Duration = r.U128(), sats.TimeDuration(r.I64())
	return m
}

func readDatabaseUpdate(r *sats.Reader) (u DatabaseUpdate) {
	for range r.Count(20) {
		if r.Err() != nil {
			break
		}
		u.Tables = append(u.Tables, readTableUpdate(r))
	}
	return u
}

func readTableUpdate(r *sats.Reader) TableUpdate {
	t := TableUpdate{TableID: r.U32(), TableName: r.Str(), NumRows: r.U64()}
	for range r.Count(1) {
		if r.Err() != nil {
			break
		}
		t.Updates = append(t.Updates, span(r, func() { ReadQueryUpdate(r) }))
	}
	return t
}

// span returns the bytes that read consumes.
func span(r *sats.Reader, read func()) []byte {
	rest := r.Rest()
	from := r.Pos()
	read()
	if r.Err() != nil {
		return nil
	}
	return rest[:r.Pos()-from]
}
