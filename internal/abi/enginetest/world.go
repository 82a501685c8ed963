package enginetest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// Begin is the time at which tests begin.
const Begin sats.Timestamp = 1_700_000_000_000_000

// A world is a database with one instance of a guest. Its clock moves only when something waits.
type world struct {
	t  testing.TB
	db *store.Store
	in abi.Instance

	mu        sync.Mutex
	now       sats.Timestamp
	logs      []abi.LogRecord
	scheduled []string
	env       map[string]*string // declared variables; nil: without a value

	// Of the ProcedureHost.
	tx       *store.Tx
	begun    int
	disabled bool                            // HTTP
	starting func(ctx context.Context) error // called by StartTx
	refresh  func(ctx context.Context) error // called by CommitTx, while tx is open
	sleeping func(ctx context.Context) error // called by SleepUntil
	http     func(request, body string) (response, responseBody string, err error)
}

// testTable has one column, a string.
func testTable() *schema.Table {
	row := sats.Product(sats.E("name", sats.String))
	layout, err := sats.NewLayout(row)
	if err != nil {
		panic(err)
	}
	return &schema.Table{Name: "item", Kind: schema.User, Layout: layout, Cols: []schema.Column{{Name: "name", Type: sats.String}}}
}

// row encodes a row of the table.
func row(name string) string { return string(sats.AppendString(nil, name)) }

const tableID schema.TableID = 4096

func (s *Subject) open(t testing.TB, l abi.Limits) *world {
	t.Helper()
	w := &world{t: t, db: store.New(store.Options{}), now: Begin}
	tx := w.db.Begin()
	def, err := tx.CreateTable(testTable())
	if err != nil {
		t.Fatal(err)
	}
	if def.ID != tableID {
		t.Fatalf("the first table has the id %d", def.ID)
	}
	tx.Commit(nil)
	p, err := s.Engine.Load(t.Context(), s.Program, abi.LoadOptions{Limits: l})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	if w.in, err = p.Instantiate(context.Background(), w); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.in.Close() })
	return w
}

// The methods of abi.Services.

func (w *world) DatabaseIdentity() sats.Identity { return sats.Identity{31: 0xc2} }

func (w *world) Now() sats.Timestamp {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(by sats.Timestamp) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now += by
}

func (w *world) Log(r abi.LogRecord) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.logs = append(w.logs, r)
}

func (w *world) ScheduleImmediate(fn string, args []byte) {
	w.scheduled = append(w.scheduled, fn+"("+string(args)+")")
}

func (w *world) Seed(message []byte) (key [32]byte) {
	copy(key[:], message)
	return key
}

func (w *world) JWT(_ *store.Tx, conn sats.ConnectionID) ([]byte, bool) {
	return []byte(`{"sub":"me"}`), conn == sats.ConnectionID{1}
}

func (w *world) Env(_ *store.Tx, _, key string) (value []byte, declared, set bool) {
	v, declared := w.env[key]
	if v == nil {
		return nil, declared, false
	}
	return []byte(*v), declared, true
}

// The methods of abi.ProcedureHost.

func (w *world) StartTx(ctx context.Context) (*store.Tx, sats.Timestamp, error) {
	if w.starting != nil {
		if err := w.starting(ctx); err != nil {
			return nil, 0, err
		}
	}
	if w.tx != nil {
		return nil, 0, errors.New("enginetest: a transaction is open")
	}
	w.tx = w.db.Begin()
	w.begun++
	return w.tx, w.Now(), nil
}

func (w *world) CommitTx(ctx context.Context) error {
	tx := w.tx
	if w.refresh != nil {
		if err := w.refresh(ctx); err != nil {
			w.AbortTx()
			return err
		}
	}
	w.tx = nil
	tx.Commit(nil)
	return nil
}

func (w *world) AbortTx() {
	w.tx.Rollback()
	w.tx = nil
}

func (w *world) SleepUntil(ctx context.Context, t sats.Timestamp) (sats.Timestamp, error) {
	if w.sleeping != nil {
		if err := w.sleeping(ctx); err != nil {
			return 0, err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = max(w.now, t)
	return w.now, nil
}

func (w *world) HTTP(_ context.Context, request, body []byte) (response, responseBody []byte, err error) {
	r, b, err := w.http(string(request), string(body))
	return []byte(r), []byte(b), err
}

func (w *world) HTTPEnabled() bool { return !w.disabled }

// said returns what the guest has logged since the last time, without what the host added.
func (w *world) said() (texts []string) {
	for _, r := range w.logs {
		if r.Level == abi.LogInfo && r.Target == "" && !isSpan(r.Message) {
			texts = append(texts, r.Message)
		}
	}
	w.logs = nil
	return texts
}

func isSpan(s string) bool { return len(s) > 6 && s[:6] == "Timing" }

// rows is the number of rows that are committed.
func (w *world) rows() uint64 {
	v := w.db.View()
	defer v.Close()
	return v.RowCount(tableID)
}

// sender is who calls in all tests.
var sender = sats.Identity{'s', 31: 0xc2}

func (w *world) reduce(ctx context.Context, steps ...Step) abi.Outcome {
	tx := w.db.Begin()
	out := w.in.CallReducer(ctx, &abi.ReducerCall{Name: "reducer", Sender: sender, Conn: sats.ConnectionID{1}, Time: Begin,
		Args: script(steps...), Tx: tx})
	if out.Status == abi.StatusOK {
		tx.Commit(nil)
	} else {
		tx.Rollback()
	}
	return out
}

func (w *world) view(ctx context.Context, anonymous bool, steps ...Step) (abi.ViewResult, abi.Outcome) {
	tx := w.db.Begin()
	defer tx.Rollback()
	return w.viewIn(ctx, tx, anonymous, steps...)
}

func (w *world) viewIn(ctx context.Context, tx *store.Tx, anonymous bool, steps ...Step) (abi.ViewResult, abi.Outcome) {
	call := &abi.ViewCall{Name: "view", Anonymous: anonymous, Args: script(steps...), Tx: tx, Time: Begin}
	if !anonymous {
		call.Sender = sender
	}
	return w.in.CallView(ctx, call)
}

func (w *world) procedure(ctx context.Context, steps ...Step) ([]byte, abi.Outcome) {
	return w.in.CallProcedure(ctx, &abi.ProcedureCall{Name: "procedure", Sender: sender, Conn: sats.ConnectionID{1}, Time: Begin,
		Args: script(steps...), Host: w})
}

func (w *world) handler(ctx context.Context, body string, steps ...Step) (abi.HandlerResult, abi.Outcome) {
	return w.in.CallHandler(ctx, &abi.HandlerCall{Name: "handler", Time: Begin, Sender: sender, JWT: []byte(`{"sub":"made up"}`),
		Request: script(steps...), Body: []byte(body), Host: w})
}
