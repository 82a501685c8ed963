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

// await returns the line that next gives, or errInterrupted if the program is to end
// first. Nothing can stop a read: it goes on until the process ends, which is soon.
func (r *run) await(next func() (string, error)) (string, error) {
	type read struct {
		line string
		err  error
	}
	got := make(chan read, 1)
	go func() {
		line, err := next()
		got <- read{line, err}
	}()
	select {
	case in := <-got:
		return in.line, in.err
	case <-r.done:
		return "", errInterrupted
	}
}

// stdin is the standard input, whose reads Ctrl-C ends.
func (r *run) stdin() io.Reader {
	return readerFunc(func(b []byte) (int, error) {
		text, err := r.await(func() (string, error) {
			own := make([]byte, len(b)) // a read that goes on must not write into b
			n, err := r.Stdin.Read(own)
			return string(own[:n]), err
		})
		return copy(b, text), err
	})
}

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
