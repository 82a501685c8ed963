package js

import (
	"strconv"
	"strings"

	lib "modernc.org/libquickjs"

	"github.com/stdbgo/spacetime/internal/abi"
)

// A frame is one line of a stack trace.
type frame struct {
	function string
	position
}

const (
	// maxFrames bounds a backtrace, spec 04 §10.2.
	maxFrames = 1024
	// barrier is the name of the function through which packages call user functions: it and what lies below is hidden.
	barrier = "__spacetimedb_end_short_backtrace"
)

// parseStack reads the engine's text of a stack, innermost frame first, as positions in the compiled text. Frames of native
// functions have no file.
func parseStack(text string) (frames []frame) {
	for line := range strings.Lines(text) {
		line, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "    at ")
		if !ok {
			continue
		}
		f := frame{function: line}
		if i := strings.LastIndex(line, " ("); i >= 0 && strings.HasSuffix(line, ")") {
			f.function = line[:i]
			f.position = parsePosition(line[i+2 : len(line)-1])
		} else if p := parsePosition(line); p.line > 0 { // of a syntax error
			f = frame{position: p}
		}
		if f.function == "<anonymous>" {
			f.function = ""
		}
		frames = append(frames, f)
	}
	return frames
}

// parsePosition reads "file:line:column".
func parsePosition(s string) position {
	if s == "native" {
		return position{}
	}
	rest, column := cutNumber(s)
	file, line := cutNumber(rest)
	if file == rest { // "file:line"
		return position{rest, column, 0}
	}
	return position{file, line, column}
}

// cutNumber takes ":number" from the end of s.
func cutNumber(s string) (string, int) {
	i := strings.LastIndexByte(s, ':')
	n, err := strconv.Atoi(s[i+1:])
	if i < 0 || err != nil {
		return s, 0
	}
	return s[:i], n
}

// userFrames cuts a stack at the barrier and maps it to source files. A host function on top is no frame.
func userFrames(frames []frame, o *origin) []frame {
	if len(frames) > 0 && frames[0] == (frame{}) {
		frames = frames[1:]
	}
	for i := range frames {
		if frames[i].function == barrier || i == maxFrames {
			frames = frames[:i]
			break
		}
	}
	for i := range frames {
		frames[i].position = o.source(frames[i].position)
	}
	return frames
}

func (f *frame) name() string {
	if f.function == "" {
		return "<anonymous>"
	}
	return f.function
}

func (f *frame) place() string {
	if f.file == "" {
		return "<unknown location>"
	}
	return f.file + ":" + strconv.Itoa(f.line) + ":" + strconv.Itoa(f.column)
}

// A thrown is an exception that nobody caught.
type thrown struct {
	text   string // "Uncaught Error: …", spec 04 §10.2
	frames []frame
}

// Error is the text with the stack.
func (t *thrown) Error() string {
	var b strings.Builder
	b.WriteString(t.text)
	for i := range t.frames {
		f := &t.frames[i]
		b.WriteString("\n\tat ")
		b.WriteString(f.name())
		b.WriteString(" (")
		b.WriteString(f.place())
		b.WriteString(")")
	}
	return b.String()
}

// record makes a log record of an exception.
func (t *thrown) record() abi.LogRecord {
	r := abi.LogRecord{Level: abi.LogPanic, Message: t.text}
	if len(t.frames) > 0 {
		r.Filename, r.Line, r.HasLine = t.frames[0].file, uint32(t.frames[0].line), t.frames[0].file != ""
	}
	r.Trace, r.TraceAt = trace(t.frames)
	return r
}

// trace lists names and places of frames.
func trace(frames []frame) (names, places []string) {
	for i := range frames {
		names = append(names, frames[i].name())
		places = append(places, frames[i].place())
	}
	return names, places
}

// describe makes a thrown of an exception value, which it frees. Converting it may run user code.
func (m *vm) describe(v value, o *origin) *thrown {
	defer m.drop(v)
	t := &thrown{text: "Uncaught exception"}
	if text, ok := m.goString(v); ok {
		t.text = "Uncaught " + text
	} else {
		m.discardException()
	}
	if lib.XJS_IsError(m.tls, m.ctx, v) != 0 {
		stack := m.property(v, "stack")
		if isString(stack) {
			text, _ := m.goString(stack)
			t.frames = userFrames(m.withoutConstructors(v, parseStack(text)), o)
		}
		m.drop(stack)
		m.discardException()
	}
	return t
}

// maxClasses bounds the chain of classes that an exception may have.
const maxClasses = 16

// withoutConstructors removes from a stack the constructors that ran to make the exception e.
func (m *vm) withoutConstructors(e value, frames []frame) []frame {
	class := m.property(e, "constructor")
	names := make(map[string]bool)
	for i := 0; i < maxClasses && lib.XJS_IsFunction(m.tls, m.ctx, class) != 0; i++ {
		name := m.property(class, "name")
		if isString(name) {
			text, _ := m.goString(name)
			names[text] = true
		}
		m.drop(name)
		parent := lib.XJS_GetPrototype(m.tls, m.ctx, class)
		m.drop(class)
		class = parent
	}
	m.drop(class)
	for len(frames) > 0 && frames[0].function != "" && names[frames[0].function] {
		frames = frames[1:]
	}
	return frames
}

// exceptionText describes the pending exception.
func (m *vm) exceptionText(o *origin) string {
	return m.describe(lib.XJS_GetException(m.tls, m.ctx), o).Error()
}

// stack returns the running frames, innermost first, as positions in the compiled text.
func (m *vm) stack() []frame {
	e := m.construct(m.plainError, 0)
	if isException(e) {
		m.discardException()
		return nil
	}
	defer m.drop(e)
	stack := m.property(e, "stack")
	defer m.drop(stack)
	text, ok := m.goString(stack)
	if !ok {
		m.discardException()
	}
	return parseStack(text)
}
