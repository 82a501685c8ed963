package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/stdbgo/spacetime/sats"
)

var logLevels = []string{"trace", "debug", "info", "warn", "error", "panic"}

// logOptions select and format log records.
type logOptions struct {
	level string
	exact bool
	json  bool
	color bool
	brief bool // without traces
}

func (r *run) logsCommand() *cobra.Command {
	var t target
	var num, format string
	var follow bool
	o := &logOptions{}
	cmd := &cobra.Command{
		Use:         "logs [OPTIONS] [database]",
		Annotations: map[string]string{sortsArguments: "spacetime logs [database] [--no-config]"},
		Short:       "Print a database's log",
		RunE: func(cmd *cobra.Command, args []string) error {
			database, _, err := r.pick(cmd, &t, args, onlyDatabase)
			if err != nil {
				return err
			}
			if num != "" {
				if _, err := strconv.ParseUint(num, 10, 32); err != nil {
					return usagef(cmd, "invalid value '%s' for '--num-lines': it must be a number up to 4294967295", num)
				}
			} else if follow {
				num = "10"
			}
			if o.exact && o.level == "" {
				return usagef(cmd, "the following required arguments were not provided:\n  --level <LEVEL>")
			}
			a, err := r.connect(cmd.Context(), &t)
			if err != nil {
				return err
			}
			id, err := a.identityOf(cmd.Context(), database)
			if err != nil {
				return err
			}
			o.json, o.color = format == "json", r.color(r.Stdout)
			return r.logs(cmd.Context(), a, id, num, follow, o)
		},
	}
	t.flags(cmd, false)
	f := cmd.Flags()
	f.VarP(once(&num, "lines"), "num-lines", "n", "print the last so many lines only")
	f.BoolVarP(&follow, "follow", "f", false, "go on printing what is added")
	f.Var(once(&format, "format", "text", "json", "default", "txt"), "format", "how to print: text or json")
	f.VarP(once(&o.level, "level", logLevels...), "level", "l", "print this level and more severe ones only")
	f.BoolVar(&o.exact, "level-exact", false, "print the level only")
	return cmd
}

func (r *run) logs(ctx context.Context, a *api, id sats.Identity, num string, follow bool, o *logOptions) error {
	return a.eachLogLine(ctx, id, num, follow, func(line string) error {
		text := o.format(line)
		if _, err := io.WriteString(r.Stdout, text); err != nil {
			return errNobodyReads
		}
		return nil
	})
}

// errNobodyReads ends the reading of a log quietly.
var errNobodyReads = errors.New("nobody reads what is printed")

// eachLogLine hands each line of a database's log to a function, until the log or
// ctx ends or the function fails.
func (a *api) eachLogLine(ctx context.Context, id sats.Identity, num string, follow bool, each func(line string) error) error {
	path := fmt.Sprintf("/v1/database/%s/logs?follow=%v", id, follow)
	if num != "" {
		path = fmt.Sprintf("/v1/database/%s/logs?num_lines=%s&follow=%v", id, num, follow)
	}
	res, err := a.open(ctx, request{method: "GET", path: path})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= 400 {
		body, _ := io.ReadAll(io.LimitReader(res.Body, 1<<16))
		if text := strings.TrimSpace(string(body)); text != "" {
			return &failure{msg: text, code: res.StatusCode, hint: hintOfStatus(res.StatusCode)}
		}
		return fail("the server answers %s", phrase(res))
	}
	lines := newLineReader(res.Body)
	for {
		line, err := lines.next()
		switch {
		case errors.Is(err, io.EOF), ctx.Err() != nil:
			return nil
		case err != nil:
			return withHint(because(err, "the log has been cut off"), lostHint)
		}
		switch err := each(line); {
		case errors.Is(err, errNobodyReads):
			return nil
		case err != nil:
			return err
		}
	}
}

// A logRecord is one line of a module log (spec 06 §4.11).
type logRecord struct {
	Level    string
	TS       int64
	Function *string
	Filename *string
	Line     *uint32 `json:"line_number"`
	Message  string
	Trace    []struct {
		Module   *string `json:"module_name"`
		Function *string `json:"func_name"`
	}
}

// format renders one line of the log, or "" if the level excludes it.
func (o *logOptions) format(line string) string {
	text, _ := o.formatAt(line)
	return text
}

// formatAt is format with the record's time in microseconds since 1970, 0 if there
// is none.
func (o *logOptions) formatAt(line string) (text string, at int64) {
	if strings.TrimSpace(line) == "" {
		return "", 0
	}
	var rec logRecord
	err := json.Unmarshal([]byte(line), &rec)
	level := strings.ToLower(rec.Level)
	if o.level != "" && err == nil {
		at, least := slices.Index(logLevels, level), slices.Index(logLevels, o.level)
		if at < least || o.exact && at != least {
			return "", rec.TS
		}
	}
	if o.json || err != nil {
		return line + "\n", rec.TS
	}
	var b strings.Builder
	b.WriteString(o.paint("2", logTime(rec.TS)) + " ")
	b.WriteString(o.paint(levelColors[level], fmt.Sprintf("%5s", strings.ToUpper(rec.Level))) + ": ")
	where := ""
	if rec.Function != nil && *rec.Function != "__spacetimedb__" {
		where = *rec.Function
	}
	if rec.Filename != nil && *rec.Filename != "__spacetimedb__" {
		if where != "" {
			where += " "
		}
		where += *rec.Filename
		if rec.Line != nil {
			where += fmt.Sprintf(":%d", *rec.Line)
		}
	}
	if where != "" {
		b.WriteString(o.paint("2", where) + ": ")
	}
	b.WriteString(rec.Message + "\n")
	if o.brief {
		return b.String(), rec.TS
	}
	for _, f := range rec.Trace {
		b.WriteString("    in")
		if f.Module != nil {
			b.WriteString(" " + *f.Module)
		}
		if f.Function != nil {
			b.WriteString(" :: " + *f.Function)
		}
		b.WriteByte('\n')
	}
	return b.String(), rec.TS
}

var levelColors = map[string]string{"error": "31", "warn": "33", "info": "34", "debug": "2;1", "trace": "2", "panic": "1;91"}

func (o *logOptions) paint(code, text string) string {
	if !o.color || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// logTime renders microseconds since 1970 with as many fraction digits as are
// needed: none, three or six.
func logTime(micros int64) string {
	t := time.UnixMicro(micros).UTC()
	switch {
	case micros%1_000_000 == 0:
		return t.Format("2006-01-02T15:04:05Z")
	case micros%1000 == 0:
		return t.Format("2006-01-02T15:04:05.000Z")
	}
	return t.Format("2006-01-02T15:04:05.000000Z")
}
