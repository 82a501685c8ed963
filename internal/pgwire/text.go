package pgwire

import (
	"encoding/hex"
	"strconv"
	"time"

	"github.com/stdbgo/spacetime/sats"
)

// textValue returns the encoder of texts of a type (spec 06 §7.4).
func textValue(t *sats.Type, style Style) valueEncoder {
	switch {
	case t.Kind == sats.KindString:
		return func(dst []byte, r *sats.Reader) []byte { return append(dst, r.StrView()...) }
	case t.Kind == sats.KindBool:
		return func(dst []byte, r *sats.Reader) []byte {
			if r.Bool() {
				return append(dst, 't')
			}
			return append(dst, 'f')
		}
	case t.Kind.IsInteger():
		return integerText(t.Kind)
	case t.Kind.IsFloat():
		return floatText(t.Kind, style)
	case t.IsBytes():
		return func(dst []byte, r *sats.Reader) []byte { return hex.AppendEncode(append(dst, `\x`...), r.BytesView()) }
	case t.IsPlainEnum():
		return enumName(t)
	case t.Kind == sats.KindArray:
		if OID(t) != oidAnyarray {
			return arrayText(t.Elem, style)
		}
	case t.Kind == sats.KindProduct:
		if value := specialText(t.Special(), style); value != nil {
			return value
		}
	}
	return nestedText(t)
}

func integerText(k sats.Kind) valueEncoder {
	switch k {
	case sats.KindI128:
		return func(dst []byte, r *sats.Reader) []byte { return append(dst, r.I128().String()...) }
	case sats.KindU128:
		return func(dst []byte, r *sats.Reader) []byte { return append(dst, r.U128().String()...) }
	case sats.KindI256:
		return func(dst []byte, r *sats.Reader) []byte { return append(dst, r.I256().String()...) }
	case sats.KindU256:
		return func(dst []byte, r *sats.Reader) []byte { return append(dst, r.U256().String()...) }
	case sats.KindU64:
		return func(dst []byte, r *sats.Reader) []byte { return strconv.AppendUint(dst, r.U64(), 10) }
	}
	return func(dst []byte, r *sats.Reader) []byte { return strconv.AppendInt(dst, readInt(r, k), 10) }
}

// readInt reads an integer that fits 64 bits with sign.
func readInt(r *sats.Reader, k sats.Kind) int64 {
	switch k {
	case sats.KindI8:
		return int64(r.I8())
	case sats.KindU8:
		return int64(r.U8())
	case sats.KindI16:
		return int64(r.I16())
	case sats.KindU16:
		return int64(r.U16())
	case sats.KindI32:
		return int64(r.I32())
	case sats.KindU32:
		return int64(r.U32())
	}
	return r.I64()
}

func floatText(k sats.Kind, style Style) valueEncoder {
	bits := 8 * k.Size()
	return func(dst []byte, r *sats.Reader) []byte {
		var f float64
		if bits == 32 {
			f = float64(r.F32())
		} else {
			f = r.F64()
		}
		at := len(dst)
		dst = sats.AppendFloatText(dst, f, bits)
		if style == StylePostgres {
			switch string(dst[at:]) {
			case "inf":
				dst = append(dst[:at], "Infinity"...)
			case "-inf":
				dst = append(dst[:at], "-Infinity"...)
			}
		}
		return dst
	}
}

func enumName(t *sats.Type) valueEncoder {
	return func(dst []byte, r *sats.Reader) []byte {
		tag := int(r.Tag(len(t.Elems)))
		if r.Err() != nil {
			return dst
		}
		return append(dst, t.Elems[tag].Name.Or(strconv.Itoa(tag))...)
	}
}

// arrayText writes {1,2,3}, with strings in double quotes.
func arrayText(elem *sats.Type, style Style) valueEncoder {
	value := textValue(elem, style)
	if elem.Kind == sats.KindString {
		value = func(dst []byte, r *sats.Reader) []byte {
			dst = append(dst, '"')
			for _, c := range r.StrView() {
				if c == '"' || c == '\\' {
					dst = append(dst, '\\')
				}
				dst = append(dst, c)
			}
			return append(dst, '"')
		}
	}
	return func(dst []byte, r *sats.Reader) []byte {
		dst = append(dst, '{')
		for i, n := 0, int(r.U32()); i < n && r.Err() == nil; i++ {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = value(dst, r)
		}
		return append(dst, '}')
	}
}

// specialText is the text of a column of a special type; nil if it is none.
func specialText(s sats.Special, style Style) valueEncoder {
	switch s {
	case sats.SpecialIdentity:
		return func(dst []byte, r *sats.Reader) []byte {
			id := r.Identity()
			return appendHexBackwards(append(dst, `\x`...), id[:])
		}
	case sats.SpecialConnectionID:
		return func(dst []byte, r *sats.Reader) []byte {
			id := r.ConnectionID()
			return appendHexBackwards(append(dst, `\x`...), id[:])
		}
	case sats.SpecialUuid:
		return func(dst []byte, r *sats.Reader) []byte { return append(dst, r.Uuid().String()...) }
	case sats.SpecialTimestamp:
		if style == StylePostgres {
			return func(dst []byte, r *sats.Reader) []byte { return appendTimestamp(dst, r.Timestamp()) }
		}
		return func(dst []byte, r *sats.Reader) []byte { return r.Timestamp().AppendText(dst) }
	case sats.SpecialTimeDuration:
		if style == StylePostgres {
			return func(dst []byte, r *sats.Reader) []byte { return appendInterval(dst, r.TimeDuration()) }
		}
		return func(dst []byte, r *sats.Reader) []byte { return append(dst, r.TimeDuration().ISO8601()...) }
	}
	return nil
}

const hexDigits = "0123456789abcdef"

func appendHexBackwards(dst, b []byte) []byte {
	for i := len(b) - 1; i >= 0; i-- {
		dst = append(dst, hexDigits[b[i]>>4], hexDigits[b[i]&15])
	}
	return dst
}

// nestedText writes JSON.
func nestedText(t *sats.Type) valueEncoder {
	return func(dst []byte, r *sats.Reader) []byte {
		before := r.Rest()
		out, rest, err := sats.AppendPGNested(dst, nil, t, before)
		if err != nil {
			r.Fail(err)
			return dst
		}
		r.View(len(before) - len(rest))
		return out
	}
}

// appendTimestamp writes 2021-06-01 11:10:00.123456; years before the first have the
// word BC.
func appendTimestamp(dst []byte, t sats.Timestamp) []byte {
	const day = 86_400_000_000
	at := time.UnixMicro(int64(t)).UTC()
	year, era := at.Year(), ""
	if year <= 0 {
		year, era = 1-year, " BC"
	}
	dst = appendPadded(dst, year, 4)
	dst = appendPadded(append(dst, '-'), int(at.Month()), 2)
	dst = appendPadded(append(dst, '-'), at.Day(), 2)
	micros := int64(t) % day
	if micros < 0 {
		micros += day
	}
	dst = appendClock(append(dst, ' '), uint64(micros))
	return append(dst, era...)
}

// appendInterval writes a span of time in hours, minutes and seconds.
func appendInterval(dst []byte, d sats.TimeDuration) []byte {
	micros := uint64(d)
	if d < 0 {
		dst, micros = append(dst, '-'), -micros
	}
	return appendClock(dst, micros)
}

func appendClock(dst []byte, micros uint64) []byte {
	secs, frac := micros/1e6, int(micros%1e6)
	dst = appendPadded(dst, int(secs/3600), 2)
	dst = appendPadded(append(dst, ':'), int(secs/60%60), 2)
	dst = appendPadded(append(dst, ':'), int(secs%60), 2)
	if frac == 0 {
		return dst
	}
	dst = appendPadded(append(dst, '.'), frac, 6)
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

func appendPadded(dst []byte, n, width int) []byte {
	for limit := 10; width > 1; width-- {
		if n < limit {
			for range width - 1 {
				dst = append(dst, '0')
			}
			break
		}
		limit *= 10
	}
	return strconv.AppendInt(dst, int64(n), 10)
}
