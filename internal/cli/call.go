package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/stdbgo/spacetime/internal/nearest"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

func (r *run) callCommand() *cobra.Command {
	var t target
	cmd := &cobra.Command{
		Use:         "call [OPTIONS] [DATABASE] <FUNCTION> [ARGUMENTS]...",
		Annotations: map[string]string{keepsNumbers: "after the function", sortsArguments: "spacetime call [database] <function_name> <arguments>... (or --no-config for legacy behavior)"},
		Short:       "Call a reducer or procedure",
		Long: "Calls a function of a database's module. Arguments are JSON, one per parameter;\n" +
			"strings need no quotes of their own. Write -- before arguments that begin with a dash.",
		RunE: func(cmd *cobra.Command, args []string) error {
			r.unstable()
			database, words, err := r.pick(cmd, &t, args, callSplit)
			if err != nil {
				return err
			}
			a, err := r.connect(cmd.Context(), &t)
			if err != nil {
				return err
			}
			err = r.call(cmd.Context(), a, database, words)
			var unknown *unknownFunction
			if err != nil && len(words) == len(args) && len(args) > 1 {
				// In a project, whose own database may not be there, the first word may still be the name of another one.
				_, absent := a.identityOf(cmd.Context(), database)
				if errors.As(err, &unknown) || absent != nil {
					if _, err := a.identityOf(cmd.Context(), args[0]); err == nil {
						return r.call(cmd.Context(), a, args[0], args[1:])
					}
				}
			}
			return err
		},
	}
	t.flags(cmd, true)
	return cmd
}

// call calls a function: words are its name and arguments.
func (r *run) call(ctx context.Context, a *api, database string, words []string) error {
	id, err := a.identityOf(ctx, database)
	if err != nil {
		return err
	}
	m, err := a.module(ctx, id)
	if err != nil {
		return err
	}
	c := &callRequest{database: database, id: id, module: m, name: words[0]}
	reducers, procedures := functions(m)
	all := slices.Concat(reducers, procedures)
	i := slices.IndexFunc(all, func(f function) bool { return f.name == c.name })
	if i < 0 {
		return &unknownFunction{c.unknown()}
	}
	f := all[i]
	given := words[1:]
	if len(given) != len(f.params.Elems) {
		return c.invalid(&f, len(given))
	}
	body := []byte("[")
	for i, arg := range given {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, argumentJSON(m.Typespace, f.params.Elems[i].Type, arg)...)
	}
	res, err := a.do(ctx, request{method: "POST", path: "/v1/database/" + id.String() + "/call/" + url.PathEscape(f.name), body: append(body, ']'), json: true, agent: true})
	if err != nil {
		return err
	}
	if res.ok() {
		if f.kind == "procedure" {
			fmt.Fprintf(r.Stdout, "%s\n", res.text())
		}
		return nil
	}
	text := &failure{msg: "Response text: " + res.text(), causes: []string{res.statusText()}}
	switch {
	case strings.HasPrefix(res.text(), "invalid arguments"):
		return withHint(because(text, "%s", c.invalid(&f, len(given)).Error()), c.refusedArgument(&f, res.text()))
	case strings.HasPrefix(res.text(), "no such reducer"), strings.HasPrefix(res.text(), "no such procedure"):
		return because(text, "%s", c.unknown().Error())
	case strings.Contains(res.text(), "fatal error"):
		return withHint(text, "`spacetime logs "+database+"` says why.")
	}
	return text
}

// unknownFunction is the refusal of a call before anything has been sent.
type unknownFunction struct{ error }

func (e *unknownFunction) Unwrap() error { return e.error }

// A callRequest is what the texts of a refused call are made of.
type callRequest struct {
	database string
	id       sats.Identity
	module   *schema.ModuleDef
	name     string
}

func (c *callRequest) unknown() error {
	reducers, procedures := functions(c.module)
	reducers = slices.DeleteFunc(reducers, func(f function) bool { return f.hidden })
	var b bytes.Buffer
	fmt.Fprintf(&b, "No such reducer OR procedure `%s` for database `%s` resolving to identity `%s`.", c.name, c.database, c.id)
	for _, list := range [][]function{reducers, procedures} {
		if near := similar(c.name, list); near != nil {
			fmt.Fprintf(&b, "\n\nA %s with a similar name exists: `%s`", near.kind, near.name)
			return fail("%s", b.String())
		}
	}
	existing(&b, c.name, "reducer", reducers)
	existing(&b, c.name, "procedure", procedures)
	return fail("%s", b.String())
}

// maxListed is how many functions a refusal lists of each kind.
const maxListed = 10

func existing(b *bytes.Buffer, name, kind string, list []function) {
	if len(list) == 0 {
		fmt.Fprintf(b, "\n\nThe database has no %ss.", kind)
		return
	}
	slices.SortStableFunc(list, func(x, y function) int { return nearest.Distance(name, x.name) - nearest.Distance(name, y.name) })
	fmt.Fprintf(b, "\n\nHere are some existing %ss:", kind)
	for _, f := range list[:min(len(list), maxListed)] {
		fmt.Fprintf(b, "\n- %s", f.name)
	}
	switch more := len(list) - maxListed; {
	case more == 1:
		fmt.Fprintf(b, "\n... (1 %s not shown)", kind)
	case more > 1:
		fmt.Fprintf(b, "\n... (%d %ss not shown)", more, kind)
	}
}

func (c *callRequest) invalid(f *function, given int) error {
	count := ""
	if want := len(f.params.Elems); want != given {
		count = fmt.Sprintf("\n\n%d parameters were expected, but %d were provided.", want, given)
	}
	return fail("Invalid arguments provided for %s `%s` for database `%s` resolving to identity `%s`.%s\n\nThe %s has the following signature:\n\t%s",
		f.kind, f.name, c.database, c.id, count, f.kind, f.signature(c.module.Typespace))
}
