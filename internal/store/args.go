package store

import (
	"errors"

	"github.com/stdbgo/spacetime/internal/schema"
)

// ParsePoint checks b as the argument of a point scan (spec 03 §5.4) and returns the
// key in it. Bytes behind the key of a single column are ignored.
func (tx *Tx) ParsePoint(id schema.IndexID, b []byte) ([]byte, error) {
	ix := tx.index(id)
	if ix == nil {
		return nil, noIndex(id)
	}
	n, err := ix.keyLayout.Validate(b)
	if err != nil {
		return nil, badKey(ix, "key", err)
	}
	if n < len(b) && len(ix.cols) > 1 {
		return nil, errorf(ErrDecode, "key for index %s: %d bytes too many", ix.def.Name, len(b)-n)
	}
	return b[:n:n], nil
}

// ParseRange checks the arguments of a range scan (spec 03 §6, 08 §5.1). The range
// shares their memory.
func (tx *Tx) ParseRange(id schema.IndexID, prefix []byte, prefixElems int, rstart, rend []byte) (r Range, err error) {
	ix := tx.index(id)
	if ix == nil {
		return r, noIndex(id)
	}
	if ix.def.Algo == schema.Hash {
		return r, errorf(ErrWrongIndexAlgo, "index %s is a hash index and has no ranges", ix.def.Name)
	}
	if prefixElems < 0 || prefixElems >= len(ix.parts) {
		return r, badKey(ix, "range", errors.New("prefix length leaves no room for a range in ranged index scan"))
	}
	size := 0
	for _, part := range ix.parts[:prefixElems] {
		n, err := part.Validate(prefix[size:])
		if err != nil {
			return r, badKey(ix, "prefix", err)
		}
		size += n
	}
	r.Prefix, r.PrefixCols = prefix[:size:size], prefixElems
	if r.Lo, err = ix.parseBound(prefixElems, rstart); err != nil {
		return Range{}, badKey(ix, "start of range", err)
	}
	if r.Hi, err = ix.parseBound(prefixElems, rend); err != nil {
		return Range{}, badKey(ix, "end of range", err)
	}
	return r, nil
}

func (ix *index) parseBound(part int, b []byte) (Bound, error) {
	if len(b) == 0 {
		return Bound{}, errors.New("no bound")
	}
	switch tag, v := b[0], b[1:]; tag {
	case 0, 1:
		n, err := ix.parts[part].Validate(v)
		if err != nil {
			return Bound{}, err
		}
		return Bound{Kind: Included + BoundKind(tag), Value: v[:n:n]}, nil
	case 2:
		return Bound{}, nil
	}
	return Bound{}, errors.New("unknown bound tag")
}

func badKey(ix *index, what string, err error) error {
	return &Error{Code: ErrDecode, Msg: what + " for index " + ix.def.Name, Err: err}
}
