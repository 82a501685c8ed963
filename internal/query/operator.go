package query

import (
	"bytes"
	"slices"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// A step runs one operator and everything above it for the current tuple. It
// returns false when the run is over early.
type step func(f *frame) bool

// An operator is a node of a plan. compile binds it to what consumes its tuples;
// the result holds nothing that changes, so plans are shared freely.
type operator interface {
	compile(b *builder, next step) step
	rels() relSet
	describe(w *drawing, depth int)
	cost(c *estimates) (rows, scanned uint64)
}

// A version says which state of a table a leaf reads during a delta run.
type version uint8

const (
	committed version = iota // after the transaction; the only one in a full run
	before                   // before the transaction
	changes                  // what the transaction inserted and deleted
)

// A leaf reads one relation. before is read as: the committed rows, less the
// inserted ones, plus the deleted ones, by sign; whatever consumes tuples nets
// them in the end.
type leaf struct {
	rel   int
	table *schema.Table
	ver   version
}

func (l *leaf) rels() relSet { return relSet{l.rel} }

// oneRow is a FROM without relations: one tuple without rows.
type oneRow struct{ conds []Expr }

func (o *oneRow) rels() relSet { return nil }

func (o *oneRow) compile(b *builder, next step) step {
	p := b.all(o.conds)
	return func(f *frame) bool {
		pass := p(f)
		return f.err == nil && (!pass || next(f))
	}
}

// wrap runs base for the committed rows and adds the correction for the version.
// match decides whether a changed row is one that base would have produced.
func (l *leaf) wrap(base step, match func(f *frame) bool, next step) step {
	id := l.table.ID
	switch {
	case l.ver == changes:
		event := l.table.IsEvent
		return func(f *frame) bool {
			td := f.delta(id)
			if td == nil {
				return true
			}
			if !l.signed(f, &td.Inserts, +1, nil, next) {
				return false
			}
			return event || l.signed(f, &td.Deletes, -1, nil, next)
		}
	case l.table.IsEvent:
		return func(*frame) bool { return true } // nothing is ever stored
	case l.ver == before:
		return func(f *frame) bool {
			if !base(f) {
				return false
			}
			td := f.delta(id)
			if td == nil {
				return true
			}
			return l.signed(f, &td.Inserts, -1, match, next) && l.signed(f, &td.Deletes, +1, match, next)
		}
	}
	return base
}

func (l *leaf) signed(f *frame, rows *store.Rows, sign int, match func(*frame) bool, next step) bool {
	was := f.sign
	f.sign = was * sign
	ok := true
	for i, n := 0, rows.Len(); i < n && ok; i++ {
		f.rows[l.rel] = rows.At(i)
		if match == nil || match(f) {
			ok = next(f)
		}
	}
	f.sign = was
	return ok
}

// scan reads every row.
type scan struct{ leaf }

func (s *scan) compile(_ *builder, next step) step {
	rel, id := s.rel, s.table.ID
	base := func(f *frame) bool {
		for row := range f.r.Scan(id) {
			f.rows[rel] = row
			if !next(f) || !f.tick() {
				return false
			}
		}
		return true
	}
	return s.wrap(base, nil, next)
}

// A keyPart is one column of an index key: a constant or a column of a relation
// that is bound already.
type keyPart struct {
	col   schema.ColID // of the indexed table
	value Expr
}

// point reads the rows with one index key.
type point struct {
	leaf
	index *schema.Index
	parts []keyPart // in index order, all columns
}

func (p *point) compile(b *builder, next step) step {
	rel, id := p.rel, p.index.ID
	key := b.keyOf(p.parts)
	st := b.state()
	var base step
	if p.index.Unique {
		base = func(f *frame) bool {
			s := &f.ops[st]
			s.key = key(s.key[:0], f)
			row, ok := f.r.FindUnique(id, s.key)
			if !ok {
				return true
			}
			f.rows[rel] = row
			return next(f)
		}
	} else {
		base = func(f *frame) bool {
			s := &f.ops[st]
			s.key = key(s.key[:0], f)
			for row := range f.r.Point(id, s.key) {
				f.rows[rel] = row
				if !next(f) || !f.tick() {
					return false
				}
			}
			return true
		}
	}
	if p.ver == before && !p.table.IsEvent {
		return p.corrected(b, base, next)
	}
	return p.wrap(base, nil, next)
}

// corrected is wrap for a point read of the state before the transaction. The
// changed rows are found by key, too: a large transaction on both sides of a
// join must not compare every row with every other.
func (p *point) corrected(b *builder, base, next step) step {
	own := make([]Expr, len(p.parts))
	given := make([]Expr, len(p.parts))
	for i, part := range p.parts {
		own[i] = &Column{Rel: p.rel, Col: part.col, Type: p.table.Cols[part.col].Type}
		given[i] = part.value
	}
	ownKey, givenKey := b.canonical(own), b.canonical(given)
	st, rel, id := b.state(), p.rel, p.table.ID
	return func(f *frame) bool {
		if !base(f) {
			return false
		}
		td := f.delta(id)
		if td == nil {
			return true
		}
		s := &f.ops[st]
		if !s.filled {
			s.indexChanges(f, rel, td, ownKey)
		}
		s.key, _ = givenKey(s.key[:0], f)
		was, ok := f.sign, true
		for i := s.heads[sats.HashBytes(s.key)]; i > 0 && ok; {
			c := &s.changed[i-1]
			i = c.next
			f.rows[rel] = c.row
			s.other, _ = ownKey(s.other[:0], f)
			if bytes.Equal(s.key, s.other) {
				f.sign = was * c.sign
				ok = next(f)
			}
		}
		f.sign = was
		return ok
	}
}

// indexChanges prepares the changed rows of a table for lookups by key. An
// inserted row counts against the committed state, a deleted one for it.
func (s *opState) indexChanges(f *frame, rel int, td *store.TableDelta, key func([]byte, *frame) ([]byte, bool)) {
	if s.heads == nil {
		s.heads = make(map[uint64]int32)
	}
	add := func(rows *store.Rows, sign int) {
		for i, n := 0, rows.Len(); i < n; i++ {
			f.rows[rel] = rows.At(i)
			s.key, _ = key(s.key[:0], f)
			h := sats.HashBytes(s.key)
			s.changed = append(s.changed, change{f.rows[rel], s.heads[h], sign})
			s.heads[h] = int32(len(s.changed))
		}
	}
	add(&td.Inserts, -1)
	add(&td.Deletes, +1)
	s.filled = true
}

// keyOf appends the key's column values.
func (b *builder) keyOf(parts []keyPart) func(dst []byte, f *frame) []byte {
	get := make([]operand, len(parts))
	for i, p := range parts {
		get[i] = b.operand(p.value)
	}
	if len(get) == 1 {
		only := get[0]
		return func(dst []byte, f *frame) []byte { return append(dst, only(f)...) }
	}
	return func(dst []byte, f *frame) []byte {
		for _, g := range get {
			dst = append(dst, g(f)...)
		}
		return dst
	}
}

// ranged reads the rows of an index between two bounds of one column, the
// columns before it fixed.
type ranged struct {
	leaf
	index  *schema.Index
	prefix []keyPart
	lo, hi *Const // nil: unbounded
	loKind store.BoundKind
	hiKind store.BoundKind
	used   []Expr // the conditions that the range stands for
	desc   bool   // backwards
	walked bool   // for its order, as far as f.walk lets it go
}

func (r *ranged) compile(b *builder, next step) step {
	rel, id := r.rel, r.index.ID
	prefix := b.keyOf(r.prefix)
	st := b.state()
	rng := store.Range{Desc: r.desc, PrefixCols: len(r.prefix), Lo: store.Bound{Kind: r.loKind}, Hi: store.Bound{Kind: r.hiKind}}
	if r.lo != nil {
		rng.Lo.Value = r.lo.Value
	}
	if r.hi != nil {
		rng.Hi.Value = r.hi.Value
	}
	walked := r.walked
	base := func(f *frame) bool {
		s := &f.ops[st]
		s.key = prefix(s.key[:0], f)
		q := rng
		q.Prefix = s.key
		for row := range f.r.Range(id, q) {
			if walked {
				if f.walk--; f.walk == 0 {
					f.lost = true
					return false
				}
			}
			f.rows[rel] = row
			if !next(f) || !f.tick() {
				return false
			}
		}
		return true
	}
	p := b.all(r.used)
	return r.wrap(base, p, next)
}

// filter passes the tuples that meet all its conditions.
type filter struct {
	in    operator
	conds []Expr
}

func (o *filter) rels() relSet { return o.in.rels() }

func (o *filter) compile(b *builder, next step) step {
	p := b.all(o.conds)
	if slices.ContainsFunc(o.conds, CanFail) {
		return o.in.compile(b, func(f *frame) bool {
			pass := p(f)
			return f.err == nil && (!pass || next(f))
		})
	}
	return o.in.compile(b, func(f *frame) bool {
		if p(f) {
			return next(f)
		}
		return true
	})
}

// nest runs inner once per tuple of outer; inner may refer to it. With an index
// point inside it is an index join, with a kept scan a cross product.
type nest struct{ outer, inner operator }

func (o *nest) rels() relSet { return union(o.outer.rels(), o.inner.rels()) }

func (o *nest) compile(b *builder, next step) step {
	return o.outer.compile(b, o.inner.compile(b, next))
}

func union(a, b relSet) relSet {
	for _, r := range b {
		a = a.with(r)
	}
	return a
}

// keep runs its input once and replays the tuples whenever it is asked again.
type keep struct{ in operator }

func (o *keep) rels() relSet { return o.in.rels() }

func (o *keep) compile(b *builder, next step) step {
	st, rels := b.state(), o.in.rels()
	fill := o.in.compile(b, func(f *frame) bool { return f.ops[st].remember(f, rels, nil) })
	return func(f *frame) bool {
		s := &f.ops[st]
		was := f.sign
		if !s.filled {
			f.sign = 1
			fill(f)
			s.filled = true
		}
		ok := f.err == nil
		for i := 0; i < len(s.tuples) && ok; i++ {
			t := &s.tuples[i]
			s.recall(f, t, rels)
			f.sign = was * t.sign
			ok = next(f) && f.tick()
		}
		f.sign = was
		return ok
	}
}

// keyed runs its input once and replays, whenever it is asked, the tuples whose
// key is that of the tuple before it.
type keyed struct {
	in               operator
	ownKeys, askKeys []Expr
}

func (o *keyed) rels() relSet { return o.in.rels() }

func (o *keyed) compile(b *builder, next step) step {
	st, rels := b.state(), o.in.rels()
	own, ask := b.canonical(o.ownKeys), b.canonical(o.askKeys)
	fill := o.in.compile(b, func(f *frame) bool { return f.ops[st].file(f, rels, own) })
	return func(f *frame) bool {
		s := &f.ops[st]
		if !s.filled {
			was := f.sign
			f.sign = 1
			fill(f)
			f.sign, s.filled = was, true
		}
		return f.err == nil && s.replay(f, rels, ask, next)
	}
}

// file remembers the current rows under their key, if they have one.
func (s *opState) file(f *frame, rels []int, key func([]byte, *frame) ([]byte, bool)) bool {
	var ok bool
	if s.key, ok = key(s.key[:0], f); !ok {
		return true
	}
	return s.remember(f, rels, s.key)
}

// replay runs next for the remembered tuples with the current key.
func (s *opState) replay(f *frame, rels []int, ask func([]byte, *frame) ([]byte, bool), next step) bool {
	var ok bool
	if s.key, ok = ask(s.key[:0], f); !ok {
		return true
	}
	was := f.sign
	for i := s.heads[sats.HashBytes(s.key)]; i > 0 && ok; {
		t := &s.tuples[i-1]
		i = t.next
		if bytes.Equal(s.keyOf(t, len(rels)), s.key) {
			s.recall(f, t, rels)
			f.sign = was * t.sign
			ok = next(f) && f.tick()
		}
	}
	f.sign = was
	return ok
}

// hashJoin remembers the tuples of build by key and looks those of probe up.
type hashJoin struct {
	build, probe         operator
	buildKeys, probeKeys []Expr
}

func (o *hashJoin) rels() relSet { return union(o.build.rels(), o.probe.rels()) }

func (o *hashJoin) compile(b *builder, next step) step {
	st, rels := b.state(), o.build.rels()
	buildKey, probeKey := b.canonical(o.buildKeys), b.canonical(o.probeKeys)
	build := o.build.compile(b, func(f *frame) bool { return f.ops[st].file(f, rels, buildKey) })
	probe := o.probe.compile(b, func(f *frame) bool { return f.ops[st].replay(f, rels, probeKey, next) })
	return func(f *frame) bool {
		build(f)
		if f.err != nil || len(f.ops[st].tuples) == 0 {
			return f.err == nil
		}
		return probe(f)
	}
}

// outer runs inner once per tuple of outer, and goes on without a row of rel
// where inner found none.
type outerJoin struct {
	outer, inner operator
	rel          int
}

func (o *outerJoin) rels() relSet { return union(o.outer.rels(), o.inner.rels()) }

func (o *outerJoin) compile(b *builder, next step) step {
	st, rel := b.state(), o.rel
	inner := o.inner.compile(b, func(f *frame) bool {
		f.ops[st].matches++
		return next(f)
	})
	return o.outer.compile(b, func(f *frame) bool {
		f.ops[st].matches = 0
		if !inner(f) {
			return false
		}
		if f.ops[st].matches > 0 {
			return true
		}
		f.rows[rel] = nil
		return next(f)
	})
}
