package cli

import (
	"errors"
	"os"
	"strings"
)

// maxHistory is how many statements the history keeps, maxHistoryFile how large a
// file is read.
const (
	maxHistory     = 1000
	maxHistoryFile = 16 << 20
)

// historyHeader is the first line of a history file; the original's shell writes
// the same. Line breaks in an entry are written as \n, backslashes as \\.
const historyHeader = "#V2"

// A history is what has been typed in the shell, oldest first. It implements the
// line editor's History.
type history struct {
	path    string
	entries []string
	err     error // why nothing was read
	foreign bool  // the file is not ours to write
}

func openHistory(path string) *history {
	h := &history{path: path}
	text, err := os.ReadFile(path)
	if err != nil {
		h.err = err
		h.foreign = !errors.Is(err, os.ErrNotExist)
		return h
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(text) > maxHistoryFile || len(text) > 0 && lines[0] != historyHeader {
		h.foreign, h.err = true, errors.New("the file has another form")
		return h
	}
	for _, line := range lines[1:] {
		h.add(unescapeHistory(line))
	}
	return h
}

func (h *history) add(entry string) {
	if strings.TrimSpace(entry) == "" || len(h.entries) > 0 && h.entries[len(h.entries)-1] == entry {
		return
	}
	h.entries = append(h.entries, entry)
	if n := len(h.entries) - maxHistory; n > 0 {
		h.entries = append([]string(nil), h.entries[n:]...)
	}
}

// save writes the file. A history is no data: errors are ignored.
func (h *history) save() {
	if h.foreign || len(h.entries) == 0 {
		return
	}
	var b strings.Builder
	b.WriteString(historyHeader + "\n")
	for _, e := range h.entries {
		b.WriteString(escapeHistory(e) + "\n")
	}
	_ = writePrivate(h.path, b.String())
}

func escapeHistory(s string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(s)
}

func unescapeHistory(s string) string {
	return strings.NewReplacer(`\\`, `\`, `\n`, "\n").Replace(s)
}

// Write adds an entry.
func (h *history) Write(entry string) (int, error) {
	h.add(entry)
	return len(h.entries), nil
}

// GetLine returns an entry, the oldest for 0.
func (h *history) GetLine(i int) (string, error) {
	if i < 0 || i >= len(h.entries) {
		return "", errors.New("no such entry in the history")
	}
	return h.entries[i], nil
}

// Len is the number of entries.
func (h *history) Len() int { return len(h.entries) }

// Dump returns the entries.
func (h *history) Dump() any { return h.entries }
