package server

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/vfs"
)

// A Config is the content of config.toml (spec 06 §5.2). Keys and sections that
// are not known are ignored; so are those of engines and formats we do not have.
type Config struct {
	Keys struct {
		Private string `toml:"jwt-priv-key-path"`
		Public  string `toml:"jwt-pub-key-path"`
	} `toml:"certificate-authority"`
	Logs struct {
		Level      logLevel `toml:"level"`
		Directives []string `toml:"directives"`
	} `toml:"logs"`
	WebSocket struct {
		PingInterval  *duration `toml:"ping-interval"`
		IdleTimeout   *duration `toml:"idle-timeout"`
		CloseTimeout  *duration `toml:"close-handshake-timeout"`
		IncomingQueue *int64    `toml:"incoming-queue-length"`
		Gzip          bool      `toml:"gzip"`
	} `toml:"websocket"`
	Wasm struct {
		Engine     string `toml:"engine"`
		Procedures *int64 `toml:"procedure-instance-pool-size"`
	} `toml:"wasm"`
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
}

// defaultConfig is written where there is no config.toml.
const defaultConfig = `# Configuration of the server. It is read once, at start; what is commented out
# stands with its default.

# [certificate-authority]
# jwt-priv-key-path = "/etc/spacetime/id_ecdsa"
# jwt-pub-key-path = "/etc/spacetime/id_ecdsa.pub"

[logs]
# off, error, warn, info, debug or trace
level = "error"
# target=level; our own messages have the target "spacetimedb"
directives = [
    "spacetimedb=debug",
    "spacetimedb_client_api=debug",
    "spacetimedb_lib=debug",
    "spacetimedb_standalone=debug",
    "spacetimedb_commitlog=info",
    "spacetimedb_durability=info",
    "axum::rejection=trace",
]

[websocket]
# ping-interval = "15s"
# idle-timeout = "30s"
# close-handshake-timeout = "250ms"
# incoming-queue-length = 16384
# Compress messages for clients that ask for gzip. Some SDKs then handle messages
# out of order.
# gzip = false

[wasm]
# What runs WebAssembly if the engine's self-test fails: auto, compiler, interpreter
# engine = "auto"
# How many instances of a module run procedures and HTTP handlers at a time.
# Default: the number of processors.
# procedure-instance-pool-size = 8

[v8]
# The same for modules in JavaScript.
# procedure-instance-pool-size = 8

[module-http]
# May modules make HTTP requests?
# enabled = true
# May these reach this machine and private networks? For development only.
# allow-private-addresses = false
# The largest response that a module can receive, and the largest request that its
# HTTP handlers can.
# max-response-bytes = 67108864
# max-request-bytes = 67108864

[postgres]
# Clients of PostgreSQL can log in on this port, and query: user: any, database: its
# name, password: a token. Off unless it is set here or by --pg-port.
# port = 5432
# max-connections = 1000
# startup-timeout = "1m"

[sql]
# What one statement of anybody but the database's owner may take: bytes that it
# holds for sorting, grouping and the like, and time. 0 and "0s" are no limit.
# max-memory = 268435456
# max-time = "30s"
# How many bytes of rows a subscription may begin with: they are one message. 0 is no
# limit.
# max-subscription-bytes = 268435456

[commitlog]
# max-segment-size = 1073741824
# A checkpoint is written after so many transactions or bytes of the log.
# checkpoint-transactions = 1000000
# checkpoint-bytes = 268435456
# Recovery needs the newest checkpoint and the log since then. What stays besides:
# that many checkpoints with the log since the oldest of them, and older parts of
# the log, by number, bytes or age, or all of it.
# keep-checkpoints = 2
# keep-segments = 0
# keep-bytes = 0
# keep-age = "7 days"
# keep-all = false
# What does not stay is moved into folders of this directory, instead of deleted.
# archive-dir = "/var/backups/spacetime"
`

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

// LoadConfig reads config.toml of a data directory; where there is none it makes
// the directory and writes the default file.
func LoadConfig(fsys vfs.FS, dataDir string) (*Config, error) {
	path := filepath.Join(dataDir, "config.toml")
	text, err := vfs.ReadFile(fsys, path)
	if errors.Is(err, fs.ErrNotExist) {
		text = []byte(defaultConfig)
		if err = fsys.MkdirAll(dataDir); err == nil {
			err = vfs.WriteFileAtomic(fsys, path, text)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the data directory %s cannot be used: %w; make it writable, or choose another one by --data-dir", dataDir, err)
	}
	c := &Config{}
	c.Logs.Level = logLevel(slog.LevelError)
	if err := toml.Unmarshal(text, c); err != nil {
		var at *toml.DecodeError
		if errors.As(err, &at) {
			return nil, fmt.Errorf("invalid TOML syntax in %s\n%s", path, at.String())
		}
		return nil, fmt.Errorf("invalid TOML syntax in %s: %w", path, err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("invalid TOML syntax in %s: %w", path, err)
	}
	return c, nil
}

func (c *Config) check() error {
	if (c.Keys.Private == "") != (c.Keys.Public == "") {
		return errors.New("[certificate-authority] needs both jwt-priv-key-path and jwt-pub-key-path")
	}
	switch c.Wasm.Engine {
	case "", "auto", "compiler", "interpreter":
	default:
		return fmt.Errorf("[wasm] engine = %q; expected auto, compiler or interpreter", c.Wasm.Engine)
	}
	log := &c.Commitlog
	for _, f := range []struct {
		name        string
		value       *int64
		least, most int64
	}{
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
		{"[wasm] procedure-instance-pool-size", c.Wasm.Procedures, 1, math.MaxInt32},
		{"[v8] procedure-instance-pool-size", c.V8.Procedures, 1, math.MaxInt32},
		{"[module-http] max-response-bytes", c.ModuleHTTP.MaxResponse, 1, math.MaxInt32},
		{"[module-http] max-request-bytes", c.ModuleHTTP.MaxRequest, 1, math.MaxInt32},
	} {
		if f.value != nil && (*f.value < f.least || *f.value > f.most) {
			return fmt.Errorf("%s = %d is out of range: want %d to %d", f.name, *f.value, f.least, f.most)
		}
	}
	if log.ArchiveDir != "" && !filepath.IsAbs(log.ArchiveDir) {
		return fmt.Errorf("[commitlog] archive-dir = %q must be an absolute path", log.ArchiveDir)
	}
	ping, idle := c.webSocket().withDefaults().PingInterval, c.webSocket().withDefaults().IdleTimeout
	if idle <= ping {
		return fmt.Errorf("[websocket] idle-timeout (%s) must exceed ping-interval (%s)", idle, ping)
	}
	_, err := c.Level()
	return err
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
	value := func(n *int64) int64 {
		if n == nil {
			return 0
		}
		return *n
	}
	log := &c.Commitlog
	o.MaxSegmentBytes = value(log.MaxSegmentSize)
	o.CheckpointTx = uint64(value(log.CheckpointTransactions))
	o.CheckpointBytes = uint64(value(log.CheckpointBytes))
	o.Retention = host.Retention{
		Checkpoints: int(value(log.KeepCheckpoints)), All: log.KeepAll,
		Segments: int(value(log.KeepSegments)), Bytes: value(log.KeepBytes), Archive: log.ArchiveDir,
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
