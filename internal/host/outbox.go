package host

import (
	"context"
	"sync"
	"time"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
)

// A Courier carries calls to other databases. It must be safe for concurrent use.
type Courier interface {
	// Deliver makes a call and returns the answer. An error means that there is none:
	// the call may have run nevertheless, and is made again. ctx ends the attempt.
	Deliver(ctx context.Context, c *OutboxCall) (OutboxAnswer, error)
}

// The rules of spec 08 §38.2.
const (
	maxInFlight     = 64 // messages of one database under way
	deliveryTimeout = 5 * time.Second
	firstRetry      = 100 * time.Millisecond
	lastRetry       = 30 * time.Second
)

// maxInFlightBytes bounds the arguments of messages under way together. A larger
// message goes alone.
const maxInFlightBytes = 64 << 20

// outboxes deliver the rows of a database's outbox tables. Which messages there are
// say the committed rows of st_outbound_stream, as timers follow those of schedule
// tables: a transaction that is rolled back sends nothing.
//
// Each stream with messages is in one state: ready, under way on a goroutine of its
// own, waiting for another attempt, or stuck. At most maxInFlight are under way. A
// pause cuts what is under way, and restart begins anew from the rows: every step of
// a delivery may be repeated.
type outboxes struct {
	db *Database

	mu struct {
		sync.Mutex
		streams map[uint64]*outStream // those with messages
		ready   queue[*outStream]
		flying  int             // goroutines
		bytes   int             // of arguments under way
		cut     context.Context // of what is under way; nil: paused
		cancel  context.CancelFunc
		ended   bool       // no restart any more
		changed *sync.Cond // flying or bytes became less, or a pause has begun
	}
	counts outboxCounts
}

// An outStream is a stream with messages.
type outStream struct {
	id     uint64
	outbox schema.TableID
	state  streamState
	last   uint64        // the number of its newest message
	wait   time.Duration // before the next attempt, after one has failed
	alarm  Timer         // of streamWaiting
	news   bool          // its outbox got rows since the step under way began
}

type streamState uint8

const (
	streamReady streamState = iota
	streamFlying
	streamWaiting
	streamStuck // no attempt before the outbox gets new rows
)

func newOutboxes(db *Database) *outboxes {
	o := &outboxes{db: db}
	o.mu.streams = map[uint64]*outStream{}
	o.mu.changed = sync.NewCond(&o.mu.Mutex)
	return o
}

// restart begins the delivery of what r has, after a pause or at the start. It
// belongs to the writer.
func (o *outboxes) restart(r store.Reader) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.ended || o.db.host.opts.Courier == nil {
		return
	}
	o.mu.cut, o.mu.cancel = context.WithCancel(o.db.calls)
	for row := range r.Scan(schema.StOutboundStream) {
		o.noteLocked(row)
	}
	o.startLocked()
}

// pause ends what is under way and begins nothing until restart. It returns when no
// goroutine is left, and must not be called with the right to write.
func (o *outboxes) pause() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.cut != nil {
		o.mu.cancel()
		o.mu.cut, o.mu.cancel = nil, nil
	}
	o.mu.changed.Broadcast()
	for o.mu.flying > 0 {
		o.mu.changed.Wait()
	}
	for _, s := range o.mu.streams {
		if s.alarm != nil {
			s.alarm.Stop()
		}
	}
	clear(o.mu.streams)
	o.mu.ready = queue[*outStream]{}
}

// settle returns when nothing is under way.
func (o *outboxes) settle() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.mu.flying > 0 {
		o.mu.changed.Wait()
	}
}

// stop is a pause for good.
func (o *outboxes) stop() {
	o.mu.Lock()
	o.mu.ended = true
	o.mu.Unlock()
	o.pause()
}

// observe follows what a transaction did to outboxes. It belongs to the writer.
func (o *outboxes) observe(d *store.Delta) {
	for i := range d.Tables {
		td := &d.Tables[i]
		if td.Table.ID != schema.StOutboundStream && td.Table.Outbox == nil || td.Inserts.Len() == 0 {
			continue
		}
		o.mu.Lock()
		if td.Table.Outbox != nil {
			o.unstickLocked(td.Table.ID)
		} else if o.mu.cut != nil {
			for j := range td.Inserts.Len() {
				o.noteLocked(td.Inserts.At(j))
			}
		}
		o.startLocked()
		o.mu.Unlock()
	}
}

// unstickLocked lets streams go on whose next row was not there: it may be now. One
// under way may have looked already.
func (o *outboxes) unstickLocked(outbox schema.TableID) {
	for _, s := range o.mu.streams {
		if s.outbox != outbox {
			continue
		}
		s.news = true
		if s.state == streamStuck {
			o.readyLocked(s)
		}
	}
}

// noteLocked learns of a row of st_outbound_stream.
func (o *outboxes) noteLocked(row []byte) {
	var r schema.StOutboundStreamRow
	if err := r.Decode(row); err != nil || r.NextSeq-1 <= r.AckedTo {
		return
	}
	s := o.mu.streams[r.ID]
	if s == nil {
		s = &outStream{id: r.ID, outbox: r.OutboxTableID}
		o.mu.streams[r.ID] = s
		o.readyLocked(s)
	}
	s.last = r.NextSeq - 1
}

func (o *outboxes) readyLocked(s *outStream) {
	s.state = streamReady
	o.mu.ready.push(s)
}

// startLocked sets ready streams going.
func (o *outboxes) startLocked() {
	for o.mu.cut != nil && o.mu.flying < maxInFlight {
		s, ok := o.mu.ready.pop()
		if !ok {
			return
		}
		s.state, s.news = streamFlying, false
		o.mu.flying++
		go o.fly(o.mu.cut, s)
	}
}

// An outStep says how a stream goes on.
type outStep uint8

const (
	stepNext  outStep = iota // the next message, if there is one
	stepRetry                // the same message, later
	stepStuck                // nothing, until its row is there
	stepEnd                  // the stream was paused, or the database stops
	stepRenew                // the receiver has forgotten the stream, which has to begin anew
)

// fly delivers one message of a stream after another, as long as no other stream
// waits for its turn.
func (o *outboxes) fly(ctx context.Context, s *outStream) {
	for {
		done, next := o.deliver(ctx, s)
		o.mu.Lock()
		if o.landLocked(ctx, s, done, next) {
			o.mu.Unlock()
			return
		}
		o.mu.Unlock()
	}
}

// landLocked decides what becomes of a stream after a step. It reports whether the
// goroutine ends; else the next message of the stream is to be delivered.
func (o *outboxes) landLocked(ctx context.Context, s *outStream, done uint64, next outStep) bool {
	switch {
	case ctx.Err() != nil || next == stepEnd:
	case next == stepRetry:
		s.wait = min(max(2*s.wait, firstRetry), lastRetry)
		s.state = streamWaiting
		s.alarm = o.db.host.opts.Clock.AfterFunc(s.wait, func() { o.again(s) })
	case next == stepStuck && s.news:
		o.readyLocked(s)
	case next == stepStuck:
		s.state = streamStuck
	case done >= s.last:
		delete(o.mu.streams, s.id)
	default:
		s.wait = 0
		if o.mu.ready.len() == 0 {
			s.news = false
			return false
		}
		o.readyLocked(s)
	}
	o.mu.flying--
	o.mu.changed.Broadcast()
	o.startLocked()
	return true
}

// again ends the wait of a stream, unless a pause has done so.
func (o *outboxes) again(s *outStream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.streams[s.id] == s && s.state == streamWaiting {
		s.alarm = nil
		o.readyLocked(s)
		o.startLocked()
	}
}

// load waits until there is room for n more bytes under way, and takes it; false
// means that a pause came first.
func (o *outboxes) load(ctx context.Context, n int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for ctx.Err() == nil && o.mu.bytes > 0 && o.mu.bytes+n > maxInFlightBytes {
		o.mu.changed.Wait()
	}
	if ctx.Err() != nil {
		return false
	}
	o.mu.bytes += n
	return true
}

func (o *outboxes) unload(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.bytes -= n
	o.mu.changed.Broadcast()
}
