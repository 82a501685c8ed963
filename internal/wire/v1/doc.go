// Package v1 holds the messages of the subprotocols v1.bsatn.spacetimedb and
// v1.json.spacetimedb (spec 05 §7).
//
// A server message is written once, as BSATN. Its JSON form is the same BSATN
// with rows and arguments as strings of JSON text, turned into text by its type
// (types.go): one encoder cannot disagree with itself.
//
// Row updates inside messages are fragments: bytes that AppendQueryUpdate or
// AppendQueryUpdateJSON made, so that a query's delta is encoded once however
// many clients receive it.
package v1
