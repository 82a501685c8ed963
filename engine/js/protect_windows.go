package js

import "golang.org/x/sys/windows"

func setAccess(s span, access bool) error {
	mode, old := uint32(windows.PAGE_NOACCESS), uint32(0)
	if access {
		mode = windows.PAGE_READWRITE
	}
	return windows.VirtualProtect(s.start, s.size, mode, &old)
}
