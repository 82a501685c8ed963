package wasm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/spec"
)

func TestWASIAnswers(t *testing.T) {
	spec.Covers(t, "03.57")
	g := newGuest(t, abi.KindReducer, nil)
	for _, c := range []struct {
		want uint32
		name string
		args []uint64
	}{
		{0, "environ_get", []uint64{atIn, atIn}},
		{0, "sched_yield", nil},
		{0, "fd_close", []uint64{2}},
		{8, "fd_close", []uint64{3}},
		{0, "fd_fdstat_set_flags", []uint64{1, 4}},
		{8, "fd_fdstat_set_flags", []uint64{9, 4}},
		{8, "fd_prestat_get", []uint64{3, atOut}},
		{8, "fd_prestat_dir_name", []uint64{3, atOut, 9}},
		{70, "fd_seek", []uint64{1, 0, 0, atOut}},
		{70, "fd_tell", []uint64{0, atOut}},
		{8, "fd_tell", []uint64{3, atOut}},
		{0, "fd_sync", []uint64{1}},
		{0, "fd_datasync", []uint64{1}},
		{8, "fd_pread", []uint64{0, atIn, 1, 0, atOut}},
		{44, "path_open", []uint64{3, 0, atIn, 4, 0, 0, 0, 0, atOut}},
		{76, "path_open", []uint64{3, 0, atIn, 4, 1, 0, 0, 0, atOut}},
		{44, "path_filestat_get", []uint64{3, 0, atIn, 4, atOut}},
		{44, "path_readlink", []uint64{3, atIn, 4, atIn, 4, atOut}},
		{76, "path_create_directory", []uint64{3, atIn, 4}},
		{76, "path_unlink_file", []uint64{3, atIn, 4}},
		{76, "path_rename", []uint64{3, atIn, 4, 3, atIn, 4}},
		{58, "sock_accept", []uint64{3, 0, atOut}},
		{58, "sock_shutdown", []uint64{3, 0}},
		{28, "clock_res_get", []uint64{2, atOut}},
		{28, "clock_time_get", []uint64{3, 0, atOut}},
		{21, "clock_time_get", []uint64{0, 0, guestMemory - 7}}, // a bad pointer is no trap here
		{21, "fd_write", []uint64{1, guestMemory, 1, atOut}},
		{21, "random_get", []uint64{guestMemory - 1, 2}},
		{21, "args_get", []uint64{guestMemory, 0}},
		{8, "fd_write", []uint64{0, atIn, 0, atOut}},
		{8, "fd_read", []uint64{1, atIn, 0, atOut}},
		{28, "poll_oneoff", []uint64{atIn, atBuf, 0, atOut}},
		{21, "poll_oneoff", []uint64{atIn, atBuf, 0xffffffff, atOut}},
	} {
		g.want(c.want, c.name, c.args...)
	}
	g.want(0, "environ_sizes_get", atOut, atOut+4)
	if g.u64(atOut) != 0 {
		t.Error("there is an environment")
	}
	g.want(0, "args_sizes_get", atOut, atOut+4)
	if n, size := g.u32(atOut), g.u32(atOut+4); n != 1 || size != 10 {
		t.Errorf("%d arguments of %d bytes", n, size)
	}
	g.want(0, "args_get", atOut, atIn)
	if got := g.bytes(atIn, 10); g.u32(atOut) != atIn || string(got) != "stdb.wasm\x00" {
		t.Errorf("argument %q", got)
	}
	g.want(0, "clock_res_get", 1, atOut)
	if g.u64(atOut) != 1000 {
		t.Errorf("resolution %d", g.u64(atOut))
	}
	for fd, rights := range []uint64{2, 64, 64} {
		g.want(0, "fd_fdstat_get", uint64(fd), atOut)
		want := binary.LittleEndian.AppendUint64([]byte{2, 0, 0, 0, 0, 0, 0, 0}, rights)
		if got := g.bytes(atOut, 24); !bytes.Equal(got, append(want, make([]byte, 8)...)) {
			t.Errorf("fd %d: %v", fd, got)
		}
	}
	g.want(8, "fd_fdstat_get", 3, atOut)
	g.want(0, "fd_filestat_get", 1, atOut)
	if got := g.bytes(atOut, 64); got[16] != 2 {
		t.Errorf("got %v", got)
	}
	g.putU32(atOut, 9)
	g.want(0, "fd_read", 0, atIn, 0, atOut)
	if g.u32(atOut) != 0 {
		t.Error("standard input has something")
	}
	g.wantTrap("proc_exit", 0)
	g.wantTrap("proc_raise", 9)
}

func (g *guest) clock(id uint64) uint64 {
	g.t.Helper()
	g.want(0, "clock_time_get", id, 0, atOut)
	return g.u64(atOut)
}

// A subscription in the layout of poll_oneoff.
func pollClock(user uint64, id uint32, timeout uint64, absolute bool) []byte {
	b := binary.LittleEndian.AppendUint64(nil, user)
	b = binary.LittleEndian.AppendUint64(b, 0)
	b = binary.LittleEndian.AppendUint64(b, uint64(id))
	b = binary.LittleEndian.AppendUint64(b, timeout)
	b = binary.LittleEndian.AppendUint64(b, 0)
	flags := uint64(0)
	if absolute {
		flags = 1
	}
	return binary.LittleEndian.AppendUint64(b, flags)
}

func pollFile(user uint64, tag byte, fd uint32) []byte {
	b := make([]byte, 48)
	binary.LittleEndian.PutUint64(b, user)
	b[8] = tag
	binary.LittleEndian.PutUint32(b[16:], fd)
	return b
}

// poll returns userdata, errno, type and flags of the events.
func (g *guest) poll(subs ...[]byte) (events [][4]uint64) {
	g.t.Helper()
	g.put(atIn, bytes.Join(subs, nil)...)
	g.want(0, "poll_oneoff", atIn, atBuf, uint64(len(subs)), atOut)
	for i := range g.u32(atOut) {
		e := g.bytes(atBuf+32*i, 32)
		events = append(events, [4]uint64{binary.LittleEndian.Uint64(e), uint64(binary.LittleEndian.Uint16(e[8:])), uint64(e[10]),
			uint64(binary.LittleEndian.Uint16(e[24:]))})
	}
	return events
}

func TestClocks(t *testing.T) {
	g := newGuest(t, abi.KindReducer, nil)
	real, mono := g.clock(0), g.clock(1)
	if real != 1_700_000_000_000_000_000 || mono < 1_000_000_000 {
		t.Errorf("clocks start at %d and %d", real, mono)
	}
	start := time.Now()
	const s, ms = 1_000_000_000, 1_000_000
	if got := g.poll(pollClock(7, 1, 20*s, false), pollClock(8, 1, 900*s, false)); !slices.Equal(got, [][4]uint64{{7, 0, 0, 0}}) {
		t.Errorf("events %v", got)
	}
	if got := g.poll(pollClock(1, 0, real+50*s, true), pollClock(2, 1, mono+50*s, true)); len(got) != 2 {
		t.Errorf("events %v", got)
	}
	if r, m := g.clock(0), g.clock(1); r != real+50*s || m != mono+50*s {
		t.Errorf("clocks moved by %d and %d", r-real, m-mono)
	}
	if got := g.poll(pollClock(3, 1, 5, true)); len(got) != 1 { // long past
		t.Errorf("events %v", got)
	}
	if g.clock(1) != mono+50*s {
		t.Error("a time in the past moved the clock")
	}
	// Files are ready at once, and then nobody sleeps.
	got := g.poll(pollClock(1, 1, 10*ms, false), pollFile(2, 1, 0), pollFile(3, 2, 1), pollFile(4, 1, 5))
	if !slices.Equal(got, [][4]uint64{{2, 0, 1, 1}, {3, 0, 2, 0}, {4, 8, 1, 0}}) || g.clock(1) != mono+50*s {
		t.Errorf("events %v", got)
	}
	if waited := time.Since(start); waited > 40*time.Second {
		t.Errorf("sleeping took %v of real time", waited)
	}
	// The next call starts at its own time; the monotonic clock never goes back.
	g.in.end()
	g.begin(abi.Call{Kind: abi.KindReducer, Function: "probe", Time: 1000})
	if r, m := g.clock(0), g.clock(1); r != 1_000_000 || m != mono+50*s {
		t.Errorf("clocks are %d and %d", r, m-mono)
	}
	// A minute of sleep is all that a call gets.
	g.poll(pollClock(1, 1, 59_000*ms, false))
	g.put(atIn, pollClock(1, 1, 2_000*ms, false)...)
	g.wantTrap("poll_oneoff", atIn, atBuf, 1, atOut)
	g.put(atIn, pollClock(1, 1, 1<<64-1, false)...)
	g.wantTrap("poll_oneoff", atIn, atBuf, 1, atOut)
	g = newGuest(t, abi.KindInit, nil)
	if g.clock(0) != 0 {
		t.Error("there is wall-clock time during initialisation")
	}
}

func TestRandomness(t *testing.T) {
	spec.Covers(t, "03.60")
	s := newServices()
	p := loadFile(t, "testdata/imports.wasm", abi.Limits{})
	draw := func(call abi.Call, n ...int) string {
		g := &guest{t: t, in: instantiate(t, p, s), s: s}
		g.begin(call)
		defer g.in.end()
		var all []byte
		for _, n := range n {
			g.want(0, "random_get", atBuf, uint64(n))
			all = append(all, g.bytes(atBuf, uint32(n))...)
		}
		return string(all)
	}
	call := abi.Call{Kind: abi.KindReducer, ID: 3, Function: "f", Time: 77}
	first := draw(call, 100)
	if again := draw(call, 1, 30, 69); again != first {
		t.Error("the same call on another instance draws other bytes")
	}
	seen := map[string]bool{first: true, strings.Repeat("\x00", 100): true}
	for _, change := range []func(c *abi.Call){
		func(c *abi.Call) { c.Time++ },
		func(c *abi.Call) { c.ID++ },
		func(c *abi.Call) { c.Kind = abi.KindView },
		func(c *abi.Call) { c.Sender[5]++ },
		func(c *abi.Call) { c.Conn[3]++ },
	} {
		other := call
		change(&other)
		if got := draw(other, 100); seen[got] {
			t.Errorf("%+v draws the same bytes", other)
		} else {
			seen[got] = true
		}
	}
	s.secret++
	if seen[draw(call, 100)] {
		t.Error("the secret does not matter")
	}
	// Instances differ in what they draw at their start.
	one, two := draw(abi.Call{}, 32), draw(abi.Call{}, 32)
	if one == two {
		t.Error("two instances start with the same bytes")
	}
}

func (g *guest) write(fd uint64, parts ...string) {
	g.t.Helper()
	at, total := uint32(atIn2), uint32(0)
	var vectors []byte
	for _, p := range parts {
		g.put(at, []byte(p)...)
		vectors = binary.LittleEndian.AppendUint32(vectors, at)
		vectors = binary.LittleEndian.AppendUint32(vectors, uint32(len(p)))
		at += uint32(len(p))
		total += uint32(len(p))
	}
	g.put(atIn, vectors...)
	g.want(0, "fd_write", fd, atIn, uint64(len(parts)), atOut)
	if got := g.u32(atOut); got != total {
		g.t.Errorf("wrote %d bytes of %d", got, total)
	}
}

func (g *guest) wantLogs(want ...string) {
	g.t.Helper()
	var got []string
	for _, r := range g.s.logs {
		if r.Target != "wasi" || r.HasLine || r.Filename != "" {
			g.t.Errorf("record %+v", r)
		}
		got = append(got, r.Level.String()+" "+r.Message)
	}
	if !slices.Equal(got, want) {
		g.t.Errorf("logged %q, want %q", got, want)
	}
	g.s.logs = nil
}

func TestStandardStreams(t *testing.T) {
	spec.Covers(t, "03.58")
	g := newGuest(t, abi.KindReducer, nil)
	g.write(1, "one ", "line")
	g.wantLogs()
	g.write(1, " in parts\r\nnext")
	g.wantLogs("Info one line in parts")
	g.write(2, "oh\n\n\nno\n")
	g.wantLogs("Warn oh", "Warn no")
	g.write(1, "\n")
	g.wantLogs("Info next")
	g.write(2, strings.Repeat("x", 16384)+"y\n")
	g.wantLogs("Warn "+strings.Repeat("x", 16384), "Warn y")
	g.write(1, "unfinished")
	g.in.end()
	g.wantLogs("Info unfinished")
	g.begin(abi.Call{Kind: abi.KindReducer, Function: "probe"})
}

func TestPanicOnStandardError(t *testing.T) {
	g := newGuest(t, abi.KindReducer, nil)
	g.write(2, "starting\n", "panic: ", "out of tea", "\n", "\ngoroutine 1 [running]:\npanic: again\n")
	g.s.logs = nil
	g.in.trapped(&abi.Trap{Msg: "x"})
	g.wantLogs("Panic out of tea")
	g.in.end()
	g.begin(abi.Call{Kind: abi.KindReducer, Function: "probe"})
	g.write(2, "panic: no tea [recovered]\n\tand no cake\n\tpanic: no milk\n[signal 0xb]\n\ngoroutine 1 [running]:\nmain.f()\n")
	g.s.logs = nil
	out := g.in.trapped(errors.New("wasm error: unreachable (recovered by wazero)\nwasm stack trace:\n\t.$7()"))
	g.wantLogs("Panic no tea [recovered]\nand no cake\npanic: no milk")
	if got := abi.ReasonOf(out.Err); got != "panic: no tea [recovered]\nand no cake\npanic: no milk" {
		t.Errorf("a caller is told %q", got)
	}
	g.in.end()
	g.begin(abi.Call{Kind: abi.KindReducer, Function: "probe"})
	out = g.in.trapped(errors.New("wasm error: unreachable (recovered by wazero)\nwasm stack trace:\n\t.$7()"))
	if got := abi.ReasonOf(out.Err); got != "wasm error: unreachable" {
		t.Errorf("a caller is told %q", got)
	}
	if !strings.Contains(out.Err.Error(), "$7") {
		t.Errorf("the log is told %q", out.Err)
	}
	g.in.end()
	g.begin(abi.Call{Kind: abi.KindReducer, Function: "probe"})
	g.write(2, "fatal error: all goroutines are asleep - deadlock!")
	g.in.trapped(&abi.Trap{Msg: "x"})
	g.wantLogs("Warn fatal error: all goroutines are asleep - deadlock!", "Panic fatal error: all goroutines are asleep - deadlock!")
	g.in.end()
	g.begin(abi.Call{Kind: abi.KindReducer, Function: "probe"})
	g.in.trapped(&abi.Trap{Msg: "x"}) // nothing was written in this call
	g.wantLogs()
}
