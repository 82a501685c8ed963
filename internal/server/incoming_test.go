package server

import (
	"encoding/binary"
	"strings"
	"testing"

	v2 "github.com/stdbgo/spacetime/internal/wire/v2"

	"github.com/stdbgo/spacetime/internal/server/ws"
	"github.com/stdbgo/spacetime/internal/wire"
)

func TestHoldings(t *testing.T) {
	all := &incoming{max: 10 << 20}
	one, two := holding{of: all}, holding{of: all}
	if !one.grow(30 << 20) {
		t.Error("who is alone has no room")
	}
	if two.grow(2<<20) || !two.grow(1<<20) || two.grow(1) {
		t.Error("who is not alone has room for more than a little, or for nothing")
	}
	if one.grow(1) {
		t.Error("who has much gets more")
	}
	if all.held.Load() != 31<<20 {
		t.Errorf("%d bytes are held", all.held.Load())
	}
	if !one.grow(-25<<20) || !two.grow(3<<20) {
		t.Error("what was given back is not there")
	}
	one.release()
	two.release()
	two.release()
	if all.held.Load() != 0 {
		t.Errorf("%d bytes are left", all.held.Load())
	}
	for machine, want := range map[uint64]int64{0: 4 << 30, 2 << 30: 512 << 20, 64 << 20: 256 << 20, 64 << 30: 4 << 30} {
		if got := incomingBytes(machine); got != want {
			t.Errorf("a machine with %d bytes: %d", machine, got)
		}
	}
}

// refusedMessages is how many sessions ended because there was no room.
func (r *rig) refusedMessages() int {
	return strings.Count(r.do("GET", "/metrics", "", "").body, `cause="incoming_queue_full"`)
}

// Parts of messages and bodies do not take all memory, however many send them.
func TestHalfMessagesAreBounded(t *testing.T) {
	r, _, token := wsRig(t, func(o *Options) { o.WebSocket.IncomingTotal = 3 << 20 })
	message := func(n int) []byte {
		return v2.AppendClient(nil, &wire.OneOffQuery{RequestID: 7, Query: strings.Repeat("x", n)})
	}
	long := message(4 << 20)
	frame := masked(append(ws.AppendHeader(nil, ws.Binary, true, len(long)), long...))
	slow, _ := r.rawHandshake(token, "v2.bsatn", "", "")
	if _, err := slow.Write(frame[:3<<20]); err != nil {
		t.Fatal(err)
	}
	// All of it has arrived, and it asks for no more.
	eventually(t, "the half message counts", func() bool { return r.incoming.held.Load() > 3<<20 })

	second, _ := r.rawHandshake(token, "v2.bsatn", "", "")
	_, _ = second.Write(frame) // the server may close before it has all
	eventually(t, "a second long message is refused", func() bool { return r.refusedMessages() == 1 })
	if a := r.do("PUT", "/v1/database/other", token, strings.Repeat("p", 4<<20)); a.status != 503 || a.header.Get("Retry-After") == "" || !strings.Contains(a.body, "try again later") {
		t.Errorf("a long body: %d %.100s", a.status, a.body)
	}
	small := r.dial(token, "", "v2.bsatn")
	small.first()
	small.send(ask(1, 1))
	small.wantInOrder(1, 1)
	if a := r.do("PUT", "/v1/database/other", token, "program"); a.status != 200 {
		t.Errorf("a short body: %d %s", a.status, a.body)
	}

	_ = slow.Close()
	eventually(t, "the half message counts no more", func() bool { return r.incoming.held.Load() == 0 })
	p := r.dial(token, "compression=None", "v2.bsatn")
	p.first()
	p.send(message(4 << 20))
	if ids := p.answers(1); ids[0] != 7 {
		t.Errorf("answers %v", ids)
	}
	if a := r.do("PUT", "/v1/database/another", token, strings.Repeat("p", 4<<20)); a.status != 200 {
		t.Errorf("a long body: %d %.100s", a.status, a.body)
	}
	eventually(t, "nothing is held", func() bool { return r.incoming.held.Load() == 0 })
}

// growUncounted is what of a message is not counted, and a bit.
const growUncounted = 68 << 10

// A message in fragments counts, too.
func TestFragmentsAreBounded(t *testing.T) {
	r, _, token := wsRig(t, func(o *Options) { o.WebSocket.IncomingTotal = 3 << 20 })
	var conns []*rawConn
	for range 2 {
		c, _ := r.rawHandshake(token, "v2.bsatn", "", "")
		conns = append(conns, c)
	}
	piece := masked(append(ws.AppendHeader(nil, ws.Continuation, false, 200_000), make([]byte, 200_000)...))
	first := binary.BigEndian.AppendUint32([]byte{0x02, 0x80}, 0)
	for i, c := range conns {
		if _, err := c.Write(first); err != nil {
			t.Fatal(err)
		}
		for range 12 {
			if _, err := c.Write(piece); err != nil {
				break // the server has closed
			}
		}
		if i == 0 {
			// All 2.4 MB but the first 64 KiB, which do not count.
			eventually(t, "the fragments count", func() bool { return r.incoming.held.Load() > 12*200_000-growUncounted })
		}
	}
	eventually(t, "the second one is refused", func() bool { return r.refusedMessages() == 1 })
	_ = conns[0].Close()
	eventually(t, "nothing is held", func() bool { return r.incoming.held.Load() == 0 })
}
