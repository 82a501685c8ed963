package query

import (
	"bytes"
	"math/big"
	"math/bits"

	"github.com/stdbgo/spacetime/sats"
)

// AggFn is an aggregate function.
type AggFn uint8

const (
	AggCount AggFn = iota
	AggSum
	AggMin
	AggMax
	AggAvg
)

func (fn AggFn) String() string { return [...]string{"count", "sum", "min", "max", "avg"}[fn] }

// An Agg is one aggregate of a query. Values that are none do not count.
type Agg struct {
	Fn       AggFn
	X        Expr // nil: COUNT(*)
	Distinct bool
	Type     *sats.Type // of the result, see AggType
}

// AggType is the base type of fn over values of type t, nil if there is no such
// aggregate (spec 07 §34.9).
func AggType(fn AggFn, t *sats.Type) *sats.Type {
	switch fn {
	case AggCount:
		return sats.U64
	case AggMin, AggMax:
		return t
	}
	k := t.Kind
	duration := t.Special() == sats.SpecialTimeDuration
	switch {
	case fn == AggAvg && (k.IsInteger() || k.IsFloat()):
		return sats.F64
	case fn == AggAvg:
		return nil
	case duration || k == sats.KindI256 || k == sats.KindU256:
		return t
	case k.IsFloat():
		return sats.F64
	case !k.IsInteger():
		return nil
	}
	switch k {
	case sats.KindI128:
		return sats.I256Type
	case sats.KindU128:
		return sats.U256Type
	case sats.KindI64:
		return sats.I128Type
	case sats.KindU64:
		return sats.U128Type
	}
	if k.IsSigned() {
		return sats.I64
	}
	return sats.U64
}

// An accumulator takes the values of one aggregate in one group.
type accumulator interface {
	add(v []byte)
	// result appends the value; ok is false if it is none.
	result(dst []byte) (out []byte, ok bool, err error)
}

func newAccumulator(a *Agg) accumulator {
	if a.Fn == AggCount {
		return &counter{}
	}
	t := TypeOf(a.X)
	switch a.Fn {
	case AggMin, AggMax:
		return &extreme{cmp: sats.NewCompare(t), max: a.Fn == AggMax}
	}
	k := scalarKind(t)
	if k.IsFloat() {
		return &floats{kind: k, avg: a.Fn == AggAvg}
	}
	return &integers{kind: k, to: scalarKind(a.Type), typ: a.Type, avg: a.Fn == AggAvg}
}

type counter struct{ n uint64 }

func (c *counter) add([]byte) { c.n++ }
func (c *counter) result(dst []byte) ([]byte, bool, error) {
	return sats.AppendU64(dst, c.n), true, nil
}

// extreme is MIN or MAX; of equal values it keeps the one with the smallest bytes.
type extreme struct {
	cmp  sats.Cmp
	max  bool
	best []byte
	has  bool
}

func (e *extreme) add(v []byte) {
	if e.has {
		c := e.cmp(v, e.best)
		if e.max {
			c = -c
		}
		if c > 0 || c == 0 && bytes.Compare(v, e.best) >= 0 {
			return
		}
	}
	e.best, e.has = append(e.best[:0], v...), true
}

func (e *extreme) result(dst []byte) ([]byte, bool, error) { return append(dst, e.best...), e.has, nil }

type floats struct {
	kind sats.Kind
	avg  bool
	n    uint64
	sum  floatSum
}

func (s *floats) add(v []byte) {
	s.n++
	if s.kind == sats.KindF32 {
		s.sum.add(float64(f32(v)))
	} else {
		s.sum.add(f64(v))
	}
}

func (s *floats) result(dst []byte) ([]byte, bool, error) {
	n := uint64(1)
	if s.avg {
		n = s.n
	}
	if s.n == 0 {
		return dst, false, nil
	}
	return sats.AppendF64(dst, s.sum.over(n)), true, nil
}

// integers sums integers exactly: in 128 bits where they have at most 64.
type integers struct {
	kind, to sats.Kind
	typ      *sats.Type
	avg      bool
	n        uint64
	lo, hi   uint64 // two's complement
	wide     *big.Int
}

func (s *integers) add(v []byte) {
	s.n++
	size := s.kind.Size()
	if size > 8 {
		if s.wide == nil {
			s.wide = new(big.Int)
		}
		s.wide.Add(s.wide, BigInt(s.kind, v))
		return
	}
	x, sign := unsignedValue(size, v), uint64(0)
	if s.kind.IsSigned() {
		i := signedValue(size, v)
		x, sign = uint64(i), uint64(i>>63)
	}
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, x, 0)
	s.hi, _ = bits.Add64(s.hi, sign, carry)
}

func (s *integers) total() *big.Int {
	if s.wide != nil {
		return s.wide
	}
	return sats.I128{Lo: s.lo, Hi: int64(s.hi)}.Big()
}

func (s *integers) result(dst []byte) ([]byte, bool, error) {
	if s.n == 0 {
		return dst, false, nil
	}
	if s.avg {
		v, _ := new(big.Rat).SetFrac(s.total(), new(big.Int).SetUint64(s.n)).Float64()
		return sats.AppendF64(dst, v), true, nil
	}
	out, ok := AppendBigInt(dst, s.to, s.total())
	if !ok {
		return dst, false, errOverflow(s.typ)
	}
	return out, true, nil
}

// A grouping holds the groups of a run.
type grouping struct {
	heads  map[string]int // canonical key -> group
	groups []group
	key    []byte
	first  []byte              // value of MIN or MAX, if values come in order
	seen   map[string]struct{} // of aggregates over distinct values
}

type group struct {
	values [][]byte // of the grouping expressions; nil: none
	accs   []accumulator
}

// A grouper is what the groups of a query are made of.
type grouper struct {
	aggs   []Agg
	keys   []operand
	encs   []*sats.KeyEncoder
	floats []bool
	args   []operand // nil: COUNT(*)
	argEnc []*sats.KeyEncoder
}

func (p *Plan) grouped(b *builder, next output) output {
	g := &grouper{aggs: p.q.Aggs}
	for _, x := range p.q.Groups {
		g.keys = append(g.keys, b.operand(x))
		g.encs = append(g.encs, sats.NewKeyEncoder([]*sats.Type{TypeOf(x)}))
		g.floats = append(g.floats, hasFloat(TypeOf(x)))
	}
	for _, a := range p.q.Aggs {
		if a.X == nil {
			g.args, g.argEnc = append(g.args, nil), append(g.argEnc, nil)
			continue
		}
		g.args = append(g.args, b.operand(a.X))
		g.argEnc = append(g.argEnc, sats.NewKeyEncoder([]*sats.Type{TypeOf(a.X)}))
	}
	take := g.take
	if o, ok := p.full.(*inOrder); ok && o != nil {
		take = g.first
	}
	having := predicate(func(*frame) bool { return true })
	if p.q.Having != nil {
		having = b.predicate(p.q.Having)
	}
	begin, pass, end := next.begin, next.take, next.end
	whole := len(p.q.Groups) == 0
	return output{
		begin: func(f *frame) {
			f.group = &grouping{heads: map[string]int{}, seen: map[string]struct{}{}}
			if whole {
				g.group(f) // there is one group, even of no rows
			}
			begin(f)
		},
		take: take,
		end: func(f *frame) {
			for i := range f.group.groups {
				if !g.load(f, &f.group.groups[i]) || !f.tick() {
					return
				}
				if ok := having(f); f.err != nil || ok && !pass(f) {
					break
				}
			}
			if f.err == nil {
				end(f)
			}
		},
	}
}

// first is take for MIN and MAX of a column whose values come in order: only those
// that equal the first count.
func (g *grouper) first(f *frame) bool {
	if f.inOrder {
		s := f.group
		s.key = g.argEnc[0].AppendKey(s.key[:0], g.args[0](f))
		if s.first != nil && !bytes.Equal(s.first, s.key) {
			return false
		}
		s.first = append(s.first[:0], s.key...)
	}
	return g.take(f)
}

// take adds a tuple to its group.
func (g *grouper) take(f *frame) bool {
	at, ok := g.group(f)
	if !ok {
		return false
	}
	gr := &f.group.groups[at]
	for i, get := range g.args {
		if get == nil {
			gr.accs[i].add(nil)
			continue
		}
		v := get(f)
		if f.err != nil {
			return false
		}
		if v == nil || g.aggs[i].Distinct && !g.fresh(f, at, i, v) {
			continue
		}
		gr.accs[i].add(v)
	}
	return f.err == nil
}

// group finds the group of a tuple, or makes it.
func (g *grouper) group(f *frame) (at int, ok bool) {
	s := f.group
	s.key = s.key[:0]
	for i, get := range g.keys {
		v := get(f)
		if f.err != nil {
			return 0, false
		}
		if v == nil {
			s.key = append(s.key, 1)
			continue
		}
		s.key = g.encs[i].AppendKey(append(s.key, 0), v)
	}
	at, known := s.heads[string(s.key)]
	if !known {
		return g.open(f)
	}
	for i, float := range g.floats {
		if float {
			// Equal values may differ in their bytes; the smallest are shown.
			if v := g.keys[i](f); v != nil && bytes.Compare(v, s.groups[at].values[i]) < 0 {
				s.groups[at].values[i] = bytes.Clone(v)
			}
		}
	}
	return at, true
}

func (g *grouper) open(f *frame) (at int, ok bool) {
	s := f.group
	gr := group{values: make([][]byte, len(g.keys)), accs: make([]accumulator, len(g.aggs))}
	held := len(s.key) + 2*tupleCost + 64*len(g.aggs)
	for i, get := range g.keys {
		if v := get(f); v != nil {
			gr.values[i] = append([]byte{}, v...)
			held += len(v)
		}
	}
	for i := range g.aggs {
		gr.accs[i] = newAccumulator(&g.aggs[i])
		if _, ok := gr.accs[i].(*floats); ok {
			held += 8 * 70
		}
	}
	s.heads[string(s.key)] = len(s.groups)
	s.groups = append(s.groups, gr)
	return len(s.groups) - 1, f.hold(held)
}

// fresh reports whether a group's aggregate sees a value for the first time.
func (g *grouper) fresh(f *frame, at, agg int, v []byte) bool {
	s := f.group
	s.key = sats.AppendU32(sats.AppendU32(s.key[:0], uint32(at)), uint32(agg))
	s.key = g.argEnc[agg].AppendKey(s.key, v)
	if _, ok := s.seen[string(s.key)]; ok {
		return false
	}
	s.seen[string(s.key)] = struct{}{}
	f.hold(len(s.key) + tupleCost)
	return true
}

// load makes a group the current one.
func (g *grouper) load(f *frame, gr *group) bool {
	n := copy(f.slots, gr.values)
	for i, acc := range gr.accs {
		v, ok, err := acc.result([]byte{})
		if err != nil {
			f.fail(err)
			return false
		}
		if f.slots[n+i] = v; !ok {
			f.slots[n+i] = nil
		}
	}
	return true
}
