package wasm

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/sats"
)

// A clock stands still but for sleeps, so that the same call reads the same times again (spec 03 §17.4). In procedures and
// HTTP handlers it follows the real time. All in nanoseconds.
type clock struct {
	in       *instance
	mono     uint64 // monotonic, never zero
	baseReal uint64 // wall clock at the start of the call
	baseMono uint64 // mono at the start of the call
	slept    uint64 // logically, in this call
	unpaid   uint64 // of that, since maxSleep counts
	real     bool   // follows the real time
}

// maxSleep bounds what one call, or one transaction of a procedure, may sleep logically: it replaces an endless loop of sleeps, which burns little fuel.
const maxSleep = uint64(60 * time.Second)

func (c *clock) begin(call abi.Call) {
	c.baseReal, c.baseMono, c.slept, c.unpaid = 0, c.mono, 0, 0
	c.real = call.Host != nil
	switch {
	case c.real:
		c.baseReal = nanos(c.in.fuel.services.Now())
	case call.Kind != abi.KindInit:
		c.baseReal = nanos(call.Time)
	}
}

// nanos is a time as WASI counts it, 0 before 1970.
func nanos(t sats.Timestamp) uint64 { return uint64(max(t, 0)) * 1000 }

const (
	clockReal = 0
	clockMono = 1
)

// read returns the time of a clock.
func (c *clock) read(id uint32) (ns uint64, ok bool) {
	if c.real {
		c.follow(c.in.fuel.services.Now())
	}
	switch id {
	case clockReal:
		return c.baseReal + (c.mono - c.baseMono), true
	case clockMono:
		return c.mono, true
	}
	return 0, false
}

// follow sets a clock that follows the real time, and has slept logically besides. It never goes back.
func (c *clock) follow(now sats.Timestamp) {
	c.mono = max(c.mono, c.baseMono+c.slept+nanos(now)-min(nanos(now), c.baseReal))
}

// advance sleeps: really where the call may wait, and without waiting elsewhere, also in a procedure's transaction.
func (c *clock) advance(ns uint64) {
	if c.in.host.Call().MayWait() {
		until := c.mono + ns
		now := c.in.fuel.services.Now()
		wake := now + sats.Timestamp(min(ns/1000, math.MaxInt64-uint64(max(now, 0))-1)) + 1
		c.follow(c.in.host.SleepUntil(wake))
		c.mono = max(c.mono, until) // a timer that is waited for must be due
		return
	}
	if c.unpaid+ns > maxSleep || ns > maxSleep {
		abi.Fault("the call sleeps for more than %v", time.Duration(maxSleep))
	}
	c.unpaid += ns
	c.slept += ns
	c.mono += ns
}

func clockResGet(in *instance, s []uint64) uint32 {
	if uint32(s[0]) > clockMono {
		return wasiInvalid
	}
	if !in.wasiPut64(s[1], 1000) {
		return wasiFault
	}
	return wasiOK
}

func clockTimeGet(in *instance, s []uint64) uint32 {
	now, ok := in.wasi.clock.read(uint32(s[0]))
	if !ok {
		return wasiInvalid
	}
	if !in.wasiPut64(s[2], now) {
		return wasiFault
	}
	return wasiOK
}

// Layout of poll_oneoff's arrays.
const (
	subscriptionSize = 48
	eventSize        = 32
	tagClock         = 0
	tagRead          = 1
	tagWrite         = 2
)

// A subscription is one thing that a guest waits for.
type subscription []byte

func (s subscription) userdata() uint64 { return binary.LittleEndian.Uint64(s) }
func (s subscription) tag() byte        { return s[8] }
func (s subscription) fd() uint32       { return binary.LittleEndian.Uint32(s[16:]) }

// wait is how long to wait for a clock subscription from now on.
func (s subscription) wait(c *clock) (ns uint64, ok bool) {
	now, ok := c.read(binary.LittleEndian.Uint32(s[16:]))
	if !ok {
		return 0, false
	}
	timeout := binary.LittleEndian.Uint64(s[24:])
	if absolute := s[40]&1 != 0; !absolute {
		return timeout, true
	}
	return timeout - min(now, timeout), true
}

// pollOneoff waits for subscriptions. Files are ready at once; sleeping sets the clock forward.
func pollOneoff(in *instance, s []uint64) uint32 {
	n := uint64(uint32(s[2]))
	if n == 0 {
		return wasiInvalid
	}
	if n*subscriptionSize > math.MaxUint32 {
		return wasiFault
	}
	subs, ok1 := in.mem.Read(uint32(s[0]), uint32(n*subscriptionSize))
	events, ok2 := in.mem.Read(uint32(s[1]), uint32(n*eventSize))
	if !ok1 || !ok2 {
		return wasiFault
	}
	in.fuel.Spend(n)
	var out []byte // events must not overwrite subscriptions that are still to be read
	for i := range n {
		if sub := subscription(subs[i*subscriptionSize:][:subscriptionSize]); sub.tag() != tagClock {
			out = appendFileEvent(out, sub)
		}
	}
	if len(out) == 0 {
		var ok bool
		if out, ok = in.wasi.clock.sleep(subs, int(n)); !ok {
			return wasiInvalid
		}
	}
	copy(events, out)
	if !in.wasiPut32(s[3], uint32(len(out)/eventSize)) {
		return wasiFault
	}
	return wasiOK
}

func appendFileEvent(out []byte, sub subscription) []byte {
	var e [eventSize]byte
	binary.LittleEndian.PutUint64(e[:], sub.userdata())
	e[10] = sub.tag()
	switch {
	case sub.tag() > tagWrite:
		binary.LittleEndian.PutUint16(e[8:], wasiInvalid)
	case sub.fd() > 2:
		binary.LittleEndian.PutUint16(e[8:], wasiBadFile)
	case sub.tag() == tagRead:
		e[24] = 1 // hang-up
	}
	return append(out, e[:]...)
}

// sleep sets the clock forward to the earliest deadline and reports all that are due.
func (c *clock) sleep(subs []byte, n int) (out []byte, ok bool) {
	earliest := uint64(math.MaxUint64)
	for i := range n {
		ns, ok := subscription(subs[i*subscriptionSize:]).wait(c)
		if !ok {
			return nil, false
		}
		earliest = min(earliest, ns)
	}
	for i := range n {
		sub := subscription(subs[i*subscriptionSize:])
		if ns, _ := sub.wait(c); ns <= earliest {
			var e [eventSize]byte
			binary.LittleEndian.PutUint64(e[:], sub.userdata())
			out = append(out, e[:]...)
		}
	}
	c.advance(earliest)
	return out, true
}
