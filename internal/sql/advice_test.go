package sql

import (
	"errors"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/store"
)

// What is refused says where in the text, and what to do.
func TestEveryRefusalHelps(t *testing.T) {
	spec.Covers(t, "07.14")
	db := exampleDB(t)
	tables := []string{"SELECT * FROM pp", "SELECT hq FROM p", "SELECT zzzzzz FROM b", "SELECT p.id FROM p x", "SELECT q.id FROM p x"}
	for _, text := range append(tables, "SELECT id FROM p WHERE hp", "SELECT id FROM p WHERE hp = 'x'", "SELECT id FROM p WHERE st = 'nothing'", "SELECT id FROM p WHERE hp = 2147483648",
		"SELECT id FROM p WHERE hp = id", "SELECT id FROM p WHERE id = NULL", "SELECT id FROM p WHERE id = $1", "SELECT id FROM p WHERE id = ?", "SELECT id FROM p WHERE id = :me", "SELECT id FROM p WHERE team = E'x'",
		"SELECT a.id FROM p a RIGHT JOIN p b ON a.id = b.id", "SELECT a.id FROM p a JOIN p b USING (id)", "SELECT id FROM p a, p b", "SELECT a.id FROM p a, p a", "SELECT hp, COUNT(*) FROM p", "SELECT COUNT(*) FROM p WHERE COUNT(*) > 1",
		"SELECT upper(team) AS u FROM p", "SELECT id FROM p ORDER BY random()", "SELECT CONUT(*) FROM p", "SELECT *", "SELECT x.id FROM (SELECT id FROM p) x", "SELECT id FROM p WHERE 1 = 1", "SELECT id FROM `p`", "SELECT id FROM [p]",
		"SELECT id FROM p WHERE team = 'x", "SELECT 1 AS a; SELECT 2 AS b", "SELECT id FROM p WHERE "+strings.Repeat("(", 2000)+"id=1"+strings.Repeat(")", 2000), "SELECT id, id FROM p", "SELECT id FROM p ORDER BY 7",
		"INSERT INTO b (u8) VALUES ('1')", "INSERT INTO b (u8) VALUES (1, 2)", "INSERT INTO b (u9) VALUES (1)", "INSERT INTO b (u8) VALUES (256)", "UPDATE p SET hq = 1", "UPDATE p SET hp = 1, hp = 2", "DELETE FROM st_table",
		"SET row_limit = 'x'", "SET rowlimit = 1", "SHOW rowlimit", "SELECT id FROM p WHERE at = 5", "SELECT CAST(st AS I32) FROM p",
	) {
		helps(t, db, owner, text)
	}
	helps(t, db, alice, "DELETE FROM p")
	for _, text := range []string{"SELECT id FROM p", "SELECT * FROM p x JOIN p y ON x.id = y.id", "SELECT x.* FROM p x LEFT JOIN p y ON x.id = y.id", "SELECT p.* FROM p JOIN b ON p.hp = p.hp", "SELECT x.* FROM p x JOIN p y ON x.id = y.id JOIN p z ON z.id = x.id"} {
		db.read(func(r store.Reader) {
			_, err := CompileSubscription(r, text, alice)
			var e *Error
			if !errors.As(err, &e) || e.Suggestion == "" {
				t.Errorf("subscription %s: %v", text, err)
			}
		})
	}
	// What fails only while it runs has no place in the text.
	for _, text := range []string{"SELECT hp / 0 FROM p", "SELECT u8 + 100 FROM b", "UPDATE b SET u8 = u8 + 100", "SELECT (SELECT id FROM p) AS x", "SELECT SUM(CAST('170141183460469231731687303715884105727' AS I128) * hp) FROM p"} {
		_, err := db.run(owner, text)
		var e *Error
		if !errors.As(err, &e) || e.Suggestion == "" {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func helps(t *testing.T, db *database, c Caller, text string) {
	t.Helper()
	_, err := db.run(c, text)
	var e *Error
	switch {
	case !errors.As(err, &e):
		t.Errorf("%s: %v", text, err)
	case e.Pos == Pos{} && !strings.Contains(e.Msg, " at Line: "):
		t.Errorf("%.100s: %s: no place", text, e.Msg)
	case e.Suggestion == "":
		t.Errorf("%.100s: %s: no advice", text, e.Msg)
	}
}
