package sats

import (
	"encoding/binary"
	"slices"
)

// appendTexts is Codec.enc for steps that appendQuick knows, if values are not too long.
func appendTexts(c *Codec, b []byte, p addr, depth int) []byte {
	i, pos := 0, len(b)
	if b = b[:cap(b)]; len(b)-pos >= c.head {
		if i, pos = appendQuick(c.steps, 0, b, pos, p); i == len(c.steps) {
			return b[:pos]
		}
	}
	return c.appendFrom(i, b, pos, p, depth)
}

// appendMixed is Codec.enc for steps that appendLists knows, if values are not too long.
func appendMixed(c *Codec, b []byte, p addr, depth int) []byte {
	i, pos := 0, len(b)
	if b = b[:cap(b)]; len(b)-pos >= c.head {
		if i, pos = appendLists(c.steps, 0, b, pos, p); i == len(c.steps) {
			return b[:pos]
		}
	}
	return c.appendFrom(i, b, pos, p, depth)
}

// append appends the value at p.
func (c *Codec) append(b []byte, p addr, depth int) []byte {
	return c.appendFrom(0, b[:cap(b)], len(b), p, depth)
}

// appendFrom does the steps of the value at p from i on. It works on all of b, of which pos bytes are used; whoever makes
// room makes it for the runs that follow as well.
func (c *Codec) appendFrom(i int, b []byte, pos int, p addr, depth int) []byte {
	if depth > MaxDepth {
		panic("sats: a value of type " + c.goType.String() + " is nested deeper than 256 levels; does it contain itself?")
	}
	if i == 0 && len(b)-pos < c.head {
		b = grow(b, pos, c.min)
	}
	for ; ; i++ {
		if c.lists {
			i, pos = appendLists(c.steps, i, b, pos, p)
		} else {
			i, pos = appendQuick(c.steps, i, b, pos, p)
		}
		if i == len(c.steps) {
			return b[:pos]
		}
		s := &c.steps[i]
		switch a := p.add(s.off); s.op {
		case opRun:
			pos = len(s.sub.enc(s.sub, b[:pos], a, depth))
		case opString, opBytes:
			b, pos = putText(b, pos, *at[string](a), s.next)
		case opStrings:
			b, pos = s.appendStrings(b, pos, *at[[]string](a))
		case opPacked:
			b, pos = s.appendPacked(b, pos, *at[sliceHeader](a))
		case opOption, opText:
			v := *at[addr](a)
			if len(b)-pos < 1+s.next {
				b = grow(b, pos, 1+s.next)
			}
			if v == (addr{}) {
				b[pos] = 1
				pos++
				continue
			}
			b[pos] = 0
			if s.op == opText {
				b, pos = putText(b, pos+1, *at[string](v), s.next)
				continue
			}
			b, pos = s.room(s.sub.appendPart(b[:pos+1], v, depth+1))
		default:
			b, pos = s.room(s.append(b[:pos], a, depth))
		}
	}
}

// room returns b with room for the runs after the step, and the length it had.
func (s *step) room(b []byte) ([]byte, int) {
	pos := len(b)
	if cap(b)-pos < s.next {
		b = slices.Grow(b, s.next)
	}
	return b[:cap(b)], pos
}

// putText writes the length and bytes of v at b[pos:], with room for next bytes after them, and returns the position
// there.
func putText(b []byte, pos int, v string, next int) ([]byte, int) {
	if len(b)-pos < 4+len(v)+next {
		b = grow(b, pos, 4+len(v)+next)
	}
	binary.LittleEndian.PutUint32(b[pos:], uint32(len(v)))
	copy(b[pos+4:], v)
	return b, pos + 4 + len(v)
}

func (s *step) appendStrings(b []byte, pos int, v []string) ([]byte, int) {
	if len(b)-pos < 4+s.next {
		b = grow(b, pos, 4+s.next)
	}
	binary.LittleEndian.PutUint32(b[pos:], uint32(len(v)))
	pos += 4
	for _, text := range v {
		b, pos = putText(b, pos, text, s.next)
	}
	return b, pos
}

func (s *step) appendPacked(b []byte, pos int, h sliceHeader) ([]byte, int) {
	size := h.len * s.n
	if len(b)-pos < 4+size+s.next {
		b = grow(b, pos, 4+size+s.next)
	}
	binary.LittleEndian.PutUint32(b[pos:], uint32(h.len))
	if pos += 4; size > 0 {
		pos += copy(b[pos:], bytesAt(h.data, size))
	}
	return b, pos
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
	case opSlice:
		h := *at[sliceHeader](a)
		b = slices.Grow(AppendLen(b, h.len), h.len*s.sub.min)
		size := s.sub.goType.Size()
		for i := range h.len {
			b = s.sub.appendPart(b, h.data.add(uintptr(i)*size), depth+1)
		}
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
		return c.enc(c, b, p, depth)
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
