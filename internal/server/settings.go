package server

import (
	"fmt"
	"strings"
)

// A setting is one key of config.toml. The table of settings is what the default
// file, the names in warnings, the printed configuration and the documentation
// (docs/operations.md, by a test) are made from.
type setting struct {
	section, key string
	// fallback is the default in TOML; empty if there is none that can be written
	// down, and about says what holds then.
	fallback string
	about    string
	// written is what the default file sets, where that is not the default.
	written string
}

func (s setting) name() string { return s.section + "." + s.key }

// variable is the environment variable that sets the same.
func (s setting) variable() string {
	return variablePrefix + variableText(s.name())
}

// variablePrefix begins the names of environment variables that are settings.
const variablePrefix = "SPACETIME_CONFIG_"

// settings stand in the order of the default file.
var settings = []setting{
	{"certificate-authority", "jwt-priv-key-path", "", "The private key that tokens are signed with. Default: id_ecdsa in the directory of\nkeys (--jwt-key-dir). Needs jwt-pub-key-path.", ""},
	{"certificate-authority", "jwt-pub-key-path", "", "The public key that belongs to it.", ""},

	{"logs", "level", `"error"`, "off, error, warn, info, debug or trace", `"error"`},
	{"logs", "directives", `[]`, "target=level; our own messages have the target \"spacetimedb\", whose level goes before\nthe general one", `[
    "spacetimedb=debug",
    "spacetimedb_client_api=debug",
    "spacetimedb_lib=debug",
    "spacetimedb_standalone=debug",
    "spacetimedb_commitlog=info",
    "spacetimedb_durability=info",
    "axum::rejection=trace",
]`},
	{"logs", "format", `"text"`, "text: a line for people. json: an object a line, for programs that collect logs.", ""},
	{"logs", "max-file-bytes", "67108864", "The server's log file in logs/ begins anew at this size; 0: never.", ""},
	{"logs", "keep-files", "5", "How many full log files are kept beside the current one.", ""},

	{"logs", "requests", "false", "Log every HTTP request at level info: address, method, path, status, time.", ""},

	{"http", "listen", `"0.0.0.0:3000"`, "Where to listen. --listen-addr goes before it.", ""},
	{"http", "header-timeout", `"30s"`, "How long a client may take to send the header of a request.", ""},
	{"http", "idle-timeout", `"3min"`, "How long a connection may wait for its next request.", ""},
	{"http", "max-header-bytes", "1048576", "The largest header of a request.", ""},
	{"http", "max-program-bytes", "1073741824", "The largest module that can be published.", ""},
	{"http", "shutdown-timeout", `"5s"`, "How long requests and sessions may take to end when the server stops.", ""},

	{"tls", "cert-file", "", "The certificate chain (PEM). With it the server speaks https and wss. Default: none.\nNeeds key-file. Both are read again when they change, and at SIGHUP.", ""},
	{"tls", "key-file", "", "The private key of the certificate (PEM).", ""},
	{"tls", "min-version", `"1.2"`, "The oldest version of TLS that clients may speak: 1.2 or 1.3.", ""},

	{"proxy", "trusted", `["127.0.0.0/8", "::1/128"]`, "Addresses and networks of proxies that are believed when they say where a request\ncomes from.", ""},
	{"proxy", "header", `"x-forwarded"`, "Which headers they say it by: x-forwarded (X-Forwarded-For, -Proto and -Host) or\nforwarded (RFC 7239). The other kind is ignored.", ""},

	{"auth", "issuers", `["*"]`, "OpenID Connect issuers whose tokens are accepted, besides the server's own: \"*\" for\nany, [] for none. One that is named, beside \"*\" too, may have a private address.", ""},
	{"auth", "allow-private-addresses", "false", "May issuers that are not named be on this machine and in private networks? For\ndevelopment only.", ""},

	{"publish", "allow", `"open"`, "Who may create databases: open (anybody), owner (who owns one already; on a server\nwithout databases the first one to publish), list (identities and issuers below).\nUpdates are the owner's alone in any case.", ""},
	{"publish", "identities", `[]`, "For allow = \"list\": identities, 64 hexadecimal digits each, as `spacetime login show`\nprints them.", ""},
	{"publish", "issuers", `[]`, "For allow = \"list\": issuers of tokens, all of whose identities may create databases.", ""},

	{"limits", "connections", "65536", "Open connections of all clients together; one more is answered 503.", ""},
	{"limits", "connections-per-address", "4096", "Open connections of one address; one more is answered 429. Like the limits below it\ndoes not count for clients on this machine and for trusted proxies; 0: none.", ""},
	{"limits", "sessions-per-identity", "4096", "WebSocket connections of one identity; one more is answered 429. 0: none.", ""},
	{"limits", "requests-per-address", "1000", "HTTP requests a second of one address, on average; more are answered 429 with\nRetry-After. 0: no limit.", ""},
	{"limits", "requests-per-identity", "1000", "The same for one identity, whatever its addresses.", ""},
	{"limits", "request-burst", "5000", "How many requests may come at once before the averages count.", ""},
	{"limits", "messages-per-connection", "10000", "Messages a second on a WebSocket, on average. A client that sends more is not heard for\nso long; after a minute of that its connection is closed with 1008. 0: no limit.", ""},
	{"limits", "messages-per-identity", "20000", "The same for all WebSockets of one identity together.", ""},
	{"limits", "message-burst", "20000", "How many messages may come at once before these averages count.", ""},

	{"websocket", "ping-interval", `"15s"`, "How often clients are pinged.", ""},
	{"websocket", "idle-timeout", `"30s"`, "A connection without a byte from the client for so long is dropped.", ""},
	{"websocket", "close-handshake-timeout", `"250ms"`, "How long the server waits for the answer to its Close.", ""},
	{"websocket", "incoming-queue-length", "16384", "Messages of one client that may wait; one more closes its connection.", ""},
	{"websocket", "gzip", "false", "Compress messages for clients that ask for gzip. Some SDKs then handle messages\nout of order.", ""},

	{"wasm", "engine", `"auto"`, "What runs WebAssembly if the engine's self-test fails: auto, compiler, interpreter", ""},
	{"wasm", "max-memory", "", "How many bytes of memory an instance of a module may have, at most 4294967296.\nDefault: half of what the machine has, at most that.", ""},
	{"wasm", "procedure-instance-pool-size", "", "How many instances of a module run procedures and HTTP handlers at a time.\nDefault: the number of processors.", ""},
	{"v8", "procedure-instance-pool-size", "", "The same for modules in JavaScript.", ""},

	{"v8-heap-policy", "heap-limit-mb", "1024", "How many MiB of memory an instance of a module in JavaScript may have. 0: 1024.", ""},

	{"module-http", "enabled", "true", "May modules make HTTP requests?", ""},
	{"module-http", "allow-private-addresses", "false", "May these reach this machine and private networks? For development only.", ""},
	{"module-http", "max-response-bytes", "67108864", "The largest response that a module can receive.", ""},
	{"module-http", "max-request-bytes", "67108864", "The largest request that its HTTP handlers can.", ""},

	{"postgres", "port", "", "Clients of PostgreSQL can log in on this port (1024 to 65534), and query: user: any,\ndatabase: its name, password: a token. --pg-port goes before it. Default: off.", ""},
	{"postgres", "max-connections", "1000", "Connections of such clients at once.", ""},
	{"postgres", "startup-timeout", `"1min"`, "How long such a client may take to log in.", ""},

	{"sql", "max-memory", "268435456", "How many bytes one statement may hold for sorting, grouping and the like; the\ndatabase's owner may hold any number. 0: no limit.", ""},
	{"sql", "max-time", `"30s"`, "How long one statement of anybody but the owner may run; \"0s\": no limit.", ""},
	{"sql", "max-subscription-bytes", "268435456", "How many bytes of rows a subscription may begin with: they are one message. 0: no limit.", ""},

	{"commitlog", "max-segment-size", "1073741824", "The size of one file of the log.", ""},
	{"commitlog", "checkpoint-transactions", "1000000", "A checkpoint is written after so many transactions,", ""},
	{"commitlog", "checkpoint-bytes", "268435456", "or after so many bytes of the log.", ""},
	{"commitlog", "keep-checkpoints", "2", "Recovery needs the newest checkpoint and the log since then. What stays besides: that\nmany checkpoints with the log since the oldest of them,", ""},
	{"commitlog", "keep-segments", "0", "so many older files of the log,", ""},
	{"commitlog", "keep-bytes", "0", "so many bytes of them,", ""},
	{"commitlog", "keep-age", "", "what is younger than this, like \"7 days\" (default: nothing),", ""},
	{"commitlog", "keep-all", "false", "or all of it.", ""},
	{"commitlog", "archive-dir", "", "What does not stay is moved into folders of this directory, instead of deleted.", ""},
}

// foreign are keys of the original that mean nothing here; an existing file may
// have them.
var foreign = map[string]bool{
	"v8-heap-policy.heap-check-request-interval": true, "v8-heap-policy.heap-check-time-interval": true,
	"v8-heap-policy.heap-gc-trigger-fraction": true, "v8-heap-policy.heap-retire-fraction": true,
	"commitlog.log-format-version": true, "commitlog.offset-index-interval-bytes": true, "commitlog.offset-interval-bytes": true,
	"commitlog.offset-index-require-segment-fsync": true, "commitlog.offset-index-require-fsync": true,
	"commitlog.preallocate-segments": true, "commitlog.write-buffer-size": true,
}

// findSetting looks a setting up by its full name.
func findSetting(name string) (setting, bool) {
	for _, s := range settings {
		if s.name() == name {
			return s, true
		}
	}
	return setting{}, false
}

// defaultConfig is written where there is no config.toml: every setting with what
// it does, commented out where the default holds.
var defaultConfig = func() string {
	var b strings.Builder
	b.WriteString("# Configuration of the server. It is read once, at start; what is commented out\n# stands with its default. `spacetime start --print-config` shows what holds.\n")
	section := ""
	for _, s := range settings {
		if s.section != section {
			section = s.section
			fmt.Fprintf(&b, "\n[%s]\n", section)
		}
		fmt.Fprintf(&b, "# %s\n", strings.ReplaceAll(s.about, "\n", "\n# "))
		switch {
		case s.written != "":
			fmt.Fprintf(&b, "%s = %s\n", s.key, s.written)
		case s.fallback != "":
			fmt.Fprintf(&b, "# %s = %s\n", s.key, s.fallback)
		default:
			fmt.Fprintf(&b, "# %s =\n", s.key)
		}
	}
	return b.String()
}()
