//go:build unix

package js

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

func setAccess(s span, access bool) error {
	mode := unix.PROT_NONE
	if access {
		mode = unix.PROT_READ | unix.PROT_WRITE
	}
	return unix.Mprotect(unsafe.Slice((*byte)(at(s.start)), s.size), mode)
}
