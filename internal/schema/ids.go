package schema

import (
	"slices"
	"strconv"
)

// The ids of catalogue objects. They are assigned by the store from the system
// sequences; 0 means "not assigned yet", values below [FirstUserID] belong to
// system objects.
type (
	TableID      uint32
	IndexID      uint32
	ConstraintID uint32
	SequenceID   uint32
	ScheduleID   uint32
	ViewID       uint32
)

// ColID is the position of a column in its table.
type ColID uint16

// FirstUserID is the first id that a database hands out to a user's table,
// index, constraint, sequence, schedule or view (spec 02 §9.4).
const FirstUserID = 4096

// Version tells which naming and visibility rules a module follows.
type Version int

const (
	// V9 is a module of the 1.x SDKs or older: names are verbatim.
	V9 Version = 9
	// V10 is a module of the 2.x SDKs.
	V10 Version = 10
)

func (v Version) String() string { return "V" + strconv.Itoa(int(v)) }

// TableKind says who owns a table.
type TableKind uint8

const (
	System TableKind = iota // described by code, not by a module
	User
)

// String returns the word that st_table stores.
func (k TableKind) String() string {
	if k == System {
		return "system"
	}
	return "user"
}

// Access says whether clients other than the owner may read a table.
type Access uint8

const (
	Public Access = iota
	Private
)

// String returns the word that st_table stores.
func (a Access) String() string {
	if a == Public {
		return "public"
	}
	return "private"
}

// Algo is the kind of an index as the module declared it. The values are the
// tags of a raw definition (spec 02 §3.1), not those of st_index.
type Algo uint8

const (
	BTree Algo = iota
	Hash
	Direct
)

// String returns the word used in generated index names.
func (a Algo) String() string {
	switch a {
	case Hash:
		return "hash"
	case Direct:
		return "direct"
	}
	return "btree"
}

// Lifecycle is the event a reducer is bound to.
type Lifecycle uint8

const (
	LifecycleNone Lifecycle = iota
	LifecycleInit
	LifecycleOnConnect
	LifecycleOnDisconnect
)

// String returns the event's name as exported schemas spell it.
func (l Lifecycle) String() string {
	switch l {
	case LifecycleInit:
		return "Init"
	case LifecycleOnConnect:
		return "OnConnect"
	case LifecycleOnDisconnect:
		return "OnDisconnect"
	}
	return "None"
}

// SameColumnSet reports whether a and b name the same columns, in any order
// and ignoring repetitions.
func SameColumnSet(a, b []ColID) bool {
	return slices.Equal(columnSet(a), columnSet(b))
}

// columnSetKey returns a string that two lists share if they name the same
// columns.
func columnSetKey(cols []ColID) string {
	var b []byte
	for _, c := range columnSet(cols) {
		b = append(b, byte(c), byte(c>>8))
	}
	return string(b)
}

// columnSet returns cols sorted and without repetitions, in a slice of its own.
func columnSet(cols []ColID) []ColID {
	s := slices.Clone(cols)
	slices.Sort(s)
	return slices.Compact(s)
}
