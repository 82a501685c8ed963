package server

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stdbgo/spacetime/internal/host"
)

// A Config is what config.toml, the environment and the command line say (spec 06
// §5.2). The table of settings describes each field.
type Config struct {
	Keys struct {
		Private string `toml:"jwt-priv-key-path"`
		Public  string `toml:"jwt-pub-key-path"`
	} `toml:"certificate-authority"`
	Logs struct {
		Level        logLevel `toml:"level"`
		Directives   []string `toml:"directives"`
		Format       string   `toml:"format"`
		MaxFileBytes *int64   `toml:"max-file-bytes"`
		KeepFiles    *int64   `toml:"keep-files"`
		Requests     bool     `toml:"requests"`
	} `toml:"logs"`
	HTTP struct {
		Listen          string    `toml:"listen"`
		HeaderTimeout   *duration `toml:"header-timeout"`
		IdleTimeout     *duration `toml:"idle-timeout"`
		MaxHeader       *int64    `toml:"max-header-bytes"`
		MaxProgram      *int64    `toml:"max-program-bytes"`
		ShutdownTimeout *duration `toml:"shutdown-timeout"`
	} `toml:"http"`
	TLS struct {
		Cert       string `toml:"cert-file"`
		Key        string `toml:"key-file"`
		MinVersion string `toml:"min-version"`
	} `toml:"tls"`
	Proxy struct {
		Trusted *[]string `toml:"trusted"`
		Header  string    `toml:"header"`
	} `toml:"proxy"`
	Auth struct {
		Issuers      *[]string `toml:"issuers"`
		AllowPrivate bool      `toml:"allow-private-addresses"`
	} `toml:"auth"`
	Publish struct {
		Allow      string   `toml:"allow"`
		Identities []string `toml:"identities"`
		Issuers    []string `toml:"issuers"`
	} `toml:"publish"`
	Limits struct {
		Connections           *int64 `toml:"connections"`
		ConnectionsPerAddress *int64 `toml:"connections-per-address"`
		SessionsPerIdentity   *int64 `toml:"sessions-per-identity"`
		RequestsPerAddress    *int64 `toml:"requests-per-address"`
		RequestsPerIdentity   *int64 `toml:"requests-per-identity"`
		RequestBurst          *int64 `toml:"request-burst"`
		MessagesPerConnection *int64 `toml:"messages-per-connection"`
		MessagesPerIdentity   *int64 `toml:"messages-per-identity"`
		MessageBurst          *int64 `toml:"message-burst"`
	} `toml:"limits"`
	WebSocket struct {
		PingInterval  *duration `toml:"ping-interval"`
		IdleTimeout   *duration `toml:"idle-timeout"`
		CloseTimeout  *duration `toml:"close-handshake-timeout"`
		IncomingQueue *int64    `toml:"incoming-queue-length"`
		Gzip          bool      `toml:"gzip"`
	} `toml:"websocket"`
	Wasm struct {
		Engine     string `toml:"engine"`
		MaxMemory  *int64 `toml:"max-memory"`
		Procedures *int64 `toml:"procedure-instance-pool-size"`
	} `toml:"wasm"`
	V8Heap struct {
		LimitMB *int64 `toml:"heap-limit-mb"`
	} `toml:"v8-heap-policy"`
	V8 struct {
		Procedures *int64 `toml:"procedure-instance-pool-size"`
	} `toml:"v8"`
	ModuleHTTP struct {
		Enabled      *bool  `toml:"enabled"`
		AllowPrivate bool   `toml:"allow-private-addresses"`
		MaxResponse  *int64 `toml:"max-response-bytes"`
		MaxRequest   *int64 `toml:"max-request-bytes"`
	} `toml:"module-http"`
	Postgres struct {
		Port           *int64    `toml:"port"`
		MaxConnections *int64    `toml:"max-connections"`
		StartupTimeout *duration `toml:"startup-timeout"`
	} `toml:"postgres"`
	SQL struct {
		MaxMemory            *int64          `toml:"max-memory"`
		MaxTime              *durationOrNone `toml:"max-time"`
		MaxSubscriptionBytes *int64          `toml:"max-subscription-bytes"`
	} `toml:"sql"`
	Commitlog struct {
		MaxSegmentSize         *int64    `toml:"max-segment-size"`
		CheckpointTransactions *int64    `toml:"checkpoint-transactions"`
		CheckpointBytes        *int64    `toml:"checkpoint-bytes"`
		KeepCheckpoints        *int64    `toml:"keep-checkpoints"`
		KeepAll                bool      `toml:"keep-all"`
		KeepSegments           *int64    `toml:"keep-segments"`
		KeepBytes              *int64    `toml:"keep-bytes"`
		KeepAge                *duration `toml:"keep-age"`
		ArchiveDir             string    `toml:"archive-dir"`
	} `toml:"commitlog"`

	warnings []string          // about keys that nobody knows
	origins  map[string]origin // of settings that are not at their defaults, by name
}

// duration is a struct so that a bare number is not taken for one.
type duration struct{ time.Duration }

// UnmarshalText reads a duration like "1m 30s".
func (d *duration) UnmarshalText(b []byte) error {
	v, err := parseDuration(string(b))
	if err == nil && v == 0 {
		err = errors.New("duration must be greater than zero")
	}
	d.Duration = v
	return err
}

// durationOrNone may be zero, which is no limit.
type durationOrNone struct{ time.Duration }

// UnmarshalText reads a duration like "1m 30s", or "0s".
func (d *durationOrNone) UnmarshalText(b []byte) (err error) {
	d.Duration, err = parseDuration(string(b))
	return err
}

// levelOff is above every level that is used.
const (
	levelOff   = slog.Level(100)
	levelTrace = slog.LevelDebug - 4
)

type logLevel slog.Level

var logLevels = map[string]slog.Level{
	"off": levelOff, "error": slog.LevelError, "warn": slog.LevelWarn,
	"info": slog.LevelInfo, "debug": slog.LevelDebug, "trace": levelTrace,
}

// UnmarshalText reads the name of a level in any case.
func (l *logLevel) UnmarshalText(b []byte) error {
	v, ok := logLevels[strings.ToLower(string(b))]
	if !ok {
		return fmt.Errorf("unknown log level %q, expected off, error, warn, info, debug or trace", b)
	}
	*l = logLevel(v)
	return nil
}

// check looks for values that cannot be, and for such that do not fit together.
func (c *Config) check() error {
	if err := c.checkValues(); err != nil {
		return err
	}
	if (c.Keys.Private == "") != (c.Keys.Public == "") {
		return errors.New("[certificate-authority] needs both jwt-priv-key-path and jwt-pub-key-path")
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		return errors.New("[tls] needs both cert-file and key-file")
	}
	if c.HTTP.Listen != "" {
		if _, _, err := splitListen(c.HTTP.Listen); err != nil {
			return fmt.Errorf("[http] listen: %w", err)
		}
	}
	ping, idle := c.webSocket().withDefaults().PingInterval, c.webSocket().withDefaults().IdleTimeout
	if idle <= ping {
		return fmt.Errorf("[websocket] idle-timeout (%s) must exceed ping-interval (%s)", idle, ping)
	}
	_, err := c.publishPolicy()
	return err
}

// checkValues looks at each value for itself.
func (c *Config) checkValues() error {
	for _, f := range []struct{ name, value, first, second, third string }{
		{"[wasm] engine", c.Wasm.Engine, "auto", "compiler", "interpreter"},
		{"[logs] format", c.Logs.Format, "text", "json", ""},
		{"[publish] allow", c.Publish.Allow, "open", "owner", "list"},
		{"[proxy] header", c.Proxy.Header, "x-forwarded", "forwarded", ""},
		{"[tls] min-version", c.TLS.MinVersion, "1.2", "1.3", ""},
	} {
		switch f.value {
		case "", f.first, f.second, f.third:
		default:
			expected := f.first + " or " + f.second
			if f.third != "" {
				expected = f.first + ", " + f.second + " or " + f.third
			}
			return fmt.Errorf("%s = %q; expected %s", f.name, f.value, expected)
		}
	}
	log, limits := &c.Commitlog, &c.Limits
	for _, f := range []struct {
		name        string
		value       *int64
		least, most int64
	}{
		{"[logs] max-file-bytes", c.Logs.MaxFileBytes, 0, math.MaxInt64},
		{"[logs] keep-files", c.Logs.KeepFiles, 0, 1000},
		{"[http] max-header-bytes", c.HTTP.MaxHeader, 4096, 64 << 20},
		{"[http] max-program-bytes", c.HTTP.MaxProgram, 1, math.MaxInt64},
		{"[limits] connections", limits.Connections, 1, math.MaxInt32},
		{"[limits] connections-per-address", limits.ConnectionsPerAddress, 0, math.MaxInt32},
		{"[limits] sessions-per-identity", limits.SessionsPerIdentity, 0, math.MaxInt32},
		{"[limits] requests-per-address", limits.RequestsPerAddress, 0, math.MaxInt32},
		{"[limits] requests-per-identity", limits.RequestsPerIdentity, 0, math.MaxInt32},
		{"[limits] request-burst", limits.RequestBurst, 1, math.MaxInt32},
		{"[limits] messages-per-connection", limits.MessagesPerConnection, 0, math.MaxInt32},
		{"[limits] messages-per-identity", limits.MessagesPerIdentity, 0, math.MaxInt32},
		{"[limits] message-burst", limits.MessageBurst, 1, math.MaxInt32},
		{"[websocket] incoming-queue-length", c.WebSocket.IncomingQueue, 1, math.MaxInt32},
		{"[commitlog] max-segment-size", log.MaxSegmentSize, 1, math.MaxInt64},
		{"[commitlog] checkpoint-transactions", log.CheckpointTransactions, 1, math.MaxInt64},
		{"[commitlog] checkpoint-bytes", log.CheckpointBytes, 1, math.MaxInt64},
		{"[commitlog] keep-checkpoints", log.KeepCheckpoints, 1, 1000},
		{"[commitlog] keep-segments", log.KeepSegments, 0, math.MaxInt32},
		{"[commitlog] keep-bytes", log.KeepBytes, 0, math.MaxInt64},
		{"[sql] max-memory", c.SQL.MaxMemory, 0, math.MaxInt64},
		{"[sql] max-subscription-bytes", c.SQL.MaxSubscriptionBytes, 0, math.MaxInt64},
		{"[postgres] port", c.Postgres.Port, minPGPort, maxPGPort},
		{"[postgres] max-connections", c.Postgres.MaxConnections, 1, 1_000_000},
		{"[wasm] max-memory", c.Wasm.MaxMemory, 1 << 20, 4 << 30},
		{"[v8-heap-policy] heap-limit-mb", c.V8Heap.LimitMB, 0, math.MaxInt32},
		{"[wasm] procedure-instance-pool-size", c.Wasm.Procedures, 1, math.MaxInt32},
		{"[v8] procedure-instance-pool-size", c.V8.Procedures, 1, math.MaxInt32},
		{"[module-http] max-response-bytes", c.ModuleHTTP.MaxResponse, 1, math.MaxInt32},
		{"[module-http] max-request-bytes", c.ModuleHTTP.MaxRequest, 1, math.MaxInt32},
	} {
		if f.value != nil && (*f.value < f.least || *f.value > f.most) {
			return fmt.Errorf("%s = %d is out of range: want %d to %d", f.name, *f.value, f.least, f.most)
		}
	}
	for _, f := range []struct{ name, value string }{
		{"[commitlog] archive-dir", log.ArchiveDir}, {"[tls] cert-file", c.TLS.Cert}, {"[tls] key-file", c.TLS.Key},
	} {
		if f.value != "" && !filepath.IsAbs(f.value) {
			return fmt.Errorf("%s = %q must be an absolute path", f.name, f.value)
		}
	}
	if _, err := c.trustedProxies(); err != nil {
		return err
	}
	_, err := c.Level()
	return err
}

// value is what a number says, or its default.
func value(n *int64, absent int64) int64 {
	if n == nil {
		return absent
	}
	return *n
}

// webSocket is the section [websocket]; zero fields mean their defaults.
func (c *Config) webSocket() WebSocketConfig {
	w := WebSocketConfig{Gzip: c.WebSocket.Gzip}
	for _, f := range []struct {
		from *duration
		to   *time.Duration
	}{
		{c.WebSocket.PingInterval, &w.PingInterval}, {c.WebSocket.IdleTimeout, &w.IdleTimeout},
		{c.WebSocket.CloseTimeout, &w.CloseTimeout},
	} {
		if f.from != nil {
			*f.to = f.from.Duration
		}
	}
	if c.WebSocket.IncomingQueue != nil {
		w.IncomingQueue = int(*c.WebSocket.IncomingQueue)
	}
	return w
}

// Ports that the PostgreSQL front end may have.
const (
	minPGPort = 1024
	maxPGPort = 65534
)

// postgres is the section [postgres]; zero fields mean their defaults.
func (c *Config) postgres() (p PostgresConfig) {
	if c.Postgres.MaxConnections != nil {
		p.MaxConnections = int(*c.Postgres.MaxConnections)
	}
	if c.Postgres.StartupTimeout != nil {
		p.StartupTimeout = c.Postgres.StartupTimeout.Duration
	}
	return p
}

// host puts the sections [commitlog] and [sql] into a host's options; what is absent
// means the default there.
func (c *Config) host(o host.Options) host.Options {
	log := &c.Commitlog
	o.MaxSegmentBytes = value(log.MaxSegmentSize, 0)
	o.CheckpointTx = uint64(value(log.CheckpointTransactions, 0))
	o.CheckpointBytes = uint64(value(log.CheckpointBytes, 0))
	o.Retention = host.Retention{
		Checkpoints: int(value(log.KeepCheckpoints, 0)), All: log.KeepAll,
		Segments: int(value(log.KeepSegments, 0)), Bytes: value(log.KeepBytes, 0), Archive: log.ArchiveDir,
	}
	if log.KeepAge != nil {
		o.Retention.Age = log.KeepAge.Duration
	}
	o.SQLMemory = noLimit(c.SQL.MaxMemory)
	o.SubscriptionBytes = noLimit(c.SQL.MaxSubscriptionBytes)
	if c.SQL.MaxTime != nil {
		n := int64(c.SQL.MaxTime.Duration)
		o.SQLTime = time.Duration(noLimit(&n))
	}
	return o
}

// noLimit turns a limit of the configuration, where 0 is none, into one of a host's
// options, where that is negative and 0 the default.
func noLimit(n *int64) int64 {
	switch {
	case n == nil:
		return 0
	case *n == 0:
		return -1
	}
	return *n
}

// moduleHTTP is what modules may do by HTTP.
func (c *Config) moduleHTTP() host.HTTPOptions {
	o := host.HTTPOptions{AllowPrivate: c.ModuleHTTP.AllowPrivate}
	o.Disabled = c.ModuleHTTP.Enabled != nil && !*c.ModuleHTTP.Enabled
	if c.ModuleHTTP.MaxResponse != nil {
		o.MaxResponse = *c.ModuleHTTP.MaxResponse
	}
	return o
}

// issuers is the section [auth]: the foreign issuers whose tokens are accepted, nil for
// any, and those that are named beside "*".
func (c *Config) issuers() (allowed, named []string) {
	if c.Auth.Issuers == nil {
		return nil, nil
	}
	named = slices.DeleteFunc(slices.Clone(*c.Auth.Issuers), func(iss string) bool { return iss == "*" })
	if len(named) < len(*c.Auth.Issuers) {
		return nil, named
	}
	return append([]string{}, named...), nil
}

// maxRouteBytes bounds requests for HTTP handlers; 0: the default.
func (c *Config) maxRouteBytes() int64 {
	if c.ModuleHTTP.MaxRequest == nil {
		return 0
	}
	return *c.ModuleHTTP.MaxRequest
}

// procedureInstances is the size of the pools of instances, by kind of program.
func (c *Config) procedureInstances() map[host.ProgramKind]int {
	sizes := map[host.ProgramKind]int{}
	if c.Wasm.Procedures != nil {
		sizes[host.Wasm] = int(*c.Wasm.Procedures)
	}
	if c.V8.Procedures != nil {
		sizes[host.JS] = int(*c.V8.Procedures)
	}
	return sizes
}

// instanceMemory is the most memory that an instance may have, by kind of program.
func (c *Config) instanceMemory() map[host.ProgramKind]uint64 {
	sizes := map[host.ProgramKind]uint64{host.Wasm: wasmMemory(machineMemory())}
	if c.Wasm.MaxMemory != nil {
		sizes[host.Wasm] = uint64(*c.Wasm.MaxMemory)
	}
	if c.V8Heap.LimitMB != nil {
		sizes[host.JS] = uint64(*c.V8Heap.LimitMB) << 20
	}
	return sizes
}

// Level is the level of our own messages: that of the directive for the target
// "spacetimedb", which an existing file of the original has, else the general one.
func (c *Config) Level() (slog.Level, error) {
	level := slog.Level(c.Logs.Level)
	for _, d := range c.Logs.Directives {
		target, name, ok := strings.Cut(d, "=")
		if !ok {
			continue // a target alone, or a level alone: not ours
		}
		var l logLevel
		if err := l.UnmarshalText([]byte(name)); err != nil {
			return 0, fmt.Errorf("[logs] directive %q: %w", d, err)
		}
		if target == "spacetimedb" {
			level = slog.Level(l)
		}
	}
	return level, nil
}
