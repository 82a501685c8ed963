package commitlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/vfs"
)

func TestAppendReopenReplay(t *testing.T) {
	fsys := vfs.NewMem()
	records := testRecords(50)
	for round := range 5 {
		l := openLog(t, testOptions(fsys))
		if want := Offset(10 * round); l.Next() != want || l.Durable() != want {
			t.Fatalf("round %d: Next() = %d, Durable() = %d; want %d", round, l.Next(), l.Durable(), want)
		}
		wantReplay(t, l, 0, records[:10*round])
		for i := 10 * round; i < 10*round+10; i++ {
			off, err := l.Append(records[i])
			must(t, err)
			if off != Offset(i) {
				t.Fatalf("Append = %d; want %d", off, i)
			}
		}
		if round%2 == 0 {
			flush(t, l)
			wantReplay(t, l, 0, records[:10*round+10])
		}
		must(t, l.Close())
		must(t, l.Close())
	}
	if got, want := fileNames(t, fsys, testDir), "0000.stdb.log"; got != want {
		t.Errorf("files: %s; want %s", got, want)
	}
}

func TestReplayFromAnyOffset(t *testing.T) {
	fsys := vfs.NewMem()
	o := testOptions(fsys)
	o.MaxSegmentBytes = 200
	l := openLog(t, o)
	defer l.Close()
	records := testRecords(40)
	for i, r := range records {
		appendAll(t, l, r)
		if i%3 == 0 {
			flush(t, l)
		}
	}
	flush(t, l)
	if l.Stats().Segments < 4 {
		t.Fatalf("only %d segments", l.Stats().Segments)
	}
	for from := range len(records) {
		wantReplay(t, l, Offset(from), records[from:])
	}
	wantReplay(t, l, Offset(len(records)), nil)
	wantReplay(t, l, Offset(len(records)+5), nil)
}

// slowDisk holds up syncs until released.
func slowDisk(m *vfs.Mem) (release func()) {
	gate := make(chan struct{})
	m.SetHook(func(op vfs.Op, _ string) error {
		if op == vfs.OpSync {
			<-gate
		}
		return nil
	})
	return sync.OnceFunc(func() { close(gate) })
}

func TestGroupCommit(t *testing.T) { synctest.Test(t, testGroupCommit) }

func testGroupCommit(t *testing.T) {
	fsys := vfs.NewMem()
	l := openLog(t, testOptions(fsys))
	defer l.Close()
	release := slowDisk(fsys)
	defer release()
	records := testRecords(101)
	appendAll(t, l, records[0])
	synctest.Wait() // until the goroutine is at the disk
	appendAll(t, l, records[1:]...)
	if l.Durable() != 0 {
		t.Fatalf("Durable() = %d before any sync", l.Durable())
	}
	release()
	flush(t, l)
	if got := l.Stats(); got.Commits != 2 || got.Records != 101 {
		t.Errorf("%d commits of %d records; want 2 of 101", got.Commits, got.Records)
	}
	var sizes []int
	must(t, l.ReplayCommits(0, func(c Commit) error { sizes = append(sizes, c.N); return nil }))
	if len(sizes) != 2 || sizes[1] != 100 {
		t.Errorf("commits of %v records; want [1 100]", sizes)
	}
}

func TestCutBeginsASegment(t *testing.T) {
	fsys := vfs.NewMem()
	l := openLog(t, testOptions(fsys))
	defer l.Close()
	release := slowDisk(fsys)
	records := testRecords(20)
	appendAll(t, l, records[:7]...)
	if got := l.Cut(); got != 7 {
		t.Errorf("Cut() = %d; want 7", got)
	}
	l.Cut()
	appendAll(t, l, records[7:]...)
	release()
	flush(t, l)
	begins := false
	must(t, l.ReplayCommits(0, func(c Commit) error { begins = begins || c.Min == 7; return nil }))
	if !begins {
		t.Error("no commit begins at the cut")
	}
	if got := fileNames(t, fsys, testDir); got != "0000.stdb.log 0007.stdb.log" {
		t.Errorf("files: %s; want a segment that begins at the cut", got)
	}
	must(t, l.Replay(7, func(off Offset, data []byte) (int, error) {
		if off < 7 {
			t.Errorf("replay from a cut hands out offset %d", off)
		}
		return recordLength(data)
	}))
}

func TestFullQueueMakesAppendWait(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(*Options)
		n    int // records that fit
	}{
		{"transactions", func(o *Options) { o.QueueTx = 4 }, 4},
		{"bytes", func(o *Options) { o.QueueBytes = 350 }, 3},
		{"a record larger than the queue", func(o *Options) { o.QueueBytes = 10 }, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fsys := vfs.NewMem()
				o := testOptions(fsys)
				tt.set(&o)
				l := openLog(t, o)
				defer l.Close()
				release := slowDisk(fsys)
				defer release()
				record := testRecord(0, 100)
				appendAll(t, l, record)
				synctest.Wait() // until the goroutine is at the disk
				for range tt.n {
					appendAll(t, l, record)
				}
				appended := make(chan error, 1)
				go func() {
					_, err := l.Append(record)
					appended <- err
				}()
				synctest.Wait()
				if len(appended) > 0 {
					t.Fatal("Append does not wait though the queue is full")
				}
				release()
				must(t, <-appended)
				flush(t, l)
			})
		})
	}
}

func TestAppendRefusesImpossibleRecords(t *testing.T) {
	l := openLog(t, testOptions(vfs.NewMem()))
	defer l.Close()
	for _, j := range []Journal{l, NewMemory()} {
		if _, err := j.Append(nil); !errors.Is(err, ErrRecordSize) {
			t.Errorf("%T: Append(nil): %v; want ErrRecordSize", j, err)
		}
		if j.Err() != nil || j.Next() != 0 {
			t.Errorf("%T: a refused record changed the log", j)
		}
	}
}

func TestAppendKeepsNothingOfTheRecord(t *testing.T) {
	l := openLog(t, testOptions(vfs.NewMem()))
	defer l.Close()
	record := testRecord(1, 40)
	want := bytes.Clone(record)
	appendAll(t, l, record)
	clear(record)
	flush(t, l)
	wantReplay(t, l, 0, [][]byte{want})
}

func TestWaitDurable(t *testing.T) {
	for name, j := range map[string]Journal{"log": openLog(t, testOptions(vfs.NewMem())), "memory": NewMemory()} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if err := j.WaitDurable(ctx, 0); !errors.Is(err, context.Canceled) {
				t.Errorf("canceled: %v", err)
			}
			var wg sync.WaitGroup
			for off := range Offset(20) {
				wg.Go(func() {
					if err := j.WaitDurable(context.Background(), off); err != nil {
						t.Errorf("WaitDurable(%d): %v", off, err)
					}
					if j.Durable() <= off {
						t.Errorf("WaitDurable(%d) returned with Durable() = %d", off, j.Durable())
					}
				})
			}
			never := make(chan error)
			go func() { never <- j.WaitDurable(context.Background(), 20) }()
			for i := range 20 {
				_, err := j.Append(testRecord(i, 10))
				must(t, err)
			}
			wg.Wait()
			must(t, j.Close())
			if err := <-never; !errors.Is(err, ErrClosed) {
				t.Errorf("waiting for what never came: %v; want ErrClosed", err)
			}
			if _, err := j.Append(testRecord(0, 10)); !errors.Is(err, ErrClosed) {
				t.Errorf("Append after Close: %v; want ErrClosed", err)
			}
			must(t, j.WaitDurable(context.Background(), 19))
		})
	}
}

func TestFailureIsFinal(t *testing.T) {
	spec.Covers(t, "08.55")
	injected := errors.New("injected")
	for _, op := range []vfs.Op{vfs.OpWrite, vfs.OpSync} {
		t.Run(string(op), func(t *testing.T) {
			fsys := vfs.NewMem()
			l := openLog(t, testOptions(fsys))
			records := testRecords(10)
			appendAll(t, l, records[:5]...)
			flush(t, l)
			fails := 0
			fsys.SetHook(func(got vfs.Op, _ string) error {
				if got != op {
					return nil
				}
				if fails++; fails == 1 {
					return injected // only once: a retry would succeed
				}
				t.Errorf("%s again after its failure", got)
				return nil
			})
			appendAll(t, l, records[5])
			if err := l.WaitDurable(context.Background(), 5); !errors.Is(err, injected) {
				t.Errorf("WaitDurable: %v; want the failure", err)
			}
			<-l.Failed()
			if _, err := l.Append(records[6]); !errors.Is(err, injected) {
				t.Errorf("Append: %v; want the failure", err)
			}
			if !errors.Is(l.Err(), injected) || !strings.Contains(l.Err().Error(), "00000000000000000000.stdb.log at byte ") {
				t.Errorf("Err() = %v; want file and byte", l.Err())
			}
			if l.Durable() != 5 {
				t.Errorf("Durable() = %d; want 5", l.Durable())
			}
			must(t, l.WaitDurable(context.Background(), 4))
			if err := l.Close(); !errors.Is(err, injected) {
				t.Errorf("Close: %v; want the failure", err)
			}
			fsys.SetHook(nil)

			// Whatever is visible after reopening must really be on disk.
			l = openLog(t, testOptions(fsys))
			n := int(l.Durable())
			wantReplay(t, l, 0, records[:n])
			cut := fsys.CrashClone(nil)
			must(t, l.Close())
			l = openLog(t, testOptions(cut))
			defer l.Close()
			wantReplay(t, l, 0, records[:n])
		})
	}
}

func TestFullDisk(t *testing.T) {
	fsys := vfs.NewMem()
	l := openLog(t, testOptions(fsys))
	fsys.SetCapacity(fsys.Used() + 10_000)
	var records [][]byte
	for i := 0; ; i++ {
		r := testRecord(i, 100)
		if _, err := l.Append(r); err != nil {
			break
		}
		records = append(records, r)
		if l.WaitDurable(context.Background(), Offset(i)) != nil {
			break
		}
	}
	if err := l.Close(); !vfs.IsDiskFull(err) || !strings.Contains(err.Error(), "free some space") {
		t.Errorf("Close: %v; want a full disk and what to do", err)
	}
	durable := int(l.Durable())
	if durable < 70 {
		t.Errorf("only %d records of 126 bytes fit into 10,000", durable)
	}
	fsys.SetCapacity(-1)
	l = openLog(t, testOptions(fsys))
	defer l.Close()
	if l.Durable() < Offset(durable) {
		t.Errorf("%d transactions are left of %d", l.Durable(), durable)
	}
	wantReplay(t, l, 0, records[:l.Durable()])
	appendAll(t, l, testRecord(0, 1000))
	flush(t, l)
}

func TestFullDiskAtRotation(t *testing.T) {
	fsys := vfs.NewMem()
	o := testOptions(fsys)
	o.MaxSegmentBytes = 500
	l := openLog(t, o)
	fsys.SetHook(func(op vfs.Op, name string) error {
		if op == vfs.OpCreate {
			return vfs.ErrDiskFull
		}
		return nil
	})
	record := testRecord(0, 600)
	appendAll(t, l, record)
	must(t, l.WaitDurable(context.Background(), 0))
	<-l.Failed()
	if err := l.Close(); !vfs.IsDiskFull(err) {
		t.Errorf("Close: %v; want a full disk", err)
	}
	fsys.SetHook(nil)
	l = openLog(t, o)
	defer l.Close()
	wantReplay(t, l, 0, [][]byte{record})
}

func TestIdleDatabaseOwnsLittle(t *testing.T) {
	fsys := vfs.NewMem()
	l := openLog(t, Options{FS: fsys, Dir: testDir})
	appendAll(t, l, testRecord(0, 170_000)) // a module
	flush(t, l)
	for i := range 100 {
		appendAll(t, l, testRecord(i, 100))
		flush(t, l)
	}
	if used := fsys.Used(); used >= 1<<20 || used < 300_000 {
		t.Errorf("an open database owns %d bytes; want less than 1 MiB, and space written ahead", used)
	}
	must(t, l.Close())
	if used, want := fsys.Used(), int64(10+26+170_000+100*126); used != want {
		t.Errorf("a closed database owns %d bytes; want %d", used, want)
	}
}

func TestWrittenAheadSpaceIsUsed(t *testing.T) {
	fsys := vfs.NewMem()
	l := openLog(t, testOptions(fsys))
	defer l.Close()
	sizes := map[int64]int{}
	for i := range 1000 {
		appendAll(t, l, testRecord(i, 100))
		flush(t, l)
		sizes[fsys.Used()]++
	}
	if len(sizes) > 10 {
		t.Errorf("the file grew %d times for 1000 commits", len(sizes))
	}
}

func TestRotation(t *testing.T) {
	for _, tt := range []struct {
		name    string
		max     int64
		batches []int
		want    string
	}{
		{"at the limit", 128, []int{1, 1, 1, 1}, "0000.stdb.log 0003.stdb.log"},
		{"a commit larger than a segment", 32, []int{2, 1}, "0000.stdb.log 0002.stdb.log 0003.stdb.log"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fsys := vfs.NewMem()
			o := testOptions(fsys)
			o.MaxSegmentBytes = tt.max
			l := openLog(t, o)
			var records [][]byte
			for _, n := range tt.batches {
				var group [][]byte
				for range n {
					group = append(group, testRecord(len(records)+len(group), 32))
				}
				appendGroup(l, group...)
				flush(t, l)
				records = append(records, group...)
			}
			must(t, l.Close())
			if got := fileNames(t, fsys, testDir); got != tt.want {
				t.Errorf("files: %s; want %s", got, tt.want)
			}
			l = openLog(t, o)
			defer l.Close()
			wantReplay(t, l, 0, records)
		})
	}
}

func TestRetain(t *testing.T) {
	fsys := vfs.NewMem()
	o := testOptions(fsys)
	o.MaxSegmentBytes = 128
	l := openLog(t, o)
	records := testRecords(30)
	for _, r := range records {
		appendAll(t, l, r)
		flush(t, l)
	}
	putFile(t, fsys, "00000000000000000000.stdb.ofs", []byte("an index"))
	putFile(t, fsys, "00000000000000000003.stdb.log.torn", []byte("set aside"))
	putFile(t, fsys, "00000000000000000003.stdb.log.torn1", []byte("set aside"))
	putFile(t, fsys, "00000000000000000029.stdb.log.torn", []byte("set aside"))
	must(t, l.Retain(0))
	if l.First() != 0 || len(files(t, fsys, testDir)) < 13 {
		t.Errorf("Retain(0) removed something: First() = %d", l.First())
	}
	must(t, l.Retain(15))
	first := l.First()
	if got := fileNames(t, fsys, testDir); strings.Contains(got, "0003.stdb.log.torn") || !strings.Contains(got, "0029.stdb.log.torn") {
		t.Errorf("after Retain(15): %s", got)
	}
	if first == 0 || first > 15 {
		t.Errorf("First() = %d after Retain(15)", first)
	}
	if err := l.Replay(first-1, nil); !errors.Is(err, ErrGone) {
		t.Errorf("Replay of what is gone: %v; want ErrGone", err)
	}
	wantReplay(t, l, 15, records[15:])
	if got := fileNames(t, fsys.CrashClone(nil), testDir); got != fileNames(t, fsys, testDir) {
		t.Errorf("after a power cut the deleted segments are back: %s", got)
	}
	must(t, l.Close())

	l = openLog(t, o)
	if l.First() != first {
		t.Errorf("First() = %d after reopening; want %d", l.First(), first)
	}
	wantReplay(t, l, first, records[first:])
	must(t, l.Retain(1000))
	if l.Stats().Segments != 1 {
		t.Errorf("%d segments after Retain of everything", l.Stats().Segments)
	}
	if _, ok := files(t, fsys, testDir)["00000000000000000000.stdb.ofs"]; ok {
		t.Error("the index of a deleted segment is still there")
	}
	appendAll(t, l, testRecord(30, 20))
	flush(t, l)
	must(t, l.Close())
	l = openLog(t, o)
	defer l.Close()
	if l.Next() != 31 {
		t.Errorf("Next() = %d; want 31", l.Next())
	}
}

// The rules of a Retention keep what recovery does not need; a segment that no
// rule keeps goes, and all older ones with it.
func TestRetention(t *testing.T) {
	day := 24 * time.Hour
	for _, tt := range []struct {
		name string
		r    Retention
		from Offset
		want string // first offsets of what is left
	}{
		{"nothing more than needed", Retention{}, 50, "50 60 70"},
		{"what is needed stays whatever the rules", Retention{}, 0, "0 10 20 30 40 50 60 70"},
		{"an offset inside a segment keeps it", Retention{}, 55, "50 60 70"},
		{"by number", Retention{Segments: 2}, 50, "30 40 50 60 70"},
		{"by bytes", Retention{Bytes: 1000}, 50, "40 50 60 70"},
		{"by bytes, too few for one", Retention{Bytes: 10}, 50, "50 60 70"},
		{"by age", Retention{Age: 7*day/2 + time.Hour}, 70, "40 50 60 70"},
		{"the most generous rule holds", Retention{Segments: 1, Bytes: 10, Age: 5*day + time.Hour}, 70, "20 30 40 50 60 70"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fsys := vfs.OS{}
			dir := t.TempDir()
			now := time.Now()
			tt.r.Now = func() time.Time { return now }
			l := openLog(t, Options{FS: fsys, Dir: dir, Retention: tt.r, firstStep: 1 << 10})
			defer func() { must(t, l.Close()) }()
			for i := range 8 {
				l.Cut()
				for j := range 10 {
					appendAll(t, l, testRecord(10*i+j, 60))
				}
				flush(t, l)
			}
			for i := range 8 { // closed so many days ago
				at := now.Add(-time.Duration(7-i) * day)
				must(t, os.Chtimes(filepath.Join(dir, segmentName(Offset(10*i))), at, at))
			}
			must(t, l.Retain(tt.from))
			var left []string
			list, err := listOffsets(fsys, dir, segmentSuffix)
			must(t, err)
			for _, off := range list {
				left = append(left, fmt.Sprint(off))
			}
			if got := strings.Join(left, " "); got != tt.want {
				t.Errorf("segments left: %s; want %s", got, tt.want)
			}
			if l.First() != list[0] {
				t.Errorf("First() = %d; want %d", l.First(), list[0])
			}
			records := testRecords(80)
			for i := range records {
				records[i] = testRecord(i, 60)
			}
			wantReplay(t, l, l.First(), records[l.First():])
		})
	}
}

// Whatever operation fails or is cut off by a power cut while segments move to the
// archive: archive and log together hold everything, and no segment is half there.
func TestArchive(t *testing.T) {
	const archive = "/archive/7/clog"
	for seed := range uint64(6) {
		for n := 0; ; n++ {
			fsys := vfs.NewMem()
			o := testOptions(fsys)
			o.Retention.Archive = archive
			l := openLog(t, o)
			var whole []string
			for i := range 4 {
				l.Cut()
				appendAll(t, l, testRecord(2*i, 700), testRecord(2*i+1, 700))
				flush(t, l)
			}
			for i := range 3 {
				whole = append(whole, files(t, fsys, testDir)[segmentName(Offset(2*i))])
			}
			calls := 0
			var crashed *vfs.Mem
			fsys.SetHook(func(op vfs.Op, _ string) error {
				if calls++; calls-1 != n {
					return nil
				}
				crashed = fsys.CrashClone(rand.New(rand.NewPCG(seed, uint64(n))))
				return errors.New("input/output error")
			})
			err := l.Retain(6)
			fsys.SetHook(nil)
			if (crashed != nil) != (err != nil) {
				t.Fatalf("operation %d fails; Retain: %v", n, err)
			}
			if err != nil && seed%2 == 0 { // the same log tries again
				must(t, l.Retain(6))
				if got := fileNames(t, fsys, testDir); l.First() != 6 || got != "0006.stdb.log" {
					t.Fatalf("seed %d operation %d: the second Retain leaves %s, and First() = %d", seed, n, got, l.First())
				}
			}
			l.Close()
			for _, disk := range []*vfs.Mem{fsys, crashed} {
				if disk == nil {
					continue
				}
				must(t, disk.MkdirAll(archive))
				old, now := files(t, disk, archive), files(t, disk, testDir)
				for i, want := range whole {
					name := segmentName(Offset(2 * i))
					// A closed segment may keep zeros that were written ahead.
					if strings.TrimRight(old[name], "\x00") != strings.TrimRight(want, "\x00") &&
						strings.TrimRight(now[name], "\x00") != strings.TrimRight(want, "\x00") {
						t.Fatalf("seed %d operation %d: segment %s is gone", seed, n, name)
					}
					if got, ok := old[name]; ok && strings.TrimRight(got, "\x00") != strings.TrimRight(want, "\x00") {
						t.Fatalf("seed %d operation %d: segment %s is half in the archive", seed, n, name)
					}
				}
				o.FS = disk
				again := openLog(t, o)
				must(t, again.Retain(6))
				if again.First() != 6 || len(files(t, disk, testDir)) != 1 {
					t.Fatalf("seed %d operation %d: the next Retain leaves %s", seed, n, fileNames(t, disk, testDir))
				}
				must(t, again.Close())
			}
			if crashed == nil {
				if got := fileNames(t, fsys, archive); got != "0000.stdb.log 0002.stdb.log 0004.stdb.log" {
					t.Errorf("archive: %s", got)
				}
				break
			}
		}
	}
}

// On a full disk the log stops with an error that says so, and can be opened again
// although nothing was freed: what it holds can be read.
func TestFullDiskCanBeRead(t *testing.T) {
	spec.Covers(t, "08.55")
	for room := range int64(300) {
		fsys := vfs.NewMem()
		l := openLog(t, testOptions(fsys))
		fsys.SetCapacity(fsys.Used() + 2000 + 7*room)
		var kept [][]byte
		for err := error(nil); err == nil; {
			r := testRecord(len(kept), 300)
			off, appendErr := l.Append(r)
			if err = appendErr; err == nil {
				err = l.WaitDurable(context.Background(), off)
			}
			if err == nil {
				kept = append(kept, r)
			} else if !vfs.IsDiskFull(err) || !strings.Contains(err.Error(), "stdb.log at byte ") || !strings.Contains(err.Error(), "free some space") {
				t.Fatalf("room %d: the error is %v", room, err)
			}
		}
		if err := l.Close(); !vfs.IsDiskFull(err) {
			t.Fatalf("room %d: Close = %v", room, err)
		}
		l = openLog(t, testOptions(fsys))
		wantReplay(t, l, 0, kept)
		fsys.SetCapacity(-1)
		appendAll(t, l, testRecord(7, 500))
		flush(t, l)
		must(t, l.Close())
	}
}

func TestEpoch(t *testing.T) {
	fsys := vfs.NewMem()
	o := testOptions(fsys)
	for _, epoch := range []uint64{0, 42, 0} {
		o.Epoch = epoch
		l := openLog(t, o)
		appendAll(t, l, testRecord(0, 20))
		must(t, l.Close())
	}
	var epochs []uint64
	_, err := Verify(fsys, testDir, 0, func(c Commit) error { epochs = append(epochs, c.Epoch); return nil })
	must(t, err)
	if len(epochs) != 3 || epochs[0] != 0 || epochs[1] != 42 || epochs[2] != 42 {
		t.Errorf("epochs %v; want [0 42 42]", epochs)
	}
	o.Epoch = 7
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "new epoch 7 is smaller than the log's epoch 42") {
		t.Errorf("Open with a lower epoch: %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	_, err := Open(Options{QueueTx: 70_000, QueueBytes: -1, MaxSegmentBytes: -1})
	for _, want := range []string{"FS", "Dir", "QueueTx", "QueueBytes", "MaxSegmentBytes"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open: %v; want a word about %s", err, want)
		}
	}
}

func TestReplayChecksLengths(t *testing.T) {
	l := openLog(t, testOptions(vfs.NewMem()))
	defer l.Close()
	appendAll(t, l, testRecord(0, 20))
	flush(t, l)
	for _, n := range []int{-1, 19, 21} {
		err := l.Replay(0, func(Offset, []byte) (int, error) { return n, nil })
		if !errors.Is(err, errRecordLength) {
			t.Errorf("a record of 20 bytes measured as %d: %v", n, err)
		}
	}
	stop := errors.New("stop")
	if err := l.Replay(0, func(Offset, []byte) (int, error) { return 0, stop }); err != stop {
		t.Errorf("Replay = %v; want the callback's error as it is", err)
	}
}

// discardFS is a file system whose files take writes and forget them.
type discardFS struct{ *vfs.Mem }

func (d discardFS) OpenRW(name string) (vfs.File, error) {
	f, err := d.Mem.OpenRW(name)
	return discardFile{f}, err
}

type discardFile struct{ vfs.File }

func (discardFile) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (discardFile) SyncData() error                        { return nil }
func (discardFile) Sync() error                            { return nil }
func (discardFile) Truncate(int64) error                   { return nil }

func TestAppendDoesNotAllocate(t *testing.T) {
	l := openLog(t, Options{FS: discardFS{vfs.NewMem()}, Dir: testDir})
	defer l.Close()
	record := testRecord(0, 100)
	work := func() {
		for range 1000 {
			if _, err := l.Append(record); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 100 {
		work() // the buffers grow to their size
	}
	if got := testing.AllocsPerRun(100, work) / 1000; got > 0.01 {
		t.Errorf("Append allocates %v times", got)
	}
}

func TestConcurrentUse(t *testing.T) {
	fsys := vfs.NewMem()
	o := testOptions(fsys)
	o.MaxSegmentBytes = 4 << 10
	l := openLog(t, o)
	const n = 2000
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for off := Offset(w); off < n; off += 100 {
				if err := l.WaitDurable(context.Background(), off); err != nil {
					t.Error(err)
				}
				from := max(l.First(), off)
				if _, err := replayed(l, from); err != nil && !errors.Is(err, ErrGone) {
					t.Error(err)
				}
				if w == 0 && off%300 == 0 {
					if err := l.Retain(off / 2); err != nil {
						t.Error(err)
					}
				}
				l.Stats()
			}
		})
	}
	for i := range n {
		appendAll(t, l, testRecord(i, 20+i%50))
	}
	wg.Wait()
	must(t, l.Close())
}

func TestOnTheOperatingSystem(t *testing.T) {
	o := Options{FS: vfs.OS{}, Dir: filepath.Join(t.TempDir(), "replicas", "1", "clog"), MaxSegmentBytes: 1500}
	records := testRecords(60)
	for round := range 3 {
		l := openLog(t, o)
		wantReplay(t, l, 0, records[:20*round])
		for i, r := range records[20*round : 20*round+20] {
			appendAll(t, l, r)
			if i%4 == 0 {
				flush(t, l)
			}
		}
		must(t, l.Close())
	}
	l := openLog(t, o)
	defer l.Close()
	wantReplay(t, l, 0, records)
	must(t, l.Retain(40))
	wantReplay(t, l, 40, records[40:])
	if l.First() == 0 {
		t.Error("Retain(40) deleted nothing")
	}
}
