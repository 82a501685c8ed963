package js

import (
	"strconv"
	"strings"

	lib "modernc.org/libquickjs"

	"github.com/stdbgo/spacetime/engine/internal/jshost"
)

// parseStack reads the engine's text of a stack, innermost frame first, as positions in the compiled text. Frames of native
// functions have no file.
func parseStack(text string) (frames []jshost.Frame) {
	for line := range strings.Lines(text) {
		line, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "    at ")
		if !ok {
			continue
		}
		f := jshost.Frame{Function: line}
		if i := strings.LastIndex(line, " ("); i >= 0 && strings.HasSuffix(line, ")") {
			f.Function = line[:i]
			f.Position = parsePosition(line[i+2 : len(line)-1])
		} else if p := parsePosition(line); p.Line > 0 { // of a syntax error
			f = jshost.Frame{Position: p}
		}
		if f.Function == "<anonymous>" {
			f.Function = ""
		}
		frames = append(frames, f)
	}
	return frames
}

// parsePosition reads "file:line:column".
func parsePosition(s string) jshost.Position {
	if s == "native" {
		return jshost.Position{}
	}
	rest, column := cutNumber(s)
	file, line := cutNumber(rest)
	if file == rest { // "file:line"
		return jshost.Position{File: rest, Line: column}
	}
	return jshost.Position{File: file, Line: line, Column: column}
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

// describe makes a thrown of an exception value, which it frees. Converting it may run user code.
func (m *vm) describe(v value, o *jshost.Origin) *jshost.Thrown {
	defer m.drop(v)
	t := &jshost.Thrown{Text: "Uncaught exception"}
	if text, ok := m.goString(v); ok {
		t.Text = "Uncaught " + text
	} else {
		m.discardException()
	}
	if lib.XJS_IsError(m.tls, m.ctx, v) != 0 {
		stack := m.property(v, "stack")
		if isString(stack) {
			text, _ := m.goString(stack)
			t.Frames = jshost.UserFrames(m.withoutConstructors(v, parseStack(text)), o)
		}
		m.drop(stack)
		m.discardException()
	}
	return t
}

// maxClasses bounds the chain of classes that an exception may have.
const maxClasses = 16

// withoutConstructors removes from a stack the constructors that ran to make the exception e.
func (m *vm) withoutConstructors(e value, frames []jshost.Frame) []jshost.Frame {
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
	for len(frames) > 0 && frames[0].Function != "" && names[frames[0].Function] {
		frames = frames[1:]
	}
	return frames
}

// exceptionText describes the pending exception.
func (m *vm) exceptionText(o *jshost.Origin) string {
	return m.describe(lib.XJS_GetException(m.tls, m.ctx), o).Error()
}

// stack returns the running frames, innermost first, as positions in the compiled text.
func (m *vm) stack() []jshost.Frame {
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
