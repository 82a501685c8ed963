package sats

import (
	"encoding/binary"
	"reflect"
	"sync/atomic"
	"unsafe"
)

// This is the only file of the package that uses unsafe. Why that is right:
//
// A codec touches memory at addresses inside one value of its Go type: it gets the address of the value, whose type
// the generic functions guarantee and the callers of [Codec.Append] and [Codec.Decode] promise, and adds field offsets
// that package reflect gave for that type. What it reads and writes there has the size and pointer layout of the field;
// the copies of a [run], which do not know fields, touch only the bytes from the first to the last field of the run,
// among which there are no pointers. Encoded bytes are reached at offsets that were compared with the length of the
// slice before, run by run. Values with pointers in them are assigned as such (strings, slices, pointers, interfaces),
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

// A sliceHeader is the memory of a slice.
type sliceHeader struct {
	data     addr
	len, cap int
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

func recentAt(word addr) *atomic.Pointer[Codec] {
	return &recent[(uintptr(word.p)>>5^uintptr(word.p)>>13)%uintptr(len(recent))]
}

// wordOfType returns the word of interfaces that hold a pointer to a t.
func wordOfType(t reflect.Type) addr {
	pointer := reflect.Zero(reflect.PointerTo(t)).Interface()
	return *at[addr](addrOf(&pointer))
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
func Append[T any](b []byte, v *T) []byte { return appendAny(b, v) }

// Decode decodes one value at the start of b into *v and returns what follows it. What v held before is overwritten,
// never reused; nothing in v shares memory with b. After an error *v is partly written. It panics if T has no mapping.
func Decode[T any](b []byte, v *T) (rest []byte, err error) {
	n, err := decodeAny(b, v)
	return b[n:], err
}

// Append appends the BSATN of the value of the codec's Go type at p. It panics as the function Append does.
func (c *Codec) Append(b []byte, p unsafe.Pointer) []byte { return appendBy(c, b, addr{p}) }

// Decode decodes the value at the start of b into the memory at p, which must be a value of the codec's Go type, and
// returns its length.
func (c *Codec) Decode(b []byte, p unsafe.Pointer) (n int, err error) {
	return decodeBy(c, b, addr{p})
}

// codecOf returns the codec of the type that word stands for.
func codecOf(word addr) *Codec {
	if c := recentAt(word).Load(); c != nil && c.word == word {
		return c
	}
	return find(word)
}

// appendAny appends what the pointer v points to.
func appendAny(b []byte, v any) []byte {
	i := at[iface](addrOf(&v)) // its halves are read one by one, as they were written
	return appendBy(codecOf(i[0]), b, i[1])
}

// decodeAny decodes to what the pointer v points to.
func decodeAny(b []byte, v any) (n int, err error) {
	i := at[iface](addrOf(&v)) // its halves are read one by one, as they were written
	return decodeBy(codecOf(i[0]), b, i[1])
}

// appendBy appends the value at p.
func appendBy(c *Codec, b []byte, p addr) []byte {
	n := len(b)
	if cap(b)-n < c.short {
		return c.append(b, p, 0)
	}
	b = b[:n+c.short]
	to := unsafe.Pointer(&b[n])
	moves := c.run.out
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

// decodeBy decodes the value at the start of b to p.
func decodeBy(c *Codec, b []byte, p addr) (n int, err error) {
	if len(b) < c.short {
		return c.decodeExact(b, p)
	}
	from := unsafe.Pointer(unsafe.SliceData(b))
	checks := c.run.checks
	for i := range checks {
		if k := &checks[i]; *(*byte)(unsafe.Add(from, uintptr(k.at))) > k.max {
			return c.decodeExact(b, p)
		}
	}
	blocks := c.run.block
	for i := range blocks {
		m := &blocks[i]
		put16(unsafe.Add(p.p, uintptr(m.dst)), unsafe.Add(from, uintptr(m.src)), 0)
	}
	moves := c.run.in
	for i := range moves {
		m := &moves[i]
		d, s := unsafe.Add(p.p, uintptr(m.dst)), unsafe.Add(from, uintptr(m.src))
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
	return c.short, nil
}

// quickText is the length up to which appendQuick copies strings.
const quickText = 128

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
