package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/stdbgo/spacetime/internal/pgwire"
)

// A PostgresConfig bounds the PostgreSQL front end (spec 06 §7); zero fields mean
// their defaults.
type PostgresConfig struct {
	// MaxConnections is how many clients there may be at a time; default 1,000.
	MaxConnections int
	// StartupTimeout bounds the time from a connection to the end of its login;
	// default one minute.
	StartupTimeout time.Duration
	// TLS, if it is not nil, is how clients have to connect.
	TLS *tls.Config
}

func (c PostgresConfig) withDefaults() PostgresConfig {
	if c.MaxConnections == 0 {
		c.MaxConnections = 1000
	}
	if c.StartupTimeout == 0 {
		c.StartupTimeout = time.Minute
	}
	return c
}

// Clients beyond the limit are told so, as long as these are few.
const (
	pgTurnedAway  = 100
	pgTurnTimeout = 5 * time.Second
)

// pgSessions is the set of all PostgreSQL sessions of a server.
type pgSessions struct {
	mu struct {
		sync.Mutex
		closed    bool
		all       map[*pgSession]bool
		listeners map[net.Listener]bool
	}
	running sync.WaitGroup
}

func (all *pgSessions) init() {
	all.mu.all = map[*pgSession]bool{}
	all.mu.listeners = map[net.Listener]bool{}
}

// ServePostgres answers PostgreSQL clients until the listener is closed, which
// Shutdown does.
func (s *Server) ServePostgres(l net.Listener) error {
	s.pg.mu.Lock()
	closed := s.pg.mu.closed
	if !closed {
		s.pg.mu.listeners[l] = true
	}
	s.pg.mu.Unlock()
	if closed {
		_ = l.Close()
		return nil
	}
	for pause := time.Duration(0); ; {
		conn, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil: // too many open files, or the client left again
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.log.Warn("PostgreSQL client could not be accepted", "error", err)
			time.Sleep(pause)
			continue
		}
		pause = 0
		s.startPostgres(conn)
	}
}

// startPostgres serves one client on a goroutine of its own, unless there are
// too many.
func (s *Server) startPostgres(conn net.Conn) {
	ss := newPGSession(s, conn)
	s.pg.mu.Lock()
	n := len(s.pg.mu.all)
	refused := s.pg.mu.closed || n >= s.pgConfig.MaxConnections+pgTurnedAway
	if !refused {
		s.pg.mu.all[ss] = true
		s.pg.running.Add(1)
	}
	s.pg.mu.Unlock()
	if refused {
		_ = conn.Close()
		return
	}
	if counted, ok := conn.(*limitedConn); ok && counted.refusal != nil {
		ss.refusal = refusalText(counted.refusal)
	}
	if n >= s.pgConfig.MaxConnections {
		ss.refusal = fmt.Sprintf("sorry, too many clients already: at most %d ([postgres] max-connections in config.toml)", s.pgConfig.MaxConnections)
	}
	go func() {
		defer s.pg.remove(ss)
		ss.run()
	}()
}

func (all *pgSessions) remove(ss *pgSession) {
	all.mu.Lock()
	delete(all.mu.all, ss)
	all.mu.Unlock()
	all.running.Done()
}

// shutdown stops accepting, and waits for the sessions, which end with the server's
// streams when they have answered what they are at; when ctx ends first their
// connections are cut.
func (all *pgSessions) shutdown(ctx context.Context) error {
	all.mu.Lock()
	all.mu.closed = true
	for l := range all.mu.listeners {
		_ = l.Close()
	}
	all.mu.Unlock()
	done := make(chan struct{})
	go func() {
		all.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	all.mu.Lock()
	for ss := range all.mu.all {
		_ = ss.conn.Close()
	}
	all.mu.Unlock()
	return ctx.Err()
}

// listenPostgres binds the port on the host that the HTTP interface listens on.
func listenPostgres(address string, port int) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	target := net.JoinHostPort(host, fmt.Sprint(port))
	l, err := net.Listen("tcp", target)
	if err != nil {
		return nil, fmt.Errorf("failed to bind the SpacetimeDB PostgreSQL wire protocol server to %s, please check that the port is valid and not already in use: %w", target, err)
	}
	return l, nil
}

// PostgreSQL's codes of failures.
const (
	pgInternal      = "XX000"
	pgProtocol      = "08P01"
	pgNoDatabase    = "3D000"
	pgBadPassword   = "28P01"
	pgNoStatement   = "26000"
	pgNoPortal      = "34000"
	pgDuplicate     = "42P05"
	pgUnsupported   = "0A000"
	pgBadValue      = "22P02"
	pgTooMany       = "53300"
	pgTooOften      = "53400"
	pgNoTLS         = "28000"
	pgTooMuch       = "54000"
	pgShuttingDown  = "57P01"
	pgPortalIsSpent = "55000"
)

func pgFatal(code, format string, args ...any) *pgwire.Error {
	return &pgwire.Error{Severity: "FATAL", Code: code, Message: fmt.Sprintf(format, args...)}
}

func pgError(code, format string, args ...any) *pgwire.Error {
	return &pgwire.Error{Severity: "ERROR", Code: code, Message: fmt.Sprintf(format, args...)}
}
