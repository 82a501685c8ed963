// Package sql turns SQL text into checked, compiled statements.
//
// It owns the two dialects of spec 07: lexing, grammar, name resolution,
// typing, literals, permissions, the texts of refusals, and DML. What a
// statement reads becomes a plan of package query; what it writes goes through
// a store transaction that the caller opens and commits.
//
// A statement is compiled for one caller against one catalogue. Nothing here
// starts a goroutine, reads a clock or keeps state between calls, so compiled
// queries may be shared by any number of readers. It must not know how rows
// reach a client: no HTTP, no WebSocket, no JSON.
package sql
