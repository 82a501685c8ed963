// Package sats is the algebraic type system that modules, clients and the server share: types and typespaces,
// the binary encoding (BSATN), the JSON and text encodings, the order of values, layouts that find columns inside
// encoded rows, order-preserving index keys, and codecs compiled from Go types.
//
// Promises: all encodings are those of spec 01, byte for byte; decoders bound depth, lengths and memory before they
// allocate and answer bad input with an error; a [Type], [Layout], [Walker], [KeyEncoder] and [Codec] is immutable
// and safe for concurrent use.
//
// It must not know databases, tables, networks or files, and it imports the standard library only, because Go
// modules carry it inside their WebAssembly.
package sats
