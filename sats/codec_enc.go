package sats

import (
	"encoding/binary"
	"slices"
	"unsafe"
)

func (c *Codec) append(b []byte, p unsafe.Pointer, depth int) []byte {
	if depth > MaxDepth {
		panic("sats: a value of type " + c.goType.String() + " is nested deeper than 256 levels; does it contain itself?")
	}
	for i := range c.steps {
		s := &c.steps[i]
		at := unsafe.Add(p, s.off)
		switch s.op {
		case opRun:
			n := len(b)
			if cap(b)-n < s.n {
				b = slices.Grow(b, s.n)
			}
			b = b[:n+s.n]
			s.run.copyOut(unsafe.Pointer(unsafe.SliceData(b[n:])), at)
		case opString:
			str := *(*string)(at)
			b = append(binary.LittleEndian.AppendUint32(b, uint32(len(str))), str...)
		case opBytes:
			v := *(*[]byte)(at)
			b = append(binary.LittleEndian.AppendUint32(b, uint32(len(v))), v...)
		default:
			b = s.append(b, at, depth)
		}
	}
	return b
}

// sliceHeader is the memory of a slice.
type sliceHeader struct {
	data     unsafe.Pointer
	len, cap int
}

// append does the steps that are not simple copies.
func (s *step) append(b []byte, at unsafe.Pointer, depth int) []byte {
	switch s.op {
	case opSwap:
		for i := s.n - 1; i >= 0; i-- {
			b = append(b, *(*byte)(unsafe.Add(at, i)))
		}
	case opPacked:
		h := *(*sliceHeader)(at)
		b = AppendLen(b, h.len)
		if h.len > 0 {
			b = append(b, unsafe.Slice((*byte)(h.data), h.len*s.n)...)
		}
	case opSlice:
		h := *(*sliceHeader)(at)
		b = AppendLen(b, h.len)
		size := s.sub.goType.Size()
		for i := range h.len {
			b = s.sub.append(b, unsafe.Add(h.data, uintptr(i)*size), depth+1)
		}
	case opOption:
		v := *(*unsafe.Pointer)(at)
		if v == nil {
			return append(b, 1)
		}
		b = s.sub.append(append(b, 0), v, depth+1)
	case opSchedule:
		b = (*(*ScheduleAt)(at)).AppendBSATN(b)
	case opResult:
		if *(*bool)(unsafe.Add(at, s.res.flag)) {
			return s.res.err.append(append(b, 1), unsafe.Add(at, s.res.errOff), depth+1)
		}
		b = s.res.ok.append(append(b, 0), unsafe.Add(at, s.res.okOff), depth+1)
	case opSum:
		b = s.appendSum(b, at, depth)
	}
	return b
}

func (s *step) appendSum(b []byte, at unsafe.Pointer, depth int) []byte {
	words := *(*[2]unsafe.Pointer)(at)
	for tag := range s.sum.variants {
		v := &s.sum.variants[tag]
		switch {
		case words[0] == nil:
		case words[0] == v.word && v.direct:
			return s.subs[tag].append(append(b, byte(tag)), unsafe.Pointer(&words[1]), depth+1)
		case words[0] == v.word, words[0] == v.ptrWord && words[1] != nil:
			return s.subs[tag].append(append(b, byte(tag)), words[1], depth+1)
		}
	}
	if words[0] == nil {
		panic("sats: a value of sum type " + s.sum.goType.String() + " is nil")
	}
	panic("sats: a value of sum type " + s.sum.goType.String() + " is nil or of a type that is not among its registered variants")
}
