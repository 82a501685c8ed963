package sats

import (
	"encoding/binary"
	"reflect"
	"slices"
	"sync/atomic"
	"unsafe"
)

// This is the only file of the package that uses unsafe. Why that is right:
//
// A codec touches memory at addresses inside one value of its Go type: it gets the address of the value, whose type
// the generic functions guarantee and the callers of [Codec.Append] and [Codec.Decode] promise, and adds field offsets
// that package reflect gave for that type. What it reads and writes there has the size and pointer layout of the field;
// the moves and hops of a [run], which do not know fields, touch only the bytes from the first to the last field of the
// run, among which there are no pointers; that hops do, and leave every byte right, is tried out when the codec is made.
// Encoded bytes are reached at offsets that were compared with the length of the slice before, run by run. Values with pointers in them are assigned as such (strings, slices, pointers, interfaces),
// so that the garbage collector sees them. No address is kept: values made while decoding come from package reflect,
// or are pointer-free and as much aligned as the widest scalar.
//
// Numbers are copied as bytes, so no access need be aligned; on big-endian machines steps of their own reverse them.

// An addr is the address of a value.
type addr struct{ p unsafe.Pointer }

func (a addr) add(off uintptr) addr { return addr{unsafe.Add(a.p, off)} }

// at returns the T at a.
func at[T any](a addr) *T { return (*T)(a.p) }

// bytesAt returns the n bytes at a.
func bytesAt(a addr, n int) []byte { return unsafe.Slice((*byte)(a.p), n) }

func addrOf[T any](v *T) addr { return addr{unsafe.Pointer(v)} }

// wordOfPointer returns a number by which a type can be found, and not reached.
func wordOfPointer(t *Type) uintptr { return uintptr(unsafe.Pointer(t)) }

// A sliceHeader is the memory of a slice.
type sliceHeader struct {
	data     addr
	len, cap int
}

// A textHeader is the memory of a string, and the start of that of a slice.
type textHeader struct {
	data unsafe.Pointer
	len  int
}

// An iface is the memory of an interface: a word that stands for the type, and the value or its address.
type iface [2]addr

// littleEndian reports whether numbers lie in memory as they are encoded.
var littleEndian = func() bool {
	one := uint16(1)
	return *at[byte](addrOf(&one)) == 1
}()

// recent holds codecs by their words, in front of codecs: a look-up there costs more than encoding a small row.
var recent [256]atomic.Pointer[Codec]

func init() {
	none := &Codec{} // has no word
	for i := range recent {
		recent[i].Store(none)
	}
}

func recentAt(word addr) *atomic.Pointer[Codec] {
	return &recent[(uintptr(word.p)>>5^uintptr(word.p)>>13)%uintptr(len(recent))]
}

// wordOfType returns the word of interfaces that hold a pointer to a t.
func wordOfType(t reflect.Type) addr {
	pointer := reflect.Zero(reflect.PointerTo(t)).Interface()
	return *at[addr](addrOf(&pointer))
}

// A decoder decodes the value at the start of the n bytes at b to p.
type decoder func(c *Codec, b *byte, n int, p addr) (int, error)

// decodeBy decodes the value at the start of b to p.
func decodeBy(c *Codec, b []byte, p addr) (int, error) {
	return c.dec(c, unsafe.SliceData(b), len(b), p)
}

// find returns the codec of the type that word stands for; the panic says what in it has no mapping.
func find(word addr) *Codec {
	pointer := *at[any](addrOf(&iface{word}))
	c, err := CodecFor(reflect.TypeOf(pointer).Elem())
	if err != nil {
		panic(err)
	}
	recentAt(word).Store(c)
	return c
}

// Append appends the BSATN of *v. It panics if T has no mapping, if a sum in v is nil or of a type that is not
// registered, and if v is nested deeper than MaxDepth.
func Append[T any](b []byte, v *T) []byte { return appendAs(wordOf(v), b, unsafe.Pointer(v)) }

// Decode decodes one value at the start of b into *v and returns what follows it. What v held before is overwritten,
// never reused; nothing in v shares memory with b. After an error *v is partly written. It panics if T has no mapping.
func Decode[T any](b []byte, v *T) (rest []byte, err error) {
	n, err := decodeAs(wordOf(v), b, unsafe.Pointer(v))
	return b[n:], err
}

// Append appends the BSATN of the value of the codec's Go type at p. It panics as the function Append does.
func (c *Codec) Append(b []byte, p unsafe.Pointer) []byte { return c.enc(c, b, unseen(p), 0) }

// Decode decodes the value at the start of b into the memory at p, which must be a value of the codec's Go type, and
// returns its length.
func (c *Codec) Decode(b []byte, p unsafe.Pointer) (n int, err error) {
	n, err = c.dec(c, unsafe.SliceData(b), len(b), unseen(p))
	return // this way of writing it is one that the compiler inlines
}

// unseen returns p, and hides from the compiler that it does: it would move every value that is given to a function
// through a variable to the heap. What gets p keeps it no longer than the caller, who holds the value.
func unseen(p unsafe.Pointer) addr {
	word := uintptr(p)
	return *(*addr)(unsafe.Pointer(&word))
}

// wordOf returns the word of v, a pointer.
func wordOf(v any) addr { return *(*addr)(unsafe.Pointer(&v)) }

// appendAs appends the value at p, whose type word stands for. Its slow path is one call, so that it has nothing to keep.
func appendAs(word addr, b []byte, p unsafe.Pointer) []byte {
	if c := recentAt(word).Load(); c.word == word {
		return c.enc(c, b, unseen(p), 0)
	}
	return appendFound(word, b, unseen(p))
}

//go:noinline
func appendFound(word addr, b []byte, p addr) []byte { return find(word).Append(b, p.p) }

// decodeAs decodes to p, where the type is the one that word stands for.
func decodeAs(word addr, b []byte, p unsafe.Pointer) (int, error) {
	if c := recentAt(word).Load(); c.word == word {
		return c.dec(c, unsafe.SliceData(b), len(b), unseen(p))
	}
	return decodeFound(word, unsafe.SliceData(b), len(b), unseen(p))
}

//go:noinline
func decodeFound(word addr, b *byte, n int, p addr) (int, error) {
	c := find(word)
	return c.dec(c, b, n, p)
}

type (
	b1  = [1]byte
	b2  = [2]byte
	b4  = [4]byte
	b8  = [8]byte
	b16 = [16]byte
)

func outHop[T any](to, from unsafe.Pointer, h hop) {
	*(*T)(unsafe.Add(to, uintptr(uint32(h)))) = *(*T)(unsafe.Add(from, uintptr(h>>32)))
}

func inHop[T any](to, from unsafe.Pointer, h hop) {
	*(*T)(unsafe.Add(to, uintptr(h>>32))) = *(*T)(unsafe.Add(from, uintptr(uint32(h))))
}

func out1[A any](to, from unsafe.Pointer, h *[4]hop) { outHop[A](to, from, h[0]) }

func out2[A, B any](to, from unsafe.Pointer, h *[4]hop) {
	outHop[A](to, from, h[0])
	outHop[B](to, from, h[1])
}

func out4[A, B, C, D any](to, from unsafe.Pointer, h *[4]hop) {
	outHop[A](to, from, h[0])
	outHop[B](to, from, h[1])
	outHop[C](to, from, h[2])
	outHop[D](to, from, h[3])
}

// appendSmall is Codec.enc for runs that are one of the shapes.
func appendSmall(c *Codec, b []byte, p addr, depth int) []byte {
	n := len(b)
	if cap(b)-n < c.short {
		return c.append(b, p, depth)
	}
	b = b[:n+c.short]
	to, from, m := unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), n), p.p, &c.out
	switch c.shape {
	case 0:
		out4[b8, b8, b8, b8](to, from, m)
	case 1:
		out4[b8, b8, b8, b4](to, from, m)
	case 2:
		out4[b8, b8, b8, b2](to, from, m)
	case 3:
		out4[b8, b8, b8, b1](to, from, m)
	case 4:
		out4[b8, b8, b4, b4](to, from, m)
	case 5:
		out4[b8, b8, b4, b2](to, from, m)
	case 6:
		out4[b8, b8, b4, b1](to, from, m)
	case 7:
		out4[b8, b8, b2, b2](to, from, m)
	case 8:
		out4[b8, b8, b2, b1](to, from, m)
	case 9:
		out4[b8, b8, b1, b1](to, from, m)
	case 10:
		out4[b8, b4, b4, b4](to, from, m)
	case 11:
		out4[b8, b4, b4, b2](to, from, m)
	case 12:
		out4[b8, b4, b4, b1](to, from, m)
	case 13:
		out4[b8, b4, b2, b2](to, from, m)
	case 14:
		out4[b8, b4, b2, b1](to, from, m)
	case 15:
		out4[b8, b4, b1, b1](to, from, m)
	case 16:
		out4[b8, b2, b2, b2](to, from, m)
	case 17:
		out4[b8, b2, b2, b1](to, from, m)
	case 18:
		out4[b8, b2, b1, b1](to, from, m)
	case 19:
		out4[b8, b1, b1, b1](to, from, m)
	case 20:
		out4[b4, b4, b4, b4](to, from, m)
	case 21:
		out4[b4, b4, b4, b2](to, from, m)
	case 22:
		out4[b4, b4, b4, b1](to, from, m)
	case 23:
		out4[b4, b4, b2, b2](to, from, m)
	case 24:
		out4[b4, b4, b2, b1](to, from, m)
	case 25:
		out4[b4, b4, b1, b1](to, from, m)
	case 26:
		out4[b4, b2, b2, b2](to, from, m)
	case 27:
		out4[b4, b2, b2, b1](to, from, m)
	case 28:
		out4[b4, b2, b1, b1](to, from, m)
	case 29:
		out4[b4, b1, b1, b1](to, from, m)
	case 30:
		out4[b2, b2, b2, b2](to, from, m)
	case 31:
		out4[b2, b2, b2, b1](to, from, m)
	case 32:
		out4[b2, b2, b1, b1](to, from, m)
	case 33:
		out4[b2, b1, b1, b1](to, from, m)
	case 34:
		out4[b1, b1, b1, b1](to, from, m)
	case 35:
		out2[b8, b8](to, from, m)
	case 36:
		out2[b8, b4](to, from, m)
	case 37:
		out2[b8, b2](to, from, m)
	case 38:
		out2[b8, b1](to, from, m)
	case 39:
		out2[b4, b4](to, from, m)
	case 40:
		out2[b4, b2](to, from, m)
	case 41:
		out2[b4, b1](to, from, m)
	case 42:
		out2[b2, b2](to, from, m)
	case 43:
		out2[b2, b1](to, from, m)
	case 44:
		out2[b1, b1](to, from, m)
	case 45:
		out1[b8](to, from, m)
	case 46:
		out1[b4](to, from, m)
	case 47:
		out1[b2](to, from, m)
	case 48:
		out1[b1](to, from, m)
	}
	return b
}

// append4x8 is appendSmall for one of the shapes.
func append4x8(c *Codec, b []byte, p addr, depth int) []byte {
	n := len(b)
	if cap(b)-n < c.short {
		return c.append(b, p, depth)
	}
	b = b[:n+c.short]
	to := unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), n)
	outHop[b8](to, p.p, c.out[0])
	outHop[b8](to, p.p, c.out[1])
	outHop[b8](to, p.p, c.out[2])
	outHop[b8](to, p.p, c.out[3])
	return b
}

// appendMoves is Codec.enc for other runs.
func appendMoves(c *Codec, b []byte, p addr, depth int) []byte {
	n := len(b)
	if cap(b)-n < c.short {
		return c.append(b, p, depth)
	}
	b = b[:n+c.short]
	to, moves := unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), n), c.run.out
	for i := range moves {
		m := &moves[i]
		d, s := unsafe.Add(to, uintptr(m.dst)), unsafe.Add(p.p, uintptr(m.src))
		switch m.op {
		case 1:
			put1(d, s, 0)
		case 2:
			put2(d, s, 0)
		case 3:
			put2(d, s, 0)
			put1(d, s, 2)
		case 4:
			put4(d, s, 0)
		case 5:
			put4(d, s, 0)
			put1(d, s, 4)
		case 6:
			put4(d, s, 0)
			put2(d, s, 4)
		case 7:
			put4(d, s, 0)
			put2(d, s, 4)
			put1(d, s, 6)
		case 8:
			put8(d, s, 0)
		case 9:
			put8(d, s, 0)
			put1(d, s, 8)
		case 10:
			put8(d, s, 0)
			put2(d, s, 8)
		case 11:
			put8(d, s, 0)
			put2(d, s, 8)
			put1(d, s, 10)
		case 12:
			put8(d, s, 0)
			put4(d, s, 8)
		case 13:
			put8(d, s, 0)
			put4(d, s, 8)
			put1(d, s, 12)
		case 14:
			put8(d, s, 0)
			put4(d, s, 8)
			put2(d, s, 12)
		case 15:
			put8(d, s, 0)
			put4(d, s, 8)
			put2(d, s, 12)
			put1(d, s, 14)
		case 16:
			put8(d, s, 0)
			put8(d, s, 8)
		case moveWords + 8:
			put8(d, s, 56)
			fallthrough
		case moveWords + 7:
			put8(d, s, 48)
			fallthrough
		case moveWords + 6:
			put8(d, s, 40)
			fallthrough
		case moveWords + 5:
			put8(d, s, 32)
			fallthrough
		case moveWords + 4:
			put8(d, s, 24)
			fallthrough
		case moveWords + 3:
			put8(d, s, 16)
			put8(d, s, 8)
			put8(d, s, 0)
		default:
			putLong(d, s, m.n)
		}
	}
	return b
}

// begins reports whether the n bytes at b are enough for the run of c and the first checked byte is right.
func begins(c *Codec, b *byte, n int) bool {
	k := c.first
	return n >= c.short && *(*byte)(unsafe.Add(unsafe.Pointer(b), uintptr(k>>8))) <= byte(k)
}

// over is negative if the checked byte is above its maximum.
func (k packedCheck) over(b *byte) int {
	return int(byte(k)) - int(*(*byte)(unsafe.Add(unsafe.Pointer(b), uintptr(k>>8))))
}

// decodeSteps is Codec.dec for everything else.
func decodeSteps(c *Codec, b *byte, n int, p addr) (int, error) {
	return c.decodeExact(unsafe.Slice(b, n), p)
}

// The functions decode…x… are Codec.dec for runs with at most one check that are so many hops of so many bytes.

func decode1x16(c *Codec, b *byte, n int, p addr) (int, error) {
	if !begins(c, b, n) {
		return decodeSteps(c, b, n, p)
	}
	inHop[b16](p.p, unsafe.Pointer(b), c.in[0])
	return c.short, nil
}

func decode2x16(c *Codec, b *byte, n int, p addr) (int, error) {
	if !begins(c, b, n) {
		return decodeSteps(c, b, n, p)
	}
	inHop[b16](p.p, unsafe.Pointer(b), c.in[0])
	inHop[b16](p.p, unsafe.Pointer(b), c.in[1])
	return c.short, nil
}

func decode3x16(c *Codec, b *byte, n int, p addr) (int, error) {
	if !begins(c, b, n) {
		return decodeSteps(c, b, n, p)
	}
	inHop[b16](p.p, unsafe.Pointer(b), c.in[0])
	inHop[b16](p.p, unsafe.Pointer(b), c.in[1])
	inHop[b16](p.p, unsafe.Pointer(b), c.in[2])
	return c.short, nil
}

func decode4x16(c *Codec, b *byte, n int, p addr) (int, error) {
	if !begins(c, b, n) {
		return decodeSteps(c, b, n, p)
	}
	inHop[b16](p.p, unsafe.Pointer(b), c.in[0])
	inHop[b16](p.p, unsafe.Pointer(b), c.in[1])
	inHop[b16](p.p, unsafe.Pointer(b), c.in[2])
	inHop[b16](p.p, unsafe.Pointer(b), c.in[3])
	return c.short, nil
}

func decode1x8(c *Codec, b *byte, n int, p addr) (int, error) {
	if !begins(c, b, n) {
		return decodeSteps(c, b, n, p)
	}
	inHop[b8](p.p, unsafe.Pointer(b), c.in[0])
	return c.short, nil
}

func decode2x8(c *Codec, b *byte, n int, p addr) (int, error) {
	if !begins(c, b, n) {
		return decodeSteps(c, b, n, p)
	}
	inHop[b8](p.p, unsafe.Pointer(b), c.in[0])
	inHop[b8](p.p, unsafe.Pointer(b), c.in[1])
	return c.short, nil
}

func decode3x8(c *Codec, b *byte, n int, p addr) (int, error) {
	if !begins(c, b, n) {
		return decodeSteps(c, b, n, p)
	}
	inHop[b8](p.p, unsafe.Pointer(b), c.in[0])
	inHop[b8](p.p, unsafe.Pointer(b), c.in[1])
	inHop[b8](p.p, unsafe.Pointer(b), c.in[2])
	return c.short, nil
}

func decode4x8(c *Codec, b *byte, n int, p addr) (int, error) {
	if !begins(c, b, n) {
		return decodeSteps(c, b, n, p)
	}
	inHop[b8](p.p, unsafe.Pointer(b), c.in[0])
	inHop[b8](p.p, unsafe.Pointer(b), c.in[1])
	inHop[b8](p.p, unsafe.Pointer(b), c.in[2])
	inHop[b8](p.p, unsafe.Pointer(b), c.in[3])
	return c.short, nil
}

func decode5x8(c *Codec, b *byte, n int, p addr) (int, error) {
	if !begins(c, b, n) {
		return decodeSteps(c, b, n, p)
	}
	inHop[b8](p.p, unsafe.Pointer(b), c.in[0])
	inHop[b8](p.p, unsafe.Pointer(b), c.in[1])
	inHop[b8](p.p, unsafe.Pointer(b), c.in[2])
	inHop[b8](p.p, unsafe.Pointer(b), c.in[3])
	inHop[b8](p.p, unsafe.Pointer(b), c.in[4])
	return c.short, nil
}

func decode6x8(c *Codec, b *byte, n int, p addr) (int, error) {
	if !begins(c, b, n) {
		return decodeSteps(c, b, n, p)
	}
	inHop[b8](p.p, unsafe.Pointer(b), c.in[0])
	inHop[b8](p.p, unsafe.Pointer(b), c.in[1])
	inHop[b8](p.p, unsafe.Pointer(b), c.in[2])
	inHop[b8](p.p, unsafe.Pointer(b), c.in[3])
	inHop[b8](p.p, unsafe.Pointer(b), c.in[4])
	inHop[b8](p.p, unsafe.Pointer(b), c.in[5])
	return c.short, nil
}

func decode1x4(c *Codec, b *byte, n int, p addr) (int, error) {
	if !begins(c, b, n) {
		return decodeSteps(c, b, n, p)
	}
	inHop[b4](p.p, unsafe.Pointer(b), c.in[0])
	return c.short, nil
}

func decode2x4(c *Codec, b *byte, n int, p addr) (int, error) {
	if !begins(c, b, n) {
		return decodeSteps(c, b, n, p)
	}
	inHop[b4](p.p, unsafe.Pointer(b), c.in[0])
	inHop[b4](p.p, unsafe.Pointer(b), c.in[1])
	return c.short, nil
}

func decode3x4(c *Codec, b *byte, n int, p addr) (int, error) {
	if !begins(c, b, n) {
		return decodeSteps(c, b, n, p)
	}
	inHop[b4](p.p, unsafe.Pointer(b), c.in[0])
	inHop[b4](p.p, unsafe.Pointer(b), c.in[1])
	inHop[b4](p.p, unsafe.Pointer(b), c.in[2])
	return c.short, nil
}

// decodeMoves is Codec.dec for other runs.
func decodeMoves(c *Codec, b *byte, n int, p addr) (int, error) {
	if !begins(c, b, n) || c.second.over(b) < 0 {
		return decodeSteps(c, b, n, p)
	}
	from := unsafe.Pointer(b)
	if len(c.others) > 0 {
		over := 0
		for _, k := range c.others {
			over |= k.over(b)
		}
		if over < 0 {
			return decodeSteps(c, b, n, p)
		}
	}
	switch h := (*[fewHops]hop)(unsafe.Pointer(unsafe.SliceData(c.run.block))); len(c.run.block) {
	case 8:
		inHop[b16](p.p, from, h[7])
		fallthrough
	case 7:
		inHop[b16](p.p, from, h[6])
		fallthrough
	case 6:
		inHop[b16](p.p, from, h[5])
		fallthrough
	case 5:
		inHop[b16](p.p, from, h[4])
		fallthrough
	case 4:
		inHop[b16](p.p, from, h[3])
		fallthrough
	case 3:
		inHop[b16](p.p, from, h[2])
		fallthrough
	case 2:
		inHop[b16](p.p, from, h[1])
		fallthrough
	case 1:
		inHop[b16](p.p, from, h[0])
	case 0:
	default:
		for _, h := range slices.Backward(c.run.block) {
			inHop[b16](p.p, from, h)
		}
	}
	switch h := (*[fewHops]hop)(unsafe.Pointer(unsafe.SliceData(c.run.words))); len(c.run.words) {
	case 8:
		inHop[b8](p.p, from, h[7])
		fallthrough
	case 7:
		inHop[b8](p.p, from, h[6])
		fallthrough
	case 6:
		inHop[b8](p.p, from, h[5])
		fallthrough
	case 5:
		inHop[b8](p.p, from, h[4])
		fallthrough
	case 4:
		inHop[b8](p.p, from, h[3])
		fallthrough
	case 3:
		inHop[b8](p.p, from, h[2])
		fallthrough
	case 2:
		inHop[b8](p.p, from, h[1])
		fallthrough
	case 1:
		inHop[b8](p.p, from, h[0])
	case 0:
	default:
		for _, h := range slices.Backward(c.run.words) {
			inHop[b8](p.p, from, h)
		}
	}
	if len(c.run.small) > 0 {
		for _, h := range c.run.small[4] {
			inHop[b4](p.p, from, h)
		}
		for _, h := range c.run.small[2] {
			inHop[b2](p.p, from, h)
		}
		for _, h := range c.run.small[1] {
			inHop[b1](p.p, from, h)
		}
	}
	return c.short, nil
}

// quickText is the length up to which appendQuick copies strings.
const quickText = 160

// appendQuick does the steps from i on, into b from pos on, until there are no more, or one is not simple, or there is
// not enough room for it; it returns where it stopped. It calls nothing, which keeps its loop in registers.
func appendQuick(steps []step, i int, b []byte, pos int, p addr) (int, int) {
	base := unsafe.Pointer(unsafe.SliceData(b))
	for ; i < len(steps); i++ {
		s := &steps[i]
		a := unsafe.Add(p.p, s.off)
		switch {
		case s.op == opString, s.op == opBytes: // both begin with address and length
			v := *(*string)(a)
			if len(v) > quickText || len(b)-pos < 4+len(v)+s.next {
				return i, pos
			}
			binary.LittleEndian.PutUint32((*[4]byte)(unsafe.Add(base, pos))[:], uint32(len(v)))
			if n := uintptr(len(v)); n > 0 {
				// Pieces overlap, so that every length takes few.
				d, s := unsafe.Add(base, pos+4), unsafe.Pointer(unsafe.StringData(v))
				switch {
				case n >= 16:
					for at := uintptr(0); at < n-16; at += 16 {
						put16(d, s, at)
					}
					put16(d, s, n-16)
				case n >= 8:
					put8(d, s, 0)
					put8(d, s, n-8)
				case n >= 4:
					put4(d, s, 0)
					put4(d, s, n-4)
				default:
					put1(d, s, 0)
					put1(d, s, n/2)
					put1(d, s, n-1)
				}
			}
			pos += 4 + len(v)
		case s.op == opWord8:
			put8(unsafe.Add(base, pos), a, 0)
			pos += 8
		case s.op == opByte:
			put1(unsafe.Add(base, pos), a, 0)
			pos++
		case s.op == opWord4:
			put4(unsafe.Add(base, pos), a, 0)
			pos += 4
		case s.op == opWord2:
			put2(unsafe.Add(base, pos), a, 0)
			pos += 2
		default:
			return i, pos
		}
	}
	return i, pos
}

// appendLists is appendQuick for codecs that have options and slices as well, which would slow it down.
func appendLists(steps []step, i int, b []byte, pos int, p addr) (int, int) {
	base := unsafe.Pointer(unsafe.SliceData(b))
	for ; i < len(steps); i++ {
		s := &steps[i]
		a := unsafe.Add(p.p, s.off)
		start, strings, n := pos, 0, 0
		switch {
		case s.op == opString, s.op == opBytes: // both begin with address and length
			n = (*textHeader)(a).len
		case s.op == opWord8:
			put8(unsafe.Add(base, pos), a, 0)
			pos += 8
			continue
		case s.op == opByte:
			put1(unsafe.Add(base, pos), a, 0)
			pos++
			continue
		case s.op == opWord4:
			put4(unsafe.Add(base, pos), a, 0)
			pos += 4
			continue
		case s.op == opWord2:
			put2(unsafe.Add(base, pos), a, 0)
			pos += 2
			continue
		case s.op == opPacked:
			n = (*textHeader)(a).len * s.n
		case s.op == opStrings:
			if len(b)-pos < 4+s.next {
				return i, pos
			}
			strings = (*textHeader)(a).len
			binary.LittleEndian.PutUint32((*[4]byte)(unsafe.Add(base, pos))[:], uint32(strings))
			if pos += 4; strings == 0 {
				continue
			}
			a = *(*unsafe.Pointer)(a)
			n = (*textHeader)(a).len
		case s.op == opText:
			if len(b)-pos < 1+s.next {
				return i, pos
			}
			if a = *(*unsafe.Pointer)(a); a == nil {
				*(*byte)(unsafe.Add(base, pos)) = 1
				pos++
				continue
			}
			*(*byte)(unsafe.Add(base, pos)) = 0
			pos++
			n = (*textHeader)(a).len
		default:
			return i, pos
		}
	text:
		if n > quickText || len(b)-pos < 4+n+s.next {
			return i, start
		}
		binary.LittleEndian.PutUint32((*[4]byte)(unsafe.Add(base, pos))[:], uint32((*textHeader)(a).len))
		if n := uintptr(n); n > 0 {
			// Pieces overlap, so that every length takes few.
			d, s := unsafe.Add(base, pos+4), *(*unsafe.Pointer)(a)
			switch {
			case n >= 16:
				for at := uintptr(0); at < n-16; at += 16 {
					put16(d, s, at)
				}
				put16(d, s, n-16)
			case n >= 8:
				put8(d, s, 0)
				put8(d, s, n-8)
			case n >= 4:
				put4(d, s, 0)
				put4(d, s, n-4)
			default:
				put1(d, s, 0)
				put1(d, s, n/2)
				put1(d, s, n-1)
			}
		}
		pos += 4 + n
		if strings > 1 {
			strings--
			a = unsafe.Add(a, unsafe.Sizeof(""))
			n = (*textHeader)(a).len
			goto text
		}
	}
	return i, pos
}

func put1(dst, src unsafe.Pointer, at uintptr) {
	*(*byte)(unsafe.Add(dst, at)) = *(*byte)(unsafe.Add(src, at))
}

func put2(dst, src unsafe.Pointer, at uintptr) {
	v := binary.LittleEndian.Uint16((*[2]byte)(unsafe.Add(src, at))[:])
	binary.LittleEndian.PutUint16((*[2]byte)(unsafe.Add(dst, at))[:], v)
}

func put4(dst, src unsafe.Pointer, at uintptr) {
	v := binary.LittleEndian.Uint32((*[4]byte)(unsafe.Add(src, at))[:])
	binary.LittleEndian.PutUint32((*[4]byte)(unsafe.Add(dst, at))[:], v)
}

func put8(dst, src unsafe.Pointer, at uintptr) {
	v := binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(src, at))[:])
	binary.LittleEndian.PutUint64((*[8]byte)(unsafe.Add(dst, at))[:], v)
}

func put16(dst, src unsafe.Pointer, at uintptr) {
	*(*[16]byte)(unsafe.Add(dst, at)) = *(*[16]byte)(unsafe.Add(src, at))
}

// putLong copies n bytes, a multiple of 32. It calls nothing, which keeps the loops that use it in registers.
func putLong(dst, src unsafe.Pointer, n uint32) {
	for at := uintptr(0); at < uintptr(n); at += 32 {
		put8(dst, src, at)
		put8(dst, src, at+8)
		put8(dst, src, at+16)
		put8(dst, src, at+24)
	}
}
