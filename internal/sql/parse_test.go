package sql

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
)

// dump prints an expression with its structure in parentheses.
func dump(e expr) string {
	switch e := e.(type) {
	case *litExpr:
		return [...]string{"number", "hex", "string", "bool"}[e.kind] + "(" + e.text + ")"
	case *paramExpr:
		return ":sender"
	case *colExpr:
		if e.qual == "" {
			return e.name
		}
		return e.qual + "|" + e.name
	case *logicExpr:
		op := " AND "
		if e.or {
			op = " OR "
		}
		var xs []string
		for _, x := range e.xs {
			xs = append(xs, dump(x))
		}
		return "(" + strings.Join(xs, op) + ")"
	case *notExpr:
		return "NOT " + dump(e.x)
	case *cmpExpr:
		return "(" + dump(e.l) + e.op.String() + dump(e.r) + ")"
	case *refusedExpr:
		return "!" + e.msg
	}
	return dumpMore(e)
}

// dumpMore prints what the original does not have.
func dumpMore(e expr) string {
	not := func(n bool) string {
		if n {
			return " NOT"
		}
		return ""
	}
	switch e := e.(type) {
	case *nullExpr:
		return "NULL"
	case *binExpr:
		return "(" + dump(e.l) + string(e.op) + dump(e.r) + ")"
	case *signExpr:
		if e.neg {
			return "neg " + dump(e.x)
		}
		return dump(e.x)
	case *castExpr:
		return dump(e.x) + "::" + fmt.Sprint(e.typ)
	case *isExpr:
		if e.y != nil {
			return "(" + dump(e.x) + " IS" + not(e.not) + " DISTINCT " + dump(e.y) + ")"
		}
		return "(" + dump(e.x) + " IS" + not(e.not) + " " + e.what.String() + ")"
	case *inExpr:
		var xs []string
		for _, x := range e.list {
			xs = append(xs, dump(x))
		}
		return "(" + dump(e.x) + not(e.not) + " IN " + strings.Join(xs, ",") + ")"
	case *betweenExpr:
		return "(" + dump(e.x) + not(e.not) + " BETWEEN " + dump(e.lo) + " " + dump(e.hi) + ")"
	case *likeExpr:
		esc := ""
		if e.escape != nil {
			esc = " ESCAPE " + *e.escape
		}
		return "(" + dump(e.x) + not(e.not) + " LIKE " + dump(e.pattern) + esc + ")"
	case *subExpr:
		return "(select)"
	case *funcExpr:
		return e.name + "()"
	}
	return fmt.Sprintf("%T", e)
}

func TestExpressions(t *testing.T) {
	spec.Covers(t, "07.6", "07.7", "07.8", "07.10", "07.11", "07.12")
	for _, tt := range []struct{ in, want string }{
		{"a = 1 or b = 2 and c = 3", "((a=number(1)) OR ((b=number(2)) AND (c=number(3))))"},
		{"a < b < c", "((a<b)<c)"},
		{"a = - 1", "(a=number(-1))"},
		{"a = +1.5e3", "(a=number(+1.5e3))"},
		{"a = 0x1e3", "(a=hex(1e3))"},
		{"a = X'ABcd'", "(a=hex(ABcd))"},
		{"a = x'zz'", "(a=hex(zz))"},
		{"a = 0x", "(a=hex())"},
		{`a = 'it''s \ "x"'`, `(a=string(it's \ "x"))`},
		{`a = "x"`, "(a=x)"},
		{`a = "we""ird"`, `(a=we"ird)`},
		{"ns.t.a != 1", "(ns.t|a<>number(1))"},
		{"a == .5", "(a=number(.5))"},
		{"a = 1.", "(a=number(1.))"},
		{"a = 1.e3", "(a=number(1.e3))"},
		{"a = 1E-3", "(a=number(1E-3))"},
		{"a = 1L", "(a=number(1))"},
		{"a=1and b=2", "((a=number(1)) AND (b=number(2)))"},
		{"TRUE", "bool(true)"},
		{"a = :sender", "(a=:sender)"},
		{"a = : sender", "(a=:sender)"},
		{`a = :"sender"`, "(a=:sender)"},
		{"NOT (a = 1)", "NOT (a=number(1))"},
		{"NOT a = 1 AND b", "(NOT (a=number(1)) AND b)"},
		{"NOT NOT a", "NOT NOT a"},
		{"(NOT (a = 1)) OR (b)", "(NOT (a=number(1)) OR b)"},
		{"é = 1 and a$b = 2 and ünï_$1 = 3", "((é=number(1)) AND (a$b=number(2)) AND (ünï_$1=number(3)))"},
		{"a\u00a0=\u30001 -- end", "(a=number(1))"},
		{"a /* x /* y */ z */ = 1", "(a=number(1))"},
		{"user = 'x'", "(user=string(x))"},
		{"user.id = 1", "(user|id=number(1))"},
		{"date = 1 and timestamp > 2", "((date=number(1)) AND (timestamp>number(2)))"},
		{"case = 1", "(case=number(1))"},
		// Refused, with the text of the refusal.
		{"a = :Sender", "(a=!Unsupported literal expression: :Sender)"},
		{"a = NULL", "(a=NULL)"},
		{"a = $1", "(a=!Unsupported literal expression: $1)"},
		{"a = $$x$$", "(a=!Unsupported literal expression: $$x$$)"},
		{"a = E'x'", "(a=!Unsupported literal expression: E'x')"},
		{"a = N'x'", "(a=!Unsupported literal expression: N'x')"},
		{"a = ?", "(a=!Unsupported literal expression: ?)"},
		{"a + b * c - d = 1", "(((a+(b*c))-d)=number(1))"},
		{"a - -1 = 1 - 1", "((a-number(-1))=(number(1)-number(1)))"},
		{"a || b + c", "(a|(b+c))"},
		{"- a::I8 = - 1", "(neg a::I8=number(-1))"},
		{"a is null and not b is distinct from c", "((a IS NULL) AND NOT (b IS DISTINCT c))"},
		{"a < b is true", "((a<b) IS TRUE)"},
		{"a = b in (1) or c", "((a=(b IN number(1))) OR c)"},
		{"a between 1 and b + 1 and c", "((a BETWEEN number(1) (b+number(1))) AND c)"},
		{"cast(a as array<array<u8>>) = b", "(a::Array<Array<U8>>=b)"},
		{"count = 1 and coalesce(a, b) = sum", "((count=number(1)) AND (COALESCE()=sum))"},
		{"a = cast(b as decimal(1, 2))", "(a=b::<nil>)"},
		{"a = @x", "(a=!Unsupported expression: @x)"},
		{"a = -(1)", "(a=neg number(1))"},
		{"a = - -1", "(a=neg number(-1))"},
		{"a+1 = 2", "((a+number(1))=number(2))"},
		{"a || 'x' = 'y'", "((a|string(x))=string(y))"},
		{"a & 1 = 1", "(!Unsupported binary operator: &=number(1))"},
		{"a XOR b", "!Unsupported binary operator: XOR"},
		{"id in (1,2)", "(id IN number(1),number(2))"},
		{"id not between 1 and 2 and b", "((id NOT BETWEEN number(1) number(2)) AND b)"},
		{"a like 'x%' escape '!'", "(a LIKE string(x%) ESCAPE !)"},
		{"a is not null", "(a IS NOT NULL)"},
		{"a is not true", "(a IS NOT TRUE)"},
		{"exists (select * from t)", "(select)"},
		{"a = (select 1)", "(a=(select))"},
		{"(a, b) = 1", "(!Unsupported expression: (a, b)=number(1))"},
		{"a::int = 1", "(a::I32=number(1))"},
		{"a[1] = 1", "(!Unsupported expression: a[1]=number(1))"},
		{"timestamp '2020' = 1", "(!Unsupported expression: TIMESTAMP '2020'=number(1))"},
		{"case when a then b end = 1", "(!Unsupported expression: CASE WHEN a THEN b END=number(1))"},
		{"a = interval '1' day", "(a=!Unsupported expression: INTERVAL '1' day)"},
		{"a collate x = b", "(!Unsupported expression: a COLLATE x=b)"},
		{"a = any (b)", "!Unsupported expression: a = ANY (b)"},
	} {
		_, st, err := parseStatement("SELECT * FROM t WHERE " + tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if got := dump(st.(*selectStmt).where); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.in, got, tt.want)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	spec.Covers(t, "07.3", "07.13", "07.66")
	for _, tt := range []struct{ in, want string }{
		{"", "Empty SQL query"},
		{" ;; ", "Empty SQL query"},
		{"select * from t; select * from s", "Multiple SQL statements are not supported"},
		{"SELECT", "sql parser error: Expected an expression:, found: EOF"},
		{"SELECT * FROM", "sql parser error: Expected identifier, found: EOF"},
		{"SELECT * FROM *", "sql parser error: Expected identifier, found: * at Line: 1, Column 15"},
		{"SELECT * FROM `t`", "sql parser error: Expected identifier, found: ` at Line: 1, Column 15"},
		{"SELECT * FROM [t]", "sql parser error: Expected identifier, found: [ at Line: 1, Column 15"},
		{"SELECT * FROM t WHERE a = 'x", "sql parser error: Unterminated string literal at Line: 1, Column 27"},
		{`SELECT * FROM "t`, `sql parser error: Expected close delimiter '"' before EOF. at Line: 1, Column 15`},
		{"SELECT * FROM t /* x", "sql parser error: Unexpected EOF while in a multi-line comment at Line: 1, Column 17"},
		{"SELECT *\nFROM t é é é", "sql parser error: Expected end of statement, found: é at Line: 2, Column 10"},
		{"DELETE FROM t END WHERE a = 1", "sql parser error: Expected end of statement, found: END at Line: 1, Column 15"},
		{"SELECT * FROM t END WHERE a = 1", "sql parser error: Expected end of statement, found: END at Line: 1, Column 17"},
		{"SELECT * FROM t WHERE a = 1e", "sql parser error: Expected end of statement, found: e at Line: 1, Column 28"},
		{"SELECT * FROM t WHERE a = 0X1", "sql parser error: Expected end of statement, found: X1 at Line: 1, Column 28"},
		{"SELECT * FROM t WHERE a = 0x1and b = 1", "sql parser error: Expected end of statement, found: nd at Line: 1, Column 31"},
		{"SELECT * FROM t # x", "sql parser error: Expected end of statement, found: # at Line: 1, Column 17"},
		{"SELECT * FROM t CROSS JOIN s ON t.a = s.a", "sql parser error: Expected end of statement, found: ON at Line: 1, Column 30"},
		{"SELECT * FROM t WHERE (a = 1", "sql parser error: Expected ), found: EOF"},
		{"SELECT * FROM table", "sql parser error: Expected (, found: EOF"},
		{"INSERT INTO t (a) VALUES (1", "sql parser error: Expected ,, found: EOF"},
		{"UPDATE t WHERE a = 1", "sql parser error: Expected SET, found: WHERE at Line: 1, Column 10"},
		{"hello", "sql parser error: Expected an SQL statement, found: hello at Line: 1, Column 1"},
		{"SELECT * FROM t WHERE " + strings.Repeat("(", 1200) + "a = 1" + strings.Repeat(")", 1200), "sql parser error: recursion limit exceeded"},
		{"SELECT * FROM t WHERE " + strings.Repeat("NOT ", 1200) + "a = 1", "sql parser error: recursion limit exceeded"},
		{"SELECT * FROM t WHERE a = " + strings.Repeat("- ", 1200) + "1", "sql parser error: recursion limit exceeded"},
	} {
		if _, _, err := parseStatement(tt.in); err == nil || err.Error() != tt.want {
			t.Errorf("%.100s\n got %v\nwant %s", tt.in, err, tt.want)
		}
	}
}

func TestLimits(t *testing.T) {
	spec.Covers(t, "07.1", "07.65")
	pad := func(n int) string {
		s := "SELECT * FROM t WHERE a = 1"
		return s + strings.Repeat(" ", n-len(s))
	}
	if _, _, err := parseStatement(pad(50_000)); err != nil {
		t.Errorf("50000 bytes: %v", err)
	}
	want := `SQL query exceeds maximum allowed length: "` + pad(120) + `..."`
	if _, _, err := parseStatement(pad(50_001)); err == nil || err.Error() != want {
		t.Errorf("50001 bytes: %v", err)
	}
	for name, text := range map[string]string{
		"47 parentheses":    strings.Repeat("(", 47) + "a = 1" + strings.Repeat(")", 47),
		"900 parentheses":   strings.Repeat("(", 900) + "a = 1" + strings.Repeat(")", 900),
		"1600 comparisons":  "a = 1" + strings.Repeat(" OR a = 1", 1599),
		"5000 ANDs":         "a=1" + strings.Repeat(" AND a=1", 5000),
		"a long comparison": "a" + strings.Repeat("=a", 20_000),
	} {
		if _, _, err := parseStatement("SELECT * FROM t WHERE " + text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Words that are reserved in one position (spec 07 §2.3).
var (
	reservedOperand = set(`ARRAY_AGG CASE CAST CEIL CURRENT_CATALOG CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER
		EXISTS EXTRACT FLOOR INTERVAL LISTAGG LOCALTIME LOCALTIMESTAMP NOT NULL OVERLAY POSITION SAFE_CAST SESSION_USER
		SUBSTRING TRIM TRY_CAST USER TRUE FALSE`)
	reservedTable      = set("LATERAL TABLE UNNEST")
	reservedProjection = set("ALL DISTINCT TOP")
	reservedTableAlias = set(`ANALYZE AS CLUSTER CROSS DISTRIBUTE END EXCEPT EXPLAIN FETCH FULL GROUP HAVING INNER INTERSECT JOIN
		LATERAL LEFT LIMIT NATURAL OFFSET ON ORDER OUTER PARTITION PIVOT QUALIFY RIGHT SELECT SET SORT TOP UNION USING VIEW
		WHERE WINDOW WITH`)
	reservedColumnAlias = set(`ANALYZE AND AS BETWEEN CLUSTER COLLATE DISTRIBUTE DIV END EXCEPT EXPLAIN FETCH FROM GROUP HAVING
		ILIKE IN INTERSECT INTO IS LATERAL LIKE LIMIT OFFSET OPERATOR OR ORDER SELECT SIMILAR SORT TOP UNION VIEW WHERE
		WITH XOR`)
)

func TestKeywordsAreNames(t *testing.T) {
	spec.Covers(t, "07.4")
	b, err := os.ReadFile("testdata/keywords.txt")
	if err != nil {
		t.Fatal(err)
	}
	check := func(text string, ok func(st statement) bool) {
		t.Helper()
		if _, st, err := parseStatement(text); err != nil {
			t.Errorf("%s: %v", text, err)
		} else if !ok(st) {
			t.Errorf("%s parses as something else", text)
		}
	}
	from := func(st statement) tableRef { return st.(*selectStmt).from[0][0] }
	isCol := func(e expr, w string) bool { c, ok := e.(*colExpr); return ok && c.name == w && c.qual == "" }
	for _, up := range strings.Fields(string(b)) {
		w := strings.ToLower(up)
		if !reservedTable[up] {
			check("SELECT * FROM "+w, func(st statement) bool { return from(st).name == w && !from(st).refused })
			check("DELETE FROM "+w, func(st statement) bool { return st.(*deleteStmt).tables[0][0].name == w })
			check("UPDATE "+w+" SET a = 1", func(st statement) bool { return st.(*updateStmt).table.name == w })
		}
		check("INSERT INTO "+w+" ("+w+") VALUES (1)", func(st statement) bool {
			in := st.(*insertStmt)
			return in.table.name == w && in.cols[0].name == w
		})
		check("UPDATE t SET "+w+" = 1", func(st statement) bool { return st.(*updateStmt).set[0].target == w })
		check("SELECT * FROM t AS "+w, func(st statement) bool { return from(st).alias == w })
		check("SELECT a AS "+w+" FROM t", func(st statement) bool { return st.(*selectStmt).items[0].alias == w })
		check("SELECT x."+w+" FROM t x WHERE x."+w+" = 1", func(st statement) bool {
			return st.(*selectStmt).where.(*cmpExpr).l.(*colExpr).name == w
		})
		if !reservedTableAlias[up] {
			check("SELECT * FROM t "+w, func(st statement) bool { return from(st).alias == w })
		}
		if !reservedColumnAlias[up] {
			check("SELECT a "+w+" FROM t", func(st statement) bool { return st.(*selectStmt).items[0].alias == w })
		}
		if !reservedOperand[up] {
			check("SELECT * FROM t WHERE "+w+" = 1", func(st statement) bool {
				c, ok := st.(*selectStmt).where.(*cmpExpr)
				return ok && isCol(c.l, w)
			})
			if up != "ALL" && up != "ANY" {
				check("SELECT * FROM t WHERE 1 = "+w, func(st statement) bool {
					c, ok := st.(*selectStmt).where.(*cmpExpr)
					return ok && isCol(c.r, w)
				})
			}
			if !reservedProjection[up] {
				check("SELECT "+w+" FROM t", func(st statement) bool { return isCol(st.(*selectStmt).items[0].x, w) })
			}
		}
	}
}

// FuzzParse: no text makes the parser panic or run for long, and what parses can
// be rendered.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"SELECT * FROM t", "select a.b, c d from e f join g on f.x = g.y where not (h = 'i''j') limit 1e3",
		"INSERT INTO t (a, b) VALUES (1, 'x'), (0xff, :sender)", "UPDATE t SET a = -1 WHERE b", "DELETE FROM t WHERE a = 1",
		"SET row_limit TO 5", "SHOW row_limit", "SELECT * FROM v(1, 'x', p => 2) ORDER BY 1", "SELECT COUNT(*) AS n FROM t",
		"WITH x AS (SELECT 1) SELECT * FROM x", "CREATE TABLE t (a INT)", "SELECT CASE WHEN a THEN 1 END FROM t", "$$a$$ E'\\'' N'x' /*/**/*/",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		src, st, err := parseStatement(text)
		if err != nil {
			return
		}
		sp := st.tokens()
		if sp.from < 0 || sp.to > len(src.toks) || sp.from >= sp.to {
			t.Fatalf("%q: statement spans tokens %v of %d", text, sp, len(src.toks))
		}
		src.render(sp)
	})
}
