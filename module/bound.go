package module

import "unsafe"

// A Bound is one end of a range of keys. The zero Bound is no bound: the range is open at this end.
type Bound[K any] struct {
	kind boundKind
	key  K
}

type boundKind uint8

const (
	unbounded boundKind = iota
	included
	excluded
)

// Incl returns a bound that counts key itself.
func Incl[K any](key K) Bound[K] { return Bound[K]{included, key} }

// Excl returns a bound that leaves key itself out.
func Excl[K any](key K) Bound[K] { return Bound[K]{excluded, key} }

// NoBound returns the zero Bound.
func NoBound[K any]() Bound[K] { return Bound[K]{} }

// boundTags are the tags of bounds in arguments of scans (spec 03 §6).
var boundTags = [...]byte{unbounded: 2, included: 0, excluded: 1}

// setBounds encodes bounds of the index column col.
func setBounds[K any](in *instance, ix *indexDef, col int, from, to Bound[K]) {
	in.from = append(in.from[:0], boundTags[from.kind])
	if from.kind != unbounded {
		in.from = ix.keys[col].Append(in.from, unsafe.Pointer(&from.key))
	}
	in.to = append(in.to[:0], boundTags[to.kind])
	if to.kind != unbounded {
		in.to = ix.keys[col].Append(in.to, unsafe.Pointer(&to.key))
	}
}
