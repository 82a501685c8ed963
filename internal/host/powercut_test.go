package host

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/sats"
)

// A whole database (store, log, checkpoints, retention, recovery, the module's
// updates, the secret) lives several lives on a disk that fails: power cuts in the
// middle of any operation, lost and torn blocks, lost names, input/output errors,
// short writes, failed syncs, a full disk. After each the database must open, hold
// a prefix of what was committed, at least all that was acknowledged as durable,
// and no half transaction.
//
// POWERCUT_RUNS and POWERCUT_SEED choose how many histories and the first of them.
// A seed fixes every choice of the history; what the goroutines make of it is the
// scheduler's.
func TestPowerCuts(t *testing.T) {
	spec.Covers(t, "08.46", "08.55")
	runs, seed := number("POWERCUT_RUNS", 120), number("POWERCUT_SEED", 1)
	var sum powercutCounts
	for s := seed; s < seed+runs && !t.Failed(); s++ {
		h := newHistory(s, &sum)
		if err := h.run(); err != nil {
			t.Errorf("POWERCUT_SEED=%d POWERCUT_RUNS=1: %v\n%s", s, err, strings.Join(h.trace, "\n"))
		}
	}
	t.Logf("seeds %d to %d: %+v", seed, seed+runs-1, sum)
	if sum.Cuts < int(runs) || sum.Acknowledged < 5*int(runs) || sum.Lost == 0 || sum.Checkpoints == 0 && runs > 100 {
		t.Errorf("too little happened to prove anything: %+v", sum)
	}
}

func number(variable string, otherwise uint64) uint64 {
	if n, err := strconv.ParseUint(os.Getenv(variable), 10, 64); err == nil {
		return n
	}
	return otherwise
}

type powercutCounts struct {
	Lives, Cuts, Injected          int
	Committed, Acknowledged, Lost  int
	RefusedOpens, Checkpoints, Ddl int
}

// A history is the model of one database: the transactions committed, in order.
type history struct {
	seed   uint64
	rng    *rand.Rand
	fs     *vfs.Mem
	engine *fakeEngine
	info   DatabaseInfo
	opts   Options

	life       uint32
	steps      []step // the transaction with number i+1
	acked      atomic.Int64
	version    int // of the module
	ackVersion int
	secret     [secretSize]byte
	sum        *powercutCounts

	traceMu sync.Mutex
	trace   []string

	fault struct {
		sync.Mutex
		fired  bool
		cut    *vfs.Mem // the disk as the power cut left it
		atCut  int64    // acked then
		atCutV int
	}
}

// A step says how a transaction came about: its changes follow from it.
type step struct {
	life    uint32
	version int
}

func newHistory(seed uint64, sum *powercutCounts) *history {
	h := &history{
		seed: seed, rng: rand.New(rand.NewPCG(seed, 42)), fs: vfs.NewMem(), engine: &fakeEngine{}, sum: sum,
		info: DatabaseInfo{Replica: 1, Identity: dbID, Owner: ownerID},
	}
	h.opts = Options{
		Dir: "/data", Clock: newFakeClock(), Rand: rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}),
		Engines:         map[ProgramKind]abi.Engine{Wasm: h.engine},
		Logger:          slog.New(slog.DiscardHandler),
		CheckpointTx:    uint64(2 + h.rng.IntN(25)),
		MaxSegmentBytes: int64(300 + h.rng.IntN(6000)),
		Retention:       Retention{Checkpoints: 1 + h.rng.IntN(3), All: h.rng.IntN(5) == 0, Segments: h.rng.IntN(2), Bytes: int64(h.rng.IntN(2) * 1500)},
	}
	if h.rng.IntN(3) == 0 {
		h.opts.Retention.Archive = "/archive"
	}
	for v := range 6 {
		h.engine.register(h.module(v))
	}
	return h
}

// A change is one write of a transaction.
type change struct {
	id   uint32
	data string // empty: delete
}

// changes are the writes of transaction number seq.
func (h *history) changes(seq int, s step) []change {
	rng := rand.New(rand.NewPCG(h.seed<<32|uint64(s.life), uint64(seq)))
	list := make([]change, 1+rng.IntN(4))
	for i := range list {
		c := change{id: uint32(rng.IntN(15))}
		switch n := rng.IntN(20); {
		case n == 0:
			c.data = strings.Repeat(strconv.Itoa(seq%10), 1000+rng.IntN(4000))
		case n < 14:
			c.data = fmt.Sprintf("%d.%d.%d", s.life, seq, rng.IntN(1000)) + strings.Repeat("x", rng.IntN(60))
		}
		list[i] = c
	}
	return list
}

// module is the program of a version: each adds a table to the one before.
func (h *history) module(version int) *fakeModule {
	m := newFake(fmt.Sprintf("work%d", version)).
		addTable("entry", params(sats.E("id", sats.U32), sats.E("data", sats.String)), primary(0)).
		addTable("done", params(sats.E("seq", sats.U32), sats.E("version", sats.U32)), primary(0))
	for v := 1; v <= version; v++ {
		m.addTable(fmt.Sprintf("extra_%d", v), params(sats.E("seq", sats.U32)), primary(0))
	}
	m.reducer("step", params(sats.E("seq", sats.U32), sats.E("life", sats.U32)), func(c *fakeCall) error {
		r := sats.NewReader(c.Args)
		seq, life := r.U32(), r.U32()
		entry := c.table("entry")
		for _, ch := range h.changes(int(seq), step{life, version}) {
			if err := ch.apply(c, entry); err != nil {
				return err
			}
		}
		if version > 0 {
			if err := c.insert(fmt.Sprintf("extra_%d", version), u32(seq)); err != nil {
				return err
			}
		}
		return c.insert("done", append(u32(seq), u32(uint32(version))...))
	})
	return m
}

func (ch change) apply(c *fakeCall, entry *schema.Table) (err error) {
	ix, row := entry.Indexes[0].ID, append(u32(ch.id), str(ch.data)...)
	_, there := c.Tx.FindUnique(ix, u32(ch.id))
	switch {
	case ch.data == "":
		_, err = c.Tx.DeletePoint(ix, u32(ch.id))
	case there:
		_, _, err = c.Tx.Update(entry.ID, ix, row)
	default:
		_, _, err = c.Tx.Insert(entry.ID, row)
	}
	return err
}

func (h *history) note(format string, args ...any) {
	h.traceMu.Lock()
	defer h.traceMu.Unlock()
	h.trace = append(h.trace, fmt.Sprintf("life %d: ", h.life)+fmt.Sprintf(format, args...))
}

func (h *history) run() error {
	for range 3 + h.rng.IntN(4) {
		if err := h.live(true); err != nil {
			return err
		}
	}
	return h.live(false)
}

// live is one life of the server: it opens the database, looks whether everything
// is there, works, and comes to some end.
func (h *history) live(faulty bool) error {
	h.life++
	h.sum.Lives++
	h.opts.FS = h.fs
	if faulty {
		h.plan()
	}
	host, err := New(h.opts)
	if err != nil {
		return err
	}
	db, err := host.Open(background, h.info, func() ([]byte, error) { return []byte("work0"), nil })
	if err == nil {
		err = h.verify(db)
		if err == nil {
			h.work(db)
		}
	} else if h.hasFired() {
		h.note("does not open: %v", err)
		h.sum.RefusedOpens++
		err = nil
	}
	return errors.Join(err, h.end(host, db))
}

func (h *history) hasFired() bool {
	h.fault.Lock()
	defer h.fault.Unlock()
	return h.fault.fired
}

func (h *history) isCut() bool {
	h.fault.Lock()
	defer h.fault.Unlock()
	return h.fault.cut != nil
}

var (
	errPower = errors.New("the power is off")
	errIO    = errors.New("input/output error")
)

// plan chooses what goes wrong in this life, and when.
func (h *history) plan() {
	h.fault.fired, h.fault.cut = false, nil
	kind, at := h.rng.IntN(8), h.rng.IntN(1+h.rng.IntN(250))
	luck := rand.New(rand.NewPCG(h.seed, uint64(h.life)))
	part := h.rng.IntN(3000)
	disk := h.fs
	wants := func(op vfs.Op) bool { return true }
	fail := func() error { return errIO }
	switch kind {
	case 0, 1, 2: // a power cut
		fail = func() error {
			h.fault.atCut, h.fault.atCutV = h.acked.Load(), h.ackVersion
			h.fault.cut = disk.CrashClone(luck)
			return errPower
		}
		wants = vfs.Op.Changes
	case 3: // any operation
	case 4:
		wants = func(op vfs.Op) bool { return op == vfs.OpSync || op == vfs.OpSyncDir }
		at /= 3
	case 5:
		wants = func(op vfs.Op) bool { return op == vfs.OpWrite }
		fail = func() error { return vfs.ShortWrite{N: part, Err: errIO} }
		at /= 3
	case 6: // a full disk, from some operation on
		fail = func() error { disk.SetCapacity(disk.Used() + int64(part)); return nil }
	case 7:
		return // nothing
	}
	h.note("fault %d at operation %d", kind, at)
	calls := 0
	disk.SetHook(func(op vfs.Op, name string) error {
		h.fault.Lock()
		defer h.fault.Unlock()
		if h.fault.cut != nil {
			return errPower // nothing happens after the cut
		}
		if !wants(op) || h.fault.fired {
			return nil
		}
		if calls++; calls <= at {
			return nil
		}
		h.fault.fired = true
		h.note("%s %s goes wrong", op, name)
		return fail()
	})
}

// work makes transactions until the database stops or the life is long enough.
func (h *history) work(db *Database) {
	for range h.rng.IntN(50) {
		switch n := h.rng.IntN(40); {
		case n == 0:
			_ = db.Checkpoint()
			continue
		case n == 1 && h.version < 5:
			h.update(db)
			continue
		case n < 4:
			db.ckpt.work.Wait() // so that checkpoints come to an end
		}
		seq := len(h.steps) + 1
		res, err := db.CallReducer(background, &CallRequest{Caller: alice, Name: "step", Args: append(u32(uint32(seq)), u32(h.life)...)})
		if err != nil || res.Status != Committed {
			h.note("transaction %d: %v %s", seq, err, res.Message)
			// It may have reached the log although nobody was told.
			h.steps = append(h.steps, step{h.life, h.version})
			return
		}
		h.steps = append(h.steps, step{h.life, h.version})
		h.sum.Committed++
		if h.rng.IntN(3) == 0 {
			if _, err := db.WaitDurable(background, res.Offset); err != nil {
				h.note("transaction %d is not durable: %v", seq, err)
				return
			}
			h.ack(seq)
		}
	}
}

// ack notes that everything up to a transaction was acknowledged.
func (h *history) ack(seq int) {
	h.fault.Lock()
	defer h.fault.Unlock()
	h.sum.Acknowledged += max(0, seq-int(h.acked.Load()))
	h.acked.Store(int64(seq))
	h.ackVersion = h.version
	if seq > 0 {
		h.ackVersion = max(h.steps[seq-1].version, 0)
	}
}

func (h *history) update(db *Database) {
	res, err := db.Update(background, Wasm, []byte(fmt.Sprintf("work%d", h.version+1)), UpdatePolicy{})
	if err != nil {
		h.note("update: %v", err)
		return
	}
	h.version++
	h.sum.Ddl++
	if _, err := db.WaitDurable(background, res.Offset); err != nil {
		h.note("the update is not durable: %v", err)
		return
	}
	h.ack(len(h.steps))
	h.fault.Lock()
	h.ackVersion = h.version
	h.fault.Unlock()
}

// end ends a life: the power fails, or the process ends in order or by a kill.
func (h *history) end(host *Host, db *Database) error {
	kill := h.rng.IntN(2) == 0 && !h.isCut()
	next := h.fs
	if kill {
		next = h.fs.CrashClone(rand.New(rand.NewPCG(h.seed, uint64(h.life)+1<<32)))
		h.sum.Cuts++
		h.note("the power fails")
	}
	err := host.Close()
	switch {
	case kill:
	case h.isCut():
		next = h.fault.cut
		h.sum.Cuts++
		h.acked.Store(h.fault.atCut)
		h.ackVersion = h.fault.atCutV
	case err == nil && db != nil && db.Err() == nil && !h.hasFired():
		h.ack(len(h.steps)) // closing makes everything durable
	}
	if h.hasFired() {
		h.sum.Injected++
	}
	h.fs.SetHook(nil)
	h.fs = next
	h.fs.SetCapacity(-1)
	h.fault.fired, h.fault.cut = false, nil
	return h.inspect()
}

// inspect looks at the files as the offline tools do: a fault is no damage.
func (h *history) inspect() error {
	if h.rng.IntN(3) > 0 {
		return nil
	}
	if _, err := h.fs.Stat("/data/replicas/1"); err != nil {
		return nil
	}
	r, err := OpenReplica(h.fs, "/data", 1)
	if err != nil {
		return err
	}
	defer r.Close()
	in, err := r.Inspect()
	if err != nil {
		return err
	}
	if len(in.Damage) > 0 {
		return fmt.Errorf("life %d leaves damage: %w", h.life, errors.Join(in.Damage...))
	}
	h.sum.Checkpoints += len(in.Checkpoints)
	c, err := r.Load(in, ^uint64(0))
	if err != nil {
		return fmt.Errorf("the files after life %d cannot be read: %w", h.life, err)
	}
	c.View.Close()
	return nil
}

// verify compares the database with the model, and cuts the model down to what is
// there.
func (h *history) verify(db *Database) error {
	v := db.View()
	defer v.Close()
	n := int(v.RowCount(v.TableByName("done").ID))
	acked := int(h.acked.Load())
	if n < acked || n > len(h.steps) {
		return fmt.Errorf("life %d: %d transactions are there; %d were acknowledged, %d committed", h.life, n, acked, len(h.steps))
	}
	h.sum.Lost += len(h.steps) - n
	h.steps = h.steps[:n]
	row, _, err := storedProgram(v)
	if err != nil {
		return err
	}
	version, err := strconv.Atoi(strings.TrimPrefix(string(row.Program), "work"))
	if err != nil {
		return err
	}
	if version < h.ackVersion || version > h.version+1 || n > 0 && version < h.steps[n-1].version {
		return fmt.Errorf("life %d: version %d of the module is there; %d was acknowledged, %d made", h.life, version, h.ackVersion, h.version)
	}
	h.version = version
	if h.life == 1 || h.secret == [secretSize]byte{} {
		h.secret = db.secret
	} else if n > 0 && acked > 0 && h.secret != db.secret {
		return fmt.Errorf("life %d: the secret is another", h.life)
	}
	h.secret = db.secret
	want := map[string]string{}
	for i, s := range h.steps {
		want[fmt.Sprint("done ", i+1)] = fmt.Sprint(s.version)
		if s.version > 0 {
			want[fmt.Sprintf("extra_%d %d", s.version, i+1)] = ""
		}
		for _, ch := range h.changes(i+1, s) {
			if ch.data == "" {
				delete(want, fmt.Sprint("entry ", ch.id))
			} else {
				want[fmt.Sprint("entry ", ch.id)] = ch.data
			}
		}
	}
	return h.compare(v, want)
}

// compare wants exactly these rows in the module's tables.
func (h *history) compare(v store.Reader, want map[string]string) error {
	n := 0
	for _, t := range v.Tables() {
		if t.ID < schema.FirstUserID {
			continue
		}
		for row := range v.Scan(t.ID) {
			r := sats.NewReader(row)
			key, value := fmt.Sprint(t.Name, " ", r.U32()), ""
			switch t.Name {
			case "entry":
				value = r.Str()
			case "done":
				value = fmt.Sprint(r.U32())
			}
			if w, ok := want[key]; !ok || w != value {
				return fmt.Errorf("life %d, %d transactions: row %s is %.40q; want %.40q (%t)", h.life, len(h.steps), key, value, w, ok)
			}
			n++
		}
	}
	if n != len(want) {
		return fmt.Errorf("life %d, %d transactions: %d rows; want %d", h.life, len(h.steps), n, len(want))
	}
	return nil
}
