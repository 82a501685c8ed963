package v2

import (
	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

// ReadServer reads one server message and leaves r behind it. Fragments and row
// lists alias the reader's bytes and have been checked to be well formed. After
// an error, which r.Err returns, the result is nil.
func ReadServer(r *sats.Reader) ServerMessage {
	m := readServer(r)
	if r.Err() != nil {
		return nil
	}
	return m
}

func readServer(r *sats.Reader) ServerMessage {
	switch r.TagOf(numServerTags, "ServerMessage") {
	case tagInitialConnection:
		return &InitialConnection{Identity: r.Identity(), ConnectionID: r.ConnectionID(), Token: r.Str()}
	case tagSubscribeApplied:
		return &SubscribeApplied{RequestID: r.U32(), QuerySetID: r.U32(), Rows: readQueryRows(r)}
	case tagUnsubscribeApplied:
		m := &UnsubscribeApplied{RequestID: r.U32(), QuerySetID: r.U32(), HasRows: r.Option()}
		if m.HasRows {
			m.Rows = readQueryRows(r)
		}
		return m
	case tagSubscriptionError:
		return &SubscriptionError{RequestID: wire.ReadOptU32(r), QuerySetID: r.U32(), Error: r.Str()}
	case tagTransactionUpdate:
		return &TransactionUpdate{Sets: readSets(r)}
	case tagOneOffQueryResult:
		m := &OneOffQueryResult{RequestID: r.U32()}
		m.Rows, m.Error = readOutcome(r, "Result")
		return m
	case tagReducerResult:
		return readReducerResult(r)
	case tagProcedureResult:
		m := &ProcedureResult{Failed: r.TagOf(2, "ProcedureStatus") == 1}
		if m.Failed {
			m.Message = r.Str()
		} else {
			m.Value = r.BytesView()
		}
		m.Timestamp, m.Duration, m.RequestID = sats.Timestamp(r.I64()), sats.TimeDuration(r.I64()), r.U32()
		return m
	case tagSubscribeBatchApplied:
		m := &SubscribeBatchApplied{RequestID: r.U32()}
		for range r.Count(9) {
			if r.Err() != nil {
				break
			}
			s := SetResult{QuerySetID: r.U32()}
			s.Rows, s.Error = readOutcome(r, "SubscribeSetOutcome")
			m.Results = append(m.Results, s)
		}
		return m
	}
	return nil
}

func readReducerResult(r *sats.Reader) *ReducerResult {
	m := &ReducerResult{RequestID: r.U32(), Timestamp: sats.Timestamp(r.I64())}
	m.Kind = OutcomeKind(r.TagOf(4, "ReducerOutcome"))
	switch m.Kind {
	case OutcomeOK:
		m.RetValue, m.Sets = r.BytesView(), readSets(r)
	case OutcomeErr:
		inner := sats.NewReader(r.BytesView())
		m.Message = inner.Str()
		if inner.Err() != nil {
			r.Fail(inner.Err())
		}
	case OutcomeInternalError:
		m.Message = r.Str()
	}
	return m
}

func readOutcome(r *sats.Reader, sum string) (rows QueryRows, failure *string) {
	if r.TagOf(2, sum) == 1 {
		s := r.Str()
		return nil, &s
	}
	return readQueryRows(r), nil
}

func readQueryRows(r *sats.Reader) QueryRows {
	var q QueryRows
	for range r.Count(11) {
		if r.Err() != nil {
			break
		}
		t := TableRows{Table: r.Str()}
		t.Rows = span(r, func() { wire.ReadRowList(r) })
		q = append(q, t)
	}
	return q
}

func readSets(r *sats.Reader) (sets []QuerySetUpdate) {
	for range r.Count(8) {
		if r.Err() != nil {
			break
		}
		s := QuerySetUpdate{QuerySetID: r.U32()}
		for range r.Count(8) {
			if r.Err() != nil {
				break
			}
			s.Tables = append(s.Tables, readTableUpdate(r))
		}
		sets = append(sets, s)
	}
	return sets
}

func readTableUpdate(r *sats.Reader) TableUpdate {
	t := TableUpdate{Table: r.Str()}
	for range r.Count(1) {
		if r.Err() != nil {
			break
		}
		t.Rows = append(t.Rows, span(r, func() { ReadFragment(r) }))
	}
	return t
}

// ReadFragment reads the rows of one fragment. Events come as inserts.
func ReadFragment(r *sats.Reader) (inserts, deletes wire.RowList, event bool) {
	event = r.TagOf(2, "TableUpdateRows") == 1
	inserts = wire.ReadRowList(r)
	if !event {
		deletes = wire.ReadRowList(r)
	}
	return inserts, deletes, event
}

// span returns the bytes that read consumes.
func span(r *sats.Reader, read func()) []byte {
	rest, from := r.Rest(), r.Pos()
	read()
	if r.Err() != nil {
		return nil
	}
	return rest[:r.Pos()-from]
}
