package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// splitKind says what follows the database among a command's arguments.
type splitKind uint8

const (
	onlyDatabase  splitKind = iota
	callSplit               // a function and its arguments
	sqlSplit                // words of a query; they may be missing
	querySplit              // queries
	describeSplit           // nothing, or a kind and a name
)

// need is what must follow the database, as error messages call it.
func (k splitKind) need() string {
	return map[splitKind]string{callSplit: "function_name", querySplit: "query"}[k]
}

var statementWords = map[string]bool{"SELECT": true, "INSERT": true, "UPDATE": true, "DELETE": true, "SET": true, "SHOW": true}

// looksLikeDatabase reports whether the first of several words of a query can
// only be a database's name.
func looksLikeDatabase(word string) bool {
	return !strings.ContainsAny(word, " \t\r\n") && !statementWords[strings.ToUpper(word)]
}

// project loads the project files unless --no-config is set.
func (r *run) project(t *target) (*project, error) {
	if t.noConfig {
		return &project{}, nil
	}
	return loadProject(r.WorkDir, "")
}

// pick finds the database among a command's arguments and gives the options its
// server (spec 09 §5.5). outside reports that the database might also be meant by
// the first of rest: a call in a project of one target may name another database.
func (r *run) pick(cmd *cobra.Command, t *target, args []string, kind splitKind) (database string, rest []string, err error) {
	p, err := r.project(t)
	if err != nil {
		return "", nil, err
	}
	var chosen *databaseTarget
	switch named := p.named(); {
	case len(named) == 0:
		if len(args) == 0 {
			return "", nil, missingArgument(cmd, "database")
		}
		database, rest = args[0], args[1:]
	case len(named) == 1:
		database, rest, chosen = pickOne(named[0], args, kind)
	default:
		database, rest, chosen, err = pickAmong(cmd, named, args, kind)
	}
	if err != nil {
		return "", nil, err
	}
	if chosen != nil && len(rest) == len(args) {
		t.origin = p.originOf(chosen)
	}
	if chosen != nil && t.server == "" {
		if t.server, err = chosen.text("server"); err != nil {
			return "", nil, err
		}
	}
	if need := kind.need(); need != "" && len(rest) == 0 {
		return "", nil, missingArgument(cmd, need)
	}
	if kind == onlyDatabase && len(rest) > 0 {
		return "", nil, usagef(cmd, "unexpected argument '%s' found", rest[0])
	}
	return database, rest, nil
}

// pickOne is for a project of one database.
func pickOne(only *databaseTarget, args []string, kind splitKind) (database string, rest []string, chosen *databaseTarget) {
	name := only.database()
	switch {
	case len(args) == 0:
		return name, nil, only
	case args[0] == name:
		return name, args[1:], only
	case kind == onlyDatabase,
		kind == sqlSplit && len(args) == 1 && looksLikeDatabase(args[0]), // opens the shell
		(kind == sqlSplit || kind == querySplit) && len(args) > 1 && looksLikeDatabase(args[0]),
		kind == describeSplit && (len(args) == 1 || len(args) == 3):
		return args[0], args[1:], nil
	}
	return name, args, only
}

// pickAmong is for a project of several databases.
func pickAmong(cmd *cobra.Command, named []*databaseTarget, args []string, kind splitKind) (database string, rest []string, chosen *databaseTarget, err error) {
	if len(args) == 0 {
		return "", nil, nil, missingArgument(cmd, "database")
	}
	for _, t := range named {
		if t.database() == args[0] {
			return args[0], args[1:], t, nil
		}
	}
	switch {
	case kind == onlyDatabase, kind == sqlSplit && len(args) > 1:
		return args[0], args[1:], nil, nil
	case kind == sqlSplit && strings.ContainsAny(args[0], " \t\r\n"):
		return "", nil, nil, fail("Multiple databases found in config: %s. Please specify which database to query:\nspacetime sql <database> %q", databaseNames(named), args[0])
	}
	return "", nil, nil, fail("Multiple databases found in config: %s. Please specify which database to use, or pass --no-config to use '%s' directly.", databaseNames(named), args[0])
}
