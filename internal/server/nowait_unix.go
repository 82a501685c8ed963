//go:build unix

package server

import (
	"errors"
	"syscall"
)

// triesWrites says that sockets can be written to without waiting.
const triesWrites = true

// writeNow writes as much as the socket has room for.
func writeNow(fd uintptr, b []byte) (n int, err error) {
	for {
		n, err = syscall.Write(int(fd), b)
		switch {
		case err == nil:
			return n, nil
		case errors.Is(err, syscall.EAGAIN):
			return 0, nil
		case !errors.Is(err, syscall.EINTR):
			return 0, err
		}
	}
}
