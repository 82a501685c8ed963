package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/sats"
)

// An OutboxCall is a call of a reducer of one database by an outbox of another
// (spec 08 §38). Sender and Stream together name a stream, whose calls are numbered
// from 1.
type OutboxCall struct {
	Sender, Target sats.Identity
	Stream, Seq    uint64
	AckedTo        uint64 // the sender knows the outcomes up to this number
	Reducer        string
	Signature      sats.Hash // of the parameters that the sender knows
	Args           []byte    // BSATN of the parameters
	// Refused: client_connected of the receiver refuses the sender. That is the outcome of a call that has not come before.
	Refused *RejectedError
}

// An OutboxAnswer is how a call ended, now or when it first came.
type OutboxAnswer struct {
	Status schema.ResultStatus
	Text   string // of an error
	// Forgotten: the outcome was known to the sender once and is not kept any more.
	// There is no Status then.
	Forgotten bool
}

// An OutOfOrderError refuses a call because another one has to come before it.
type OutOfOrderError struct{ Expected, Got uint64 }

func (e *OutOfOrderError) Error() string {
	return fmt.Sprintf("IDC delivery is out of order: expected seq %d, got %d", e.Expected, e.Got)
}

// maxOutcomeText bounds the text of an outcome, in bytes.
const maxOutcomeText = 1 << 20

// Receive runs a call by another database, once: when it comes again, the answer is
// that of the first time. It returns when the outcome is durable. conn is a new
// connection id without credentials. Errors: *OutOfOrderError, ErrStopped; nothing is
// decided then, and the sender tries again.
func (db *Database) Receive(ctx context.Context, c *OutboxCall, conn sats.ConnectionID) (answer OutboxAnswer, err error) {
	var failed error
	if c.AckedTo > 0 {
		err := db.exec.do(ctx, func(at sats.Timestamp) { failed = db.forgetOutcomes(at, c) })
		if err = errors.Join(err, failed); err != nil {
			return answer, err
		}
	}
	var offset uint64
	var written bool
	err = db.exec.do(ctx, func(at sats.Timestamp) {
		answer, failed = db.receive(at, c, conn)
		offset, written = db.lastOffset()
	})
	if err = errors.Join(err, failed); err == nil && written {
		_, err = db.WaitDurable(ctx, offset)
	}
	return answer, err
}

func inboundKey(c *OutboxCall) []byte {
	return sats.AppendU64(c.Sender.AppendBSATN(nil), c.Stream)
}

// applied returns the number of the last call of the stream that was decided.
func (c *OutboxCall) applied(r store.Reader) (uint64, error) {
	row, ok := r.FindUnique(schema.IxInboundStreamSenderStream, inboundKey(c))
	if !ok {
		return 0, nil
	}
	var s schema.StInboundStreamRow
	err := s.Decode(row)
	return s.Applied, err
}

// forgetOutcomes removes the outcomes that the sender knows. It belongs to the writer.
func (db *Database) forgetOutcomes(at sats.Timestamp, c *OutboxCall) error {
	known := store.Range{
		Prefix: inboundKey(c), PrefixCols: 2,
		Hi: store.Bound{Kind: store.Included, Value: sats.AppendU64(nil, c.AckedTo)},
	}
	return db.bookkeep(at, func(tx *store.Tx) error {
		n, err := tx.DeleteRange(schema.IxInboundMsgSenderStreamSeq, known)
		if err == nil && n == 0 {
			err = errNothingToDo
		}
		return err
	})
}

// receive decides a call. It belongs to the writer.
func (db *Database) receive(at sats.Timestamp, c *OutboxCall, conn sats.ConnectionID) (OutboxAnswer, error) {
	tx := db.store.Begin()
	applied, err := c.applied(tx)
	if err == nil && c.Seq != applied+1 {
		answer, err := c.repeated(tx, applied)
		tx.Rollback()
		return answer, err
	}
	if err != nil {
		tx.Rollback()
		return OutboxAnswer{}, err
	}
	if c.Refused != nil {
		tx.Rollback()
		return db.decide(at, c, c.Refused.status(), c.Refused.outcome())
	}
	r, args, refusal := db.prepareInbound(c)
	if refusal != "" {
		tx.Rollback()
		return db.decide(at, c, schema.ResultErr, refusal)
	}
	return db.runInbound(tx, at, c, conn, r, args)
}

// status and outcome are those of a call by an outbox.
func (e *RejectedError) status() schema.ResultStatus {
	if e.OutOfEnergy {
		return schema.ResultBudget
	}
	return schema.ResultErr
}

func (e *RejectedError) outcome() string {
	if e.OutOfEnergy {
		return budgetText
	}
	return "Connection rejected by `client_connected` reducer: " + e.Message
}

// repeated answers a call that is not the next one of its stream.
func (c *OutboxCall) repeated(r store.Reader, applied uint64) (OutboxAnswer, error) {
	if c.Seq > applied || c.Seq == 0 {
		return OutboxAnswer{}, &OutOfOrderError{applied + 1, c.Seq}
	}
	row, ok := r.FindUnique(schema.IxInboundMsgSenderStreamSeq, sats.AppendU64(inboundKey(c), c.Seq))
	if !ok {
		return OutboxAnswer{Forgotten: true}, nil
	}
	var m schema.StInboundMsgRow
	if err := m.Decode(row); err != nil {
		return OutboxAnswer{}, err
	}
	return OutboxAnswer{Status: m.Status, Text: string(m.Payload)}, nil
}

// prepareInbound finds the reducer of a call, or says why there is none.
func (db *Database) prepareInbound(c *OutboxCall) (r *reducer, args []byte, refusal string) {
	r = db.mod.reducers[c.Reducer]
	if r == nil || r.Lifecycle != schema.LifecycleNone || r.Private {
		return nil, nil, "IDC reducer does not exist: " + c.Reducer
	}
	if got := r.SignatureHash(); got != c.Signature {
		return nil, nil, fmt.Sprintf("IDC reducer signature mismatch for %s: expected %s, got %s", c.Reducer, c.Signature, got)
	}
	args, err := r.decodeArgs(c.Args, false)
	if err == nil && len(args) < len(c.Args) {
		err = &InvalidArgsError{Kind: "reducer", Name: r.Name, Err: fmt.Errorf("%d bytes follow the arguments", len(c.Args)-len(args))}
	}
	if err != nil {
		var invalid *InvalidArgsError
		if errors.As(err, &invalid) {
			return nil, nil, invalid.Chain()
		}
		return nil, nil, err.Error()
	}
	return r, args, ""
}

// runInbound runs the reducer in tx, and stores the outcome: with the reducer's
// changes, or after their rollback.
func (db *Database) runInbound(tx *store.Tx, at sats.Timestamp, c *OutboxCall, conn sats.ConnectionID, r *reducer, args []byte) (OutboxAnswer, error) {
	who := Caller{Identity: c.Sender, Conn: conn}
	out, took := db.invoke(tx, r, who, at, args)
	if out.Status == abi.StatusOK {
		if err := c.store(tx, schema.ResultOk, ""); err != nil {
			db.undo(tx)
			return OutboxAnswer{}, err
		}
		out = db.refreshAfter(tx, at, out)
	}
	ev := event(r, who, at, args)
	ev.Energy.Lo, ev.Duration = out.Fuel, sats.TimeDurationOf(took)
	if out.Status == abi.StatusOK {
		if _, err := db.commit(tx, db.inputs(r.Name, who, at, args), ev); err != nil {
			return OutboxAnswer{}, ErrStopped
		}
		return OutboxAnswer{Status: schema.ResultOk}, nil
	}
	db.rollback(tx, r, at, out)
	if db.calls.Err() != nil { // stopped by the closing, which decides nothing
		return OutboxAnswer{}, ErrStopped
	}
	status, message := failureOf(out)
	offset, has := db.lastOffset()
	db.push(subscribe.Failed(ev, failureKind(status), message, offset, has))
	result := schema.ResultErr
	if status == OutOfEnergy {
		result = schema.ResultBudget
	}
	return db.decide(db.exec.stamp(), c, result, message)
}

// decide stores an outcome in a transaction of its own.
func (db *Database) decide(at sats.Timestamp, c *OutboxCall, status schema.ResultStatus, text string) (OutboxAnswer, error) {
	text = clipText(text)
	err := db.bookkeep(at, func(tx *store.Tx) error { return c.store(tx, status, text) })
	return OutboxAnswer{Status: status, Text: text}, err
}

// clipText makes a text of an outcome one that can be kept: UTF-8 of bounded length.
func clipText(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxOutcomeText)], "")
}

// store writes down that the call was decided, and how.
func (c *OutboxCall) store(tx *store.Tx, status schema.ResultStatus, text string) error {
	m := schema.StInboundMsgRow{Sender: c.Sender, StreamID: c.Stream, Seq: c.Seq, Status: status, Payload: []byte(text)}
	if _, _, err := tx.Insert(schema.StInboundMsg, m.Append(nil)); err != nil {
		return err
	}
	if _, err := tx.DeletePoint(schema.IxInboundStreamSenderStream, inboundKey(c)); err != nil {
		return err
	}
	s := schema.StInboundStreamRow{Sender: c.Sender, StreamID: c.Stream, Applied: c.Seq}
	_, _, err := tx.Insert(schema.StInboundStream, s.Append(nil))
	return err
}

// bookkeep commits what write does to the tables about outboxes. A view that cannot
// be refreshed does not stop it: the next transaction that changes what the view has
// read will try again. It belongs to the writer.
func (db *Database) bookkeep(at sats.Timestamp, write func(*store.Tx) error) error {
	tx, err := db.begin(write)
	if err != nil {
		return err
	}
	if tx == nil {
		return nil
	}
	if err := db.refreshViews(tx, at); err != nil {
		db.undo(tx)
		db.logger.Error("views that read the tables of outboxes keep their old rows", slog.Any("error", err))
		if tx, err = db.begin(write); tx == nil {
			return err
		}
	}
	ev := &subscribe.Event{Caller: db.info.Identity, ReducerID: 0, Timestamp: at}
	if _, err := db.commit(tx, nil, ev); err != nil {
		return ErrStopped
	}
	return nil
}

// errNothingToDo has bookkeep commit nothing.
var errNothingToDo = errors.New("nothing to do")

// begin begins a transaction with a write; the result is nil if there is nothing to
// be written.
func (db *Database) begin(write func(*store.Tx) error) (*store.Tx, error) {
	tx := db.store.Begin()
	err := write(tx)
	if err == nil {
		return tx, nil
	}
	tx.Rollback()
	if errors.Is(err, errNothingToDo) {
		return nil, nil
	}
	return nil, fmt.Errorf("host: the tables about outboxes: %w", err)
}
