package store

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// A memoryCase is a kind of table, and the row with a number.
type memoryCase struct {
	name string
	def  func() *schema.Table
	row  func(i uint32) []byte
}

func scatter(i uint32) uint32 { return i * 2654435761 }

// text is up to 60 bytes.
func text(i uint32) string { return fmt.Sprintf("%060d", i)[:scatter(i)>>8%61] }

var memoryCases = []memoryCase{
	{
		"u32 key, i32 value",
		func() *schema.Table {
			return withUnique(tableDef("t", col("id", sats.U32), col("v", sats.I32)), schema.BTree, 0)
		},
		func(i uint32) []byte { return append(u32(i), u32(7)...) },
	},
	{
		"u32 key in any order, i32 value",
		func() *schema.Table {
			return withUnique(tableDef("t", col("id", sats.U32), col("v", sats.I32)), schema.BTree, 0)
		},
		func(i uint32) []byte { return append(u32(scatter(i)), u32(7)...) },
	},
	{
		"direct key",
		func() *schema.Table {
			return withUnique(tableDef("t", col("id", sats.U32), col("v", sats.I32)), schema.Direct, 0)
		},
		func(i uint32) []byte { return append(u32(i), u32(7)...) },
	},
	{
		"direct key, sparse",
		func() *schema.Table {
			return withUnique(tableDef("t", col("id", sats.U64), col("v", sats.I32)), schema.Direct, 0)
		},
		func(i uint32) []byte { return append(sats.AppendU64(nil, uint64(i)*3), u32(7)...) },
	},
	{
		"no unique index",
		func() *schema.Table {
			return withIndex(tableDef("t", col("a", sats.U32), col("v", sats.I32)), schema.BTree, 0)
		},
		func(i uint32) []byte { return append(u32(scatter(i)), u32(i)...) },
	},
	{
		"no unique index, few keys, hash",
		func() *schema.Table {
			return withIndex(tableDef("t", col("a", sats.U32), col("v", sats.I32)), schema.Hash, 0)
		},
		func(i uint32) []byte { return append(u32(scatter(i)%100), u32(i)...) },
	},
	{
		"40 bytes, two indexes",
		func() *schema.Table {
			d := tableDef("t", col("id", sats.U64), col("x", sats.U64), col("a", sats.U64), col("b", sats.U64), col("c", sats.U64))
			return withIndex(withUnique(d, schema.BTree, 0), schema.BTree, 1)
		},
		func(i uint32) []byte {
			row := sats.AppendU64(sats.AppendU64(nil, uint64(i)), uint64(scatter(i)))
			return append(row, make([]byte, 24)...)
		},
	},
	{
		"texts",
		func() *schema.Table {
			return withUnique(tableDef("t", col("id", sats.U32), col("s", sats.String)), schema.BTree, 0)
		},
		func(i uint32) []byte { return sats.AppendString(u32(i), text(i)) },
	},
	{
		"texts as keys",
		func() *schema.Table {
			d := tableDef("t", col("s", sats.String), col("k", sats.String))
			return withIndex(withUnique(d, schema.BTree, 0), schema.BTree, 1)
		},
		func(i uint32) []byte {
			return sats.AppendString(sats.AppendString(nil, fmt.Sprint(scatter(i))), text(i))
		},
	},
}

// TestMemory holds tables to twice the size of their rows and 32 bytes for each row and
// index, when they are new, after half of the rows was deleted and inserted again ten
// times, the same or others, and with the ordered parts of their unique indexes. The row
// set of a table without a unique index counts as an index.
func TestMemory(t *testing.T) {
	for _, c := range memoryCases {
		for _, n := range []int{5_000, 20_000} {
			if n > 5_000 && testing.Short() {
				continue
			}
			t.Run(fmt.Sprintf("%s/rows=%d", c.name, n), func(t *testing.T) { c.test(t, n) })
		}
	}
}

func (c *memoryCase) test(t *testing.T, n int) {
	s := New(Options{HashSeed: 5})
	def := create(t, s, c.def())
	before := heapBytes()
	rows := make([]uint32, n) // numbers of those that are there
	for i := range rows {
		rows[i] = uint32(i)
	}
	c.insert(t, s, def, rows)
	c.within(t, "new", s, def, before)
	r := rand.New(rand.NewPCG(1, uint64(n)))
	next := uint32(n)
	for _, others := range []bool{false, true} {
		for range 10 {
			r.Shuffle(n, func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
			half := rows[:n/2]
			tx := s.Begin()
			for _, i := range half {
				if ok, err := tx.DeleteRow(def.ID, c.row(i)); !ok || err != nil {
					t.Fatalf("row %d: %v, %v", i, ok, err)
				}
			}
			tx.Commit(nil)
			for k := range half {
				if others {
					half[k] = next
					next++
				}
			}
			c.insert(t, s, def, half)
		}
		c.within(t, fmt.Sprintf("after others (%v) took the place of half", others), s, def, before)
	}
	tx := s.Begin()
	for _, ix := range def.Indexes {
		if ix.Algo != schema.Hash {
			collect(tx.Range(ix.ID, Range{Lo: Bound{Kind: Unbounded}}))
		}
	}
	tx.Rollback()
	c.within(t, "after a range scan", s, def, before)
	check(t, s)
	runtime.KeepAlive(rows)
}

// insert inserts rows, a thousand in a transaction.
func (c *memoryCase) insert(t *testing.T, s *Store, def *schema.Table, rows []uint32) {
	for len(rows) > 0 {
		k := min(1000, len(rows))
		tx := s.Begin()
		for _, i := range rows[:k] {
			mustInsert(t, tx, def.ID, c.row(i))
		}
		tx.Commit(nil)
		rows = rows[k:]
	}
}

func (c *memoryCase) within(t *testing.T, when string, s *Store, def *schema.Table, before uint64) {
	t.Helper()
	v := s.View()
	size, n := 0, 0
	for row := range v.Scan(def.ID) {
		size += len(row)
		n++
	}
	v.Close()
	allowed := 2*size + 32*n*len(def.Indexes)
	if s.tables[def.ID].set != nil {
		allowed += 32 * n
	}
	says := int(s.tables[def.ID].bytes())
	took := int(heapBytes()) - int(before) - 4*n // the numbers of the rows
	t.Logf("%s: %.1f bytes a row, says %.1f, allowed %.1f", when, float64(took)/float64(n), float64(says)/float64(n), float64(allowed)/float64(n))
	if says > allowed {
		t.Errorf("%s: %d rows take %d bytes, more than the allowed %d", when, n, says, allowed)
	}
	if took > allowed+once {
		t.Errorf("%s: %d rows take %d bytes of heap, more than the allowed %d", when, n, took, allowed)
	}
	if took-once > says+says/8 {
		t.Errorf("%s: rows and indexes say they take %d bytes, and take %d", when, says, took)
	}
}

// once is what a table has however many rows there are: lists that a transaction leaves
// behind for the next one.
const once = 64 << 10

func heapBytes() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
