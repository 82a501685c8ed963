package schema

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stdbgo/spacetime/sats"
)

// maxSubmoduleDepth is how deep submodules may be nested; nothing else in a
// definition nests without end.
const maxSubmoduleDepth = 24

// MaxRawSize is the size in bytes from which on a definition is refused.
const MaxRawSize = 64 << 20

// DecodeRaw decodes the definition that a module returned, which starts with
// the tag of its generation. Bytes after its end are ignored. The result does
// not share memory with b.
func DecodeRaw(b []byte) (*RawModule, error) {
	if len(b) == 0 {
		return nil, fmt.Errorf("module definition: no bytes; the module must describe itself")
	}
	if len(b) > MaxRawSize {
		return nil, fmt.Errorf("module definition: %d bytes, more than the limit of %d", len(b), MaxRawSize)
	}
	d := &decoder{r: sats.NewReader(b[1:])}
	m := new(RawModule)
	switch b[0] {
	case 0:
		m.V8 = new(RawV8)
		visitV8(d, m.V8)
	case 1:
		m.V9 = new(RawV9)
		visitV9(d, m.V9)
	case 2:
		m.V10 = new(RawV10)
		visitV10(d, m.V10)
	default:
		return nil, fmt.Errorf("module definition: unknown tag %#x; this server reads V8 (0), V9 (1) and V10 (2)", b[0])
	}
	if err := d.r.Err(); err != nil {
		return nil, fmt.Errorf("module definition: at %s, byte %d: %w", d.place(), d.r.Pos()+1, err)
	}
	return m, nil
}

// decoder is the codec that reads BSATN. After the first error it visits
// nothing more, and path keeps telling where it was.
type decoder struct {
	r     *sats.Reader
	path  []step
	depth int // submodules around the one being read
}

// step is one level of the place the decoder is at.
type step struct {
	key  string
	list bool
	i, n int // lists: elements begun and elements in total
}

func (d *decoder) ok() bool { return d.r.Err() == nil }

func (d *decoder) place() string {
	var b strings.Builder
	for _, s := range d.path {
		switch {
		case s.list:
			b.WriteString("[" + strconv.Itoa(s.i-1) + "]")
		case s.key != "":
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.key)
		}
	}
	return b.String()
}

func (d *decoder) push(s step) {
	if d.ok() {
		d.path = append(d.path, s)
	}
}

func (d *decoder) pop() {
	if d.ok() {
		d.path = d.path[:len(d.path)-1]
	}
}

func (d *decoder) open() { d.push(step{}) }

func (d *decoder) nest(visit func()) {
	if d.depth++; d.depth > maxSubmoduleDepth {
		d.r.Fail(fmt.Errorf("submodules are nested too deeply; the limit is %d", maxSubmoduleDepth))
	} else {
		visit()
	}
	d.depth--
}

func (d *decoder) close() { d.pop() }

func (d *decoder) key(name string) {
	if d.ok() {
		d.path[len(d.path)-1].key = name
	}
}

func (d *decoder) count(_, min int) int {
	n := d.r.Count(min)
	d.push(step{list: true, n: n})
	return n
}

func (d *decoder) next() bool {
	if !d.ok() {
		return false
	}
	s := &d.path[len(d.path)-1]
	s.i++
	return s.i <= s.n
}

func (d *decoder) end() { d.pop() }

func (d *decoder) sum(_ uint8, names []string) uint8 {
	tag := d.r.U8()
	if d.ok() && int(tag) >= len(names) {
		d.r.Fail(fmt.Errorf("unknown tag %#x; known are 0 (%s) to %#x (%s)", tag, names[0], len(names)-1, names[len(names)-1]))
	}
	if !d.ok() {
		return 0
	}
	d.push(step{key: names[tag]})
	return tag
}

func (d *decoder) unit()   {}
func (d *decoder) endSum() { d.pop() }

func (d *decoder) str(p *string)     { *p = d.r.Str() }
func (d *decoder) boolean(p *bool)   { *p = d.r.Bool() }
func (d *decoder) u8(p *uint8)       { *p = d.r.U8() }
func (d *decoder) u16(p *uint16)     { *p = d.r.U16() }
func (d *decoder) u32(p *uint32)     { *p = d.r.U32() }
func (d *decoder) i128(p *sats.I128) { *p = d.r.I128() }
func (d *decoder) bytes(p *[]byte) {
	if *p = d.r.Bytes(); *p == nil {
		*p = []byte{}
	}
}
func (d *decoder) hash(p *sats.Hash) { p.ReadBSATN(d.r) }

// An error leaves a valid type behind, so that visitors need not care.
func (d *decoder) typ(p **sats.Type) {
	t, err := sats.DecodeType(d.r)
	if err != nil {
		d.r.Fail(err)
		t = sats.Unit
	}
	*p = t
}

func (d *decoder) product(p **sats.Type) {
	t, err := sats.DecodeProductType(d.r)
	if err != nil {
		d.r.Fail(err)
		t = sats.Unit
	}
	*p = t
}

func (d *decoder) typespace(p **sats.Typespace) {
	ts, err := sats.DecodeTypespace(d.r)
	if err != nil {
		d.r.Fail(err)
		ts = &sats.Typespace{}
	}
	*p = ts
}
