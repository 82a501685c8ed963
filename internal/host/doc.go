// Package host runs databases: each is a store, a log, a module and the right to
// write, joined into one thing that can be called, queried, subscribed to and
// updated.
//
// It owns who may write when (the executor), which function runs in which
// transaction and what becomes of it (calls, lifecycle, schedules, procedures and
// HTTP handlers, publishing and updates), what modules ask of the world outside,
// the road of a commit to the log and to subscribers, module logs, and getting a
// database back after a crash. It writes st_module, st_client, st_env and
// st_connection_credentials by ordinary inserts.
//
// It must not know the HTTP interface, WebSockets, tokens, names of databases, or
// how an engine runs a program. Time, files and randomness come in through [Options].
package host
