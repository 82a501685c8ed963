// Package store compares the rows of this server with SQLite and with a plain Go map,
// in one process and in turn, so that what else the machine does hits all alike.
// BENCHMARKS.md has the figures.
package store
