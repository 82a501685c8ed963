package vfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stdbgo/spacetime/internal/vfs"
)

// each runs a test on every implementation, in a fresh directory.
func each(t *testing.T, f func(t *testing.T, fsys vfs.FS, dir string)) {
	t.Run("OS", func(t *testing.T) { f(t, vfs.OS{}, t.TempDir()) })
	t.Run("Mem", func(t *testing.T) {
		m := vfs.NewMem()
		must(t, m.MkdirAll("/work"))
		f(t, m, "/work")
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, fsys vfs.FS, name, content string) {
	t.Helper()
	f, err := fsys.Create(name)
	must(t, err)
	_, err = f.Write([]byte(content))
	must(t, err)
	must(t, f.Close())
}

func read(t *testing.T, fsys vfs.FS, name string) string {
	t.Helper()
	data, err := vfs.ReadFile(fsys, name)
	must(t, err)
	return string(data)
}

func names(t *testing.T, fsys vfs.FS, dir string) []string {
	t.Helper()
	entries, err := fsys.ReadDir(dir)
	must(t, err)
	list := []string{}
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() {
			name += "/"
		}
		list = append(list, name)
	}
	return list
}

func TestFiles(t *testing.T) {
	each(t, func(t *testing.T, fsys vfs.FS, dir string) {
		name := filepath.Join(dir, "a")
		f, err := fsys.Create(name)
		must(t, err)
		_, err = f.WriteAt([]byte("world"), 6)
		must(t, err)
		_, err = f.WriteAt([]byte("hello"), 0)
		must(t, err)
		must(t, f.Sync())
		must(t, f.SyncData())
		if size, err := f.Size(); size != 11 || err != nil {
			t.Errorf("Size() = %d, %v; want 11", size, err)
		}
		if got := read(t, fsys, name); got != "hello\x00world" {
			t.Errorf("content = %q", got)
		}
		must(t, f.Truncate(5))
		must(t, f.Truncate(7))
		if got := read(t, fsys, name); got != "hello\x00\x00" {
			t.Errorf("content after Truncate = %q", got)
		}
		var p [10]byte
		if n, err := f.ReadAt(p[:], 4); n != 3 || err != io.EOF {
			t.Errorf("ReadAt past the end = %d, %v; want 3, EOF", n, err)
		}
		must(t, f.Close())
		if err := f.Close(); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("second Close: %v", err)
		}
		if _, err := f.Write(p[:]); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Write after Close: %v", err)
		}

		for _, part := range []string{"x", "yz"} {
			f, err := fsys.OpenAppend(filepath.Join(dir, "log"))
			must(t, err)
			_, err = f.Write([]byte(part))
			must(t, err)
			must(t, f.Close())
		}
		if got := read(t, fsys, filepath.Join(dir, "log")); got != "xyz" {
			t.Errorf("appended = %q; want xyz", got)
		}

		f, err = fsys.Open(name)
		must(t, err)
		if _, err := f.Write([]byte("no")); err == nil {
			t.Error("Write succeeds on a file opened for reading")
		}
		must(t, f.Close())

		f, err = fsys.OpenRW(name)
		must(t, err)
		_, err = f.WriteAt([]byte("J"), 0)
		must(t, err)
		must(t, f.Close())
		if got := read(t, fsys, name); got != "Jello\x00\x00" {
			t.Errorf("after OpenRW = %q", got)
		}
	})
}

func TestNames(t *testing.T) {
	each(t, func(t *testing.T, fsys vfs.FS, dir string) {
		sub := filepath.Join(dir, "x", "y")
		must(t, fsys.MkdirAll(sub))
		must(t, fsys.MkdirAll(sub))
		write(t, fsys, filepath.Join(sub, "b"), "b")
		write(t, fsys, filepath.Join(sub, "a"), "a")
		must(t, fsys.SyncDir(sub))
		if got, want := fmt.Sprint(names(t, fsys, sub)), "[a b]"; got != want {
			t.Errorf("names = %s; want %s", got, want)
		}
		if got, want := fmt.Sprint(names(t, fsys, dir)), "[x/]"; got != want {
			t.Errorf("names = %s; want %s", got, want)
		}
		must(t, fsys.Rename(filepath.Join(sub, "a"), filepath.Join(sub, "b")))
		if got := read(t, fsys, filepath.Join(sub, "b")); got != "a" {
			t.Errorf("Rename over a file left %q", got)
		}
		info, err := fsys.Stat(filepath.Join(sub, "b"))
		must(t, err)
		if info.Size() != 1 || info.IsDir() || info.Name() != "b" {
			t.Errorf("Stat = %v %d %v", info.Name(), info.Size(), info.IsDir())
		}
		for what, err := range map[string]error{
			"Remove of a full directory": fsys.Remove(sub),
			"MkdirAll over a file":       fsys.MkdirAll(filepath.Join(sub, "b")),
			"Create over a directory":    errOf(fsys.Create(sub)),
		} {
			if err == nil {
				t.Errorf("%s succeeds", what)
			}
		}
		must(t, fsys.Remove(filepath.Join(sub, "b")))
		must(t, fsys.RemoveAll(filepath.Join(dir, "x")))
		must(t, fsys.RemoveAll(filepath.Join(dir, "x")))
		for what, err := range map[string]error{
			"Open":    errOf(fsys.Open(sub)),
			"OpenRW":  errOf(fsys.OpenRW(sub)),
			"Stat":    errOf(fsys.Stat(sub)),
			"ReadDir": errOf(fsys.ReadDir(sub)),
			"Rename":  fsys.Rename(sub, filepath.Join(dir, "z")),
			"Remove":  fsys.Remove(sub),
			"Create":  errOf(fsys.Create(filepath.Join(sub, "c"))),
		} {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s of what is missing: %v; want fs.ErrNotExist", what, err)
			}
		}
	})
}

func errOf[T any](_ T, err error) error { return err }

func TestLock(t *testing.T) {
	each(t, func(t *testing.T, fsys vfs.FS, dir string) {
		name := filepath.Join(dir, "db.lock")
		lock, err := fsys.Lock(name)
		must(t, err)
		if _, err := fsys.Lock(name); !errors.Is(err, vfs.ErrLocked) {
			t.Errorf("second Lock: %v; want ErrLocked", err)
		}
		must(t, lock.Close())
		lock, err = fsys.Lock(name)
		must(t, err)
		must(t, lock.Close())
		if got, want := fmt.Sprint(names(t, fsys, dir)), "[db.lock]"; got != want {
			t.Errorf("names = %s; want %s", got, want)
		}
	})
}

func TestWriteFileAtomic(t *testing.T) {
	each(t, func(t *testing.T, fsys vfs.FS, dir string) {
		name := filepath.Join(dir, "a")
		for _, content := range []string{"one", "", "three"} {
			must(t, vfs.WriteFileAtomic(fsys, name, []byte(content)))
			if got := read(t, fsys, name); got != content {
				t.Errorf("content = %q; want %q", got, content)
			}
		}
		if got, want := fmt.Sprint(names(t, fsys, dir)), "[a]"; got != want {
			t.Errorf("names = %s; want %s", got, want)
		}
	})
}

// At every operation of an atomic write the power fails, or the operation does.
// The file must hold the old content or the new one, and after success the new.
func TestWriteFileAtomicSurvives(t *testing.T) {
	before, after := bytes.Repeat([]byte("old "), 700), bytes.Repeat([]byte("new "), 900)
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 1))
		for n := 0; ; n++ {
			m := vfs.NewMem()
			must(t, vfs.WriteFileAtomic(m, "/f", before))
			var cut *vfs.Mem
			calls := 0
			m.SetHook(func(op vfs.Op, name string) error {
				calls++
				if calls-1 == n {
					cut = m.CrashClone(rng)
					if seed%2 == 1 {
						return errors.New("injected")
					}
				}
				return nil
			})
			err := vfs.WriteFileAtomic(m, "/f", after)
			m.SetHook(nil)
			if cut == nil {
				must(t, err)
				if got := read(t, m.CrashClone(nil), "/f"); got != string(after) {
					t.Fatalf("seed %d: after success a crash leaves %d bytes", seed, len(got))
				}
				break
			}
			if (err != nil) != (seed%2 == 1) {
				t.Fatalf("seed %d operation %d: %v", seed, n, err)
			}
			for which, fsys := range map[string]*vfs.Mem{"crash": cut, "failure": m, "failure, then crash": m.CrashClone(rng)} {
				if got := read(t, fsys, "/f"); got != string(before) && got != string(after) {
					t.Fatalf("seed %d, %s at operation %d: content is neither old nor new (%d bytes)", seed, which, n, len(got))
				}
			}
		}
	}
}

func TestMemCrash(t *testing.T) {
	m := vfs.NewMem()
	f, err := m.Create("/f")
	must(t, err)
	_, err = f.Write(bytes.Repeat([]byte{1}, 2000))
	must(t, err)

	if got := names(t, m.CrashClone(nil), "/"); len(got) != 0 {
		t.Errorf("a name without SyncDir survived: %v", got)
	}
	must(t, m.SyncDir("/"))
	if got := read(t, m.CrashClone(nil), "/f"); got != "" {
		t.Errorf("%d bytes survived without Sync", len(got))
	}
	must(t, f.Sync())
	_, err = f.WriteAt(bytes.Repeat([]byte{2}, 3000), 0)
	must(t, err)
	if got := read(t, m.CrashClone(nil), "/f"); got != string(bytes.Repeat([]byte{1}, 2000)) {
		t.Error("the synced content did not survive as it was")
	}
	kinds := map[string]bool{}
	for seed := range uint64(100) {
		got := read(t, m.CrashClone(rand.New(rand.NewPCG(seed, 0))), "/f")
		again := read(t, m.CrashClone(rand.New(rand.NewPCG(seed, 0))), "/f")
		if got != again {
			t.Fatalf("seed %d gives two results", seed)
		}
		for i := 0; i+512 <= len(got) && i < 1500; i += 512 {
			block := got[i : i+512]
			switch ones := bytes.Count([]byte(block), []byte{1}); {
			case ones == 512:
				kinds["lost"] = true
			case ones == 0:
				kinds["kept"] = true
			default:
				kinds["torn"] = true
			}
		}
	}
	if len(kinds) != 3 {
		t.Errorf("100 crashes show blocks %v; want kept, lost and torn", kinds)
	}
}

func TestMemFailedSyncLosesData(t *testing.T) {
	m := vfs.NewMem()
	f, err := m.Create("/f")
	must(t, err)
	must(t, m.SyncDir("/"))
	_, err = f.Write([]byte("data"))
	must(t, err)
	m.SetHook(func(op vfs.Op, _ string) error {
		if op == vfs.OpSync {
			return errors.New("injected")
		}
		return nil
	})
	if err := f.Sync(); err == nil {
		t.Fatal("Sync succeeds")
	}
	m.SetHook(nil)
	must(t, f.Sync())
	if got := read(t, m, "/f"); got != "data" {
		t.Errorf("visible: %q", got)
	}
	if got := read(t, m.CrashClone(nil), "/f"); got != "" {
		t.Errorf("after a failed sync %q is on disk", got)
	}
}

func TestMemCapacityAndShortWrites(t *testing.T) {
	m := vfs.NewMem()
	m.SetCapacity(10)
	f, err := m.Create("/f")
	must(t, err)
	n, err := f.Write([]byte("0123456789ab"))
	if n != 10 || !vfs.IsDiskFull(err) || !errors.Is(err, vfs.ErrDiskFull) {
		t.Errorf("Write = %d, %v; want 10 and a full disk", n, err)
	}
	if n, err := f.WriteAt([]byte("xy"), 8); n != 2 || err != nil {
		t.Errorf("overwriting on a full disk = %d, %v", n, err)
	}
	must(t, f.Truncate(4))
	if m.Used() != 4 {
		t.Errorf("Used() = %d; want 4", m.Used())
	}
	injected := errors.New("injected")
	m.SetHook(func(op vfs.Op, _ string) error {
		if op == vfs.OpWrite {
			return vfs.ShortWrite{N: 2, Err: injected}
		}
		return nil
	})
	if n, err := f.WriteAt([]byte("abcd"), 0); n != 2 || !errors.Is(err, injected) {
		t.Errorf("WriteAt = %d, %v; want 2, injected", n, err)
	}
	if got := read(t, m, "/f"); got != "ab23" {
		t.Errorf("content = %q; want ab23", got)
	}
	m.SetHook(nil)
	must(t, m.Remove("/f"))
	if m.Used() != 0 {
		t.Errorf("Used() after Remove = %d", m.Used())
	}
}
