// Package store holds the rows of one database: tables, indexes, constraints,
// sequences, and the transactions that change them.
//
// It owns every row in memory and alone writes the catalogue tables, through the
// schema operations of [Tx]. It promises that a rolled-back transaction leaves no
// trace but consumed sequence values, that a [Commit] states exactly what changed,
// and that a [View] sees one committed state however long it lives. It encodes
// transaction records (spec 08 §26) and snapshot pages, because they need row
// types, but opens no file, starts no goroutine and reads no clock.
//
// One transaction may be open at a time, which is the caller's duty; any number
// of views may be read beside it, each by one goroutine.
package store
