package client

import "sync/atomic"

// Stats are counters of one connection since Dial, over all reconnections.
type Stats struct {
	MessagesReceived, MessagesSent uint64 // of the protocol, of which V3 has several in one of WebSocket
	BytesReceived, BytesSent       uint64 // payloads as on the wire
	Calls                          uint64 // reducer calls sent
	Transactions                   uint64 // messages that changed the cache or were told to row callbacks
	RowsInserted, RowsDeleted      uint64 // in the cache
	Reconnects                     uint64 // links made after the first
	Receiving                      int    // bytes read that wait to be delivered
	Sending                        int    // bytes that wait to be sent
}

type counters struct {
	messagesIn, messagesOut, bytesIn, bytesOut atomic.Uint64
	calls, transactions, inserted, deleted     atomic.Uint64
	reconnects                                 atomic.Uint64
}

// Stats returns the counters.
func (c *Conn) Stats() Stats {
	n := &c.counts
	s := Stats{
		MessagesReceived: n.messagesIn.Load(), MessagesSent: n.messagesOut.Load(),
		BytesReceived: n.bytesIn.Load(), BytesSent: n.bytesOut.Load(),
		Calls: n.calls.Load(), Transactions: n.transactions.Load(),
		RowsInserted: n.inserted.Load(), RowsDeleted: n.deleted.Load(),
		Reconnects: n.reconnects.Load(), Receiving: c.in.size(),
	}
	c.mu.Lock()
	s.Sending = len(c.mu.queue)
	c.mu.Unlock()
	return s
}
