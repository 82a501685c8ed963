package store

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// filled returns a table of n rows (id u32, x u32, payload 32 bytes), as 40-byte
// rows are what the measurements of the architecture speak of.
func filled(b testing.TB, n int, algo schema.Algo, ordered bool) (*Store, *schema.Table) {
	s := New(Options{})
	d := tableDef("t", col("id", sats.U32), col("x", sats.U32), col("p", sats.U256Type))
	withUnique(d, algo, 0)
	if ordered {
		withIndex(d, schema.BTree, 1)
	}
	tx := s.Begin()
	def, err := tx.CreateTable(d)
	if err != nil {
		b.Fatal(err)
	}
	row := make([]byte, 40)
	for i := range n {
		binary.LittleEndian.PutUint32(row, uint32(i))
		binary.LittleEndian.PutUint32(row[4:], uint32(i)*2654435761)
		if _, _, err := tx.Insert(def.ID, row); err != nil {
			b.Fatal(err)
		}
	}
	tx.Commit(nil).Delta.Release()
	return s, def
}

func BenchmarkFindUnique(b *testing.B) {
	for _, algo := range []schema.Algo{schema.BTree, schema.Direct} {
		for _, n := range []int{10_000, 100_000, 1_000_000} {
			b.Run(fmt.Sprintf("algo=%s/rows=%d", algo, n), func(b *testing.B) {
				s, def := filled(b, n, algo, false)
				tx := s.Begin()
				defer tx.Rollback()
				ix := def.Indexes[0].ID
				var key [4]byte
				b.ReportAllocs()
				i := uint32(0)
				for b.Loop() {
					i = i*1664525 + 1013904223
					binary.LittleEndian.PutUint32(key[:], i%uint32(n))
					if _, ok := tx.FindUnique(ix, key[:]); !ok {
						b.Fatal("lost")
					}
				}
			})
		}
	}
}

// BenchmarkUpdateCommit is a transaction that changes one row: begin, update, record,
// delta, commit.
func BenchmarkUpdateCommit(b *testing.B) {
	for _, ordered := range []bool{false, true} {
		for _, release := range []bool{true, false} {
			b.Run(fmt.Sprintf("rows=100000/ordered=%v/release=%v", ordered, release), func(b *testing.B) {
				s, def := filled(b, 100_000, schema.BTree, ordered)
				in := &Inputs{Reducer: "move", Args: make([]byte, 8)}
				row := make([]byte, 40)
				b.ReportAllocs()
				i := uint32(0)
				for b.Loop() {
					i = i*1664525 + 1013904223
					binary.LittleEndian.PutUint32(row, i%100_000)
					binary.LittleEndian.PutUint32(row[4:], i)
					tx := s.Begin()
					if _, _, err := tx.Update(def.ID, def.Indexes[0].ID, row); err != nil {
						b.Fatal(err)
					}
					if c := tx.Commit(in); release {
						c.Delta.Release()
					}
				}
			})
		}
	}
}

func BenchmarkInsertDelete(b *testing.B) {
	s, def := filled(b, 100_000, schema.BTree, false)
	row := make([]byte, 40)
	b.ReportAllocs()
	i := uint32(0)
	for b.Loop() {
		i++
		binary.LittleEndian.PutUint32(row, 100_000+i)
		tx := s.Begin()
		if _, _, err := tx.Insert(def.ID, row); err != nil {
			b.Fatal(err)
		}
		tx.Commit(nil).Delta.Release()
		tx = s.Begin()
		if n, err := tx.DeletePoint(def.Indexes[0].ID, row[:4]); n != 1 || err != nil {
			b.Fatal(err)
		}
		tx.Commit(nil).Delta.Release()
	}
}

// BenchmarkBulkInsert is inserts into one transaction, without its commit.
func BenchmarkBulkInsert(b *testing.B) {
	for _, ordered := range []bool{false, true} {
		b.Run(fmt.Sprintf("ordered=%v", ordered), func(b *testing.B) {
			s, def := filled(b, 0, schema.BTree, ordered)
			row := make([]byte, 40)
			b.ReportAllocs()
			i := uint32(0)
			tx := s.Begin()
			for b.Loop() {
				i++
				binary.LittleEndian.PutUint32(row, i)
				binary.LittleEndian.PutUint32(row[4:], i*2654435761)
				if _, _, err := tx.Insert(def.ID, row); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// texts returns a table of n rows (id u32, text) whose texts have up to spread
// bytes; one class of slots for each kind of row there is.
func texts(b testing.TB, n, spread int) (*Store, *schema.Table) {
	s := New(Options{})
	def := create(b, s, withUnique(tableDef("t", col("id", sats.U32), col("s", sats.String)), schema.BTree, 0))
	tx := s.Begin()
	x := uint32(1)
	for i := range uint32(n) {
		x = x*1664525 + 1013904223
		row := append(u32(i), u32(x>>8%uint32(spread))...)
		mustInsert(b, tx, def.ID, append(row, make([]byte, x>>8%uint32(spread))...))
	}
	tx.Commit(nil)
	return s, def
}

func BenchmarkScan(b *testing.B) {
	for _, c := range []struct {
		name string
		make func() (*Store, *schema.Table)
	}{
		{"fixed", func() (*Store, *schema.Table) { return filled(b, 100_000, schema.BTree, false) }},
		{"varying/spread=8", func() (*Store, *schema.Table) { return texts(b, 100_000, 8) }},
		{"varying/spread=40", func() (*Store, *schema.Table) { return texts(b, 100_000, 40) }},
		{"varying/spread=400", func() (*Store, *schema.Table) { return texts(b, 100_000, 400) }},
	} {
		s, def := c.make()
		tx, v := s.Begin(), s.View()
		for _, r := range []struct {
			name string
			r    Reader
		}{{"tx", tx}, {"view", v}} {
			b.Run(c.name+"/"+r.name, func(b *testing.B) {
				n := 0
				b.ReportAllocs()
				for b.Loop() {
					for row := range r.r.Scan(def.ID) {
						n += len(row)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/row")
			})
		}
		b.Logf("%s: %d bytes", c.name, s.tables[def.ID].rows.bytes)
		v.Close()
		tx.Rollback()
	}
}

func BenchmarkView(b *testing.B) {
	s, _ := filled(b, 100_000, schema.BTree, false)
	b.ReportAllocs()
	for b.Loop() {
		s.View().Close()
	}
}

func BenchmarkRecovery(b *testing.B) {
	const n = 100_000
	s, def := filled(b, n, schema.BTree, true)
	tx := s.Begin()
	tx.Clear(def.ID)
	c := tx.Commit(nil)
	_ = c
	tx = s.Begin()
	row := make([]byte, 40)
	for i := range n {
		binary.LittleEndian.PutUint32(row, uint32(i))
		tx.Insert(def.ID, row)
	}
	rec := tx.Commit(nil).Record
	create := tableDef("t", def.Cols...)
	create.Indexes, create.Constraints = def.Indexes, def.Constraints
	fresh := New(Options{})
	tx = fresh.Begin()
	if _, err := tx.CreateTable(create); err != nil {
		b.Fatal(err)
	}
	first := tx.Commit(nil).Record
	for b.Loop() {
		r := New(Options{})
		if _, err := r.ReplayRecord(0, first); err != nil {
			b.Fatal(err)
		}
		if _, err := r.ReplayRecord(1, rec); err != nil {
			b.Fatal(err)
		}
		if err := r.FinishReplay(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
}

// The hot paths do not allocate once their buffers have grown.
func TestAllocations(t *testing.T) {
	s, def := filled(t, 10_000, schema.BTree, true)
	in := &Inputs{Reducer: "move", Args: make([]byte, 8)}
	row, key := make([]byte, 40), make([]byte, 4)
	i := uint32(0)
	step := func() []byte {
		i = i*1664525 + 1013904223
		binary.LittleEndian.PutUint32(row, i%10_000)
		binary.LittleEndian.PutUint32(row[4:], i)
		copy(key, row)
		return row
	}
	tx := s.Begin()
	if n := testing.AllocsPerRun(100, func() { step(); tx.FindUnique(def.Indexes[0].ID, key) }); n != 0 {
		t.Errorf("FindUnique allocates %v times", n)
	}
	tx.Rollback()
	for _, c := range []struct {
		name string
		max  float64
		do   func()
	}{
		{"an empty transaction", 0, func() { s.Begin().Commit(nil).Delta.Release() }},
		{"update, released", 0, func() {
			tx := s.Begin()
			tx.Update(def.ID, def.Indexes[0].ID, step())
			tx.Commit(in).Delta.Release()
		}},
		{"update, not released", 3, func() {
			tx := s.Begin()
			tx.Update(def.ID, def.Indexes[0].ID, step())
			tx.Commit(in)
		}},
		{"insert and delete", 0, func() {
			tx := s.Begin()
			step()
			binary.LittleEndian.PutUint32(row, 1<<30)
			tx.Insert(def.ID, row)
			tx.Commit(in).Delta.Release()
			tx = s.Begin()
			tx.DeletePoint(def.Indexes[0].ID, row[:4])
			tx.Commit(in).Delta.Release()
		}},
		{"update, rolled back", 0, func() {
			tx := s.Begin()
			tx.Update(def.ID, def.Indexes[0].ID, step())
			tx.Rollback()
		}},
	} {
		for range 50 {
			c.do()
		}
		if n := testing.AllocsPerRun(200, c.do); n > c.max {
			t.Errorf("%s allocates %v times, want at most %v", c.name, n, c.max)
		}
	}
	check(t, s)
}
