package sats

import (
	"encoding/binary"
	"reflect"
	"unicode/utf8"
	"unsafe"
)

// decode decodes the value at b[pos:] into the memory at p and returns the position after it.
func (c *Codec) decode(b []byte, pos int, p unsafe.Pointer, depth int) (int, error) {
	if depth > MaxDepth {
		return pos, errDepth
	}
	var err error
	for i := range c.steps {
		s := &c.steps[i]
		at := unsafe.Add(p, s.off)
		switch s.op {
		case opRun:
			if len(b)-pos < s.n {
				return pos, errShort("[u8]", s.n, len(b)-pos)
			}
			for _, k := range s.run.checks {
				if v := b[pos+int(k.at)]; v > k.max {
					return pos, k.bad(v)
				}
			}
			s.run.copyIn(at, unsafe.Pointer(unsafe.SliceData(b[pos:])))
			pos += s.n
		case opString:
			end, err := checkBody(b, pos)
			if err != nil {
				return pos, err
			}
			if !utf8.Valid(b[pos+4 : end]) {
				return pos, errUTF8
			}
			*(*string)(at) = string(b[pos+4 : end])
			pos = end
		default:
			if pos, err = s.decode(b, pos, at, depth); err != nil {
				return pos, err
			}
		}
	}
	return pos, nil
}

// decode does the steps that are not simple.
func (s *step) decode(b []byte, pos int, at unsafe.Pointer, depth int) (int, error) {
	switch s.op {
	case opSwap:
		if len(b)-pos < s.n {
			return pos, errShort("[u8]", s.n, len(b)-pos)
		}
		for i := range s.n {
			*(*byte)(unsafe.Add(at, s.n-1-i)) = b[pos+i]
		}
		return pos + s.n, nil
	case opBytes:
		end, err := checkBody(b, pos)
		if err != nil {
			return pos, err
		}
		*(*[]byte)(at) = append([]byte(nil), b[pos+4:end]...)
		return end, nil
	case opSlice, opPacked:
		return s.decodeSlice(b, pos, at, depth)
	}
	if s.op == opSchedule {
		return decodeSchedule(b, pos, at)
	}
	if len(b) <= pos {
		return pos, errShort("u8", 1, 0)
	}
	tag := b[pos]
	pos++
	switch s.op {
	case opOption:
		switch tag {
		case 0:
			v := reflect.New(s.sub.goType).UnsafePointer()
			*(*unsafe.Pointer)(at) = v
			return s.sub.decode(b, pos, v, depth+1)
		case 1:
			*(*unsafe.Pointer)(at) = nil
			return pos, nil
		}
	case opResult:
		if tag > 1 {
			break
		}
		*(*bool)(unsafe.Add(at, s.res.flag)) = tag == 1
		if tag == 1 {
			return s.res.err.decode(b, pos, unsafe.Add(at, s.res.errOff), depth+1)
		}
		return s.res.ok.decode(b, pos, unsafe.Add(at, s.res.okOff), depth+1)
	case opSum:
		if int(tag) < len(s.subs) {
			return s.decodeSum(tag, b, pos, at, depth)
		}
	}
	return pos, errTag(tag, unknownSum)
}

func decodeSchedule(b []byte, pos int, at unsafe.Pointer) (int, error) {
	r := Reader{b: b, pos: pos}
	v := r.ScheduleAt()
	if r.err == nil {
		*(*ScheduleAt)(at) = v
	}
	return r.pos, r.err
}

func (s *step) decodeSum(tag byte, b []byte, pos int, at unsafe.Pointer, depth int) (int, error) {
	v := &s.sum.variants[tag]
	data := reflect.New(s.subs[tag].goType).UnsafePointer()
	pos, err := s.subs[tag].decode(b, pos, data, depth+1)
	if err != nil {
		return pos, err
	}
	if v.direct {
		data = *(*unsafe.Pointer)(data)
	}
	*(*[2]unsafe.Pointer)(at) = [2]unsafe.Pointer{v.word, data}
	return pos, nil
}

func (s *step) decodeSlice(b []byte, pos int, at unsafe.Pointer, depth int) (int, error) {
	if len(b)-pos < 4 {
		return pos, errShort("u32", 4, len(b)-pos)
	}
	count := uint64(binary.LittleEndian.Uint32(b[pos:]))
	pos += 4
	if count == 0 {
		*(*sliceHeader)(at) = sliceHeader{}
		return pos, nil
	}
	if s.sub.min > 0 && count*uint64(s.sub.min) > uint64(len(b)-pos) {
		return pos, &DecodeError{Kind: ErrBufferLength, What: "array", Expected: count * uint64(s.sub.min), Given: uint64(len(b) - pos)}
	}
	if s.sub.min == 0 && count > MaxZeroSizeElements {
		return pos, errAlloc(count)
	}
	n := int(count)
	data := reflect.MakeSlice(s.typ, n, n).UnsafePointer()
	*(*sliceHeader)(at) = sliceHeader{data, n, n}
	if s.op == opPacked {
		size := n * s.n
		copy(unsafe.Slice((*byte)(data), size), b[pos:pos+size])
		return pos + size, nil
	}
	var err error
	size := s.sub.goType.Size()
	for i := range n {
		if pos, err = s.sub.decode(b, pos, unsafe.Add(data, uintptr(i)*size), depth+1); err != nil {
			return pos, err
		}
	}
	return pos, nil
}
