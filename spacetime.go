// Package spacetime is the database inside a Go program, and the source of the SDK for modules in Go.
//
// It owns what embedding programs see: opening a data directory, publishing the module that is linked in, serving, and
// closing. It also carries the source of this Go module, which the command line lays down beside new Go modules so that
// they build without network. What a database does is the business of the rooms below internal.
package spacetime
