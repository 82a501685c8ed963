package client

import (
	"fmt"
	"unsafe"

	"github.com/stdbgo/spacetime/sats"
)

// A Module says what clients of a module see: it is what generated packages pass to
// Dial, and may be written by hand.
type Module struct {
	Tables   []TableDef   // tables and views
	Reducers []ReducerDef // for events
}

// A TableDef is a *TableInfo of some row type.
type TableDef interface {
	definition() *tableDefinition
	make(c *cache) (cached, error)
}

// A TableInfo describes a table or view whose rows are R.
type TableInfo[R any] struct {
	Name  string // as in SQL: canonical, with the submodules before it
	Event bool   // rows are told, not kept
	// Arguments marks a view that needs arguments, which SubscribeAll leaves out.
	Arguments bool
	// PrimaryKey pairs deleted and inserted rows to updates; see KeyOf. nil: none.
	PrimaryKey Key[R]
	// Append appends the BSATN of a row and Read reads one. Both nil: the codec that
	// package sats compiles for R. They must be the inverse of each other.
	Append func(row *R, b []byte) []byte
	Read   func(row *R, r *sats.Reader)
}

// A tableDefinition is what of a TableInfo does not depend on its row type.
type tableDefinition struct {
	Name             string
	Event, Arguments bool
}

func (t *TableInfo[R]) definition() *tableDefinition {
	return &tableDefinition{t.Name, t.Event, t.Arguments}
}

// A Key finds the updates among the deleted and inserted rows of a transaction. KeyOf
// makes one.
type Key[R any] interface {
	// pair moves the rows whose key is in both lists to updates.
	pair(deleted, inserted []*R, updates []update[R]) ([]*R, []*R, []update[R])
}

// An update is a row with the one of the same primary key that it replaces.
type update[R any] struct{ old, new *R }

// KeyOf returns the primary key that column returns.
func KeyOf[R any, K comparable](column func(*R) K) Key[R] { return keyOf[R, K](column) }

type keyOf[R any, K comparable] func(*R) K

func (key keyOf[R, K]) pair(deleted, inserted []*R, updates []update[R]) ([]*R, []*R, []update[R]) {
	if len(deleted) == 0 || len(inserted) == 0 {
		return deleted, inserted, updates
	}
	old := make(map[K]int, len(deleted))
	for i, r := range deleted {
		old[key(r)] = i
	}
	rest := inserted[:0]
	for _, r := range inserted {
		i, ok := old[key(r)]
		if !ok || deleted[i] == nil {
			rest = append(rest, r)
			continue
		}
		updates = append(updates, update[R]{deleted[i], r})
		deleted[i] = nil
	}
	gone := deleted[:0]
	for _, r := range deleted {
		if r != nil {
			gone = append(gone, r)
		}
	}
	clear(deleted[len(gone):])
	clear(inserted[len(rest):])
	return gone, rest, updates
}

// A ReducerDef describes a reducer of the module, for events.
type ReducerDef struct {
	Name   string                   // canonical
	Decode func(r *sats.Reader) any // reads the arguments for Event.Reducer; see DecodeArgs
}

// A bsatn is a type of a generated package.
type bsatn interface{ ReadBSATN(r *sats.Reader) }

// readerOf returns how to read a T: by its own method, or with its codec.
func readerOf[T any]() (func(*T, *sats.Reader), error) {
	if _, ok := any(new(T)).(bsatn); ok {
		return func(v *T, r *sats.Reader) { any(v).(bsatn).ReadBSATN(r) }, nil
	}
	codec, err := sats.CodecOf[T]()
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return func(v *T, r *sats.Reader) {
		n, err := codec.Decode(r.Rest(), unsafe.Pointer(v))
		if err != nil {
			r.Fail(err)
			return
		}
		r.View(n)
	}, nil
}

// codecs returns how to append and read rows.
func (t *TableInfo[R]) codecs() (func(*R, []byte) []byte, func(*R, *sats.Reader), error) {
	if t.Append != nil && t.Read != nil {
		return t.Append, t.Read, nil
	}
	codec, err := sats.CodecOf[R]()
	if err != nil {
		return nil, nil, fmt.Errorf("client: the rows of table %s: %w", t.Name, err)
	}
	read, err := readerOf[R]()
	return func(row *R, b []byte) []byte { return codec.Append(b, unsafe.Pointer(row)) }, read, err
}

// DecodeArgs reads the arguments of a reducer, for ReducerDef.Decode of generated
// packages.
func DecodeArgs[T any, P interface {
	*T
	ReadBSATN(r *sats.Reader)
}](r *sats.Reader) any {
	var v T
	P(&v).ReadBSATN(r)
	return v
}

// A Never is a value that cannot be: no row and no argument has one.
type Never struct{}

// AppendBSATN appends nothing; the server refuses the row or argument that lacks it.
func (Never) AppendBSATN(b []byte) []byte { return b }

// ReadBSATN fails.
func (*Never) ReadBSATN(r *sats.Reader) { r.TagOf(0, "Never") }
