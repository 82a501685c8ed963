package wasm

import (
	"encoding/binary"

	"github.com/stdbgo/spacetime/internal/abi"
)

// WASI error numbers of spec 03 §17.3.
const (
	wasiOK         = 0
	wasiBadFile    = 8
	wasiFault      = 21
	wasiInvalid    = 28
	wasiNoEntry    = 44
	wasiNotSupp    = 58
	wasiPipe       = 70
	wasiNotCapable = 76
)

// programName is argv[0] of every module.
const programName = "stdb.wasm\x00"

// wasi is the state behind the WASI functions of one instance.
type wasi struct {
	in      *instance
	clock   clock
	random  random
	streams [2]stream // fd 1 and 2
	panicky string    // what a panic of this call says on fd 2: from the first line that looks like one
	saying  bool      // more of that may come
}

func (w *wasi) start(in *instance) {
	w.in = in
	w.clock.in, w.clock.mono = in, 1_000_000_000
	w.random.in = in
}

func (w *wasi) begin(call abi.Call) {
	w.clock.begin(call)
	w.random.cipher = nil // the next bytes need a new key
	w.panicky, w.saying = "", false
}

// wasiFunctions lists the 46 functions of preview 1. Their types are part of what links.
func wasiFunctions() []function {
	w := func(name, params string, call func(in *instance, s []uint64) uint32) function {
		return function{name, funcType(params + ":i"), func(in *instance, s []uint64) { s[0] = uint64(call(in, s)) }}
	}
	always := func(errno uint32) func(*instance, []uint64) uint32 {
		return func(*instance, []uint64) uint32 { return errno }
	}
	standard := func(errno uint32) func(*instance, []uint64) uint32 { // errno for fd 0 to 2
		return func(_ *instance, s []uint64) uint32 {
			if uint32(s[0]) > 2 {
				return wasiBadFile
			}
			return errno
		}
	}
	badFile, notCapable, noEntry, notSupp := always(wasiBadFile), always(wasiNotCapable), always(wasiNoEntry), always(wasiNotSupp)
	return []function{
		w("args_get", "ii", argsGet),
		w("args_sizes_get", "ii", sizes(1, uint32(len(programName)))),
		w("environ_get", "ii", always(wasiOK)),
		w("environ_sizes_get", "ii", sizes(0, 0)),
		w("clock_res_get", "ii", clockResGet),
		w("clock_time_get", "iIi", clockTimeGet),
		w("fd_advise", "iIIi", badFile),
		w("fd_allocate", "iII", badFile),
		w("fd_close", "i", standard(wasiOK)),
		w("fd_datasync", "i", standard(wasiOK)),
		w("fd_fdstat_get", "ii", fdStatGet),
		w("fd_fdstat_set_flags", "ii", standard(wasiOK)),
		w("fd_fdstat_set_rights", "iII", badFile),
		w("fd_filestat_get", "ii", fileStatGet),
		w("fd_filestat_set_size", "iI", badFile),
		w("fd_filestat_set_times", "iIIi", badFile),
		w("fd_pread", "iiiIi", badFile),
		w("fd_prestat_get", "ii", badFile),
		w("fd_prestat_dir_name", "iii", badFile),
		w("fd_pwrite", "iiiIi", badFile),
		w("fd_read", "iiii", fdRead),
		w("fd_readdir", "iiiIi", badFile),
		w("fd_renumber", "ii", badFile),
		w("fd_seek", "iIii", standard(wasiPipe)),
		w("fd_sync", "i", standard(wasiOK)),
		w("fd_tell", "ii", standard(wasiPipe)),
		w("fd_write", "iiii", fdWrite),
		w("path_create_directory", "iii", notCapable),
		w("path_filestat_get", "iiiii", noEntry),
		w("path_filestat_set_times", "iiiiIIi", notCapable),
		w("path_link", "iiiiiii", notCapable),
		w("path_open", "iiiiiIIii", pathOpen),
		w("path_readlink", "iiiiii", noEntry),
		w("path_remove_directory", "iii", notCapable),
		w("path_rename", "iiiiii", notCapable),
		w("path_symlink", "iiiii", notCapable),
		w("path_unlink_file", "iii", notCapable),
		w("poll_oneoff", "iiii", pollOneoff),
		{"proc_exit", funcType("i"), procExit},
		w("proc_raise", "i", procRaise),
		w("random_get", "ii", randomGet),
		w("sched_yield", "", always(wasiOK)),
		w("sock_accept", "iii", notSupp),
		w("sock_recv", "iiiiii", notSupp),
		w("sock_send", "iiiii", notSupp),
		w("sock_shutdown", "ii", notSupp),
	}
}

// In WASI a bad pointer is an error, not a trap, and null is a pointer like others.

func (in *instance) wasiPut32(ptr uint64, v uint32) bool { return in.mem.WriteUint32Le(uint32(ptr), v) }

func (in *instance) wasiPut64(ptr uint64, v uint64) bool { return in.mem.WriteUint64Le(uint32(ptr), v) }

// sizes answers with two numbers.
func sizes(count, bytes uint32) func(*instance, []uint64) uint32 {
	return func(in *instance, s []uint64) uint32 {
		if !in.wasiPut32(s[0], count) || !in.wasiPut32(s[1], bytes) {
			return wasiFault
		}
		return wasiOK
	}
}

func argsGet(in *instance, s []uint64) uint32 {
	if !in.wasiPut32(s[0], uint32(s[1])) || !in.mem.WriteString(uint32(s[1]), programName) {
		return wasiFault
	}
	return wasiOK
}

const (
	characterDevice = 2
	rightRead       = 1 << 1
	rightWrite      = 1 << 6
)

func fdStatGet(in *instance, s []uint64) uint32 {
	fd := uint32(s[0])
	if fd > 2 {
		return wasiBadFile
	}
	b, ok := in.mem.Read(uint32(s[1]), 24)
	if !ok {
		return wasiFault
	}
	clear(b)
	b[0] = characterDevice
	rights := uint64(rightWrite)
	if fd == 0 {
		rights = rightRead
	}
	binary.LittleEndian.PutUint64(b[8:], rights)
	return wasiOK
}

func fileStatGet(in *instance, s []uint64) uint32 {
	if uint32(s[0]) > 2 {
		return wasiBadFile
	}
	b, ok := in.mem.Read(uint32(s[1]), 64)
	if !ok {
		return wasiFault
	}
	clear(b)
	b[16] = characterDevice
	return wasiOK
}

// fdRead finds the end of standard input at once.
func fdRead(in *instance, s []uint64) uint32 {
	if uint32(s[0]) != 0 {
		return wasiBadFile
	}
	if !in.wasiPut32(s[3], 0) {
		return wasiFault
	}
	return wasiOK
}

func pathOpen(_ *instance, s []uint64) uint32 {
	const create = 1
	if uint32(s[4])&create != 0 {
		return wasiNotCapable
	}
	return wasiNoEntry
}

// procExit ends the call, whatever the code: a reducer is no program that could succeed by exiting.
func procExit(_ *instance, s []uint64) { abi.Fault("proc_exit(%d)", int32(s[0])) }

func procRaise(_ *instance, s []uint64) uint32 {
	abi.Fault("proc_raise(%d)", int32(s[0]))
	return 0
}
