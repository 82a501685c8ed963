package commitlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/leaktest"
	"github.com/stdbgo/spacetime/internal/vfs"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const testDir = "/db/clog"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// testRecord makes a record that tells its own length, as transaction records do.
func testRecord(i, size int) []byte {
	r := make([]byte, max(size, 8))
	binary.LittleEndian.PutUint32(r, uint32(len(r)))
	for j := 4; j < len(r); j++ {
		r[j] = byte(i*31 + j)
	}
	return r
}

func recordLength(data []byte) (int, error) {
	if len(data) < 4 {
		return 0, errors.New("no length")
	}
	return int(binary.LittleEndian.Uint32(data)), nil
}

func testOptions(fsys vfs.FS) Options {
	return Options{FS: fsys, Dir: testDir, firstStep: 1 << 10}
}

func openLog(t testing.TB, o Options) *Log {
	t.Helper()
	l, err := Open(o)
	must(t, err)
	return l
}

func appendAll(t testing.TB, l *Log, records ...[]byte) {
	t.Helper()
	for _, r := range records {
		_, err := l.Append(r)
		must(t, err)
	}
}

// appendGroup appends records so that they become one commit.
func appendGroup(l *Log, records ...[]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := &batch{}
	b.reset(l.mu.next)
	l.mu.queue = append(l.mu.queue, b)
	for _, r := range records {
		b.add(r)
		l.mu.next++
		l.mu.queuedTx++
		l.mu.queuedB += int64(len(r))
	}
	l.mu.work.Signal()
}

// flush waits until all that was appended is durable.
func flush(t testing.TB, l *Log) {
	t.Helper()
	if next := l.Next(); next > 0 {
		must(t, l.WaitDurable(context.Background(), next-1))
	}
}

// replayed collects what a replay applies.
func replayed(j Journal, from Offset) (records [][]byte, err error) {
	next := from
	err = j.Replay(from, func(off Offset, data []byte) (int, error) {
		n, err := recordLength(data)
		if err != nil || off < from {
			return n, err
		}
		if off != next {
			return 0, fmt.Errorf("offset %d; want %d", off, next)
		}
		next++
		records = append(records, slices.Clone(data[:n]))
		return n, nil
	})
	return records, err
}

func wantReplay(t testing.TB, j Journal, from Offset, want [][]byte) {
	t.Helper()
	got, err := replayed(j, from)
	if err != nil {
		t.Fatalf("Replay(%d): %v", from, err)
	}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Fatalf("Replay(%d) gives %d records; want %d, or they differ", from, len(got), len(want))
	}
}

// files returns the content of a directory by file name.
func files(t testing.TB, fsys vfs.FS, dir string) map[string]string {
	t.Helper()
	entries, err := fsys.ReadDir(dir)
	must(t, err)
	all := map[string]string{}
	for _, e := range entries {
		data, err := vfs.ReadFile(fsys, filepath.Join(dir, e.Name()))
		must(t, err)
		all[e.Name()] = string(data)
	}
	return all
}

func fileNames(t testing.TB, fsys vfs.FS, dir string) string {
	t.Helper()
	var list []string
	for name := range files(t, fsys, dir) {
		list = append(list, strings.Replace(name, "0000000000000000", "", 1))
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// putFile writes a file of the log's directory, durably.
func putFile(t testing.TB, fsys vfs.FS, name string, data []byte) {
	t.Helper()
	must(t, fsys.MkdirAll(testDir))
	must(t, vfs.WriteFileAtomic(fsys, filepath.Join(testDir, name), data))
}

// rawCommit encodes one commit; version 0 leaves out the epoch.
func rawCommit(version byte, min Offset, epoch uint64, records ...[]byte) []byte {
	body := slices.Concat(records...)
	b := binary.LittleEndian.AppendUint64(nil, uint64(min))
	if version > 0 {
		b = binary.LittleEndian.AppendUint64(b, epoch)
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(records)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)))
	b = append(b, body...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

// rawSegment encodes a segment of version 1.
func rawSegment(commits ...[]byte) []byte {
	return append([]byte("(ds)^2\x01\x00\x00\x00"), slices.Concat(commits...)...)
}

// testRecords makes n records of growing size.
func testRecords(n int) [][]byte {
	records := make([][]byte, n)
	for i := range records {
		records[i] = testRecord(i, 20+i)
	}
	return records
}
