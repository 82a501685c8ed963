package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/stdbgo/spacetime/sats"
)

// placeOfHint is the place in a statement before what helps.
var placeOfHint = regexp.MustCompile(`^(at Line: \d+, Column \d+) `)

// A statementResult is the server's answer to one statement.
type statementResult struct {
	columns []sats.Element
	rows    [][]json.RawMessage
	server  time.Duration
	stats   struct {
		Inserted uint64 `json:"rows_inserted"`
		Deleted  uint64 `json:"rows_deleted"`
		Updated  uint64 `json:"rows_updated"`
	}
}

func (r *run) sqlCommand() *cobra.Command {
	var t target
	var format, confirmed string
	var interactive bool
	cmd := &cobra.Command{
		Use:         "sql [OPTIONS] [DATABASE] [QUERY]...",
		Annotations: map[string]string{sortsArguments: "spacetime sql [database] <query> [--no-config]"},
		Short:       "Run SQL statements, or a shell for them",
		Long: "Runs an SQL statement on a database and prints the result.\n\n" +
			"Without a statement it opens a shell: SQL with history, highlighting and completion, calls of reducers, live queries.",
		RunE: func(cmd *cobra.Command, args []string) error {
			r.unstable()
			kind := sqlSplit
			if interactive {
				if len(args) > 1 {
					return fail("Too many positional arguments for interactive mode.\n\nUsage: spacetime sql --interactive [database] [--no-config]")
				}
				kind = onlyDatabase
			}
			database, words, err := r.pick(cmd, &t, args, kind)
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
			if len(words) == 0 {
				mode := "table"
				if format == "json" || format == "csv" {
					mode = format
				}
				return r.shell(cmd.Context(), a, database, id, mode)
			}
			body, err := a.sql(cmd.Context(), id, strings.Join(words, " "), confirmed)
			if err != nil {
				return err
			}
			if format == "json" {
				fmt.Fprintf(r.Stdout, "%s\n", body)
				return nil
			}
			results, err := parseResults(body)
			if err != nil {
				return err
			}
			if format == "csv" {
				return r.printCSV(results)
			}
			tables := make([]string, len(results))
			for i := range results {
				if len(results[i].columns) > 0 {
					tables[i] = results[i].table()
				}
			}
			fmt.Fprintln(r.Stdout, strings.Join(tables, "\n\n"))
			return nil
		},
	}
	t.flags(cmd, true)
	f := cmd.Flags()
	f.BoolVar(&interactive, "interactive", false, "open the shell")
	optional(f, once(&confirmed, boolKind, "true", "false"), "confirmed", "", "true", "wait until what the answer shows is on disk")
	f.Var(once(&format, "format", "text", "json", "csv", "default", "txt"), "format", "how to print the result: text, json or csv")
	return cmd
}

// printCSV prints results with columns, with an empty line between them.
func (r *run) printCSV(results []statementResult) error {
	first := true
	for i := range results {
		if len(results[i].columns) == 0 {
			continue
		}
		text, err := results[i].csv()
		if err != nil {
			return err
		}
		if !first {
			fmt.Fprintln(r.Stdout)
		}
		first = false
		fmt.Fprint(r.Stdout, text)
	}
	return nil
}

// sql sends a text and returns the answer's body.
func (a *api) sql(ctx context.Context, id sats.Identity, text, confirmed string) ([]byte, error) {
	path := "/v1/database/" + id.String() + "/sql"
	if confirmed != "" {
		path += "?confirmed=" + confirmed
	}
	res, err := a.do(ctx, request{method: "POST", path: path, body: []byte(text), agent: true})
	if err != nil {
		return nil, err
	}
	if err := res.err(); err != nil {
		return nil, withHint(err, placeOfHint.ReplaceAllString(res.header.Get("Spacetime-Hint"), "$1. "))
	}
	if !res.isJSON() {
		return nil, fail("HTTP response from url (%s) was success but did not have content-type: application/json", res.url)
	}
	return res.body, nil
}

func parseResults(body []byte) ([]statementResult, error) {
	var raw []struct {
		Schema   json.RawMessage
		Rows     [][]json.RawMessage
		Duration int64 `json:"total_duration_micros"`
		Stats    json.RawMessage
	}
	if err := json.Unmarshal(body, &raw); err != nil {
		return nil, because(err, "malformed sql response")
	}
	out := make([]statementResult, len(raw))
	for i, s := range raw {
		t, err := sats.ParseProductTypeJSON(s.Schema)
		if err != nil {
			return nil, because(err, "malformed sql response")
		}
		out[i].columns, out[i].rows, out[i].server = t.Elems, s.Rows, time.Duration(s.Duration)*time.Microsecond
		if len(s.Stats) > 0 {
			if err := json.Unmarshal(s.Stats, &out[i].stats); err != nil {
				return nil, because(err, "malformed sql response")
			}
		}
		for _, row := range s.Rows {
			if len(row) != len(t.Elems) {
				return nil, fail("malformed sql response: a row of %d values for %d columns", len(row), len(t.Elems))
			}
		}
	}
	return out, nil
}

func (s *statementResult) table() string {
	header := make([]string, len(s.columns))
	for i, c := range s.columns {
		header[i] = c.Name.Text
		if !c.Name.Set {
			header[i] = fmt.Sprintf("column %d", i)
		}
	}
	rows := make([][]string, len(s.rows))
	for i, row := range s.rows {
		rows[i] = make([]string, len(row))
		for j, cell := range row {
			rows[i][j] = cellText(s.columns[j].Type, cell)
		}
	}
	return formatTable(header, rows)
}

// cellText is the text of a value (spec 01 §5.4). What is no value of its type,
// as the null of a float that is not finite, stays JSON.
func cellText(t *sats.Type, cell json.RawMessage) string {
	b, err := sats.ParseJSON(nil, nil, t, cell)
	if err != nil {
		return string(cell)
	}
	text, _, err := sats.AppendSQLText(nil, nil, t, b)
	if err != nil {
		return string(cell)
	}
	return string(text)
}
