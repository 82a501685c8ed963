package sats

import (
	"errors"
	"strconv"
)

// maxResolvedNodes bounds a type after its refs are replaced: a few refs in a row can double it at each step.
const maxResolvedNodes = 1 << 18

func errRefRange(n uint32) error {
	return errors.New("Type reference &" + strconv.FormatUint(uint64(n), 10) + " out of bounds")
}

func errRefRecursive(n uint32) error {
	return errors.New("Found recursive type reference &" + strconv.FormatUint(uint64(n), 10))
}

// Get returns entry n. The receiver may be nil: then every ref is out of range.
func (ts *Typespace) Get(n uint32) (*Type, error) {
	if ts == nil || uint64(n) >= uint64(len(ts.Types)) || ts.Types[n] == nil {
		return nil, errRefRange(n)
	}
	return ts.Types[n], nil
}

// Deref follows t while it is a ref. A chain that never leaves refs is an error.
func (ts *Typespace) Deref(t *Type) (*Type, error) {
	for steps := 0; t.Kind == KindRef; steps++ {
		n := t.Ref
		next, err := ts.Get(n)
		if err != nil {
			return nil, err
		}
		if steps > len(ts.Types) {
			return nil, errRefRecursive(n)
		}
		t = next
	}
	return t, nil
}

// Resolve returns t with all refs replaced by the types they mean. Out-of-range and recursive refs are errors, and so
// are types that would be nested deeper than MaxDepth or be unreasonably large. A ref-free t is returned as it is.
func (ts *Typespace) Resolve(t *Type) (*Type, error) {
	if !t.HasRefs() {
		return t, nil
	}
	r := resolver{ts: ts, done: map[uint32]resolved{}, open: map[uint32]bool{}}
	got := r.resolve(t, 0)
	if r.err != nil {
		return nil, r.err
	}
	return got.t, nil
}

// resolved is a ref-free type with its size and depth as a tree.
type resolved struct {
	t            *Type
	nodes, depth int
}

type resolver struct {
	ts   *Typespace
	done map[uint32]resolved
	open map[uint32]bool // refs being resolved
	err  error
}

func (r *resolver) fail(err error) resolved {
	if r.err == nil {
		r.err = err
	}
	return resolved{}
}

func (r *resolver) resolve(t *Type, level int) resolved {
	if level > MaxDepth {
		return r.fail(errDepth)
	}
	out := resolved{t: t, nodes: 1, depth: 1}
	switch t.Kind {
	case KindRef:
		return r.resolveRef(t.Ref, level)
	case KindArray:
		e := r.resolve(t.Elem, level+1)
		out = resolved{t: Array(e.t), nodes: 1 + e.nodes, depth: 1 + e.depth}
	case KindSum, KindProduct:
		if len(t.Elems) == 0 {
			break
		}
		elems := make([]Element, len(t.Elems))
		for i := range elems {
			e := r.resolve(t.Elems[i].Type, level+1)
			if r.err != nil {
				return resolved{}
			}
			elems[i] = Element{Name: t.Elems[i].Name, Type: e.t}
			out.nodes += e.nodes
			out.depth = max(out.depth, 1+e.depth)
			if out.nodes > maxResolvedNodes {
				return r.fail(errors.New("type is too large after its references are resolved"))
			}
		}
		out.t = &Type{Kind: t.Kind, Elems: elems}
	}
	if out.depth > MaxDepth {
		return r.fail(errDepth)
	}
	return out
}

func (r *resolver) resolveRef(n uint32, level int) resolved {
	if d, ok := r.done[n]; ok {
		return d
	}
	if r.open[n] {
		return r.fail(errRefRecursive(n))
	}
	t, err := r.ts.Get(n)
	if err != nil {
		return r.fail(err)
	}
	r.open[n] = true
	d := r.resolve(t, level+1)
	delete(r.open, n)
	if r.err == nil {
		r.done[n] = d
	}
	return d
}
