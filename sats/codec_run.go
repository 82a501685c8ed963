package sats

import "unsafe"

// A run is a stretch of encoded bytes of fixed size that lie in memory in the same order, but with gaps. It is kept as
// spans without gaps, which are split into moves of few sizes that compile to one or two instructions each.
type run struct {
	spans  []move
	moves  []move
	checks []byteCheck
}

// A move is n bytes at mem in memory and at enc in the encoding.
type move struct{ mem, enc, n uint32 }

// A byteCheck is a Bool or the tag of an enum, whose byte must not be above max.
type byteCheck struct {
	at     uint32 // in the encoding
	max    uint8
	isBool bool
}

func (k byteCheck) bad(v byte) error {
	if k.isBool {
		return errBool(v)
	}
	return errTag(v, unknownSum)
}

// valid reports whether the checked bytes of an encoding are valid.
func (r *run) valid(b []byte) bool {
	for i := range r.checks {
		if k := &r.checks[i]; b[k.at] > k.max {
			return false
		}
	}
	return true
}

// extend adds n bytes to the end of the run.
func (r *run) extend(mem, enc, n uint32) {
	if k := len(r.spans) - 1; k >= 0 && r.spans[k].mem+r.spans[k].n == mem {
		r.spans[k].n += n
		return
	}
	r.spans = append(r.spans, move{mem, enc, n})
}

// longMove is the size from which a span is one move of its own size.
const longMove = 256

// split makes the moves. A move may be longer than what is left of its span, as long as it stays inside the run: what
// it writes too much lies in a gap or is written again by a later move.
func (r *run) split() {
	last := r.spans[len(r.spans)-1]
	memEnd, encEnd := last.mem+last.n, last.enc+last.n
	for _, s := range r.spans {
		if s.n >= longMove {
			r.moves = append(r.moves, s)
			continue
		}
		for pos := uint32(0); pos < s.n; {
			size, rest := uint32(16), s.n-pos
			for size/2 >= rest {
				size /= 2
			}
			for size > rest && (s.mem+pos+size > memEnd || s.enc+pos+size > encEnd) {
				size /= 2
			}
			r.moves = append(r.moves, move{s.mem + pos, s.enc + pos, size})
			pos += size
		}
	}
}

// copyOut copies from memory at mem to the encoding at enc.
func (r *run) copyOut(enc, mem unsafe.Pointer) {
	for i := range r.moves {
		m := &r.moves[i]
		moveBytes(unsafe.Add(enc, m.enc), unsafe.Add(mem, m.mem), m.n)
	}
}

// copyIn copies from the encoding at enc to memory at mem.
func (r *run) copyIn(mem, enc unsafe.Pointer) {
	for i := range r.moves {
		m := &r.moves[i]
		moveBytes(unsafe.Add(mem, m.mem), unsafe.Add(enc, m.enc), m.n)
	}
}

// moveBytes copies n bytes. Arrays of bytes have no alignment, so their assignment is right on every machine.
func moveBytes(dst, src unsafe.Pointer, n uint32) {
	switch {
	case n == 8:
		*(*[8]byte)(dst) = *(*[8]byte)(src)
	case n == 4:
		*(*[4]byte)(dst) = *(*[4]byte)(src)
	case n == 16:
		*(*[16]byte)(dst) = *(*[16]byte)(src)
	case n == 1:
		*(*byte)(dst) = *(*byte)(src)
	case n == 2:
		*(*[2]byte)(dst) = *(*[2]byte)(src)
	default:
		copy(unsafe.Slice((*byte)(dst), n), unsafe.Slice((*byte)(src), n))
	}
}
