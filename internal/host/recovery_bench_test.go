package host

import (
	"encoding/binary"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/commitlog"
	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/sats"
)

// rowsModule has a table of 40-byte rows with a primary key of u64 and one more
// index, and reducers that insert them.
func rowsModule() *fakeModule {
	cols := params(sats.E("id", sats.U64), sats.E("owner", sats.U64), sats.E("a", sats.U64), sats.E("b", sats.U64), sats.E("c", sats.U64))
	return newFake("rows").
		addTable("item", cols, primary(0), index(1)).
		reducer("add", cols, func(c *fakeCall) error {
			_, _, err := c.Tx.Insert(c.table("item").ID, c.Args)
			return err
		}).
		reducer("fill", params(sats.E("from", sats.U64), sats.E("n", sats.U64)), func(c *fakeCall) error {
			r := sats.NewReader(c.Args)
			from, n := r.U64(), r.U64()
			row := make([]byte, 40)
			id := c.table("item").ID
			for i := from; i < from+n; i++ {
				benchRow(row, i)
				if _, _, err := c.Tx.Insert(id, row); err != nil {
					return err
				}
			}
			return nil
		})
}

func benchRow(row []byte, i uint64) {
	binary.LittleEndian.PutUint64(row, i)
	binary.LittleEndian.PutUint64(row[8:], i%1000)
	binary.LittleEndian.PutUint64(row[16:], i*0x9e3779b97f4a7c15)
	binary.LittleEndian.PutUint64(row[24:], i*i)
}

var benchInfo = DatabaseInfo{Replica: 1, Identity: dbID, Owner: ownerID}

func benchCreate(b *testing.B, o Options) (*Host, *Database) {
	h, engine := benchHost(b, o)
	db, err := h.Create(background, benchInfo, engine.register(rowsModule()))
	if err != nil {
		b.Fatal(err)
	}
	return h, db
}

// BenchmarkRecovery measures how long a database takes from its files to its
// tables and indexes, the module apart: from a checkpoint, and from a log of
// transactions of one row each. Beside rows by the clock it reports rows by the
// time of processors, which a busy machine does not change.
func BenchmarkRecovery(b *testing.B) {
	for _, tt := range []struct {
		name string
		rows uint64
		log  bool
	}{{"checkpoint/rows=1M", 1_000_000, false}, {"checkpoint/rows=10M", 10_000_000, false}, {"log/transactions=1M", 1_000_000, true}} {
		b.Run(tt.name, func(b *testing.B) {
			if tt.rows > 1_000_000 && testing.Short() {
				b.Skip("ten million rows; not in -short")
			}
			o := Options{Dir: b.TempDir(), FS: vfs.OS{}, CheckpointTx: 1 << 60, CheckpointBytes: 1 << 60}
			h, db := benchCreate(b, o)
			fillBench(b, db, tt.rows, tt.log)
			if err := h.Close(); err != nil {
				b.Fatal(err)
			}
			dir := h.replicaDir(1)
			runtime.GC()
			cpu := cpuTime()
			for b.Loop() {
				ckpts, err := commitlog.OpenCheckpoints(h.checkpointOptions(dir))
				if err != nil {
					b.Fatal(err)
				}
				journal, err := commitlog.Open(h.commitlogOptions(dir))
				if err != nil {
					b.Fatal(err)
				}
				r, err := h.replay(benchInfo, journal, ckpts)
				if err != nil {
					b.Fatal(err)
				}
				v := r.store.View()
				if got := v.RowCount(v.TableByName("item").ID); got != tt.rows {
					b.Fatalf("%d rows; want %d", got, tt.rows)
				}
				v.Close()
				if err := journal.Close(); err != nil {
					b.Fatal(err)
				}
			}
			cpu = cpuTime() - cpu
			b.ReportMetric(float64(tt.rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(tt.rows)*float64(b.N)/max(cpu, 1).Seconds(), "rows/cpu-s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// fillBench inserts rows, one a transaction, or many and then a checkpoint.
func fillBench(b *testing.B, db *Database, rows uint64, single bool) {
	const bulk = 10_000
	row := make([]byte, 40)
	for i := uint64(0); i < rows; {
		req := &CallRequest{Caller: alice, Name: "fill", Args: append(u64(i), u64(bulk)...)}
		if single {
			benchRow(row, i)
			req = &CallRequest{Caller: alice, Name: "add", Args: row}
			i++
		} else {
			i += bulk
		}
		if res, err := db.CallReducer(background, req); err != nil || res.Status != Committed {
			b.Fatal(err, res.Message)
		}
	}
	if single {
		return
	}
	if err := db.Checkpoint(); err != nil {
		b.Fatal(err)
	}
	db.exec.do(background, func(sats.Timestamp) {})
	db.ckpt.work.Wait()
	if list, err := filepath.Glob(filepath.Join(db.dir, checkpointsDir, "*.checkpoint")); err != nil || len(list) != 1 {
		b.Fatal("no checkpoint was written", err)
	}
}

// BenchmarkCheckpointPause measures what a checkpoint of many rows costs those who
// write meanwhile: how long the right to write is held to begin it, and the
// slowest of the transactions, each of one row, that run while it is written and
// without one, and how many of a million took longer than 5 ms.
func BenchmarkCheckpointPause(b *testing.B) {
	const rows = 10_000_000
	if testing.Short() {
		b.Skip("ten million rows; not in -short")
	}
	o := Options{Dir: b.TempDir(), FS: vfs.OS{}, CheckpointTx: 1 << 60, CheckpointBytes: 1 << 60}
	_, db := benchCreate(b, o)
	fillBench(b, db, rows, false)
	row, next := make([]byte, 40), uint64(rows)
	write := func(until func(n int) bool) (slowest, mean time.Duration, slow float64) {
		begin, n := time.Now(), 0
		for ; !until(n); n++ {
			benchRow(row, next)
			next++
			at := time.Now()
			if _, err := db.CallReducer(background, &CallRequest{Caller: alice, Name: "add", Args: row}); err != nil {
				b.Fatal(err)
			}
			took := time.Since(at)
			slowest = max(slowest, took)
			if took > 5*time.Millisecond {
				slow++
			}
		}
		return slowest, time.Since(begin) / time.Duration(max(n, 1)), 1e6 * slow / float64(max(n, 1))
	}
	micros := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	for b.Loop() {
		alone, meanAlone, slowAlone := write(func(n int) bool { return n == 300_000 })
		var begin time.Duration
		db.exec.do(background, func(sats.Timestamp) {
			at := time.Now()
			db.ckpt.begin(db)
			begin = time.Since(at)
		})
		at := time.Now()
		beside, meanBeside, slowBeside := write(func(int) bool { return !db.ckpt.busy.Load() })
		b.ReportMetric(micros(begin), "begin-µs")
		b.ReportMetric(micros(beside), "slowest-beside-µs")
		b.ReportMetric(micros(alone), "slowest-alone-µs")
		b.ReportMetric(slowBeside, "slow-beside/M")
		b.ReportMetric(slowAlone, "slow-alone/M")
		b.ReportMetric(micros(meanBeside), "mean-beside-µs")
		b.ReportMetric(micros(meanAlone), "mean-alone-µs")
		b.ReportMetric(time.Since(at).Seconds(), "checkpoint-s")
	}
	b.ReportMetric(float64(db.ckpt.last.Load())/1e6, "file-MB")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkSingleRow measures transactions that insert one 40-byte row into a table
// with a primary key and one more index, the log on: from the call to the commit in
// memory by the clock, and with all that the log's goroutine does by the time of
// processors.
func BenchmarkSingleRow(b *testing.B) {
	_, db := benchCreate(b, Options{Dir: b.TempDir(), FS: vfs.OS{}})
	row, next := make([]byte, 40), uint64(0)
	b.ReportAllocs()
	cpu := cpuTime()
	for b.Loop() {
		benchRow(row, next)
		next++
		if _, err := db.CallReducer(background, &CallRequest{Caller: alice, Name: "add", Args: row}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/float64(b.N), "cpu-ns/op")
	if _, err := db.WaitDurable(background, next); err != nil { // the last one's offset: `init` had 0
		b.Fatal(err)
	}
}
