package host

import (
	"errors"
	"io/fs"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/sats"
)

// wantNoReplica wants nothing of the replica on disk, not even after a power cut.
func (w *world) wantNoReplica(what string) {
	w.t.Helper()
	for _, disk := range []*vfs.Mem{w.fs, w.fs.CrashClone(nil)} {
		entries, err := disk.ReadDir("/data/replicas")
		if err != nil || len(entries) != 0 {
			w.t.Errorf("%s: %v, %v is left of the replica", what, entries, err)
		}
	}
}

// A deleted replica has no files, runs nothing any more, and stays away.
func TestDelete(t *testing.T) {
	spec.Covers(t, "08.61")
	w := newWorld(t)
	k := newTicker(w, "ticker")
	db := w.create(k.fakeModule)
	w.call(db, alice, "plan", timerRow(0, sats.ScheduleInterval(second), "tick"))
	w.clock.advance(1500 * time.Millisecond)
	k.expect("before", "tick at 1000000")
	if err := w.host.Delete(background, 1); err != nil {
		t.Fatal(err)
	}
	w.wantNoReplica("deleted")
	w.clock.advance(10 * time.Second)
	k.expect("after the deletion")
	if _, err := w.host.Open(background, w.info, func() ([]byte, error) { return []byte("pairs"), nil }); !errors.Is(err, ErrStopped) {
		t.Errorf("a deleted replica is opened: %v", err)
	}
	w.wantNoReplica("opened again")
	if err := w.host.Delete(background, 1); err != nil {
		t.Errorf("deleted twice: %v", err)
	}
	if err := w.host.Delete(background, 77); err != nil {
		t.Errorf("a replica that never was: %v", err)
	}
}

// A creation that fails leaves nothing, whichever operation on the disk it was.
func TestFailedCreationLeavesNothing(t *testing.T) {
	w := newWorld(t)
	w.create(pairs())
	if err := w.host.Delete(background, 1); err != nil {
		t.Fatal(err)
	}
	program := w.engine.register(pairs())
	failed := 0
	for n := 0; ; n++ {
		var mu sync.Mutex
		calls, broken, removing := 0, errors.New("input/output error"), false
		w.fs.SetHook(func(op vfs.Op, _ string) error {
			mu.Lock()
			defer mu.Unlock()
			removing = removing || op == vfs.OpRemove
			if calls++; calls-1 >= n && op.Changes() && op != vfs.OpRemove && !(removing && op == vfs.OpSyncDir) {
				return broken
			}
			return nil
		})
		w.info.Replica = uint64(10 + n)
		_, err := w.host.Create(background, w.info, program)
		w.fs.SetHook(nil)
		if err == nil { // from here on failures come after the answer
			_ = w.host.Delete(background, w.info.Replica)
			break
		}
		failed++
		w.wantNoReplica(err.Error())
	}
	if failed < 10 {
		t.Errorf("only %d failures", failed)
	}
}

// A database that is open and does nothing takes little of the disk.
func TestIdleDatabaseOnDisk(t *testing.T) {
	h, err := New(Options{Dir: t.TempDir(), FS: vfs.OS{}, Engines: map[ProgramKind]abi.Engine{Wasm: &fakeEngine{}}})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	engine := h.opts.Engines[Wasm].(*fakeEngine)
	db, err := h.Create(background, DatabaseInfo{Replica: 1, Identity: dbID, Owner: ownerID}, engine.register(pairs()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.WaitDurable(background, 0); err != nil {
		t.Fatal(err)
	}
	var size int64
	err = filepath.WalkDir(h.opts.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		size += info.Size()
		return err
	})
	if err != nil || size >= 1<<20 {
		t.Errorf("%d bytes on disk, %v; want less than 1 MiB", size, err)
	}
}
