package schema

import (
	"encoding/hex"
	"strconv"

	"github.com/stdbgo/spacetime/sats"
)

// AppendJSON appends the definition as SATS-JSON of the enum, as in
// {"V10":{"sections":[…]}} (spec 02 §10.1 and §10.4).
func (m *RawModule) AppendJSON(b []byte) []byte {
	w := &jsonWriter{b: b}
	w.sum(m.generation(), []string{"V8BackCompat", "V9", "V10"})
	switch {
	case m.V8 != nil:
		visitV8(w, m.V8)
	case m.V9 != nil:
		visitV9(w, m.V9)
	case m.V10 != nil:
		visitV10(w, m.V10)
	}
	w.endSum()
	return w.b
}

func (m *RawModule) generation() uint8 {
	switch {
	case m.V8 != nil:
		return 0
	case m.V9 != nil:
		return 1
	}
	return 2
}

// AppendJSON appends the definition without the enum around it.
func (m *RawV9) AppendJSON(b []byte) []byte {
	w := &jsonWriter{b: b}
	visitV9(w, m)
	return w.b
}

// AppendJSON appends the definition without the enum around it.
func (m *RawV10) AppendJSON(b []byte) []byte {
	w := &jsonWriter{b: b}
	visitV10(w, m)
	return w.b
}

// jsonWriter is the codec that writes SATS-JSON. Commas go before a key or an
// element unless it follows an opening bracket.
type jsonWriter struct{ b []byte }

func (w *jsonWriter) comma() {
	if c := w.b[len(w.b)-1]; c != '{' && c != '[' {
		w.b = append(w.b, ',')
	}
}

func (w *jsonWriter) open()             { w.b = append(w.b, '{') }
func (w *jsonWriter) nest(visit func()) { visit() }
func (w *jsonWriter) close()            { w.b = append(w.b, '}') }

func (w *jsonWriter) key(name string) {
	w.comma()
	w.b = append(sats.AppendJSONString(w.b, name), ':')
}

func (w *jsonWriter) count(n, _ int) int {
	w.b = append(w.b, '[')
	return n
}

func (w *jsonWriter) next() bool {
	w.comma()
	return true
}

func (w *jsonWriter) end() { w.b = append(w.b, ']') }

func (w *jsonWriter) sum(tag uint8, names []string) uint8 {
	w.open()
	w.key(names[tag])
	return tag
}

func (w *jsonWriter) unit()   { w.b = append(w.b, "[]"...) }
func (w *jsonWriter) endSum() { w.close() }

func (w *jsonWriter) str(p *string)     { w.b = sats.AppendJSONString(w.b, *p) }
func (w *jsonWriter) boolean(p *bool)   { w.b = strconv.AppendBool(w.b, *p) }
func (w *jsonWriter) u8(p *uint8)       { w.b = strconv.AppendUint(w.b, uint64(*p), 10) }
func (w *jsonWriter) u16(p *uint16)     { w.b = strconv.AppendUint(w.b, uint64(*p), 10) }
func (w *jsonWriter) u32(p *uint32)     { w.b = strconv.AppendUint(w.b, uint64(*p), 10) }
func (w *jsonWriter) i128(p *sats.I128) { w.b = append(w.b, p.String()...) }
func (w *jsonWriter) hash(p *sats.Hash) { w.b = sats.AppendJSONString(w.b, p.JSON()) }

func (w *jsonWriter) bytes(p *[]byte) {
	w.b = append(w.b, '"')
	w.b = append(hex.AppendEncode(w.b, *p), '"')
}

func (w *jsonWriter) typ(p **sats.Type)     { w.b = sats.AppendTypeJSON(w.b, orUnit(*p)) }
func (w *jsonWriter) product(p **sats.Type) { w.b = sats.AppendProductTypeJSON(w.b, orUnit(*p)) }

func (w *jsonWriter) typespace(p **sats.Typespace) {
	w.open()
	w.key("types")
	w.count(0, 0)
	for i := range orEmpty(*p).Types {
		w.next()
		w.typ(&(*p).Types[i])
	}
	w.end()
	w.close()
}
