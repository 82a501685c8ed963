package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/auth"
	"github.com/stdbgo/spacetime/internal/control"
	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/sats"
)

// RunOptions say how to start a server (spec 06 §5.1). DataDir, Version, Engines
// and one way to the keys are required.
type RunOptions struct {
	DataDir    string
	ListenAddr string // default 0.0.0.0:3000
	// The key files: both paths, else those of config.toml, else KeyDir.
	PrivateKeyPath, PublicKeyPath string
	KeyDir                        string
	InMemory                      bool // databases are kept in memory only
	NonInteractive                bool // fail instead of asking when the port is taken
	// Overrides go before config.toml.
	Overrides Overrides
	// Hangup, if set, begins to deliver the signals at which the certificate is to be
	// read again, and returns what ends that. It is called only if there is one.
	Hangup func() (signals <-chan os.Signal, stop func())

	Version          string // three numbers
	ExeName, ExePath string
	// Engines makes the engines for module programs.
	Engines func(EngineOptions) (map[host.ProgramKind]abi.Engine, error)

	Stdin         io.Reader
	Stdout        io.Writer
	Color         bool   // of log lines on Stdout
	NoDiskLogging bool   // no file under logs/
	PublishIssuer string // issuer required to create databases; empty: none
}

// EngineOptions are what an engine may want to know.
type EngineOptions struct {
	CacheDir string // for compiled code
	Wasm     string // auto, compiler or interpreter
	Logger   *slog.Logger
}

const (
	defaultListen = "0.0.0.0:3000"
	// defaultShutdown bounds the wait for requests and sessions at shutdown.
	defaultShutdown = 5 * time.Second
	// headerTimeout bounds how long a client may take to send a request's header.
	headerTimeout = 30 * time.Second
)

// Running is a server that has been started. Shut it down once.
type Running struct {
	log      *slog.Logger
	server   *Server
	courier  *courier
	http     *http.Server
	listener net.Listener
	serving  chan error // the end of Serve
	launch   context.CancelFunc
	launched sync.WaitGroup
	closers  []func() error // in order of opening
	litter   []uint64       // replicas that the last run left behind
	pg       net.Listener   // nil: none
	config   *Config
}

// Run starts a server, serves until ctx ends, and shuts it down.
func Run(ctx context.Context, o RunOptions) error {
	r, err := Start(ctx, o)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case err = <-r.serving:
		r.serving <- err
	}
	return errors.Join(err, r.Shutdown())
}

// Start goes through the start-up sequence of spec 06 §5.6. The server is
// listening when it returns.
func Start(ctx context.Context, o RunOptions) (_ *Running, err error) {
	r, err := prepare(&o)
	if err != nil {
		return nil, err
	}
	if o.ListenAddr == "" {
		o.ListenAddr = or(r.config.HTTP.Listen, defaultListen)
	}
	secure, cert, err := r.config.tls(r.log)
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	if r.listener, err = listen(o.ListenAddr, !o.NonInteractive, o.Stdin, o.Stdout); err != nil {
		return nil, errors.Join(err, r.close())
	}
	if port := r.config.Postgres.Port; port != nil {
		if r.pg, err = listenPostgres(o.ListenAddr, int(*port)); err != nil {
			return nil, errors.Join(err, r.listener.Close(), r.close())
		}
	}
	r.serve(o, secure)
	r.startDatabases()
	r.heedHangups(o.Hangup, cert)
	return r, nil
}

// heedHangups has the certificate read again when the operator says so.
func (r *Running) heedHangups(begin func() (<-chan os.Signal, func()), cert *certificate) {
	if begin == nil || cert == nil {
		return
	}
	signals, stop := begin()
	done := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() { cert.reloads(signals, done) })
	r.closers = append(r.closers, func() error {
		stop()
		close(done)
		ended.Wait()
		return nil
	})
}

// Open is Start for programs that serve the Handler themselves: nothing listens.
func Open(o RunOptions) (*Running, error) {
	r, err := prepare(&o)
	if err != nil {
		return nil, err
	}
	r.startDatabases()
	return r, nil
}

// prepare opens everything but the port.
func prepare(o *RunOptions) (_ *Running, err error) {
	r := &Running{serving: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if o.DataDir, err = filepath.Abs(o.DataDir); err != nil {
		return nil, err
	}
	o.greet()
	fsys := vfs.OS{}
	config, err := LoadConfig(fsys, o.DataDir, o.Overrides)
	if err != nil {
		return nil, err
	}
	r.config = config
	if err := r.openLog(fsys, *o, config); err != nil {
		return nil, err
	}
	private, public, err := o.keyPaths(config)
	if err != nil {
		return nil, err
	}
	pid, err := lockDataDir(fsys, o.DataDir)
	if err != nil {
		return nil, err
	}
	r.closers = append(r.closers, pid.release)
	if err := checkMetadata(fsys, o.DataDir, o.Version); err != nil {
		return nil, err
	}
	if err := refuseOrphans(fsys, o.DataDir); err != nil {
		return nil, err
	}
	return r, r.open(fsys, *o, config, private, public)
}

// greet prints what runs and where.
func (o *RunOptions) greet() {
	_, _ = fmt.Fprintf(o.Stdout, "\n  spacetime: a database that runs your program\n\n%s version: %s\n%s path: %s\ndatabase running in data directory %s\n",
		o.ExeName, o.Version, o.ExeName, o.ExePath, o.DataDir)
}

// openLog sends log lines to standard output and, unless that is off, to a file.
func (r *Running) openLog(fsys vfs.FS, o RunOptions, config *Config) error {
	level, err := config.Level()
	if err != nil {
		return err
	}
	out := &lineWriter{all: []lineOutput{{o.Stdout, o.Color}}}
	if !o.NoDiskLogging {
		dir := filepath.Join(o.DataDir, "logs")
		if err := fsys.MkdirAll(dir); err != nil {
			return fmt.Errorf("log directory: %w", err)
		}
		f, err := openLogFile(fsys, filepath.Join(dir, "spacetime-standalone.log"),
			value(config.Logs.MaxFileBytes, defaultLogBytes), int(value(config.Logs.KeepFiles, defaultLogFiles)))
		if err != nil {
			return fmt.Errorf("server log: %w", err)
		}
		out.all = append(out.all, lineOutput{f, false})
		r.closers = append(r.closers, f.Close)
	}
	r.log = slog.New(&lineHandler{out: out, level: level})
	if config.Logs.Format == "json" {
		r.log = slog.New(jsonHandler(out, level))
	}
	for _, text := range config.warnings {
		r.tell(o, slog.LevelWarn, text)
	}
	return nil
}

// tell logs a message that must be seen: at a level that is not logged it is
// printed.
func (r *Running) tell(o RunOptions, l slog.Level, text string) {
	if r.log.Enabled(context.Background(), l) {
		r.log.Log(context.Background(), l, text)
	} else {
		_, _ = fmt.Fprintln(o.Stdout, text)
	}
}

// Bounds of the server's log on disk.
const (
	defaultLogBytes = 64 << 20
	defaultLogFiles = 5
)

// keyPaths: explicit paths, else the configuration, else the key directory.
func (o *RunOptions) keyPaths(c *Config) (private, public string, err error) {
	switch {
	case o.PrivateKeyPath != "" && o.PublicKeyPath != "":
		return o.PrivateKeyPath, o.PublicKeyPath, nil
	case o.PrivateKeyPath != "" || o.PublicKeyPath != "":
		return "", "", errors.New("--jwt-pub-key-path and --jwt-priv-key-path need each other")
	case c.Keys.Private != "":
		return c.Keys.Private, c.Keys.Public, nil
	case o.KeyDir != "":
		return filepath.Join(o.KeyDir, auth.PrivateKeyName), filepath.Join(o.KeyDir, auth.PublicKeyName), nil
	}
	return "", "", errors.New("cannot omit --jwt-{pub,priv}-key-path when those options are not specified in config.toml")
}

// open opens control database, engines, host and keys, and makes the server.
func (r *Running) open(fsys vfs.FS, o RunOptions, config *Config, private, public string) error {
	ctl, err := control.Open(control.Options{Dir: o.DataDir, FS: fsys, Hash: auth.HashProgram})
	if err != nil {
		return err
	}
	r.closers = append(r.closers, ctl.Close)
	// Read before anybody can publish: replicas of publishes under way are litter,
	// too. Where databases live in memory the files are those of other runs.
	if !o.InMemory {
		if r.litter, err = ctl.Litter(); err != nil {
			return err
		}
	}
	engines, err := o.Engines(EngineOptions{CacheDir: filepath.Join(o.DataDir, "cache"), Wasm: config.Wasm.Engine, Logger: r.log})
	if err != nil {
		return err
	}
	keys, err := auth.LoadKeys(fsys, private, public, nil)
	if err != nil {
		return err
	}
	allowed, named := config.issuers()
	authority := auth.New(auth.Options{
		Keys: keys, AllowedIssuers: allowed, TrustedIssuers: named, AllowPrivate: config.Auth.AllowPrivate, Logger: r.log,
	})
	r.closers = append(r.closers, func() error { authority.Close(); return nil })
	policy, err := config.publishPolicy()
	if err != nil {
		return err
	}
	proxies, err := config.trustedProxies()
	if err != nil {
		return err
	}
	r.courier = newCourier(authority)
	r.closers = append(r.closers, func() error { r.courier.close(); return nil })
	h, err := host.New(config.host(host.Options{
		Dir: o.DataDir, FS: fsys, Engines: engines, Logger: r.log, InMemory: o.InMemory,
		HTTP: config.moduleHTTP(), ProcedureInstances: config.procedureInstances(), InstanceMemory: config.instanceMemory(),
		Courier: r.courier,
	}))
	if err != nil {
		return err
	}
	r.closers = append(r.closers, h.Close)
	r.server, err = New(Options{
		Auth: authority, Control: ctl, Host: Databases(h), Version: o.Version, Logger: r.log,
		WebSocket: config.webSocket(), Postgres: config.postgres(), PublishIssuer: o.PublishIssuer, MaxRouteBytes: config.maxRouteBytes(),
		MaxProgramBytes: value(config.HTTP.MaxProgram, 0), Publish: policy, Proxies: &proxies, Limits: config.limits(),
		LogRequests: config.Logs.Requests,
	})
	r.courier.server.Store(r.server)
	return err
}

// serve answers requests, by TLS if there is a configuration for that.
func (r *Running) serve(o RunOptions, secure *tls.Config) {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(secure == nil)
	protocols.SetHTTP2(secure != nil)
	wait := func(d *duration, absent time.Duration) time.Duration {
		if d == nil {
			return absent
		}
		return d.Duration
	}
	r.http = &http.Server{
		Handler:           r.server.Handler(),
		ReadHeaderTimeout: wait(r.config.HTTP.HeaderTimeout, headerTimeout), IdleTimeout: wait(r.config.HTTP.IdleTimeout, idleTime),
		MaxHeaderBytes: int(value(r.config.HTTP.MaxHeader, http.DefaultMaxHeaderBytes)), TLSConfig: secure,
		Protocols: &protocols, ConnContext: connContext,
		ErrorLog: slog.NewLogLogger(r.log.Handler(), slog.LevelDebug),
	}
	// Tools wait for this line, whatever the log level.
	r.tell(o, slog.LevelInfo, "Starting SpacetimeDB listening on "+r.listener.Addr().String())
	if r.pg == nil {
		r.log.Warn("PostgreSQL wire protocol server disabled")
	} else {
		r.log.Info("PostgreSQL wire protocol server listening on " + r.pg.Addr().String())
		counted := r.pg
		if l, ok := r.pg.(*net.TCPListener); ok {
			counted = &limitedListener{TCPListener: l, limits: r.config.limits(), proxies: r.server.proxies}
		}
		if secure != nil {
			r.server.pgConfig.TLS = secure.Clone()
			r.server.pgConfig.TLS.NextProtos = nil
		}
		go func() { _ = r.server.ServePostgres(counted) }()
	}
	if secure == nil { // else nothing there can be dialled by a name of the certificate
		r.courier.listens(r.listener.Addr())
	}
	counted := r.listener
	if l, ok := counted.(*net.TCPListener); ok {
		counted = &limitedListener{TCPListener: l, limits: r.config.limits(), proxies: r.server.proxies}
	}
	go func() {
		if secure != nil {
			r.serving <- r.http.ServeTLS(counted, "", "")
			return
		}
		r.serving <- r.http.Serve(counted)
	}()
}

// startDatabases launches the databases: their scheduled reducers must run
// whether or not somebody asks.
func (r *Running) startDatabases() {
	ctx, cancel := context.WithCancel(context.Background())
	r.launch = cancel
	r.launched.Go(func() {
		r.server.sweep(ctx, r.litter)
		r.server.launchAll(ctx)
		r.server.ready.started.Store(true)
	})
}

// launchAll launches every database, one after the other.
func (s *Server) launchAll(ctx context.Context) {
	all, err := s.control.Databases()
	if err != nil {
		s.log.Error("databases cannot be listed", "error", err)
		return
	}
	for _, rec := range all {
		if ctx.Err() != nil {
			return
		}
		if _, err := s.open(ctx, rec); err != nil && ctx.Err() == nil {
			s.log.Error("database cannot be started", "database", sats.Identity(rec.Identity), "error", err)
		}
	}
}

// Handler answers all requests.
func (r *Running) Handler() http.Handler { return r.server.Handler() }

// Addr is the address that a server made by Start listens on.
func (r *Running) Addr() net.Addr { return r.listener.Addr() }

// PostgresAddr is the address that PostgreSQL clients are served on; nil: none.
func (r *Running) PostgresAddr() net.Addr {
	if r.pg == nil {
		return nil
	}
	return r.pg.Addr()
}

// Shutdown stops accepting, ends log streams, closes WebSockets with 1001, waits
// a few seconds for requests, stops the databases and lets go of the data
// directory.
func (r *Running) Shutdown() error {
	r.log.Info("Shutting down server...")
	limit := defaultShutdown
	if d := r.config.HTTP.ShutdownTimeout; d != nil {
		limit = d.Duration
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	r.launch()
	r.courier.stop()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := r.server.Shutdown(ctx); err != nil {
			r.log.Warn("some sessions were cut", "error", err)
		}
	})
	if r.http == nil { // made by Open
		r.serving <- nil
	} else if err := r.http.Shutdown(ctx); err != nil {
		_ = r.http.Close()
	}
	wg.Wait()
	r.launched.Wait()
	if err := <-r.serving; err != nil && !errors.Is(err, http.ErrServerClosed) {
		return errors.Join(err, r.close())
	}
	return r.close()
}

// close closes what was opened, newest first.
func (r *Running) close() error {
	var errs []error
	for i := len(r.closers) - 1; i >= 0; i-- {
		errs = append(errs, r.closers[i]())
	}
	r.closers = nil
	return errors.Join(errs...)
}
