package schema

import "github.com/stdbgo/spacetime/sats"

// Append appends the definition with the tag of its generation; it is the
// inverse of [DecodeRaw]. Types and typespaces left nil count as empty.
func (m *RawModule) Append(b []byte) []byte {
	e := &encoder{b: b}
	switch {
	case m.V8 != nil:
		e.b = append(e.b, 0)
		visitV8(e, m.V8)
	case m.V9 != nil:
		e.b = append(e.b, 1)
		visitV9(e, m.V9)
	case m.V10 != nil:
		e.b = append(e.b, 2)
		visitV10(e, m.V10)
	}
	return e.b
}

// encoder is the codec that writes BSATN.
type encoder struct{ b []byte }

func (e *encoder) open()             {}
func (e *encoder) close()            {}
func (e *encoder) key(string)        {}
func (e *encoder) next() bool        { return true }
func (e *encoder) end()              {}
func (e *encoder) unit()             {}
func (e *encoder) nest(visit func()) { visit() }
func (e *encoder) endSum()           {}

func (e *encoder) count(n, _ int) int {
	e.b = sats.AppendLen(e.b, n)
	return n
}

func (e *encoder) sum(tag uint8, _ []string) uint8 {
	e.b = sats.AppendTag(e.b, tag)
	return tag
}

func (e *encoder) str(p *string)     { e.b = sats.AppendString(e.b, *p) }
func (e *encoder) boolean(p *bool)   { e.b = sats.AppendBool(e.b, *p) }
func (e *encoder) u8(p *uint8)       { e.b = append(e.b, *p) }
func (e *encoder) u16(p *uint16)     { e.b = sats.AppendU16(e.b, *p) }
func (e *encoder) u32(p *uint32)     { e.b = sats.AppendU32(e.b, *p) }
func (e *encoder) i128(p *sats.I128) { e.b = sats.AppendI128(e.b, *p) }
func (e *encoder) bytes(p *[]byte)   { e.b = sats.AppendBytes(e.b, *p) }
func (e *encoder) hash(p *sats.Hash) { e.b = p.AppendBSATN(e.b) }

func (e *encoder) typ(p **sats.Type) { e.b = sats.AppendType(e.b, orUnit(*p)) }

func (e *encoder) product(p **sats.Type) { e.b = sats.AppendElements(e.b, orUnit(*p).Elems) }

func (e *encoder) typespace(p **sats.Typespace) { e.b = sats.AppendTypespace(e.b, orEmpty(*p)) }

func orUnit(t *sats.Type) *sats.Type {
	if t == nil {
		return sats.Unit
	}
	return t
}

func orEmpty(ts *sats.Typespace) *sats.Typespace {
	if ts == nil {
		return &sats.Typespace{}
	}
	return ts
}
