package query

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/stdbgo/spacetime/sats"
)

// An Order is one key of ORDER BY.
type Order struct {
	X          Expr // over the tuple, or the group
	Desc       bool
	NullsFirst bool
}

// An output is what becomes of the tuples of a full run.
type output struct {
	begin func(f *frame)
	take  step           // one tuple
	end   func(f *frame) // after the last
}

// compileOutput chains what follows the WHERE: groups, items, DISTINCT, ORDER BY,
// OFFSET and LIMIT.
func (p *Plan) compileOutput(b *builder) output {
	if p.q.Out == OutCount {
		return output{
			begin: func(*frame) {},
			take:  func(f *frame) bool { f.count++; return true },
			end: func(f *frame) {
				f.out = binary.LittleEndian.AppendUint64(f.out[:0], f.count)
				f.deliver(f.out)
			},
		}
	}
	row, layout := p.compileRow(b)
	out := output{begin: func(*frame) {}, end: func(*frame) {}}
	out.take = p.plainTake(row)
	if len(p.q.Order) > 0 {
		out = p.sorted(b, row, layout)
	}
	if p.q.Distinct {
		out = p.distinct(out, row, layout)
	}
	if p.q.Grouped {
		out = p.grouped(b, out)
	}
	return out
}

func (p *Plan) plainTake(row func(f *frame) []byte) step {
	return func(f *frame) bool {
		r := row(f)
		return f.err == nil && f.deliver(r)
	}
}

// compileRow builds the output row of a tuple. The layout is nil unless it is
// needed to compare rows.
func (p *Plan) compileRow(b *builder) (func(f *frame) []byte, *sats.Layout) {
	needed := p.q.Distinct || len(p.q.Order) > 0
	if p.q.Out == OutRow {
		rel, hidden := p.q.Rel, p.hidden
		layout := p.tables[rel].Layout
		if hidden > 0 && needed {
			layout = layoutOf(layout.Type().Elems[1:])
		}
		return func(f *frame) []byte { return f.rows[rel][hidden:] }, layout
	}
	put := make([]func(f *frame), len(p.q.Items))
	elems := make([]sats.Element, len(p.q.Items))
	for i, x := range p.q.Items {
		put[i] = b.item(x)
		elems[i].Type = ItemType(x)
	}
	var layout *sats.Layout
	if needed {
		layout = layoutOf(elems)
	}
	return func(f *frame) []byte {
		f.out = f.out[:0]
		for _, add := range put {
			add(f)
		}
		return f.out
	}, layout
}

func layoutOf(elems []sats.Element) *sats.Layout {
	layout, err := sats.NewLayout(sats.Product(elems...))
	if err != nil {
		panic("query: a result row has no layout: " + err.Error()) // its columns have
	}
	return layout
}

// ItemType is the type of an expression as a result column: an option if it may
// be none.
func ItemType(x Expr) *sats.Type {
	if Nullable(x) {
		return sats.Option(TypeOf(x))
	}
	return TypeOf(x)
}

// item appends the value of x to the output row.
func (b *builder) item(x Expr) func(f *frame) {
	if c, ok := x.(*Column); ok && !c.Outer {
		get := b.plainColumn(c)
		return func(f *frame) { f.out = append(f.out, get(f)...) }
	}
	get := b.operand(x)
	if !Nullable(x) {
		return func(f *frame) { f.out = append(f.out, get(f)...) }
	}
	return func(f *frame) {
		if v := get(f); v != nil {
			f.out = append(sats.AppendSome(f.out), v...)
		} else {
			f.out = sats.AppendNone(f.out)
		}
	}
}

// A rowSet holds distinct rows. Where equal rows can differ in their bytes it
// keeps the smallest and must be read at the end.
type rowSet struct {
	heads map[string]int
	rows  [][]byte // only if equal rows can differ
	keys  [][]byte // their sort keys
}

func (p *Plan) distinct(next output, row func(f *frame) []byte, layout *sats.Layout) output {
	if !hasFloat(layout.Type()) {
		take := next.take
		next.take = func(f *frame) bool {
			r := row(f)
			if f.err != nil {
				return false
			}
			if _, ok := f.seen.heads[string(r)]; ok {
				return true
			}
			f.seen.heads[string(r)] = 0
			return f.hold(len(r)+tupleCost) && take(f)
		}
		begin := next.begin
		next.begin = func(f *frame) {
			f.seen = &rowSet{heads: map[string]int{}}
			begin(f)
		}
		return next
	}
	return p.distinctFloats(next, row, layout)
}

// distinctFloats keeps, of the rows that are equal, the one with the smallest
// bytes. Its order among others is that of its equals, so the sort keys may be
// taken from the first.
func (p *Plan) distinctFloats(next output, row func(f *frame) []byte, layout *sats.Layout) output {
	enc := sats.NewKeyEncoder([]*sats.Type{layout.Type()})
	ordered := len(p.q.Order) > 0
	begin, end := next.begin, next.end
	next.begin = func(f *frame) {
		f.seen = &rowSet{heads: map[string]int{}}
		begin(f)
	}
	next.take = func(f *frame) bool {
		r := row(f)
		if f.err != nil {
			return false
		}
		s := f.seen
		key := enc.AppendKey(nil, r)
		if i, ok := s.heads[string(key)]; ok {
			if bytes.Compare(r, s.rows[i]) < 0 {
				s.rows[i] = bytes.Clone(r)
			}
			return true
		}
		s.heads[string(key)] = len(s.rows)
		s.rows = append(s.rows, bytes.Clone(r))
		if ordered {
			s.keys = append(s.keys, bytes.Clone(f.sorter.key(f)))
		}
		return f.err == nil && f.hold(len(key)+len(r)+2*tupleCost)
	}
	next.end = func(f *frame) {
		for i, r := range f.seen.rows {
			if ordered {
				if !f.sorter.add(f, f.seen.keys[i], r) {
					break
				}
			} else if !f.deliver(r) {
				break
			}
		}
		if f.err == nil {
			end(f)
		}
	}
	return next
}

// A sorter collects rows under keys whose bytes have their order.
type sorter struct {
	keyOf  func(dst []byte, f *frame) []byte
	buf    []byte
	layout *sats.Layout
	most   uint64 // rows that are wanted; the others need not be kept
	arena  arena
	rows   []sortRow
}

type sortRow struct{ key, row span }

func (s *sorter) key(f *frame) []byte {
	s.buf = s.keyOf(s.buf[:0], f)
	return s.buf
}

func (p *Plan) sorted(b *builder, row func(f *frame) []byte, layout *sats.Layout) output {
	key := p.sortKey(b)
	most := ^uint64(0)
	if p.q.Limit != nil {
		most = satAdd(p.q.Offset, *p.q.Limit)
	}
	return output{
		begin: func(f *frame) { f.sorter = &sorter{keyOf: key, layout: layout, most: most} },
		take: func(f *frame) bool {
			k := f.sorter.key(f)
			if f.inOrder && f.sorter.full(k) {
				return false
			}
			r := row(f)
			return f.err == nil && f.sorter.add(f, k, r)
		},
		end: func(f *frame) {
			s := f.sorter
			s.sort()
			for _, r := range s.rows {
				if !f.deliver(s.arena.at(r.row)) || !f.tick() {
					return
				}
			}
		},
	}
}

// sortKey encodes the keys of ORDER BY so that the order of the bytes is theirs.
func (p *Plan) sortKey(b *builder) func(dst []byte, f *frame) []byte {
	put := make([]func(dst []byte, f *frame) []byte, len(p.q.Order))
	for i, o := range p.q.Order {
		put[i] = b.sortPart(o)
	}
	return func(dst []byte, f *frame) []byte {
		for _, add := range put {
			dst = add(dst, f)
		}
		return dst
	}
}

func (b *builder) sortPart(o Order) func(dst []byte, f *frame) []byte {
	get := b.operand(o.X)
	enc := sats.NewKeyEncoder([]*sats.Type{TypeOf(o.X)})
	some, none := byte(1), byte(2)
	if o.NullsFirst {
		none = 0
	}
	desc := o.Desc
	return func(dst []byte, f *frame) []byte {
		v := get(f)
		if v == nil {
			return append(dst, none)
		}
		dst = append(dst, some)
		from := len(dst)
		dst = enc.AppendKey(dst, v)
		if desc {
			for i := from; i < len(dst); i++ {
				dst[i] = ^dst[i]
			}
		}
		return dst
	}
}

func (s *sorter) add(f *frame, key, row []byte) bool {
	e := sortRow{s.arena.add(key), s.arena.add(row)}
	s.rows = append(s.rows, e)
	if !f.hold(len(key) + len(row) + 48) {
		return false
	}
	if uint64(len(s.rows)) >= satAdd(satMul(s.most, 2), 1024) {
		f.cut(s)
	}
	return true
}

// cut drops the rows that will not be wanted.
func (f *frame) cut(s *sorter) {
	s.sort()
	was := len(s.arena.b)
	kept := arena{make([]byte, 0, was/2)}
	for i, r := range s.rows[:s.most] {
		s.rows[i] = sortRow{kept.add(s.arena.at(r.key)), kept.add(s.arena.at(r.row))}
	}
	dropped := len(s.rows) - int(s.most)
	s.rows, s.arena = s.rows[:s.most], kept
	f.hold(len(kept.b) - was - 48*dropped)
}

func (s *sorter) sort() {
	slices.SortFunc(s.rows, func(a, b sortRow) int {
		if c := bytes.Compare(s.arena.at(a.key), s.arena.at(b.key)); c != 0 {
			return c
		}
		x, y := s.arena.at(a.row), s.arena.at(b.row)
		if c := s.layout.CompareRows(x, y); c != 0 {
			return c
		}
		return bytes.Compare(x, y)
	})
}
