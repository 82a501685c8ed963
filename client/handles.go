package client

import (
	"cmp"
	"fmt"
	"iter"
)

// A Table gives access to the rows of a table or view that this connection is
// subscribed to. The rows are shared and must not be modified.
type Table[R any] struct{ t *table[R] }

// TableOf returns the table that info describes, which the connection's Module must
// have. Generated packages use it.
func TableOf[R any](c *Conn, info *TableInfo[R]) Table[R] {
	t, ok := c.cache.tables[info.Name].(*table[R])
	if !ok || t.info != info {
		panic(fmt.Sprintf("client: the connection's Module does not have this description of the table %s", info.Name))
	}
	return Table[R]{t}
}

// Len returns the number of rows.
func (t Table[R]) Len() int {
	t.t.cache.lock.rlock()
	defer t.t.cache.lock.runlock()
	return t.t.live
}

// All yields the rows there are when the loop begins, in no particular order.
func (t Table[R]) All() iter.Seq[*R] {
	return func(yield func(*R) bool) {
		for _, row := range t.t.rows() {
			if !yield(row) {
				return
			}
		}
	}
}

// OnInsert calls f for every row that is inserted, when the whole transaction is in
// the cache. The returned function ends that.
func (t Table[R]) OnInsert(f func(ev *Event, row *R)) (cancel func()) { return t.t.onInsert.add(f) }

// OnDelete calls f for every row that is deleted.
func (t Table[R]) OnDelete(f func(ev *Event, row *R)) (cancel func()) { return t.t.onDelete.add(f) }

// A KeyedTable is a Table with a primary key: a row that replaces one of the same key
// is an update, and neither inserted nor deleted.
type KeyedTable[R any] struct{ Table[R] }

// KeyedTableOf is TableOf for a table with a primary key.
func KeyedTableOf[R any](c *Conn, info *TableInfo[R]) KeyedTable[R] {
	return KeyedTable[R]{TableOf(c, info)}
}

// OnUpdate calls f for every row that replaces one of the same primary key.
func (t KeyedTable[R]) OnUpdate(f func(ev *Event, old, new *R)) (cancel func()) {
	return t.t.onUpdate.add(f)
}

// An EventTable tells of the rows of an event table, which are not kept.
type EventTable[R any] struct{ t *table[R] }

// EventTableOf is TableOf for an event table.
func EventTableOf[R any](c *Conn, info *TableInfo[R]) EventTable[R] {
	return EventTable[R]{TableOf(c, info).t}
}

// OnInsert calls f for every row.
func (t EventTable[R]) OnInsert(f func(ev *Event, row *R)) (cancel func()) {
	return t.t.onInsert.add(f)
}

// CompareBool orders false before true, for indexes.
func CompareBool(a, b bool) int { return cmp.Compare(b2i(a), b2i(b)) }

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
