package query

import (
	"github.com/stdbgo/spacetime/sats"
)

const errManyRows ExprError = "Sub-select returned more than one row"

// sub compiles an uncorrelated sub-select. It runs when it is first needed, on the
// reader of the statement and within its budget.
func (b *builder) sub(e *Sub) operand {
	switch e.Kind {
	case SubExists:
		return b.exists(e)
	case SubIn:
		return b.inSub(e)
	}
	st, opt := b.state(), e.Opt
	return func(f *frame) []byte {
		s := &f.ops[st]
		if !s.filled {
			s.filled, s.none = true, true
			f.run(e.Plan, func(row []byte) bool {
				if s.matches++; s.matches > 1 {
					f.fail(errManyRows)
					return false
				}
				if v := only(row, opt); v != nil {
					s.key, s.none = append(s.key[:0], v...), false
				}
				return f.hold(len(row))
			})
		}
		if s.none || f.err != nil {
			return nil
		}
		return s.key
	}
}

// only is the value of a row of one column.
func only(row []byte, opt bool) []byte {
	switch {
	case !opt:
		return row
	case row[0] == 0:
		return row[1:]
	}
	return nil
}

func (f *frame) run(p *Plan, emit func(row []byte) bool) {
	if err := p.run(f.r, f.budget, emit); err != nil {
		f.fail(err)
	}
}

func (b *builder) exists(e *Sub) operand {
	st := b.state()
	return func(f *frame) []byte {
		s := &f.ops[st]
		if !s.filled {
			s.filled = true
			f.run(e.Plan, func([]byte) bool { s.matches++; return false })
		}
		return boolBytes(s.matches > 0)
	}
}

func (b *builder) inSub(e *Sub) operand {
	st, opt, x := b.state(), e.Opt, b.operand(e.X)
	enc := sats.NewKeyEncoder([]*sats.Type{TypeOf(e.X)})
	return func(f *frame) []byte {
		s := &f.ops[st]
		if !s.filled {
			s.filled = true
			f.run(e.Plan, func(row []byte) bool {
				v := only(row, opt)
				if v == nil {
					s.none = true
					return true
				}
				if s.key = enc.AppendKey(s.key[:0], v); s.knows(s.key) {
					return true
				}
				return s.remember(f, nil, s.key)
			})
		}
		v := x(f)
		switch {
		case f.err != nil:
			return nil
		case v == nil && (s.none || len(s.tuples) > 0):
			return nil
		case v == nil:
			return boolBytes(false)
		}
		if s.key = enc.AppendKey(s.key[:0], v); s.knows(s.key) {
			return boolBytes(true)
		}
		if s.none {
			return nil
		}
		return boolBytes(false)
	}
}
