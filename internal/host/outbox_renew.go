package host

import (
	"errors"
	"fmt"
	"math"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// renew gives what waits in the stream of m a stream of its own. The receiver expects
// a message that it has acknowledged: it was cleared or set back, and would refuse the
// next one for ever. None of what waits has run in the state that it has now.
func (o *outboxes) renew(m *message) (done uint64, next outStep) {
	o.warn(fmt.Sprintf("Database %s was cleared, or set back to an older state: it does not know the calls of `%s` by outbox `%s` that it has answered. "+
		"What has not been delivered yet is delivered anew.", m.stream.Target, m.table.Outbox.RemoteReducer, m.table.Name))
	var failed error
	err := o.db.exec.do(background, func(at sats.Timestamp) {
		failed = o.db.bookkeep(at, func(tx *store.Tx) error { return m.renew(tx, at) })
	})
	if err = errors.Join(err, failed); err != nil {
		o.trouble("a stream of an outbox cannot begin anew", err)
		return 0, stepEnd
	}
	return math.MaxUint64, stepNext // the new stream was noted with the commit
}

// renew replaces the stream, and numbers its messages from 1.
func (m *message) renew(tx *store.Tx, at sats.Timestamp) error {
	id := sats.AppendU64(nil, m.stream.ID)
	var waiting []schema.StOutboundMsgRow
	for row := range tx.Range(schema.IxOutboundMsgStreamSeq, store.Range{Prefix: id, PrefixCols: 1}) {
		var w schema.StOutboundMsgRow
		if err := w.Decode(row); err != nil {
			return err
		}
		waiting = append(waiting, w)
	}
	if _, err := tx.DeleteRange(schema.IxOutboundMsgStreamSeq, store.Range{Prefix: id, PrefixCols: 1}); err != nil {
		return err
	}
	if _, err := tx.DeletePoint(schema.IxOutboundStreamID, id); err != nil {
		return err
	}
	s, err := abi.OutboundStream(tx, m.stream.OutboxTableID, m.stream.Target.AppendBSATN(nil), max(uint64(max(at, 0)), m.stream.ID+1))
	if err != nil {
		return err
	}
	for _, w := range waiting {
		w.StreamID, w.Seq = s.ID, s.NextSeq
		s.NextSeq++
		if _, _, err := tx.Insert(schema.StOutboundMsg, w.Append(nil)); err != nil {
			return err
		}
	}
	_, _, err = tx.Update(schema.StOutboundStream, schema.IxOutboundStreamID, s.Append(nil))
	return err
}
