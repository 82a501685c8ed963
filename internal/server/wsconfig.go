package server

import "time"

// WebSocketConfig is the section [websocket] of the configuration. A zero field
// means its default (spec 06 §5.2).
type WebSocketConfig struct {
	PingInterval  time.Duration // 15 s; a Ping is sent when the last one was answered
	IdleTimeout   time.Duration // 30 s without any received byte drop the connection
	CloseTimeout  time.Duration // 250 ms for the client's Close after ours
	IncomingQueue int           // 16384 messages from a client that wait
	Gzip          bool          // compress also for those who may be the official TypeScript SDK (spec 05 §16.3)

	// IncomingTotal bounds what all clients together have sent and the server holds,
	// bodies of requests included: a quarter of the machine's memory, at most 4 GiB.
	IncomingTotal int
	OutgoingQueue int // 16384 messages to a client that wait
	OutgoingBytes int // 1 GiB of them; a single message may always wait
	// OutgoingTotal bounds what waits for all clients together, 4 GiB: beyond it a
	// client for which more than a little waits is dropped.
	OutgoingTotal int
}

const (
	defaultPing     = 15 * time.Second
	defaultIdle     = 30 * time.Second
	defaultClose    = 250 * time.Millisecond
	defaultQueue    = 16384
	defaultOutBytes = 1 << 30
	defaultOutTotal = 4 << 30
)

func (c WebSocketConfig) withDefaults() WebSocketConfig {
	duration := func(d *time.Duration, absent time.Duration) {
		if *d <= 0 {
			*d = absent
		}
	}
	number := func(n *int, absent int) {
		if *n <= 0 {
			*n = absent
		}
	}
	duration(&c.PingInterval, defaultPing)
	duration(&c.IdleTimeout, defaultIdle)
	duration(&c.CloseTimeout, defaultClose)
	number(&c.IncomingQueue, defaultQueue)
	number(&c.IncomingTotal, int(incomingBytes(machineMemory())))
	number(&c.OutgoingQueue, defaultQueue)
	number(&c.OutgoingBytes, defaultOutBytes)
	number(&c.OutgoingTotal, defaultOutTotal)
	return c
}
