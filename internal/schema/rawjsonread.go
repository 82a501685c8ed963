package schema

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/stdbgo/spacetime/sats"
)

// ParseJSON reads a definition of generation 9 or 10 as the schema route gives
// it: the object that AppendJSON of RawV9 and RawV10 writes (spec 02 §10.1).
func ParseJSON(generation int, text []byte) (*RawModule, error) {
	if len(text) > MaxRawSize*4 {
		return nil, fmt.Errorf("module definition: %d bytes of JSON, more than the limit of %d", len(text), MaxRawSize*4)
	}
	r := &jsonReader{at: text}
	m := new(RawModule)
	switch generation {
	case 9:
		m.V9 = new(RawV9)
		visitV9(r, m.V9)
	case 10:
		m.V10 = new(RawV10)
		visitV10(r, m.V10)
	default:
		return nil, fmt.Errorf("module definition: no JSON of generation %d", generation)
	}
	if r.err != nil {
		return nil, fmt.Errorf("module definition: JSON: %w", r.err)
	}
	return m, nil
}

// jsonReader is the codec that reads SATS-JSON in the form that jsonWriter
// writes. at is the value to visit next. After the first error it visits nothing.
type jsonReader struct {
	at    json.RawMessage
	stack []jsonLevel
	err   error
}

// maxJSONDepth bounds the objects and lists that are open at once; a submodule
// takes fewer than eight.
const maxJSONDepth = 8 * (maxSubmoduleDepth + 1)

// nest visits a submodule. Without an error it would not end: what is missing is
// visited as empty, but a submodule holds submodules.
func (r *jsonReader) nest(visit func()) {
	if r.err == nil {
		visit()
	}
}

// A jsonLevel is an object or a list whose members are being visited.
type jsonLevel struct {
	members map[string]json.RawMessage
	items   []json.RawMessage
}

func (r *jsonReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// read decodes the value at hand.
func (r *jsonReader) read(into any) bool {
	if r.err != nil {
		return false
	}
	if err := json.Unmarshal(r.at, into); err != nil {
		r.err = err
	}
	return r.err == nil
}

func (r *jsonReader) push(l jsonLevel) {
	if len(r.stack) >= maxJSONDepth {
		r.fail("nested too deeply")
	}
	r.stack = append(r.stack, l)
}

func (r *jsonReader) pop() { r.stack = r.stack[:len(r.stack)-1] }
func (r *jsonReader) top() *jsonLevel {
	return &r.stack[len(r.stack)-1]
}

func (r *jsonReader) open() {
	var l jsonLevel
	r.read(&l.members)
	r.push(l)
}

func (r *jsonReader) close() { r.pop() }

func (r *jsonReader) key(name string) {
	v, ok := r.top().members[name]
	if !ok {
		r.fail("the member %q is missing", name)
	}
	r.at = v
}

func (r *jsonReader) count(int, int) int {
	var l jsonLevel
	r.read(&l.items)
	if r.err != nil {
		l.items = nil
	}
	r.push(l)
	return len(l.items)
}

func (r *jsonReader) next() bool {
	l := r.top()
	if r.err != nil || len(l.items) == 0 {
		return false
	}
	r.at, l.items = l.items[0], l.items[1:]
	return true
}

func (r *jsonReader) end() { r.pop() }

func (r *jsonReader) sum(_ uint8, names []string) uint8 {
	var m map[string]json.RawMessage
	if !r.read(&m) {
		return 0
	}
	if len(m) == 1 {
		for name, payload := range m {
			if i := slices.Index(names, name); i >= 0 {
				r.at = payload
				return uint8(i)
			}
		}
	}
	r.fail("%.40s is none of %q", r.at, names)
	return 0
}

func (r *jsonReader) unit()   {}
func (r *jsonReader) endSum() {}

func (r *jsonReader) str(p *string)   { r.read(p) }
func (r *jsonReader) boolean(p *bool) { r.read(p) }
func (r *jsonReader) u8(p *uint8)     { r.read(p) }
func (r *jsonReader) u16(p *uint16)   { r.read(p) }
func (r *jsonReader) u32(p *uint32)   { r.read(p) }

func (r *jsonReader) i128(p *sats.I128) {
	if r.err != nil {
		return
	}
	b, err := sats.ParseJSON(nil, nil, sats.I128Type, r.at)
	if err != nil {
		r.err = err
		return
	}
	*p = sats.NewReader(b).I128()
}

func (r *jsonReader) hash(p *sats.Hash) {
	var s string
	if !r.read(&s) {
		return
	}
	n, ok := new(big.Int).SetString(s, 0)
	if !ok || n.Sign() < 0 || n.BitLen() > 256 {
		r.err = errors.New("a hash must be a number of 256 bits in hex")
		return
	}
	n.FillBytes(p[:])
	slices.Reverse(p[:]) // the number is read from the bytes little-endian (spec 01 §7.6)
}

func (r *jsonReader) bytes(p *[]byte) {
	var s string
	if !r.read(&s) {
		return
	}
	if *p, r.err = hex.DecodeString(s); r.err == nil && *p == nil {
		*p = []byte{}
	}
}

func (r *jsonReader) typ(p **sats.Type) {
	if r.err == nil {
		*p, r.err = sats.ParseTypeJSON(r.at)
	}
}

func (r *jsonReader) product(p **sats.Type) {
	if r.err == nil {
		*p, r.err = sats.ParseProductTypeJSON(r.at)
	}
}

func (r *jsonReader) typespace(p **sats.Typespace) {
	r.open()
	r.key("types")
	*p = &sats.Typespace{Types: make([]*sats.Type, r.count(0, 0))}
	for i := range (*p).Types {
		if !r.next() {
			break
		}
		r.typ(&(*p).Types[i])
	}
	r.end()
	r.close()
}
