package cli

import (
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// StartOptions are what `spacetime start` asks of a server (spec 06 §5.1).
type StartOptions struct {
	DataDir    string // absolute
	ListenAddr string // host:port; empty: the server's default, 0.0.0.0:3000
	KeyDir     string // that holds id_ecdsa and id_ecdsa.pub
	// PublicKeyPath and PrivateKeyPath are both set or both empty; set, they go
	// before KeyDir.
	PublicKeyPath, PrivateKeyPath string
	InMemory                      bool
	NonInteractive                bool // fail instead of asking when the port is taken
	// Set holds settings, "section.key=value" each, that go before those of config.toml.
	Set []string
	// PrintConfig asks for the configuration to be printed instead of a server.
	PrintConfig bool

	Stdin  io.Reader
	Stdout io.Writer
	Color  bool // of log lines on Stdout
}

// Ports that --pg-port takes (spec 06 §5.1).
const (
	minPGPort = 1024
	maxPGPort = 65534
)

// startCommand runs a server in this process. The original replaces itself by the
// server's program and hands all options on; so options are the server's, and the
// last one of two wins.
func (r *run) startCommand() *cobra.Command {
	return &cobra.Command{
		Use:         "start [OPTIONS]",
		Short:       "Start a local server",
		Annotations: map[string]string{forwards: "everything"},
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := r.parseStart(cmd, args)
			if err != nil {
				return r.helpOr(cmd, err)
			}
			return r.start(cmd.Context(), o)
		},
	}
}

func (r *run) start(ctx context.Context, o *StartOptions) error {
	if r.Start == nil {
		return fail("this program holds no server")
	}
	return r.Start(ctx, *o)
}

// parseStart parses the server's options.
func (r *run) parseStart(cmd *cobra.Command, args []string) (*StartOptions, error) {
	args, err := edition(cmd, args)
	if err != nil {
		return nil, err
	}
	c, err := r.config()
	if err != nil {
		return nil, err
	}
	o := &StartOptions{DataDir: r.dataDir(), ListenAddr: c.listenAddr, KeyDir: r.configDir(), Stdin: r.stdin(), Stdout: r.Stdout, Color: r.color(r.Stdout)}
	var tracy bool
	var pages, pgPort string
	f := cmd.Flags()
	f.VarP(once(&o.ListenAddr, "host:port"), "listen-addr", "l", "where to listen; default 0.0.0.0:3000")
	f.Var(once(&o.DataDir, "directory"), "data-dir", "where databases are kept; default "+o.DataDir)
	f.BoolVar(&o.InMemory, "in-memory", false, "keep databases in memory only")
	f.BoolVar(&o.NonInteractive, "non-interactive", false, "fail instead of asking when the port is taken")
	f.Var(once(&o.KeyDir, "directory"), "jwt-key-dir", "directory of the keys id_ecdsa and id_ecdsa.pub")
	f.Var(once(&o.PublicKeyPath, "file"), "jwt-pub-key-path", "the public key; needs --jwt-priv-key-path")
	f.Var(once(&o.PrivateKeyPath, "file"), "jwt-priv-key-path", "the private key; needs --jwt-pub-key-path")
	f.Var(once(&pgPort, "port"), "pg-port", "serve PostgreSQL clients on this port (1024 to 65534); default: the [postgres] port of config.toml, else off")
	f.Var(once(&pages, "size"), "page_pool_max_size", "accepted for compatibility, without effect")
	f.BoolVar(&tracy, "enable-tracy", false, "accepted for compatibility, without effect")
	f.BoolVar(&o.PrintConfig, "print-config", false, "print the configuration that holds, and where each value comes from, and end")
	f.Var(settingFlag{r, &o.Set, "", "key=value"}, "set", "set what config.toml can: section.key=value, as in websocket.gzip=true; lists with commas")
	for _, s := range startSettings {
		f.Var(settingFlag{r, &o.Set, s.setting, s.kind}, s.flag, s.about)
	}
	for _, name := range []string{"page_pool_max_size", "enable-tracy"} {
		f.Lookup(name).Hidden = true
	}
	f.VisitAll(func(o *pflag.Flag) { o.Annotations = map[string][]string{repeatable: {}} }) // the last one wins
	words, _, err := parseOptions(cmd, args)
	if err == nil {
		err = noPositionals(cmd, words)
	}
	if err != nil {
		return nil, err
	}
	for _, pair := range [][2]string{{"jwt-pub-key-path", "jwt-priv-key-path"}, {"jwt-priv-key-path", "jwt-pub-key-path"}} {
		if f.Changed(pair[0]) && !f.Changed(pair[1]) {
			return nil, usagef(cmd, "the following required arguments were not provided:\n  --%s <file>", pair[1])
		}
	}
	if pgPort != "" {
		n, err := strconv.Atoi(pgPort)
		if err != nil || n < minPGPort || n > maxPGPort {
			return nil, usagef(cmd, "invalid value '%s' for '--pg-port <port>': a port from %d to %d is needed", pgPort, minPGPort, maxPGPort)
		}
		o.Set = append(o.Set, "postgres.port="+pgPort)
	}
	for _, path := range []*string{&o.DataDir, &o.KeyDir, &o.PublicKeyPath, &o.PrivateKeyPath} {
		if *path != "" {
			*path = r.path(*path)
		}
	}
	return o, nil
}

// startSettings are the options that stand for one setting of config.toml.
var startSettings = []struct{ flag, setting, kind, about string }{
	{"tls-cert", "tls.cert-file", "file", "certificate chain (PEM): the server speaks https and wss; needs --tls-key"},
	{"tls-key", "tls.key-file", "file", "private key of the certificate (PEM)"},
	{"publish", "publish.allow", "who", "who may create databases: open, owner, list"},
	{"trusted-proxies", "proxy.trusted", "networks", "proxies whose X-Forwarded headers are believed; default 127.0.0.0/8,::1/128"},
	{"log-format", "logs.format", "format", "text or json"},
}

// A settingFlag is an option that sets a setting; without one, its value names it.
type settingFlag struct {
	r       *run
	into    *[]string
	setting string
	kind    string
}

func (f settingFlag) String() string { return "" }
func (f settingFlag) Type() string   { return f.kind }

func (f settingFlag) Set(value string) error {
	if f.kind == "file" {
		value = f.r.path(value)
	}
	if f.setting != "" {
		value = f.setting + "=" + value
	}
	*f.into = append(*f.into, value)
	return nil
}

// edition takes --edition off the arguments, where only the first one may be it.
func edition(cmd *cobra.Command, args []string) ([]string, error) {
	if len(args) == 0 || args[0] != "--edition" && !strings.HasPrefix(args[0], "--edition=") {
		return args, nil
	}
	_, value, has := strings.Cut(args[0], "=")
	args = args[1:]
	if !has {
		if len(args) == 0 {
			return nil, usagef(cmd, "a value is required for '--edition <edition>' but none was supplied")
		}
		value, args = args[0], args[1:]
	}
	switch value {
	case "standalone":
		return args, nil
	case "cloud":
		return nil, fail("there is no edition `cloud` of this server: leave --edition out")
	}
	return nil, usagef(cmd, "invalid value '%s' for '--edition <edition>'\n  [possible values: standalone, cloud]", value)
}
