// Package source writes generated source text: indented lines, and patterns with
// named holes. It promises "\n" line ends and no blanks at the end of a line. It
// must not know any target language.
package source

import (
	"fmt"
	"strings"
)

// A Writer collects lines of source text. The zero value is not usable; see New.
type Writer struct {
	b      strings.Builder
	indent string
	depth  int
}

// New returns a Writer that indents with indent.
func New(indent string) *Writer { return &Writer{indent: indent} }

// Line writes one line, formatted like fmt.Sprintf if there are arguments.
func (w *Writer) Line(format string, args ...any) {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	if format = strings.TrimRight(format, " \t"); format != "" {
		for range w.depth {
			w.b.WriteString(w.indent)
		}
		w.b.WriteString(format)
	}
	w.b.WriteByte('\n')
}

// Open writes one line and indents what follows.
func (w *Writer) Open(format string, args ...any) {
	w.Line(format, args...)
	w.depth++
}

// Close ends the indentation of an Open and writes one line.
func (w *Writer) Close(format string, args ...any) {
	w.depth--
	w.Line(format, args...)
}

// Put writes the lines of a pattern. Every ‹name› in it is replaced by the value
// that follows name in pairs. A line break at the
// start of the pattern is left out, so that it can begin on a line of its own.
func (w *Writer) Put(pattern string, pairs ...string) {
	text := Fill(strings.TrimPrefix(pattern, "\n"), pairs...)
	for line := range strings.Lines(text) {
		w.Line("%s", strings.TrimSuffix(line, "\n"))
	}
}

// Bytes returns the text.
func (w *Writer) Bytes() []byte { return []byte(w.b.String()) }

// Fill replaces every ‹name› in pattern by the value that follows name in pairs.
// A name that pairs lack is a mistake of the generator and panics.
func Fill(pattern string, pairs ...string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(pattern, "‹")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, _ := strings.Cut(rest, "›")
		b.WriteString(value(name, pairs))
		pattern = after
	}
}

func value(name string, pairs []string) string {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == name {
			return pairs[i+1]
		}
	}
	panic("source: nothing fills ‹" + name + "›")
}

// Indent changes the indentation of what follows by some levels.
func (w *Writer) Indent(levels int) { w.depth += levels }
