package sats

import (
	"encoding/binary"
	"reflect"
)

// decodeExact decodes step by step, and says exactly what is wrong with b.
func (c *Codec) decodeExact(b []byte, p addr) (n int, err error) {
	if len(c.steps) == 0 && c.short != noShort {
		return 0, c.run.errIn(b) // a run that is a step of another codec
	}
	n, err = c.decode(b, 0, p, 0)
	if err == nil {
		return n, nil
	}
	if c.typ != nil {
		// Merged steps do not know which field was short: the walker tells exactly.
		if _, exact := NewWalker(c.typ).Validate(b); exact != nil {
			err = exact
		}
	}
	return 0, err
}

// decode decodes the value at b[pos:] into the memory at p and returns the position after it.
func (c *Codec) decode(b []byte, pos int, p addr, depth int) (int, error) {
	if depth > MaxDepth {
		return pos, errDepth
	}
	steps := c.steps
	for i := range steps {
		s := &steps[i]
		a := p.add(s.off)
		switch s.op {
		case opByte:
			if len(b) <= pos || b[pos] > s.max {
				return pos, s.sub.run.errIn(b[pos:])
			}
			*at[byte](a) = b[pos]
			pos++
		case opWord2:
			if len(b)-pos < 2 {
				return pos, s.sub.run.errIn(b[pos:])
			}
			*at[[2]byte](a) = *(*[2]byte)(b[pos:])
			pos += 2
		case opWord4:
			if len(b)-pos < 4 {
				return pos, s.sub.run.errIn(b[pos:])
			}
			*at[[4]byte](a) = *(*[4]byte)(b[pos:])
			pos += 4
		case opWord8:
			if len(b)-pos < 8 {
				return pos, s.sub.run.errIn(b[pos:])
			}
			*at[[8]byte](a) = *(*[8]byte)(b[pos:])
			pos += 8
		case opRun:
			if len(b)-pos < s.n {
				return pos, s.sub.run.errIn(b[pos:])
			}
			if n, err := decodeBy(s.sub, b[pos:], a); err != nil {
				return pos, err
			} else {
				pos += n
			}
		case opString:
			end, err := checkText(b, pos)
			if err != nil {
				return pos, err
			}
			*at[string](a) = string(b[pos+4 : end])
			pos = end
		case opSwap, opBytes, opStrings, opPacked, opSlice, opOption, opText, opSchedule, opResult, opSum:
			var err error
			if pos, err = s.decode(b, pos, a, depth); err != nil {
				return pos, err
			}
		}
	}
	return pos, nil
}

// checkText is checkBody for strings.
func checkText(b []byte, pos int) (end int, err error) {
	if end, err = checkBody(b, pos); err == nil && !validText(b[pos+4:end]) {
		return pos, errUTF8
	}
	return end, err
}

// decode does the steps that are not simple.
func (s *step) decode(b []byte, pos int, a addr, depth int) (int, error) {
	switch s.op {
	case opSwap:
		if len(b)-pos < s.n {
			return pos, errShort("[u8]", s.n, len(b)-pos)
		}
		for i := range s.n {
			*at[byte](a.add(uintptr(s.n - 1 - i))) = b[pos+i]
		}
		return pos + s.n, nil
	case opBytes:
		end, err := checkBody(b, pos)
		if err != nil {
			return pos, err
		}
		*at[[]byte](a) = append([]byte(nil), b[pos+4:end]...)
		return end, nil
	case opSlice, opPacked, opStrings:
		return s.decodeSlice(b, pos, a, depth)
	case opSchedule:
		return decodeSchedule(b, pos, a)
	}
	if len(b) <= pos {
		return pos, errShort("u8", 1, 0)
	}
	tag := b[pos]
	pos++
	switch s.op {
	case opOption, opText:
		switch tag {
		case 0:
			v := newValue(s.sub)
			*at[addr](a) = v
			return s.sub.decodePart(b, pos, v, depth+1)
		case 1:
			*at[addr](a) = addr{}
			return pos, nil
		}
	case opResult:
		if tag > 1 {
			break
		}
		*at[bool](a.add(s.res.flag)) = tag == 1
		if tag == 1 {
			return s.res.err.decodePart(b, pos, a.add(s.res.errOff), depth+1)
		}
		return s.res.ok.decodePart(b, pos, a.add(s.res.okOff), depth+1)
	case opSum:
		if int(tag) < len(s.subs) {
			return s.decodeSum(tag, b, pos, a, depth)
		}
	}
	return pos, errTag(tag, unknownSum)
}

// decodePart is decode with the short cut for values of fixed size.
func (c *Codec) decodePart(b []byte, pos int, p addr, depth int) (int, error) {
	if len(b)-pos < c.short {
		return c.decode(b, pos, p, depth)
	}
	n, err := decodeBy(c, b[pos:], p)
	return pos + n, err
}

func decodeSchedule(b []byte, pos int, a addr) (int, error) {
	r := Reader{b: b, pos: pos}
	v := r.ScheduleAt()
	if r.err == nil {
		*at[ScheduleAt](a) = v
	}
	return r.pos, r.err
}

func (s *step) decodeSum(tag byte, b []byte, pos int, a addr, depth int) (int, error) {
	v := &s.sum.variants[tag]
	data := newValue(s.subs[tag])
	pos, err := s.subs[tag].decodePart(b, pos, data, depth+1)
	if err != nil {
		return pos, err
	}
	if v.direct {
		data = *at[addr](data)
	}
	*at[iface](a) = iface{v.word, data}
	return pos, nil
}

func (s *step) decodeSlice(b []byte, pos int, a addr, depth int) (int, error) {
	if len(b)-pos < 4 {
		return pos, errShort("u32", 4, len(b)-pos)
	}
	count := uint64(binary.LittleEndian.Uint32(b[pos:]))
	pos += 4
	if count == 0 {
		*at[sliceHeader](a) = sliceHeader{}
		return pos, nil
	}
	if s.sub.min > 0 && count*uint64(s.sub.min) > uint64(len(b)-pos) {
		return pos, &DecodeError{Kind: ErrBufferLength, What: "array", Expected: count * uint64(s.sub.min), Given: uint64(len(b) - pos)}
	}
	if s.sub.min == 0 && count > MaxZeroSizeElements {
		return pos, errAlloc(count)
	}
	n := int(count)
	switch s.op {
	case opStrings:
		return decodeStrings(b, pos, at[[]string](a), n)
	case opPacked:
		data := newRuns(s.sub, n)
		*at[sliceHeader](a) = sliceHeader{data, n, n}
		return pos + copy(bytesAt(data, n*s.n), b[pos:]), nil
	}
	data := newSlice(s, n)
	*at[sliceHeader](a) = sliceHeader{data, n, n}
	var err error
	size := s.sub.goType.Size()
	for i := range n {
		if pos, err = s.sub.decodePart(b, pos, data.add(uintptr(i)*size), depth+1); err != nil {
			return pos, err
		}
	}
	return pos, nil
}

func decodeStrings(b []byte, pos int, v *[]string, n int) (int, error) {
	*v = make([]string, n)
	for i := range *v {
		end, err := checkText(b, pos)
		if err != nil {
			return pos, err
		}
		(*v)[i] = string(b[pos+4 : end])
		pos = end
	}
	return pos, nil
}

// newSlice returns n zero elements of the slice of s.
func newSlice(s *step, n int) addr {
	if s.sub.short != noShort {
		return newRuns(s.sub, n)
	}
	return addr{reflect.MakeSlice(s.typ, n, n).UnsafePointer()}
}

// newRuns returns n zero values of a type that is a run and so has no pointers.
func newRuns(c *Codec, n int) addr {
	words := make([]uint64, (uintptr(n)*c.goType.Size()+7)/8)
	return addrOf(&words[0])
}

// newValue returns a zero value of the type of c.
func newValue(c *Codec) addr {
	if c.text {
		return addrOf(new(string))
	}
	return addr{reflect.New(c.goType).UnsafePointer()}
}
