package wasm

import (
	"bytes"
	"strings"

	"github.com/stdbgo/spacetime/internal/abi"
)

// maxLine is where a line is logged although it has not ended.
const maxLine = 16384

// wasiTarget is the target of log records made from standard output and standard error.
const wasiTarget = "wasi"

// A stream collects the line that is being written. Go writes panics in fragments of a few bytes.
type stream struct{ line []byte }

// fdWrite turns what is written to standard output and error into log records.
func fdWrite(in *instance, s []uint64) uint32 {
	fd := uint32(s[0])
	if fd != 1 && fd != 2 {
		return wasiBadFile
	}
	vectors := uint32(s[2])
	total := uint32(0)
	for i := range vectors {
		at := uint64(uint32(s[1])) + 8*uint64(i)
		if at > maxMemory {
			return wasiFault
		}
		ptr, ok1 := in.mem.ReadUint32Le(uint32(at))
		size, ok2 := in.mem.ReadUint32Le(uint32(at) + 4)
		if !ok1 || !ok2 {
			return wasiFault
		}
		b, ok := in.mem.Read(ptr, size)
		if !ok {
			return wasiFault
		}
		in.fuel.Spend(8 + uint64(size)/4)
		in.wasi.write(fd, b)
		total += size
	}
	if !in.wasiPut32(s[3], total) {
		return wasiFault
	}
	return wasiOK
}

func (w *wasi) write(fd uint32, b []byte) {
	st := &w.streams[fd-1]
	for len(b) > 0 {
		n := bytes.IndexByte(b, '\n')
		part, rest := b, b[len(b):]
		if n >= 0 {
			part, rest = b[:n], b[n+1:]
		}
		if room := maxLine - len(st.line); len(part) >= room {
			part, rest, n = b[:room], b[room:], 0 // full: logged as it is
		}
		st.line = append(st.line, part...)
		b = rest
		if n >= 0 {
			w.emit(fd)
		}
	}
}

// emit logs the line of a stream.
func (w *wasi) emit(fd uint32) {
	st := &w.streams[fd-1]
	text := abi.ValidText(bytes.TrimSuffix(st.line, []byte{'\r'}))
	st.line = st.line[:0]
	if fd == 2 {
		w.listen(text)
	}
	if text == "" {
		return
	}
	level := abi.LogInfo
	if fd == 2 {
		level = abi.LogWarn
	}
	w.in.host.Log(abi.LogRecord{Level: level, Target: wasiTarget, Message: text})
}

// listen takes down what a panic says: its lines up to the trace. Lines of a value after the first are indented by a tab.
func (w *wasi) listen(line string) {
	switch {
	case w.saying:
		w.saying = line != "" && !strings.HasPrefix(line, "goroutine ") && !strings.HasPrefix(line, "[signal ") && len(w.panicky) < maxLine
		if w.saying {
			w.panicky += "\n" + strings.TrimPrefix(line, "\t")
		}
	case w.panicky == "" && (strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ")):
		w.panicky, w.saying = line, true
	}
}

// flush logs unfinished lines at the end of a call.
func (w *wasi) flush() {
	for fd := range w.streams {
		if len(w.streams[fd].line) > 0 {
			w.emit(uint32(fd + 1))
		}
	}
}

// trapped logs a panic that the module wrote to standard error as a Panic record, as other languages have one. It returns what the
// panic said.
func (w *wasi) trapped() (said string) {
	w.flush()
	said = w.panicky
	if said == "" {
		return ""
	}
	w.in.host.Log(abi.LogRecord{Level: abi.LogPanic, Target: wasiTarget, Message: strings.TrimPrefix(w.panicky, "panic: ")})
	w.panicky, w.saying = "", false
	return said
}
