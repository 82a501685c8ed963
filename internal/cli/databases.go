package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

func (r *run) deleteCommand() *cobra.Command {
	var t target
	cmd := &cobra.Command{
		Use:         "delete [OPTIONS] [database]",
		Annotations: map[string]string{sortsArguments: "spacetime delete [database] [--no-config]"},
		Short:       "Delete a database and all its data",
		RunE: func(cmd *cobra.Command, args []string) error {
			database, _, err := r.pick(cmd, &t, args, onlyDatabase)
			if err != nil {
				return err
			}
			c, err := r.config()
			if err != nil {
				return err
			}
			entry, err := c.server(t.server)
			if err != nil {
				return err
			}
			a := &api{base: entry.url(), entry: entry, token: c.savedToken(entry), origin: t.origin}
			id, err := a.identityOf(cmd.Context(), database)
			if err != nil {
				return err
			}
			what := fmt.Sprintf("%s (%s)", database, id)
			if strings.EqualFold(database, id.String()) {
				what = id.String()
			}
			ok, err := r.confirm(fmt.Sprintf("Are you sure you want to delete database %s? This action cannot be undone.", what), t.yes)
			if err != nil {
				return err
			}
			if !ok {
				fmt.Fprintln(r.Stdout, "Aborting")
				return nil
			}
			if err := r.authorize(cmd.Context(), a); err != nil {
				return err
			}
			res, err := a.do(cmd.Context(), request{method: http.MethodDelete, path: "/v1/database/" + id.String()})
			if err != nil {
				return err
			}
			return res.err()
		},
	}
	t.flags(cmd, false)
	return cmd
}

func (r *run) lockCommand(lock bool) *cobra.Command {
	var t target
	verb, done := "lock", "is now locked. It cannot be deleted until unlocked."
	if !lock {
		verb, done = "unlock", "is now unlocked."
	}
	cmd := &cobra.Command{
		Use:         verb + " [OPTIONS] [database]",
		Annotations: map[string]string{sortsArguments: "spacetime " + verb + " [database] [--no-config]"},
		Short:       strings.ToUpper(verb[:1]) + verb[1:] + " a database against deletion",
		RunE: func(cmd *cobra.Command, args []string) error {
			database, _, err := r.pick(cmd, &t, args, onlyDatabase)
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
			res, err := a.do(cmd.Context(), request{method: http.MethodPost, path: "/v1/database/" + id.String() + "/" + verb})
			if err == nil {
				err = res.err()
			}
			if err == nil {
				fmt.Fprintf(r.Stdout, "Database %s %s\n", id, done)
			}
			return err
		},
	}
	t.flags(cmd, false)
	return cmd
}

func (r *run) renameCommand() *cobra.Command {
	var t target
	var to string
	cmd := &cobra.Command{
		Use:   "rename [OPTIONS] --to <new-name> <database-identity>",
		Short: "Give a database a new name",
		Args: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("to") {
				return usagef(cmd, "the following required arguments were not provided:\n  --to <new-name>")
			}
			return positionals(1, "database-identity")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := r.connectShared(cmd.Context(), &t)
			if err != nil {
				return err
			}
			body, err := json.Marshal([]string{to})
			if err != nil {
				return err
			}
			res, err := a.do(cmd.Context(), request{method: http.MethodPut, path: "/v1/database/" + url.PathEscape(args[0]) + "/names", body: body, json: true})
			if err != nil {
				return err
			}
			return r.renamed(args[0], to, res)
		},
	}
	t.flags(cmd, false)
	cmd.Flags().Var(once(&to, "new-name"), "to", "the new name")
	return cmd
}

func (r *run) renamed(which, to string, res *answer) error {
	if !res.isJSON() {
		if err := res.err(); err != nil {
			return err
		}
	}
	var body map[string]json.RawMessage
	if err := json.Unmarshal(res.body, &body); err != nil {
		var word string
		if json.Unmarshal(res.body, &word) != nil {
			return because(err, "the server's answer is not understood")
		}
		body = map[string]json.RawMessage{word: nil}
	}
	text := func(key string) string {
		var s string
		if json.Unmarshal(body[key], &s) != nil {
			return string(body[key])
		}
		return s
	}
	for key := range body {
		switch key {
		case "Success":
			fmt.Fprintf(r.Stdout, "Name set to %s for identity %s.\n", to, which)
			return nil
		case "PermissionDenied":
			var d struct{ Domain string }
			if json.Unmarshal(body[key], &d) == nil && d.Domain != "" {
				return fail("Permission denied for domain: %s", d.Domain)
			}
			return fail("Permission denied for domain: %s", to)
		case "PermissionDeniedOnAny":
			return fail("Permission denied for domains: %s", text(key))
		case "DatabaseNotFound":
			return fail("Database %s not found", which)
		case "NotYourDatabase":
			return fail("You cannot rename %s because it is owned by another identity.", which)
		case "OtherError":
			return fail("%s", text(key))
		}
	}
	return fail("the server's answer is not understood: %s", res.text())
}

func (r *run) listCommand() *cobra.Command {
	var t target
	cmd := &cobra.Command{
		Use:   "list [OPTIONS]",
		Short: "List your databases",
		Args:  noPositionals,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r.unstable()
			a, err := r.connectShared(cmd.Context(), &t)
			if err != nil {
				return err
			}
			me, err := tokenIdentity(a.token)
			if err != nil {
				return err
			}
			ids, err := a.databasesOf(cmd.Context(), me)
			if err != nil {
				return because(err, "unable to retrieve databases for identity")
			}
			if len(ids) == 0 {
				fmt.Fprintf(r.Stdout, "No databases found for %s.\n", me)
				return nil
			}
			rows := make([][]string, len(ids))
			for i, id := range ids {
				names, err := a.namesOf(cmd.Context(), id)
				if err != nil {
					return err
				}
				rows[i] = []string{strings.Join(names, ", "), id}
			}
			fmt.Fprintf(r.Stdout, "Associated databases for user %s:\n\n%s\n", me, formatTable([]string{"Database Name(s)", "Identity"}, rows))
			return nil
		},
	}
	t.flags(cmd, false)
	return cmd
}

func (r *run) describeCommand() *cobra.Command {
	var t target
	var asJSON bool
	cmd := &cobra.Command{
		Use:         "describe [OPTIONS] [DATABASE] [reducer|table NAME]",
		Annotations: map[string]string{sortsArguments: "spacetime describe [database] [entity_type entity_name] --json [--no-config]"},
		Short:       "Print what a database's module defines",
		RunE: func(cmd *cobra.Command, args []string) error {
			r.unstable()
			database, what, err := r.pick(cmd, &t, args, describeSplit)
			switch {
			case err != nil:
				return err
			case len(what) != 0 && len(what) != 2:
				return fail("Invalid describe arguments.\n\nUsage: %s", cmd.Annotations[sortsArguments])
			case len(what) == 2 && what[0] != "reducer" && what[0] != "table":
				return fail("Invalid entity_type '%s'. Expected one of: reducer, table.", what[0])
			}
			a, err := r.connect(cmd.Context(), &t)
			if err != nil {
				return err
			}
			id, err := a.identityOf(cmd.Context(), database)
			if err != nil {
				return err
			}
			generation, text, err := a.schemaJSON(cmd.Context(), id)
			if err != nil {
				return err
			}
			if !asJSON && len(what) == 0 {
				m, err := a.module(cmd.Context(), id)
				if err != nil {
					return err
				}
				r.summary(m)
				return nil
			}
			if len(what) == 2 {
				if text, err = describeOne(generation, text, what[0], what[1]); err != nil {
					return err
				}
			}
			var b bytes.Buffer
			if err := json.Indent(&b, text, "", "  "); err != nil {
				return because(err, "the server's answer is not understood")
			}
			fmt.Fprintln(r.Stdout, b.String())
			return nil
		},
	}
	t.flags(cmd, true)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the whole definition as JSON")
	return cmd
}

// describeOne finds the raw definition of one reducer or table.
func describeOne(generation int, text []byte, kind, name string) ([]byte, error) {
	m, err := readModule(generation, text)
	if err != nil {
		return nil, err
	}
	source := ""
	if kind == "reducer" {
		if d, ok := m.Reducer(name); ok && d.Name == name {
			source = d.Accessor
		}
	} else if d, ok := m.Table(name); ok && d.Name == name {
		source = d.Accessor
	}
	var list []json.RawMessage
	section := map[string]string{"reducer": "Reducers", "table": "Tables"}[kind]
	if generation == 9 {
		var body map[string]json.RawMessage
		if err := json.Unmarshal(text, &body); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(body[strings.ToLower(section)], &list); err != nil {
			return nil, err
		}
	} else {
		var body struct{ Sections []map[string]json.RawMessage }
		if err := json.Unmarshal(text, &body); err != nil {
			return nil, err
		}
		for _, s := range body.Sections {
			if s[section] != nil {
				if err := json.Unmarshal(s[section], &list); err != nil {
					return nil, err
				}
			}
		}
	}
	for _, item := range list {
		var names struct {
			Name   string
			Source string `json:"source_name"`
		}
		if json.Unmarshal(item, &names) == nil && source != "" && (names.Source == source || names.Name == name) {
			return item, nil
		}
	}
	return nil, withHint(fail("no such %s", kind), didYouMean(name, namesOfKind(m, kind)))
}

func namesOfKind(m *schema.ModuleDef, kind string) (names []string) {
	if kind == "table" {
		for _, t := range m.Tables {
			names = append(names, t.Name)
		}
		return names
	}
	for _, f := range m.Reducers {
		names = append(names, f.Name)
	}
	return names
}

// specialNames gives the types that spec 09 §7.4 writes out in errors the names that
// modules know them by.
var specialNames = strings.NewReplacer("{ __timestamp_micros_since_unix_epoch__: i64 }", "Timestamp",
	"{ __time_duration_micros__: i64 }", "TimeDuration", "{ __uuid__: u128 }", "Uuid")

// summary prints tables and functions for people.
func (r *run) summary(m *schema.ModuleDef) {
	fmt.Fprintln(r.Stdout, "Tables:")
	for _, t := range m.Tables {
		fmt.Fprintf(r.Stdout, "  %s\n", specialNames.Replace(tableText(t)))
	}
	if len(m.Views) > 0 {
		fmt.Fprintln(r.Stdout, "Views:")
		for _, v := range m.Views {
			fmt.Fprintf(r.Stdout, "  %s\n", specialNames.Replace(viewText(v)))
		}
	}
	reducers, procedures := functions(m)
	fmt.Fprintln(r.Stdout, "Reducers:")
	for _, f := range reducers {
		if !f.hidden {
			fmt.Fprintf(r.Stdout, "  %s\n", specialNames.Replace(f.signature(m.Typespace)))
		}
	}
	if len(procedures) > 0 {
		fmt.Fprintln(r.Stdout, "Procedures:")
		for _, f := range procedures {
			fmt.Fprintf(r.Stdout, "  %s\n", specialNames.Replace(f.signature(m.Typespace)+resultText(m.Typespace, f.result)))
		}
	}
	if len(m.HTTPRoutes) > 0 {
		fmt.Fprintln(r.Stdout, "HTTP routes:")
		for _, route := range m.HTTPRoutes {
			fmt.Fprintf(r.Stdout, "  %s %s: %s\n", cmp.Or(route.Method, "any"), cmp.Or(route.Path, `""`), route.Handler)
		}
	}
	if len(m.RLS) > 0 {
		fmt.Fprintln(r.Stdout, "Row-level security:")
		for _, text := range m.RLS {
			fmt.Fprintf(r.Stdout, "  %s\n", text)
		}
	}
}

// resultText is what follows the signature of a function with a result other than ().
func resultText(ts *sats.Typespace, result *sats.Type) string {
	if result == nil || result.IsUnit() {
		return ""
	}
	return ": " + typeText(ts, result, 0)
}

// tableText is a table with its columns, for people.
func tableText(t *schema.TableDef) string {
	access := "private"
	if t.Access == schema.Public {
		access = "public"
	}
	return fmt.Sprintf("%s(%s)  %s", t.Name, columnsText(t.Columns), access)
}

func columnsText(columns []schema.ColumnDef) string {
	cols := make([]string, len(columns))
	for i, c := range columns {
		cols[i] = c.Name + ": " + typeText(&sats.Typespace{}, c.Type, 0)
	}
	return strings.Join(cols, ", ")
}

// viewText is a view as it stands in FROM, with its columns and whose rows it shows.
func viewText(v *schema.ViewDef) string {
	name := v.Name
	if len(v.Params.Elems) > 0 {
		f := function{name: v.Name, params: v.Params}
		name = f.signature(v.Typespace)
	}
	access := "private"
	if v.IsPublic {
		access = "public"
	}
	if !v.IsAnonymous {
		access += ", of the caller"
	}
	return fmt.Sprintf("%s: (%s)  %s", name, columnsText(v.Columns), access)
}
