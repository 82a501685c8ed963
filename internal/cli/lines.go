package cli

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// maxLine bounds a line of input.
const maxLine = 16 << 20

// A lineReader reads lines of any stream, with or without a last line feed.
type lineReader struct{ r *bufio.Reader }

func newLineReader(r io.Reader) *lineReader { return &lineReader{bufio.NewReader(r)} }

// next returns the next line without its end, and io.EOF after the last one.
func (l *lineReader) next() (string, error) {
	var b strings.Builder
	for {
		part, more, err := l.r.ReadLine()
		if err != nil {
			return "", err
		}
		if b.Len()+len(part) > maxLine {
			return "", errors.New("a line of the input is longer than 16 MiB")
		}
		b.Write(part)
		if !more {
			return b.String(), nil
		}
	}
}
