//go:build !unix

package server

// triesWrites says that sockets cannot be written to without waiting: any write may
// take long, and the writer leaves the list to others before.
const triesWrites = false

func writeNow(uintptr, []byte) (int, error) { return 0, nil }
