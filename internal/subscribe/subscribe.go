// Package subscribe keeps the live queries of one database and tells their
// subscribers what every transaction changed.
//
// It owns the registry of distinct queries, which of them a changed row concerns,
// the one evaluation of each per transaction, its one encoding per wire format,
// and who receives it. It promises what spec 05 §9–12 and 07 §21–23 do: a client
// sees the initial rows of a subscription at one transaction boundary and then
// every later transaction once, in commit order, in one message.
//
// It must not know sockets, SQL text or module code. Queries arrive compiled,
// messages leave through an Outbox. It starts no goroutine and reads no clock.
//
// # Two halves
//
// All methods of Manager belong to whoever holds the database's right to write.
// What they return, a Delivery, holds everything that depends on table state
// already; its Deliver builds messages and hands them to outboxes and belongs to
// one sending goroutine, which must run deliveries in the order of the calls that
// returned them. The two halves share only immutable data.
package subscribe

import (
	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

// A Query is one distinct subscription query. Two queries with equal Key are the
// same query: evaluated once, whoever subscribed.
type Query struct {
	Key   string        // text, and the caller where the result depends on the caller
	Text  string        // as the client wrote it
	Plans []*query.Plan // the fragments of its union; each returns whole rows of one table
}

// A Message is one server message on its way to a client.
type Message struct {
	// Body is the BSATN of the message without envelope, or its JSON text. It may
	// be shared with other clients and must not be changed.
	Body []byte
	// Shared, if set, keeps the compressed forms of Body for all who get it.
	Shared *wire.Shared
	// Offset is the transaction the message was computed from. If Gated is set a
	// client with confirmed reads gets it only when that transaction is durable.
	Offset uint64
	Gated  bool
	// Workload and Rows are for counting.
	Workload Workload
	Rows     int
	// Close, if not empty, ends the connection, and is the reason.
	Close string
}

// An Outbox takes the messages of one client, in order. Send must not block: an
// outbox at its bound closes its connection instead.
type Outbox interface{ Send(Message) }

// A Client is one connection. Its exported fields are fixed.
type Client struct {
	Identity   sats.Identity
	Connection sats.ConnectionID
	Protocol   wire.Protocol
	Light      bool // v1: prefer updates without who and what
	Out        Outbox

	// Executor's half. Sockets with the same identity and connection id share what one
	// of them, the owner, holds: see Manager.owners.
	live   bool
	known  bool // it is an owner
	legacy []*liveQuery
	held   map[*liveQuery]int // v1: how many query ids hold it
	multi  map[uint32][]*liveQuery
	single map[uint32]bool // which of multi came from SubscribeSingle
	sets   map[uint32][]*liveQuery
	count  int // subscriptions to queries

	tallied holding

	// Sender's half.
	fan     fan
	traffic *Traffic // of the database; nil before Add
}

// A Delivery hands messages to outboxes. Deliver is called once.
type Delivery interface{ Deliver() }

// Nothing is a Delivery without messages. It can be compared with any other.
var Nothing Delivery = nothing{}

type nothing struct{}

func (nothing) Deliver() {}

type deliveries []func()

func (d deliveries) Deliver() {
	for _, f := range d {
		f()
	}
}

// send returns the delivery of one message.
func send(c *Client, m Message) Delivery {
	return deliveries{func() { c.Send(m) }}
}
