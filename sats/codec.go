package sats

import (
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"unsafe"
)

// A Codec encodes and decodes the values of one Go type. It is compiled once into a flat list of steps; encoding a
// value uses no reflection, and rows of fixed size are encoded and decoded without allocating.
//
// Go types map so: bool, intN, uintN, floatN and string to their namesakes; []byte to bytes; []T to Array; *T to
// Option (nil is none); a struct of exported fields to a product, its elements named by [FieldName]; the special and
// wide types of this package to theirs; [ResultOf] to Result; types given to [RegisterEnum] and [RegisterSum] to
// sums. int, uint, maps, arrays, channels, functions, embedded and unexported fields have no mapping.
type Codec struct {
	goType reflect.Type
	typ    *Type // nil for recursive types
	steps  []step
	only   *run // the only step, if that is a run: rows of fixed size take a short cut
	min    int  // encoded size of the smallest value
	fixed  int  // encoded size of all values, or -1
}

// An op says what a step does with the memory at its offset.
type op uint8

const (
	opRun      op = iota // n encoded bytes that are copied from and to memory piece by piece
	opSwap               // n bytes in reverse order, on big-endian machines
	opString             //
	opBytes              // []byte
	opSlice              // []T
	opPacked             // []T of elements of n bytes that are the same in memory and encoded
	opOption             // *T
	opSchedule           // ScheduleAt
	opResult             // ResultOf
	opSum                // a registered interface
)

type step struct {
	op   op
	n    int
	off  uintptr
	run  *run         // opRun
	sub  *Codec       // element of slice or option
	res  *resultSteps // opResult
	sum  *sumInfo     // opSum
	typ  reflect.Type // opSlice, opPacked: the slice type
	subs []*Codec     // opSum: payloads by tag
}

type resultSteps struct {
	ok, err             *Codec
	okOff, errOff, flag uintptr
}

// littleEndian reports whether numbers lie in memory as they are encoded.
var littleEndian = func() bool {
	one := uint16(1)
	return *(*byte)(unsafe.Pointer(&one)) == 1
}()

var codecs sync.Map // reflect.Type to *Codec

// recent holds codecs by the address of their type's pointer type, in front of codecs: a look-up there costs more
// than encoding a small row.
var recent [256]atomic.Pointer[recentCodec]

type recentCodec struct {
	pointerType unsafe.Pointer
	codec       *Codec
}

// CodecFor returns the codec of a Go type, compiling it the first time. The error names the field that has no
// mapping.
func CodecFor(t reflect.Type) (*Codec, error) {
	if c, ok := codecs.Load(t); ok {
		return c.(*Codec), nil
	}
	b := codecBuilder{open: map[reflect.Type]*Codec{}}
	c, err := b.codec(t)
	if err != nil {
		return nil, errors.New("sats: type " + t.String() + ": " + err.Error())
	}
	for t, sub := range b.open {
		codecs.LoadOrStore(t, sub)
	}
	return c, nil
}

// CodecOf returns the codec of T.
func CodecOf[T any]() (*Codec, error) { return CodecFor(reflect.TypeFor[T]()) }

// mustCodec returns the codec of T; the panic says what in T has no mapping.
func mustCodec[T any]() *Codec {
	var pointer any = (*T)(nil)
	word := *(*unsafe.Pointer)(unsafe.Pointer(&pointer))
	slot := &recent[(uintptr(word)>>5^uintptr(word)>>13)%uintptr(len(recent))]
	if r := slot.Load(); r != nil && r.pointerType == word {
		return r.codec
	}
	c, err := CodecOf[T]()
	if err != nil {
		panic(err)
	}
	slot.Store(&recentCodec{word, c})
	return c
}

// TypeOf returns the type that T maps to, with everything inline.
func TypeOf[T any]() (*Type, error) {
	c, err := CodecOf[T]()
	if err != nil {
		return nil, err
	}
	if c.typ == nil {
		return nil, errors.New("sats: type " + c.goType.String() + " is recursive")
	}
	return c.typ, nil
}

// Append appends the BSATN of *v. It panics if T has no mapping, if a sum in v is nil or of a type that is not
// registered, and if v is nested deeper than MaxDepth.
func Append[T any](b []byte, v *T) []byte {
	return mustCodec[T]().Append(b, unsafe.Pointer(v))
}

// Decode decodes one value at the start of b into *v and returns what follows it. What v held before is overwritten,
// never reused; nothing in v shares memory with b. After an error *v is partly written. It panics if T has no mapping.
func Decode[T any](b []byte, v *T) (rest []byte, err error) {
	n, err := mustCodec[T]().Decode(b, unsafe.Pointer(v))
	return b[n:], err
}

// Type returns the type the codec's Go type maps to, with everything inline; nil if it is recursive.
func (c *Codec) Type() *Type { return c.typ }

// GoType returns the codec's Go type.
func (c *Codec) GoType() reflect.Type { return c.goType }

// FixedSize returns the encoded size of every value, if there is one.
func (c *Codec) FixedSize() (int, bool) { return max(c.fixed, 0), c.fixed >= 0 }

// Append appends the BSATN of the value of the codec's Go type at p. It panics as the function Append does.
func (c *Codec) Append(b []byte, p unsafe.Pointer) []byte {
	if n := len(b); c.only != nil && cap(b)-n >= c.fixed {
		b = b[:n+c.fixed]
		c.only.copyOut(unsafe.Pointer(unsafe.SliceData(b[n:])), p)
		return b
	}
	return c.append(b, p, 0)
}

// Decode decodes the value at the start of b into the memory at p, which must be a value of the codec's Go type, and
// returns its length.
func (c *Codec) Decode(b []byte, p unsafe.Pointer) (n int, err error) {
	if c.only != nil && len(b) >= c.fixed && c.only.valid(b) {
		c.only.copyIn(p, unsafe.Pointer(unsafe.SliceData(b)))
		return c.fixed, nil
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
