package sats

// A run is a number of encoded bytes that is the same for all values and that lie in memory in the same order, but
// with gaps. It is kept as stretches without gaps, which are split into moves of few sizes that compile to a few
// instructions each.
type run struct {
	size   int
	out    []move // memory to encoding
	block  []move // encoding to memory, first block bytes at a time
	in     []move // … then the others
	checks []byteCheck

	spans []stretch
}

// A stretch is n bytes at mem in memory and at enc in the encoding.
type stretch struct{ mem, enc, n uint32 }

// A move copies bytes, as many as op says, from src to dst.
type move struct {
	op       moveOp
	dst, src uint32
	n        uint32 // moveLong: a multiple of 32
}

// A moveOp up to moveShort is a number of bytes; up to moveWords+8 one of words.
type moveOp uint32

const (
	moveShort moveOp = 16
	moveWords moveOp = moveShort - 2 // + the number of words, 3 to 8
	moveLong  moveOp = moveWords + 9
)

// longMove is the size from which a stretch begins with a move of as many times 32 bytes as it has.
const longMove = 128

// A byteCheck is a Bool or the tag of an enum, whose byte must not be above max.
type byteCheck struct {
	at     uint32 // in the encoding
	max    uint8
	isBool bool
}

// bad is the error of a checked byte v.
func (k byteCheck) bad(v byte) error {
	if k.isBool {
		return errBool(v)
	}
	return errTag(v, unknownSum)
}

// extend adds n bytes to the end of the run.
func (r *run) extend(mem, n uint32) {
	enc := uint32(r.size)
	r.size += int(n)
	if k := len(r.spans) - 1; k >= 0 && r.spans[k].mem+r.spans[k].n == mem {
		r.spans[k].n += n
		return
	}
	r.spans = append(r.spans, stretch{mem, enc, n})
}

// split makes the moves.
func (r *run) split() {
	if len(r.spans) == 0 {
		return
	}
	last := r.spans[len(r.spans)-1]
	memEnd, encEnd := last.mem+last.n, last.enc+last.n
	for _, s := range r.spans {
		for rest := s; rest.n > 0; {
			op, n := nextMove(rest.n)
			r.out = append(r.out, move{op, rest.enc, rest.mem, n})
			rest = stretch{rest.mem + n, rest.enc + n, rest.n - n}
		}
		// A block may be longer than what is left of its stretch, as long as it stays inside the run: stretches follow
		// one another upwards in memory as they do in the encoding, so what it writes too much lies in a gap or is
		// written again by a later move. Only decoding does so. Encoding a row that was filled in just before would
		// read in one piece what is on its way to memory in several, for which the processor waits.
		for s.n > 0 && s.mem+block <= memEnd && s.enc+block <= encEnd {
			r.block = append(r.block, move{dst: s.mem, src: s.enc})
			n := min(block, s.n)
			s = stretch{s.mem + n, s.enc + n, s.n - n}
		}
		for s.n > 0 {
			op, n := nextMove(s.n)
			r.in = append(r.in, move{op, s.mem, s.enc, n})
			s = stretch{s.mem + n, s.enc + n, s.n - n}
		}
	}
}

// block is the size of a block move: see put16.
const block = 16

// nextMove returns the move that begins a stretch of n bytes. What it leaves is nothing or takes one move more, if it
// can be so.
func nextMove(n uint32) (moveOp, uint32) {
	switch {
	case n <= uint32(moveShort):
		return moveOp(n), n
	case n >= longMove:
		return moveLong, n &^ 31
	}
	words := min(n/8, 8)
	if n%8 != 0 && words < 8 {
		words-- // the last word goes with the bytes after it
	}
	if words <= 2 {
		return moveOp(8 * words), 8 * words
	}
	return moveWords + moveOp(words), 8 * words
}

// errIn returns why b does not start with the run.
func (r *run) errIn(b []byte) error {
	if len(b) < r.size {
		return errShort("[u8]", r.size, len(b))
	}
	for _, k := range r.checks {
		if v := b[k.at]; v > k.max {
			return k.bad(v)
		}
	}
	return nil
}
