package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// watchOptions say how long to watch and what to print.
type watchOptions struct {
	updates   *uint64 // end after so many
	timeout   *uint64 // end after so many seconds
	initial   bool    // print the rows there are at the beginning, too
	confirmed string
}

func (r *run) subscribeCommand() *cobra.Command {
	var t target
	var updates, timeout string
	o := &watchOptions{}
	cmd := &cobra.Command{
		Use:         "subscribe [OPTIONS] [DATABASE] <QUERY>...",
		Annotations: map[string]string{sortsArguments: "spacetime subscribe [database] <query> [query...] (or --no-config for legacy behavior)"},
		Short:       "Print changes of query results as they happen",
		Long:        "Subscribes to SQL queries and prints every change of their results as a line of JSON.",
		RunE: func(cmd *cobra.Command, args []string) error {
			r.unstable()
			var err error
			if o.updates, err = number(cmd, "num-updates", updates); err != nil {
				return err
			}
			if o.timeout, err = number(cmd, "timeout", timeout); err != nil {
				return err
			}
			database, queries, err := r.pick(cmd, &t, args, querySplit)
			if err != nil {
				return err
			}
			a, err := r.connect(cmd.Context(), &t)
			if err != nil {
				return err
			}
			id, err := a.identityOf(cmd.Context(), database)
			if err != nil {
				return err
			}
			return r.watch(cmd.Context(), a, id, queries, o)
		},
	}
	t.flags(cmd, true)
	f := cmd.Flags()
	f.VarP(once(&updates, "number"), "num-updates", "n", "end after so many updates")
	f.VarP(once(&timeout, "seconds"), "timeout", "t", "end after so many seconds")
	f.BoolVar(&o.initial, "print-initial-update", false, "print the rows at the beginning, too")
	optional(f, once(&o.confirmed, boolKind, "true", "false"), "confirmed", "", "true", "wait until a change is on disk")
	return cmd
}

func number(cmd *cobra.Command, flag, text string) (*uint64, error) {
	if text == "" {
		return nil, nil
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return nil, usagef(cmd, "invalid value '%s' for '--%s': it must be a number up to 4294967295", text, flag)
	}
	return &n, nil
}

// watch subscribes and prints updates until its options, the server or ctx end it.
func (r *run) watch(ctx context.Context, a *api, id sats.Identity, queries []string, o *watchOptions) error {
	m, err := a.module(ctx, id)
	if err != nil {
		return err
	}
	confirmed := client.ConfirmedDefault
	switch o.confirmed {
	case "true":
		confirmed = client.ConfirmedYes
	case "false":
		confirmed = client.ConfirmedNo
	}
	conn, err := client.Dial(ctx, nil, client.Options{URL: a.base, Database: id.String(), Token: a.token, ConfirmedReads: confirmed, HTTPClient: httpClient})
	if err != nil {
		return because(err, "the subscription's connection failed")
	}
	defer conn.Close()
	if o.timeout != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(*o.timeout)*time.Second)
		defer cancel()
	}
	w := &watcher{module: m, out: r.Stdout, printInitial: o.initial, limit: o.updates, enough: make(chan struct{}), update: newUpdate()}
	if _, err := conn.SubscribeUpdates(ctx, w.rows, w.end, queries...); err != nil {
		var refused *client.SubscriptionError
		if errors.As(err, &refused) {
			return withHint(fail("encountered error in initial subscribe: %s", refused.Message), nearestTable(m, refused.Message))
		}
		if ctx.Err() != nil {
			return r.watchTimedOut(ctx, o, w)
		}
		return withHint(because(err, "websocket error"), lostHint)
	}
	select {
	case <-w.enough:
		return w.err
	case <-ctx.Done():
		return r.watchTimedOut(ctx, o, w)
	case <-conn.Done():
		return r.watchClosed(conn.Err(), w)
	}
}

func (r *run) watchTimedOut(ctx context.Context, o *watchOptions, w *watcher) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) || o.timeout == nil {
		return nil // the user has ended it
	}
	fmt.Fprintf(r.Stderr, "timed out after %ds\n", *o.timeout)
	if n, missing := w.missing(); missing {
		return fail("subscription timed out after %ds after receiving %d/%d updates", *o.timeout, n, *o.updates)
	}
	return nil
}

func (r *run) watchClosed(err error, w *watcher) error {
	if err != nil && !client.ClosedByServer(err) {
		return withHint(because(err, "websocket error"), lostHint)
	}
	fmt.Fprintln(r.Stderr, "disconnected by server")
	if n, missing := w.missing(); missing {
		return fail("subscription closed after receiving %d/%d updates", n, *w.limit)
	}
	return nil
}

// A watcher turns rows into lines of JSON. Its methods run on the connection's
// reading goroutine, but for missing.
type watcher struct {
	module       *schema.ModuleDef
	out          io.Writer
	printInitial bool
	limit        *uint64
	printed      counter
	enough       chan struct{}
	done         bool
	err          error
	update       *update
}

// An update is the rows of one message, by table.
type update struct{ tables map[string]*tableUpdate }

type tableUpdate struct{ deletes, inserts []byte }

func newUpdate() *update { return &update{map[string]*tableUpdate{}} }

func (w *watcher) rows(rows client.Rows) {
	if w.err != nil || w.done {
		return
	}
	t := w.update.tables[rows.Table]
	if t == nil {
		t = &tableUpdate{}
		w.update.tables[rows.Table] = t
	}
	rowType := rowTypeOf(w.module, rows.Table)
	if rowType == nil {
		w.stop(fail("error formatting response: table not found in schema"))
		return
	}
	var err error
	if t.deletes, err = appendRows(t.deletes, rowType, &rows.Deleted); err == nil {
		t.inserts, err = appendRows(t.inserts, rowType, &rows.Inserted)
	}
	if err != nil {
		w.stop(because(err, "error formatting response"))
	}
}

var noSuchTable = regexp.MustCompile("^no such table: `([^`]*)`")

// nearestTable says which table a refusal of one that is not there may mean.
func nearestTable(m *schema.ModuleDef, text string) string {
	given := noSuchTable.FindStringSubmatch(text)
	if given == nil {
		return ""
	}
	var names []string
	for _, t := range m.Tables {
		names = append(names, t.Name)
	}
	return didYouMean(given[1], names)
}

// rowTypeOf returns the type of a table's rows.
func rowTypeOf(m *schema.ModuleDef, table string) *sats.Type {
	if t, ok := m.Table(table); ok {
		return t.RowType
	}
	if v, ok := m.View(table); ok {
		return v.RowType
	}
	return nil
}

func appendRows(b []byte, t *sats.Type, rows *client.RowList) ([]byte, error) {
	for i := range rows.Len() {
		if len(b) > 0 {
			b = append(b, ',')
		}
		var err error
		if b, _, err = sats.AppendJSON(b, nil, t, rows.At(i), sats.FlavorNamed); err != nil {
			return b, err
		}
	}
	return b, nil
}

// end prints the rows that have come as one line.
func (w *watcher) end(kind client.EventKind) {
	if w.err != nil || w.done {
		return
	}
	u := w.update
	w.update = newUpdate()
	initial := kind == client.Applied
	if initial && !w.printInitial {
		w.countTo(0)
		return
	}
	names := make([]string, 0, len(u.tables))
	for name, t := range u.tables {
		if len(t.inserts)+len(t.deletes) > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	line := []byte("{")
	for i, name := range names {
		if i > 0 {
			line = append(line, ',')
		}
		line = append(sats.AppendJSONString(line, name), `:{"deletes":[`...)
		line = append(append(line, u.tables[name].deletes...), `],"inserts":[`...)
		line = append(append(line, u.tables[name].inserts...), `]}`...)
	}
	if _, err := w.out.Write(append(line, "}\n"...)); err != nil {
		w.stop(nil) // nobody reads any more
		return
	}
	if initial {
		w.countTo(0)
	} else {
		w.countTo(1)
	}
}

// countTo counts n updates and stops at the limit.
func (w *watcher) countTo(n uint64) {
	if total := w.printed.add(n); w.limit != nil && total >= *w.limit {
		w.stop(nil)
	}
}

func (w *watcher) stop(err error) {
	w.err, w.done = err, true
	close(w.enough)
}

// missing reports how many updates came, and whether they are fewer than wanted.
func (w *watcher) missing() (uint64, bool) {
	n := w.printed.add(0)
	return n, w.limit != nil && n < *w.limit
}
