package query

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
)

// A Relation is one entry of FROM, inner-joined to those before it.
type Relation struct {
	Table *schema.Table
	On    Expr      // over this relation and earlier ones; nil: cross join
	View  *ViewRead // if Table is the backing table of a view
}

// OutKind says what a query returns.
type OutKind uint8

const (
	OutRow     OutKind = iota // whole rows of one relation
	OutColumns                // chosen columns
	OutCount                  // one row with the number of tuples, a U64
)

// A Select is a checked query.
type Select struct {
	From  []Relation
	Where Expr // nil: none
	Out   OutKind
	Rel   int       // the relation that OutRow returns
	Cols  []*Column // of OutColumns
	Limit *uint64   // nil: none
}

// A Plan is a compiled query. It is immutable and safe for concurrent use.
type Plan struct {
	q      Select
	tables []*schema.Table
	conds  []Expr // conjuncts of WHERE and ON
	joins  int    // the first of conds that come from ON are conds[:joins]
	none   bool   // some condition is never true
	views  []*ViewRead
	hidden int // bytes at the front of returned rows that nobody sees: the hash of a view's instance

	full   operator
	runAll step
	terms  []step // delta terms, by relation; only for OutRow without limit
	single predicate
	states int
	frames sync.Pool
}

// Compile plans a query. The tables must be those of the readers that the plan
// will run on; see Stale.
func Compile(q Select) *Plan {
	p := &Plan{q: q}
	for _, r := range q.From {
		p.tables = append(p.tables, r.Table)
		p.addConds(r.On)
	}
	p.joins = len(p.conds)
	for i, r := range q.From {
		if r.View != nil {
			p.views = append(p.views, r.View)
			p.conds = append(p.conds, r.View.filter(i))
		}
	}
	p.addConds(q.Where)
	if q.Out == OutRow && q.From[q.Rel].View != nil {
		p.hidden = len(ViewHash{})
	}
	b := &builder{compiler: compiler{p.tables}}
	pl := newPlanner(p.tables, p.conds, -1)
	p.full = pl.plan(pl.start())
	p.runAll = p.full.compile(b, p.sink(b))
	if q.Out == OutRow && q.Limit == nil {
		p.compileDelta(b)
	}
	p.states = b.states
	p.frames.New = func() any {
		return &frame{rows: make([][]byte, len(p.tables)), ops: make([]opState, p.states)}
	}
	return p
}

func (p *Plan) addConds(e Expr) {
	list, none := conjuncts(e)
	p.conds = append(p.conds, list...)
	p.none = p.none || none
}

func (p *Plan) compileDelta(b *builder) {
	if len(p.tables) == 1 {
		p.single = b.all(p.conds)
		return
	}
	rel, hidden := p.q.Rel, p.hidden
	collect := func(f *frame) bool {
		f.net.add(f.rows[rel][hidden:], f.sign)
		return true
	}
	for i := range p.tables {
		op := newPlanner(p.tables, p.conds, i).plan(i)
		p.terms = append(p.terms, op.compile(b, collect))
	}
}

// sink is what a full run does with each tuple.
func (p *Plan) sink(b *builder) step {
	switch p.q.Out {
	case OutCount:
		return func(f *frame) bool {
			f.count++
			return true
		}
	case OutColumns:
		get := make([]operand, len(p.q.Cols))
		for i, c := range p.q.Cols {
			get[i] = b.column(c)
		}
		return func(f *frame) bool {
			f.out = f.out[:0]
			for _, g := range get {
				f.out = append(f.out, g(f.rows)...)
			}
			return f.deliver(f.out)
		}
	}
	rel, hidden := p.q.Rel, p.hidden
	return func(f *frame) bool { return f.deliver(f.rows[rel][hidden:]) }
}

// deliver hands one row out; false ends the run.
func (f *frame) deliver(row []byte) bool {
	f.left--
	return f.emit(row) && f.left > 0
}

func (p *Plan) frame(r store.Reader, d *store.Delta) *frame {
	f := p.frames.Get().(*frame)
	f.r, f.d, f.sign, f.left, f.count = r, d, 1, ^uint64(0), 0
	return f
}

func (p *Plan) release(f *frame) {
	f.r, f.d, f.emit = nil, nil, nil
	clear(f.rows)
	for i := range f.ops {
		f.ops[i].reset()
	}
	f.net.reset()
	p.frames.Put(f)
}

// Run evaluates the query and hands every row to emit until that returns false.
// A row is valid only during the call. An error means that the schema has moved
// on since Compile; nothing has been emitted then.
func (p *Plan) Run(r store.Reader, emit func(row []byte) bool) error {
	if err := p.Stale(r); err != nil {
		return err
	}
	f := p.frame(r, nil)
	defer p.release(f)
	f.emit = emit
	if p.q.Limit != nil {
		f.left = *p.q.Limit
	}
	if f.left == 0 {
		return nil
	}
	if p.q.Out == OutCount {
		if s, ok := p.full.(*scan); ok && !p.none {
			f.count = r.RowCount(s.table.ID)
		} else if !p.none {
			p.runAll(f)
		}
		f.out = binary.LittleEndian.AppendUint64(f.out[:0], f.count)
		emit(f.out)
		return nil
	}
	if !p.none {
		p.runAll(f)
	}
	return nil
}

// Live reports whether Delta works: the query returns whole rows of one relation
// and has no limit.
func (p *Plan) Live() bool { return p.q.Out == OutRow && p.q.Limit == nil }

// Delta evaluates what the transaction d changed in the result, as bags: ins
// gets the rows that the result gained, del those it lost, a row that did both
// neither. r must show the state right after the transaction. A row is valid
// only during the call.
func (p *Plan) Delta(r store.Reader, d *store.Delta, ins, del func(row []byte)) error {
	if !p.Live() {
		return fmt.Errorf("query: only a query for whole rows of one table, without a limit, has a delta")
	}
	if p.none || !p.touched(d) {
		return nil
	}
	if err := p.Stale(r); err != nil {
		return err
	}
	f := p.frame(r, d)
	defer p.release(f)
	if p.single != nil {
		p.deltaSingle(f, d, ins, del)
		return nil
	}
	for i, term := range p.terms {
		if td := tableDelta(d, p.tables[i].ID); td != nil {
			term(f)
		}
	}
	f.net.emit(ins, del)
	return nil
}

func (p *Plan) touched(d *store.Delta) bool {
	for _, t := range p.tables {
		if tableDelta(d, t.ID) != nil {
			return true
		}
	}
	return false
}

// deltaSingle filters the changed rows of the only relation; the store has
// netted them already.
func (p *Plan) deltaSingle(f *frame, d *store.Delta, ins, del func(row []byte)) {
	td := tableDelta(d, p.tables[0].ID)
	p.matching(f, &td.Inserts, ins)
	if !p.tables[0].IsEvent {
		p.matching(f, &td.Deletes, del)
	}
}

func (p *Plan) matching(f *frame, rows *store.Rows, emit func(row []byte)) {
	for i, n := 0, rows.Len(); i < n; i++ {
		f.rows[0] = rows.At(i)
		if p.single(f.rows) {
			emit(f.rows[0][p.hidden:])
		}
	}
}

// Stale reports why the plan no longer fits the reader's schema, or nil. A plan
// lives as long as the tables it was compiled against.
func (p *Plan) Stale(r store.Reader) error {
	for _, t := range p.tables {
		if now := r.Table(t.ID); now != t {
			return fmt.Errorf("query: table `%s` has changed since the query was compiled", t.Name)
		}
	}
	return nil
}

// Tables lists the tables in FROM order, one per occurrence.
func (p *Plan) Tables() []*schema.Table { return p.tables }

// ReturnTable is the table whose whole rows the query returns; nil otherwise. The
// rows of a view come without the hidden column of its backing table.
func (p *Plan) ReturnTable() *schema.Table {
	if p.q.Out != OutRow {
		return nil
	}
	return p.tables[p.q.Rel]
}

// EmptyInput reports whether the result is empty because a table is. Such a
// query need not run (spec 07 §21).
func (p *Plan) EmptyInput(r store.Reader) bool {
	for _, t := range p.tables {
		if t.IsEvent || r.RowCount(t.ID) == 0 {
			return true
		}
	}
	return p.none
}

// Scanned estimates how many rows a run reads (spec 07 §20).
func (p *Plan) Scanned(c Cards) uint64 {
	switch p.full.(type) {
	case *scan, *point:
		if p.q.Limit != nil && p.q.Out != OutCount {
			return *p.q.Limit
		}
	}
	_, scanned := p.full.cost(c)
	return scanned
}

// Explain draws the plan, for people and tests: one operator per line, what an
// operator reads indented below it. With delta, the plans of the delta terms
// follow.
func (p *Plan) Explain(delta bool) string {
	var w strings.Builder
	p.full.describe(&w, 0, p.tables)
	if delta && len(p.terms) > 0 {
		for i := range p.terms {
			fmt.Fprintf(&w, "changes of %s#%d\n", p.tables[i].Name, i)
			newPlanner(p.tables, p.conds, i).plan(i).describe(&w, 1, p.tables)
		}
	}
	return w.String()
}
