package jshost

import (
	"strconv"
	"strings"

	"github.com/stdbgo/spacetime/internal/abi"
)

// A Frame is one line of a stack trace.
type Frame struct {
	Function string // empty: it has no name
	Position
	Note string // what kind of frame it is, spec 04 §10.2; nearly always empty
}

const (
	// MaxFrames bounds a backtrace, spec 04 §10.2.
	MaxFrames = 1024
	// Barrier is the name of the function through which packages call user functions: it and what lies below is hidden.
	Barrier = "__spacetimedb_end_short_backtrace"
)

// UserFrames cuts a stack at the barrier and maps it to source files, in place. A host function on top is no frame.
func UserFrames(frames []Frame, o *Origin) []Frame {
	if len(frames) > 0 && frames[0] == (Frame{}) {
		frames = frames[1:]
	}
	for i := range frames {
		if frames[i].Function == Barrier || i == MaxFrames {
			frames = frames[:i]
			break
		}
	}
	for i := range frames {
		frames[i].Position = o.Source(frames[i].Position)
	}
	return frames
}

func (f *Frame) name() string {
	if f.Function == "" {
		return "<anonymous>"
	}
	return f.Function
}

func (f *Frame) place() string {
	if f.File == "" {
		return "<unknown location>"
	}
	return f.File + ":" + strconv.Itoa(f.Line) + ":" + strconv.Itoa(f.Column)
}

// A Thrown is an exception that nobody caught.
type Thrown struct {
	Text   string // "Uncaught Error: …", spec 04 §10.2
	Frames []Frame
}

// Error is the text with the stack.
func (t *Thrown) Error() string {
	var b strings.Builder
	b.WriteString(t.Text)
	for i := range t.Frames {
		f := &t.Frames[i]
		b.WriteString("\n\tat ")
		b.WriteString(f.name())
		b.WriteString(" (")
		b.WriteString(f.place())
		b.WriteString(")")
		b.WriteString(f.Note)
	}
	return b.String()
}

// Record makes a log record of an exception.
func (t *Thrown) Record() abi.LogRecord {
	r := abi.LogRecord{Level: abi.LogPanic, Message: t.Text}
	if len(t.Frames) > 0 {
		r.Filename, r.Line, r.HasLine = t.Frames[0].File, uint32(t.Frames[0].Line), t.Frames[0].File != ""
	}
	r.Trace, r.TraceAt = Trace(t.Frames)
	return r
}

// Trace lists names and places of frames.
func Trace(frames []Frame) (names, places []string) {
	for i := range frames {
		names = append(names, frames[i].name())
		places = append(places, frames[i].place())
	}
	return names, places
}

// An EndError says why and where a call was ended by force.
type EndError struct {
	Thrown
	Trap *abi.Trap // nil: memory
}

func (e *EndError) Unwrap() error {
	if e.Trap == nil {
		return nil
	}
	return e.Trap
}
