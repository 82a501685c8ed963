package sql

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// FuzzStatement: whatever a text says, it is compiled and carried out, or refused;
// nothing panics, and no statement of a stranger takes more than its limits.
func FuzzStatement(f *testing.F) {
	spec.Covers(f, "07.111")
	files, _ := filepath.Glob("testdata/slt/*.slt")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, block := range strings.Split(string(b), "\n\n") {
			if _, text, ok := strings.Cut(block, "\n"); ok {
				text, _, _ = strings.Cut(text, "\n----")
				f.Add(text)
			}
		}
	}
	for _, text := range []string{
		"SELECT at - '1', at + d, -f, f % 0.1, CAST(o AS TEXT) || s FROM f WHERE o NOT IN (1, NULL) OR sh = '{\"b\":1}'", "SELECT x.* FROM f x LEFT JOIN g y ON x.id = y.id AND 1 / y.n > 0",
		"INSERT INTO f (id, s) SELECT id + 1, s FROM f", "UPDATE f SET id = g.n FROM g WHERE f.id = g.id", "EXPLAIN ANALYZE SELECT COUNT(*), SUM(n) FROM g GROUP BY n HAVING SUM(n) > 1 ORDER BY 1 DESC NULLS LAST",
		"SELECT sh, arr, COUNT(DISTINCT f), MIN(at), AVG(w) FROM f GROUP BY 1, 2", "SELECT * FROM f WHERE s LIKE '%a\\%_' ESCAPE '\\' AND (f IS NOT NULL) IS TRUE", "SELECT NaN, -inf FROM f WHERE f <> nan",
	} {
		f.Add(text)
	}
	db := newDatabase(f,
		tableSpec{name: "f", pk: "id", index: []string{"s", "o"}, cols: []sats.Element{
			sats.E("id", sats.U32), sats.E("s", sats.String), sats.E("f", sats.F64), sats.E("o", sats.Option(sats.I8)), sats.E("at", sats.TimestampType), sats.E("d", sats.TimeDurationType),
			sats.E("sh", sats.Sum(sats.E("a", sats.Unit), sats.E("b", sats.U8))), sats.E("arr", sats.Array(sats.String)), sats.E("w", sats.I256Type), sats.E("who", sats.IdentityType),
		}},
		tableSpec{name: "g", cols: []sats.Element{sats.E("id", sats.U32), sats.E("n", sats.I64)}, index: []string{"id"}})
	who := idText(alice)
	db.insert("f", `[1,"a",1.5,[0,1],[0],[5],[0,[]],["x"],"0x1",`+who+`]`, `[2,"b",-0.0,[1,[]],[7],[0],[1,2],[],"-0x1",`+who+`]`, `[3,"",1e300,[0,-1],[9],[-5],[1,3],["x","y"],"0x0",`+who+`]`)
	db.insert("g", "[1,0]", "[2,-1]", "[2,9223372036854775807]")
	if err := db.rule("SELECT * FROM f WHERE who = :sender", "SELECT f.* FROM f JOIN g ON g.id = f.id WHERE g.n > 5"); err != nil {
		f.Fatal(err)
	}
	errLate := errors.New("late")
	f.Fuzz(func(t *testing.T, text string) {
		tx := db.Begin()
		defer tx.Rollback()
		for _, c := range []Caller{owner, alice} {
			ticks := 0
			env := Env{Limits: query.Limits{Memory: 1 << 20, Check: func() error {
				if ticks++; ticks > 200 {
					return errLate
				}
				return nil
			}}}
			st, err := CompileStatement(tx, text, c, env)
			if err != nil {
				var e *Error
				if errors.As(err, &e) {
					_ = e.Detail()
				}
			} else if !st.Writes() {
				rowType := st.RowType()
				rows := 0
				err = st.Query(tx, func(row []byte) bool {
					if out, rest, err := sats.AppendJSON(nil, &sats.Typespace{}, rowType, row, sats.FlavorUntyped); err != nil || len(rest) != 0 {
						t.Fatalf("%q: row %x of %s: %s %v, %d bytes left", text, row, rowType, out, err, len(rest))
					}
					rows++
					return rows < 10_000
				})
				_ = err
			} else if c.IsOwner && len(text) < 2000 {
				_, _ = st.Exec(tx)
			}
			if q, err := CompileSubscription(tx, text, c); err == nil {
				if err := q.Plan.Run(tx, func([]byte) bool { return true }); err != nil {
					t.Fatalf("%q: a live query fails: %v", text, err)
				}
				_ = q.Plan.Explain(true)
			}
			if q, err := CompileOneOff(tx, text, c); err == nil {
				_ = q.Plan.RunWithin(tx, env.Limits, func([]byte) bool { return true })
			}
		}
		_, _ = CompileRule(tx, text, owner)
	})
}
