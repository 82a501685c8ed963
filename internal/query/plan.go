package query

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// A Relation is one entry of FROM, joined to those before it.
type Relation struct {
	Table *schema.Table
	On    Expr      // over this relation and earlier ones; nil: cross join
	Left  bool      // a LEFT JOIN: without a match its columns are none
	Rules []Rule    // which rows there are for the caller; nil: all
	View  *ViewRead // if Table is the backing table of a view
}

// OutKind says what a query returns.
type OutKind uint8

const (
	OutRow     OutKind = iota // whole rows of one relation
	OutColumns                // computed columns
	OutCount                  // one row with the number of tuples, a U64
)

// A Select is a checked query.
type Select struct {
	From  []Relation
	Where Expr // nil: none
	Out   OutKind
	Rel   int    // the relation that OutRow returns
	Items []Expr // of OutColumns; over Slots if the query groups

	Grouped bool   // Items, Having and Order see groups
	Groups  []Expr // slots from 0 on
	Aggs    []Agg  // slots behind those of Groups
	Having  Expr   // nil: none

	Distinct bool
	Order    []Order
	Limit    *uint64 // nil: none
	Offset   uint64
}

// live reports whether the query is of the form that has a delta.
func (q *Select) live() bool {
	return q.Out == OutRow && !q.Grouped && !q.Distinct && len(q.Order) == 0 && q.Limit == nil && q.Offset == 0 && !q.hasOuter()
}

func (q *Select) hasOuter() bool {
	return slices.ContainsFunc(q.From, func(r Relation) bool { return r.Left })
}

// A Plan is a compiled query. It is immutable and safe for concurrent use.
type Plan struct {
	q      Select
	tables []*schema.Table // of FROM
	all    []*schema.Table // these, and those that rules read
	conds  []Expr          // conjuncts of ON, WHERE and rules
	joins  int             // conds[:joins] come from ON
	rules  int             // conds[rules:] from rules
	outer  map[int][]Expr  // conjuncts of the ON of a LEFT JOIN, and what restricts its relation
	none   bool            // some condition is never true
	fails  bool            // a run may end in an error of an expression
	live   bool            // it has a delta
	views  []*ViewRead
	hidden int // bytes at the front of returned rows that nobody sees: the hash of a view's instance

	full    operator
	runAll  step
	output  output
	terms   []step            // delta terms, by relation
	touches [][]*schema.Table // the tables whose change makes a term run
	single  predicate
	kept    []KeptColumn
	states  int
	bufs    int
	frames  sync.Pool
}

// Compile plans a query that is answered once: it has no Delta. The tables must be
// those of the readers that the plan will run on; see Stale.
func Compile(q Select) *Plan {
	p := gathered(q)
	p.compile(false)
	return p
}

// CompileLive plans a query that is kept live.
func CompileLive(q Select) *Plan {
	p := gathered(q)
	p.compile(q.live() && len(p.tables) > 0)
	return p
}

// gathered is the plan of a query before anything is planned: what the query says
// of itself.
func gathered(q Select) *Plan {
	p := &Plan{q: q}
	for _, r := range q.From {
		p.tables = append(p.tables, r.Table)
	}
	p.all = p.gather()
	return p
}

func (p *Plan) compile(live bool) {
	b := &builder{tables: p.all}
	if len(p.tables) == 0 {
		p.full = &oneRow{p.conds}
	} else {
		pl := p.planner()
		p.full = p.ordered(pl.plan(pl.start()))
	}
	p.output = p.compileOutput(b)
	b.begin = p.output.begin
	p.runAll = p.full.compile(b, p.output.take)
	if live {
		p.compileDelta(b)
	}
	p.live, p.states, p.bufs, p.kept = live, b.states, b.bufs, b.kept
	p.frames.New = func() any {
		return &frame{
			rows: make([][]byte, len(p.all)), ops: make([]opState, p.states), bufs: make([][]byte, p.bufs),
			slots: make([][]byte, len(p.q.Groups)+len(p.q.Aggs)),
		}
	}
}

// gather collects the conditions, and returns all tables including those that
// rules read.
func (p *Plan) gather() []*schema.Table {
	n := &numbering{tables: slices.Clone(p.tables)}
	var rules []Expr
	for i, r := range p.q.From {
		restriction := And{}
		if r.Rules != nil {
			restriction = append(restriction, n.visible(i, r.Rules))
		}
		if r.View != nil {
			p.views = append(p.views, r.View)
		}
		if r.Left {
			if r.View != nil {
				restriction = append(restriction, r.View.filter(i))
			}
			list, none := conjuncts(append(restriction, onOrTrue(r.On)))
			if none {
				list = []Expr{constFalse}
			}
			if p.outer == nil {
				p.outer = map[int][]Expr{}
			}
			p.outer[i] = list
			p.fails = p.fails || slices.ContainsFunc(list, CanFail)
			continue
		}
		rules = append(rules, restriction...)
		p.addConds(r.On)
	}
	p.joins = len(p.conds)
	for i, r := range p.q.From {
		if r.View != nil && !r.Left {
			p.conds = append(p.conds, r.View.filter(i))
		}
	}
	p.addConds(p.q.Where)
	p.rules = len(p.conds)
	for _, r := range rules {
		p.addConds(r)
	}
	p.views = append(p.views, n.views...)
	p.subs(func(s *Sub) { p.views = append(p.views, s.Plan.views...) })
	if p.q.Out == OutRow && p.q.From[p.q.Rel].View != nil {
		p.hidden = len(ViewHash{})
	}
	p.fails = p.fails || p.canFail()
	return n.tables
}

func (p *Plan) canFail() bool {
	list := slices.Concat(p.conds, p.q.Items, p.q.Groups)
	for _, o := range p.q.Order {
		list = append(list, o.X)
	}
	for _, a := range p.q.Aggs {
		if a.Fn == AggSum && TypeOf(a.X).Kind != sats.KindF64 {
			return true // it may overflow
		}
		if a.X != nil {
			list = append(list, a.X)
		}
	}
	if p.q.Having != nil {
		list = append(list, p.q.Having)
	}
	return slices.ContainsFunc(list, CanFail)
}

func onOrTrue(on Expr) Expr {
	if on == nil {
		return constTrue
	}
	return on
}

// planner is the planner of a full run. A condition of WHERE that can fail waits
// until all relations are bound.
func (p *Plan) planner() *planner {
	want := make([]int, len(p.tables))
	for i := range want {
		want[i] = i
	}
	pl := newPlanner(p.all, p.conds, want)
	pl.outer = p.outer
	for i := p.joins; i < p.rules; i++ {
		if CanFail(p.conds[i]) {
			pl.sets[i] = want
		}
	}
	return pl
}

func (p *Plan) addConds(e Expr) {
	list, none := conjuncts(e)
	p.conds = append(p.conds, list...)
	p.none = p.none || none
}

// deliver hands one row out; false ends the run.
func (f *frame) deliver(row []byte) bool {
	if f.skip > 0 {
		f.skip--
		return true
	}
	f.left--
	return f.emit(row) && f.left > 0
}

func (p *Plan) frame(r store.Reader, d *store.Delta) *frame {
	f := p.frames.Get().(*frame)
	f.r, f.d, f.sign, f.left, f.skip, f.count = r, d, 1, ^uint64(0), p.q.Offset, 0
	return f
}

func (p *Plan) release(f *frame) {
	f.r, f.d, f.emit, f.budget, f.err, f.ticks = nil, nil, nil, nil, nil, 0
	f.group, f.sorter, f.seen = nil, nil, nil
	clear(f.rows)
	clear(f.slots)
	for i := range f.ops {
		f.ops[i].reset()
	}
	f.net.reset()
	p.frames.Put(f)
}

// Run evaluates the query and hands every row to emit until that returns false.
// A row is valid only during the call. An error means that the schema has moved
// on since Compile, and then nothing has been emitted, or that an expression has
// failed.
func (p *Plan) Run(r store.Reader, emit func(row []byte) bool) error {
	return p.run(r, nil, emit)
}

// RunWithin is Run within limits, whose excess is an error.
func (p *Plan) RunWithin(r store.Reader, l Limits, emit func(row []byte) bool) error {
	return p.run(r, newBudget(l), emit)
}

func (p *Plan) run(r store.Reader, budget *budget, emit func(row []byte) bool) error {
	if err := p.Stale(r); err != nil {
		return err
	}
	f := p.frame(r, nil)
	defer p.release(f)
	f.emit, f.budget = emit, budget
	if p.q.Limit != nil {
		f.left = *p.q.Limit
	}
	if f.left == 0 {
		return nil
	}
	p.output.begin(f)
	s, whole := p.full.(*scan)
	switch {
	case p.none:
	case whole && p.q.Out == OutCount:
		f.count = r.RowCount(s.table.ID)
	default:
		p.runAll(f)
	}
	if f.err == nil {
		p.output.end(f)
	}
	return f.err
}

// Stale reports why the plan no longer fits the reader's schema, or nil. A plan
// lives as long as the tables it was compiled against.
func (p *Plan) Stale(r store.Reader) error {
	for _, t := range p.all {
		if now := r.Table(t.ID); now != t {
			return fmt.Errorf("query: table `%s` has changed since the query was compiled", t.Name)
		}
	}
	return nil
}

// Tables lists the tables in FROM order, one per occurrence.
func (p *Plan) Tables() []*schema.Table { return p.tables }

// ReadsOthers reports whether the result depends on more than one relation, those
// of rules included.
func (p *Plan) ReadsOthers() bool { return len(p.all) > 1 }

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
	for i, t := range p.tables {
		if p.q.From[i].Left {
			continue
		}
		if t.IsEvent || r.RowCount(t.ID) == 0 {
			return true
		}
	}
	return p.none
}

// Rows estimates how many rows the plan returns: no fewer than it does, unless the
// keys of an index have very different numbers of rows.
func (p *Plan) Rows(c Cards) uint64 {
	rows, _ := p.full.cost(&estimates{Cards: c})
	return rows
}

// Scanned estimates how many rows a run reads, its sub-selects included (spec 07
// §20).
func (p *Plan) Scanned(c Cards) uint64 {
	var sum uint64
	p.subs(func(s *Sub) { sum = satAdd(sum, s.Plan.Scanned(c)) })
	if p.none {
		return sum
	}
	switch p.full.(type) {
	case *scan, *point:
		if p.q.Limit != nil && p.q.Out != OutCount && len(p.q.Order) == 0 && !p.q.Grouped && !p.q.Distinct {
			return satAdd(sum, *p.q.Limit)
		}
	}
	_, scanned := p.full.cost(&estimates{Cards: c})
	return satAdd(sum, scanned)
}

// subs visits the sub-selects of the query.
func (p *Plan) subs(visit func(*Sub)) {
	look := func(e Expr) {
		if e == nil {
			return
		}
		walk(e, func(x Expr) {
			if s, ok := x.(*Sub); ok {
				visit(s)
			}
		})
	}
	list := slices.Concat(p.conds, p.q.Items, p.q.Groups)
	for _, on := range p.outer {
		list = append(list, on...)
	}
	for _, a := range p.q.Aggs {
		list = append(list, a.X)
	}
	for _, o := range p.q.Order {
		list = append(list, o.X)
	}
	for _, e := range append(list, p.q.Having) {
		look(e)
	}
}

// Explain draws the plan, for tests: one operator per line, what an operator
// reads indented below it. With delta, the plans of the delta terms follow.
func (p *Plan) Explain(delta bool) string {
	var w drawing
	w.tables = p.all
	p.full.describe(&w, 0)
	if delta && len(p.terms) > 0 {
		for i := range p.terms {
			fmt.Fprintf(&w, "changes of %s#%d\n", p.tables[i].Name, i)
			p.term(i).describe(&w, 1)
		}
	}
	return w.String()
}

// Describe draws the plan for users, who know the relations of FROM by their
// aliases: what follows the WHERE, then the tree of operators, with the rows that
// c lets expect.
func (p *Plan) Describe(c Cards, aliases []string) []string {
	w := drawing{tables: p.all, aliases: aliases, cards: &estimates{Cards: c}}
	if aliases == nil {
		w.aliases = make([]string, len(p.tables))
		for i, t := range p.tables {
			w.aliases[i] = t.Name
		}
	}
	depth := 0
	step := func(format string, args ...any) {
		w.line(depth, nil, format, args...)
		depth++
	}
	if p.q.Limit != nil {
		step("limit %d", *p.q.Limit)
	}
	if p.q.Offset > 0 {
		step("offset %d", p.q.Offset)
	}
	if len(p.q.Order) > 0 {
		step("sort by %s", w.order(p.q.Order))
	}
	if p.q.Distinct {
		step("distinct")
	}
	if p.q.Having != nil {
		step("having %s", w.expr(p.q.Having))
	}
	switch {
	case p.q.Grouped && len(p.q.Groups) > 0:
		step("group by %s", w.list(p.q.Groups, ", "))
	case p.q.Grouped:
		step("aggregate")
	case p.q.Out == OutCount:
		step("count")
	}
	if p.none {
		step("no row meets the conditions")
	}
	p.full.describe(&w, depth)
	return strings.Split(strings.TrimSuffix(w.String(), "\n"), "\n")
}
