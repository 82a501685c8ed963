package host

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stdbgo/spacetime/internal/commitlog"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/sats"
)

// pairs is a module whose every transaction writes two rows that belong together.
func pairs() *fakeModule {
	cols := params(sats.E("id", sats.U32), sats.E("half", sats.U32))
	return newFake("pairs").
		addTable("pair", cols).
		reducer("add", params(sats.E("id", sats.U32)), func(c *fakeCall) error {
			if err := c.insert("pair", append(c.Args, u32(1)...)); err != nil {
				return err
			}
			return c.insert("pair", append(c.Args, u32(2)...))
		})
}

// checkPairs wants the pairs 0 to n-1, each whole, for some n of at least min.
func checkPairs(t *testing.T, w *world, db *Database, min int) int {
	t.Helper()
	v := db.View()
	defer v.Close()
	halves := map[uint32]uint32{}
	for row := range v.Scan(v.TableByName("pair").ID) {
		r := sats.NewReader(row)
		halves[r.U32()] |= r.U32()
	}
	n := len(halves)
	for id := range n {
		if halves[uint32(id)] != 3 {
			t.Fatalf("pair %d of %d has halves %b; want both", id, n, halves[uint32(id)])
		}
	}
	if n < min {
		t.Fatalf("%d transactions are left; %d were acknowledged as durable", n, min)
	}
	return n
}

// Whenever the power fails, what was acknowledged as durable is there afterwards,
// a prefix of what was committed, and no transaction is half there.
func TestCrashAtRandomPoints(t *testing.T) {
	spec.Covers(t, "08.46")
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(t)
		w.opts.CheckpointTx = uint64(3 + rng.IntN(20))
		w.opts.MaxSegmentBytes = int64(600 + rng.IntN(3000))
		w.opts.Retention.All = rng.IntN(2) == 0
		w.restart()
		db := w.create(pairs())
		n, durable := 0, 0
		for range 3 { // crashes
			for range rng.IntN(40) {
				res := w.call(db, alice, "add", u32(uint32(n)))
				n++
				if rng.IntN(4) == 0 {
					if _, err := db.WaitDurable(background, res.Offset); err != nil {
						t.Fatal(err)
					}
					durable = n
				}
			}
			if n == 0 {
				if _, err := db.WaitDurable(background, 0); err != nil {
					t.Fatal(err)
				}
			}
			w.crash(rng.Uint64())
			initial := func() ([]byte, error) { return []byte("pairs"), nil }
			var err error
			if db, err = w.host.Open(background, w.info, initial); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			n = checkPairs(t, w, db, durable)
		}
		w.stop()
	}
}

// A number that a reducer saw is never given again, though the reducer failed, and the
// power with it.
func TestNumbersAreNotRepeated(t *testing.T) {
	spec.Covers(t, "08.13")
	w := newWorld(t)
	given := map[uint32]bool{}
	m := newFake("numbers").
		addTable("numbered", params(sats.E("id", sats.U32), sats.E("x", sats.U32)), primary(0), autoInc(0)).
		reducer("add", params(sats.E("fail", sats.U32)), func(c *fakeCall) error {
			_, generated, err := c.Tx.Insert(c.table("numbered").ID, append(u32(0), c.Args...))
			if err != nil {
				return err
			}
			n := sats.NewReader(generated).U32()
			if given[n] {
				t.Errorf("%d is given a second time", n)
			}
			given[n] = true
			if sats.NewReader(c.Args).U32() == 1 {
				return userError("no")
			}
			return nil
		})
	db := w.create(m)
	for round := range uint64(4) {
		res, err := db.CallReducer(background, &CallRequest{Caller: alice, Name: "add", Args: u32(1)})
		if err != nil || res.Status == Committed {
			t.Fatalf("a failing call: %v, status %d", err, res.Status)
		}
		if round == 2 {
			w.call(db, alice, "add", u32(0))
		}
		if next := db.store.NextOffset(); next > 0 {
			if _, err := db.WaitDurable(background, next-1); err != nil {
				t.Fatal(err)
			}
		}
		w.crash(round)
		if db, err = w.host.Open(background, w.info, func() ([]byte, error) { return []byte("numbers"), nil }); err != nil {
			t.Fatal(err)
		}
	}
	w.stop()
	if len(given) != 5 {
		t.Errorf("%d numbers were given, want 5", len(given))
	}
}

// A crash before the first transaction is durable makes the next launch initialise
// the database again.
func TestCrashRightAfterCreation(t *testing.T) {
	spec.Covers(t, "08.66")
	for seed := range uint64(20) {
		w := newWorld(t)
		w.create(pairs())
		w.crash(seed)
		db, err := w.host.Open(background, w.info, func() ([]byte, error) { return []byte("pairs"), nil })
		if err != nil {
			t.Fatal(err)
		}
		w.call(db, alice, "add", u32(0))
		checkPairs(t, w, db, 1)
		w.stop()
	}
}

// After a failed write nothing is acknowledged any more; the database stops, and
// the next open reads what is on disk.
func TestLogFailure(t *testing.T) {
	spec.Covers(t, "08.55")
	w := newWorld(t)
	db := w.create(pairs())
	res := w.call(db, alice, "add", u32(0))
	if _, err := db.WaitDurable(background, res.Offset); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the disk is on fire")
	w.fs.SetHook(func(op vfs.Op, name string) error {
		if strings.Contains(name, clogDir) && op.Changes() {
			return broken
		}
		return nil
	})
	res, err := db.CallReducer(background, &CallRequest{Caller: alice, Name: "add", Args: u32(1)})
	if err == nil {
		if _, err = db.WaitDurable(background, res.Offset); err == nil {
			t.Error("a transaction is durable although nothing can be written")
		}
	}
	<-db.Done()
	if err := db.Err(); !errors.Is(err, broken) {
		t.Errorf("Err() = %v; want the failure", err)
	}
	if _, err := db.CallReducer(background, &CallRequest{Caller: alice, Name: "add", Args: u32(2)}); !errors.Is(err, ErrStopped) {
		t.Errorf("a call afterwards: %v", err)
	}
	if _, err := db.SQL(background, owner, "SELECT * FROM pair"); !errors.Is(err, ErrStopped) {
		t.Errorf("a query afterwards: %v", err)
	}
	w.fs.SetHook(nil)
	db = w.open() // reads what is on disk
	if n := checkPairs(t, w, db, 1); n != 1 {
		t.Errorf("%d transactions; want 1", n)
	}
	w.call(db, alice, "add", u32(1))
}

// A bug of ours in a job ends the database, not the process, and gives nobody a
// result that is not true.
func TestInternalErrorStopsDatabase(t *testing.T) {
	w := newWorld(t)
	m := pairs().reducer("bug", nil, func(*fakeCall) error { panic("a bug") })
	db := w.create(m)
	w.call(db, alice, "add", u32(0))
	if _, err := db.CallReducer(background, &CallRequest{Caller: alice, Name: "bug"}); err == nil || !strings.Contains(err.Error(), "a bug") {
		t.Errorf("call = %v", err)
	}
	db = w.open() // waits for the end of the one that failed
	checkPairs(t, w, db, 1)
}

func TestTwoOpens(t *testing.T) {
	spec.Covers(t, "08.56")
	w := newWorld(t)
	db := w.create(pairs())
	second, err := New(w.opts)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if _, err := second.Open(background, w.info, nil); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("a second server opens the replica: %v", err)
	}
	again := w.open()
	if again != db {
		t.Error("the same server opens it twice")
	}
	if _, err := w.host.Create(background, w.info, []byte("pairs")); err == nil {
		t.Error("a replica that runs is created again")
	}
	if err := w.host.Stop(background, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := w.host.Create(background, w.info, []byte("pairs")); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("a replica on disk is created again: %v", err)
	}
	if _, err := second.Open(background, w.info, nil); err != nil {
		t.Errorf("the second server opens the replica that the first has stopped: %v", err)
	}
}

// Checkpoints shorten recovery: with the old part of the log gone the database is
// whole.
func TestCheckpointsAndPruning(t *testing.T) {
	w := newWorld(t)
	w.opts.CheckpointTx, w.opts.MaxSegmentBytes = 10, 500
	w.restart()
	db := w.create(pairs())
	const n = 200
	for i := range n {
		res := w.call(db, alice, "add", u32(uint32(i)))
		if i%10 == 9 { // let the checkpoint be written
			if _, err := db.WaitDurable(background, res.Offset); err != nil {
				t.Fatal(err)
			}
			db.ckpt.work.Wait()
		}
	}
	dir := w.host.replicaDir(1)
	count := func(sub string) int {
		entries, err := w.fs.ReadDir(filepath.Join(dir, sub))
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	if got := count(checkpointsDir); got != defaultCheckpoints {
		t.Errorf("%d checkpoints; want %d", got, defaultCheckpoints)
	}
	if first := db.journal.First(); first == 0 {
		t.Error("the log was not pruned")
	}
	w.restart()
	db = w.open()
	if got := checkPairs(t, w, db, n); got != n {
		t.Errorf("%d transactions; want %d", got, n)
	}
}

// A checkpoint that has rotted is passed over: the one before and a longer piece of
// the log give the same. When none is left the log alone does, if it is kept; else
// the database does not open, and says which files are damaged.
func TestBadCheckpointsFallBack(t *testing.T) {
	for _, all := range []bool{false, true} {
		w := newWorld(t)
		w.opts.CheckpointTx, w.opts.Retention.All = 10, all
		w.restart()
		db := w.create(pairs())
		const n = 57
		for i := range n {
			w.call(db, alice, "add", u32(uint32(i)))
			db.ckpt.work.Wait()
		}
		w.stop()
		dir := filepath.Join("/data/replicas/1", checkpointsDir)
		names := func(suffix string) (list []string) {
			entries, err := w.fs.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if strings.HasSuffix(e.Name(), suffix) {
					list = append(list, filepath.Join(dir, e.Name()))
				}
			}
			return list
		}
		good := names(".checkpoint")
		if len(good) != 2 {
			t.Fatalf("checkpoints: %v", good)
		}
		rng := rand.New(rand.NewPCG(1, 2))
		for i := len(good) - 1; i >= 0; i-- { // the newest first
			b, err := vfs.ReadFile(w.fs, good[i])
			if err != nil {
				t.Fatal(err)
			}
			b[rng.IntN(len(b))] ^= 0x10
			if err := vfs.WriteFileAtomic(w.fs, good[i], b); err != nil {
				t.Fatal(err)
			}
			w.start()
			if i == 0 && !all {
				_, err := w.host.Open(background, w.info, nil)
				if err == nil || !strings.Contains(err.Error(), "no checkpoint leads to transaction") || !strings.Contains(err.Error(), good[0]+", byte ") {
					t.Errorf("without a good checkpoint: %v", err)
				}
				continue
			}
			checkPairs(t, w, w.open(), n)
			w.stop()
			if got := names(".bad"); len(got) == 0 && i > 0 {
				t.Errorf("the damaged checkpoint was not set aside: %v", names(""))
			}
		}
		w.stop()
	}
}

// While there are fewer checkpoints than are to be kept the whole log stays: the
// first one may rot, too.
func TestFirstCheckpointFallsBackToTheLog(t *testing.T) {
	w := newWorld(t)
	w.opts.CheckpointTx = 10
	w.restart()
	db := w.create(pairs())
	const n = 15
	for i := range n {
		w.call(db, alice, "add", u32(uint32(i)))
		db.ckpt.work.Wait()
	}
	w.restart() // what retention did not remove before it removes now
	w.open().ckpt.work.Wait()
	w.stop()
	dir := filepath.Join("/data/replicas/1", checkpointsDir)
	entries, err := w.fs.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("checkpoints: %v, %v; want 1", entries, err)
	}
	path := filepath.Join(dir, entries[0].Name())
	b, err := vfs.ReadFile(w.fs, path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := vfs.WriteFileAtomic(w.fs, path, b); err != nil {
		t.Fatal(err)
	}
	w.start()
	checkPairs(t, w, w.open(), n)
}

// The log of a database cut, and damaged, at every byte: what was committed before
// the cut is there, whole; damage is an error that names file and byte, or takes
// the last commit alone, which may be torn.
func TestEveryByteOfALog(t *testing.T) {
	spec.Covers(t, "08.46", "08.50")
	w := newWorld(t)
	db := w.create(pairs())
	if _, err := db.WaitDurable(background, 0); err != nil {
		t.Fatal(err)
	}
	const n = 6
	for i := range n {
		res := w.call(db, alice, "add", u32(uint32(i)))
		if _, err := db.WaitDurable(background, res.Offset); err != nil {
			t.Fatal(err)
		}
	}
	w.stop()
	segment := "/data/replicas/1/" + clogDir + "/00000000000000000000.stdb.log"
	log, err := vfs.ReadFile(w.fs, segment)
	if err != nil {
		t.Fatal(err)
	}
	var ends []int // of the commits
	for at := 10; at < len(log); {
		at += 26 + int(binary.LittleEndian.Uint32(log[at+18:]))
		ends = append(ends, at)
	}
	if len(ends) != 1+n {
		t.Fatalf("%d commits; want one of init and %d", len(ends), n)
	}
	w.start()
	open := func(data []byte) (pairs int, err error) {
		disk := vfs.NewMem()
		h, err := New(Options{Dir: "/data", FS: disk, Rand: rand.NewChaCha8([32]byte{1})})
		if err == nil {
			err = disk.MkdirAll(filepath.Dir(segment))
		}
		if err == nil {
			err = vfs.WriteFileAtomic(disk, segment, data)
		}
		if err != nil {
			t.Fatal(err)
		}
		db, fresh, err := h.recover(w.info)
		if err != nil {
			return 0, err
		}
		defer db.close(false)
		if !fresh {
			pairs = checkPairs(t, w, db, 0)
		}
		return pairs, nil
	}
	for cut := range log {
		want := -1
		for _, end := range ends {
			if end <= cut {
				want++
			}
		}
		got, err := open(log[:cut])
		if err != nil || got != max(want, 0) {
			t.Fatalf("cut at byte %d of %d: %d transactions, %v; want %d", cut, len(log), got, err, want)
		}
	}
	last := ends[len(ends)-2]
	for at := range log {
		damaged := bytes.Clone(log)
		damaged[at] ^= 0x24
		got, err := open(damaged)
		switch {
		case at >= last && (err != nil || got != n-1):
			t.Fatalf("byte %d, in the last commit, damaged: %d transactions, %v", at, got, err)
		case at < last && at != 8 && at != 9 && (err == nil || !strings.Contains(err.Error(), segment+", byte ")):
			t.Fatalf("byte %d damaged: %d transactions, %v; want an error with file and byte", at, got, err)
		}
	}
}

// A log that is gone, or ends before a checkpoint, is noticed: the database does not
// begin anew.
func TestLostLogIsNoticed(t *testing.T) {
	for _, lose := range []string{"all", "the newest segment", "the end"} {
		w := newWorld(t)
		w.opts.CheckpointTx, w.opts.Retention.All = 10, true
		w.restart()
		db := w.create(pairs())
		for i := range 300 {
			w.call(db, alice, "add", u32(uint32(i)))
			db.ckpt.work.Wait()
		}
		w.stop()
		clog := "/data/replicas/1/" + clogDir
		entries, err := w.fs.ReadDir(clog)
		if err != nil || len(entries) < 4 {
			t.Fatal(entries, err)
		}
		newest := entries[len(entries)-1].Name()
		switch lose {
		case "all":
			err = w.fs.RemoveAll(clog)
		case "the newest segment":
			err = errors.Join(w.fs.Remove(filepath.Join(clog, newest)), w.fs.Remove(filepath.Join(clog, entries[len(entries)-2].Name())))
		case "the end":
			err = w.fs.Remove(filepath.Join(clog, newest))
			var f vfs.File
			if err == nil {
				f, err = w.fs.OpenRW(filepath.Join(clog, entries[len(entries)-2].Name()))
			}
			if err == nil {
				err = errors.Join(f.Truncate(400), f.Close())
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		w.start()
		_, err = w.host.Open(background, w.info, func() ([]byte, error) { return []byte("pairs"), nil })
		if !errors.Is(err, commitlog.ErrAhead) {
			t.Errorf("%s lost: %v; want ErrAhead", lose, err)
		}
		w.stop()
	}
}

// Many callers, readers, clients that come and go, updates and checkpoints at once:
// for the race detector, and to see that no transaction is lost or doubled.
func TestConcurrency(t *testing.T) {
	w := newWorld(t)
	w.opts.CheckpointTx = 50
	w.restart()
	db := w.create(pairs())
	const callers, calls = 8, 60
	var wg sync.WaitGroup
	for g := range callers {
		wg.Go(func() {
			who := Caller{Identity: sats.Identity{byte(10 + g)}, Conn: sats.ConnectionID{byte(10 + g)}}
			if err := db.Connect(background, who); err != nil {
				t.Error(err)
			}
			for i := range calls {
				_, err := db.CallReducer(background, &CallRequest{Caller: who, Name: "add", Args: u32(uint32(g*calls + i))})
				if err != nil {
					t.Error(err)
				}
				if _, err := db.SQL(background, owner, "SELECT COUNT(*) AS n FROM pair"); err != nil {
					t.Error(err)
				}
			}
			if err := db.Disconnect(background, who); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Go(func() {
		for i := range 5 {
			m := pairs()
			m.name = fmt.Sprintf("pairs%d", i)
			if _, err := w.update(db, m, UpdatePolicy{}); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	checkPairs(t, w, db, callers*calls)
	off, _ := db.lastOffset()
	if want := uint64(callers*calls + 2*callers + 5); off != want {
		t.Errorf("the last offset is %d; want %d", off, want)
	}
	w.restart()
	checkPairs(t, w, w.open(), callers*calls)
}
