package model

import (
	"bytes"
	"fmt"
	"strings"
)

// A Text is a source file in the making: lines with indentation. The zero
// value is empty and indents by two blanks.
type Text struct {
	Indent string // one level; "": two blanks
	buf    bytes.Buffer
	depth  int
}

// Linef writes one line at the current depth; an empty one stays empty. The
// text may hold line ends: every line is indented.
func (t *Text) Linef(format string, args ...any) {
	s := format
	if len(args) > 0 {
		s = fmt.Sprintf(format, args...)
	}
	unit := t.Indent
	if unit == "" {
		unit = "  "
	}
	for line := range strings.SplitSeq(s, "\n") {
		if line != "" {
			for range t.depth {
				t.buf.WriteString(unit)
			}
			t.buf.WriteString(line)
		}
		t.buf.WriteByte('\n')
	}
}

// Blank writes an empty line.
func (t *Text) Blank() { t.buf.WriteByte('\n') }

// In indents the following lines one level more.
func (t *Text) In() { t.depth++ }

// Out indents the following lines one level less.
func (t *Text) Out() { t.depth-- }

// Block writes the line open, what body writes one level deeper, and the line
// end.
func (t *Text) Block(open, end string, body func()) {
	t.Linef("%s", open)
	t.In()
	body()
	t.Out()
	t.Linef("%s", end)
}

// Bytes returns what was written.
func (t *Text) Bytes() []byte { return t.buf.Bytes() }

// Len returns the number of bytes written.
func (t *Text) Len() int { return t.buf.Len() }

// Append adds what was written to another text, as it is.
func (t *Text) Append(o *Text) { t.buf.Write(o.buf.Bytes()) }
