package server

import (
	"errors"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/vfs"
)

func writeConfig(t *testing.T, text string) vfs.FS {
	t.Helper()
	mem := vfs.NewMem()
	if err := mem.MkdirAll("/data"); err != nil {
		t.Fatal(err)
	}
	if err := vfs.WriteFileAtomic(mem, "/data/config.toml", []byte(text)); err != nil {
		t.Fatal(err)
	}
	return mem
}

func TestDefaultConfig(t *testing.T) {
	spec.Covers(t, "06.50")
	mem := vfs.NewMem()
	c, err := LoadConfig(mem, "/some/data", Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	if level, err := c.Level(); err != nil || level != slog.LevelDebug {
		t.Errorf("level %v, %v", level, err)
	}
	want := WebSocketConfig{
		PingInterval: 15 * time.Second, IdleTimeout: 30 * time.Second, CloseTimeout: 250 * time.Millisecond,
		IncomingQueue: 16384, OutgoingQueue: 16384, OutgoingBytes: 1 << 30, OutgoingTotal: 4 << 30, IncomingTotal: int(incomingBytes(machineMemory())),
	}
	if got := c.webSocket().withDefaults(); got != want {
		t.Errorf("websocket %+v", got)
	}
	text, err := vfs.ReadFile(mem, "/some/data/config.toml")
	if err != nil || string(text) != defaultConfig {
		t.Errorf("default file: %v\n%s", err, text)
	}
	// It is written once: what stands there is not touched again.
	if err := vfs.WriteFileAtomic(mem, "/some/data/config.toml", []byte("# mine\n")); err != nil {
		t.Fatal(err)
	}
	if c, err = LoadConfig(mem, "/some/data", Overrides{}); err != nil {
		t.Fatal(err)
	}
	if text, _ := vfs.ReadFile(mem, "/some/data/config.toml"); string(text) != "# mine\n" {
		t.Errorf("the file was written again: %s", text)
	}
	if level, _ := c.Level(); level != slog.LevelError {
		t.Errorf("level of an empty file: %v", level)
	}

	for _, tt := range []struct{ name, text, want string }{
		{"unknown keys", "unknown = 1\n[nothing]\nx = [1]\n[websocket]\nmore = true\n[v8-heap-policy]\nheap-limit-mb = 5\n", ""},
		{"type error", "[websocket]\ngzip = \"yes\"\n", "invalid TOML syntax in /data/config.toml"},
		{"value for a section", "websocket = 3\n", "line 1: websocket is a section: write [websocket]"},
		{"syntax error", "[websocket\n", "invalid TOML syntax in /data/config.toml"},
		{"number for a duration", "[websocket]\nping-interval = 5\n", "invalid TOML syntax"},
		{"bad duration", "[websocket]\nping-interval = \"5 parsecs\"\n", "invalid TOML syntax"},
		{"zero duration", "[websocket]\nping-interval = \"0s\"\n", "invalid TOML syntax"},
		{"empty queue", "[websocket]\nincoming-queue-length = 0\n", "invalid TOML syntax"},
		{"level", "[logs]\nlevel = \"loud\"\n", "invalid TOML syntax"},
		{"directive", "[logs]\ndirectives = [\"spacetimedb=loud\"]\n", "invalid TOML syntax"},
		{"one key path", "[certificate-authority]\njwt-priv-key-path = \"/x\"\n", "needs both"},
		{"engine", "[wasm]\nengine = \"steam\"\n", "expected auto, compiler or interpreter"},
		{"no checkpoints", "[commitlog]\nkeep-checkpoints = 0\n", "keep-checkpoints = 0 is out of range: want 1 to 1000"},
		{"negative bytes", "[commitlog]\nkeep-bytes = -1\n", "keep-bytes = -1 is out of range"},
		{"age without a unit", "[commitlog]\nkeep-age = \"7\"\n", "invalid TOML syntax"},
		{"relative archive", "[commitlog]\narchive-dir = \"old\"\n", "archive-dir = \"old\" must be an absolute path"},
		{"negative memory", "[sql]\nmax-memory = -1\n", "[sql] max-memory = -1 is out of range"},
		{"time without a unit", "[sql]\nmax-time = \"30\"\n", "invalid TOML syntax"},
		{"no time", "[sql]\nmax-time = \"0s\"\n", ""},
		{"low port", "[postgres]\nport = 80\n", "[postgres] port = 80 is out of range: want 1024 to 65534"},
		{"no connections", "[postgres]\nmax-connections = 0\n", "out of range"},
		{"no startup", "[postgres]\nstartup-timeout = \"0s\"\n", "invalid TOML syntax"},
		{"idle before ping", "[websocket]\nidle-timeout = \"10s\"\n", "must exceed ping-interval"},
	} {
		_, err := LoadConfig(writeConfig(t, tt.text), "/data", Overrides{})
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestConfigValues(t *testing.T) {
	c, err := LoadConfig(writeConfig(t, `
[certificate-authority]
jwt-priv-key-path = "/k/a"
jwt-pub-key-path = "/k/b"
[logs]
level = "WARN"
directives = ["axum::rejection=trace", "hyper=off"]
[websocket]
ping-interval = "1m 30s"
idle-timeout = "2min"
close-handshake-timeout = "500ms"
incoming-queue-length = 5
gzip = true
[sql]
max-memory = 1048576
max-time = "1m 30s"
max-subscription-bytes = 0
[postgres]
port = 5433
max-connections = 7
startup-timeout = "5s"
[commitlog]
max-segment-size = 4096
preallocate-segments = true
checkpoint-transactions = 1000
checkpoint-bytes = 2000
keep-checkpoints = 3
keep-segments = 4
keep-bytes = 5000
keep-age = "1day 12h"
keep-all = true
archive-dir = "/archive"
`), "/data", Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	want := WebSocketConfig{PingInterval: 90 * time.Second, IdleTimeout: 2 * time.Minute, CloseTimeout: 500 * time.Millisecond, IncomingQueue: 5, Gzip: true}
	if got := c.webSocket(); got != want {
		t.Errorf("websocket %+v", got)
	}
	if level, err := c.Level(); err != nil || level != slog.LevelWarn {
		t.Errorf("level %v, %v", level, err)
	}
	log := host.Options{
		MaxSegmentBytes: 4096, CheckpointTx: 1000, CheckpointBytes: 2000,
		SQLMemory: 1 << 20, SQLTime: 90 * time.Second, SubscriptionBytes: -1,
		Retention: host.Retention{Checkpoints: 3, Segments: 4, Bytes: 5000, Age: 36 * time.Hour, All: true, Archive: "/archive"},
	}
	if got := c.host(host.Options{}); !reflect.DeepEqual(got, log) {
		t.Errorf("log %+v; want %+v", got, log)
	}
	if got := c.postgres(); got != (PostgresConfig{MaxConnections: 7, StartupTimeout: 5 * time.Second}) || *c.Postgres.Port != 5433 {
		t.Errorf("postgres %+v", got)
	}
	if c.Keys.Private != "/k/a" || c.Keys.Public != "/k/b" {
		t.Errorf("%+v", c)
	}
}

func TestParseDuration(t *testing.T) {
	for _, tt := range []struct {
		text string
		want time.Duration
		bad  bool
	}{
		{"5s", 5 * time.Second, false}, {"1m 30s", 90 * time.Second, false}, {"1m30s", 90 * time.Second, false},
		{"500ms", 500 * time.Millisecond, false}, {"2 hours", 2 * time.Hour, false}, {"1day", 24 * time.Hour, false},
		{"1M", 2_630_016 * time.Second, false}, {"3us", 3 * time.Microsecond, false}, {"7ns", 7, false}, {"0", 0, false},
		{"", 0, true}, {"s", 0, true}, {"5", 0, true}, {"5x", 0, true}, {"-5s", 0, true}, {"1.5s", 0, true},
		{"99999999999999999999s", 0, true}, {"300y", 0, true}, {"5s 5", 0, true},
	} {
		got, err := parseDuration(tt.text)
		if got != tt.want || (err != nil) != tt.bad {
			t.Errorf("%q: %v, %v", tt.text, got, err)
		}
	}
}

// Whenever the power fails while the files of a data directory are written, they
// are there whole or not at all, and the next start goes on.
func TestMetadataSurvivesPowerCuts(t *testing.T) {
	for seed := range uint64(30) {
		for n := 0; ; n++ {
			disk, calls := vfs.NewMem(), 0
			var crashed *vfs.Mem
			start := func(fsys *vfs.Mem, version string) error {
				if _, err := LoadConfig(fsys, "/data", Overrides{}); err != nil {
					return err
				}
				return checkMetadata(fsys, "/data", version)
			}
			disk.SetHook(func(op vfs.Op, _ string) error {
				if op.Changes() {
					if calls++; calls-1 == n {
						crashed = disk.CrashClone(rand.New(rand.NewPCG(seed, uint64(n))))
					}
				}
				return nil
			})
			for _, version := range []string{"2.8.3", "2.9.0"} {
				if err := start(disk, version); err != nil {
					t.Fatal(err)
				}
			}
			done := crashed == nil
			if done {
				disk.SetHook(nil)
				crashed = disk.CrashClone(nil)
			}
			for name, want := range map[string][]string{"config.toml": {defaultConfig}, "metadata.toml": {"version = \"2.8.3\"", "version = \"2.9.0\""}} {
				text, err := vfs.ReadFile(crashed, "/data/"+name)
				if errors.Is(err, fs.ErrNotExist) && !done {
					continue
				}
				whole := slices.ContainsFunc(want, func(w string) bool { return strings.Contains(string(text), w) })
				if err != nil || !whole || done && !strings.Contains(string(text), want[len(want)-1]) {
					t.Fatalf("seed %d operation %d: %s: %q, %v", seed, n, name, text, err)
				}
			}
			if err := start(crashed, "2.9.0"); err != nil {
				t.Fatalf("seed %d operation %d: %v", seed, n, err)
			}
			if done {
				break
			}
		}
	}
}
