package moduletest

import (
	"iter"

	"github.com/stdbgo/spacetime/internal/guest"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
)

// A reader is what a context of Read works on: each call looks at the newest committed state, each iterator holds a
// copy of its rows.
type reader struct {
	db    *DB
	iters [][][]byte // by handle-1: rows not yet read
}

var _ guest.Host = (*reader)(nil)

func (r *reader) TableID(name string) (uint32, guest.Errno) {
	v := r.db.db.View()
	defer v.Close()
	t := v.TableByName(name)
	if t == nil {
		return 0, guest.NoSuchTable
	}
	return uint32(t.ID), guest.OK
}

func (r *reader) IndexID(name string) (uint32, guest.Errno) {
	v := r.db.db.View()
	defer v.Close()
	_, ix := v.IndexByName(name)
	if ix == nil {
		return 0, guest.NoSuchIndex
	}
	return uint32(ix.ID), guest.OK
}

func (r *reader) RowCount(table uint32) (uint64, guest.Errno) {
	v := r.db.db.View()
	defer v.Close()
	return v.RowCount(schema.TableID(table)), guest.OK
}

// open makes an iterator of rows of a view.
func (r *reader) open(rows func(v *store.View) iter.Seq[[]byte]) (uint32, guest.Errno) {
	v := r.db.db.View()
	defer v.Close()
	var list [][]byte
	for row := range rows(v) {
		list = append(list, append([]byte(nil), row...))
	}
	r.iters = append(r.iters, list)
	return uint32(len(r.iters)), guest.OK
}

func (r *reader) ScanTable(table uint32) (uint32, guest.Errno) {
	return r.open(func(v *store.View) iter.Seq[[]byte] { return v.Scan(schema.TableID(table)) })
}

func (r *reader) ScanPoint(index uint32, key []byte) (uint32, guest.Errno) {
	return r.open(func(v *store.View) iter.Seq[[]byte] { return v.Point(schema.IndexID(index), key) })
}

func (r *reader) ScanRange(index uint32, prefix []byte, prefixCols int, from, to []byte) (uint32, guest.Errno) {
	v := r.db.db.View()
	_, ix := v.IndexByID(schema.IndexID(index))
	v.Close()
	if ix == nil {
		return 0, guest.NoSuchIndex
	}
	if ix.Algo == schema.Hash {
		return 0, guest.WrongIndexAlgo
	}
	return r.open(func(v *store.View) iter.Seq[[]byte] {
		return v.Range(ix.ID, store.Range{Prefix: prefix, PrefixCols: prefixCols, Lo: bound(from), Hi: bound(to)})
	})
}

// bound decodes a bound that the SDK has encoded: a tag and a value (spec 03 §6).
func bound(b []byte) store.Bound {
	switch b[0] {
	case 0:
		return store.Bound{Kind: store.Included, Value: b[1:]}
	case 1:
		return store.Bound{Kind: store.Excluded, Value: b[1:]}
	}
	return store.Bound{}
}

func (r *reader) Advance(it uint32, buf []byte) (n int, more bool, e guest.Errno) {
	rows := &r.iters[it-1]
	for len(*rows) > 0 && len((*rows)[0]) <= len(buf)-n {
		n += copy(buf[n:], (*rows)[0])
		*rows = (*rows)[1:]
	}
	if n == 0 && len(*rows) > 0 {
		return len((*rows)[0]), false, guest.BufferTooSmall
	}
	return n, len(*rows) > 0, guest.OK
}

func (r *reader) CloseIter(it uint32) { r.iters[it-1] = nil }

func (r *reader) Insert(uint32, []byte) (int, guest.Errno)         { return 0, guest.ReadOnly }
func (r *reader) Update(uint32, uint32, []byte) (int, guest.Errno) { return 0, guest.ReadOnly }

func (r *reader) DeletePoint(uint32, []byte) (uint32, guest.Errno) { return 0, guest.ReadOnly }
func (r *reader) DeleteRange(uint32, []byte, int, []byte, []byte) (uint32, guest.Errno) {
	return 0, guest.ReadOnly
}
func (r *reader) DeleteEqual(uint32, []byte) (uint32, guest.Errno) { return 0, guest.ReadOnly }
func (r *reader) Clear(uint32) (uint64, guest.Errno)               { return 0, guest.ReadOnly }

func (r *reader) Log(_ uint32, _, file string, line uint32, message []byte) {
	r.db.t.Logf("%s:%d: %s", file, line, message)
}

func (r *reader) Identity(id *[32]byte) { *id = r.db.db.Info().Identity }

// What follows is for calls only, which a context of Read is none of.

func (r *reader) JWT(*[16]byte) ([]byte, guest.Errno)    { return nil, guest.NotInTransaction }
func (r *reader) Env(string) ([]byte, bool, guest.Errno) { return nil, false, guest.NotInTransaction }
func (r *reader) StartTx() (int64, guest.Errno)          { return 0, guest.WouldBlock }
func (r *reader) CommitTx() guest.Errno                  { return guest.NotAnonymous }
func (r *reader) AbortTx() guest.Errno                   { return guest.NotAnonymous }
func (r *reader) SleepUntil(int64) int64                 { return r.db.Clock.Now().UnixMicro() }
func (r *reader) HTTP(_, _ []byte) (_, _ []byte, failure string, e guest.Errno) {
	return nil, nil, "", guest.WouldBlock
}
