package wasm

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
)

// A clock stands still but for sleeps, so that the same call reads the same times again (spec 03 §17.4). All in nanoseconds.
type clock struct {
	mono     uint64 // monotonic, never zero
	baseReal uint64 // wall clock at the start of the call
	baseMono uint64 // mono at the start of the call
}

// maxSleep bounds what one call may sleep logically: it replaces an endless loop of sleeps, which burns little fuel.
const maxSleep = uint64(60 * time.Second)

func (c *clock) begin(call abi.Call) {
	c.baseReal, c.baseMono = 0, c.mono
	if call.Kind != abi.KindInit && call.Time > 0 {
		c.baseReal = uint64(call.Time) * 1000
	}
}

const (
	clockReal = 0
	clockMono = 1
)

// read returns the time of a clock.
func (c *clock) read(id uint32) (ns uint64, ok bool) {
	switch id {
	case clockReal:
		return c.baseReal + (c.mono - c.baseMono), true
	case clockMono:
		return c.mono, true
	}
	return 0, false
}

// advance sleeps without waiting.
func (c *clock) advance(ns uint64) {
	if c.mono-c.baseMono+ns > maxSleep || ns > maxSleep {
		abi.Fault("the call sleeps for more than %v", time.Duration(maxSleep))
	}
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
