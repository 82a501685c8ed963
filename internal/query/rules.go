package query

import (
	"slices"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// A Rule is one row-level security rule of a relation: a query for whole rows of
// its table. A row is visible if some rule returns it, however often (spec 07
// §13.2).
type Rule struct {
	From  []Relation
	Where Expr
	Rel   int // the relation whose rows it returns
}

// A semi is a rule that joins other tables, as a condition on a row of rel: there
// are rows of others with which it meets conds. Every semi has relation numbers of
// its own for the others.
type semi struct {
	rel    int
	others []int
	conds  []Expr // may hold further semis, on one of others each
	none   bool   // no row meets the rule
	ver    func(rel int) version
}

func hasRules(e Expr) bool {
	found := false
	walk(e, func(x Expr) {
		if _, ok := x.(*semi); ok {
			found = true
		}
	})
	return found
}

// at fixes the state of the tables that the rules in e read to that of the
// relation they restrict.
func at(e Expr, ver func(rel int) version) Expr {
	if s, ok := e.(*semi); ok {
		out := *s
		v := ver(s.rel)
		out.ver = func(int) version { return v }
		return &out
	}
	if !hasRules(e) {
		return e
	}
	return Map(e, func(x Expr) Expr { return at(x, ver) })
}

// A numbering gives relations of rules their numbers in the frame of a plan.
type numbering struct {
	tables []*schema.Table
	views  []*ViewRead // that rules read
}

func (n *numbering) add(t *schema.Table) int {
	n.tables = append(n.tables, t)
	return len(n.tables) - 1
}

// visible is the condition under which a row of relation rel is visible.
func (n *numbering) visible(rel int, rules []Rule) Expr {
	var any Or
	for i := range rules {
		any = append(any, n.rule(rel, &rules[i]))
	}
	return simplify(any)
}

func (n *numbering) rule(rel int, r *Rule) Expr {
	number := make([]int, len(r.From))
	s := &semi{rel: rel}
	for i := range r.From {
		if i == r.Rel {
			number[i] = rel
			continue
		}
		number[i] = n.add(r.From[i].Table)
		s.others = append(s.others, number[i])
	}
	var all And
	for i := range r.From {
		if on := r.From[i].On; on != nil {
			all = append(all, renumber(on, number))
		}
		if v := r.From[i].View; v != nil && i != r.Rel {
			n.views = append(n.views, v)
			all = append(all, v.filter(number[i]))
		}
		if i != r.Rel && r.From[i].Rules != nil {
			all = append(all, n.visible(number[i], r.From[i].Rules))
		}
	}
	if r.Where != nil {
		all = append(all, renumber(r.Where, number))
	}
	if len(s.others) == 0 {
		return simplify(all)
	}
	s.conds, s.none = conjuncts(all)
	if s.none {
		return constFalse
	}
	return s
}

// renumber gives the columns in e the numbers of their relations.
func renumber(e Expr, number []int) Expr {
	if c, ok := e.(*Column); ok {
		out := *c
		out.Rel = number[c.Rel]
		return &out
	}
	return Map(e, func(x Expr) Expr { return renumber(x, number) })
}

// planner plans the search for rows of the others.
func (s *semi) planner(tables []*schema.Table) *planner {
	p := newPlanner(tables, s.conds, append([]int{s.rel}, s.others...))
	p.again = true
	if s.ver != nil {
		v := s.ver(s.rel)
		p.ver = func(int) version { return v }
	}
	return p
}

// operator finds the matches of a row of rel that is there already.
func (s *semi) operator(tables []*schema.Table) operator {
	p := s.planner(tables)
	start := relSet{s.rel}
	return p.rest(p.filtered(&given{s.rel}, start), start)
}

// semi compiles a rule. In the state before a transaction matches are counted by
// sign; otherwise the first one decides.
func (b *builder) semi(s *semi) predicate {
	st := b.state()
	signed := s.ver != nil && s.ver(s.rel) == before
	find := s.operator(b.tables).compile(b, func(f *frame) bool {
		f.ops[st].matches += f.sign
		return signed
	})
	return func(f *frame) bool {
		was := f.sign
		f.sign, f.ops[st].matches = 1, 0
		find(f)
		f.sign = was
		return f.ops[st].matches > 0
	}
}

// given passes on the row of a relation that is bound already.
type given struct{ rel int }

func (o *given) compile(_ *builder, next step) step { return next }
func (o *given) rels() relSet                       { return relSet{o.rel} }

// shifted reads the change of the visible part of a relation: rows of the table
// that came or went, and rows whose rules tell something else than before because
// of what changed in other tables.
type shifted struct {
	leaf
	rules Expr
}

func (o *shifted) compile(b *builder, next step) step {
	visible := b.predicate(at(o.rules, func(int) version { return committed }))
	was := b.predicate(at(o.rules, func(int) version { return before }))
	st, rel, id, event := b.state(), o.rel, o.table.ID, o.table.IsEvent
	searches := o.searches(b, func(f *frame) bool { return f.ops[st].notice(f, rel) })
	return func(f *frame) bool {
		s := &f.ops[st]
		if td := f.delta(id); td != nil {
			if !o.changed(f, s, &td.Inserts, +1, visible, next) {
				return false
			}
			if !event && !o.changed(f, s, &td.Deletes, -1, was, next) {
				return false
			}
		}
		if event {
			return true
		}
		known := len(s.tuples)
		for _, search := range searches {
			search(f)
		}
		return s.moved(f, rel, known, visible, was, next)
	}
}

// changed passes on the visible ones of rows that came or went.
func (o *shifted) changed(f *frame, s *opState, rows *store.Rows, sign int, visible predicate, next step) bool {
	was, ok := f.sign, true
	for i, n := 0, rows.Len(); i < n && ok; i++ {
		f.rows[o.rel] = rows.At(i)
		s.notice(f, o.rel)
		if visible(f) {
			f.sign = was * sign
			ok = next(f)
			f.sign = was
		}
	}
	return ok
}

// notice remembers a row of rel, once.
func (s *opState) notice(f *frame, rel int) bool {
	row := f.rows[rel]
	if !s.knows(row) {
		s.remember(f, nil, row)
	}
	return true
}

func (s *opState) knows(key []byte) bool {
	for i := s.heads[sats.HashBytes(key)]; i > 0; i = s.tuples[i-1].next {
		if string(s.keyOf(&s.tuples[i-1], 0)) == string(key) {
			return true
		}
	}
	return false
}

// moved passes on those of the remembered rows, from the known ones on, that
// came into view or left it.
func (s *opState) moved(f *frame, rel, known int, visible, was predicate, next step) bool {
	sign, ok := f.sign, true
	for i := known; i < len(s.tuples) && ok; i++ {
		f.rows[rel] = s.keyOf(&s.tuples[i], 0)
		now, then := visible(f), was(f)
		if now == then {
			continue
		}
		if f.sign = sign; then {
			f.sign = -sign
		}
		ok = next(f)
		f.sign = sign
	}
	return ok
}

// searches finds the rows of rel that match something which changed: one search
// per other relation of every rule.
func (o *shifted) searches(b *builder, found step) []step {
	var out []step
	walk(o.rules, func(x Expr) {
		s, ok := x.(*semi)
		if !ok {
			return
		}
		for _, driver := range s.others {
			p := newPlanner(b.tables, s.conds, append([]int{s.rel}, s.others...))
			p.delta = true
			p.ver = func(rel int) version {
				switch {
				case rel == driver:
					return changes
				case rel == s.rel || rel < driver:
					return committed
				}
				return before
			}
			out = append(out, p.plan(driver).compile(b, found))
		}
	})
	return out
}

// semis lists the rules in e and, below them, in their conditions.
func semis(e Expr) []*semi {
	var out []*semi
	walk(e, func(x Expr) {
		if s, ok := x.(*semi); ok {
			out = append(out, s)
			for _, c := range s.conds {
				out = append(out, semis(c)...)
			}
		}
	})
	return out
}

// ruleTables lists the tables that the rules in conds read.
func ruleTables(tables []*schema.Table, conds []Expr) []*schema.Table {
	var out []*schema.Table
	for _, c := range conds {
		for _, s := range semis(c) {
			for _, rel := range s.others {
				if !slices.Contains(out, tables[rel]) {
					out = append(out, tables[rel])
				}
			}
		}
	}
	return out
}
