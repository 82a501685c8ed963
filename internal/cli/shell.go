package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/stdbgo/spacetime/internal/build"
	"github.com/stdbgo/spacetime/sats"
)

// A shell reads statements and commands and prints what they give (spec 09 §8).
type shell struct {
	*run
	api      *api
	database string // as the user wrote it
	id       sats.Identity
	mode     string     // how results are printed: table, json, csv
	lines    bool       // a statement goes on until a semicolon
	names    *nameCache // for completion
	failed   bool
}

// shell runs statements: at a terminal with a line editor, else from the lines of
// the input, without banner and prompts.
func (r *run) shell(ctx context.Context, a *api, database string, id sats.Identity, mode string) error {
	s := &shell{run: r, api: a, database: database, id: id, mode: mode}
	if terminal(r.Stdin) && terminal(r.Stdout) {
		return s.interact(ctx)
	}
	for {
		line, err := r.readLine()
		switch {
		case errors.Is(err, io.EOF):
			if s.failed {
				return &build.ExitError{Code: 1} // each failure has been printed
			}
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return nil
		}
		if s.execute(ctx, line) {
			return nil
		}
	}
}

// execute runs what has been entered, which is several statements if it has been
// pasted; it reports whether the shell shall end.
func (s *shell) execute(ctx context.Context, text string) (leave bool) {
	for _, one := range splitStatements(text) {
		if s.executeOne(ctx, one) {
			return true
		}
		if ctx.Err() != nil {
			break
		}
	}
	return false
}

func (s *shell) executeOne(ctx context.Context, line string) (leave bool) {
	line = strings.TrimSpace(line)
	var err error
	switch {
	case line == "":
	case strings.HasPrefix(line, "."):
		leave, err = s.command(ctx, line)
	default:
		err = s.statement(ctx, strings.TrimSuffix(line, ";"))
	}
	if err != nil && ctx.Err() == nil {
		s.failed = true
		s.complain(err)
	}
	return leave
}

// complain prints the first message of an error only.
func (s *shell) complain(err error) {
	text := err.Error()
	var f *failure
	if errors.As(err, &f) {
		text = f.msg
		switch {
		case f.hint != "":
			text += " (" + f.hint + ")"
		case f.unreachable:
			text += ": " + strings.Join(f.causes, ": ")
		}
	}
	fmt.Fprintln(s.Stderr, paint(s.color(s.Stderr), "31", text))
}

// shellCommands are the commands and what .help says about them.
var shellCommands = []struct{ name, use, about string }{
	{".tables", ".tables", "list tables"},
	{".schema", ".schema [table]", "show the columns of a table, or of all"},
	{".call", ".call <reducer> [arguments]", "call a reducer, as spacetime call does"},
	{".subscribe", ".subscribe <query>", "watch a query until Ctrl-C: a line of JSON per change"},
	{".watch", ".watch <query>", "watch a query until Ctrl-C: tables, in which + is a new row, - one that is gone, ~ a changed one"},
	{".mode", ".mode table|json|csv", "how to print results"},
	{".multiline", ".multiline on|off", "let a statement go on until a semicolon"},
	{".logs", ".logs [lines]", "show the database's log"},
	{".clear", ".clear", "clear the screen"},
	{".help", ".help", "show this"},
	{".exit", ".exit, .quit", "leave; Ctrl-D does, too"},
}

func (s *shell) command(ctx context.Context, line string) (leave bool, err error) {
	name, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	switch name {
	case ".exit", ".quit":
		return true, nil
	case ".clear":
		fmt.Fprint(s.Stdout, "\x1b[H\x1b[2J")
	case ".help":
		fmt.Fprintln(s.Stdout, "Any SQL statement, or one of:")
		for _, c := range shellCommands {
			fmt.Fprintf(s.Stdout, "  %-28s %s\n", c.use, c.about)
		}
	case ".tables", ".schema":
		return false, s.describe(ctx, name == ".schema", rest)
	case ".call":
		words, err := splitWords(rest)
		if err == nil && len(words) == 0 {
			err = errors.New("name the reducer: .call <reducer> [arguments]")
		}
		if err != nil {
			return false, err
		}
		return false, s.call(ctx, s.api, s.database, words)
	case ".subscribe":
		query := strings.TrimSuffix(rest, ";")
		if query == "" {
			return false, errors.New("give a query: .subscribe SELECT * FROM <table>")
		}
		return false, s.watch(ctx, s.api, s.id, []string{query}, &watchOptions{initial: true})
	case ".watch":
		query := strings.TrimSuffix(rest, ";")
		if query == "" {
			return false, errors.New("give a query: .watch SELECT * FROM <table>")
		}
		return false, s.watchRows(ctx, query)
	case ".mode":
		if rest != "table" && rest != "json" && rest != "csv" {
			return false, errors.New("choose one of the modes: .mode table, .mode json, .mode csv")
		}
		s.mode = rest
	case ".multiline":
		if rest != "on" && rest != "off" {
			return false, errors.New("say .multiline on or .multiline off")
		}
		s.lines = rest == "on"
	case ".logs":
		if rest == "" {
			rest = "20"
		}
		if _, err := strconv.ParseUint(rest, 10, 32); err != nil {
			return false, fmt.Errorf("%q is not a number of lines", rest)
		}
		return false, s.logs(ctx, s.api, s.id, rest, false, &logOptions{color: s.color(s.Stdout)})
	default:
		return false, fmt.Errorf("there is no command %s; .help lists them", name)
	}
	return false, nil
}

// describe lists tables, with their columns if wanted.
func (s *shell) describe(ctx context.Context, columns bool, only string) error {
	m, err := s.api.module(ctx, s.id)
	if err != nil {
		return err
	}
	found := only == ""
	for _, t := range m.Tables {
		switch {
		case only != "" && t.Name != only:
			continue
		case columns:
			fmt.Fprintln(s.Stdout, tableText(t))
		default:
			fmt.Fprintln(s.Stdout, t.Name)
		}
		found = true
	}
	if !found {
		text := "no such table: `" + only + "`; .tables lists them"
		if near := didYouMean(only, namesOfKind(m, "table")); near != "" {
			text += ". " + near
		}
		return errors.New(text)
	}
	return nil
}

// statement runs SQL and prints its results, each with a footer.
func (s *shell) statement(ctx context.Context, text string) error {
	start := time.Now()
	body, err := s.api.sql(ctx, s.id, text, "")
	if err != nil {
		return err
	}
	took := time.Since(start)
	if s.mode == "json" {
		fmt.Fprintf(s.Stdout, "%s\n", body)
		return nil
	}
	results, err := parseResults(body)
	if err != nil {
		return err
	}
	if s.mode == "csv" {
		return s.printCSV(results)
	}
	for i := range results {
		if i > 0 {
			fmt.Fprintln(s.Stdout)
		}
		if len(results[i].columns) > 0 {
			fmt.Fprintln(s.Stdout, results[i].table())
		}
		fmt.Fprintln(s.Stdout, results[i].footer())
	}
	fmt.Fprintf(s.Stdout, "Roundtrip time: %s\n\n", durationText(took))
	return nil
}

// footer is the line below a result.
func (s *statementResult) footer() string {
	rows := "rows"
	if len(s.rows) == 1 {
		rows = "row"
	}
	var facts []string
	for _, f := range []struct {
		name string
		n    uint64
	}{{"inserted", s.stats.Inserted}, {"deleted", s.stats.Deleted}, {"updated", s.stats.Updated}} {
		if f.n > 0 {
			facts = append(facts, fmt.Sprintf("%s: %d", f.name, f.n))
		}
	}
	facts = append(facts, "server: "+durationText(s.server))
	return fmt.Sprintf("(%d %s) [%s]", len(s.rows), rows, strings.Join(facts, ", "))
}

// durationText renders a duration with two decimals in the unit that suits it.
func durationText(d time.Duration) string {
	switch {
	case d < time.Microsecond:
		return fmt.Sprintf("%.2fns", float64(d))
	case d < time.Millisecond:
		return fmt.Sprintf("%.2fµs", float64(d)/1e3)
	case d < time.Second:
		return fmt.Sprintf("%.2fms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.2fs", d.Seconds())
}

// splitWords splits a line as a POSIX shell does: quotes keep words together, and
// a backslash keeps the next character.
func splitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	open, quote := false, byte(0)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote == 0 && (c == ' ' || c == '\t' || c == '\n'):
			if open {
				words = append(words, word.String())
				word.Reset()
				open = false
			}
			continue
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote:
			quote = 0
		case c == '\\' && quote != '\'' && i+1 < len(line) && (quote == 0 || strings.IndexByte("\"\\$`", line[i+1]) >= 0):
			i++
			word.WriteByte(line[i])
		default:
			word.WriteByte(c)
		}
		open = true
	}
	if quote != 0 {
		return nil, fmt.Errorf("the quote %c is not closed", quote)
	}
	if open {
		words = append(words, word.String())
	}
	return words, nil
}

// balanced reports whether every bracket of a statement is closed. Brackets in
// strings and comments do not count.
func balanced(line []rune) bool {
	depth, _ := nesting(line)
	return depth <= 0
}

// closed reports whether every bracket and every quote of a statement is.
func closed(line []rune) bool {
	depth, quote := nesting(line)
	return depth <= 0 && (quote == 0 || quote == '\n')
}

// nesting measures how many brackets are open at the end of a statement, and the
// quote that is, or a line feed in a comment.
func nesting(line []rune) (depth int, quote rune) {
	for i, c := range line {
		switch {
		case quote == '\n':
			if c == '\n' {
				quote = 0
			}
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '-' && i+1 < len(line) && line[i+1] == '-':
			quote = '\n'
		case strings.ContainsRune("([{", c):
			depth++
		case strings.ContainsRune(")]}", c):
			depth--
		}
	}
	return depth, quote
}

// startsStatement are the words that a line within a statement does not begin with.
var startsStatement = map[string]bool{"SELECT": true, "INSERT": true, "UPDATE": true, "DELETE": true, "SHOW": true}

// splitStatements splits a text of several lines into statements and commands. One
// ends with a semicolon at the end of a line, and before a line that begins another
// one. Quotes and brackets keep lines together. A single line is left as it is.
func splitStatements(text string) []string {
	lines := strings.SplitAfter(text, "\n")
	if len(lines) == 1 {
		return lines
	}
	var all []string
	var one string
	end := func() {
		if strings.TrimSpace(one) != "" {
			all = append(all, one)
		}
		one = ""
	}
	for _, line := range lines {
		if one == "" && strings.TrimSpace(line) == "" {
			continue
		}
		whole := closed([]rune(one))
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if whole && (startsStatement[strings.ToUpper(word)] || strings.HasPrefix(word, ".")) || strings.HasPrefix(one, ".") {
			end()
		}
		one += line
		if strings.HasSuffix(strings.TrimSpace(line), ";") && closed([]rune(one)) {
			end()
		}
	}
	end()
	return all
}

// editable reports whether the line editor can work: it needs the process's own
// streams, and a terminal that moves its cursor.
func (s *shell) editable() bool {
	return s.Stdin == os.Stdin && s.Stdout == os.Stdout && s.Getenv("TERM") != "dumb"
}
