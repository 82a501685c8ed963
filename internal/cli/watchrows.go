package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// A rowWatcher shows the rows of a query as tables: those at the beginning, then
// what changes, each row with a mark. Its methods run on the connection's reading
// goroutine.
type rowWatcher struct {
	module *schema.ModuleDef
	out    io.Writer
	color  bool
	tables map[string]*markedRows
	err    error
	failed chan struct{}
}

// markedRows are the rows of one table in one message, as texts.
type markedRows struct{ deleted, inserted [][]string }

// Marks of rows, and their colours.
const (
	rowThere   = " "
	rowAdded   = "+"
	rowRemoved = "-"
	rowChanged = "~"
)

var markColors = map[string]string{rowAdded: "32", rowRemoved: "31", rowChanged: "33"}

// watchRows shows a query's rows and their changes until ctx or the server ends it.
func (s *shell) watchRows(ctx context.Context, query string) error {
	m, err := s.api.module(ctx, s.id)
	if err != nil {
		return err
	}
	conn, err := client.Dial(ctx, nil, client.Options{URL: s.api.base, Database: s.id.String(), Token: s.api.token, HTTPClient: httpClient})
	if err != nil {
		return because(err, "the subscription's connection failed")
	}
	defer conn.Close()
	w := &rowWatcher{module: m, out: s.Stdout, color: s.color(s.Stdout), tables: map[string]*markedRows{}, failed: make(chan struct{})}
	if _, err := conn.SubscribeUpdates(ctx, w.rows, w.end, query); err != nil {
		var refused *client.SubscriptionError
		switch {
		case errors.As(err, &refused):
			return withHint(fail("%s", refused.Message), nearestTable(m, refused.Message))
		case ctx.Err() != nil:
			return nil
		}
		return withHint(because(err, "websocket error"), lostHint)
	}
	select {
	case <-ctx.Done():
		return nil
	case <-w.failed:
		return w.err
	case <-conn.Done():
		return withHint(fail("disconnected by server"), lostHint)
	}
}

func (w *rowWatcher) rows(rows client.Rows) {
	t := rowTypeOf(w.module, rows.Table)
	if t == nil {
		w.fail(fail("the table %s is not in the schema", rows.Table))
		return
	}
	marked := w.tables[rows.Table]
	if marked == nil {
		marked = &markedRows{}
		w.tables[rows.Table] = marked
	}
	for _, part := range []struct {
		from *client.RowList
		to   *[][]string
	}{{&rows.Deleted, &marked.deleted}, {&rows.Inserted, &marked.inserted}} {
		for i := range part.from.Len() {
			cells, err := rowCells(t, part.from.At(i))
			if err != nil {
				w.fail(because(err, "a row of %s is not understood", rows.Table))
				return
			}
			*part.to = append(*part.to, cells)
		}
	}
}

func (w *rowWatcher) fail(err error) {
	if w.err == nil {
		w.err = err
		close(w.failed)
	}
}

// rowCells are the texts of a row's values.
func rowCells(t *sats.Type, row []byte) ([]string, error) {
	cells := make([]string, len(t.Elems))
	for i, e := range t.Elems {
		text, rest, err := sats.AppendSQLText(nil, nil, e.Type, row)
		if err != nil {
			return nil, err
		}
		cells[i], row = string(text), rest
	}
	return cells, nil
}

// end prints what has come.
func (w *rowWatcher) end(kind client.EventKind) {
	tables := w.tables
	w.tables = map[string]*markedRows{}
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		text := w.text(name, tables[name], kind == client.Applied)
		if _, err := io.WriteString(w.out, text); err != nil {
			w.fail(errNobodyReads)
			return
		}
	}
	if kind == client.Applied {
		fmt.Fprint(w.out, "Watching. Ctrl-C ends it.\n\n")
	}
}

// text is a table of a message's rows.
func (w *rowWatcher) text(name string, rows *markedRows, initial bool) string {
	t := rowTypeOf(w.module, name)
	header := []string{" "}
	for i, e := range t.Elems {
		if e.Name.Set {
			header = append(header, e.Name.Text)
		} else {
			header = append(header, fmt.Sprintf("column %d", i))
		}
	}
	var all [][]string
	add := func(mark string, cells []string) { all = append(all, append([]string{mark}, cells...)) }
	changed := map[string]bool{}
	if key := w.primaryKey(name); key >= 0 {
		for _, cells := range rows.inserted {
			changed[cells[key]] = true
		}
		for _, cells := range rows.deleted {
			if !changed[cells[key]] {
				add(rowRemoved, cells)
			}
		}
		gone := map[string]bool{}
		for _, cells := range rows.deleted {
			gone[cells[key]] = true
		}
		for _, cells := range rows.inserted {
			if gone[cells[key]] {
				add(rowChanged, cells)
			} else {
				add(rowAdded, cells)
			}
		}
	} else {
		for _, cells := range rows.deleted {
			add(rowRemoved, cells)
		}
		for _, cells := range rows.inserted {
			add(rowAdded, cells)
		}
	}
	if initial {
		for _, row := range all {
			row[0] = rowThere
		}
	}
	return name + ":\n" + w.paint(formatTable(header, all)) + "\n\n"
}

// primaryKey is the column of a table's primary key, -1 if there is none.
func (w *rowWatcher) primaryKey(name string) int {
	if t, ok := w.module.Table(name); ok && t.PrimaryKey != nil {
		return int(*t.PrimaryKey)
	}
	return -1
}

// paint colours the lines of rows by their marks.
func (w *rowWatcher) paint(table string) string {
	if !w.color {
		return table
	}
	lines := strings.Split(table, "\n")
	for i := 2; i < len(lines); i++ {
		if len(lines[i]) > 1 && markColors[lines[i][1:2]] != "" {
			lines[i] = paint(true, markColors[lines[i][1:2]], lines[i])
		}
	}
	return strings.Join(lines, "\n")
}
