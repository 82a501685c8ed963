// Package server is what clients talk to: the HTTP interface, WebSocket sessions,
// metrics, configuration, start-up and shutdown (spec 05, spec 06).
//
// It owns sockets, sessions and the answers' words, and turns requests into
// calls of the databases behind [Host]. It promises that every answer of a known
// route is the one of chapter 06, that a slow client never holds up a database
// or another client, that every queue is bounded, and that Shutdown leaves no
// goroutine behind. It must not know how a database stores, runs or evaluates.
package server

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/stdbgo/spacetime/internal/auth"
	"github.com/stdbgo/spacetime/internal/control"
	"github.com/stdbgo/spacetime/sats"
)

// Options of a Server. Auth, Control, Host and Version are required; a zero
// field means its default.
type Options struct {
	Auth    *auth.Authority
	Control *control.DB
	Host    Host
	Version string // shown by /v1/health

	Logger    *slog.Logger     // default: nobody
	Now       func() time.Time // default: the machine's clock
	Rand      io.Reader        // for connection ids; default: the machine's
	WebSocket WebSocketConfig  // zero fields: the defaults of spec 06 §5.2

	Postgres PostgresConfig // zero fields: their defaults

	// MaxProgramBytes bounds the body of a publish; default 1 GiB.
	MaxProgramBytes int64
	// MaxRouteBytes bounds the body of a request for an HTTP handler of a module;
	// default 64 MiB.
	MaxRouteBytes int64
	// PublishIssuer, if set, is the issuer that callers who create databases must
	// have (spec 06 §5.4).
	PublishIssuer string
	// Publish says who else may not create databases.
	Publish PublishPolicy
	// Proxies are believed when they say where a request comes from; default: those on
	// this machine.
	Proxies *Proxies
	// Limits bound single clients.
	Limits Limits
	// LogRequests logs every HTTP request.
	LogRequests bool
}

const (
	defaultMaxProgram = 1 << 30
	defaultMaxRoute   = 64 << 20
)

// A Server answers HTTP requests and keeps WebSocket sessions.
type Server struct {
	auth          *auth.Authority
	control       *control.DB
	host          Host
	version       string
	log           *slog.Logger
	now           func() time.Time
	rand          io.Reader
	ws            WebSocketConfig
	maxProgram    int64
	maxRouteBody  int64
	publishIssuer string
	policy        PublishPolicy
	proxies       *Proxies
	admission     admission
	logRequests   bool
	ready         readiness

	routes    []route
	metrics   *metrics
	publishes keyedLocks // by database name and identity

	// streams ends with Shutdown: log followers, and waits for nothing else.
	streams    context.Context
	endStreams context.CancelFunc

	sessions sessions
	pg       pgSessions
	pgConfig PostgresConfig
	outgoing *outgoing
	pace     pace

	holdAtMost time.Duration // how long a client may be held up (see tempo)
}

// New makes a Server. The caller keeps Auth, Control and Host open until
// Shutdown has returned, and closes them.
func New(o Options) (*Server, error) {
	if o.Auth == nil || o.Control == nil || o.Host == nil || o.Version == "" {
		return nil, errors.New("server: options: Auth, Control, Host and Version are required")
	}
	s := &Server{
		auth: o.Auth, control: o.Control, host: o.Host, version: o.Version,
		log: o.Logger, now: o.Now, rand: o.Rand, ws: o.WebSocket.withDefaults(),
		pace: defaultPace, holdAtMost: holdAtMost, maxProgram: o.MaxProgramBytes, maxRouteBody: o.MaxRouteBytes, publishIssuer: trimSlashes(o.PublishIssuer),
	}
	s.policy, s.proxies, s.logRequests = o.Publish, o.Proxies, o.LogRequests
	s.admission.init(o.Limits)
	if s.proxies == nil {
		s.proxies = &Proxies{Trusted: localProxies}
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.rand == nil {
		s.rand = rand.Reader
	}
	if s.maxProgram == 0 {
		s.maxProgram = defaultMaxProgram
	}
	if s.maxRouteBody == 0 {
		s.maxRouteBody = defaultMaxRoute
	}
	s.sessions.init()
	s.pg.init()
	s.pgConfig = o.Postgres.withDefaults()
	s.outgoing = newOutgoing(int64(s.ws.OutgoingTotal))
	s.metrics = newMetrics(o.Host, &s.sessions)
	s.routes = s.table()
	s.streams, s.endStreams = context.WithCancel(context.Background())
	return s, nil
}

// Handler answers all requests.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// Shutdown ends log streams, PostgreSQL sessions and their listeners, and closes all
// WebSocket sessions with 1001, runs their
// disconnect handling, and returns when that is done or ctx ends. Requests in
// flight are the business of whoever runs the Handler.
func (s *Server) Shutdown(ctx context.Context) error {
	s.ready.stopping.Store(true)
	s.endStreams()
	var wg sync.WaitGroup
	var pg error
	wg.Go(func() { pg = s.pg.shutdown(ctx) })
	err := s.sessions.shutdown(ctx)
	wg.Wait()
	return errors.Join(err, pg)
}

// newConnectionID draws a random id that is not the reserved zero.
func (s *Server) newConnectionID() (id sats.ConnectionID, err error) {
	for err == nil && id.IsZero() {
		_, err = io.ReadFull(s.rand, id[:])
	}
	return id, err
}

// keyedLocks serializes work on the same key.
type keyedLocks struct {
	mu    sync.Mutex
	locks map[string]*keyedLock
}

type keyedLock struct {
	sync.Mutex
	users int
}

// lock waits for key and returns what gives it back.
func (k *keyedLocks) lock(key string) (unlock func()) {
	k.mu.Lock()
	if k.locks == nil {
		k.locks = map[string]*keyedLock{}
	}
	l := k.locks[key]
	if l == nil {
		l = &keyedLock{}
		k.locks[key] = l
	}
	l.users++
	k.mu.Unlock()
	l.Lock()
	return func() {
		l.Unlock()
		k.mu.Lock()
		defer k.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(k.locks, key)
		}
	}
}
