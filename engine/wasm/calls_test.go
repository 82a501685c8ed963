package wasm

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

func TestPointers(t *testing.T) {
	spec.Covers(t, "03.12")
	g := newGuest(t, abi.KindReducer, personTable)
	// The exact end of memory is fine for nothing at all, one byte further is not.
	g.want(uint32(abi.ErrNoSuchTable), "table_id_from_name", guestMemory, 0, atOut)
	g.want(uint32(abi.ErrNoSuchTable), "table_id_from_name", guestMemory-1, 1, atOut)
	g.wantTrap("table_id_from_name", guestMemory+1, 0, atOut)
	g.wantTrap("table_id_from_name", guestMemory-1, 2, atOut)
	g.wantTrap("table_id_from_name", 0, 0, atOut)
	g.wantTrap("table_id_from_name", 8, 0xffffffff, atOut) // no wrap-around
	g.wantTrap("table_id_from_name", 0xffffffff, 0xffffffff, atOut)
	table := g.tableID("person")
	// The effect has happened when an out-pointer turns out bad.
	g.wantTrap("datastore_table_row_count", table, 0)
	g.wantTrap("datastore_table_row_count", table, guestMemory-7)
	g.wantTrap("datastore_insert_bsatn", table, atIn, 0)
	g.putU32(atOut, 8)
	g.wantTrap("datastore_insert_bsatn", table, guestMemory-7, atOut)
	g.wantTrap("identity", 0)
	g.wantTrap("identity", guestMemory-31)
	g.wantTrap("console_timer_start", 0, 0)
	g.wantTrap("get_jwt", 0, atOut)
	g.wantTrap("volatile_nonatomic_schedule_immediate", atIn, 1, 0, 0)
	// The upper half of an i32 means nothing, so a host must not look at it. Compiled code leaves rubbish there.
	g.want(uint32(abi.ErrNoSuchTable), "table_id_from_name", 0xdeadbeef_00000010, 0xdeadbeef_00000001, atOut)
}

func TestHandleZero(t *testing.T) {
	spec.Covers(t, "03.15")
	g := newGuest(t, abi.KindReducer, personTable)
	g.want(6, "row_iter_bsatn_advance", 0, 0, 0)
	g.want(6, "row_iter_bsatn_close", 0)
	g.want(7, "console_timer_end", 0)
	g.want(8, "bytes_source_read", 0, 0, 0)
	g.want(8, "bytes_source_remaining_length", 0, 0)
	g.want(8, "bytes_sink_write", 0, 0, 0)
	g.want(8, "bytes_sink_write", 12, 0, 0)
}

func TestSources(t *testing.T) {
	spec.Covers(t, "03.16", "03.17", "03.18", "03.19")
	g := newGuest(t, abi.KindReducer, nil)
	if src := g.in.host.AddSource(nil); src != 0 {
		t.Errorf("nothing to read is source %d", src)
	}
	read := func(src uint64, capacity, status uint32, want string) {
		t.Helper()
		g.putU32(atOut, capacity)
		g.want(status, "bytes_source_read", src, atBuf, atOut)
		if got := string(g.bytes(atBuf, g.u32(atOut))); got != want {
			t.Errorf("read %q, want %q", got, want)
		}
	}
	whole := uint64(g.in.host.AddSource([]byte("12345678")))
	if whole != 1 {
		t.Errorf("the first source is %d", whole)
	}
	read(whole, 60000, minusOne, "12345678")
	g.want(8, "bytes_source_read", whole, 0, 0)

	parts := uint64(g.in.host.AddSource([]byte("12345678")))
	remaining := func(n uint32) {
		t.Helper()
		g.want(0, "bytes_source_remaining_length", parts, atOut+8)
		if got := g.u32(atOut + 8); got != n {
			t.Errorf("%d bytes remain, want %d", got, n)
		}
	}
	remaining(8)
	read(parts, 3, 0, "123")
	remaining(5)
	read(parts, 3, 0, "456")
	read(parts, 3, minusOne, "78")
	g.putU32(atOut+8, 77)
	g.want(8, "bytes_source_remaining_length", parts, atOut+8)
	if g.u32(atOut+8) != 77 {
		t.Error("a refused call wrote its result")
	}
	empty := uint64(g.in.host.AddSource([]byte("x")))
	read(empty, 0, 0, "")
	read(empty, 1, minusOne, "x")
}

func TestSinks(t *testing.T) {
	spec.Covers(t, "03.20")
	g := newGuest(t, abi.KindReducer, nil)
	sink := g.in.host.AddSink()
	for _, text := range []string{"some", "thing", ""} {
		p, n := g.put(atIn, []byte(text)...)
		g.putU32(atOut, uint32(n))
		g.want(0, "bytes_sink_write", uint64(sink), p, atOut)
		if g.u32(atOut) != uint32(n) {
			t.Error("the length has changed")
		}
	}
	if got := string(g.in.host.TakeSink(sink)); got != "something" {
		t.Errorf("got %q", got)
	}
	g.want(8, "bytes_sink_write", uint64(sink), atIn, atOut)
}

func TestConsole(t *testing.T) {
	spec.Covers(t, "03.13")
	g := newGuest(t, abi.KindReducer, nil)
	g.s.now = func() sats.Timestamp { return 42 }
	file, fileLen := g.put(atIn2, []byte("lib.rs")...)
	log := func(level uint64, text string) {
		p, n := g.put(atIn, []byte(text)...)
		g.call("console_log", level, 0, 0, file, fileLen, 7, p, n)
	}
	for _, level := range []uint64{0, 1, 2, 3, 4, 101, 5, 100, 256} {
		log(level, "text")
	}
	log(2, "bad \xff\xf0\x9f\x98 text")
	target, targetLen := g.put(atIn3, []byte("mod")...)
	g.call("console_log", 2, target, targetLen, 0, 9, 0xffffffff, atIn, 4)
	want := []abi.LogLevel{abi.LogError, abi.LogWarn, abi.LogInfo, abi.LogDebug, abi.LogTrace, abi.LogPanic, abi.LogDebug, abi.LogDebug,
		abi.LogError, abi.LogInfo, abi.LogInfo}
	if len(g.s.logs) != len(want) {
		t.Fatalf("%d records, want %d", len(g.s.logs), len(want))
	}
	for i, r := range g.s.logs {
		if r.Level != want[i] || r.Function != "probe" || r.Time != 42 {
			t.Errorf("record %d is %+v", i, r)
		}
	}
	if r := g.s.logs[0]; r.Filename != "lib.rs" || !r.HasLine || r.Line != 7 || r.Target != "" || r.Message != "text" {
		t.Errorf("got %+v", r)
	}
	if got := g.s.logs[9].Message; got != "bad \uFFFD\uFFFD text" {
		t.Errorf("got %q", got)
	}
	if r := g.s.logs[10]; r.Filename != "" || r.HasLine || r.Target != "mod" || r.Message != "bad " {
		t.Errorf("got %+v", r)
	}
	// Bad pointers drop the record.
	before := len(g.s.logs)
	for _, args := range [][]uint64{
		{2, guestMemory, 1, 0, 0, 0, atIn, 4},
		{2, 0, 0, guestMemory, 1, 0, atIn, 4},
		{2, 0, 0, 0, 0, 0, guestMemory - 1, 2},
		{2, 0, 0, 0, 0, 0, 0, 0},
	} {
		g.call("console_log", args...)
	}
	if len(g.s.logs) != before {
		t.Errorf("logged %+v", g.s.logs[before:])
	}
}

func TestTimers(t *testing.T) {
	g := newGuest(t, abi.KindReducer, nil)
	now := sats.Timestamp(1000)
	g.s.now = func() sats.Timestamp { return now }
	p, n := g.put(atIn, []byte("a \"b\"\n\x01")...)
	timer := g.call("console_timer_start", p, n)
	now += 2_500_000
	g.want(0, "console_timer_end", uint64(timer))
	g.want(7, "console_timer_end", uint64(timer))
	if r := g.s.logs[0]; r.Level != abi.LogInfo || r.Message != `Timing span "a \"b\"\n\u{1}": 2.5s` || r.Target != "" || r.HasLine {
		t.Errorf("got %+v", r)
	}
}

func TestIdentity(t *testing.T) {
	g := newGuest(t, abi.KindInit, nil)
	g.call("identity", atOut)
	want := g.s.DatabaseIdentity()
	if got := g.bytes(atOut, 32); !bytes.Equal(got, want[:]) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestScheduleImmediate(t *testing.T) {
	g := newGuest(t, abi.KindReducer, nil)
	name, nameLen := g.put(atIn, []byte("tick")...)
	args, argsLen := g.put(atIn2, 'x')
	g.call("volatile_nonatomic_schedule_immediate", name, nameLen, args, argsLen)
	g.call("volatile_nonatomic_schedule_immediate", name, nameLen, args, 0)
	if got := strings.Join(g.s.scheduled, " "); got != "tick(x) tick()" {
		t.Errorf("scheduled %s", got)
	}
	bad, badLen := g.put(atIn3, 0xff)
	g.wantTrap("volatile_nonatomic_schedule_immediate", bad, badLen, args, argsLen)
	g = newGuest(t, abi.KindInit, nil)
	name, nameLen = g.put(atIn, []byte("tick")...)
	g.wantTrap("volatile_nonatomic_schedule_immediate", name, nameLen, name, 0)
}

func TestJWT(t *testing.T) {
	g := newGuest(t, abi.KindReducer, personTable)
	conn := sats.ConnectionID{1, 2, 3}
	g.s.jwts = map[sats.ConnectionID]string{conn: `{"sub":"x"}`, {9}: ""}
	ask := func(c sats.ConnectionID) uint32 {
		p, _ := g.put(atIn, c[:]...)
		g.want(0, "get_jwt", p, atOut)
		return g.u32(atOut)
	}
	src := ask(conn)
	g.putU32(atOut, 100)
	g.want(minusOne, "bytes_source_read", uint64(src), atBuf, atOut)
	if got := string(g.bytes(atBuf, g.u32(atOut))); got != `{"sub":"x"}` {
		t.Errorf("got %q", got)
	}
	for _, c := range []sats.ConnectionID{{}, {9}, {1, 2}} {
		if src := ask(c); src != 0 {
			t.Errorf("%v has source %d", c, src)
		}
	}
}

func TestEnvironment(t *testing.T) {
	spec.Covers(t, "03.62")
	g := newGuest(t, abi.KindReducer, personTable)
	g.want(1, "env_get", 0, 0, 0)   // neither key nor result are looked at
	g.want(1, "env_get", 0, 257, 0) //
	for _, key := range []string{"A=B", "1A", "A B", "Ä", "-"} {
		p, n := g.put(atIn, []byte(key)...)
		g.want(1, "env_get", p, n, atOut)
	}
	p, n := g.put(atIn, []byte("HOME")...)
	g.wantTrap("env_get", p, n, atOut) // not declared
	g.wantTrap("env_get", 0, 4, atOut)
	bad, badLen := g.put(atIn, 'A', 0xff)
	g.wantTrap("env_get", bad, badLen, atOut)

	value, empty := "sweet", ""
	g.s.env = map[string]*string{"HOME": &value, "EMPTY": &empty, "UNSET": nil}
	get := func(key string) uint64 {
		t.Helper()
		p, n := g.put(atIn, []byte(key)...)
		g.want(0, "env_get", p, n, atOut)
		return uint64(g.u32(atOut))
	}
	read := func(src uint64, want string) {
		t.Helper()
		g.putU32(atOut, 100)
		g.want(minusOne, "bytes_source_read", src, atBuf, atOut)
		if got := string(g.bytes(atBuf, g.u32(atOut))); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	read(get("HOME"), value)
	if src := get("UNSET"); src != 0 {
		t.Errorf("a variable without a value has the source %d", src)
	}
	src := get("EMPTY")
	if src == 0 {
		t.Fatal("an empty value has no source")
	}
	g.want(0, "bytes_source_remaining_length", src, atOut)
	if n := g.u32(atOut); n != 0 {
		t.Errorf("%d bytes remain of an empty value", n)
	}
	read(src, "")
	for range 255 {
		get("HOME")
	}
	src = get("EMPTY") // the 256th
	p, n = g.put(atIn, []byte("HOME")...)
	g.putU32(atOut, 77)
	g.want(9, "env_get", p, n, atOut)
	if g.u32(atOut) != 77 {
		t.Error("a refused call wrote its result")
	}
	read(src, "")
	get("HOME")

	g = newGuest(t, abi.KindInit, nil)
	p, n = g.put(atIn, []byte("HOME")...)
	g.wantTrap("env_get", p, n, atOut)
}

func TestProcedureFunctionsInReducers(t *testing.T) {
	spec.Covers(t, "03.54")
	for _, kind := range []abi.Kind{abi.KindReducer, abi.KindView} {
		g := newGuest(t, kind, personTable)
		g.want(17, "procedure_start_mut_tx", atOut)
		g.want(18, "procedure_commit_mut_tx")
		g.want(18, "procedure_abort_mut_tx")
		g.wantTrap("procedure_sleep_until", 0)
		g.wantTrap("procedure_http_request", atIn, 1, atIn2, 0, atOut)
	}
	g := newGuest(t, abi.KindInit, nil)
	g.wantTrap("procedure_start_mut_tx", atOut)
	g.want(18, "procedure_commit_mut_tx")
	g.want(18, "procedure_abort_mut_tx")
	g.wantTrap("procedure_sleep_until", 0)
}

// What a reducer is called with, spec 03 §8.2.
func TestArgumentWords(t *testing.T) {
	spec.Covers(t, "03.36")
	sender, err := sats.ParseIdentity("c200000000000000000000000000000000000000000000000000000000000001")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := sats.ParseConnectionID("0102030405060708090a0b0c0d0e0f10")
	if err != nil {
		t.Fatal(err)
	}
	s := newServices()
	in := instantiate(t, loadFile(t, "testdata/echo.wasm", abi.Limits{}), s)
	call := &abi.ReducerCall{ID: 5, Name: "echo", Sender: sender, Conn: conn, Time: 1_700_000_000_000_000, Args: []byte("hello")}
	for range 2 { // handles start from 1 in every call
		out := in.CallReducer(t.Context(), call)
		want := "\x05\x00\x00\x00" + // id
			"\x01\x00\x00\x00\x00\x00\x00\x00" + strings.Repeat("\x00", 16) + "\x00\x00\x00\x00\x00\x00\x00\xc2" +
			"\x10\x0f\x0e\x0d\x0c\x0b\x0a\x09" + "\x08\x07\x06\x05\x04\x03\x02\x01" +
			"\x00\x40\x1e\x18\x24\x0a\x06\x00" + // 1 700 000 000 000 000
			"\x01\x00\x00\x00" + "\x01\x00\x00\x00" + "hello"
		if out.Status != abi.StatusUserError || out.Message != abi.ValidText([]byte(want)) {
			t.Errorf("got %v %q, want %q", out.Status, out.Message, want)
		}
	}
	call.Args = nil
	if out := in.CallReducer(t.Context(), call); !strings.HasSuffix(out.Message, "\x00\x00\x00\x00\x01\x00\x00\x00") {
		t.Errorf("without arguments: %q", out.Message)
	}
}
