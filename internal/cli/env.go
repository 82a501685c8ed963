package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/stdbgo/spacetime/sats"
)

// maxEnvValues is how many values a database can have.
const maxEnvValues = 256

// envCommand reads the values of a database's environment (spec 09 §7.17).
func (r *run) envCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "env <COMMAND>", Short: "Read the values of a database's environment", Args: noPositionals, RunE: r.wantsSubcommand}
	cmd.AddCommand(r.envGet(), r.envList())
	return cmd
}

// envFlags adds the options of both subcommands.
func envFlags(cmd *cobra.Command, t *target, confirmed *string) {
	t.flags(cmd, true)
	optional(cmd.Flags(), once(confirmed, boolKind, "true", "false"), "confirmed", "", "true", "wait until what the answer shows is on disk")
}

func (r *run) envGet() *cobra.Command {
	var t target
	var confirmed string
	cmd := &cobra.Command{
		Use:   "get [OPTIONS] <database> <KEY>",
		Short: "Print one value",
		Args:  positionals(2, "database", "KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !envKey.MatchString(args[1]) {
				return fail("Invalid environment key name")
			}
			rows, err := r.envRows(cmd, &t, args[:1], confirmed, "SELECT * FROM st_env WHERE key = '"+args[1]+"'")
			if err != nil {
				return err
			}
			for _, row := range rows.rows {
				_, value := textOf(row[0]), textOf(row[1])
				fmt.Fprintln(r.Stdout, value)
				return nil
			}
			return fail("Environment key is absent")
		},
	}
	envFlags(cmd, &t, &confirmed)
	return cmd
}

func (r *run) envList() *cobra.Command {
	var t target
	var confirmed string
	cmd := &cobra.Command{
		Use:         "list [OPTIONS] [database]",
		Short:       "Print all values",
		Annotations: map[string]string{sortsArguments: "spacetime env list [database] [--no-config]"},
		RunE: func(cmd *cobra.Command, args []string) error {
			rows, err := r.envRows(cmd, &t, args, confirmed, "SELECT * FROM st_env")
			if err != nil {
				return err
			}
			slices.SortFunc(rows.rows, func(a, b []json.RawMessage) int { return strings.Compare(textOf(a[0]), textOf(b[0])) })
			fmt.Fprintln(r.Stdout, rows.table())
			return nil
		},
	}
	envFlags(cmd, &t, &confirmed)
	return cmd
}

func textOf(raw json.RawMessage) (s string) {
	_ = json.Unmarshal(raw, &s) // envRows has looked at it
	return s
}

// envRows reads rows of st_env. No error shows anything of them.
func (r *run) envRows(cmd *cobra.Command, t *target, args []string, confirmed, query string) (*statementResult, error) {
	database, _, err := r.pick(cmd, t, args, onlyDatabase)
	if err != nil {
		return nil, err
	}
	a, err := r.connect(cmd.Context(), t)
	if err != nil {
		return nil, err
	}
	id, err := a.identityOf(cmd.Context(), database)
	if err != nil {
		return nil, err
	}
	body, err := a.readEnv(cmd.Context(), id, query, confirmed)
	if err != nil {
		return nil, err
	}
	results, err := parseResults(body)
	if err != nil || len(results) != 1 || !results[0].isEnvironment() {
		return nil, fail("the server's answer is not a list of environment values")
	}
	return &results[0], nil
}

// readEnv is sql whose errors tell the status alone.
func (a *api) readEnv(ctx context.Context, id sats.Identity, query, confirmed string) ([]byte, error) {
	path := "/v1/database/" + id.String() + "/sql"
	if confirmed != "" {
		path += "?confirmed=" + confirmed
	}
	res, err := a.do(ctx, request{method: "POST", path: path, body: []byte(query), agent: true})
	if err != nil {
		return nil, err
	}
	if !res.ok() {
		return nil, &failure{msg: "failed to fetch environment", causes: []string{res.statusText()}, code: res.status, hint: "Only the owner of a database can read its environment. " + hintOfStatus(res.status)}
	}
	return res.body, nil
}

func (s *statementResult) isEnvironment() bool {
	if len(s.columns) != 2 || len(s.rows) > maxEnvValues {
		return false
	}
	for _, c := range s.columns {
		if c.Type.Kind != sats.KindString {
			return false
		}
	}
	for _, row := range s.rows {
		for _, v := range row {
			var text string
			if json.Unmarshal(v, &text) != nil || len(text) > maxEnvValue {
				return false
			}
		}
	}
	return true
}
