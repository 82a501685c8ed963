package sats

import (
	"encoding/binary"
	"slices"
)

// append appends the value at p step by step. It works on all the capacity of b, of which pos bytes are used; whoever
// makes room makes it for the runs that follow as well.
func (c *Codec) append(b []byte, p addr, depth int) []byte {
	if depth > MaxDepth {
		panic("sats: a value of type " + c.goType.String() + " is nested deeper than 256 levels; does it contain itself?")
	}
	pos := len(b)
	if b = b[:cap(b)]; len(b)-pos < c.head {
		b = grow(b, pos, c.min)
	}
	for i := 0; ; i++ {
		if i, pos = appendQuick(c.steps, i, b, pos, p); i == len(c.steps) {
			return b[:pos]
		}
		s := &c.steps[i]
		switch a := p.add(s.off); s.op {
		case opRun:
			pos = len(appendBy(s.sub, b[:pos], a))
		case opString, opBytes:
			v := *at[string](a)
			b = grow(b, pos, 4+len(v)+s.next)
			binary.LittleEndian.PutUint32(b[pos:], uint32(len(v)))
			pos += 4 + copy(b[pos+4:], v)
		default:
			b = s.append(b[:pos], a, depth)
			if pos = len(b); cap(b)-pos < s.next {
				b = slices.Grow(b, s.next)
			}
			b = b[:cap(b)]
		}
	}
}

// grow makes room for n bytes after the first pos of b.
func grow(b []byte, pos, n int) []byte {
	b = slices.Grow(b[:pos], n)
	return b[:cap(b)]
}

// append does the steps that are not simple copies.
func (s *step) append(b []byte, a addr, depth int) []byte {
	switch s.op {
	case opSwap:
		for i := s.n - 1; i >= 0; i-- {
			b = append(b, *at[byte](a.add(uintptr(i))))
		}
	case opPacked:
		h := *at[sliceHeader](a)
		b = AppendLen(b, h.len)
		if h.len > 0 {
			b = append(b, bytesAt(h.data, h.len*s.n)...)
		}
	case opStrings:
		v := *at[[]string](a)
		b = AppendLen(b, len(v))
		for _, str := range v {
			b = AppendString(b, str)
		}
	case opSlice:
		h := *at[sliceHeader](a)
		b = slices.Grow(AppendLen(b, h.len), h.len*s.sub.min)
		size := s.sub.goType.Size()
		for i := range h.len {
			b = s.sub.appendPart(b, h.data.add(uintptr(i)*size), depth+1)
		}
	case opOption:
		v := *at[addr](a)
		if v == (addr{}) {
			return append(b, 1)
		}
		b = s.sub.appendPart(append(b, 0), v, depth+1)
	case opSchedule:
		b = at[ScheduleAt](a).AppendBSATN(b)
	case opResult:
		if *at[bool](a.add(s.res.flag)) {
			return s.res.err.appendPart(append(b, 1), a.add(s.res.errOff), depth+1)
		}
		b = s.res.ok.appendPart(append(b, 0), a.add(s.res.okOff), depth+1)
	case opSum:
		b = s.appendSum(b, a, depth)
	}
	return b
}

// appendPart is append with short cuts for values of fixed size and strings.
func (c *Codec) appendPart(b []byte, p addr, depth int) []byte {
	if c.short != noShort {
		return appendBy(c, b, p)
	}
	if c.text {
		return AppendString(b, *at[string](p))
	}
	return c.append(b, p, depth)
}

func (s *step) appendSum(b []byte, a addr, depth int) []byte {
	v := *at[iface](a)
	none := addr{}
	for tag := range s.sum.variants {
		variant := &s.sum.variants[tag]
		switch {
		case v[0] == none:
		case v[0] == variant.word && variant.direct:
			return s.subs[tag].appendPart(append(b, byte(tag)), addrOf(&v[1]), depth+1)
		case v[0] == variant.word, v[0] == variant.ptrWord && v[1] != none:
			return s.subs[tag].appendPart(append(b, byte(tag)), v[1], depth+1)
		}
	}
	if v[0] == none {
		panic("sats: a value of sum type " + s.sum.goType.String() + " is nil")
	}
	panic("sats: a value of sum type " + s.sum.goType.String() + " is nil or of a type that is not among its registered variants")
}
