package sql

import (
	"errors"
	"strings"

	"github.com/stdbgo/spacetime/internal/query"
)

// What to do about the refusals of spec 07 §26 that say the same wherever they come
// from, by the beginning and a part of their words. The first that fits counts.
var advice = []struct{ prefix, part, text string }{
	{"SQL query exceeds maximum", "", "A text may have 50000 bytes."},
	{"Empty SQL query", "", "A statement is like SELECT * FROM a table."},
	{"Multiple SQL statements", "", "Send them one by one."},
	{"sql parser error: recursion", "", "Expressions nest up to 1000 levels."},
	{"sql parser error: ", "found: ` at", "Names that are no plain words stand in double quotes."},
	{"sql parser error: ", "found: [ at", "Names that are no plain words stand in double quotes."},
	{"sql parser error: Unterminated string", "", "A quote inside of a string is written twice."},
	{"Too many relations", "", "A statement reads 1024 at most, sub-selects included."},
	{"Too many columns", "", "A result has 4096 at most."},
	{"Caller ", "not authorized to run SQL DML", "Only the owner of the database changes data with SQL; others call reducers."},
	{"SQL writes to the system table", "", "It belongs to the database; publishing a module changes it."},
	{"SQL writes to scheduled tables", "", "A reducer of the module can write it."},
	{"SQL writes to outbox tables", "", "A reducer of the module can write it."},
	{"`", "DML on views is not supported", "Change the tables that the view reads."},
	{"Unsupported literal expression: $", "", "Parameters belong to prepared statements of the PostgreSQL protocol; here the value itself is written."},
	{"Unsupported literal expression: ?", "", "Here the value itself is written."},
	{"Unsupported literal expression: :", "", "The only parameter is `:sender`, who asks."},
	{"Unsupported literal expression: ", "'", "A string is written 'like this', with '' for a quote."},
	{"Non-inner joins", "", "Joins are JOIN ... ON a.x = b.y and, in statements, LEFT JOIN ... ON and CROSS JOIN."},
	{"Implicit joins", "", "Write JOIN ... ON a.x = b.y."},
	{"Column `", "must appear in GROUP BY", "Add it to GROUP BY, or take its MIN or MAX."},
	{"Column projections are not", "", "Select the whole rows of one table, as in SELECT t.* FROM t."},
	{"SELECT * is not supported for joins", "", "Name the table whose rows are meant, as in SELECT t.*."},
	{"Mixed wildcard", "", "Select the whole rows of one table, as in SELECT t.* FROM t."},
	{"A FROM clause is required", "", "SELECT * needs a table: FROM t."},
	{"Invalid number of tables in subscription", "", "A subscription joins two tables at most; a view can join more."},
	{"Event tables cannot be used", "", "Put the event table first and index the column of the other table."},
	{"Unsupported FROM expression: (", "", "A sub-select may stand in WHERE; a view can stand in FROM."},
	{"Unsupported view call in a JOIN", "", "In statements it may be joined."},
	{"Unexpected type: ", "!= Bool (inferred)", "A condition is true or false: compare the value with another."},
	{"Duplicate name `", "", "Each may stand once."},
	{"Cannot cast type", "", "CAST converts between numbers, and to and from String."},
	{"Division by zero", "", "WHERE is evaluated before the columns: it can leave such rows out."},
	{"Arithmetic overflow", "", "CAST(... AS I64), or to a larger type still, makes room."},
	{"Sub-select returned more than one row", "", "MIN, MAX or LIMIT 1 leave one; IN takes several."},
	{"SQL statement exceeded its", "", "Narrow it with WHERE on indexed columns; the server's config.toml sets the limits in [sql]."},
	{"Estimated cardinality", "", "Narrow the query with WHERE on indexed columns; the owner sets row_limit."},
}

// advised gives an error the advice that it lacks.
func advised(err error) error {
	if err == nil {
		return nil
	}
	e, ok := err.(*Error)
	if !ok {
		var failed query.ExprError
		if !errors.As(err, &failed) && !strings.HasPrefix(err.Error(), "SQL statement exceeded its") {
			return err
		}
		e = &Error{Msg: err.Error()}
	}
	if e.Suggestion != "" {
		return e
	}
	for _, a := range advice {
		if strings.HasPrefix(e.Msg, a.prefix) && strings.Contains(e.Msg, a.part) {
			e.Suggestion = a.text
			break
		}
	}
	return e
}
