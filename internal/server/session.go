package server

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stdbgo/spacetime/internal/server/ws"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// statusSessionBusy refuses a connection whose session is held by another one
// (spec 05 §4.1).
const statusSessionBusy = 4000

// Causes of ends (spec 06 §8) that are more than a label.
const (
	causeClientClose = "client_close"
	causeGone        = "websocket_receive_connection_closed"
	causeSocket      = "websocket_receive_io"
	causeMessage     = "client_message_error"
	causeIdle        = "idle_timeout"
)

// closeWriteTimeout bounds how long a Close frame may wait for a slow reader.
const closeWriteTimeout = 5 * time.Second

// A session is one WebSocket connection, from the 101 to the end of
// client_disconnected. Up to three goroutines serve it:
//
//	reader:  socket → frames → decode → inbox; answers pings; notices silence
//	runner:  inbox → database, a batch at a time
//	writer:  outbox → frames → socket, one write for all that waits
//
// The reader stays from begin to end; the others, and the buffers of all, are there
// while there is work: most of many connections are idle. The writer is one of the
// server's crew. kill ends a session at once,
// close with a Close frame; both from any goroutine. The reader waits for the others,
// and only then undoes the connect transaction.
type session struct {
	s         *Server
	conn      net.Conn
	frames    *ws.Reader
	protocol  wire.Protocol
	confirmed bool
	compress  wire.Compression // what the writer does to long messages
	db        Database
	who       Caller
	token     string
	client    *subscribe.Client
	in        *inbox
	decoded   []item // reader's, reused
	out       *outbox
	claim     sessionKey
	claimed   bool
	live      bool   // under the lock of sessions: its connect transaction has been made
	leave     func() // what admitted it is told of its end
	tempo     *tempo // the reader's; nil: the client may send as much as it can
	durable   uint64 // the writer's: transactions below it are known to be on disk
	tells     bool   // the connection tells the outbox when a write has to wait

	ctx    context.Context // ends with kill
	cancel context.CancelFunc

	mu struct {
		sync.Mutex
		cause    string    // why it ended: the first that was told
		pinged   time.Time // zero: no Pong is awaited
		pinger   *time.Timer
		answered bool        // the client closed first
		patience *time.Timer // runs from our Close to the client's
	}
	watch sessionMetrics
}

// sessionMetrics are the series of one session, looked up once.
type sessionMetrics struct {
	text, binary         prometheus.Counter
	textSize, binarySize prometheus.Observer
	sent, pong           prometheus.Observer
}

func (s *Server) newSession(q *request, db Database, owner sats.Identity, p wire.Protocol, o subscribeOptions, conn net.Conn, early []byte) *session {
	ss := &session{
		s: s, conn: conn, protocol: p, db: db, token: q.caller.token,
		who:       q.who(o.conn, owner),
		confirmed: p.Version() > 1,
		compress:  s.compression(p, o.compression),
		claim:     sessionKey{q.database, q.caller.identity, o.session},
		claimed:   o.hasSession,
	}
	if o.confirmed != nil {
		ss.confirmed = *o.confirmed
	}
	ss.who.Confirmed = ss.confirmed
	ss.frames = ws.NewReader(startingWith(early, &idleReader{conn, s.ws.IdleTimeout}), wire.MaxClientMessage)
	ss.in = newInbox(s.ws.IncomingQueue, ss.serveRequests)
	ss.out = newOutbox(s.outgoing, s.ws.OutgoingQueue, s.ws.OutgoingBytes, ss.write, ss.overflow)
	ss.tells = tellWaits(conn, ss.out.mayWait)
	ss.client = &subscribe.Client{Identity: q.caller.identity, Connection: o.conn, Protocol: p, Light: o.light, Out: ss}
	ss.ctx, ss.cancel = context.WithCancel(context.Background())
	id, m := q.database.String(), s.metrics
	ss.watch = sessionMetrics{
		text: m.requests.WithLabelValues(id, "text"), binary: m.requests.WithLabelValues(id, "binary"),
		textSize: m.requestSize.WithLabelValues(id, "text"), binarySize: m.requestSize.WithLabelValues(id, "binary"),
		sent: m.sentSize.WithLabelValues(id), pong: m.pongTime.WithLabelValues(id),
	}
	return ss
}

// compression is what a connection gets that allows c. The official TypeScript SDK
// decompresses messages side by side and applies them in the order in which that
// ends (spec 05 §16.3). It is the client that asks for gzip, and the only one that
// asks for brotli on v3.
func (s *Server) compression(p wire.Protocol, c wire.Compression) wire.Compression {
	if !s.ws.Gzip && (c == wire.CompressGzip || p == wire.V3) {
		return wire.CompressNone
	}
	return c
}

func (ss *session) overflow() {
	ss.s.metrics.overflows.WithLabelValues(ss.claim.database.String()).Inc()
	ss.kill("outgoing_queue_full")
}

// Send queues a message for the client. It never blocks.
func (ss *session) Send(m subscribe.Message) {
	if m.Close != "" {
		ss.close(ws.StatusTooBig, m.Close, "answer_too_large", false)
		return
	}
	ss.out.Send(m)
}

// exited closes the connection because its module is gone, or an update is not
// for the clients that are there. It never blocks.
func (ss *session) exited() {
	ss.close(ws.StatusGoingAway, "module exited", "module_exited", true)
}

// close makes a Close frame due; with drop nothing that waits goes before it.
func (ss *session) close(code int, reason, cause string, drop bool) {
	ss.end(cause)
	_ = ss.conn.SetWriteDeadline(time.Now().Add(closeWriteTimeout))
	ss.out.sendClose(ws.AppendClose(nil, code, reason), drop)
}

// kill ends the session without a Close frame. It never blocks.
func (ss *session) kill(cause string) {
	ss.end(cause)
	ss.cancel()
	_ = ss.conn.Close()
}

// end notes why the session ends.
func (ss *session) end(cause string) {
	ss.mu.Lock()
	if ss.mu.cause == "" {
		ss.mu.cause = cause
	}
	ss.mu.Unlock()
}

// begin takes the session in, up to the first message. When it reports false nothing
// of the session is left. Then serve is to be called.
func (ss *session) begin() (ok bool) {
	if !ss.s.sessions.add(ss) {
		ss.kill("server_shutdown")
		return false
	}
	defer func() {
		if !ok {
			ss.s.sessions.free(ss) // before the client can know
			ss.kill("unknown")
			ss.s.sessions.remove(ss)
		}
	}()
	if ss.claimed && !ss.s.sessions.claim(ss) {
		ss.refuse()
		return false
	}
	if err := ss.db.Attach(context.Background(), ss.client, ss.who, ss.exited); err != nil {
		ss.rejected(err)
		return false
	}
	m, id := ss.s.metrics, ss.claim.database.String()
	m.connected.WithLabelValues(id).Inc()
	m.spawned.WithLabelValues(id).Inc()
	ss.out.Send(subscribe.Message{Body: ss.firstMessage()})
	ss.who.JWT, ss.token = nil, "" // they have done their work
	ss.startPings()
	ss.s.sessions.attached(ss)
	return true
}

// serve serves the session to its end.
func (ss *session) serve() {
	ss.read()
	ss.in.finish()
	ss.out.finish()
	ss.stopTimers()
	ss.kill("unknown")
	ss.out.release()
	ss.frames.Close()

	id := ss.claim.database.String()
	if err := ss.db.Detach(context.Background(), ss.client, ss.who); err != nil {
		ss.s.log.Error("disconnect failed", "database", id, "identity", ss.who.Identity, "error", err)
	}
	ss.s.metrics.connected.WithLabelValues(id).Dec()
	ss.countEnd(id)
	ss.leave()
	ss.s.sessions.remove(ss)
}

func (ss *session) countEnd(id string) {
	m := ss.s.metrics
	ss.mu.Lock()
	cause := ss.mu.cause
	ss.mu.Unlock()
	m.disconnections.WithLabelValues(id, cause).Inc()
	switch cause {
	case causeIdle:
		m.idle.WithLabelValues(id).Inc()
		m.aborted.WithLabelValues(id).Inc()
	case causeClientClose:
		m.closed.WithLabelValues(id).Inc()
	default:
		m.aborted.WithLabelValues(id).Inc()
	}
}

// rejected drops a connection that client_connected refused: no message, no
// Close frame (spec 05 §4).
func (ss *session) rejected(err error) {
	cause := "client_connected_error"
	var r *RejectedError
	if errors.As(err, &r) {
		cause = "client_connected_rejected"
		if r.OutOfEnergy {
			cause = "out_of_energy"
		}
	}
	ss.s.reject(ss.claim.database, cause)
	ss.s.log.Warn("connection rejected", "database", ss.claim.database, "identity", ss.who.Identity, "error", err)
}

// refuse tells a newcomer that its session is taken.
func (ss *session) refuse() {
	ss.s.reject(ss.claim.database, "actor_startup_failure")
	_ = ss.conn.SetDeadline(time.Now().Add(ss.s.ws.CloseTimeout))
	_, _ = ss.conn.Write(ws.AppendClose(nil, statusSessionBusy, "session is in use"))
	for {
		if op, _, err := ss.frames.Next(); err != nil || op == ws.Close {
			return
		}
	}
}

// firstMessage names identity, connection and token (spec 05 §4).
func (ss *session) firstMessage() []byte {
	if ss.protocol.Version() > 1 {
		m := &v2.InitialConnection{Identity: ss.who.Identity, ConnectionID: ss.who.Conn, Token: ss.token}
		return m.Append(nil)
	}
	m := &v1.IdentityToken{Identity: ss.who.Identity, Token: ss.token, ConnectionID: ss.who.Conn}
	if ss.protocol == wire.V1Binary {
		return m.Append(nil)
	}
	text, err := v1.JSON(nil, m)
	if err != nil {
		panic(err) // it has a form of its own
	}
	return text
}

// startPings sends the first Ping and looks at every interval whether it was
// answered.
func (ss *session) startPings() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.mu.pinger = time.AfterFunc(ss.s.ws.PingInterval, ss.ping)
	ss.mu.pinged = time.Now()
	ss.out.sendPing()
}

func (ss *session) ping() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.ctx.Err() != nil {
		return
	}
	if ss.mu.pinged.IsZero() {
		ss.mu.pinged = time.Now()
		ss.out.sendPing()
	}
	ss.mu.pinger.Reset(ss.s.ws.PingInterval)
}

func (ss *session) ponged() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if !ss.mu.pinged.IsZero() {
		ss.watch.pong.Observe(time.Since(ss.mu.pinged).Seconds())
		ss.mu.pinged = time.Time{}
	}
}

func (ss *session) stopTimers() {
	ss.cancel() // no ping is armed again
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.mu.pinger.Stop()
	if ss.mu.patience != nil {
		ss.mu.patience.Stop()
	}
}

// read reads frames until the connection is over.
func (ss *session) read() {
	defer func() {
		if v := recover(); v != nil { // a fault of ours that a message has found
			ss.s.log.Error("internal error in a connection", "database", ss.claim.database, "error", v, "stack", string(debug.Stack()))
			ss.kill("panic")
		}
	}()
	for {
		op, payload, err := ss.frames.Next()
		if err != nil {
			ss.readFailed(err)
			return
		}
		switch op {
		case ws.Ping:
			ss.out.sendPong(payload)
			ss.spend(1)
		case ws.Pong:
			ss.ponged()
		case ws.Close:
			ss.clientClose(payload)
			return
		default:
			if !ss.out.closing() {
				ss.receive(op, payload)
			}
		}
	}
}

// spend counts messages of the client, and holds it up if they are too many.
func (ss *session) spend(n int) {
	if ss.tempo == nil {
		return
	}
	wait, ok := ss.tempo.spend(n, ss.s.holdAtMost)
	switch {
	case !ok:
		ss.close(ws.StatusPolicy, "too many messages for too long: see [limits] messages-per-connection of the server", "message_rate", true)
	case wait > 0:
		ss.s.metrics.held.Inc()
		hold(ss.ctx, wait)
	}
}

// readFailed ends the session because of an error of the socket or the protocol:
// no Close frame (spec 05 §15).
func (ss *session) readFailed(err error) {
	var p *ws.ProtocolError
	switch {
	case errors.As(err, &p) && p.Code == ws.StatusTooBig:
		ss.kill("websocket_receive_capacity")
	case errors.As(err, &p) && p.Code == ws.StatusInvalidData:
		ss.kill("websocket_receive_utf8")
	case errors.As(err, &p):
		ss.kill("websocket_receive_protocol")
	case errors.Is(err, os.ErrDeadlineExceeded):
		ss.kill(causeIdle)
	case errors.Is(err, io.EOF):
		ss.kill(causeGone)
	default:
		ss.kill(causeSocket)
	}
}

// clientClose answers the client's Close, or ends the wait for it.
func (ss *session) clientClose(payload []byte) {
	if ss.out.closing() {
		ss.kill(causeClientClose)
		return
	}
	code, reason, err := ws.ParseClose(payload)
	if err != nil {
		ss.readFailed(err)
		return
	}
	if code != ws.StatusNoCode && !ws.ValidCode(code) {
		code, reason = ws.StatusProtocolError, "Protocol violation"
	}
	ss.mu.Lock()
	ss.mu.answered = true
	ss.mu.Unlock()
	ss.close(code, reason, causeClientClose, true)
}
