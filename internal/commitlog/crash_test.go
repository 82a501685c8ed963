package commitlog

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/vfs"
)

// A workload opens a log, appends groups of records of various sizes and waits
// after some, reopens it now and then, and stops at the first error. It tells
// what was appended and how much of it was reported durable.
type workload struct {
	fsys     *vfs.Mem
	opts     Options
	appended [][]byte
	durable  Offset
}

func (w *workload) run(rng *rand.Rand, rounds int) error {
	for range rounds {
		l, err := Open(w.opts)
		if err != nil {
			return err
		}
		if l.Next() < w.durable {
			l.Close()
			return errors.New("durable transactions are gone")
		}
		w.appended = w.appended[:l.Next()] // others were never promised
		w.durable = l.Durable()
		err = w.fill(l, rng)
		w.durable = max(w.durable, l.Durable())
		if err := errors.Join(err, l.Close()); err != nil {
			w.durable = max(w.durable, l.Durable())
			return err
		}
		w.durable = l.Durable()
	}
	return nil
}

func (w *workload) fill(l *Log, rng *rand.Rand) error {
	for range 4 {
		group := make([][]byte, 1+rng.IntN(3))
		for i := range group {
			group[i] = testRecord(len(w.appended)+i, 8+rng.IntN(1200))
		}
		appendGroup(l, group...)
		w.appended = append(w.appended, group...)
		if rng.IntN(4) > 0 {
			if err := l.WaitDurable(context.Background(), l.Next()-1); err != nil {
				return err
			}
			w.durable = l.Durable()
		}
	}
	return nil
}

// check opens what a crash left and compares it with what was promised.
func (w *workload) check(t interface{ Fatalf(string, ...any) }, fsys *vfs.Mem, durable Offset) {
	o := w.opts
	o.FS = fsys
	l, err := Open(o)
	if err != nil {
		t.Fatalf("Open after the crash: %v", err)
	}
	defer l.Close()
	got, err := replayed(l, 0)
	if err != nil {
		t.Fatalf("Replay after the crash: %v", err)
	}
	if Offset(len(got)) != l.Next() || Offset(len(got)) < durable || len(got) > len(w.appended) {
		t.Fatalf("%d transactions after the crash; %d were durable, %d appended", len(got), durable, len(w.appended))
	}
	for i, r := range got {
		if string(r) != string(w.appended[i]) {
			t.Fatalf("transaction %d differs after the crash", i)
		}
	}
	again := testRecord(len(got), 99)
	if _, err := l.Append(again); err != nil {
		t.Fatalf("Append after the crash: %v", err)
	}
	if err := l.WaitDurable(context.Background(), l.Next()-1); err != nil {
		t.Fatalf("WaitDurable after the crash: %v", err)
	}
}

func newWorkload(segment int64) *workload {
	fsys := vfs.NewMem()
	o := testOptions(fsys)
	o.MaxSegmentBytes = segment
	return &workload{fsys: fsys, opts: o}
}

// The power fails before every single operation on the disk, each time with
// other luck for what was not synced.
func TestPowerCutAtEveryOperation(t *testing.T) {
	spec.Covers(t, "08.46")
	cuts := 0
	for seed := range uint64(12) {
		for n := 0; ; n++ {
			w := newWorkload(2500)
			calls, luck := 0, rand.New(rand.NewPCG(seed, uint64(n)))
			var crashed *vfs.Mem
			stop := errors.New("power cut")
			w.fsys.SetHook(func(op vfs.Op, _ string) error {
				if !op.Changes() {
					return nil
				}
				if calls++; calls-1 == n {
					crashed = w.fsys.CrashClone(luck)
				}
				if calls > n {
					return stop // nothing happens after the cut
				}
				return nil
			})
			err := w.run(rand.New(rand.NewPCG(seed, 77)), 3)
			if crashed == nil {
				must(t, err)
				break
			}
			cuts++
			if !errors.Is(err, stop) {
				t.Fatalf("seed %d operation %d: %v", seed, n, err)
			}
			w.check(t, crashed, w.durable)
		}
	}
	if cuts < 500 {
		t.Errorf("only %d power cuts", cuts)
	}
}

// Every single operation on the disk fails once: with an error, after half of a
// write, or because the disk is full. The log reports it and survives both
// reopening as it is and a power cut after reopening.
func TestFailureOfEveryOperation(t *testing.T) {
	spec.Covers(t, "08.55")
	for seed := range uint64(9) {
		for n := 0; ; n++ {
			w := newWorkload(2500)
			calls, failed, opening := 0, vfs.Op(""), ""
			injected := []error{errors.New("input/output error"), vfs.ShortWrite{N: int(seed) * 13, Err: errors.New("half")}, vfs.ErrDiskFull}[seed%3]
			w.fsys.SetHook(func(op vfs.Op, name string) error {
				if calls++; calls-1 == n {
					failed, opening = op, name
					return injected
				}
				return nil
			})
			err := w.run(rand.New(rand.NewPCG(seed, 78)), 3)
			w.fsys.SetHook(nil)
			if failed == "" {
				must(t, err)
				break
			}
			// Only space written ahead may be missing without a word.
			if err == nil && failed != vfs.OpWrite {
				t.Fatalf("seed %d: failure of operation %d (%s %s) is not reported", seed, n, failed, opening)
			}
			w.check(t, w.fsys.CrashClone(nil), w.durable)
			l, err := Open(w.opts)
			if err != nil {
				t.Fatalf("seed %d: Open after failure of operation %d (%s %s): %v", seed, n, failed, opening, err)
			}
			w.appended = append(w.appended[:l.Next()], testRecord(n, 40))
			before := w.fsys.CrashClone(rand.New(rand.NewPCG(seed, uint64(n))))
			w.check(t, before, max(l.Durable(), w.durable))
			appendAll(t, l, w.appended[l.Next()])
			flush(t, l)
			after := w.fsys.CrashClone(nil)
			must(t, l.Close())
			w.check(t, after, Offset(len(w.appended)))
		}
	}
}

// Random histories of appends, waits, cuts, reopenings, power cuts and
// retention against the list of what was appended.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorkload(rapid.Int64Range(64, 6000).Draw(t, "segment"))
		l, err := Open(w.opts)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { l.Close() }()
		first := Offset(0)
		reopen := func(fsys *vfs.Mem) {
			w.fsys, w.opts.FS = fsys, fsys
			if l, err = Open(w.opts); err != nil {
				t.Fatalf("Open: %v", err)
			}
			if l.Next() < w.durable || int(l.Next()) > len(w.appended) {
				t.Fatalf("%d transactions; %d were durable, %d appended", l.Next(), w.durable, len(w.appended))
			}
			w.appended, w.durable = w.appended[:l.Next()], l.Next()
		}
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				r := testRecord(rapid.Int().Draw(t, "fill"), rapid.IntRange(8, 900).Draw(t, "size"))
				off, err := l.Append(r)
				if err != nil || int(off) != len(w.appended) {
					t.Fatalf("Append = %d, %v; want %d", off, err, len(w.appended))
				}
				w.appended = append(w.appended, r)
			},
			"group": func(t *rapid.T) {
				var group [][]byte
				for range rapid.IntRange(2, 6).Draw(t, "n") {
					group = append(group, testRecord(len(w.appended)+len(group), 50))
				}
				appendGroup(l, group...)
				w.appended = append(w.appended, group...)
			},
			"cut": func(t *rapid.T) {
				if off := l.Cut(); int(off) != len(w.appended) {
					t.Fatalf("Cut() = %d; want %d", off, len(w.appended))
				}
			},
			"wait": func(t *rapid.T) {
				if len(w.appended) == 0 {
					return
				}
				off := Offset(rapid.IntRange(0, len(w.appended)-1).Draw(t, "off"))
				if err := l.WaitDurable(context.Background(), off); err != nil {
					t.Fatal(err)
				}
				w.durable = max(w.durable, off+1)
			},
			"reopen": func(t *rapid.T) {
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				w.durable = Offset(len(w.appended))
				reopen(w.fsys)
			},
			"power cut": func(t *rapid.T) {
				w.durable = max(w.durable, l.Durable())
				crashed := w.fsys.CrashClone(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "luck"), 0)))
				l.Close()
				reopen(crashed)
			},
			"retain": func(t *rapid.T) {
				from := Offset(rapid.IntRange(0, len(w.appended)).Draw(t, "from"))
				if err := l.Retain(from); err != nil {
					t.Fatal(err)
				}
				if l.First() > max(from, first) {
					t.Fatalf("First() = %d after Retain(%d)", l.First(), from)
				}
				first = l.First()
			},
			"": func(t *rapid.T) {
				w.durable = max(w.durable, l.Durable())
				from := max(l.First(), min(w.durable, Offset(rapid.IntRange(0, len(w.appended)).Draw(t, "start"))))
				got, err := replayed(l, from)
				if err != nil {
					t.Fatalf("Replay(%d): %v", from, err)
				}
				if end := from + Offset(len(got)); end < w.durable {
					t.Fatalf("Replay(%d) ends at %d; %d are durable", from, end, w.durable)
				}
				for i, r := range got {
					if string(r) != string(w.appended[int(from)+i]) {
						t.Fatalf("transaction %d differs", int(from)+i)
					}
				}
			},
		})
	})
}
