package control

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/sats"
)

// publish goes through the steps of a first publish, or of a reset if the database
// is there, up to the number of steps given.
func publish(t *testing.T, d *DB, id sats.Identity, program string, steps int) (replica uint64) {
	t.Helper()
	if steps == 0 {
		return 0
	}
	h, err := d.PutProgram([]byte(program))
	must(t, err)
	if steps == 1 {
		return 0
	}
	replica, err = d.NextReplica()
	must(t, err)
	if steps == 2 {
		return replica
	}
	if _, err := d.Database(id); err == nil {
		must(t, d.Replace(id, replica, Wasm, h))
	} else {
		n, err := d.NextID()
		must(t, err)
		must(t, d.Insert(Database{ID: n, Identity: id, Owner: identity(1), Kind: Wasm, InitialProgram: Hash(h), Replica: replica}, ""))
	}
	if steps > 3 {
		must(t, d.ReleaseProgram(h))
	}
	return replica
}

func programFiles(t *testing.T, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "program-bytes"), func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return n
}

func wantLitter(t *testing.T, d *DB, want ...uint64) {
	t.Helper()
	got, err := d.Litter()
	must(t, err)
	if !slices.Equal(got, want) {
		t.Errorf("litter: %v; want %v", got, want)
	}
}

// Wherever a crash ends a publish, the next start finds what it left behind, and
// nothing that belongs to a database.
func TestLitterOfAPublishCutShort(t *testing.T) {
	for steps := range 5 {
		dir := t.TempDir()
		d := open(t, dir)
		replica := publish(t, d, identity(11), "a program", steps)
		must(t, d.Close())
		d = open(t, dir)
		programs := programFiles(t, dir)
		if steps < 3 {
			if programs != 0 {
				t.Errorf("after %d steps: %d program files", steps, programs)
			}
			if steps == 2 {
				wantLitter(t, d, replica)
				must(t, d.Swept(replica))
			}
		} else if programs != 1 {
			t.Errorf("after %d steps: %d program files; want 1", steps, programs)
		}
		wantLitter(t, d)
	}
}

func TestLitterOfDeletedAndResetDatabases(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	one := publish(t, d, identity(11), "shared", 4)
	two := publish(t, d, identity(12), "shared", 4)
	three := publish(t, d, identity(13), "own", 4)
	wantLitter(t, d)
	if n := programFiles(t, dir); n != 2 {
		t.Errorf("%d program files; want 2", n)
	}
	must(t, d.Delete(identity(11)))
	must(t, d.SweepPrograms())
	wantLitter(t, d, one)
	if n := programFiles(t, dir); n != 2 {
		t.Errorf("%d program files; want 2: another database has the same program", n)
	}
	four := publish(t, d, identity(13), "new", 4) // a reset
	wantLitter(t, d, one, three)
	must(t, d.Delete(identity(12)))
	must(t, d.SweepPrograms())
	wantLitter(t, d, one, two, three)
	if n := programFiles(t, dir); n != 1 {
		t.Errorf("%d program files; want that of the last reset", n)
	}
	for _, r := range []uint64{one, two, three} {
		must(t, d.Swept(r))
	}
	wantLitter(t, d)
	if rec, err := d.Database(identity(13)); err != nil || rec.Replica != four {
		t.Errorf("%+v, %v", rec, err)
	}
	left, err := os.ReadDir(filepath.Join(dir, "program-bytes"))
	if err != nil || len(left) != 1 {
		t.Errorf("folders of programs: %v, %v", left, err)
	}
}

// A program that two publishes use at once stays until both are through.
func TestProgramOfTwoPublishes(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	h, err := d.PutProgram([]byte("p"))
	must(t, err)
	_, err = d.PutProgram([]byte("p"))
	must(t, err)
	must(t, d.ReleaseProgram(h)) // the first one failed
	if _, err := d.Program(h); err != nil {
		t.Fatal(err)
	}
	must(t, d.ReleaseProgram(h))
	if n := programFiles(t, dir); n != 0 {
		t.Errorf("%d program files", n)
	}
}

// Whenever the power fails while programs are stored, replaced and removed: every
// database has its program, and nothing else is left after the next start.
func TestProgramsSurvivePowerCuts(t *testing.T) {
	for seed := range uint64(2) {
		for n := 0; ; n++ {
			dir, disk := t.TempDir(), vfs.NewMem()
			must(t, disk.MkdirAll(dir))
			d, err := Open(Options{Dir: dir, FS: disk, Hash: hash})
			must(t, err)
			calls := 0
			var crashed *vfs.Mem
			off := errors.New("the power is off")
			disk.SetHook(func(op vfs.Op, _ string) error {
				if !op.Changes() {
					return nil
				}
				if calls++; calls-1 == n {
					crashed = disk.CrashClone(rand.New(rand.NewPCG(seed, uint64(n))))
				}
				if crashed != nil {
					return off
				}
				return nil
			})
			err = lifeOfPrograms(d)
			if (err == nil) != (crashed == nil) {
				t.Fatalf("seed %d operation %d: %v", seed, n, err)
			}
			must(t, d.Close())
			done := crashed == nil
			if done {
				disk.SetHook(nil)
				crashed = disk.CrashClone(nil)
			}
			d, err = Open(Options{Dir: dir, FS: crashed, Hash: hash})
			if err != nil {
				t.Fatalf("seed %d operation %d: %v", seed, n, err)
			}
			all, err := d.Databases()
			must(t, err)
			programs := map[Hash]bool{}
			for _, rec := range all {
				programs[rec.InitialProgram] = true
				if _, err := d.Program(sats.Hash(rec.InitialProgram)); err != nil {
					t.Fatalf("seed %d operation %d: %v", seed, n, err)
				}
			}
			if files := filesBelow(t, crashed, d.programs); files != len(programs) {
				t.Fatalf("seed %d operation %d: %d files of programs for %d", seed, n, files, len(programs))
			}
			must(t, d.Close())
			if done {
				break
			}
		}
	}
}

// lifeOfPrograms publishes, resets and deletes.
func lifeOfPrograms(d *DB) error {
	for i, p := range []string{"a", "b", "a"} {
		h, err := d.PutProgram([]byte(p))
		if err != nil {
			return err
		}
		replica, err := d.NextReplica()
		if err != nil {
			return err
		}
		rec := Database{ID: uint64(100 + i), Identity: identity(byte(i)), Owner: identity(1), Kind: Wasm, InitialProgram: Hash(h), Replica: replica}
		if err := errors.Join(d.Insert(rec, ""), d.ReleaseProgram(h)); err != nil {
			return err
		}
	}
	h, err := d.PutProgram([]byte("c"))
	if err != nil {
		return err
	}
	replica, err := d.NextReplica()
	if err != nil {
		return err
	}
	if err := errors.Join(d.Replace(identity(1), replica, Wasm, h), d.ReleaseProgram(h)); err != nil {
		return err
	}
	for _, id := range []byte{0, 2} {
		if err := errors.Join(d.Delete(identity(id)), d.SweepPrograms()); err != nil {
			return err
		}
	}
	return nil
}

func filesBelow(t *testing.T, fsys vfs.FS, dir string) (n int) {
	t.Helper()
	entries, err := fsys.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			n += filesBelow(t, fsys, filepath.Join(dir, e.Name()))
		} else {
			n++
		}
	}
	return n
}
