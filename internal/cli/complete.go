package cli

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stdbgo/spacetime/sats"
)

// sqlWords are the words that the shell completes.
var sqlWords = []string{
	"select", "from", "where", "insert", "into", "values", "update", "set", "delete", "join", "inner", "on", "as",
	"and", "or", "not", "order", "by", "asc", "desc", "limit", "count", "true", "false", "null", "show",
}

// schemaNames are the names of a database that the shell completes.
type schemaNames struct {
	tables, reducers []string
	columns          map[string][]string // by table
}

// A nameCache holds the names of a database, fetched beside the shell's work.
type nameCache struct {
	api      *api
	id       sats.Identity
	names    atomic.Pointer[schemaNames]
	fetching atomic.Bool
}

func newNameCache(a *api, id sats.Identity) *nameCache {
	c := &nameCache{api: a, id: id}
	c.names.Store(&schemaNames{})
	return c
}

// refreshTimeout bounds how long names are waited for.
const refreshTimeout = 5 * time.Second

// refresh fetches the names anew, unless that is under way. The goroutine ends
// with ctx or after refreshTimeout.
func (c *nameCache) refresh(ctx context.Context) {
	if !c.fetching.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer c.fetching.Store(false)
		ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
		defer cancel()
		m, err := c.api.module(ctx, c.id)
		if err != nil {
			return // completion without names is still completion
		}
		n := &schemaNames{columns: map[string][]string{}}
		for _, t := range m.Tables {
			n.tables = append(n.tables, t.Name)
			for _, col := range t.Columns {
				n.columns[t.Name] = append(n.columns[t.Name], col.Name)
			}
		}
		reducers, procedures := functions(m)
		for _, f := range slices.Concat(reducers, procedures) {
			if !f.hidden {
				n.reducers = append(n.reducers, f.name)
			}
		}
		c.names.Store(n)
	}()
}

// complete returns the word before the cursor and what it may become.
func (c *nameCache) complete(before string) (word string, values []string) {
	from := len(before)
	for from > 0 && (isNameByte(before[from-1]) || before[from-1] == '.') {
		from--
	}
	word = before[from:]
	return word, c.names.Load().complete(before[:from], word)
}

func (n *schemaNames) complete(before, word string) []string {
	command := strings.TrimSpace(before)
	var values []string
	add := func(list []string) {
		for _, v := range list {
			if strings.HasPrefix(v, word) && v != word {
				values = append(values, v)
			}
		}
	}
	table, column, dotted := strings.Cut(word, ".")
	switch {
	case command == "" && strings.HasPrefix(word, "."):
		for _, cmd := range shellCommands {
			add([]string{cmd.name})
		}
		add([]string{".quit"})
	case command == ".call":
		add(n.reducers)
	case command == ".schema":
		add(n.tables)
	case command == ".mode":
		add([]string{"table", "json", "csv"})
	case command == ".multiline":
		add([]string{"on", "off"})
	case strings.HasPrefix(command, ".call "), command == ".logs", command == ".tables", command == ".help":
	case dotted && n.columns[table] != nil:
		for _, c := range n.columns[table] {
			if strings.HasPrefix(c, column) {
				values = append(values, table+"."+c)
			}
		}
	default:
		add(inCaseOf(word, sqlWords))
		add(n.tables)
		for _, t := range n.tables {
			add(n.columns[t])
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// inCaseOf writes keywords as the user does: in capitals if the word has any.
func inCaseOf(word string, keywords []string) []string {
	if word == "" || word != strings.ToUpper(word) || word == strings.ToLower(word) {
		return keywords
	}
	upper := make([]string, len(keywords))
	for i, k := range keywords {
		upper[i] = strings.ToUpper(k)
	}
	return upper
}

func isNameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// Colours of a statement.
const (
	colorKeyword = "1;34"
	colorString  = "32"
	colorNumber  = "36"
	colorComment = "2"
	colorCommand = "35"
)

// highlight colours a statement. It changes nothing but colours.
func highlight(line string) string {
	var b strings.Builder
	if strings.HasPrefix(line, ".") {
		name, rest, found := strings.Cut(line, " ")
		b.WriteString(paint(true, colorCommand, name))
		if !found {
			return b.String()
		}
		b.WriteByte(' ')
		line = rest
	}
	for len(line) > 0 {
		n, color := token(line)
		if color == "" {
			b.WriteString(line[:n])
		} else {
			b.WriteString(paint(true, color, line[:n]))
		}
		line = line[n:]
	}
	return b.String()
}

// token measures the token that a text begins with and chooses its colour.
func token(s string) (n int, color string) {
	switch c := s[0]; {
	case strings.HasPrefix(s, "--"):
		if n = strings.IndexByte(s, '\n'); n < 0 {
			n = len(s)
		}
		return n, colorComment
	case c == '\'' || c == '"':
		if n = strings.IndexByte(s[1:], c); n < 0 {
			return len(s), colorString
		}
		return n + 2, colorString
	case c >= '0' && c <= '9':
		for n < len(s) && (isNameByte(s[n]) || s[n] == '.') {
			n++
		}
		return n, colorNumber
	case isNameByte(c):
		for n < len(s) && isNameByte(s[n]) {
			n++
		}
		if slices.Contains(sqlWords, strings.ToLower(s[:n])) {
			return n, colorKeyword
		}
		return n, ""
	}
	return 1, ""
}
