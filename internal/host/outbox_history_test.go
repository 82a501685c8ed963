package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/sats"
)

// Two servers, each with a disk of its own, write to each other and to themselves,
// while requests and answers are lost or late, the power fails on either side in the
// middle of any operation of its disk, and modules are updated. When all is over, what
// each database has sent must be exactly what has arrived, in the order in which it
// was sent, each letter once, and each outcome must have been told once.
//
// OUTBOX_RUNS and OUTBOX_SEED choose how many histories and the first of them. A seed
// fixes every choice of the history; what the goroutines make of it is the scheduler's.
func TestOutboxHistories(t *testing.T) {
	spec.Covers(t, "08.86", "08.87")
	runs, seed := number("OUTBOX_RUNS", 25), number("OUTBOX_SEED", 1)
	var sum postCounts
	for s := seed; s < seed+runs && !t.Failed(); s++ {
		h := newPostHistory(t, s, &sum)
		if err := h.run(); err != nil {
			t.Errorf("OUTBOX_SEED=%d OUTBOX_RUNS=1: %v\n%s", s, err, strings.Join(h.trace, "\n"))
		}
	}
	t.Logf("seeds %d to %d: %+v", seed, seed+runs-1, sum)
	if n := int(runs); sum.Sent < 10*n || sum.Cuts < n || sum.LostRequests < n || sum.LostAnswers < n || sum.Repeated == 0 || n > 10 && (sum.Updates == 0 || sum.NeverSent == 0) {
		t.Errorf("too little happened to prove anything: %+v", sum)
	}
}

type postCounts struct {
	Sent, NeverSent, Cuts, Restarts, Updates int
	LostRequests, LostAnswers, Repeated      int
}

// A postSide is one of the two servers.
type postSide struct {
	name    string
	info    DatabaseInfo
	opts    Options
	host    *Host
	version int

	mu    sync.Mutex
	db    *Database
	disk  *vfs.Mem
	cut   *vfs.Mem // the disk as a power cut left it
	ops   int      // operations until one
	luck  *rand.Rand
	acked int // letters up to this number are durable

	committed int // letters that may have been lost since
}

// A postHistory is the model: nothing but numbers, since all that was sent stands in
// the database that sent it.
type postHistory struct {
	t      *testing.T
	rng    *rand.Rand
	clock  *fakeClock
	engine *fakeEngine
	sides  [2]*postSide
	sum    *postCounts
	trace  []string

	mu    sync.Mutex // of what the courier uses
	luck  *rand.Rand
	loss  int // one in so many attempts is lost; 0: none
	conns byte
}

func newPostHistory(t *testing.T, seed uint64, sum *postCounts) *postHistory {
	h := &postHistory{
		t: t, rng: rand.New(rand.NewPCG(seed, 1)), luck: rand.New(rand.NewPCG(seed, 2)), clock: newFakeClock(), engine: &fakeEngine{}, sum: sum,
	}
	for v := range 4 {
		h.engine.register(h.module(v))
	}
	for i, id := range []sats.Identity{leftID, rightID} {
		s := &postSide{
			name: []string{"left", "right"}[i], disk: vfs.NewMem(), luck: rand.New(rand.NewPCG(seed, uint64(3+i))),
			info: DatabaseInfo{Replica: 1, Identity: id, Owner: ownerID},
		}
		s.opts = Options{
			Dir: "/data", Clock: h.clock, Rand: rand.NewChaCha8([32]byte{byte(seed), byte(i)}), Courier: h,
			Engines: map[ProgramKind]abi.Engine{Wasm: h.engine}, Logger: slog.New(slog.DiscardHandler),
			CheckpointTx: uint64(5 + h.rng.IntN(60)), MaxSegmentBytes: int64(2000 + h.rng.IntN(20000)),
		}
		h.sides[i] = s
	}
	return h
}

// module is the program of a version: its letters have so many columns more, which
// gives their table another id.
func (h *postHistory) module(version int) *fakeModule {
	cols := slices.Clone(letterCols)
	outbox := []tableOption{outboxOf("receive", receiveHash(), []schema.ColID{0, 2}, "answered")}
	for v := range version {
		cols = append(cols, sats.E(fmt.Sprintf("stamp_%d", v), sats.U32))
		outbox = append(outbox, defaultValue(schema.ColID(3+v), u32(7)))
	}
	m := newFake(fmt.Sprintf("post%d", version)).
		addTable("letter", cols, outbox...).
		addTable("sent", params(sats.E("n", sats.U64), sats.E("to", sats.IdentityType), sats.E("body", sats.String)), primary(0)).
		addTable("got", params(sats.E("n", sats.U64), sats.E("sender", sats.IdentityType), sats.E("id", sats.U64), sats.E("body", sats.String)), primary(0), autoInc(0)).
		addTable("outcome", params(sats.E("n", sats.U64), sats.E("id", sats.U64), sats.E("text", sats.String)), primary(0), autoInc(0))
	stamps := bytes.Repeat(u32(8), version)
	m.reducer("send", params(sats.E("n", sats.U64), sats.E("to", sats.IdentityType), sats.E("body", sats.String)), func(c *fakeCall) error {
		if err := c.insert("sent", c.Args); err != nil {
			return err
		}
		// The number is the key of the letter, too.
		if err := c.insert("letter", slices.Concat(c.Args, stamps)); err != nil {
			return err
		}
		if bytes.Contains(c.Args, []byte("rolled back")) {
			return userError("no")
		}
		return nil
	})
	m.reducer("receive", receiveParams, receiveLetter)
	m.reducer("answered", params(sats.E("row", sats.Ref(0)), sats.E("result", sats.Result(sats.Unit, sats.String))), func(c *fakeCall) error {
		row := len(c.Args)
		r := sats.NewReader(c.Args)
		r.U64()
		r.Identity()
		r.Str()
		plain := row - r.Len()
		c.Args = slices.Concat(c.Args[:plain], c.Args[plain+4*version:])
		return answered(c)
	})
	return m
}

// side returns the server of a database.
func (h *postHistory) side(id sats.Identity) *postSide {
	if id == rightID {
		return h.sides[1]
	}
	return h.sides[0]
}

// off reports whether the power has failed. Another operation of the disk may have been
// under way then and have succeeded afterwards; what relies on it must not get out.
func (s *postSide) off() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cut != nil
}

// Deliver is the network between the servers.
func (h *postHistory) Deliver(ctx context.Context, c *OutboxCall) (OutboxAnswer, error) {
	h.mu.Lock()
	lost := func() bool { return h.loss > 0 && h.luck.IntN(h.loss) == 0 }
	request, answer, late, again := lost(), lost(), lost(), lost()
	h.conns++
	conn := sats.ConnectionID{h.conns, 1}
	switch {
	case request:
		h.sum.LostRequests++
	case answer:
		h.sum.LostAnswers++
	}
	if again {
		h.sum.Repeated++
	}
	h.mu.Unlock()
	if request || h.side(c.Sender).off() {
		return OutboxAnswer{}, errors.New("connection refused")
	}
	side := h.side(c.Target)
	side.mu.Lock()
	db := side.db
	side.mu.Unlock()
	if db == nil {
		return OutboxAnswer{}, errNoRoute
	}
	if again { // a network that repeats a request
		_, _ = db.Receive(ctx, c, conn)
	}
	res, err := db.Receive(ctx, c, conn)
	if late {
		select {
		case <-ctx.Done():
			return OutboxAnswer{}, context.Cause(ctx)
		case <-time.After(time.Millisecond):
		}
	}
	if answer || side.off() {
		return OutboxAnswer{}, errors.New("connection reset by peer")
	}
	return res, err
}

func (h *postHistory) note(format string, args ...any) {
	h.trace = append(h.trace, fmt.Sprintf(format, args...))
}

func (h *postHistory) run() error {
	defer func() {
		for _, s := range h.sides {
			s.stop()
		}
	}()
	for _, s := range h.sides {
		if err := h.start(s); err != nil {
			return err
		}
	}
	h.mu.Lock()
	h.loss = 2 + h.rng.IntN(8)
	h.mu.Unlock()
	for range 60 + h.rng.IntN(60) {
		if err := h.step(); err != nil {
			return err
		}
	}
	return h.finish()
}

// step does one thing to one side.
func (h *postHistory) step() error {
	s := h.sides[h.rng.IntN(2)]
	switch n := h.rng.IntN(40); {
	case n == 0: // the power fails now
		s.fail(0)
	case n == 1: // or after some more operations
		s.fail(1 + h.rng.IntN(60))
	case n == 2:
		h.note("%s restarts", s.name)
		h.sum.Restarts++
		s.stop()
	case n == 3 && s.version < 3:
		h.update(s)
	case n < 12:
		h.clock.advance(time.Duration(h.rng.IntN(3000)) * time.Millisecond)
	case n < 15:
		time.Sleep(time.Duration(h.rng.IntN(3)) * time.Millisecond) // let the goroutines come to different points
	default:
		h.send(s)
	}
	return h.revive(s)
}

// send has a side send a letter, to either side.
func (h *postHistory) send(s *postSide) {
	h.sum.Sent++
	n := uint64(h.sum.Sent)
	to := h.sides[h.rng.IntN(2)].info.Identity
	body := fmt.Sprintf("%06d", n)
	switch h.rng.IntN(8) {
	case 0:
		body = "refuse " + body
	case 1:
		body = "callback refuses " + body
	case 2:
		body = "rolled back " + body
	}
	res, err := s.db.CallReducer(background, &CallRequest{Caller: alice, Name: "send", Args: slices.Concat(u64(n), to.AppendBSATN(nil), str(body))})
	if err != nil || res.Status != Committed {
		h.note("%s: letter %s: %v %s", s.name, body, err, res.Message)
		return
	}
	h.note("%s sends %s", s.name, body)
	s.committed++
	if h.rng.IntN(3) == 0 {
		if _, err := s.db.WaitDurable(background, res.Offset); err == nil {
			s.ack(int(n))
		}
	}
}

func (s *postSide) ack(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut == nil {
		s.acked = n
	}
}

func (h *postHistory) update(s *postSide) {
	program := []byte(fmt.Sprintf("post%d", s.version+1))
	plan, err := s.db.PrePublish(background, Wasm, program)
	if err == nil {
		_, err = s.db.Update(background, Wasm, program, UpdatePolicy{BreakClients: plan.BreaksUsers, Token: plan.Token})
	}
	h.note("%s: update to %s: %v", s.name, program, err)
	if err == nil {
		s.version++
		h.sum.Updates++
	}
}

// fail has the power fail after some operations of the disk.
func (s *postSide) fail(ops int) {
	disk := s.disk
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ops = ops
	if ops == 0 {
		s.cut = disk.CrashClone(s.luck)
	}
	disk.SetHook(func(op vfs.Op, _ string) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.cut != nil {
			return errPower
		}
		if !op.Changes() {
			return nil
		}
		if s.ops--; s.ops > 0 {
			return nil
		}
		s.cut = disk.CrashClone(s.luck)
		return errPower
	})
}

// revive starts a side again that does not run any more.
func (h *postHistory) revive(s *postSide) error {
	s.mu.Lock()
	cut, db := s.cut, s.db
	s.mu.Unlock()
	if cut == nil && db != nil && !db.isEnding() {
		return nil
	}
	s.stop()
	s.mu.Lock()
	if s.cut != nil {
		h.note("%s: the power failed", s.name)
		h.sum.Cuts++
	}
	s.mu.Unlock()
	return h.start(s)
}

// stop ends a side's server.
func (s *postSide) stop() {
	if s.host != nil {
		_ = s.host.Close() // what it cannot write any more is the point
		s.host = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.db = nil
}

// start starts a side's server on what its disk has.
func (h *postHistory) start(s *postSide) error {
	s.mu.Lock()
	if s.cut != nil {
		s.disk.SetHook(nil)
		s.disk, s.cut = s.cut, nil
	}
	s.disk.SetHook(nil)
	s.mu.Unlock()
	s.opts.FS = s.disk
	host, err := New(s.opts)
	if err != nil {
		return err
	}
	s.host = host
	db, err := host.Open(background, s.info, func() ([]byte, error) { return []byte("post0"), nil })
	if err != nil {
		return fmt.Errorf("%s does not open: %w", s.name, err)
	}
	s.mu.Lock()
	s.db = db
	s.mu.Unlock()
	v := db.View()
	defer v.Close()
	row, _, err := storedProgram(v)
	if err == nil {
		_, err = fmt.Sscanf(string(row.Program), "post%d", &s.version)
	}
	return err
}

// finish lets everything arrive, and compares.
func (h *postHistory) finish() error {
	h.note("all is well from here on")
	h.mu.Lock()
	h.loss = 0
	h.mu.Unlock()
	for _, s := range h.sides {
		s.mu.Lock()
		s.disk.SetHook(nil)
		s.mu.Unlock()
		if err := h.revive(s); err != nil {
			return err
		}
	}
	for end := time.Now().Add(2 * time.Minute); ; {
		h.clock.advance(time.Second)
		left := 0
		for _, s := range h.sides {
			s.db.Settle()
			v := s.db.View()
			left += int(v.RowCount(schema.StOutboundMsg) + v.RowCount(v.TableByName("letter").ID))
			v.Close()
		}
		if left == 0 {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d letters do not arrive", left)
		}
	}
	for _, s := range h.sides {
		if err := h.verify(s); err != nil {
			return err
		}
	}
	return nil
}

// verify compares what a side has sent with what became of it.
func (h *postHistory) verify(s *postSide) error {
	v := s.db.View()
	defer v.Close()
	type letter struct {
		n    uint64
		to   sats.Identity
		body string
	}
	var sent []letter
	for row := range v.Scan(v.TableByName("sent").ID) {
		r := sats.NewReader(row)
		sent = append(sent, letter{r.U64(), r.Identity(), r.Str()})
	}
	slices.SortFunc(sent, func(a, b letter) int { return int(a.n) - int(b.n) })
	h.sum.NeverSent += max(s.committed-len(sent), 0)
	last := 0
	want := map[uint64]string{}
	arrived := map[sats.Identity][]string{}
	for _, l := range sent {
		last = int(l.n)
		refused := strings.HasPrefix(l.body, "refuse ")
		if !refused {
			arrived[l.to] = append(arrived[l.to], l.body)
		}
		switch {
		case strings.Contains(l.body, "callback refuses"):
		case refused:
			want[l.n] = l.body
		default:
			want[l.n] = "ok"
		}
	}
	if last < s.acked {
		return fmt.Errorf("%s has lost letter %d, which was durable; the last is %d", s.name, s.acked, last)
	}
	for row := range v.Scan(v.TableByName("outcome").ID) {
		r := sats.NewReader(row)
		r.U64()
		n, text := r.U64(), r.Str()
		if want[n] != text {
			return fmt.Errorf("%s: the outcome of letter %d is %q; want %q, once", s.name, n, text, want[n])
		}
		delete(want, n)
	}
	if len(want) > 0 {
		return fmt.Errorf("%s was not told: %v", s.name, want)
	}
	for _, other := range h.sides {
		got := h.arrived(other, s.info.Identity)
		if w := arrived[other.info.Identity]; !slices.Equal(got, w) {
			return fmt.Errorf("from %s to %s: arrived\n%q\nwant\n%q", s.name, other.name, got, w)
		}
	}
	return nil
}

// arrived returns what a side has got from a sender, in order.
func (h *postHistory) arrived(s *postSide, from sats.Identity) []string {
	v := s.db.View()
	defer v.Close()
	type letter struct {
		n    uint64
		body string
	}
	var list []letter
	for row := range v.Scan(v.TableByName("got").ID) {
		r := sats.NewReader(row)
		n, sender := r.U64(), r.Identity()
		r.U64()
		if sender == from {
			list = append(list, letter{n, r.Str()})
		}
	}
	slices.SortFunc(list, func(a, b letter) int { return int(a.n) - int(b.n) })
	var bodies []string
	for _, l := range list {
		bodies = append(bodies, l.body)
	}
	return bodies
}
