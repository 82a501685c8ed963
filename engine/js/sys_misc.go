package js

import (
	"github.com/stdbgo/spacetime/engine/internal/jshost"
	"github.com/stdbgo/spacetime/internal/abi"
)

func sysIdentity(in *instance, _ args) (value, abi.Errno) {
	id := in.host.Identity()
	return in.wide(id[:]), abi.OK
}

// sysIdentityObject answers {__identity__}, as version 1 has it.
func sysIdentityObject(in *instance, a args) (value, abi.Errno) {
	id, e := sysIdentity(in, a)
	if isException(id) {
		return id, e
	}
	return in.sealed(property{"__identity__", id}), abi.OK
}

func sysScheduleImmediate(in *instance, a args) (value, abi.Errno) {
	name, ok := a.str(0)
	if !ok {
		return exception, abi.OK
	}
	args, ok := a.bytes(1)
	if !ok {
		return exception, abi.OK
	}
	in.host.ScheduleImmediate(name, args)
	return undefined, abi.OK
}

// sysConsoleLog logs with the place of the caller's caller: the user function that called console.log (spec 04 §10.1).
func sysConsoleLog(in *instance, a args) (value, abi.Errno) {
	level, ok := a.u32(0)
	if !ok {
		return exception, abi.OK
	}
	message, ok := a.str(1)
	if !ok {
		return exception, abi.OK
	}
	rec := abi.LogRecord{Level: abi.Level(uint8(level)), Message: message}
	frames := in.scriptFrames()
	if len(frames) > 0 {
		p := in.p.origin.Published(frames[min(1, len(frames)-1)].Position)
		rec.Filename, rec.Line, rec.HasLine = p.File, uint32(p.Line), true
	}
	if rec.Level == abi.LogPanic {
		rec.Trace, rec.TraceAt = jshost.Trace(jshost.UserFrames(frames, &in.p.origin))
	}
	in.host.Log(rec)
	return undefined, abi.OK
}

// scriptFrames is the stack without native functions, of which the running host function is one.
func (in *instance) scriptFrames() []jshost.Frame {
	frames := in.stack()
	kept := frames[:0]
	for _, f := range frames {
		if f.File != "" {
			kept = append(kept, f)
		}
	}
	return kept
}

func sysTimerStart(in *instance, a args) (value, abi.Errno) {
	name, ok := a.str(0)
	if !ok {
		return exception, abi.OK
	}
	return uint32Value(in.host.TimerStart(name)), abi.OK
}

func sysTimerEnd(in *instance, a args) (value, abi.Errno) {
	id, ok := a.u32(0)
	if !ok {
		return exception, abi.OK
	}
	return undefined, in.host.TimerEnd(id)
}

func sysJWT(in *instance, a args) (value, abi.Errno) {
	conn, ok := a.connection(0)
	if !ok {
		return exception, abi.OK
	}
	source, e := in.host.GetJWT(conn)
	if e != abi.OK {
		return undefined, e
	}
	return in.newBytes(in.readSource(source)), abi.OK
}

// readSource empties a byte source of the host; 0 is an empty one.
func (in *instance) readSource(source uint32) []byte {
	if source == 0 {
		return nil
	}
	n, _ := in.host.SourceRemaining(source)
	b := make([]byte, n)
	in.host.SourceRead(source, b)
	return b
}
