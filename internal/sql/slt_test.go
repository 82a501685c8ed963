package sql

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/sats"
)

// The files of testdata/slt are in the form of sqllogictest, with tables and
// callers of our own:
//
//	table NAME COLUMN:TYPE … [pk=COLUMN] [auto=COLUMN] [index=COLUMN,…] [private]
//	rule SQL                      a row-level security rule
//	caller owner|alice|bob        of what follows; owner at first
//
//	statement ok|error [TEXT]     one statement, up to an empty line; TEXT is part
//	SQL                           of the error
//
//	query [rowsort]               rows: values between | in result order, or sorted
//	SQL
//	----
//	ROW …
//
// A value is a number, TRUE or FALSE, NULL, a string in quotes, the variant of an
// enum, or SATS-JSON.

type slt struct {
	t      *testing.T
	db     *database
	caller Caller
	lines  []string
	at     int
	file   string
}

func TestLogicFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/slt/*.slt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".slt"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := &slt{t: t, db: newDatabase(t), caller: owner, lines: strings.Split(string(b), "\n"), file: file}
			records := 0
			for s.at < len(s.lines) {
				if s.record() {
					records++
				}
			}
			if records < 5 {
				t.Errorf("only %d records", records)
			}
		})
	}
}

func (s *slt) fatalf(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s:%d: %s", s.file, s.at, fmt.Sprintf(format, args...))
}

func (s *slt) errorf(line int, format string, args ...any) {
	s.t.Helper()
	s.t.Errorf("%s:%d: %s", s.file, line, fmt.Sprintf(format, args...))
}

// block reads lines up to an empty one or a separator.
func (s *slt) block() string {
	var out []string
	for ; s.at < len(s.lines) && s.lines[s.at] != "" && s.lines[s.at] != "----"; s.at++ {
		out = append(out, s.lines[s.at])
	}
	return strings.Join(out, "\n")
}

func (s *slt) record() bool {
	line := s.lines[s.at]
	start := s.at + 1
	s.at++
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "", "#":
		return false
	case "table":
		s.table(rest)
	case "rule":
		if err := s.db.rule(rest); err != nil {
			s.fatalf("%v", err)
		}
	case "caller":
		callers := map[string]Caller{"owner": owner, "alice": alice, "bob": {Identity: sats.Identity{3}}}
		c, ok := callers[rest]
		if !ok {
			s.fatalf("caller %s", rest)
		}
		s.caller = c
	case "statement":
		s.statement(start, rest)
		return true
	case "query":
		s.query(start, rest)
		return true
	default:
		s.fatalf("unknown record %q", line)
	}
	return false
}

func (s *slt) table(text string) {
	var spec tableSpec
	for i, word := range strings.Fields(text) {
		key, value, assigned := strings.Cut(word, "=")
		name, typ, column := strings.Cut(word, ":")
		switch {
		case i == 0:
			spec.name = word
		case assigned && key == "pk":
			spec.pk = value
		case assigned && key == "auto":
			spec.autoInc = value
		case assigned && key == "index":
			spec.index = append(spec.index, value)
		case word == "private":
			spec.private = true
		case column:
			spec.cols = append(spec.cols, sats.E(name, s.columnType(typ)))
		default:
			s.fatalf("table: %s", word)
		}
	}
	tx := s.db.Begin()
	if _, err := tx.CreateTable(spec.table(s.t)); err != nil {
		s.fatalf("%v", err)
	}
	tx.Commit(nil)
}

func (s *slt) columnType(name string) *sats.Type {
	if inner, ok := strings.CutPrefix(name, "Option<"); ok {
		return sats.Option(s.columnType(strings.TrimSuffix(inner, ">")))
	}
	if variants, ok := strings.CutPrefix(name, "enum("); ok {
		var elems []sats.Element
		for _, v := range strings.Split(strings.TrimSuffix(variants, ")"), ",") {
			elems = append(elems, sats.E(v, sats.Unit))
		}
		return sats.Sum(elems...)
	}
	typ := typeNames[strings.ToUpper(name)]
	if typ == nil {
		s.fatalf("type %s", name)
	}
	return typ
}

func (s *slt) statement(line int, want string) {
	text := s.block()
	_, err := s.db.run(s.caller, text)
	kind, part, _ := strings.Cut(want, " ")
	switch {
	case kind == "ok" && err != nil:
		s.errorf(line, "%v", err)
	case kind == "error" && (err == nil || !strings.Contains(err.Error(), part)):
		s.errorf(line, "got %v; want an error with %q", err, part)
	case kind != "ok" && kind != "error":
		s.fatalf("statement %s", want)
	}
}

func (s *slt) query(line int, order string) {
	text := s.block()
	if s.at < len(s.lines) && s.lines[s.at] == "----" {
		s.at++
	}
	var want []string
	if rows := s.block(); rows != "" {
		want = strings.Split(rows, "\n")
	}
	a, err := s.db.run(s.caller, text)
	if err != nil {
		s.errorf(line, "%v", err)
		return
	}
	var got []string
	for _, row := range a.rows {
		got = append(got, sltRow(row, a.cols))
	}
	if order == "rowsort" {
		slices.Sort(got)
		slices.Sort(want)
	}
	if !slices.Equal(got, want) {
		s.errorf(line, "%s\n got\n%s\nwant\n%s", text, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func sltRow(row string, cols []OutCol) string {
	dec := json.NewDecoder(strings.NewReader(row))
	dec.UseNumber()
	var values []any
	if err := dec.Decode(&values); err != nil {
		return err.Error()
	}
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = sltValue(v, cols[i].Type)
	}
	return strings.Join(out, "|")
}

func sltValue(v any, t *sats.Type) string {
	if inner, ok := t.IsOption(); ok {
		if tag := v.([]any); tag[0].(json.Number) == "0" {
			return sltValue(tag[1], inner)
		}
		return "NULL"
	}
	if t.IsPlainEnum() {
		tag, _ := v.([]any)[0].(json.Number).Int64()
		return t.Elems[tag].Name.Text
	}
	switch v := v.(type) {
	case string:
		return "'" + v + "'"
	case bool:
		return strings.ToUpper(fmt.Sprint(v))
	case json.Number:
		return v.String()
	}
	b, _ := json.Marshal(v)
	return string(b)
}
