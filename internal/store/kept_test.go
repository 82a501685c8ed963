package store

import (
	"fmt"
	"maps"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
	"pgregory.net/rapid"
)

// TestKeptIndexes looks rows up by columns without an index in the middle of all that
// can happen to a table, and compares with what a scan finds.
func TestKeptIndexes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := New(Options{})
		tx := s.Begin()
		pk := schema.ColID(0)
		cols := []schema.ColumnDef{
			{Name: "id", Accessor: "id", Type: sats.U32}, {Name: "n", Accessor: "n", Type: sats.U32},
			{Name: "s", Accessor: "s", Type: sats.String}, {Name: "f", Accessor: "f", Type: sats.F64},
		}
		def := &schema.TableDef{
			Name: "t", Accessor: "t", Columns: cols, PrimaryKey: &pk, Access: schema.Public, Kind: schema.User,
			RowType:     sats.Product(sats.E("id", sats.U32), sats.E("n", sats.U32), sats.E("s", sats.String), sats.E("f", sats.F64)),
			Constraints: []schema.ConstraintDef{{Name: "t_id", Cols: []schema.ColID{0}}},
			Indexes:     []schema.IndexDef{{Name: "t_id", Algo: schema.BTree, Cols: []schema.ColID{0}}},
		}
		table, err := tx.CreateTable(def.Instantiate())
		if err != nil {
			t.Fatal(err)
		}
		tx.Commit(nil)
		values := [][][]byte{
			{{0, 0, 0, 0}, {1, 0, 0, 0}, {2, 0, 0, 0}, {3, 0, 0, 0}},
			{{0, 0, 0, 0}, {1, 0, 0, 0}},
			{sats.AppendString(nil, ""), sats.AppendString(nil, "a long text that no prefix holds, first"), sats.AppendString(nil, "a long text that no prefix holds, second")},
			{sats.AppendF64(nil, 0), {7: 0x80}, sats.AppendF64(nil, 1.5)},
		}
		kept := map[schema.ColID]int{}
		value := func(t *rapid.T, col int) []byte { return rapid.SampledFrom(values[col]).Draw(t, "value") }
		check := func(t *rapid.T, tx *Tx) {
			cmps := []sats.Cmp{sats.NewCompare(sats.U32), sats.NewCompare(sats.U32), sats.NewCompare(sats.String), sats.NewCompare(sats.F64)}
			for col := schema.ColID(1); col < 4; col++ {
				for _, v := range values[col] {
					rows, ok := tx.PointBy(table.ID, col, v)
					if ok != (kept[col] > 0) {
						t.Fatalf("column %d is kept %d times: %v", col, kept[col], ok)
					}
					if !ok {
						continue
					}
					got, want := map[string]int{}, map[string]int{}
					for row := range rows {
						got[string(row)]++
					}
					for row := range tx.Scan(table.ID) {
						if cmps[col](table.Layout.Col(row, int(col)), v) == 0 {
							want[string(row)]++
						}
					}
					if !maps.Equal(got, want) {
						t.Fatalf("column %d, %x: %x, want %x", col, v, got, want)
					}
				}
			}
		}
		change := func(t *rapid.T, tx *Tx) {
			var row []byte
			for col := range values {
				row = append(row, value(t, col)...)
			}
			switch rapid.IntRange(0, 6).Draw(t, "change") {
			case 0:
				_, _ = tx.DeletePoint(table.Indexes[0].ID, row[:4])
			case 1:
				_, _, _ = tx.Update(table.ID, table.Indexes[0].ID, row)
			case 2:
				if _, err := tx.Clear(table.ID); err != nil {
					t.Fatal(err)
				}
			default:
				_, _, _ = tx.Insert(table.ID, row)
			}
		}
		names := 0
		t.Repeat(map[string]func(*rapid.T){
			"transaction": func(t *rapid.T) {
				tx := s.Begin()
				for range rapid.IntRange(0, 5).Draw(t, "changes") {
					change(t, tx)
					if rapid.Bool().Draw(t, "look") {
						check(t, tx)
					}
				}
				if rapid.IntRange(0, 4).Draw(t, "schema") == 0 {
					names++
					if _, err := tx.CreateIndex(table.ID, &schema.Index{Name: fmt.Sprint("x", names), Algo: schema.BTree, Cols: []schema.ColID{1}}); err != nil {
						t.Fatal(err)
					}
					change(t, tx)
					check(t, tx)
				}
				if rapid.Bool().Draw(t, "commit") {
					tx.Commit(nil)
				} else {
					tx.Rollback()
				}
			},
			"keep": func(t *rapid.T) {
				col := schema.ColID(rapid.IntRange(1, 3).Draw(t, "column"))
				kept[col]++
				s.KeepIndex(table.ID, col)
			},
			"drop": func(t *rapid.T) {
				col := schema.ColID(rapid.IntRange(1, 3).Draw(t, "column"))
				if kept[col] == 0 {
					t.Skip("not kept")
				}
				kept[col]--
				s.DropKept(table.ID, col)
			},
			"": func(t *rapid.T) {
				tx := s.Begin()
				check(t, tx)
				tx.Rollback()
				if err := s.Check(); err != nil {
					t.Fatal(err)
				}
			},
		})
	})
}
