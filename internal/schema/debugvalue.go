package schema

import (
	"errors"
	"strconv"
	"strings"

	"github.com/stdbgo/spacetime/sats"
)

// debugValue returns a value in the many-line form in which plans print
// defaults, as in "U32(⏎    5,⏎)". b is valid BSATN of the type t.
func debugValue(t *sats.Type, b []byte) string {
	d := debugPrinter{r: sats.NewReader(b)}
	d.value(t, 0)
	if d.r.Err() != nil {
		d.b.WriteString("…")
	}
	return d.b.String()
}

// maxDebugText is the length in bytes after which lists are cut: a few bytes
// can stand for a million elements.
const maxDebugText = 64 << 10

var errDebugText = errors.New("cut")

type debugPrinter struct {
	b strings.Builder
	r *sats.Reader
}

// wrap writes name, an opening bracket, what body writes on lines of its own,
// and the closing bracket.
func (d *debugPrinter) wrap(open, end string, depth int, body func(pad string)) {
	d.b.WriteString(open + "\n")
	body(strings.Repeat(indent1, depth+1))
	d.b.WriteString(strings.Repeat(indent1, depth) + end)
}

func (d *debugPrinter) value(t *sats.Type, depth int) {
	d.wrap(t.Kind.String()+"(", ")", depth, func(pad string) {
		d.b.WriteString(pad)
		switch t.Kind {
		case sats.KindProduct:
			d.product(t, depth+1)
		case sats.KindSum:
			d.sum(t, depth+1)
		case sats.KindArray:
			d.array(t, depth+1)
		default:
			d.b.WriteString(d.scalar(t.Kind))
		}
		d.b.WriteString(",\n")
	})
}

func (d *debugPrinter) product(t *sats.Type, depth int) {
	d.wrap("ProductValue {", "}", depth, func(pad string) {
		d.b.WriteString(pad + "elements: ")
		d.list(len(t.Elems), depth+1, func(i int) { d.value(t.Elems[i].Type, depth+2) })
		d.b.WriteString(",\n")
	})
}

func (d *debugPrinter) sum(t *sats.Type, depth int) {
	tag := d.r.Tag(len(t.Elems))
	d.wrap("SumValue {", "}", depth, func(pad string) {
		d.b.WriteString(pad + "tag: " + strconv.Itoa(int(tag)) + ",\n" + pad + "value: ")
		if int(tag) < len(t.Elems) {
			d.value(t.Elems[tag].Type, depth+1)
		}
		d.b.WriteString(",\n")
	})
}

func (d *debugPrinter) array(t *sats.Type, depth int) {
	d.list(d.r.Count(0), depth, func(int) { d.value(t.Elem, depth+1) })
}

func (d *debugPrinter) list(n, depth int, item func(i int)) {
	if n == 0 {
		d.b.WriteString("[]")
		return
	}
	d.wrap("[", "]", depth, func(pad string) {
		for i := 0; i < n && d.r.Err() == nil; i++ {
			if d.b.Len() > maxDebugText {
				d.r.Fail(errDebugText)
				return
			}
			d.b.WriteString(pad)
			item(i)
			d.b.WriteString(",\n")
		}
	})
}

func (d *debugPrinter) scalar(k sats.Kind) string {
	switch k {
	case sats.KindString:
		return strconv.Quote(d.r.Str())
	case sats.KindBool:
		return strconv.FormatBool(d.r.Bool())
	case sats.KindF32:
		return strconv.FormatFloat(float64(d.r.F32()), 'g', -1, 32)
	case sats.KindF64:
		return strconv.FormatFloat(d.r.F64(), 'g', -1, 64)
	case sats.KindI128:
		return d.r.I128().String()
	case sats.KindU128:
		return d.r.U128().String()
	case sats.KindI256:
		return d.r.I256().String()
	case sats.KindU256:
		return d.r.U256().String()
	}
	return d.integer(k)
}

func (d *debugPrinter) integer(k sats.Kind) string {
	switch k {
	case sats.KindI8:
		return strconv.Itoa(int(d.r.I8()))
	case sats.KindI16:
		return strconv.Itoa(int(d.r.I16()))
	case sats.KindI32:
		return strconv.Itoa(int(d.r.I32()))
	case sats.KindI64:
		return strconv.FormatInt(d.r.I64(), 10)
	case sats.KindU8:
		return strconv.Itoa(int(d.r.U8()))
	case sats.KindU16:
		return strconv.Itoa(int(d.r.U16()))
	case sats.KindU32:
		return strconv.FormatUint(uint64(d.r.U32()), 10)
	}
	return strconv.FormatUint(d.r.U64(), 10)
}
