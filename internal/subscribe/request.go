package subscribe

import (
	"errors"
	"fmt"
	"strings"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// errEventTable is the refusal of spec 05 §10.1, word for word.
var errEventTable = errors.New("Subscribing to event tables requires WebSocket v2. Please upgrade your client SDK and regenerate your module bindings.")

// maxQueries bounds the queries of one message: nobody else can do anything while
// they are compiled and evaluated.
const maxQueries = 10_000

// maxHeld bounds what one client may subscribe to, counted in subscriptions and
// their queries: each costs memory for as long as the client stays.
const maxHeld = 50_000

var (
	errManyQueries = fmt.Errorf("a message may subscribe to at most %d queries; spread them over several messages", maxQueries)
	errManyHeld    = fmt.Errorf("a connection may hold at most %d subscriptions and queries together; unsubscribe from what is not needed", maxHeld)
)

// room reports whether the client may subscribe to n more queries.
func (c *Client) room(n int) error {
	if c.count+len(c.multi)+len(c.sets)+n >= maxHeld {
		return errManyHeld
	}
	return nil
}

// maxOnce is how many bytes of rows the one message may hold that answers a one-off
// query.
const maxOnce = 256 << 20

var errManyRows = fmt.Errorf("The result is larger than %d MiB, which is as much as fits one answer; narrow it, or read it in parts with ORDER BY, LIMIT and OFFSET", maxOnce>>20)

// errEvaluating answers a subscription whose registered queries could not be
// evaluated; it has been undone.
var errEvaluating = errors.New("Internal error evaluating queries")

// A Request is what surrounds a subscription message.
type Request struct {
	Client *Client
	Reader store.Reader // the state that the answer shows
	Offset uint64       // the last transaction in it
	Gated  bool         // there is such a transaction and it is logged
	// Compile turns a query into its compiled form; SELECT * FROM * gives several.
	Compile func(text string) ([]*Query, error)
	// CompileOne compiles a query that stands for itself only: that of a one-off
	// message or of SubscribeSingle.
	CompileOne func(text string) (*Query, error)
	// Admit, if set, is asked whether queries that nobody subscribes to yet may be
	// evaluated together. Its error is the answer.
	Admit func(fresh []*Query) error
	// Prepare, if set, is told the queries of a subscription before any of them is
	// evaluated, and returns the reader that shows them what they are to see. Its error
	// fails the message.
	Prepare func(qs []*Query) (store.Reader, error)
	// Large, if not 0, is how many rows the queries of a message may be expected to
	// read at most for the answer to be made at once. For more Handle returns an
	// *Evaluation, and Reader must stay open until that has Run.
	Large uint64
	// MaxBytes, if not 0, bounds the rows that the answer to a message may hold. If
	// there may be more Handle returns a *Measure and has done nothing. Counted is what
	// that has found.
	MaxBytes int64
	Counted  *Count
	// Once bounds what a one-off query may take.
	Once query.Limits
	// Micros is the time since the client's message was read, in microseconds.
	Micros func() uint64

	heavy [][]*query.Plan // whose rows must be counted, by part of the message
	taken int64           // bytes of rows in the answer
	rows  int             // in the answer
	free  bool            // their bytes are not bounded
	hasty bool            // nobody else can do anything while they are read
	more  bool            // and they are more than was expected

	workload Workload
}

// Handle carries out a subscribe, unsubscribe or one-off message of the client's
// protocol and returns the delivery of its answer. It panics on other messages.
func (m *Manager) Handle(req *Request, msg wire.ClientMessage) Delivery {
	d := m.handle(req, msg)
	m.recount(m.ownerOf(req.Client))
	if req.heavy != nil {
		return &Measure{req.heavy, req.Reader, req.MaxBytes}
	}
	return d
}

func (m *Manager) handle(req *Request, msg wire.ClientMessage) Delivery {
	v1Client := req.Client.Protocol.Version() == 1
	switch msg.(type) {
	case *wire.OneOffQuery:
		req.workload = SQL
	case *wire.Unsubscribe, *wire.UnsubscribeMulti, *wire.UnsubscribeSet:
		req.workload = Unsubscribing
	}
	switch msg := msg.(type) {
	case *wire.OneOffQuery:
		return m.oneOff(req, msg, v1Client)
	case *wire.Subscribe:
		return m.subscribeLegacy(req, msg)
	case *wire.SubscribeSingle:
		return m.subscribeSingle(req, msg)
	case *wire.SubscribeMulti:
		return m.subscribeMulti(req, msg)
	case *wire.Unsubscribe:
		return m.endSingle(req, msg)
	case *wire.UnsubscribeMulti:
		return m.endMulti(req, msg)
	case *wire.SubscribeSet:
		return m.subscribeSet(req, msg)
	case *wire.UnsubscribeSet:
		return m.endSet(req, msg)
	case *wire.SubscribeBatch:
		return m.subscribeBatch(req, msg)
	}
	panic(fmt.Sprintf("subscribe: not a subscription message: %T", msg))
}

// isStar reports whether text is SELECT * FROM *, whose expansion comes before
// the other queries of a message and counts once.
func isStar(text string) bool {
	f := strings.Fields(text)
	return len(f) == 4 && strings.EqualFold(f[0], "select") && f[1] == "*" && strings.EqualFold(f[2], "from") && f[3] == "*"
}

// compile returns the distinct queries of a message in the order in which they
// are answered. Its error is the text that the client gets.
func (m *Manager) compile(req *Request, texts []string) ([]*liveQuery, error) {
	qs, err := m.compileAll(req, texts)
	if err != nil {
		return nil, err
	}
	qs = distinct(qs)
	if err := m.ownerOf(req.Client).room(len(qs)); err != nil {
		return nil, err
	}
	return qs, req.admit(qs)
}

// compileAll is compile with repetitions, and without asking Admit.
func (m *Manager) compileAll(req *Request, texts []string) ([]*liveQuery, error) {
	if len(texts) > maxQueries {
		return nil, errManyQueries
	}
	var stars, rest []*liveQuery
	for _, text := range texts {
		text = strings.TrimSpace(text)
		star := isStar(text)
		qs, err := req.Compile(text)
		if err != nil {
			if star {
				return nil, err
			}
			return nil, fmt.Errorf("%w, executing: `%s`", err, text)
		}
		for _, q := range qs {
			if star {
				stars = append(stars, m.live(q))
			} else {
				rest = append(rest, m.live(q))
			}
		}
	}
	return append(distinct(stars), rest...), nil
}

// distinct drops repetitions of queries.
func distinct(qs []*liveQuery) []*liveQuery {
	out, seen := make([]*liveQuery, 0, len(qs)), map[string]bool{}
	for _, q := range qs {
		if !seen[q.Key] {
			seen[q.Key] = true
			out = append(out, q)
		}
	}
	return out
}

// admit asks Admit about those of the queries that nobody subscribes to yet.
func (req *Request) admit(qs []*liveQuery) error {
	if req.Admit == nil {
		return nil
	}
	var fresh []*Query
	for _, q := range qs {
		if len(q.subs) == 0 {
			fresh = append(fresh, q.Query)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	return req.Admit(fresh)
}

// prepare makes Reader the one to evaluate the queries on. It comes before they are
// registered: what Prepare changes is news to older subscriptions only.
func (req *Request) prepare(qs []*liveQuery) error {
	if req.Prepare == nil {
		return nil
	}
	list := make([]*Query, len(qs))
	for i, q := range qs {
		list[i] = q.Query
	}
	r, err := req.Prepare(list)
	if err != nil {
		return err
	}
	req.Reader = r
	return nil
}

func (q *Query) readsEvents() bool {
	for _, p := range q.Plans {
		if p.ReturnTable().IsEvent {
			return true
		}
	}
	return false
}

// compileV1 is compile with the refusal of event tables.
func (m *Manager) compileV1(req *Request, texts []string) ([]*liveQuery, error) {
	qs, err := m.compile(req, texts)
	if err != nil {
		return nil, err
	}
	for _, q := range qs {
		if q.readsEvents() {
			return nil, errEventTable
		}
	}
	return qs, nil
}

// shows returns an answer that shows the request's state.
func (req *Request) shows(body []byte) Message {
	return Message{Body: body, Offset: req.Offset, Gated: req.Gated, Workload: req.workload, Rows: req.rows}
}

func (req *Request) showsV1(m v1.ServerMessage) Message { return req.shows(bodyV1(req.Client, m)) }

// refuse returns the delivery of a message that shows no state.
func (req *Request) refuse(body []byte) Delivery {
	return send(req.Client, Message{Body: body, Workload: req.workload})
}

func (m *Manager) oneOff(req *Request, msg *wire.OneOffQuery, v1Client bool) Delivery {
	c := req.Client
	answer := func(table string, rows []byte, err error) Message {
		var text *string
		if err != nil {
			text = new(string)
			*text = err.Error()
		}
		if v1Client {
			a := &v1.OneOffQueryResponse{MessageID: msg.MessageID, Error: text, Duration: sats.TimeDuration(req.Micros())}
			if err != nil {
				return Message{Body: bodyV1(c, a), Workload: SQL}
			}
			a.Tables = []v1.OneOffTable{{Name: table, Rows: rows}}
			return req.showsV1(a)
		}
		a := &v2.OneOffQueryResult{RequestID: msg.RequestID, Error: text}
		if err != nil {
			return Message{Body: a.Append(nil), Workload: SQL}
		}
		a.Rows = v2.QueryRows{{Table: table, Rows: rows}}
		return req.shows(a.Append(nil))
	}
	q, err := req.CompileOne(strings.TrimSpace(msg.Query))
	if err != nil {
		return send(c, answer("", nil, err))
	}
	return req.mustEvaluate(q.Plans, func() Message { return answer(req.oneOffRows(q)) })
}

// oneOffRows evaluates a one-off query: the rows of all fragments in one encoded
// list. Event tables have none.
func (req *Request) oneOffRows(q *Query) (table string, rows []byte, err error) {
	var l wire.RowList
	left := maxOnce
	for _, p := range q.Plans {
		if p.EmptyInput(req.Reader) {
			continue
		}
		err := p.RunWithin(req.Reader, req.Once, func(row []byte) bool {
			if left -= len(row); left < 0 {
				return false
			}
			l.Add(row)
			req.rows++
			return true
		})
		if err == nil && left < 0 {
			err = errManyRows
		}
		if err != nil {
			return "", nil, err
		}
	}
	t := q.Plans[0].ReturnTable()
	return t.Name, appendList(nil, req.Client.Protocol.Format(), t, &l, storedForm), nil
}
