package build

import (
	"encoding/binary"
	"errors"
)

var errNotWasm = errors.New("not a WebAssembly module")

// wasmNames lists the modules and names that a WebAssembly program imports and
// the names that it exports.
func wasmNames(program []byte) (imports, exports []string, err error) {
	if len(program) < 8 || string(program[:8]) != "\x00asm\x01\x00\x00\x00" {
		return nil, nil, errNotWasm
	}
	r := &wasmReader{b: program[8:]}
	for len(r.b) > 0 && !r.bad {
		id := r.byte()
		section := &wasmReader{b: r.bytes()}
		switch id {
		case 2:
			for range section.count() {
				imports = append(imports, section.name(), section.name())
				section.importKind()
			}
		case 7:
			for range section.count() {
				exports = append(exports, section.name())
				section.byte()
				section.uvarint()
			}
		}
		r.bad = r.bad || section.bad
	}
	if r.bad {
		return nil, nil, errNotWasm
	}
	return imports, exports, nil
}

// wasmReader reads the binary format; after a fault bad is set and everything is
// zero.
type wasmReader struct {
	b   []byte
	bad bool
}

func (r *wasmReader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *wasmReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *wasmReader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *wasmReader) name() string { return string(r.bytes()) }

// count reads a count, of which each takes at least one byte.
func (r *wasmReader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return 0
	}
	return int(n)
}

func (r *wasmReader) limits() {
	flags := r.byte()
	r.uvarint()
	if flags&1 != 0 {
		r.uvarint()
	}
}

// importKind skips the type of an import.
func (r *wasmReader) importKind() {
	switch r.byte() {
	case 0: // function
		r.uvarint()
	case 1: // table
		r.byte()
		r.limits()
	case 2: // memory
		r.limits()
	case 3: // global
		r.byte()
		r.byte()
	default:
		r.bad, r.b = true, nil
	}
}
