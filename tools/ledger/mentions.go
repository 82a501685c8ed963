package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/internal/spec"
)

// mentions holds who speaks about an item: tests that prove it, or reasons why
// it cannot be proven.
type mentions map[string][]string

func (m mentions) add(item, who string) {
	if !slices.Contains(m[item], who) {
		m[item] = append(m[item], who)
	}
}

func (m mentions) sorted() []string {
	return slices.SortedFunc(maps.Keys(m), compareItems)
}

// addLedger reads what spec.Covers wrote: an item and a test's name per line.
func (m mentions) addLedger(name, text string) error {
	for i, line := range numbered(text) {
		item, test, ok := strings.Cut(line, " ")
		if !ok || !spec.ValidItem(item) {
			return fmt.Errorf("%s:%d: %q is not an item and a test", name, i, line)
		}
		m.add(item, test)
	}
	return nil
}

// covers matches a line of a test's log. Test runners put marks before it.
var covers = regexp.MustCompile(`^[^\w]*covers: *(.*)$`)

// addLog reads the "covers:" lines of a log and ignores all others.
func (m mentions) addLog(name, text string) error {
	for i, line := range numbered(text) {
		found := covers.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		for _, item := range strings.FieldsFunc(found[1], isSeparator) {
			if !spec.ValidItem(item) {
				return fmt.Errorf("%s:%d: %q is no item; want chapter.number, like 05.23", name, i, item)
			}
			m.add(item, filepath.Base(name))
		}
	}
	return nil
}

// The table of excuses in docs/compat.md stands between two comments.
const (
	excusesBegin = "<!-- ledger: items that cannot be proven here -->"
	excusesEnd   = "<!-- ledger: end -->"
)

// addExcuses reads the table: items in the first column, the reason in the
// second. The first two lines of a table are its heading.
func (m mentions) addExcuses(name, text string) error {
	inside, closed, row := false, false, 0
	for i, line := range numbered(text) {
		switch {
		case line == excusesBegin:
			inside = true
			continue
		case line == excusesEnd:
			inside, closed = false, true
			continue
		case !inside || !strings.HasPrefix(line, "|"):
			continue
		}
		if row++; row <= 2 {
			continue
		}
		cells := strings.SplitN(strings.Trim(line, "| "), "|", 2)
		if len(cells) != 2 || strings.TrimSpace(cells[1]) == "" {
			return fmt.Errorf("%s:%d: an excused item needs a reason", name, i)
		}
		for _, item := range strings.FieldsFunc(cells[0], isSeparator) {
			if !spec.ValidItem(item) {
				return fmt.Errorf("%s:%d: %q is no item; want chapter.number, like 05.23", name, i, item)
			}
			m.add(item, strings.TrimSpace(cells[1]))
		}
	}
	if !closed {
		return fmt.Errorf("%s: the table of excused items is missing: it begins with the line %s and ends with %s", name, excusesBegin, excusesEnd)
	}
	return nil
}

func isSeparator(r rune) bool { return r == ' ' || r == ',' || r == '\t' }

// numbered yields the lines of text that are not blank, without blanks around
// them, and their numbers.
func numbered(text string) func(yield func(int, string) bool) {
	return func(yield func(int, string) bool) {
		i := 0
		for line := range strings.Lines(text) {
			i++
			if line = strings.TrimSpace(line); line != "" && !yield(i, line) {
				return
			}
		}
	}
}
