package client

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stdbgo/spacetime/internal/wire"
)

// Confirmed says whether the server holds answers back until what they show is
// on disk.
type Confirmed uint8

// The values of Options.ConfirmedReads.
const (
	ConfirmedDefault Confirmed = iota // the server decides: yes on V2 and V3, no on V1
	ConfirmedYes
	ConfirmedNo
)

// A Protocol is a version of the protocol, always in its binary form.
type Protocol uint8

// The protocols; V3 differs from V2 in that a payload holds several messages.
const (
	V1 Protocol = iota + 1
	V2
	V3
)

// String returns the name of the subprotocol, such as "v3.bsatn.spacetimedb".
func (p Protocol) String() string { return p.wire().String() }

func (p Protocol) wire() wire.Protocol {
	switch p {
	case V1:
		return wire.V1Binary
	case V2:
		return wire.V2
	case V3:
		return wire.V3
	}
	return 0
}

// Compression says how the server may compress what it sends.
type Compression uint8

// The values of Options.Compression.
const (
	CompressionAuto Compression = iota // none on this machine, else brotli
	CompressionNone
	CompressionBrotli
	CompressionGzip
)

// Options say where and how to connect. URL and Database are required.
type Options struct {
	// URL of the server; http, https, ws and wss are understood, a path is kept.
	URL string
	// Database is a name or an identity.
	Database string
	// Token authenticates; empty asks the server for a new identity.
	Token string

	// Protocols restricts what is offered to the server, which prefers the
	// newest. Empty offers all.
	Protocols []Protocol
	// Compression of what the server sends.
	Compression Compression
	// ConfirmedReads; the zero value leaves it to the server.
	ConfirmedReads Confirmed
	// Light asks a V1 server to leave out who and what caused the transactions of
	// others. V2 and V3 never say it.
	Light bool

	// Manual leaves delivering to the program, which calls Conn.Tick or Conn.Step
	// regularly, for instance once per frame of a game. Calls that wait must then
	// be made on another goroutine than the one that delivers.
	Manual bool
	// OnPanic is told of a panic in a callback, with the stack; the other callbacks
	// run on. nil: a panic ends the connection with a *PanicError.
	OnPanic func(value any, stack []byte)
	// Reconnect says whether and how to connect again when the connection breaks.
	Reconnect Reconnect
	// OnState is told of every change of Conn.State, as a callback; of nothing after
	// Close.
	OnState func(State)

	// MaxMessage bounds one message from the server in bytes, compressed or not;
	// 0 means 1 GiB.
	MaxMessage int64
	// QueueBytes bounds what waits to be sent; a call beyond it waits. 0 means 4 MiB.
	QueueBytes int
	// ReceiveBytes bounds what has been read and waits to be delivered, give or take
	// one message. When it is reached the connection is not read. 0 means 64 MiB.
	ReceiveBytes int
	// IdleTimeout is how long the server may be silent before the connection counts
	// as broken; after half of it the client asks for a sign of life. 0 means one
	// minute, a negative value for ever.
	IdleTimeout time.Duration
	// HTTPClient makes the handshake; nil means http.DefaultClient.
	HTTPClient *http.Client
	// Logger hears of messages that cannot be used, of callbacks that take longer
	// than 5 seconds, and of reconnections; nil means none.
	Logger *slog.Logger
}

const (
	defaultMaxMessage   = 1 << 30
	defaultQueueBytes   = 4 << 20
	defaultReceiveBytes = 64 << 20
	defaultIdleTimeout  = time.Minute
)

// setDefaults replaces zero values by what they mean.
func (o *Options) setDefaults() {
	if o.MaxMessage <= 0 || o.MaxMessage > 1<<31-2 {
		o.MaxMessage = defaultMaxMessage // one more is read to see that it is too long
	}
	if o.QueueBytes <= 0 {
		o.QueueBytes = defaultQueueBytes
	}
	if o.ReceiveBytes <= 0 {
		o.ReceiveBytes = defaultReceiveBytes
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = defaultIdleTimeout
	}
	if len(o.Protocols) == 0 {
		o.Protocols = []Protocol{V3, V2, V1}
	}
	o.Reconnect.setDefaults()
}

// subprotocols returns the names of what is offered.
func (o *Options) subprotocols() ([]string, error) {
	var names []string
	for _, p := range o.Protocols {
		if p.wire() == 0 {
			return nil, fmt.Errorf("client: Options.Protocols has %d, which is no protocol: use V1, V2 and V3", p)
		}
		names = append(names, p.String())
	}
	return names, nil
}

// address returns the WebSocket URL of the subscribe route.
func (o *Options) address() (*url.URL, error) {
	if o.Database == "" {
		return nil, errors.New("client: Options.Database is empty: give the name or identity of a database")
	}
	u, err := url.Parse(o.URL)
	if err != nil && strings.Contains(o.URL, "://") {
		return nil, fmt.Errorf("client: Options.URL: %w", err)
	}
	if u == nil {
		u = &url.URL{} // such as "127.0.0.1:3000"
	}
	switch u.Scheme {
	case "http", "ws":
		u.Scheme = "ws"
	case "https", "wss":
		u.Scheme = "wss"
	default:
		return nil, fmt.Errorf("client: Options.URL %q must begin with http://, https://, ws:// or wss://", o.URL)
	}
	u = u.JoinPath("v1", "database", url.PathEscape(o.Database), "subscribe")
	u.RawQuery = o.parameters(u.Hostname()).Encode()
	return u, nil
}

// parameters returns the query parameters of spec 05 §2.1.
func (o *Options) parameters(host string) url.Values {
	q := url.Values{}
	switch c := o.Compression; {
	case c == CompressionGzip:
		q.Set("compression", "Gzip")
	case c == CompressionNone, c == CompressionAuto && isLoopback(host):
		q.Set("compression", "None")
	default:
		q.Set("compression", "Brotli")
	}
	switch o.ConfirmedReads {
	case ConfirmedYes:
		q.Set("confirmed", "true")
	case ConfirmedNo:
		q.Set("confirmed", "false")
	}
	if o.Light {
		q.Set("light", "true")
	}
	return q
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
