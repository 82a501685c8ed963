package abi

import (
	"bytes"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// An open iterator yields the rows of the moment it was opened, whatever is written before
// it ends: in a transaction, through each kind of scan, and also before its first row.
func TestIteratorsKeepTheirRows(t *testing.T) {
	spec.Covers(t, "08.8")
	const rows = 200
	all := RangeArg{Start: []byte{2}, End: []byte{2}}
	writes := map[string]func(c *Context, table, byID uint32){
		"insert": func(c *Context, table, _ uint32) {
			for i := uint64(rows); i < 3*rows; i++ {
				if _, e := c.Insert(table, row(i)); e != OK {
					t.Fatal(e)
				}
			}
		},
		"update": func(c *Context, table, byID uint32) {
			for i := range uint64(rows) {
				changed := sats.AppendString(append(sats.AppendU64(nil, i), 9), "another, longer name than there was before")
				if _, e := c.Update(table, byID, changed); e != OK {
					t.Fatal(e)
				}
			}
		},
		"delete by range": func(c *Context, _, byID uint32) {
			if n, e := c.DeleteByRange(byID, all); n != rows || e != OK {
				t.Fatal(n, e)
			}
		},
		"clear, and insert again": func(c *Context, table, _ uint32) {
			if _, e := c.Clear(table); e != OK {
				t.Fatal(e)
			}
			if _, e := c.Insert(table, row(7)); e != OK {
				t.Fatal(e)
			}
		},
	}
	for name, write := range writes {
		for _, read := range []int{0, 1, rows / 8} { // rows taken before the writes
			c, table, byID, byKind := open(t, rows, Limits{}, nil)
			var scans []uint32
			for _, open := range []func() (uint32, Errno){
				func() (uint32, Errno) { return c.TableScan(table) },
				func() (uint32, Errno) { return c.ScanRange(byID, all) },
				func() (uint32, Errno) { return c.ScanPoint(byKind, []byte{3}) },
			} {
				it, e := open()
				if e != OK {
					t.Fatal(e)
				}
				scans = append(scans, it)
			}
			var got [3][]byte
			take := func(k, n int) {
				buf := make([]byte, n*len(row(0)))
				for range 2 * rows {
					n, exhausted, _, e := c.IterAdvance(scans[k], buf)
					if e != OK {
						t.Fatal(e)
					}
					if got[k] = append(got[k], buf[:n]...); exhausted || len(buf) < rows*len(row(0)) {
						return
					}
				}
			}
			for k := range scans {
				if read > 0 {
					take(k, read)
				}
			}
			write(c, table, byID)
			for k := range scans {
				take(k, rows)
			}
			var whole, third []byte
			for i := range uint64(rows) {
				if whole = append(whole, row(i)...); i%4 == 3 {
					third = append(third, row(i)...)
				}
			}
			for k, want := range [][]byte{whole, whole, third} {
				if !bytes.Equal(got[k], want) {
					t.Errorf("%s after %d rows: scan %d yields %d bytes, want the %d of before", name, read, k, len(got[k]), len(want))
				}
			}
		}
	}
}
