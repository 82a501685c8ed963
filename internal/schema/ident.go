package schema

import (
	"errors"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// The ways in which a string fails to be an identifier (spec 02 §5.1).
var (
	errIdentEmpty    = errors.New("it is empty")
	errIdentNotNFC   = errors.New("it is not in Unicode normalization form C")
	errIdentStart    = errors.New("it must start with a letter or an underscore")
	errIdentContinue = errors.New("it may hold only letters, digits and underscores")
	errIdentTooLong  = errors.New("it is longer than 65536 bytes")
)

// maxIdentifier is our own limit in bytes; longer names are neither accepted
// nor converted.
const maxIdentifier = 64 << 10

// CheckIdentifier returns nil if s may name a table, column or function.
func CheckIdentifier(s string) error {
	if s == "" {
		return errIdentEmpty
	}
	if len(s) > maxIdentifier {
		return errIdentTooLong
	}
	if !norm.NFC.IsNormalString(s) {
		return errIdentNotNFC
	}
	for i, r := range s {
		switch {
		case r == '_':
		case i == 0 && !xidStart(r):
			return errIdentStart
		case i > 0 && !xidContinue(r):
			return errIdentContinue
		}
	}
	return nil
}

// xidStart reports whether r has the Unicode property XID_Start.
func xidStart(r rune) bool {
	if r < 0x80 {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	return idStart(r) && !unicode.Is(notXIDStart, r)
}

// xidContinue reports whether r has the Unicode property XID_Continue.
func xidContinue(r rune) bool {
	if r < 0x80 {
		return xidStart(r) || '0' <= r && r <= '9' || r == '_'
	}
	if unicode.Is(notXIDContinue, r) {
		return false
	}
	return idStart(r) || unicode.In(r, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, unicode.Other_ID_Continue)
}

func idStart(r rune) bool {
	return unicode.In(r, unicode.L, unicode.Nl, unicode.Other_ID_Start) &&
		!unicode.In(r, unicode.Pattern_Syntax, unicode.Pattern_White_Space)
}

// Normalization form KC turns these characters into sequences that are no
// identifiers, which is the difference between ID_* and XID_*.
var (
	notXIDContinue = &unicode.RangeTable{R16: []unicode.Range16{
		{Lo: 0x037a, Hi: 0x037a, Stride: 1},
		{Lo: 0x309b, Hi: 0x309c, Stride: 1},
		{Lo: 0xfc5e, Hi: 0xfc63, Stride: 1},
		{Lo: 0xfdfa, Hi: 0xfdfb, Stride: 1},
		{Lo: 0xfe70, Hi: 0xfe7e, Stride: 2},
	}}
	notXIDStart = &unicode.RangeTable{R16: []unicode.Range16{
		{Lo: 0x037a, Hi: 0x037a, Stride: 1},
		{Lo: 0x0e33, Hi: 0x0e33, Stride: 1},
		{Lo: 0x0eb3, Hi: 0x0eb3, Stride: 1},
		{Lo: 0x309b, Hi: 0x309c, Stride: 1},
		{Lo: 0xfc5e, Hi: 0xfc63, Stride: 1},
		{Lo: 0xfdfa, Hi: 0xfdfb, Stride: 1},
		{Lo: 0xfe70, Hi: 0xfe7e, Stride: 2},
		{Lo: 0xff9e, Hi: 0xff9f, Stride: 1},
	}}
)
