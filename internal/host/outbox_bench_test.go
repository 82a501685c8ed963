package host

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/sats"
)

// directly carries calls without a network.
type directly map[sats.Identity]*Database

func (d directly) Deliver(ctx context.Context, c *OutboxCall) (OutboxAnswer, error) {
	return d[c.Target].Receive(ctx, c, sats.ConnectionID{1})
}

// BenchmarkOutbox measures what a letter costs from its insert until its row is gone,
// with the result reducer: five transactions. "memory" has neither disk nor network and
// bounds what the bookkeeping takes; "disk" waits for the disk of the machine twice per
// letter, so one stream goes as fast as the disk syncs, and several share the syncs.
// The engine is the tests' own.
func BenchmarkOutbox(b *testing.B) {
	for _, disk := range []bool{false, true} {
		for _, streams := range []int{1, 32} {
			where := "memory"
			if disk {
				where = "disk"
			}
			b.Run(fmt.Sprintf("%s/streams=%d", where, streams), func(b *testing.B) { benchOutbox(b, disk, streams) })
		}
	}
}

func benchOutbox(b *testing.B, disk bool, streams int) {
	engine, post, route := &fakeEngine{}, post("post"), directly{}
	program := engine.register(post)
	o := Options{
		InMemory: !disk, Engines: map[ProgramKind]abi.Engine{Wasm: engine}, Courier: route, Rand: rand.NewChaCha8([32]byte{}),
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if disk {
		o.Dir, o.FS = b.TempDir(), vfs.OS{}
	}
	h, err := New(o)
	if err != nil {
		b.Fatal(err)
	}
	defer h.Close()
	left, err := h.Create(background, DatabaseInfo{Replica: 1, Identity: leftID, Owner: ownerID}, program)
	if err != nil {
		b.Fatal(err)
	}
	right, err := h.Create(background, DatabaseInfo{Replica: 2, Identity: rightID, Owner: ownerID}, program)
	if err != nil {
		b.Fatal(err)
	}
	// One database answers to many names, each of which is a stream.
	var targets []sats.Identity
	for i := range streams {
		targets = append(targets, sats.Identity{0xb2, byte(i)})
		route[targets[i]] = right
	}
	b.ResetTimer()
	for n := range b.N {
		args := slices.Concat(u64(0), targets[n%streams].AppendBSATN(nil), str("letter"))
		if res, err := left.CallReducer(background, &CallRequest{Caller: alice, Name: "send_letter", Args: args}); err != nil || res.Status != Committed {
			b.Fatal(res, err)
		}
	}
	left.outboxes.settle()
}
