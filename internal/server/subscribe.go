package server

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/stdbgo/spacetime/internal/control"
	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

// subscribeOptions are the query parameters of a connection (spec 05 §2.1).
type subscribeOptions struct {
	conn        sats.ConnectionID
	hasConn     bool
	compression wire.Compression
	light       bool
	confirmed   *bool // nil: the protocol decides
	session     sats.ConnectionID
	hasSession  bool
}

func (q *request) subscribeOptions() (o subscribeOptions, err error) {
	if o.conn, o.hasConn, err = q.query.connectionID("connection_id"); err != nil {
		return o, err
	}
	kinds := []wire.Compression{wire.CompressNone, wire.CompressBrotli, wire.CompressGzip}
	i, err := q.query.variant("compression", 1, "None", "Brotli", "Gzip")
	if err != nil {
		return o, err
	}
	o.compression = kinds[i]
	if o.light, err = q.query.boolean("light", false); err != nil {
		return o, err
	}
	if _, found, err := q.query.get("confirmed"); err != nil {
		return o, err
	} else if found {
		confirmed, err := q.query.boolean("confirmed", false)
		if err != nil {
			return o, err
		}
		o.confirmed = &confirmed
	}
	o.session, o.hasSession, err = q.query.connectionID("session_id")
	return o, err
}

// subscribe makes a WebSocket session of the connection. The checks stand in the
// order of spec 05 §2.3.
func (s *Server) subscribe(q *request) error {
	t, err := q.target()
	if err != nil {
		return err
	}
	o, err := q.subscribeOptions()
	if err != nil {
		return err
	}
	key, err := q.checkUpgrade()
	if err != nil {
		return err
	}
	if o.hasConn && o.conn.IsZero() {
		return badRequest("Invalid connection ID: the all-zeros ConnectionId is reserved.")
	}
	if !t.known {
		return notFound(t.name)
	}
	rec, err := s.control.Database(t.identity)
	if errors.Is(err, control.ErrNoDatabase) {
		s.reject(sats.Identity{}, "authorization_failed") // not a series for each identity that a client makes up
		return failure(http.StatusInternalServerError, "Unable to authorize %s for SQL: database %s not found", q.caller.identity, t.identity)
	}
	if err != nil {
		return controlError(err)
	}
	protocol, ok := wire.Negotiate(q.r.Header.Values("Sec-WebSocket-Protocol"))
	if !ok {
		s.reject(rec.Identity, "invalid_protocol")
		return badRequest("no valid protocol selected")
	}
	leave, err := s.admission.session(q.counted, q.caller.identity, q.client != peerAddr(q.r))
	if err != nil {
		return err
	}
	begun := false
	defer func() {
		if !begun {
			leave()
		}
	}()
	db, err := s.open(q.r.Context(), rec)
	if err != nil {
		return err
	}
	if !o.hasConn {
		if o.conn, err = s.newConnectionID(); err != nil {
			return internal(err)
		}
	}
	conn, early, err := q.upgrade(protocol, key)
	if err != nil {
		s.reject(rec.Identity, "websocket_upgrade_error")
		return internal(err)
	}
	q.database = rec.Identity
	q.r.Body = http.NoBody // nothing is left for the HTTP library
	ss := s.newSession(q, db, rec.Owner, protocol, o, conn, early)
	if !exempt(q.counted) {
		ss.tempo = s.admission.tempo(q.caller.identity, s.now)
	}
	if begun = ss.begin(); begun {
		ss.leave = leave
		go ss.serve() // on a stack that has not grown yet
	}
	return nil
}

func (s *Server) reject(db sats.Identity, cause string) {
	s.metrics.rejections.WithLabelValues(db.String(), cause).Inc()
}

// checkUpgrade checks method and headers of the handshake and returns the key.
func (q *request) checkUpgrade() (key string, err error) {
	h := q.r.Header
	switch {
	case q.r.Method != http.MethodGet:
		return "", failure(http.StatusMethodNotAllowed, "Request method must be `GET`")
	case q.r.ProtoMajor != 1 || q.r.ProtoMinor != 1,
		!hasToken(h.Values("Connection"), "upgrade"), !hasToken(h.Values("Upgrade"), "websocket"):
		q.w.Header().Set("Connection", "upgrade")
		q.w.Header().Set("Upgrade", "websocket")
		return "", failure(http.StatusUpgradeRequired, "This service requires use of the websocket protocol")
	case h.Get("Sec-WebSocket-Version") != "13":
		return "", badRequest("`Sec-WebSocket-Version` header did not include '13'")
	}
	keys := h.Values("Sec-WebSocket-Key")
	if len(keys) == 0 {
		return "", badRequest("`Sec-WebSocket-Key` header missing")
	}
	return keys[0], nil
}

// hasToken looks for a token in comma-separated header values, in any case.
func hasToken(values []string, token string) bool {
	for _, v := range values {
		for _, t := range strings.Split(v, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// accept computes Sec-WebSocket-Accept from the text of the key as received.
func accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// upgradeTimeout bounds the writing of the 101.
const upgradeTimeout = 10 * time.Second

// upgrade takes the connection over and answers 101. early holds bytes of the
// client that were read already.
func (q *request) upgrade(p wire.Protocol, key string) (conn net.Conn, early []byte, err error) {
	conn, rw, err := http.NewResponseController(q.w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if n := rw.Reader.Buffered(); n > 0 {
		peeked, _ := rw.Peek(n)
		early = bytes.Clone(peeked)
	}
	h := q.w.Header()
	h.Set("Connection", "upgrade")
	h.Set("Upgrade", "websocket")
	h.Set("Sec-WebSocket-Accept", accept(key))
	h.Set("Sec-WebSocket-Protocol", p.String())
	var answer bytes.Buffer
	answer.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	_ = h.Write(&answer) // to memory
	answer.WriteString("\r\n")
	_ = conn.SetDeadline(time.Now().Add(upgradeTimeout)) // the wall clock is the socket's own
	if _, err := conn.Write(answer.Bytes()); err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	return conn, early, conn.SetDeadline(time.Time{})
}

// An idleReader reads from a connection and gives up after a time without a byte.
type idleReader struct {
	conn    net.Conn
	timeout time.Duration
}

func (r *idleReader) Read(b []byte) (int, error) {
	if err := r.conn.SetReadDeadline(time.Now().Add(r.timeout)); err != nil {
		return 0, err
	}
	return r.conn.Read(b)
}

// startingWith reads early before r.
func startingWith(early []byte, r io.Reader) io.Reader {
	if len(early) > 0 {
		r = io.MultiReader(bytes.NewReader(early), r)
	}
	return r
}
