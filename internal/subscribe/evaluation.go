package subscribe

import (
	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/store"
)

// An Evaluation is the answer to a message whose rows are still to be read. It is
// for those that are many: they are read from the state in which the message was
// carried out while transactions go on (spec 07 §21).
//
// As a Delivery it makes the client wait: what is delivered to it later is held
// back until the answer has been delivered. Run may be called on any goroutine,
// once, while the request's Reader can still be read; then Answer's Delivery comes
// behind the Evaluation's own. A client has one Evaluation at a time.
type Evaluation struct {
	client *Client
	build  func() Message
	answer Message
	done   chan struct{} // closed when answer is there
	sent   bool          // sender's half
}

// evaluate returns the delivery of the answer that build makes by running plans, or,
// if these read much, an Evaluation.
func (req *Request) evaluate(plans []*query.Plan, build func() Message) Delivery {
	build = req.bounded(build)
	if req.Large == 0 || scanned(req.Reader, plans) < req.Large {
		return send(req.Client, build())
	}
	return &Evaluation{client: req.Client, build: build, done: make(chan struct{})}
}

func scanned(r store.Reader, plans []*query.Plan) (rows uint64) {
	for _, p := range plans {
		if rows += p.Scanned(r); rows < p.Scanned(r) {
			return ^uint64(0)
		}
	}
	return rows
}

// Run reads the rows and makes the answer.
func (e *Evaluation) Run() {
	defer close(e.done)
	e.answer = e.build()
}

// Answer returns the delivery of the answer and of what has been held back.
func (e *Evaluation) Answer() Delivery { return deliveries{e.finish} }

// Deliver makes the client wait.
func (e *Evaluation) Deliver() { e.client.fan.waiting = &waiting{of: e} }

func (e *Evaluation) finish() {
	if e.sent { // too much was waiting
		return
	}
	e.sent = true
	<-e.done
	w := e.client.fan.waiting
	e.client.fan.waiting = nil
	e.client.traffic.one(&e.answer)
	e.client.Out.Send(e.answer)
	for _, m := range w.messages {
		e.client.Out.Send(m)
	}
}

// waiting holds the messages for a client that come after an answer that is not
// there yet.
type waiting struct {
	of       *Evaluation
	messages []Message
	bytes    int
}

// What is held back for one client is bounded. When there is more the sender waits
// for the answer, as for any delivery that takes long.
const (
	maxWaiting      = 4096
	maxWaitingBytes = 64 << 20
)

// Send hands a message to the client's outbox, behind everything that it waits for.
// It belongs to the sender.
func (c *Client) Send(m Message) {
	c.traffic.one(&m)
	c.send(m)
}

// send is Send for a message that has been counted.
func (c *Client) send(m Message) {
	w := c.fan.waiting
	if w == nil {
		c.Out.Send(m)
		return
	}
	if len(w.messages) >= maxWaiting || w.bytes+len(m.Body) > maxWaitingBytes {
		w.of.finish()
		c.Out.Send(m)
		return
	}
	w.messages = append(w.messages, m)
	w.bytes += len(m.Body)
}

// fits reports whether the plans can be evaluated on the request's Reader, which is
// known without doing so unless one of their expressions can fail.
func (req *Request) fits(plans []*query.Plan) error {
	for _, p := range plans {
		err := p.Stale(req.Reader)
		if err == nil && p.CanFail() {
			err = p.Run(req.Reader, func([]byte) bool { return true })
		}
		if err != nil {
			return errEvaluating
		}
	}
	return nil
}

// plansOf returns the plans of queries as they are now: an update of the schema may
// renew them before they are evaluated.
func plansOf(qs []*liveQuery) []*query.Plan {
	var out []*query.Plan
	for _, q := range qs {
		out = append(out, q.Plans...)
	}
	return out
}
