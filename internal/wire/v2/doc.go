// Package v2 holds the messages of the subprotocols v2.bsatn.spacetimedb and
// v3.bsatn.spacetimedb (spec 05 §8); v3 differs only in that one payload may hold
// several messages.
//
// Row updates inside messages are fragments: bytes that AppendPersistent or
// AppendEvents made, so that a query's delta is encoded once however many query
// sets receive it.
package v2
