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

// A reading is the rows of a message, or of one set of a batch.
type reading struct {
	plans []*query.Plan
	read  func() // reads them, as far as they may be read
	err   error  // why there are none
}

// read reads the rows of the parts of a message, if that is soon done, and notes
// which are too large for the answer. Nothing is registered before. It returns false
// if they have to be read by an Evaluation; if they have to be counted first,
// req.heavy is set and the message is not carried out.
func (req *Request) read(parts ...*reading) (done bool) {
	var plans []*query.Plan
	for i, p := range parts {
		if p.err == nil && req.Counted != nil {
			p.err = req.Counted.errs[i]
		}
		if p.err == nil {
			p.err = req.fits(p.plans)
		}
		if p.err == nil {
			plans = append(plans, p.plans...)
		}
	}
	if req.Large == 0 || scanned(req.Reader, plans) < req.Large {
		if req.readNow(parts) {
			return true
		}
		req.taken, req.rows, req.more = 0, 0, false
	}
	if req.Counted == nil && req.MaxBytes > 0 && !req.free && atMostBytes(req.Reader, plans) > float64(req.MaxBytes) {
		for _, p := range parts {
			if p.err != nil {
				p.plans = nil
			}
			req.heavy = append(req.heavy, p.plans)
		}
	}
	return false
}

// readNow reads parts unless that takes longer than expected.
func (req *Request) readNow(parts []*reading) bool {
	req.hasty = req.Large > 0
	defer func() { req.hasty = false }()
	for _, p := range parts {
		if p.err != nil {
			continue
		}
		before, rows := req.taken, req.rows
		p.read()
		if req.more {
			return false
		}
		if req.over() {
			p.err, req.taken, req.rows = tooLarge(req.MaxBytes), before, rows
		}
	}
	return true
}

// evaluate returns the delivery of the answer that build makes by reading the rows of
// plans or, if that takes long, an Evaluation. An error says that they are too large;
// if they have to be counted first there is neither.
func (req *Request) evaluate(plans []*query.Plan, build func() Message) (Delivery, error) {
	var m Message
	part := &reading{plans: plans, read: func() { m = build() }}
	switch done := req.read(part); {
	case part.err != nil || req.heavy != nil:
		return nil, part.err
	case done:
		return send(req.Client, m), nil
	}
	return req.evaluation(build), nil
}

func (req *Request) evaluation(build func() Message) Delivery {
	return &Evaluation{client: req.Client, build: req.bounded(build), done: make(chan struct{})}
}

// mustEvaluate is evaluate for rows that may be any number.
func (req *Request) mustEvaluate(plans []*query.Plan, build func() Message) Delivery {
	req.free = true
	d, _ := req.evaluate(plans, build)
	return d
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
