package server

import (
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/stdbgo/spacetime/sats"
)

// Limits bound what one client may use of a server. Zero fields bound nothing, and
// clients on the machine itself are never bounded: they are tools, tests and
// proxies that the configuration does not know.
type Limits struct {
	Connections           int // open at a time, of all clients
	ConnectionsPerAddress int
	SessionsPerIdentity   int // WebSocket connections
	RequestsPerAddress    int // HTTP requests a second, on average
	RequestsPerIdentity   int
	RequestBurst          int // that may come at once before the average counts
	MessagesPerConnection int // WebSocket messages a second, on average
	MessagesPerIdentity   int
	MessageBurst          int
}

// limits is the section [limits] with its defaults.
func (c *Config) limits() Limits {
	l := &c.Limits
	return Limits{
		Connections:           int(value(l.Connections, 65536)),
		ConnectionsPerAddress: int(value(l.ConnectionsPerAddress, 4096)),
		SessionsPerIdentity:   int(value(l.SessionsPerIdentity, 4096)),
		RequestsPerAddress:    int(value(l.RequestsPerAddress, 1000)),
		RequestsPerIdentity:   int(value(l.RequestsPerIdentity, 1000)),
		RequestBurst:          int(value(l.RequestBurst, 5000)),
		MessagesPerConnection: int(value(l.MessagesPerConnection, 10000)),
		MessagesPerIdentity:   int(value(l.MessagesPerIdentity, 20000)),
		MessageBurst:          int(value(l.MessageBurst, 20000)),
	}
}

// An admission keeps the counts that Limits are about.
type admission struct {
	Limits
	addresses  rates[netip.Addr]
	identities rates[sats.Identity]
	messages   rates[sats.Identity]
	sessions   counts[sats.Identity]
	clients    counts[netip.Addr] // WebSocket sessions that come through proxies
}

func (a *admission) init(l Limits) {
	a.Limits = l
	burst := float64(max(l.RequestBurst, 1))
	a.addresses.rate, a.addresses.burst = float64(l.RequestsPerAddress), burst
	a.identities.rate, a.identities.burst = float64(l.RequestsPerIdentity), burst
	a.messages.rate, a.messages.burst = float64(l.MessagesPerIdentity), float64(max(l.MessageBurst, 1))
}

// exempt reports whether an address is not bounded.
func exempt(a netip.Addr) bool { return !a.IsValid() || a.IsLoopback() }

// counted is the address that the limits of a request are about. A connection from
// the server's own address comes from this machine.
func counted(r *http.Request, client netip.Addr) netip.Addr {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok && plainAddr(local.AddrPort().Addr()) == client {
		return netip.Addr{}
	}
	return client
}

// network is what is counted as one client: an address, and of IPv6, where anybody
// has many, the network of a customer.
func network(a netip.Addr) netip.Addr {
	if !a.Is6() {
		return a
	}
	p, _ := a.Prefix(64) // 64 bits are there
	return p.Addr()
}

// address admits a request by where it comes from.
func (a *admission) address(from netip.Addr, now time.Time) error {
	if exempt(from) {
		return nil
	}
	return tooMany("requests from your address", a.addresses.take(network(from), now))
}

// identity admits a request by who sent it.
func (a *admission) identity(from netip.Addr, id sats.Identity, now time.Time) error {
	if exempt(from) {
		return nil
	}
	return tooMany("requests of your identity", a.identities.take(id, now))
}

// session admits a WebSocket connection; done is to be called when it has ended.
func (a *admission) session(from netip.Addr, id sats.Identity, proxied bool) (done func(), err error) {
	if exempt(from) {
		return func() {}, nil
	}
	if !a.sessions.add(id, a.SessionsPerIdentity) {
		return nil, tooMany("connections of your identity", sessionRetry)
	}
	at := network(from)
	if proxied && !a.clients.add(at, a.ConnectionsPerAddress) {
		a.sessions.remove(id)
		return nil, tooMany("connections from your address", sessionRetry)
	}
	return func() {
		a.sessions.remove(id)
		if proxied {
			a.clients.remove(at)
		}
	}, nil
}

// sessionRetry is when one who has too many connections may try again.
const sessionRetry = 10 * time.Second

// tooMany is the answer to one who has to wait; no error if there is no wait.
func tooMany(what string, wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	seconds := int(math.Ceil(wait.Seconds()))
	return &httpError{
		status: http.StatusTooManyRequests, retry: seconds,
		body: "Too many " + what + ": try again in " + strconv.Itoa(seconds) + " s, or ask the operator of the server to raise [limits] in config.toml",
	}
}

// maxTracked bounds how many clients are remembered; of more, some are forgotten,
// which lets them have their burst again.
const maxTracked = 1 << 16

// rates are token buckets: each key may spend burst at once, and rate a second.
type rates[K comparable] struct {
	rate, burst float64 // rate 0: no limit

	mu      sync.Mutex
	buckets map[K]bucket
	swept   time.Time
}

type bucket struct {
	tokens float64 // below 0: spent in advance
	at     time.Time
}

// fill adds what has come since the last time.
func (b *bucket) fill(rate, burst float64, now time.Time) {
	b.tokens = min(burst, b.tokens+max(0, now.Sub(b.at).Seconds())*rate)
	b.at = now
}

// spend takes n tokens, if need be in advance. It returns how long to wait then.
func (b *bucket) spend(n int, rate, burst float64, now time.Time) (wait time.Duration) {
	b.fill(rate, burst, now)
	b.tokens -= float64(n)
	return time.Duration(max(0, -b.tokens) / rate * float64(time.Second))
}

// take spends a token of the key. It returns how long to wait for one if there is
// none.
func (r *rates[K]) take(key K, now time.Time) (wait time.Duration) {
	if r.rate == 0 {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.of(key, now)
	b.fill(r.rate, r.burst, now)
	if b.tokens >= 1 {
		b.tokens--
	} else {
		wait = time.Duration((1 - b.tokens) / r.rate * float64(time.Second))
	}
	r.buckets[key] = b
	return wait
}

// spend takes n tokens of the key, if need be in advance. It returns how long to wait
// then.
func (r *rates[K]) spend(key K, n int, now time.Time) time.Duration {
	if r.rate == 0 {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.of(key, now)
	wait := b.spend(n, r.rate, r.burst, now)
	r.buckets[key] = b
	return wait
}

// of is the bucket of a key, a full one if there is none; the lock is held.
func (r *rates[K]) of(key K, now time.Time) bucket {
	b, known := r.buckets[key]
	if !known {
		r.room(now)
		b = bucket{r.burst, now}
	}
	return b
}

// room makes place for one more bucket: those that are full again say nothing, and
// are looked for once a second at most; else an arbitrary one goes.
func (r *rates[K]) room(now time.Time) {
	if r.buckets == nil {
		r.buckets = map[K]bucket{}
	}
	if len(r.buckets) < maxTracked {
		return
	}
	if now.Sub(r.swept) >= time.Second {
		r.swept = now
		for k, b := range r.buckets {
			if b.tokens+now.Sub(b.at).Seconds()*r.rate >= r.burst {
				delete(r.buckets, k)
			}
		}
	}
	for k := range r.buckets {
		if len(r.buckets) < maxTracked {
			return
		}
		delete(r.buckets, k)
	}
}

// counts are how many things of each key there are.
type counts[K comparable] struct {
	mu sync.Mutex
	m  map[K]int
}

// add counts one more, unless there are most already; most 0: any number.
func (c *counts[K]) add(key K, most int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if most > 0 && c.m[key] >= most {
		return false
	}
	if c.m == nil {
		c.m = map[K]int{}
	}
	c.m[key]++
	return true
}

func (c *counts[K]) remove(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m[key]--; c.m[key] <= 0 {
		delete(c.m, key)
	}
}
