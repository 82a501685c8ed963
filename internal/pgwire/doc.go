// Package pgwire is the PostgreSQL wire protocol, version 3, from the server's side:
// its messages as bytes, and the values of SATS types in its formats (spec 06 §7).
//
// It promises that what a client sends is read within bounds and never panics, that
// every value has a text and a binary form that drivers read, and that a row of
// common types is written without an allocation. It must not know sockets, sessions,
// SQL or the server.
package pgwire
