package sats

import "strconv"

// A DecodeErrorKind classifies what is wrong with encoded bytes (spec 01 §3.6).
type DecodeErrorKind uint8

// What can be wrong.
const (
	ErrBufferLength     DecodeErrorKind = iota // fewer bytes than needed
	ErrInvalidBool                             // a Bool byte that is neither 0 nor 1
	ErrInvalidTag                              // a sum tag without a variant
	ErrInvalidUTF8                             // a string that is not UTF-8
	ErrInvalidLen                              // a fixed-size row of another size
	ErrAllocationFailed                        // more elements than we are willing to hold
	ErrTrailing                                // bytes left over where none may be
	ErrOther                                   // what only a type of its own knows, said by What
)

// A DecodeError reports malformed BSATN. Its texts are those clients know from the original.
type DecodeError struct {
	Kind     DecodeErrorKind
	What     string // ErrBufferLength: what was to be read; ErrInvalidTag: name of the sum; ErrOther: the text
	Expected uint64 // bytes or elements needed
	Given    uint64 // bytes given, or the offending byte
}

// Error returns the text that the original gives for the same bytes.
func (e *DecodeError) Error() string {
	switch e.Kind {
	case ErrBufferLength:
		return "data too short for " + e.What + ": Expected " + utoa(e.Expected) + ", given " + utoa(e.Given)
	case ErrInvalidBool:
		return "byte " + utoa(e.Given) + " not valid as `bool` (must be 0 or 1)"
	case ErrInvalidTag:
		return "unknown tag 0x" + strconv.FormatUint(e.Given, 16) + " for sum type " + e.What
	case ErrInvalidUTF8:
		return "invalid utf8"
	case ErrInvalidLen:
		return "unexpected data length: Expected " + utoa(e.Expected) + ", given " + utoa(e.Given)
	case ErrAllocationFailed:
		return "allocation of " + utoa(e.Expected) + " elements failed"
	case ErrTrailing:
		return "after decoding, there are " + utoa(e.Given) + " extra bytes"
	}
	return e.What
}

func utoa(n uint64) string { return strconv.FormatUint(n, 10) }

func errShort(what string, need, have int) error {
	return &DecodeError{Kind: ErrBufferLength, What: what, Expected: uint64(need), Given: uint64(have)}
}

func errBool(v byte) error { return &DecodeError{Kind: ErrInvalidBool, Given: uint64(v)} }

func errTag(v byte, sum string) error {
	return &DecodeError{Kind: ErrInvalidTag, What: sum, Given: uint64(v)}
}

func errAlloc(n uint64) error { return &DecodeError{Kind: ErrAllocationFailed, Expected: n} }

func errOther(text string) error { return &DecodeError{Kind: ErrOther, What: text} }

// ErrLength returns the error for a fixed-size row of another length (spec 01 §3.7).
func ErrLength(expected, given int) error {
	return &DecodeError{Kind: ErrInvalidLen, Expected: uint64(expected), Given: uint64(given)}
}

// ErrExtraBytes returns the error for n bytes left over after a value that must fill its input.
func ErrExtraBytes(n int) error { return &DecodeError{Kind: ErrTrailing, Given: uint64(n)} }

var (
	errUTF8  error = &DecodeError{Kind: ErrInvalidUTF8}
	errDepth error = &DecodeError{Kind: ErrOther, What: "nested deeper than 256 levels"}
)

const unknownSum = "<unknown>"
