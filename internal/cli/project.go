package cli

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// A project is what spacetime.json and spacetime.local.json of the working
// directory or a parent say. The zero value is no project.
type project struct {
	Database   string `json:"database"`
	Server     string `json:"server"`
	ModulePath string `json:"module-path"`

	dir   string   // that holds the files
	files []string // that were read
}

// project finds the project unless --no-config is set, and gives the target its
// server.
func (r *run) project(t *target) (*project, error) {
	p := &project{}
	if t.noConfig {
		return p, nil
	}
	for dir := r.WorkDir; ; dir = filepath.Dir(dir) {
		for _, name := range []string{"spacetime.json", "spacetime.local.json"} {
			path := filepath.Join(dir, name)
			text, err := os.ReadFile(path)
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err == nil {
				err = json.Unmarshal(text, p)
			}
			if err != nil {
				return nil, because(err, "the project file %s cannot be used", path)
			}
			p.dir = dir
			p.files = append(p.files, path)
		}
		if len(p.files) > 0 || dir == filepath.Dir(dir) {
			break
		}
	}
	if t.server == "" {
		t.server = p.Server
	}
	return p, nil
}

// splitKind says what follows the database among a command's arguments.
type splitKind uint8

const (
	onlyDatabase splitKind = iota
	callSplit              // a function and its arguments
	sqlSplit               // a query; it may be missing
	querySplit             // queries
)

var statementWords = map[string]bool{"SELECT": true, "INSERT": true, "UPDATE": true, "DELETE": true, "SET": true, "SHOW": true}

// split takes the database off a command's arguments, by the rules of spec 09
// §5.5 for a project of at most one database.
func (p *project) split(cmd *cobra.Command, args []string, kind splitKind) (database string, rest []string, err error) {
	need := map[splitKind]string{callSplit: "function_name", querySplit: "query"}[kind]
	switch {
	case p.Database == "":
		if len(args) == 0 {
			return "", nil, missingArgument(cmd, "database")
		}
		database, rest = args[0], args[1:]
	case len(args) == 0:
		database = p.Database
	case args[0] == p.Database:
		database, rest = p.Database, args[1:]
	case kind == onlyDatabase:
		database, rest = args[0], args[1:]
	case kind == sqlSplit && !strings.ContainsAny(args[0], " \t\n") && !statementWords[strings.ToUpper(args[0])],
		kind == querySplit && len(args) > 1 && !strings.ContainsAny(args[0], " \t\n"):
		database, rest = args[0], args[1:]
	default:
		database, rest = p.Database, args
	}
	if need != "" && len(rest) == 0 {
		return "", nil, missingArgument(cmd, need)
	}
	if kind == onlyDatabase && len(rest) > 0 {
		return "", nil, usagef(cmd, "unexpected argument '%s' found", rest[0])
	}
	return database, rest, nil
}

// remember writes the project files that are missing after a publish whose name
// was asked for.
func (r *run) remember(p *project, server, database string) error {
	write := func(name string, content any) error {
		path := filepath.Join(r.WorkDir, name)
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		text, err := json.MarshalIndent(content, "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(path, append(text, '\n'), 0o644)
	}
	if len(p.files) > 0 {
		return nil
	}
	module := "."
	if st, err := os.Stat(filepath.Join(r.WorkDir, "spacetimedb")); err == nil && st.IsDir() {
		module = "./spacetimedb"
	}
	if err := write("spacetime.json", map[string]string{"server": server, "module-path": module}); err != nil {
		return err
	}
	return write("spacetime.local.json", map[string]string{"database": database})
}
