package jshost

import (
	"sync"
	"unicode/utf8"

	"github.com/stdbgo/spacetime/internal/abi"
)

// DefaultMemory caps the heap of an instance for which abi.Limits names no other size.
const DefaultMemory = 1 << 30

// Prepare makes of a published text one that the engine can compile, and fills o (spec 04 §13, steps 1 and 2). Parse is the
// engine's parser: it is given texts that are to be checked only, because its limits are known and those of the rewriter are not.
func Prepare(text []byte, o *Origin, parse func(code []byte) error) (code []byte, err error) {
	if !utf8.Valid(text) {
		return nil, &abi.LoadError{Problem: "the program is not valid UTF-8",
			Fix: "publish the bundled JavaScript file; for a WebAssembly module leave host_type=Js away"}
	}
	code, o.bundle.raw = SplitMap(text)
	check := StandIn(code)
	if check == nil {
		return code, nil
	}
	if err := parse(check); err != nil {
		return nil, err
	}
	code, o.lowered.raw, err = Lower(code)
	return code, err
}

// An Origin leads from positions in the compiled text to those in the files that people wrote. It is safe for concurrent use.
type Origin struct {
	lowered lazyMap // compiled text to published text
	bundle  lazyMap // published text to source files
}

// A lazyMap parses a source map when it is first asked for. Raw is nil if there is none.
type lazyMap struct {
	raw  []byte
	once sync.Once
	m    *sourceMap
}

func (l *lazyMap) get() *sourceMap {
	l.once.Do(func() {
		if l.raw != nil {
			l.m, _ = parseMap(l.raw) // a damaged map is none
			l.raw = nil
		}
	})
	return l.m
}

// Published returns the position in the published text.
func (o *Origin) Published(p Position) Position {
	if q, ok := o.lowered.get().at(p.Line, p.Column); ok && p.File == Resource {
		return q
	}
	return p
}

// Source returns the position in a source file, as far as known.
func (o *Origin) Source(p Position) Position {
	p = o.Published(p)
	if q, ok := o.bundle.get().at(p.Line, p.Column); ok && p.File == Resource {
		return q
	}
	return p
}
