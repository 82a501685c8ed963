package sats

import (
	"errors"
	"math"
	"reflect"
	"sync"
)

// A Codec encodes and decodes the values of one Go type. It is compiled once into a flat list of steps; encoding a
// value uses no reflection, and rows of fixed size are encoded and decoded without allocating.
//
// Go types map so: bool, intN, uintN, floatN and string to their namesakes; []byte to bytes; []T to Array; *T to
// Option (nil is none); a struct of exported fields to a product, its elements named by [FieldName]; the special and
// wide types of this package to theirs; [ResultOf] to Result; types given to [RegisterEnum] and [RegisterSum] to
// sums. int, uint, maps, arrays, channels, functions, embedded and unexported fields have no mapping.
type Codec struct {
	word   addr // first word of interfaces that hold a pointer to a value
	enc    func(c *Codec, b []byte, p addr, depth int) []byte
	dec    decoder
	short  int // fixed if the only step is run, which takes a short cut, else noShort
	first  packedCheck
	second packedCheck
	others []packedCheck
	in     [6]hop
	out    [4]hop
	shape  uint8 // index of the sizes of out in shapes
	run    run

	goType reflect.Type
	typ    *Type // nil for recursive types
	steps  []step
	text   bool // the only step is opString
	lists  bool // there are steps that appendLists knows and appendQuick does not
	head   int  // bytes of the runs before the first step of another kind
	min    int  // encoded size of the smallest value
	fixed  int  // encoded size of all values, or -1
}

// noShort is longer than any slice of bytes.
const noShort = math.MaxInt

// An op says what a step does with the memory at its offset.
type op uint8

const (
	opRun      op = iota // a run of n bytes, by the short cut of sub
	opByte               // a byte not above max
	opWord2              // 2 bytes
	opWord4              // 4 bytes
	opWord8              // 8 bytes
	opString             //
	opBytes              // []byte
	opStrings            // []string
	opPacked             // []T of elements of n bytes that are the same in memory and encoded
	opText               // *string
	opSwap               // n bytes in reverse order, on big-endian machines
	opSlice              // []T
	opOption             // *T
	opSchedule           // ScheduleAt
	opResult             // ResultOf
	opSum                // a registered interface
)

type step struct {
	op   op
	max  uint8 // opByte
	n    int
	off  uintptr
	next int          // bytes that the steps after this one copy before one of another kind
	sub  *Codec       // element of slice or option; of what is copied
	res  *resultSteps // opResult
	sum  *sumInfo     // opSum
	typ  reflect.Type // opSlice: the slice type
	subs []*Codec     // opSum: payloads by tag
}

type resultSteps struct {
	ok, err             *Codec
	okOff, errOff, flag uintptr
}

var codecs sync.Map // reflect.Type to *Codec

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

// Type returns the type the codec's Go type maps to, with everything inline; nil if it is recursive.
func (c *Codec) Type() *Type { return c.typ }

// GoType returns the codec's Go type.
func (c *Codec) GoType() reflect.Type { return c.goType }

// FixedSize returns the encoded size of every value, if there is one.
func (c *Codec) FixedSize() (int, bool) { return max(c.fixed, 0), c.fixed >= 0 }
