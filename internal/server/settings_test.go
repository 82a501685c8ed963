package server

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"
)

func config(t *testing.T, text string, over Overrides) *Config {
	t.Helper()
	c, err := parseConfig("/data/config.toml", []byte(text), over)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return c
}

// The table and the fields of Config are the same settings.
func TestSettingsAndFields(t *testing.T) {
	c := reflect.ValueOf(&Config{}).Elem()
	for _, s := range settings {
		if _, ok := fieldOf(c, s); !ok {
			t.Errorf("the setting %s has no field", s.name())
		}
		if s.about == "" {
			t.Errorf("the setting %s is not described", s.name())
		}
	}
	for i := range c.NumField() {
		section := c.Type().Field(i).Tag.Get("toml")
		if section == "" {
			continue
		}
		for j := range c.Field(i).NumField() {
			name := section + "." + c.Field(i).Type().Field(j).Tag.Get("toml")
			if _, ok := findSetting(name); !ok {
				t.Errorf("the field of %s is no setting", name)
			}
		}
	}
}

// What the table calls the default is what holds without the key.
func TestSettingDefaults(t *testing.T) {
	var all strings.Builder
	for _, s := range settings {
		if s.fallback != "" {
			fmt.Fprintf(&all, "%s = %s\n", s.name(), s.fallback)
		}
	}
	given, absent := config(t, all.String(), Overrides{}), config(t, "", Overrides{})
	if len(given.warnings) > 0 {
		t.Errorf("warnings: %q", given.warnings)
	}
	same := func(what string, a, b any) {
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s: %+v by the table, %+v without", what, a, b)
		}
	}
	same("limits", given.limits(), absent.limits())
	same("websocket", given.webSocket().withDefaults(), absent.webSocket().withDefaults())
	allowed, named := given.issuers()
	absentAllowed, _ := absent.issuers()
	same("issuers", allowed, absentAllowed)
	same("named issuers", len(named), 0)
	same("level", given.Logs.Level, absent.Logs.Level)
	policy, _ := given.publishPolicy()
	same("publish", policy, PublishPolicy{})
	proxies, _ := given.trustedProxies()
	same("proxies", proxies, Proxies{Trusted: localProxies})
	same("listen", given.HTTP.Listen, defaultListen)
	same("header time", given.HTTP.HeaderTimeout.Duration, headerTimeout)
	same("idle time", given.HTTP.IdleTimeout.Duration, idleTime)
	same("shutdown", given.HTTP.ShutdownTimeout.Duration, defaultShutdown)
	same("program", *given.HTTP.MaxProgram, int64(defaultMaxProgram))
	same("header", *given.HTTP.MaxHeader, int64(1<<20))
	same("log size", *given.Logs.MaxFileBytes, int64(defaultLogBytes))
	same("log files", *given.Logs.KeepFiles, int64(defaultLogFiles))
	same("module HTTP", given.moduleHTTP().Disabled, absent.moduleHTTP().Disabled)
}

// The default file holds every setting, and lines that are uncommented mean it.
func TestDefaultFileIsComplete(t *testing.T) {
	c := config(t, defaultConfig, Overrides{})
	if len(c.warnings) > 0 || len(c.origins) != 2 {
		t.Errorf("warnings %q, origins %v", c.warnings, c.origins)
	}
	open := regexp.MustCompile(`(?m)^# ([a-z0-9-]+ = .+)$`).ReplaceAllString(defaultConfig, "$1")
	c = config(t, open, Overrides{})
	for _, s := range settings {
		if _, ok := c.origins[s.name()]; !ok && s.fallback != "" {
			t.Errorf("%s is not in the default file", s.name())
		}
		if !strings.Contains(defaultConfig, "\n# "+s.key+" =") && !strings.Contains(defaultConfig, "\n"+s.key+" =") {
			t.Errorf("%s is not in the default file", s.name())
		}
	}
}

func TestUnknownKeysAreNamed(t *testing.T) {
	c := config(t, "[websocket]\ngzpi = true\n\n[v8-heap-policy]\nheap-limit-mb = 5\n[commitlog]\npreallocate-segments = true\n[limts]\nconnections = 5\n[what]\nx = 1\n", Overrides{})
	want := []string{
		"/data/config.toml:2: the key websocket.gzpi is not known and has no effect; do you mean websocket.gzip?",
		"/data/config.toml:8: the key limts is not known and has no effect; do you mean the section [limits]?",
		"/data/config.toml:10: the key what is not known and has no effect; the sections are " + strings.Join(sections(), ", "),
	}
	if got := strings.Join(c.warnings, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("warnings:\n%s", got)
	}
}

// A name that is no setting brings the one that may have been meant.
func TestSuggestions(t *testing.T) {
	for _, tt := range []struct {
		sp          spelling
		given, want string
	}{
		{variableSpelling, "SPACETIME_CONFIG_WEBSOCKET_PING", "; do you mean SPACETIME_CONFIG_WEBSOCKET_PING_INTERVAL?"},
		{variableSpelling, "SPACETIME_CONFIG_WEBSOCKET_IDEL_TIMEOUT", "; do you mean SPACETIME_CONFIG_WEBSOCKET_IDLE_TIMEOUT?"},
		{variableSpelling, "SPACETIME_CONFIG_WEBSOCKETS_PING_INTERVAL", "; do you mean SPACETIME_CONFIG_WEBSOCKET_PING_INTERVAL?"},
		{variableSpelling, "SPACETIME_CONFIG_SERVER_PING_INTERVAL", "; do you mean SPACETIME_CONFIG_WEBSOCKET_PING_INTERVAL?"},
		{variableSpelling, "SPACETIME_CONFIG_HTTP_PING_INTERVAL", "; do you mean SPACETIME_CONFIG_WEBSOCKET_PING_INTERVAL?"},
		{variableSpelling, "SPACETIME_CONFIG_V8_HEAP_POLICY_HEAP_LIMIT", "; do you mean SPACETIME_CONFIG_V8_HEAP_POLICY_HEAP_LIMIT_MB?"},
		{variableSpelling, "SPACETIME_CONFIG_TSL_CERT", "; do you mean the section [tls]?"},
		{variableSpelling, "SPACETIME_CONFIG_TLS_COLOUR", "; there are SPACETIME_CONFIG_TLS_CERT_FILE, SPACETIME_CONFIG_TLS_KEY_FILE, SPACETIME_CONFIG_TLS_MIN_VERSION"},
		{variableSpelling, "SPACETIME_CONFIG_", "; the sections are " + strings.Join(sections(), ", ")},
		{fileSpelling, "websocket.ping", "; do you mean websocket.ping-interval?"},
		{fileSpelling, "gzip", "; do you mean websocket.gzip?"},
		{fileSpelling, "websokcet.gzip", "; do you mean websocket.gzip?"},
		{fileSpelling, "procedure-instance-pool-size", "; do you mean wasm.procedure-instance-pool-size or v8.procedure-instance-pool-size?"},
		{fileSpelling, "lmits.what", "; do you mean the section [limits]?"},
		{fileSpelling, "tls.", "; there are tls.cert-file, tls.key-file, tls.min-version"},
		{fileSpelling, "zzz.y", "; the sections are " + strings.Join(sections(), ", ")},
		{fileSpelling, "", "; the sections are " + strings.Join(sections(), ", ")},
	} {
		if got := tt.sp.suggest(tt.given); got != tt.want {
			t.Errorf("%s: %s; want %s", tt.given, got, tt.want)
		}
	}
}

func TestOverrides(t *testing.T) {
	over := Overrides{
		Environ: []string{"HOME=/x", "SPACETIME_CONFIG_WEBSOCKET_GZIP=true", "SPACETIME_CONFIG_WEBSOCKET_PING_INTERVAL=1m",
			"SPACETIME_CONFIG_WEBSOCKET_IDLE_TIMEOUT=2m", "SPACETIME_CONFIG_PROXY_TRUSTED=10.0.0.0/8, ::1", "SPACETIME_CONFIG_PUBLISH_ALLOW=list"},
		Set: []string{"websocket.ping-interval=20s", "publish.identities=" + someone, "logs.level=WARN", "tls.cert-file=/c", "tls.key-file=/k", "limits.connections=9"},
	}
	c := config(t, "[websocket]\ngzip = false\nping-interval = \"5s\"\nidle-timeout = \"7s\"\nincoming-queue-length = 5\n[proxy]\ntrusted = [\"1.2.3.4\", \"5.6.7.8\", \"9.9.9.9\"]\n", over)
	w := c.webSocket()
	if !w.Gzip || w.PingInterval != 20*time.Second || w.IdleTimeout != 2*time.Minute || w.IncomingQueue != 5 {
		t.Errorf("websocket %+v", w)
	}
	if p, err := c.trustedProxies(); err != nil || fmt.Sprint(p.Trusted) != "[10.0.0.0/8 ::1/128]" {
		t.Errorf("proxies %+v, %v", p, err)
	}
	if p, err := c.publishPolicy(); err != nil || !p.Listed || len(p.Identities) != 1 || p.Identities[0].String() != someone {
		t.Errorf("publish %+v, %v", p, err)
	}
	if c.limits().Connections != 9 || c.TLS.Cert != "/c" || c.TLS.Key != "/k" {
		t.Errorf("%+v", c)
	}

	var printed bytes.Buffer
	if err := c.print(&printed); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"gzip = true # SPACETIME_CONFIG_WEBSOCKET_GZIP", `ping-interval = "20s" # --set`, "incoming-queue-length = 5 # config.toml",
		`close-handshake-timeout = "250ms" # default`, "# archive-dir is not set", `trusted = ["10.0.0.0/8", "::1"] # SPACETIME_CONFIG_PROXY_TRUSTED`,
		`level = "WARN" # --set`, `identities = ["` + someone + `"] # --set`,
	} {
		if !strings.Contains(printed.String(), "\n"+line+"\n") {
			t.Errorf("no line %q in\n%s", line, printed.String())
		}
	}
	// What is printed is a configuration that means the same.
	again := config(t, printed.String(), Overrides{})
	if len(again.warnings) > 0 || !reflect.DeepEqual(again.webSocket(), func() WebSocketConfig { w := w; w.CloseTimeout = 250 * time.Millisecond; return w }()) || again.limits() != c.limits() {
		t.Errorf("read again: %q %+v", again.warnings, again)
	}
	if err := toml.Unmarshal(printed.Bytes(), new(map[string]any)); err != nil {
		t.Error(err)
	}
}

func TestBadOverrides(t *testing.T) {
	for _, tt := range []struct{ environ, set, want string }{
		{"SPACETIME_CONFIG_WEBSOCKET_GZPI=true", "", "the environment variable SPACETIME_CONFIG_WEBSOCKET_GZPI is no setting; do you mean SPACETIME_CONFIG_WEBSOCKET_GZIP?"},
		{"SPACETIME_CONFIG_WEBSOCKET_GZIP=yes", "", `the environment variable SPACETIME_CONFIG_WEBSOCKET_GZIP = "yes": websocket.gzip is true or false, not "yes"`},
		{"SPACETIME_CONFIG_LIMITS_CONNECTIONS=many", "", `limits.connections is a whole number, not "many"`},
		{"SPACETIME_CONFIG_LIMITS_CONNECTIONS=0", "", "[limits] connections = 0 is out of range: want 1 to"},
		{"", "websocket.gzip", "--set websocket.gzip: expected section.key=value"},
		{"", "websocket.gzpi=true", "there is no setting websocket.gzpi; do you mean websocket.gzip?"},
		{"", "websocket.ping-interval=5", "websocket.ping-interval: time unit needed in duration `5`, for example 5ms"},
		{"", "websocket.ping-interval=1h", "idle-timeout (30s) must exceed ping-interval (1h0m0s)"},
		{"", "logs.format=xml", `[logs] format = "xml"; expected text or json`},
		{"", "publish.allow=nobody", `[publish] allow = "nobody"; expected open, owner or list`},
		{"", "publish.identities=abc", `"abc" is no identity`},
		{"", "publish.identities=" + someone, `have no effect with allow = "open"; set allow = "list"`},
		{"", "proxy.trusted=10.0.0.0/40", `"10.0.0.0/40" is neither an address nor a network`},
		{"", "tls.cert-file=/x", "[tls] needs both cert-file and key-file"},
		{"", "tls.cert-file=x", `[tls] cert-file = "x" must be an absolute path`},
		{"", "tls.min-version=1.1", "expected 1.2 or 1.3"},
	} {
		over := Overrides{}
		if tt.environ != "" {
			over.Environ = []string{tt.environ}
		}
		if tt.set != "" {
			over.Set = []string{tt.set}
		}
		if _, err := parseConfig("/data/config.toml", nil, over); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s%s: %v; want %s", tt.environ, tt.set, err, tt.want)
		}
	}
}

// Values of the wrong kind are named with line and kind.
func TestWrongKinds(t *testing.T) {
	for text, want := range map[string]string{
		"[limits]\n\nconnections = \"many\"":          "line 3: limits.connections is a whole number, without quotes",
		"[websocket]\ngzip = 1":                       "line 2: websocket.gzip is true or false",
		"[websocket]\nping-interval = 5":              "line 2: websocket.ping-interval: time unit needed in duration `5`",
		"[proxy]\ntrusted = \"10.0.0.1\"":             `line 2: proxy.trusted is a list of texts like ["a", "b"]`,
		"[http]\nlisten = 3000":                       "line 2: http.listen is a text in quotes",
		"[websocket]\nping-interval = true":           `line 2: websocket.ping-interval`,
		"[logs]\nformat = \"text\"\nlevel = \"loud\"": `3| level = "loud"`,
		"[http": "1| [http",
	} {
		if _, err := parseConfig("/data/config.toml", []byte(text), Overrides{}); err == nil || !strings.HasPrefix(err.Error(), "invalid TOML syntax in /data/config.toml") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Printing the configuration changes nothing, and tells whether a server would start
// with it.
func TestPrintConfig(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	printed := func(listen string, set ...string) (string, error) {
		var b bytes.Buffer
		err := PrintConfig(RunOptions{DataDir: dir, KeyDir: dir, ListenAddr: listen, Stdout: &b, Overrides: Overrides{Set: set}})
		return b.String(), err
	}
	if text, err := printed(""); err != nil || !strings.Contains(text, `"spacetimedb=debug"`) {
		t.Errorf("%v\n%s", err, text)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the directory was made: %v", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.toml"), []byte("[websocket]\ngzp = true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := printed("127.0.0.1:80"); err != nil || !strings.Contains(text, "config.toml:2: the key websocket.gzp is not known") ||
		!strings.Contains(text, "\nlisten = \"127.0.0.1:80\" # --listen-addr\n") {
		t.Errorf("%v\n%s", err, text)
	}
	if text, err := printed("", "publish.allow=list"); err != nil || !strings.Contains(text, "# warning: [publish] allow = \"list\", but identities and issuers are empty") {
		t.Errorf("%v\n%s", err, text)
	}
	missing := filepath.Join(dir, "missing.pem")
	for _, tt := range []struct{ listen, set, want string }{
		{"300.0.0.1:3000", "", `listen address "300.0.0.1:3000": this machine cannot listen there`},
		{"192.0.2.1:3000", "", `listen address "192.0.2.1:3000": this machine cannot listen there`},
		{"127.0.0.1", "", `listen address "127.0.0.1": missing port in address; expected host:port`},
		{"", "http.listen=127.0.0.1:99999", `[http] listen: listen address "127.0.0.1:99999": "99999" is not a port`},
		{"127.0.0.1:5432", "postgres.port=5432", "[postgres] port = 5432 is the port of the listen address"},
		{"", "tls.cert-file=" + missing + ",tls.key-file=" + missing, "missing.pem: "},
		{"", "commitlog.archive-dir=" + filepath.Join(dir, "config.toml"), "is not a directory"},
		{"", "certificate-authority.jwt-priv-key-path=" + filepath.Join(dir, "config.toml") + ",certificate-authority.jwt-pub-key-path=" + filepath.Join(dir, "config.toml"), "private key " + filepath.Join(dir, "config.toml")},
		{"", "limits.connections=0", "[limits] connections = 0 is out of range"},
	} {
		var set []string
		if tt.set != "" {
			set = strings.Split(tt.set, ",")
		}
		text, err := printed(tt.listen, set...)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(text, "\n[postgres]\n") {
			t.Errorf("%s %s: %v; want %s\n%s", tt.listen, tt.set, err, tt.want, text)
		}
	}
}
