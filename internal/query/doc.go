// Package query compiles checked queries into plans over package store and
// runs them, in full and incrementally.
//
// It owns access paths, join orders, compiled predicates, the delta of a query
// for one committed transaction, and what a subscription registry needs to know
// of a query: which rows can matter to it, whether it may be kept live, what it
// costs. A plan is a tree of operators, compiled once into closures over encoded
// rows; a running plan keeps its state in a frame, one state per operator, and
// allocates nothing per row.
//
// Plans are immutable and safe for concurrent use. The package knows no SQL
// text, no caller, no client; it starts no goroutine and reads no clock.
package query
