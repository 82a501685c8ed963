package native

import (
	"bytes"
	"runtime"
	"strings"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/guest"
	"github.com/stdbgo/spacetime/sats"
)

// host puts the call context behind the interface that the SDK calls; the error numbers are the same.
type host struct {
	ctx *abi.Context
	// busy is true while a method runs, and stays true when it ends by a panic. So a call whose module has recovered
	// from that panic cannot end as if nothing had happened.
	busy bool
	// fatal is why the instance must not be used any more. A view that a commit refreshes may be what ended it.
	fatal error
	sleep func(until sats.Timestamp) // Engine.Sleep
	since time.Time                  // of the method that runs, if its time is asked for
}

var _ guest.Host = (*host)(nil)

func (h *host) enter() {
	h.busy = true
	if h.ctx.Timed() {
		h.since = time.Now()
	}
}

func (h *host) leave() {
	h.busy = false
	if h.ctx.Timed() {
		h.ctx.Took(time.Since(h.since))
	}
}

// done ends a method.
func done[T any](h *host, v T, e abi.Errno) (T, guest.Errno) {
	h.leave()
	return v, guest.Errno(e)
}

func (h *host) TableID(name string) (uint32, guest.Errno) {
	h.enter()
	id, e := h.ctx.TableIDFromName(name)
	return done(h, id, e)
}

func (h *host) IndexID(name string) (uint32, guest.Errno) {
	h.enter()
	id, e := h.ctx.IndexIDFromName(name)
	return done(h, id, e)
}

func (h *host) RowCount(table uint32) (uint64, guest.Errno) {
	h.enter()
	n, e := h.ctx.RowCount(table)
	return done(h, n, e)
}

func (h *host) ScanTable(table uint32) (uint32, guest.Errno) {
	h.enter()
	it, e := h.ctx.TableScan(table)
	return done(h, it, e)
}

func (h *host) ScanPoint(index uint32, key []byte) (uint32, guest.Errno) {
	h.enter()
	it, e := h.ctx.ScanPoint(index, key)
	return done(h, it, e)
}

func (h *host) ScanRange(index uint32, prefix []byte, prefixCols int, from, to []byte) (uint32, guest.Errno) {
	h.enter()
	it, e := h.ctx.ScanRange(index, abi.RangeArg{Prefix: prefix, PrefixElems: prefixCols, Start: from, End: to})
	return done(h, it, e)
}

func (h *host) Advance(iter uint32, buf []byte) (n int, more bool, _ guest.Errno) {
	h.enter()
	n, exhausted, needed, e := h.ctx.IterAdvance(iter, buf)
	h.leave()
	if e == abi.ErrBufferTooSmall {
		n = needed
	}
	return n, e == abi.OK && !exhausted, guest.Errno(e)
}

func (h *host) CloseIter(iter uint32) { h.ctx.IterClose(iter) }

func (h *host) Insert(table uint32, row []byte) (int, guest.Errno) {
	h.enter()
	generated, e := h.ctx.Insert(table, row)
	return done(h, copy(row, generated), e)
}

func (h *host) Update(table, index uint32, row []byte) (int, guest.Errno) {
	h.enter()
	generated, e := h.ctx.Update(table, index, row)
	return done(h, copy(row, generated), e)
}

func (h *host) DeletePoint(index uint32, key []byte) (uint32, guest.Errno) {
	h.enter()
	n, e := h.ctx.DeleteByPoint(index, key)
	return done(h, n, e)
}

func (h *host) DeleteRange(index uint32, prefix []byte, prefixCols int, from, to []byte) (uint32, guest.Errno) {
	h.enter()
	n, e := h.ctx.DeleteByRange(index, abi.RangeArg{Prefix: prefix, PrefixElems: prefixCols, Start: from, End: to})
	return done(h, n, e)
}

func (h *host) DeleteEqual(table uint32, rel []byte) (uint32, guest.Errno) {
	h.enter()
	n, e := h.ctx.DeleteAllByEq(table, rel)
	return done(h, n, e)
}

func (h *host) Clear(table uint32) (uint64, guest.Errno) {
	h.enter()
	n, e := h.ctx.Clear(table)
	return done(h, n, e)
}

func (h *host) Log(level uint32, target, file string, line uint32, message []byte) {
	h.enter()
	h.ctx.Log(abi.LogRecord{Level: abi.Level(uint8(level)), Target: target, Filename: file, Line: line,
		HasLine: line != guest.NoLine, Message: abi.ValidText(message)})
	h.leave()
}

func (h *host) Identity(id *[32]byte) { *id = h.ctx.Identity() }

func (h *host) JWT(conn *[16]byte) ([]byte, guest.Errno) {
	h.enter()
	source, e := h.ctx.GetJWT(*conn)
	var claims []byte
	if source != 0 {
		n, _ := h.ctx.SourceRemaining(source)
		claims = make([]byte, n)
		h.ctx.SourceRead(source, claims)
	}
	return done(h, claims, e)
}

func (h *host) Env(key string) (value []byte, set bool, _ guest.Errno) {
	h.enter()
	value, set, e := h.ctx.Env(key)
	h.leave()
	return bytes.Clone(value), set, guest.Errno(e)
}

func (h *host) StartTx() (int64, guest.Errno) {
	h.enter()
	now, e := h.ctx.StartTx()
	return done(h, now.Micros(), e)
}

// CommitTx ends the call if a view fails: the transaction is over then, and no number says so.
func (h *host) CommitTx() guest.Errno {
	h.enter()
	e, failed := h.ctx.CommitTx()
	switch {
	case h.fatal != nil:
		panic(&abi.Trap{Msg: "committing the transaction", Err: h.fatal})
	case failed != nil:
		panic(&abi.Trap{Msg: "committing the transaction", Err: failed})
	}
	h.leave()
	return guest.Errno(e)
}

// AbortTx is called while a panic passes through, too, which it must not make forgotten.
func (h *host) AbortTx() guest.Errno {
	was := h.busy
	h.enter()
	e := h.ctx.AbortTx()
	h.busy = was
	return guest.Errno(e)
}

func (h *host) SleepUntil(micros int64) int64 {
	h.enter()
	if h.sleep != nil && h.ctx.Call().MayWait() {
		h.sleep(sats.Timestamp(micros))
	}
	now := h.ctx.SleepUntil(sats.Timestamp(micros))
	h.leave()
	return now.Micros()
}

func (h *host) HTTP(request, body []byte) (response, responseBody []byte, failure string, _ guest.Errno) {
	h.enter()
	response, responseBody, failed, e := h.ctx.HTTP(request, body)
	h.leave()
	if failed != nil {
		failure = failed.Text
	}
	return response, responseBody, failure, guest.Errno(e)
}

// A panicPlace is where the module panicked.
type panicPlace struct {
	target, file string
	line         uint32
	trace        []string
}

// maxTrace bounds the frames of a Panic record.
const maxTrace = 64

// panicSite finds it from a deferred function of the call: the frames above the runtime's, down to the SDK's.
func panicSite() (p panicPlace) {
	pcs := make([]uintptr, maxTrace+16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	inPanic := true
	for {
		f, more := frames.Next()
		switch {
		case strings.HasPrefix(f.Function, engineMethods):
			if len(p.trace) > 0 {
				return p
			}
		case inPanic && strings.HasPrefix(f.Function, "runtime."):
		case f.Function != "":
			inPanic = false
			p.trace = append(p.trace, f.Function)
			if p.file == "" && !strings.HasPrefix(f.Function, sdkPackage) && !strings.HasPrefix(f.Function, satsPackage) {
				p.file, p.line = f.File[strings.LastIndexByte(f.File, '/')+1:], uint32(f.Line)
				p.target = packageOf(f.Function)
			}
		}
		if !more || len(p.trace) >= maxTrace {
			return p
		}
	}
}

const (
	engineMethods = "github.com/stdbgo/spacetime/internal/engine/native.(*instance)."
	sdkPackage    = "github.com/stdbgo/spacetime/module."
	satsPackage   = "github.com/stdbgo/spacetime/sats."
)

func packageOf(function string) string {
	slash := strings.LastIndexByte(function, '/') + 1
	name, _, _ := strings.Cut(function[slash:], ".")
	return function[:slash] + name
}
