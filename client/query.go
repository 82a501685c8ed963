package client

import (
	"errors"
	"fmt"
	"strings"
)

// A Query is a typed query for Conn.Subscribe.
type Query interface {
	// SQL returns the text of the query, or why it has none.
	SQL() (string, error)
}

func queryTexts(queries []Query) ([]string, error) {
	texts := make([]string, len(queries))
	for i, q := range queries {
		var err error
		if texts[i], err = q.SQL(); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// quote makes a name an identifier of SQL.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// quoteTable quotes the canonical name of a table, with the submodules before it.
func quoteTable(name string) string {
	parts := strings.Split(name, ".")
	for i := range parts {
		parts[i] = quote(parts[i])
	}
	return strings.Join(parts, ".")
}

// A From is the query for all rows of a table, and the source of narrower ones.
type From[R any] struct {
	Name string // canonical
}

// SQL returns the text.
func (f From[R]) SQL() (string, error) { return "SELECT * FROM " + quoteTable(f.Name), nil }

// Where keeps the rows for which all conditions hold.
func (f From[R]) Where(conditions ...Pred[R]) Where[R] { return Where[R]{f.Name, And(conditions...)} }

func (f From[R]) source(*R) (string, Pred[R]) { return f.Name, Pred[R]{} }

// A Where is a query for the rows of a table that fulfil a condition.
type Where[R any] struct {
	table string
	pred  Pred[R]
}

// SQL returns the text.
func (w Where[R]) SQL() (string, error) {
	return "SELECT * FROM " + quoteTable(w.table) + w.pred.clause(), w.pred.err
}

// Where keeps the rows for which these conditions hold, too.
func (w Where[R]) Where(conditions ...Pred[R]) Where[R] {
	return Where[R]{w.table, And(append([]Pred[R]{w.pred}, conditions...)...)}
}

func (w Where[R]) source(*R) (string, Pred[R]) { return w.table, w.pred }

// A Source is a table or some of its rows: a From or a Where.
type Source[R any] interface {
	source(*R) (table string, pred Pred[R])
}

// A Pred is a condition on a row. The zero Pred always holds.
type Pred[R any] struct {
	text string
	err  error
}

func (p Pred[R]) clause() string {
	if p.text == "" {
		return ""
	}
	return " WHERE " + p.text
}

// And holds if all conditions hold.
func And[R any](conditions ...Pred[R]) Pred[R] { return combine(" AND ", conditions) }

// Or holds if one of the conditions holds; without conditions it always does.
func Or[R any](conditions ...Pred[R]) Pred[R] { return combine(" OR ", conditions) }

func combine[R any](operator string, conditions []Pred[R]) (all Pred[R]) {
	var texts []string
	for _, p := range conditions {
		all.err = errors.Join(all.err, p.err)
		if p.text != "" {
			texts = append(texts, p.text)
		} else if operator == " OR " {
			return Pred[R]{err: all.err}
		}
	}
	if all.text = strings.Join(texts, operator); len(texts) > 1 {
		all.text = "(" + all.text + ")"
	}
	return all
}

// Not holds if the condition does not.
func Not[R any](p Pred[R]) Pred[R] {
	if p.text == "" {
		return Pred[R]{text: "(FALSE = TRUE)", err: p.err}
	}
	return Pred[R]{"(NOT " + p.text + ")", p.err}
}

// And holds if p and all conditions hold.
func (p Pred[R]) And(conditions ...Pred[R]) Pred[R] {
	return And(append([]Pred[R]{p}, conditions...)...)
}

// Or holds if p or one of the conditions holds.
func (p Pred[R]) Or(conditions ...Pred[R]) Pred[R] { return Or(append([]Pred[R]{p}, conditions...)...) }

// A Col is a column of type T of a table with rows R, named as in SQL: canonical.
type Col[R, T any] struct{ Table, Name string }

func (c Col[R, T]) text() string { return quoteTable(c.Table) + "." + quote(c.Name) }

func (c Col[R, T]) compare(operator string, v T) Pred[R] {
	text, err := literal(v)
	if err != nil {
		err = fmt.Errorf("client: the condition on column %s of table %s: %w", c.Name, c.Table, err)
	}
	return Pred[R]{"(" + c.text() + operator + text + ")", err}
}

// Eq holds for rows whose column is v.
func (c Col[R, T]) Eq(v T) Pred[R] { return c.compare(" = ", v) }

// Ne holds for rows whose column is not v.
func (c Col[R, T]) Ne(v T) Pred[R] { return c.compare(" <> ", v) }

// Lt holds for rows whose column is below v.
func (c Col[R, T]) Lt(v T) Pred[R] { return c.compare(" < ", v) }

// Le holds for rows whose column is v or below.
func (c Col[R, T]) Le(v T) Pred[R] { return c.compare(" <= ", v) }

// Gt holds for rows whose column is above v.
func (c Col[R, T]) Gt(v T) Pred[R] { return c.compare(" > ", v) }

// Ge holds for rows whose column is v or above.
func (c Col[R, T]) Ge(v T) Pred[R] { return c.compare(" >= ", v) }

// EqCol holds for rows where two columns are the same.
func (c Col[R, T]) EqCol(o Col[R, T]) Pred[R] {
	return Pred[R]{text: "(" + c.text() + " = " + o.text() + ")"}
}

// An OptCol is a column of optional values. Comparisons hold only for rows that have
// one. Servers of the original do not know conditions on such columns.
type OptCol[R, T any] struct{ Col[R, T] }

// IsNone holds for rows whose column has no value.
func (c OptCol[R, T]) IsNone() Pred[R] { return Pred[R]{text: "(" + c.text() + " IS NULL)"} }

// IsSome holds for rows whose column has a value.
func (c OptCol[R, T]) IsSome() Pred[R] { return Pred[R]{text: "(" + c.text() + " IS NOT NULL)"} }

// An IxCol is a column with an index, which a Semijoin needs.
type IxCol[R, T any] struct{ Col[R, T] }

// A JoinOn is the condition of a Semijoin.
type JoinOn[R, S any] struct{ text string }

// On is the condition that two columns with indexes are the same.
func On[R, S, T any](a IxCol[R, T], b IxCol[S, T]) JoinOn[R, S] {
	return JoinOn[R, S]{a.text() + " = " + b.text()}
}

// A Joined is a query for the rows R that have a partner.
type Joined[R any] struct {
	text string
	err  error
}

// Semijoin is the query for the rows of keep for which there is a row of partner, once
// for each.
func Semijoin[R, S any](keep Source[R], partner Source[S], on JoinOn[R, S]) Joined[R] {
	kept, p := keep.source(nil)
	other, q := partner.source(nil)
	texts := make([]string, 0, 2)
	for _, t := range []string{p.text, q.text} {
		if t != "" {
			texts = append(texts, t)
		}
	}
	text := "SELECT " + quoteTable(kept) + ".* FROM " + quoteTable(kept) + " JOIN " + quoteTable(other) + " ON " + on.text
	if len(texts) > 0 {
		text += " WHERE " + strings.Join(texts, " AND ")
	}
	err := errors.Join(p.err, q.err)
	if kept == other {
		err = errors.Join(err, fmt.Errorf("client: a semijoin of the table %s with itself is not possible", kept))
	}
	return Joined[R]{text, err}
}

// SQL returns the text.
func (j Joined[R]) SQL() (string, error) { return j.text, j.err }

// A ViewCall is the query for the rows of a view with arguments.
type ViewCall[R any] struct {
	text string
	err  error
}

// CallView is the query for a view with arguments, of the types that literals can have.
// Generated packages use it.
func CallView[R any](view string, args ...any) ViewCall[R] {
	texts := make([]string, len(args))
	var err error
	for i, v := range args {
		text, e := literal(v)
		if e != nil {
			err = errors.Join(err, fmt.Errorf("client: argument %d of the view %s: %w", i+1, view, e))
		}
		texts[i] = text
	}
	return ViewCall[R]{"SELECT * FROM " + quoteTable(view) + "(" + strings.Join(texts, ", ") + ")", err}
}

// SQL returns the text.
func (v ViewCall[R]) SQL() (string, error) { return v.text, v.err }
