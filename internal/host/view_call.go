package host

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/sql"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// A view is a view of a module, ready to be called.
type view struct {
	*schema.ViewDef
	row *sats.Walker // of a returned row
}

func viewsOf(def *schema.ModuleDef) map[string]*view {
	m := make(map[string]*view, len(def.Views))
	for _, d := range def.Views {
		m[d.Name] = &view{ViewDef: d, row: sats.NewWalker(d.RowType)}
	}
	return m
}

// callView evaluates a view on the main instance. It belongs to the writer.
func (m *module) callView(ctx context.Context, c *abi.ViewCall) (abi.ViewResult, abi.Outcome) {
	if out := m.ready(ctx); out.Status != abi.StatusOK {
		return abi.ViewResult{}, out
	}
	res, out := m.inst.CallView(ctx, c)
	m.settle(out)
	return res, out
}

// evaluate calls the function of a view and gives the instance the rows that it
// returns, in tx. The result is what it has read. The error is a *viewError.
func (db *Database) evaluate(tx *store.Tx, m *module, x *viewInstance, at sats.Timestamp) (*store.ReadSet, error) {
	v := m.views[x.name]
	t, err := tableOf(tx, x.name)
	if v == nil || err != nil || !t.IsView {
		err := fmt.Errorf("failed to resolve view: %s", x.name)
		return nil, &viewError{view: x.name, status: abi.StatusTrap, message: err.Error(), err: err}
	}
	reads := new(store.ReadSet)
	tx.TrackReads(reads)
	start, panics := db.host.opts.Clock.Now(), db.log.panics.Load()
	res, out := m.callView(db.calls, &abi.ViewCall{
		ID: v.Index, Name: v.Name, Anonymous: v.IsAnonymous, Sender: x.sender, Args: x.args, Tx: tx, Time: at,
	})
	tx.TrackReads(nil)
	db.views.spent += out.Fuel
	db.viewRuns.of(v.Name).add(out.Status == abi.StatusOK, db.since(start))
	if out.Status != abi.StatusOK {
		if out.Status != abi.StatusUserError {
			db.log.stopped(at, v.Name, out, panics)
		}
		return nil, viewFailure(v, out)
	}
	rows, count, err := db.viewRows(tx, v, &res, reads)
	if err == nil {
		err = db.views.diff.apply(tx, t, x.hash, v.row, rows, count)
	}
	if err != nil {
		e := &viewError{
			view: v.Name, status: abi.StatusTrap, err: err,
			message: fmt.Sprintf("Error materializing view `%s`: %s", v.Name, detail(err)),
		}
		db.log.call(at, v.Name, e.message)
		return nil, e
	}
	return reads, nil
}

// errViewTrapped marks the end of a call by force.
var errViewTrapped = errors.New("it trapped")

func (e *viewError) trapped() bool { return errors.Is(e.err, errViewTrapped) }

// viewFailure says why a call gave no rows. A view's own text is not for callers.
func viewFailure(v *view, out abi.Outcome) *viewError {
	e := &viewError{view: v.Name, status: abi.StatusTrap, message: abi.FatalErrorText}
	switch out.Status {
	case abi.StatusUserError:
		e.err = errors.New(out.Message)
	case abi.StatusOutOfEnergy:
		e.status, e.message = abi.StatusOutOfEnergy, abi.OutOfEnergyText
		e.err = errors.New(out.Status.String())
	case abi.StatusTrap:
		e.err = fmt.Errorf("%w: %w", errViewTrapped, orStatus(out))
	default: // a result that cannot be read; the text is the engine's
		e.message = cmp.Or(out.Message, e.message)
		e.err = orStatus(out)
	}
	return e
}

func orStatus(out abi.Outcome) error {
	if out.Err != nil {
		return out.Err
	}
	return errors.New(out.Status.String())
}

// A rowsError is about the rows of a view that the backing table does not take.
type rowsError struct{ error }

func (e rowsError) Unwrap() error { return e.error }

// detail is what a caller reads of why rows could not be used; which rows is for the
// server's log.
func detail(err error) string {
	var rows rowsError
	if errors.As(err, &rows) {
		return "Error materializing view"
	}
	return err.Error()
}

// viewRows returns the rows of a result, back to back, and their number.
func (db *Database) viewRows(tx *store.Tx, v *view, res *abi.ViewResult, reads *store.ReadSet) (rows []byte, count int, err error) {
	if res.IsQuery {
		return db.queriedRows(tx, v, res.Query, reads)
	}
	if len(res.Rows) < 4 {
		return nil, 0, fmt.Errorf("the rows have %d bytes; a list has 4 at least", len(res.Rows))
	}
	n, rest := binary.LittleEndian.Uint32(res.Rows), res.Rows[4:]
	end := 0
	for range n {
		size, err := v.row.Validate(rest[end:])
		if err != nil {
			return nil, 0, err
		}
		if end += size; size == 0 { // rows of no size are all the same row
			n = 1
			break
		}
	}
	if end < len(rest) {
		return nil, 0, fmt.Errorf("%d bytes follow the rows", len(rest)-end)
	}
	return rest, int(n), nil
}

// queriedRows runs the query that a view has returned. Every table in it counts as
// read (spec 03 §8.6).
func (db *Database) queriedRows(tx *store.Tx, v *view, text string, reads *store.ReadSet) (rows []byte, count int, err error) {
	if isBlank(text) {
		return nil, 0, nil
	}
	p, err := sql.CompileViewQuery(tx, text, db.info.Identity, v.RowType)
	if err != nil {
		return nil, 0, err
	}
	for _, t := range p.Tables() {
		reads.AddTable(t.ID)
	}
	err = p.Run(tx, func(row []byte) bool {
		rows = append(rows, row...)
		count++
		return true
	})
	return rows, count, err
}

func isBlank(s string) bool {
	for _, r := range s {
		if r != ' ' && (r < '\t' || r > '\r') {
			return false
		}
	}
	return true
}
