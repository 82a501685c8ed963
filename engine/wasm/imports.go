package wasm

import (
	"context"
	"math"
	"time"
	"unicode/utf8"

	"github.com/tetratelabs/wazero/api"

	"github.com/stdbgo/spacetime/engine/wasm/internal/meter"
	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/sats"
)

// A function is one import that the host provides. call finds the arguments in s and puts the result into s[0]. The upper
// half of an i32 argument means nothing.
type function struct {
	name string
	typ  meter.FuncType
	call func(in *instance, s []uint64)
}

func (f function) goFunction() api.GoModuleFunc {
	call := f.call
	if f.name == meter.RefillName { // not a function of the module's
		return func(ctx context.Context, mod api.Module, s []uint64) { call(instanceOf(ctx, mod), s) }
	}
	return func(ctx context.Context, mod api.Module, s []uint64) {
		in := instanceOf(ctx, mod)
		if !in.host.Timed() {
			call(in, s)
			return
		}
		start := time.Now()
		call(in, s)
		in.host.Took(time.Since(start))
	}
}

func valueTypes(list []meter.ValueType) []api.ValueType {
	types := make([]api.ValueType, len(list))
	for i, v := range list {
		types[i] = api.ValueType(v) // both are the binary form
	}
	return types
}

// hostModules lists all imports by module. Each function stands under its own version only (spec 03 §2.3, §4).
func hostModules() map[string][]function { return modules }

var modules = map[string][]function{
	meter.RefillModule: {{meter.RefillName, meter.RefillType, func(in *instance, s []uint64) {
		s[0] = uint64(in.fuel.refill(int64(s[0])))
	}}},
	"spacetime_10.0": {
		{"table_id_from_name", funcType("iii:i"), tableIDFromName},
		{"index_id_from_name", funcType("iii:i"), indexIDFromName},
		{"datastore_table_row_count", funcType("ii:i"), rowCount},
		{"datastore_table_scan_bsatn", funcType("ii:i"), tableScan},
		{"datastore_index_scan_range_bsatn", funcType("iiiiiiiii:i"), scanRange},
		{"datastore_btree_scan_bsatn", funcType("iiiiiiiii:i"), scanRange},
		{"row_iter_bsatn_advance", funcType("iii:i"), iterAdvance},
		{"row_iter_bsatn_close", funcType("i:i"), iterClose},
		{"datastore_insert_bsatn", funcType("iii:i"), insert},
		{"datastore_update_bsatn", funcType("iiii:i"), update},
		{"datastore_delete_by_index_scan_range_bsatn", funcType("iiiiiiiii:i"), deleteRange},
		{"datastore_delete_by_btree_scan_bsatn", funcType("iiiiiiiii:i"), deleteRange},
		{"datastore_delete_all_by_eq_bsatn", funcType("iiii:i"), deleteAllByEq},
		{"bytes_source_read", funcType("iii:i"), sourceRead},
		{"bytes_sink_write", funcType("iii:i"), sinkWrite},
		{"console_log", funcType("iiiiiiii"), consoleLog},
		{"console_timer_start", funcType("ii:i"), timerStart},
		{"console_timer_end", funcType("i:i"), timerEnd},
		{"identity", funcType("i"), identity},
		{"volatile_nonatomic_schedule_immediate", funcType("iiii"), scheduleImmediate},
	},
	"spacetime_10.1": {{"bytes_source_remaining_length", funcType("ii:i"), sourceRemaining}},
	"spacetime_10.2": {{"get_jwt", funcType("ii:i"), getJWT}},
	"spacetime_10.3": {
		{"procedure_sleep_until", funcType("I:I"), sleepUntil},
		{"procedure_start_mut_tx", funcType("i:i"), startTx},
		{"procedure_commit_mut_tx", funcType(":i"), commitTx},
		{"procedure_abort_mut_tx", funcType(":i"), abortTx},
		{"procedure_http_request", funcType("iiiii:i"), httpRequest},
	},
	"spacetime_10.4": {
		{"datastore_index_scan_point_bsatn", funcType("iiii:i"), scanPoint},
		{"datastore_delete_by_index_scan_point_bsatn", funcType("iiii:i"), deletePoint},
	},
	"spacetime_10.5":         {{"datastore_clear", funcType("ii:i"), clearTable}},
	"spacetime_10.6":         {{"env_get", funcType("iii:i"), envGet}},
	"wasi_snapshot_preview1": wasiFunctions(),
}

// hostFunction is the type of an import, if the host provides it.
func hostFunction(module, name string) (meter.FuncType, bool) {
	for _, f := range modules[module] {
		if f.name == name && module != meter.RefillModule {
			return f.typ, true
		}
	}
	return meter.FuncType{}, false
}

// minusOne is the status of a stream that has ended.
const minusOne = math.MaxUint32

// name reads a string that must be UTF-8.
func (in *instance) name(ptr, size uint64) string {
	b := in.view(uint32(ptr), uint32(size))
	if !utf8.Valid(b) {
		abi.Fault("the module passed a name that is not UTF-8")
	}
	return string(b)
}

// status puts the result of a function with an u32 out-parameter, which is written on success only.
func (in *instance) status(s []uint64, out uint64, v uint32, e abi.Errno) {
	if e == abi.OK {
		in.putU32(uint32(out), v)
	}
	s[0] = uint64(e)
}

func tableIDFromName(in *instance, s []uint64) {
	id, e := in.host.TableIDFromName(in.name(s[0], s[1]))
	in.status(s, s[2], id, e)
}

func indexIDFromName(in *instance, s []uint64) {
	id, e := in.host.IndexIDFromName(in.name(s[0], s[1]))
	in.status(s, s[2], id, e)
}

func rowCount(in *instance, s []uint64) {
	n, e := in.host.RowCount(uint32(s[0]))
	if e == abi.OK {
		in.putU64(uint32(s[1]), n)
	}
	s[0] = uint64(e)
}

func tableScan(in *instance, s []uint64) {
	it, e := in.host.TableScan(uint32(s[0]))
	in.status(s, s[1], it, e)
}

func scanPoint(in *instance, s []uint64) {
	it, e := in.host.ScanPoint(uint32(s[0]), in.view(uint32(s[1]), uint32(s[2])))
	in.status(s, s[3], it, e)
}

func deletePoint(in *instance, s []uint64) {
	n, e := in.host.DeleteByPoint(uint32(s[0]), in.view(uint32(s[1]), uint32(s[2])))
	in.status(s, s[3], n, e)
}

// rangeArg reads the arguments of the functions on ranges. The prefix is not looked at if it has no columns.
func (in *instance) rangeArg(s []uint64) (a abi.RangeArg) {
	n := uint32(s[3])
	if n > math.MaxUint16 {
		abi.Fault("the module passed %d prefix columns", n)
	}
	if n > 0 {
		a.Prefix = in.view(uint32(s[1]), uint32(s[2]))
	}
	a.PrefixElems = int(n)
	a.Start = in.view(uint32(s[4]), uint32(s[5]))
	a.End = in.view(uint32(s[6]), uint32(s[7]))
	return a
}

func scanRange(in *instance, s []uint64) {
	it, e := in.host.ScanRange(uint32(s[0]), in.rangeArg(s))
	in.status(s, s[8], it, e)
}

func deleteRange(in *instance, s []uint64) {
	n, e := in.host.DeleteByRange(uint32(s[0]), in.rangeArg(s))
	in.status(s, s[8], n, e)
}

func iterAdvance(in *instance, s []uint64) {
	it, length := uint32(s[0]), uint32(s[2])
	if !in.host.HasIter(it) {
		s[0] = uint64(abi.ErrNoSuchIter)
		return
	}
	n, exhausted, needed, e := in.host.IterAdvance(it, in.view(uint32(s[1]), in.u32(length)))
	switch {
	case e == abi.ErrBufferTooSmall:
		in.putU32(length, uint32(needed))
	case e == abi.OK:
		in.putU32(length, uint32(n))
	}
	s[0] = uint64(e)
	if exhausted {
		s[0] = minusOne
	}
}

func iterClose(in *instance, s []uint64) { s[0] = uint64(in.host.IterClose(uint32(s[0]))) }

func insert(in *instance, s []uint64) {
	length := uint32(s[2])
	row := in.view(uint32(s[1]), in.u32(length))
	generated, e := in.host.Insert(uint32(s[0]), row)
	in.writeBack(s, row, length, generated, e)
}

func update(in *instance, s []uint64) {
	length := uint32(s[3])
	row := in.view(uint32(s[2]), in.u32(length))
	generated, e := in.host.Update(uint32(s[0]), uint32(s[1]), row)
	in.writeBack(s, row, length, generated, e)
}

// writeBack puts generated columns at the front of the row's buffer. They stood in the row, so they fit.
func (in *instance) writeBack(s []uint64, row []byte, length uint32, generated []byte, e abi.Errno) {
	if e == abi.OK {
		copy(row, generated)
		in.putU32(length, uint32(len(generated)))
	}
	s[0] = uint64(e)
}

func deleteAllByEq(in *instance, s []uint64) {
	n, e := in.host.DeleteAllByEq(uint32(s[0]), in.view(uint32(s[1]), uint32(s[2])))
	in.status(s, s[3], n, e)
}

func clearTable(in *instance, s []uint64) {
	n, e := in.host.Clear(uint32(s[0]))
	if e == abi.OK {
		in.putU64(uint32(s[1]), n)
	}
	s[0] = uint64(e)
}

func sourceRead(in *instance, s []uint64) {
	src, length := uint32(s[0]), uint32(s[2])
	if !in.host.HasSource(src) {
		s[0] = uint64(abi.ErrNoSuchBytes)
		return
	}
	n, exhausted, e := in.host.SourceRead(src, in.view(uint32(s[1]), in.u32(length)))
	in.putU32(length, uint32(n))
	s[0] = uint64(e)
	if exhausted {
		s[0] = minusOne
	}
}

func sourceRemaining(in *instance, s []uint64) {
	n, e := in.host.SourceRemaining(uint32(s[0]))
	in.status(s, s[1], n, e)
}

// sinkWrite leaves the length as it is: all bytes were taken.
func sinkWrite(in *instance, s []uint64) {
	sink := uint32(s[0])
	if !in.host.HasSink(sink) {
		s[0] = uint64(abi.ErrNoSuchBytes)
		return
	}
	s[0] = uint64(in.host.SinkWrite(sink, in.view(uint32(s[1]), in.u32(uint32(s[2])))))
}

// consoleLog never traps: a bad range drops the record.
func consoleLog(in *instance, s []uint64) {
	rec := abi.LogRecord{Level: abi.Level(uint8(s[0]))}
	var ok bool
	if rec.Target, ok = in.optionalText(s[1], s[2]); !ok {
		return
	}
	if rec.Filename, ok = in.optionalText(s[3], s[4]); !ok {
		return
	}
	if line := uint32(s[5]); line != math.MaxUint32 {
		rec.Line, rec.HasLine = line, true
	}
	if uint32(s[6]) == 0 {
		return
	}
	if rec.Message, ok = in.optionalText(s[6], s[7]); ok {
		in.host.Log(rec)
	}
}

// optionalText reads a text that may be absent (null). It reports false for a bad range.
func (in *instance) optionalText(ptr, size uint64) (string, bool) {
	if uint32(ptr) == 0 {
		return "", true
	}
	b, ok := in.mem.Read(uint32(ptr), uint32(size))
	return abi.ValidText(b), ok
}

func timerStart(in *instance, s []uint64) {
	name := in.view(uint32(s[0]), uint32(s[1]))
	s[0] = uint64(in.host.TimerStart(abi.ValidText(name)))
}

func timerEnd(in *instance, s []uint64) { s[0] = uint64(in.host.TimerEnd(uint32(s[0]))) }

func identity(in *instance, s []uint64) {
	id := in.host.Identity()
	copy(in.view(uint32(s[0]), uint32(len(id))), id[:])
}

func scheduleImmediate(in *instance, s []uint64) {
	name := in.name(s[0], s[1])
	in.host.ScheduleImmediate(name, in.view(uint32(s[2]), uint32(s[3])))
}

func getJWT(in *instance, s []uint64) {
	conn := sats.ConnectionID(in.view(uint32(s[0]), 16))
	src, e := in.host.GetJWT(conn)
	in.status(s, s[1], src, e)
}

func envGet(in *instance, s []uint64) {
	n := uint32(s[1])
	if n == 0 || n > abi.MaxEnvKey {
		s[0] = uint64(abi.ErrHostCallFailure)
		return
	}
	src, e := in.host.EnvGet(in.name(s[0], uint64(n)))
	in.status(s, s[2], src, e)
}
