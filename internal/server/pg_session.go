package server

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/stdbgo/spacetime/internal/auth"
	"github.com/stdbgo/spacetime/internal/control"
	"github.com/stdbgo/spacetime/internal/pgwire"
)

// A pgSession is one PostgreSQL client, with an identity of its own. Two goroutines
// serve it once it has logged in:
//
//	reader: socket → messages → a short queue; notices that the client has left
//	run:    queue → database → answers → socket
type pgSession struct {
	s       *Server
	conn    net.Conn   // below TLS
	peer    net.Conn   // to talk to the client
	from    netip.Addr // of the client
	in      *pgwire.Reader
	out     []byte // answers that wait for the end of their statement
	refusal string // why the client may not come in; empty: it may
	release func() // gives back what was counted for the session

	database    string // as the client named it
	user        string
	application string
	named       bool // an application
	caller      caller

	messages chan pgwire.Message
	gone     chan struct{} // closed when no more messages come
	left     error         // why, once gone is closed
	quit     chan struct{} // closed when none are wanted

	prepared map[string]*pgPrepared
	portals  map[string]*pgPortal
	texts    int  // bytes of prepared statements
	bound    int  // bytes of parameters
	skipping bool // after a failure, up to the next Sync
}

const (
	pgQueue = 4        // messages that wait for the one that runs
	pgFlush = 64 << 10 // bytes of answers that are sent before a statement ends
	// pgLinger is how long a client may take to close after it has said goodbye.
	pgLinger = time.Second
)

func newPGSession(s *Server, conn net.Conn) *pgSession {
	ss := &pgSession{
		s: s, conn: conn, peer: conn, in: pgwire.NewReader(conn), release: func() {},
		messages: make(chan pgwire.Message, pgQueue), gone: make(chan struct{}), quit: make(chan struct{}),
		prepared: map[string]*pgPrepared{}, portals: map[string]*pgPortal{},
	}
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		ss.from = plainAddr(a.AddrPort().Addr())
	}
	return ss
}

// run serves the client to the end.
func (ss *pgSession) run() {
	defer func() {
		if p := recover(); p != nil {
			ss.s.log.Error("PostgreSQL session panicked", "panic", p, "stack", string(debug.Stack()))
		}
		_ = ss.peer.Close()
		_ = ss.conn.Close()
		ss.release()
	}()
	limit := ss.s.pgConfig.StartupTimeout
	if ss.refusal != "" {
		limit = pgTurnTimeout
	}
	ctx, cancel := context.WithTimeout(ss.s.streams, limit)
	defer cancel()
	_ = ss.conn.SetDeadline(time.Now().Add(limit))
	stop := context.AfterFunc(ss.s.streams, func() { _ = ss.conn.SetReadDeadline(time.Unix(1, 0)) })
	err := ss.login(ctx)
	stop()
	if err != nil {
		ss.end(err)
		return
	}
	_ = ss.conn.SetDeadline(time.Time{})
	go ss.read()
	defer func() { // the reader must not outlive the session
		close(ss.quit)
		_ = ss.conn.Close()
		<-ss.gone
	}()
	ss.end(ss.serve())
}

// errQuiet ends a connection without a word.
var errQuiet = errors.New("the connection ends")

// end tells the client why the connection ends.
func (ss *pgSession) end(err error) {
	var fatal *pgwire.Error
	if !errors.As(err, &fatal) {
		return
	}
	ss.out = pgwire.AppendError(ss.out, fatal)
	_ = ss.flush()
}

// flush sends what waits. Every piece has to be taken in time.
func (ss *pgSession) flush() error {
	for b := ss.out; len(b) > 0; {
		step := b[:min(len(b), ss.s.pace.writeStep)]
		_ = ss.conn.SetWriteDeadline(time.Now().Add(ss.s.pace.write))
		n, err := ss.peer.Write(step)
		if err != nil {
			return errQuiet
		}
		b = b[n:]
	}
	if cap(ss.out) > 4*pgFlush {
		ss.out = nil // one large row must not be kept for good
	}
	ss.out = ss.out[:0]
	return nil
}

// login goes through start-up (spec 06 §7.1).
func (ss *pgSession) login(ctx context.Context) error {
	start, err := ss.startup(ctx)
	if err != nil {
		return err
	}
	if ss.refusal != "" {
		return pgFatal(pgTooMany, "%s", ss.refusal)
	}
	if ss.s.pgConfig.TLS != nil && ss.peer == ss.conn {
		return pgFatal(pgNoTLS, "connections without TLS are not served: use sslmode=require, or a higher one")
	}
	var ok bool
	if ss.database, ok = start.Param("database"); !ok {
		return pgFatal(pgNoDatabase, "Database name is required")
	}
	ss.user, _ = start.Param("user")
	ss.application, ss.named = start.Param("application_name")
	token, err := ss.password()
	if err != nil {
		return err
	}
	if _, err := ss.record(); err != nil {
		return err
	}
	claims, err := ss.s.auth.Validate(ctx, token)
	var refused *auth.Error
	switch {
	case errors.As(err, &refused):
		return pgFatal(pgBadPassword, "%s", refused.Text)
	case err != nil:
		return pgFatal(pgBadPassword, "%v", err)
	}
	ss.caller = caller{identity: claims.Identity, token: token, claims: claims}
	done, err := ss.s.admission.session(ss.from, claims.Identity, false)
	if err != nil {
		return pgFatal(pgTooMany, "%s", refusalText(err))
	}
	ss.release = done
	ss.welcome()
	return ss.flush()
}

// startup reads the first packets, up to the one that names the database.
func (ss *pgSession) startup(ctx context.Context) (*pgwire.Startup, error) {
	for range 4 { // no client asks for encryption more than twice
		start, err := ss.in.Startup()
		switch {
		case err != nil || start.Code == pgwire.CodeCancel: // no statement can be named: all have the key 0
			return nil, errQuiet
		case start.Code == pgwire.CodeSSL && ss.s.pgConfig.TLS != nil && ss.peer == ss.conn:
			if err := ss.secure(ctx); err != nil {
				return nil, errQuiet
			}
			continue
		case start.Code == pgwire.CodeSSL, start.Code == pgwire.CodeGSS:
			if _, err := ss.peer.Write([]byte{'N'}); err != nil {
				return nil, errQuiet
			}
			continue
		case start.Major() < 3:
			return nil, errQuiet // its errors have another form
		case start.Major() > 3:
			return nil, pgFatal(pgProtocol, "unsupported frontend protocol %d.%d: server supports 3.0 to 3.2", start.Major(), start.Minor())
		}
		ss.negotiate(&start)
		return &start, nil
	}
	return nil, errQuiet
}

// secure goes on by TLS. What a client sends before the handshake counts for nothing.
func (ss *pgSession) secure(ctx context.Context) error {
	if ss.in.Buffered() > 0 {
		return errQuiet
	}
	if _, err := ss.conn.Write([]byte{'S'}); err != nil {
		return err
	}
	c := tls.Server(ss.conn, ss.s.pgConfig.TLS)
	if err := c.HandshakeContext(ctx); err != nil {
		return err
	}
	ss.peer, ss.in = c, pgwire.NewReader(c)
	return nil
}

// refusalText is the text of an answer to one who has to wait.
func refusalText(err error) string {
	var e *httpError
	if errors.As(err, &e) {
		return e.body
	}
	return err.Error()
}

// negotiate tells a newer client what is not known here.
func (ss *pgSession) negotiate(start *pgwire.Startup) {
	var unknown []string
	for _, p := range start.Params {
		if len(p.Name) > 5 && p.Name[:5] == "_pq_." {
			unknown = append(unknown, p.Name)
		}
	}
	if start.Code > pgwire.Latest || unknown != nil {
		ss.out = pgwire.AppendNegotiate(ss.out, unknown)
	}
}

// password asks for the token.
func (ss *pgSession) password() (string, error) {
	ss.out = pgwire.AppendAuth(ss.out, pgwire.AuthPassword)
	if err := ss.flush(); err != nil {
		return "", err
	}
	m, err := ss.in.Message(pgwire.MaxStartup)
	var size *pgwire.SizeError
	switch {
	case errors.As(err, &size):
		return "", pgFatal(pgProtocol, "password: %v", size)
	case err != nil:
		return "", errQuiet
	case m.Type != pgwire.TypePassword:
		return "", pgFatal(pgProtocol, "expected the password, got a message of type %q", m.Type)
	}
	token, err := pgwire.DecodeText(m.Body)
	if err != nil {
		return "", pgFatal(pgProtocol, "password: %v", err)
	}
	return token, nil
}

// welcome completes the login.
func (ss *pgSession) welcome() {
	b := pgwire.AppendAuth(ss.out, pgwire.AuthOK)
	for _, p := range [...][2]string{
		{"server_version", "spacetime " + ss.s.version},
		{"server_encoding", "UTF8"}, {"client_encoding", "UTF8"},
		{"integer_datetimes", "on"}, {"in_hot_standby", "off"}, {"search_path", "public"}, {"is_superuser", "on"},
		{"default_transaction_read_only", "off"}, {"TimeZone", "Etc/UTC"}, {"DateStyle", "ISO, YMD"},
		{"IntervalStyle", "postgres"}, {"standard_conforming_strings", "on"}, {"session_authorization", ss.user},
	} {
		b = pgwire.AppendParameter(b, p[0], p[1])
	}
	if ss.named {
		b = pgwire.AppendParameter(b, "application_name", ss.application)
	}
	ss.out = pgwire.AppendReady(pgwire.AppendKey(b, 0, 0))
}

// record is the record of the database, which may have gone since.
func (ss *pgSession) record() (control.Database, error) {
	missing := pgFatal(pgNoDatabase, "database %q does not exist", ss.database)
	t, err := ss.s.target(ss.database)
	var bad *httpError
	switch {
	case errors.As(err, &bad) && bad.status < 500:
		return control.Database{}, missing // no name at all
	case err != nil:
		return control.Database{}, pgFatal(pgInternal, "%v", err)
	case !t.known:
		return control.Database{}, missing
	}
	rec, err := ss.s.control.Database(t.identity)
	switch {
	case errors.Is(err, control.ErrNoDatabase):
		return rec, missing
	case err != nil:
		return rec, pgFatal(pgInternal, "%v", controlError(err))
	}
	return rec, nil
}

// read reads messages until the connection ends.
func (ss *pgSession) read() {
	defer close(ss.gone)
	defer close(ss.messages)
	for {
		m, err := ss.in.Message(pgwire.MaxMessage)
		if err != nil {
			ss.left = err
			return
		}
		select {
		case ss.messages <- m:
		case <-ss.quit:
			return
		}
	}
}

// serve answers messages until the connection is to end.
func (ss *pgSession) serve() error {
	for {
		select {
		case <-ss.s.streams.Done():
			return pgFatal(pgShuttingDown, "terminating connection due to administrator command")
		case m, ok := <-ss.messages:
			if !ok {
				return ss.departed()
			}
			if err := ss.message(m); err != nil {
				return err
			}
		}
	}
}

// departed says why no more messages come.
func (ss *pgSession) departed() error {
	<-ss.gone
	var size *pgwire.SizeError
	if errors.As(ss.left, &size) {
		return pgFatal(pgTooMuch, "%v", size)
	}
	return errQuiet
}

// message carries out one message. An error ends the connection.
func (ss *pgSession) message(m pgwire.Message) error {
	switch m.Type {
	case pgwire.TypeTerminate:
		// The client closes; whoever does that first is left with the connection's state.
		_ = ss.conn.SetReadDeadline(time.Now().Add(pgLinger))
		<-ss.gone
		return errQuiet
	case pgwire.TypeCopyData, pgwire.TypeCopyDone, pgwire.TypeCopyFail:
		return nil // of a COPY that there is not
	case pgwire.TypeSync:
		ss.skipping = false
		clear(ss.portals)
		ss.bound = 0
		ss.out = pgwire.AppendReady(ss.out)
		return ss.flush()
	case pgwire.TypeFlush:
		return ss.flush()
	}
	step := map[byte]func([]byte) error{
		pgwire.TypeQuery: ss.query, pgwire.TypeParse: ss.parse, pgwire.TypeBind: ss.bind, pgwire.TypeDescribe: ss.describe,
		pgwire.TypeExecute: ss.execute, pgwire.TypeClose: ss.closeTarget,
	}[m.Type]
	if step == nil {
		return errQuiet
	}
	if ss.skipping {
		return nil
	}
	var err error
	if m.Type == pgwire.TypeQuery || m.Type == pgwire.TypeExecute {
		if wait := ss.s.admission.identity(ss.from, ss.caller.identity, ss.s.now()); wait != nil {
			err = pgError(pgTooOften, "%s", refusalText(wait))
		}
	}
	if err == nil {
		err = step(m.Body)
	}
	var failed *pgwire.Error
	switch {
	case errors.Is(err, pgwire.ErrMalformed):
		return pgFatal(pgProtocol, "malformed message of type %q", m.Type)
	case errors.As(err, &failed) && failed.Severity == "ERROR":
		ss.out = pgwire.AppendError(ss.out, failed)
		if m.Type != pgwire.TypeQuery {
			ss.skipping = true
			return nil
		}
	case err != nil:
		return err
	}
	if m.Type == pgwire.TypeQuery {
		ss.out = pgwire.AppendReady(ss.out)
		return ss.flush()
	}
	if len(ss.out) > pgFlush {
		return ss.flush()
	}
	return nil
}
