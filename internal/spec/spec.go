// Package spec lets a test say which items of the specification it proves.
//
// The chapters in docs/spec end in numbered conformance checklists. A test that
// would fail without item 23 of chapter 05 calls Covers(t, "05.23"). Only tests
// that passed in this run are written down; tools/ledger counts them. The
// package knows neither the chapters nor their numbers; it checks the form.
package spec

import (
	"os"
	"strings"
	"testing"
)

// LedgerVariable names the environment variable that holds the path of the file
// to which proven items are appended. While it is empty nothing is written.
const LedgerVariable = "SPEC_LEDGER"

// Covers records, once t has passed, that it proves the items; each is a chapter
// of two digits, a point and a number, like "05.23". A test that fails or is
// skipped proves nothing.
//
// Call it first in a test: cleanups run in reverse order, so that a failure in
// a later one is seen.
func Covers(t testing.TB, items ...string) {
	t.Helper()
	if len(items) == 0 {
		t.Fatal("spec.Covers: no items")
	}
	for _, item := range items {
		if !ValidItem(item) {
			t.Fatalf("spec.Covers: %q is no item; want chapter.number, like 05.23", item)
		}
	}
	file := os.Getenv(LedgerVariable)
	if file == "" {
		return
	}
	t.Cleanup(func() {
		if t.Failed() || t.Skipped() {
			return
		}
		if err := record(file, t.Name(), items); err != nil {
			t.Errorf("spec.Covers: %v", err)
		}
	})
}

// ValidItem reports whether s has the form of an item.
func ValidItem(s string) bool {
	chapter, number, ok := strings.Cut(s, ".")
	return ok && len(chapter) == 2 && digits(chapter) && len(number) <= 3 && digits(number) && number[0] != '0'
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// record appends one line per item in a single write, so that tests of several
// processes may share the file.
func record(file, test string, items []string) error {
	var b strings.Builder
	for _, item := range items {
		b.WriteString(item + " " + test + "\n")
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(b.String()); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
