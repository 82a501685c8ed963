package spec

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A fakeT stands for a test whose end the real test decides.
type fakeT struct {
	testing.TB
	failed, skipped bool
	cleanups        []func()
}

// stop is what fakeT's Fatal panics with.
type stop struct{}

func (f *fakeT) Helper()               {}
func (f *fakeT) Name() string          { return "TestFake" }
func (f *fakeT) Failed() bool          { return f.failed }
func (f *fakeT) Skipped() bool         { return f.skipped }
func (f *fakeT) Cleanup(c func())      { f.cleanups = append(f.cleanups, c) }
func (f *fakeT) Errorf(string, ...any) { f.failed = true }
func (f *fakeT) Fatalf(string, ...any) { f.failed = true; panic(stop{}) }
func (f *fakeT) Fatal(...any)          { f.failed = true; panic(stop{}) }

func (f *fakeT) finish() {
	for _, c := range f.cleanups {
		c()
	}
}

// ledger sets the environment and returns a function that reads the file.
func ledger(t *testing.T) (read func() string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ledger")
	t.Setenv(LedgerVariable, file)
	return func() string {
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return string(text)
	}
}

func TestCovers(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*fakeT)
		want string
	}{
		{"passed", func(*fakeT) {}, "05.23 TestFake\n07.101 TestFake\n"},
		{"failed", func(f *fakeT) { f.failed = true }, ""},
		{"skipped", func(f *fakeT) { f.skipped = true }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			read := ledger(t)
			var f fakeT
			Covers(&f, "05.23", "07.101")
			if got := read(); got != "" {
				t.Errorf("before the end of the test the ledger has %q", got)
			}
			tt.end(&f)
			f.finish()
			if got := read(); got != tt.want {
				t.Errorf("ledger = %q; want %q", got, tt.want)
			}
		})
	}
}

func TestCoversAppends(t *testing.T) {
	read := ledger(t)
	for range 2 {
		var f fakeT
		Covers(&f, "01.1")
		f.finish()
	}
	if got, want := read(), strings.Repeat("01.1 TestFake\n", 2); got != want {
		t.Errorf("ledger = %q; want %q", got, want)
	}
}

func TestCoversWithoutLedger(t *testing.T) {
	t.Setenv(LedgerVariable, "")
	var f fakeT
	Covers(&f, "01.1")
	if len(f.cleanups) != 0 || f.failed {
		t.Errorf("%d cleanups, failed %v; want nothing done", len(f.cleanups), f.failed)
	}
}

func TestCoversUnwritable(t *testing.T) {
	t.Setenv(LedgerVariable, t.TempDir())
	var f fakeT
	Covers(&f, "01.1")
	f.finish()
	if !f.failed {
		t.Error("a ledger that cannot be written went unnoticed")
	}
}

func TestForm(t *testing.T) {
	for _, items := range [][]string{
		{}, {""}, {"5.23"}, {"05"}, {"05."}, {"05.0"}, {"05.01"}, {"05.x"}, {"x5.1"}, {"04b.1"}, {"05.1234"}, {"05.-1"}, {"05.1", "05.2 "},
	} {
		var f fakeT
		func() {
			defer func() {
				if r := recover(); r != nil && r != any(stop{}) {
					panic(r)
				}
			}()
			Covers(&f, items...)
		}()
		if !f.failed {
			t.Errorf("Covers(%q) was accepted", items)
		}
	}
}
