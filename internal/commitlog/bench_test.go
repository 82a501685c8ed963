package commitlog

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"github.com/stdbgo/spacetime/internal/vfs"
)

// BenchmarkAppend measures copying, bookkeeping and checksums. The file discards,
// so this bounds what the log adds to a transaction's processor time; what a
// durable commit costs is BenchmarkDurable's question.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{40, 150, 1 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			l, record := openLog(b, Options{FS: discardFS{vfs.NewMem()}, Dir: testDir}), testRecord(0, size)
			defer l.Close()
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.Append(record); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDurable measures one transaction at a time from Append until it is on
// the disk that holds the temporary directory; with group > 1, that many share
// the wait.
func BenchmarkDurable(b *testing.B) {
	for _, group := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("group=%d", group), func(b *testing.B) {
			l := openLog(b, Options{FS: vfs.OS{}, Dir: filepath.Join(b.TempDir(), "clog")})
			defer l.Close()
			record := testRecord(0, 150)
			b.ReportAllocs()
			for b.Loop() {
				for range group {
					if _, err := l.Append(record); err != nil {
						b.Fatal(err)
					}
				}
				if err := l.WaitDurable(context.Background(), l.Next()-1); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*group)/b.Elapsed().Seconds(), "tx/s")
		})
	}
}

// BenchmarkReplay reads a log of one million records of 100 bytes from the
// temporary directory, most likely out of the page cache.
func BenchmarkReplay(b *testing.B) {
	l := openLog(b, Options{FS: vfs.OS{}, Dir: filepath.Join(b.TempDir(), "clog")})
	defer l.Close()
	const n = 1_000_000
	for i := range n {
		appendAll(b, l, testRecord(i, 100))
	}
	flush(b, l)
	b.SetBytes(n * 100)
	b.ReportAllocs()
	for b.Loop() {
		if err := l.Replay(0, func(_ Offset, data []byte) (int, error) { return recordLength(data) }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "tx/s")
}

// BenchmarkCheckpoint writes and reads 64 MiB that compress to about a quarter.
func BenchmarkCheckpoint(b *testing.B) {
	content := make([]byte, 64<<20)
	for i := range content {
		if i%4 == 0 {
			content[i] = byte(i * i >> 8)
		}
	}
	c, err := OpenCheckpoints(CheckpointOptions{FS: vfs.OS{}, Dir: b.TempDir()})
	must(b, err)
	b.Run("write", func(b *testing.B) {
		b.SetBytes(int64(len(content)))
		for b.Loop() {
			writeCheckpoint(b, c, 1, content)
		}
	})
	b.Run("read", func(b *testing.B) {
		b.SetBytes(int64(len(content)))
		for b.Loop() {
			r, err := c.Open(1)
			must(b, err)
			_, err = io.Copy(io.Discard, r)
			must(b, err)
			must(b, r.Close())
		}
	})
}
