package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// A message is the next one of a stream, as read from a view.
type message struct {
	stream schema.StOutboundStreamRow
	state  schema.StOutboundMsgRow
	table  *schema.Table
	row    []byte // of the outbox; nil: it is gone
	offset uint64 // of the newest transaction that was read
	counts *outboxCount
}

// call makes a call of a message whose row is there.
func (m *message) call(sender sats.Identity) *OutboxCall {
	c := &OutboxCall{
		Sender: sender, Target: m.stream.Target, Stream: m.stream.ID, Seq: m.state.Seq, AckedTo: m.stream.AckedTo,
		Reducer: m.table.Outbox.RemoteReducer, Signature: m.table.Outbox.SignatureHash,
	}
	for _, col := range m.table.Outbox.ArgCols {
		c.Args = append(c.Args, m.table.Layout.Col(m.row, int(col))...)
	}
	return c
}

var errNoMessages = errors.New("the stream has no messages")

// next reads the next message of a stream. With errNoMessages the result has the row
// of the stream.
func (o *outboxes) next(id uint64) (*message, error) {
	v := o.db.store.View()
	defer v.Close()
	m := &message{offset: v.Offset()}
	row, ok := v.FindUnique(schema.IxOutboundStreamID, sats.AppendU64(nil, id))
	if !ok {
		return nil, fmt.Errorf("stream %d is not in st_outbound_stream", id)
	}
	if err := m.stream.Decode(row); err != nil {
		return nil, err
	}
	if m.stream.AckedTo+1 >= m.stream.NextSeq {
		return m, errNoMessages
	}
	row, ok = v.FindUnique(schema.IxOutboundMsgStreamSeq, m.key())
	if !ok {
		return nil, fmt.Errorf("message %d of stream %d is not in st_outbound_msg", m.stream.AckedTo+1, id)
	}
	if err := m.state.Decode(row); err != nil {
		return nil, err
	}
	m.table = v.Table(m.stream.OutboxTableID)
	if m.table == nil || m.table.Outbox == nil {
		return nil, fmt.Errorf("the table %d of stream %d is no outbox any more", m.stream.OutboxTableID, id)
	}
	m.row = bytes.Clone(m.find(v))
	m.counts = o.counts.of(m.table.Name)
	return m, nil
}

// key is what the message has in the index over stream and number.
func (m *message) key() []byte {
	return sats.AppendU64(sats.AppendU64(nil, m.stream.ID), m.stream.AckedTo+1)
}

// find returns the outbox row of the message, or nil.
func (m *message) find(r store.Reader) []byte {
	ix := m.table.UniqueIndexOn(*m.table.PrimaryKey)
	if ix == nil {
		return nil
	}
	row, _ := r.FindUnique(ix.ID, sats.AppendU64(nil, m.state.MsgID))
	return row
}

// what names a message in logs.
func (m *message) what() string {
	return fmt.Sprintf("row %d of outbox `%s` for database %s", m.state.MsgID, m.table.Name, m.stream.Target)
}

// deliver does all that is to be done for the next message of a stream (spec 08
// §38.2), and returns its number and how the stream goes on.
func (o *outboxes) deliver(ctx context.Context, s *outStream) (done uint64, next outStep) {
	m, err := o.next(s.id)
	if errors.Is(err, errNoMessages) {
		return m.stream.NextSeq - 1, stepNext
	}
	if err != nil {
		o.trouble("an outbox stands still", err)
		return 0, stepStuck
	}
	if m.state.Status == nil {
		if m.row == nil {
			o.warn(fmt.Sprintf("The %s was deleted or got another key before it was delivered. "+
				"Nothing is delivered to that database before a row with that key is inserted again.", m.what()))
			o.trouble("an outbox stands still: its row is gone", errors.New(m.what()))
			return 0, stepStuck
		}
		next := o.ask(ctx, m)
		if next == stepRenew {
			return o.renew(m)
		}
		if next != stepNext {
			return 0, next
		}
	}
	var failed error
	err = o.db.exec.do(background, func(at sats.Timestamp) { failed = o.db.finishMessage(at, m) })
	if err = errors.Join(err, failed); err != nil {
		o.trouble("an outbox message cannot be finished", err)
		return 0, stepEnd
	}
	return m.state.Seq, stepNext
}

// ask makes the call of a message and stores the answer.
func (o *outboxes) ask(ctx context.Context, m *message) outStep {
	c := m.call(o.db.info.Identity)
	if !o.load(ctx, len(c.Args)) {
		return stepEnd
	}
	defer o.unload(len(c.Args))
	answer, err := o.attempt(ctx, m, c)
	var order *OutOfOrderError
	switch {
	case ctx.Err() != nil:
		return stepEnd
	case errors.As(err, &order) && order.Expected <= m.stream.AckedTo:
		return stepRenew
	case err != nil:
		return o.failed(m, err)
	case answer.Forgotten:
		o.warn(fmt.Sprintf("The %s was delivered before, and its outcome is known to nobody any more: "+
			"this database was set back to an older state. Nothing more is delivered to that database.", m.what()))
		o.trouble("an outbox stands still: an outcome was forgotten", errors.New(m.what()))
		return stepStuck
	}
	m.state.Status, m.state.Payload = &answer.Status, []byte(clipText(answer.Text))
	m.state.TransportError = nil
	return o.write(m)
}

// attempt waits until what was read is durable, and makes the call.
func (o *outboxes) attempt(ctx context.Context, m *message, c *OutboxCall) (OutboxAnswer, error) {
	clock := o.db.host.opts.Clock
	if err := o.within(ctx, func(ctx context.Context) error {
		_, err := o.db.WaitDurable(ctx, m.offset)
		return err
	}); err != nil {
		return OutboxAnswer{}, fmt.Errorf("the row is not durable: %w", err)
	}
	m.counts.attempts.Add(1)
	if m.state.Retries > 0 {
		m.counts.retries.Add(1)
	}
	start := clock.Now()
	var answer OutboxAnswer
	err := o.within(ctx, func(ctx context.Context) (err error) {
		answer, err = o.db.host.opts.Courier.Deliver(ctx, c)
		return err
	})
	m.counts.duration.observe(clock.Now().Sub(start))
	if err == nil && !answer.Forgotten && (answer.Status < schema.ResultOk || answer.Status > schema.ResultBudget) {
		err = fmt.Errorf("an answer with the unknown status %d", answer.Status)
	}
	if err != nil && ctx.Err() == nil {
		m.counts.failures.Add(1)
	}
	return answer, err
}

var errDeliveryTimeout = fmt.Errorf("no answer within %s", deliveryTimeout)

// within gives fn the time that a step of a delivery may take.
func (o *outboxes) within(ctx context.Context, fn func(context.Context) error) error {
	timed, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer o.db.host.opts.Clock.AfterFunc(deliveryTimeout, func() { cancel(errDeliveryTimeout) }).Stop()
	err := fn(timed)
	if err != nil && errors.Is(context.Cause(timed), errDeliveryTimeout) {
		err = errDeliveryTimeout
	}
	return err
}

// failed notes an attempt without an answer.
func (o *outboxes) failed(m *message, err error) outStep {
	text := clipText(err.Error())
	if m.state.Retries == 0 {
		o.warn(fmt.Sprintf("The %s was not delivered and will be tried again: %s", m.what(), text))
	}
	o.db.logger.Debug("an outbox message was not delivered", slog.String("outbox", m.table.Name),
		slog.String("target", m.stream.Target.String()), slog.Uint64("seq", m.state.Seq), slog.String("error", text))
	if m.state.Retries < 1<<32-1 {
		m.state.Retries++
	}
	m.state.TransportError = &text
	if next := o.write(m); next != stepNext {
		return next
	}
	return stepRetry
}

// write stores the state of a message.
func (o *outboxes) write(m *message) outStep {
	var failed error
	err := o.db.exec.do(background, func(at sats.Timestamp) {
		failed = o.db.bookkeep(at, func(tx *store.Tx) error {
			_, _, err := tx.Update(schema.StOutboundMsg, schema.IxOutboundMsgStreamSeq, m.state.Append(nil))
			return err
		})
	})
	if err = errors.Join(err, failed); err != nil {
		o.trouble("the state of an outbox message cannot be stored", err)
		return stepEnd
	}
	return stepNext
}

// warn tells the owner of the database.
func (o *outboxes) warn(text string) {
	o.db.log.system(o.db.services.Now(), abi.LogWarn, text)
}

// trouble tells of what should not happen.
func (o *outboxes) trouble(what string, err error) {
	if errors.Is(err, ErrStopped) {
		return
	}
	o.counts.errors.Add(1)
	o.db.logger.Error(what, slog.Any("error", err))
}

// finishMessage tells the module the outcome of a message, and removes the message and
// its row, in one transaction. If the module fails it is not told again. It belongs to
// the writer.
func (db *Database) finishMessage(at sats.Timestamp, m *message) error {
	if m.table.Outbox.OnResult == "" {
		if *m.state.Status != schema.ResultOk {
			db.outboxes.warn(fmt.Sprintf("The call of `%s` by the %s failed, and the outbox has no reducer that is told: %s",
				m.table.Outbox.RemoteReducer, m.what(), m.state.Payload))
		}
		return db.bookkeep(at, m.remove)
	}
	tx := db.store.Begin()
	if m.row == nil || !bytes.Equal(m.find(tx), m.row) {
		tx.Rollback()
		return db.bookkeep(at, m.remove)
	}
	done, err := db.callBack(tx, at, m)
	if done || err != nil {
		return err
	}
	m.counts.callbackFailures.Add(1)
	return db.bookkeep(db.exec.stamp(), m.remove)
}

// callBack runs the result reducer of an outbox in tx and removes the message with it.
// It reports whether that was committed.
func (db *Database) callBack(tx *store.Tx, at sats.Timestamp, m *message) (done bool, err error) {
	name := m.table.Outbox.OnResult
	r := db.mod.reducers[name]
	if r == nil {
		tx.Rollback()
		db.log.call(at, name, fmt.Sprintf("The module has no reducer %q to call.", name))
		return false, nil
	}
	args, err := r.decodeArgs(m.result(), false)
	if err != nil {
		tx.Rollback()
		db.log.call(at, name, err.Error())
		return false, nil
	}
	nobody := Caller{}
	out, took := db.invoke(tx, r, nobody, at, args)
	if out.Status == abi.StatusOK {
		if err := m.remove(tx); err != nil {
			db.undo(tx)
			return false, err
		}
		out = db.refreshAfter(tx, at, out)
	}
	if out.Status != abi.StatusOK {
		db.rollback(tx, r, at, out)
		return false, stopped(db.calls)
	}
	ev := event(r, nobody, at, args)
	ev.Energy.Lo, ev.Duration = out.Fuel, sats.TimeDurationOf(took)
	if _, err := db.commit(tx, db.inputs(r.Name, nobody, at, args), ev); err != nil {
		return false, ErrStopped
	}
	return true, nil
}

// stopped is ErrStopped if a call was stopped by the closing: its failure means nothing.
func stopped(calls context.Context) error {
	if calls.Err() != nil {
		return ErrStopped
	}
	return nil
}

// The variants of Result<(), String>.
const (
	resultOk  = 0
	resultErr = 1
)

// result is the BSATN of the arguments of the result reducer: the row, and how its
// call ended.
func (m *message) result() []byte {
	args := bytes.Clone(m.row)
	if *m.state.Status == schema.ResultOk {
		return sats.AppendTag(args, resultOk)
	}
	return sats.AppendString(sats.AppendTag(args, resultErr), string(m.state.Payload))
}

// remove deletes the message, and its row unless that was changed, and acknowledges it.
func (m *message) remove(tx *store.Tx) error {
	if m.row != nil {
		if _, err := tx.DeleteRow(m.table.ID, m.row); err != nil {
			return err
		}
	}
	if _, err := tx.DeletePoint(schema.IxOutboundMsgStreamSeq, m.key()); err != nil {
		return err
	}
	// The result reducer may have added messages to the stream.
	row, ok := tx.FindUnique(schema.IxOutboundStreamID, sats.AppendU64(nil, m.stream.ID))
	if !ok {
		return fmt.Errorf("stream %d is gone", m.stream.ID)
	}
	var s schema.StOutboundStreamRow
	if err := s.Decode(row); err != nil {
		return err
	}
	s.AckedTo = m.state.Seq
	_, _, err := tx.Update(schema.StOutboundStream, schema.IxOutboundStreamID, s.Append(nil))
	return err
}
