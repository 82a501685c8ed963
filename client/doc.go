// Package client connects Go programs to a database: it calls reducers and
// procedures, keeps the rows of subscribed queries in a local cache and tells of
// every change.
//
// A Conn owns its WebSocket, the goroutine that reads and decodes, the one that
// writes, and the one that delivers: it applies changes in the server's order, a
// transaction at once and before the result of the call that made it, and runs all
// callbacks, one at a time. It promises that every call ends, with its outcome or
// with the reason why nobody knows it. It must not know the server's rooms, only the
// protocol (spec 05) and the requirements of spec 10 §9.
//
// Programs normally use it through a package that "spacetime generate --lang go"
// has made. Without a Module, rows and arguments are BSATN bytes (SubscribeRows, Call).
package client
