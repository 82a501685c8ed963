package sql

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// What is read in the order of an index is what sorting gives, ties and limits
// included: the same rows lie in a table without indexes.
func TestIndexOrder(outer *testing.T) {
	queries, walks := 0, 0
	rapid.Check(outer, func(t *rapid.T) {
		cols := []sats.Element{
			sats.E("id", sats.U32), sats.E("a", sats.I16), sats.E("f", sats.F64), sats.E("s", sats.String), sats.E("o", sats.Option(sats.U8)), sats.E("at", sats.TimestampType),
		}
		db := newOrderDatabase(outer, tableSpec{name: "t", cols: cols, pk: "id", index: []string{"a", "f", "s,a", "at", "o", "a,f,id"}}, tableSpec{name: "u", cols: cols})
		var rows []string
		n := rapid.IntRange(0, 40).Draw(t, "rows")
		if rapid.IntRange(0, 9).Draw(t, "many") == 0 {
			n = 3000 // enough for a walk to be given up
		}
		for i := range n {
			pick := func(of ...string) string { return of[(i*7+rapid.IntRange(0, 50).Draw(t, "pick"))%len(of)] }
			rows = append(rows, fmt.Sprintf(`[%d,%s,%s,%s,%s,[%s]]`, i, pick("-2", "0", "1", "3", "3", "7"), pick("0", "-0", "1.5", "-3", "1e300", `"NaN"`),
				pick(`""`, `"a"`, `"ab"`, `"b"`), pick("[0,1]", "[0,2]", "[1,[]]"), pick("0", "-5", "9")))
		}
		for i := range rows {
			rows[i] = strings.ReplaceAll(rows[i], `"NaN"`, "2.5")
		}
		db.fill("t", rows)
		db.fill("u", rows)
		for range 8 {
			queries++
			text := drawOrdered(t)
			want := db.sequence(t, strings.ReplaceAll(text, "FROM t", "FROM u"), nil)
			tx := db.Begin()
			if got := db.sequence(t, text, tx); !slices.Equal(got, want) {
				t.Fatalf("%s\n got %v\nwant %v\n%s", text, got, want, db.plan(text))
			}
			tx.Rollback()
			v := db.View()
			if got := db.sequence(t, text, v); !slices.Equal(got, want) {
				t.Fatalf("view: %s\n got %v\nwant %v\n%s", text, got, want, db.plan(text))
			}
			v.Close()
			if strings.Contains(db.plan(text), "walk t") {
				walks++
			}
		}
	})
	if walks < queries/8 {
		outer.Errorf("only %d of %d queries walked along an index", walks, queries)
	}
}

type orderDatabase struct{ *store.Store }

func newOrderDatabase(t *testing.T, specs ...tableSpec) *orderDatabase {
	db := &orderDatabase{store.New(store.Options{})}
	tx := db.Begin()
	for _, s := range specs {
		if _, err := tx.CreateTable(s.table(t)); err != nil {
			t.Fatal(err)
		}
	}
	tx.Commit(nil)
	return db
}

func (db *orderDatabase) fill(table string, rows []string) {
	tx := db.Begin()
	t := tx.TableByName(table)
	for _, row := range rows {
		b, err := sats.ParseJSON(nil, &sats.Typespace{}, t.RowType(), []byte(row))
		if err != nil {
			panic(row + ": " + err.Error())
		}
		if _, _, err := tx.Insert(t.ID, b); err != nil {
			panic(err)
		}
	}
	tx.Commit(nil)
}

func (db *orderDatabase) sequence(t *rapid.T, text string, r store.Reader) (rows []string) {
	if r == nil {
		v := db.View()
		defer v.Close()
		r = v
	}
	st, err := CompileStatement(r, text, owner, Env{})
	if err == nil {
		err = st.Query(r, func(row []byte) bool { rows = append(rows, fmt.Sprintf("%x", row)); return true })
	}
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return rows
}

func (db *orderDatabase) plan(text string) string {
	v := db.View()
	defer v.Close()
	st, err := CompileStatement(v, text, owner, Env{})
	if err != nil {
		return err.Error()
	}
	return st.Plan().Explain(false)
}

func drawOrdered(t *rapid.T) string {
	pick := func(of ...string) string { return rapid.SampledFrom(of).Draw(t, "part") }
	where := pick("", "", " WHERE a > 0", " WHERE a >= 1 AND a < 7", " WHERE f <= 1.5", " WHERE s = 'a'", " WHERE o IS NULL", " WHERE id > 5 AND a <> 3",
		" WHERE s >= 'a' AND o = 1", " WHERE id = 4", " WHERE a IN (1, 3)", " WHERE at = '1970-01-01T00:00:00Z'", " WHERE s = 'nowhere'", " WHERE a = 3 AND f < 2")
	if rapid.IntRange(0, 2).Draw(t, "aggregate") == 0 {
		return "SELECT " + pick("MIN", "MAX") + "(" + pick("a", "f", "s", "id", "at", "o") + ") AS m FROM t" + where + pick("", " HAVING COUNT(*) > 0")
	}
	dir := pick("", " DESC")
	order := pick("a"+dir, "id"+dir, "f"+dir, "s"+dir, "s"+dir+", a"+dir, "at"+dir, "a"+dir+", f"+dir, "s, a DESC", "o"+dir, "a"+dir+", f"+dir+", id"+dir, "a + 0"+dir)
	return "SELECT " + pick("*", "id", "a, s", "f, o", "s") + " FROM t" + where + " ORDER BY " + order +
		fmt.Sprintf(" LIMIT %d OFFSET %d", rapid.IntRange(0, 12).Draw(t, "limit"), rapid.IntRange(0, 5).Draw(t, "offset"))
}

// EXPLAIN shows which index has the order.
func TestExplainIndexOrder(t *testing.T) {
	db := newDatabase(t, tableSpec{name: "t", pk: "id", index: []string{"a", "s,a"}, cols: []sats.Element{sats.E("id", sats.U32), sats.E("a", sats.I16), sats.E("s", sats.String)}})
	db.insert("t", `[1,2,"x"]`)
	for text, want := range map[string]string{
		"SELECT * FROM t ORDER BY a LIMIT 3":                           "limit 3|  sort by t.a|    walk t in the order of t_a_idx_btree (rows 1, scanned 1)",
		"SELECT * FROM t ORDER BY id DESC LIMIT 3":                     "limit 3|  sort by t.id DESC|    walk t in the order of t_id_idx_btree backwards (rows 1, scanned 1)",
		"SELECT MAX(a) FROM t":                                         "aggregate|  walk t in the order of t_a_idx_btree backwards (rows 1, scanned 1)",
		"SELECT MIN(a) FROM t WHERE s = 'x'":                           "aggregate|  walk t in the order of t_s_a_idx_btree where t.s = \"x\" (rows 1, scanned 2)",
		"SELECT id FROM t WHERE a > 1 ORDER BY a DESC, s DESC LIMIT 1": "limit 1|  sort by t.a DESC, t.s DESC|    range t by t_a_idx_btree() where t.a > 1",
		"SELECT id FROM t WHERE a > 1 AND id <> 3 ORDER BY a LIMIT 1":  "limit 1|  sort by t.a|    filter t.id <> 3 (rows 1, scanned 3)|      walk t in the order of t_a_idx_btree where t.a > 1",
		"SELECT * FROM t ORDER BY a":                                   "sort by t.a|  scan t",
		"SELECT MAX(a), COUNT(*) FROM t":                               "aggregate|  scan t",
		"SELECT * FROM t WHERE id = 1 ORDER BY a LIMIT 1":              "limit 1|  sort by t.a|    unique point t",
	} {
		a, err := db.run(owner, "EXPLAIN "+text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var lines []string
		for _, row := range a.rows {
			var line []string
			if err := json.Unmarshal([]byte(row), &line); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, line...)
		}
		if got := strings.Join(lines, "|"); !strings.HasPrefix(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", text, strings.ReplaceAll(got, "|", "\n"), strings.ReplaceAll(want, "|", "\n"))
		}
	}
}
