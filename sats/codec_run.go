package sats

import "slices"

// A run is a number of encoded bytes that is the same for all values and that lie in memory in the same order, but
// with gaps. It is kept as stretches without gaps, which are split into moves of few sizes that compile to a few
// instructions each.
type run struct {
	size   int
	out    []move  // memory to encoding
	block  []hop   // encoding to memory, first 16 bytes at a time, the last of these first
	words  []hop   // … then 8, the last first
	small  [][]hop // … then as many as the index says
	checks []byteCheck

	spans []stretch
}

// A stretch is n bytes at mem in memory and at enc in the encoding.
type stretch struct{ mem, enc, n uint32 }

// without returns the stretch without its first n bytes.
func (s stretch) without(n uint32) stretch { return stretch{s.mem + n, s.enc + n, s.n - n} }

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

// split makes the moves. Those of encoding read every byte once: a value that was filled in just before is on its way to
// memory in the pieces in which it was written, and the processor waits for them when a read needs two of them. For
// decoding see hops.
func (r *run) split() {
	for _, s := range r.spans {
		for s.n > 0 {
			op, n := nextMove(s.n)
			r.out = append(r.out, move{op, s.enc, s.mem, n})
			s = s.without(n)
		}
	}
	var rest []stretch
	r.block, rest = r.blocks()
	if r.words = backwards(rest, 8); !r.filledBy(r.block, r.words) {
		exact := pieces(rest)
		r.words, r.small = exact[8], exact[:8]
	}
	if words, ok := r.hops(8); ok && len(words) <= len(r.block)+len(r.words) {
		r.block, r.words, r.small = nil, words, nil
	}
	r.block, r.words = lastFirst(r.block), lastFirst(r.words)
}

// fewHops is the number of hops that decodeMoves does without a loop.
const fewHops = 8

// lastFirst returns hops turned around, in room for at least fewHops.
func lastFirst(hops []hop) []hop {
	turned := append(make([]hop, 0, max(fewHops, len(hops))), hops...)
	slices.Reverse(turned)
	return turned
}

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

// A hop moves some bytes from an offset in the encoding, in the lower half, to one in memory, in the upper half, or back.
type hop uint64

func hopOf(mem, enc uint32) hop { return hop(mem)<<32 | hop(enc) }

// The hops of decoding may write more than a stretch, as long as they stay inside the run: what they write too much lies
// in a gap or is written again by a later hop. That this is so is tried out, by filledBy.

// pieces returns hops of 8, 4, 2 and 1 bytes that do exactly the stretches, by their size.
func pieces(spans []stretch) (hops [9][]hop) {
	for _, s := range spans {
		for size := uint32(8); s.n > 0; size /= 2 {
			for ; s.n >= size; s = s.without(size) {
				hops[size] = append(hops[size], hopOf(s.mem, s.enc))
			}
		}
	}
	return hops
}

// blocks returns hops of 16 bytes from the start of every stretch, and what no such hop can do at the end of the run.
func (r *run) blocks() (blocks []hop, rest []stretch) {
	last := r.spans[len(r.spans)-1]
	for _, s := range r.spans {
		for s.n > 0 && s.mem+16 <= last.mem+last.n && s.enc+16 <= uint32(r.size) {
			blocks = append(blocks, hopOf(s.mem, s.enc))
			s = s.without(min(16, s.n))
		}
		if s.n > 0 {
			rest = append(rest, s)
		}
	}
	return blocks, rest
}

// backwards returns hops of width bytes from the end of the stretches to their start. A stretch that is shorter than a hop
// is the end of one that begins before it.
func backwards(spans []stretch, width uint32) (hops []hop) {
	for _, s := range slices.Backward(spans) {
		at, rest := s.n, s.n
		for rest > 0 {
			if s.n >= width {
				at = max(at, width)
			}
			// Where this is below 0 filledBy will see it.
			hops = append(hops, hopOf(s.mem+at-width, s.enc+at-width))
			rest -= min(width, rest)
			at = rest
		}
	}
	return hops
}

// hops returns hops of one width that do the whole run, if there are such.
func (r *run) hops(width uint32) ([]hop, bool) {
	first := r.spans[0]
	if first.n >= width {
		hops := backwards(r.spans, width)
		return hops, r.fills(width, hops)
	}
	hops := append([]hop{hopOf(first.mem, first.enc)}, backwards(r.spans[1:], width)...)
	return hops, r.fills(width, hops)
}

func (r *run) fills(width uint32, hops []hop) bool {
	if width == 16 {
		return r.filledBy(hops, nil)
	}
	if width == 8 {
		return r.filledBy(nil, hops)
	}
	f := newFilling(r)
	return f.do(hops, width) && f.done(r)
}

// filledBy reports whether hops of 16 bytes and then hops of 8 decode the run and touch nothing else.
func (r *run) filledBy(blocks, words []hop) bool {
	f := newFilling(r)
	return f.do(blocks, 16) && f.do(words, 8) && f.done(r)
}

// A filling says for every byte of memory from the first to the last of a run which encoded byte is there, plus 1.
type filling struct {
	first  uint32
	size   uint32
	source []uint32
}

func newFilling(r *run) *filling {
	first, last := r.spans[0], r.spans[len(r.spans)-1]
	return &filling{first.mem, uint32(r.size), make([]uint32, last.mem+last.n-first.mem)}
}

// do does hops and reports whether they stay inside.
func (f *filling) do(hops []hop, width uint32) bool {
	for _, h := range hops {
		mem, enc := uint32(h>>32)-f.first, uint32(h)
		if uint64(mem)+uint64(width) > uint64(len(f.source)) || uint64(enc)+uint64(width) > uint64(f.size) {
			return false
		}
		for i := range width {
			f.source[mem+i] = enc + i + 1
		}
	}
	return true
}

// done reports whether every byte of the run is where it belongs.
func (f *filling) done(r *run) bool {
	for _, s := range r.spans {
		for i := range s.n {
			if f.source[s.mem-f.first+i] != s.enc+i+1 {
				return false
			}
		}
	}
	return true
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
