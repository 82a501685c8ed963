package commitlog

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/vfs"
)

const checkpointDir = "/db/checkpoints"

func openCheckpoints(t testing.TB, fsys vfs.FS) *Checkpoints {
	t.Helper()
	c, err := OpenCheckpoints(CheckpointOptions{FS: fsys, Dir: checkpointDir})
	must(t, err)
	return c
}

func writeCheckpoint(t testing.TB, c *Checkpoints, off Offset, content []byte) {
	t.Helper()
	must(t, c.Write(off, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	}))
}

func readCheckpoint(c *Checkpoints, off Offset) ([]byte, error) {
	r, err := c.Open(off)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

func wantNewest(t testing.TB, c *Checkpoints, limit, want Offset, wantOK bool) {
	t.Helper()
	off, ok, err := newest(c, limit)
	if off != want || ok != wantOK || err != nil {
		t.Errorf("Restore(%d) = %d, %v, %v; want %d, %v", limit, off, ok, err, want, wantOK)
	}
}

// newest restores the newest checkpoint without keeping what is in it.
func newest(c *Checkpoints, limit Offset) (off Offset, ok bool, err error) {
	off, ok, _, err = c.Restore(limit, func(_ Offset, r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
	return off, ok, err
}

func noise(n int) []byte {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func TestCheckpointRoundTrip(t *testing.T) {
	c := openCheckpoints(t, vfs.NewMem())
	wantNewest(t, c, 100, 0, false)
	contents := map[Offset][]byte{
		1: {},
		2: []byte("rows"),
		3: bytes.Repeat([]byte("row "), 300_000),
		4: noise(rawBlock),
		5: noise(2*rawBlock + 1),
		6: make([]byte, rawBlock-1),
	}
	for off, content := range contents {
		must(t, c.Write(off, func(w io.Writer) error {
			for rest := content; len(rest) > 0; {
				n, err := w.Write(rest[:min(len(rest), 1000)])
				if err != nil {
					return err
				}
				rest = rest[n:]
			}
			return nil
		}))
	}
	for off, content := range contents {
		must(t, c.Check(off))
		got, err := readCheckpoint(c, off)
		must(t, err)
		if !bytes.Equal(got, content) {
			t.Errorf("checkpoint %d has %d bytes; want %d, or they differ", off, len(got), len(content))
		}
	}
	wantNewest(t, c, 100, 6, true)
}

func TestCheckpointWriteFails(t *testing.T) {
	fsys := vfs.NewMem()
	c := openCheckpoints(t, fsys)
	writeCheckpoint(t, c, 5, []byte("good"))
	stop := errors.New("stop")
	if err := c.Write(9, func(w io.Writer) error { w.Write(noise(10)); return stop }); !errors.Is(err, stop) {
		t.Errorf("Write = %v; want the callback's error", err)
	}
	fsys.SetCapacity(fsys.Used() + 1000)
	err := c.Write(9, func(w io.Writer) error {
		for {
			if _, err := w.Write(noise(100_000)); err != nil {
				return nil // the failure must not be lost
			}
		}
	})
	if !vfs.IsDiskFull(err) {
		t.Errorf("Write = %v; want a full disk", err)
	}
	if got := fileNames(t, fsys, checkpointDir); got != "0005.checkpoint" {
		t.Errorf("files: %s", got)
	}
}

// Cut and flipped at every byte, a checkpoint is never taken for good, and the
// one before is found.
func TestDamagedCheckpoint(t *testing.T) {
	fsys := vfs.NewMem()
	c := openCheckpoints(t, fsys)
	writeCheckpoint(t, c, 5, []byte("the one before"))
	writeCheckpoint(t, c, 9, []byte("the newest, damaged below"))
	name := filepath.Join(checkpointDir, "00000000000000000009.checkpoint")
	good, err := vfs.ReadFile(fsys, name)
	must(t, err)

	damage := map[string][]byte{"longer": append(bytes.Clone(good), 0)}
	for i := range good {
		flipped := bytes.Clone(good)
		flipped[i] ^= 4
		damage["flip"+string(rune(i))] = flipped
		damage["cut"+string(rune(i))] = bytes.Clone(good[:i])
	}
	older, err := vfs.ReadFile(fsys, filepath.Join(checkpointDir, "00000000000000000005.checkpoint"))
	must(t, err)
	damage["of another offset"] = older
	for what, data := range damage {
		must(t, vfs.WriteFileAtomic(fsys, name, data))
		if _, err := readCheckpoint(c, 9); err == nil {
			t.Errorf("%q: reads without an error", what)
		}
		wantNewest(t, c, 100, 5, true)
		if got := fileNames(t, fsys, checkpointDir); got != "0005.checkpoint 0009.checkpoint.bad" {
			t.Fatalf("%q: files: %s", what, got)
		}
	}
}

func TestBlocksBelongTogether(t *testing.T) {
	fsys := vfs.NewMem()
	c := openCheckpoints(t, fsys)
	writeCheckpoint(t, c, 9, noise(2*rawBlock)) // two blocks of equal length
	name := filepath.Join(checkpointDir, "00000000000000000009.checkpoint")
	good, err := vfs.ReadFile(fsys, name)
	must(t, err)
	block := (len(good) - checkpointHeaderSize - blockHeaderSize) / 2
	first, second, end := good[28:28+block], good[28+block:28+2*block], good[28+2*block:]
	for what, blocks := range map[string][][]byte{
		"swapped":   {second, first, end},
		"missing":   {second, end},
		"the last":  {first, end},
		"repeated":  {first, first, second, end},
		"only ends": {end},
	} {
		must(t, vfs.WriteFileAtomic(fsys, name, append(bytes.Clone(good[:28]), bytes.Join(blocks, nil)...)))
		if err := c.Check(9); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("%s: Check = %v; want ErrCheckpoint", what, err)
		}
	}
}

func TestCheckpointAheadOfTheLog(t *testing.T) {
	fsys := vfs.NewMem()
	c := openCheckpoints(t, fsys)
	writeCheckpoint(t, c, 5, []byte("a"))
	writeCheckpoint(t, c, 9, []byte("b"))
	wantNewest(t, c, 9, 9, true)
	// It was written when the log reached that far: a part of the log is lost.
	if _, _, err := newest(c, 8); !errors.Is(err, ErrAhead) || !strings.Contains(err.Error(), c.path(9)) {
		t.Errorf("a checkpoint ahead of the log: %v; want ErrAhead", err)
	}
	wantNewest(t, c, 9, 9, true)
	// One that is damaged as well says nothing of the log.
	data, err := vfs.ReadFile(fsys, c.path(9))
	must(t, err)
	data[30] ^= 1
	must(t, vfs.WriteFileAtomic(fsys, c.path(9), data))
	wantNewest(t, c, 8, 5, true)
}

func TestUnreadableCheckpointStays(t *testing.T) {
	fsys := vfs.NewMem()
	c := openCheckpoints(t, fsys)
	writeCheckpoint(t, c, 5, []byte("a"))
	writeCheckpoint(t, c, 9, []byte("b"))
	fsys.SetHook(func(op vfs.Op, name string) error {
		if op == vfs.OpRead && strings.Contains(name, "09.checkpoint") {
			return errors.New("input/output error")
		}
		return nil
	})
	wantNewest(t, c, 100, 5, true)
	fsys.SetHook(nil)
	wantNewest(t, c, 100, 9, true)
}

func TestPrune(t *testing.T) {
	fsys := vfs.NewMem()
	c := openCheckpoints(t, fsys)
	if _, ok, err := c.Prune(2); ok || err != nil {
		t.Errorf("Prune of nothing = %v, %v", ok, err)
	}
	for off := range Offset(5) {
		writeCheckpoint(t, c, 10*off, []byte("x"))
	}
	must(t, vfs.WriteFileAtomic(fsys, c.path(7)+badSuffix, nil))
	must(t, vfs.WriteFileAtomic(fsys, c.path(35)+badSuffix, nil))
	for range 2 {
		if oldest, ok, err := c.Prune(2); oldest != 30 || !ok || err != nil {
			t.Errorf("Prune(2) = %d, %v, %v; want 30", oldest, ok, err)
		}
		if got := fileNames(t, fsys, checkpointDir); got != "0030.checkpoint 0035.checkpoint.bad 0040.checkpoint" {
			t.Errorf("files: %s", got)
		}
	}
	if oldest, _, err := c.Prune(0); oldest != 40 || err != nil {
		t.Errorf("Prune(0) = %d, %v; want the newest to stay", oldest, err)
	}
}

// A checkpoint that cannot be read, or has rotted, does not count: the log that an
// older one needs must stay.
func TestPruneCountsGoodOnesOnly(t *testing.T) {
	fsys := vfs.NewMem()
	c := openCheckpoints(t, fsys)
	for off := range Offset(5) {
		writeCheckpoint(t, c, 10*off, []byte("rows"))
	}
	data, err := vfs.ReadFile(fsys, c.path(30))
	must(t, err)
	data[len(data)-20] ^= 1
	must(t, vfs.WriteFileAtomic(fsys, c.path(30), data))
	fsys.SetHook(func(op vfs.Op, name string) error {
		if op == vfs.OpRead && strings.Contains(name, "40.checkpoint") {
			return errors.New("input/output error")
		}
		return nil
	})
	c = openCheckpoints(t, fsys)
	if oldest, ok, err := c.Prune(2); oldest != 10 || !ok || err != nil {
		t.Errorf("Prune(2) = %d, %v, %v; want 10", oldest, ok, err)
	}
	if _, ok, err := c.Prune(3); ok || err != nil {
		t.Errorf("Prune(3) with two good ones = %v, %v; want the log to stay whole", ok, err)
	}
	fsys.SetHook(nil)
	if got := fileNames(t, fsys, checkpointDir); got != "0010.checkpoint 0020.checkpoint 0030.checkpoint 0040.checkpoint" {
		t.Errorf("files: %s", got)
	}
	fsys.SetHook(func(op vfs.Op, name string) error {
		if op == vfs.OpRead {
			return errors.New("input/output error")
		}
		return nil
	})
	c = openCheckpoints(t, fsys)
	if _, ok, err := c.Prune(1); ok || err != nil {
		t.Errorf("Prune with nothing good = %v, %v", ok, err)
	}
}

func TestPruneIntoTheArchive(t *testing.T) {
	fsys := vfs.NewMem()
	c, err := OpenCheckpoints(CheckpointOptions{FS: fsys, Dir: checkpointDir, Archive: "/archive"})
	must(t, err)
	for off := range Offset(4) {
		writeCheckpoint(t, c, off, []byte{byte(off)})
	}
	_, _, err = c.Prune(2)
	must(t, err)
	if got := fileNames(t, fsys, "/archive"); got != "0000.checkpoint 0001.checkpoint" {
		t.Errorf("archive: %s", got)
	}
	old := ReadCheckpoints(CheckpointOptions{FS: fsys, Dir: "/archive"})
	if got, err := readCheckpoint(old, 1); string(got) != "\x01" || err != nil {
		t.Errorf("the archived checkpoint reads %q, %v", got, err)
	}
}

// A checkpoint whose name is not durable, because the sync of its directory failed,
// is made so before anybody relies on it.
func TestPruneMakesNamesDurable(t *testing.T) {
	fsys := vfs.NewMem()
	c := openCheckpoints(t, fsys)
	fsys.SetHook(func(op vfs.Op, _ string) error {
		if op == vfs.OpSyncDir {
			return errors.New("input/output error")
		}
		return nil
	})
	if err := c.Write(7, func(w io.Writer) error { return nil }); err == nil {
		t.Fatal("Write says nothing of a failed sync")
	}
	if _, _, err := c.Prune(1); err == nil {
		t.Error("Prune says nothing of a failed sync")
	}
	fsys.SetHook(nil)
	if oldest, ok, err := c.Prune(1); oldest != 7 || !ok || err != nil {
		t.Errorf("Prune = %d, %v, %v", oldest, ok, err)
	}
	wantNewest(t, openCheckpoints(t, fsys.CrashClone(nil)), 100, 7, true)
}

// What load says goes before an older checkpoint is tried, and bytes that load does
// not ask for are verified as well.
func TestRestoreTriesOlderOnes(t *testing.T) {
	fsys := vfs.NewMem()
	c := openCheckpoints(t, fsys)
	for off := range Offset(4) {
		writeCheckpoint(t, c, off, noise(3*rawBlock))
	}
	data, err := vfs.ReadFile(fsys, c.path(2))
	must(t, err)
	data[len(data)-20] ^= 1 // in the last block, which load leaves
	must(t, vfs.WriteFileAtomic(fsys, c.path(2), data))
	var asked []Offset
	off, ok, failures, err := c.Restore(100, func(off Offset, r io.Reader) error {
		asked = append(asked, off)
		if off == 3 {
			return errors.New("it is not to my taste")
		}
		_, err := io.ReadFull(r, make([]byte, 10))
		return err
	})
	if off != 1 || !ok || err != nil || len(asked) != 3 {
		t.Errorf("Restore = %d, %v, %v after asking for %v; want 1", off, ok, err, asked)
	}
	if failures == nil || !strings.Contains(failures.Error(), "taste") || !errors.Is(failures, ErrCheckpoint) {
		t.Errorf("failures: %v", failures)
	}
	if got := fileNames(t, fsys, checkpointDir); got != "0000.checkpoint 0001.checkpoint 0002.checkpoint.bad 0003.checkpoint" {
		t.Errorf("files: %s", got)
	}
}

// A power cut at every operation leaves the old checkpoints, and the new one
// whole or not at all.
func TestCheckpointSurvivesPowerCuts(t *testing.T) {
	content := bytes.Repeat([]byte("state"), 3000)
	for seed := range uint64(20) {
		for n := 0; ; n++ {
			fsys := vfs.NewMem()
			c := openCheckpoints(t, fsys)
			writeCheckpoint(t, c, 5, []byte("before"))
			luck := rand.New(rand.NewPCG(seed, uint64(n)))
			var crashed *vfs.Mem
			calls := 0
			fsys.SetHook(func(op vfs.Op, _ string) error {
				if calls++; calls-1 == n {
					crashed = fsys.CrashClone(luck)
				}
				return nil
			})
			writeCheckpoint(t, c, 9, content)
			done := crashed == nil
			if done {
				fsys.SetHook(nil)
				crashed = fsys.CrashClone(nil)
			}
			c = openCheckpoints(t, crashed)
			off, ok, err := newest(c, 100)
			must(t, err)
			if !ok || off != 5 && off != 9 || done && off != 9 {
				t.Fatalf("seed %d operation %d: Restore = %d, %v", seed, n, off, ok)
			}
			want := map[Offset]string{5: "before", 9: string(content)}[off]
			if got, err := readCheckpoint(c, off); string(got) != want || err != nil {
				t.Fatalf("seed %d operation %d: checkpoint %d: %d bytes, %v", seed, n, off, len(got), err)
			}
			for name := range files(t, crashed, checkpointDir) {
				if strings.HasSuffix(name, vfs.TempSuffix) || strings.HasSuffix(name, badSuffix) {
					t.Fatalf("seed %d operation %d: %s is left", seed, n, name)
				}
			}
			if done {
				break
			}
		}
	}
}

func FuzzCheckpoint(f *testing.F) {
	fsys := vfs.NewMem()
	c := openCheckpoints(f, fsys)
	for _, content := range []string{"", "rows", strings.Repeat("row ", 1000)} {
		writeCheckpoint(f, c, 9, []byte(content))
		data, err := vfs.ReadFile(fsys, c.path(9))
		must(f, err)
		f.Add(data)
		f.Add(data[:len(data)-5])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys := vfs.NewMem()
		c := openCheckpoints(t, fsys)
		must(t, vfs.WriteFileAtomic(fsys, c.path(9), data))
		checkErr := c.Check(9)
		got, err := readCheckpoint(c, 9)
		if checkErr != nil && err == nil {
			t.Fatalf("Check: %v, but it reads %d bytes", checkErr, len(got))
		}
	})
}
