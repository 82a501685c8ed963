package sql

import (
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// BenchmarkOrder reads the ends of an order from a million rows, by an index and
// without one.
func BenchmarkOrder(b *testing.B) {
	cols := []sats.Element{sats.E("id", sats.U32), sats.E("score", sats.I32), sats.E("name", sats.String)}
	db := newDatabase(b, tableSpec{name: "t", cols: cols, pk: "id", index: []string{"score"}}, tableSpec{name: "u", cols: cols})
	tx := db.Begin()
	for _, name := range []string{"t", "u"} {
		t := tx.TableByName(name)
		for i := range uint32(1_000_000) {
			row := sats.AppendString(sats.AppendU32(sats.AppendU32(nil, i), i*2654435761>>8), "somebody")
			if _, _, err := tx.Insert(t.ID, row); err != nil {
				b.Fatal(err)
			}
		}
	}
	var unique schema.IndexID
	for _, ix := range tx.TableByName("t").Indexes {
		if ix.Unique {
			unique = ix.ID
		}
	}
	tx.Commit(nil)
	db.OrderIndex(unique)
	v := db.View()
	defer v.Close()
	for _, bench := range []struct{ name, text string }{
		{"top 10/index", "SELECT * FROM t ORDER BY score DESC LIMIT 10"}, {"top 10/sort", "SELECT * FROM u ORDER BY score DESC LIMIT 10"},
		{"last 50/index", "SELECT * FROM t ORDER BY id DESC LIMIT 50"}, {"last 50/sort", "SELECT * FROM u ORDER BY id DESC LIMIT 50"},
		{"max/index", "SELECT MAX(score) FROM t"}, {"max/scan", "SELECT MAX(score) FROM u"},
		{"rare filter/index", "SELECT * FROM t WHERE name = 'nobody' ORDER BY score LIMIT 10"}, {"rare filter/sort", "SELECT * FROM u WHERE name = 'nobody' ORDER BY score LIMIT 10"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			for b.Loop() {
				st, err := CompileStatement(v, bench.text, owner, Env{})
				if err == nil {
					err = st.Query(v, func([]byte) bool { return true })
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
