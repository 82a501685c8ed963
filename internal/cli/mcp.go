package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

// mcpCommand hands the lines of standard input to the server's MCP endpoint, and
// its answers to standard output: for programs that start their servers of MCP
// themselves (spec 09 §7.14).
func (r *run) mcpCommand() *cobra.Command {
	var t target
	cmd := &cobra.Command{
		Use:   "mcp [OPTIONS] [database]",
		Short: "Serve the Model Context Protocol over standard input and output",
		Long: "Serves the Model Context Protocol over standard input and output, so that an assistant can\n" +
			"read definitions, run queries and call reducers with your identity: of one database, or of all\n" +
			"that you own if none is given. SPACETIMEDB_DB_NAME names the database, too.",
		Args: positionals(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.unstable()
			database := r.Getenv("SPACETIMEDB_DB_NAME")
			if len(args) > 0 {
				database = args[0]
			}
			a, err := r.savedAPI(&t)
			if err != nil {
				return err
			}
			path := "/v1/mcp"
			if database != "" {
				id, err := a.identityOf(cmd.Context(), database)
				if err != nil {
					return err
				}
				path = "/v1/database/" + url.PathEscape(id.String()) + "/mcp"
			}
			fmt.Fprintf(r.Stderr, "Serving MCP over stdio, bridging to %s\n", a.base+path)
			return r.bridge(cmd.Context(), a, path)
		},
	}
	f := cmd.Flags()
	f.VarP(once(&t.server, "server"), "server", "s", "nickname, host or URL of the server")
	f.BoolVar(&t.anonymous, "anonymous", false, "use no token")
	f.BoolVar(&t.noConfig, "no-config", false, "ignore spacetime.json")
	return cmd
}

// savedAPI is connectShared without logging in: who has no token stays anonymous.
func (r *run) savedAPI(t *target) (*api, error) {
	if t.server == "" {
		p, err := r.project(t)
		if err != nil {
			return nil, err
		}
		t.server = p.sharedServer()
	}
	c, err := r.config()
	if err != nil {
		return nil, err
	}
	entry, err := c.server(t.server)
	if err != nil {
		return nil, err
	}
	a := &api{base: entry.url(), entry: entry}
	if !t.anonymous {
		a.token = c.savedToken(entry)
	}
	return a, nil
}

// bridge sends a line after the other and writes what is answered.
func (r *run) bridge(ctx context.Context, a *api, path string) error {
	for line, err := range r.inputLines(ctx) {
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		res, err := a.do(ctx, request{method: http.MethodPost, path: path, body: []byte(line), json: true, agent: true})
		if err != nil {
			return err
		}
		if res.status == http.StatusAccepted {
			continue
		}
		if err := res.err(); err != nil {
			return err
		}
		if !res.isJSON() {
			return fail("HTTP response from url (%s) was success but did not have content-type: application/json", res.url)
		}
		if _, err := fmt.Fprintf(r.Stdout, "%s\n", res.body); err != nil {
			return because(err, "the answer cannot be written")
		}
	}
	return nil
}

// inputLines yields the lines of standard input, and at the end an error, which is
// io.EOF or that of ctx. A read that ctx interrupts goes on until the process ends:
// nothing can stop it.
func (r *run) inputLines(ctx context.Context) func(func(string, error) bool) {
	type input struct {
		line string
		err  error
	}
	return func(yield func(string, error) bool) {
		lines := make(chan input)
		done := make(chan struct{})
		defer close(done)
		go func() {
			for {
				line, err := r.nextLine()
				select {
				case lines <- input{line, err}:
				case <-done:
					return
				}
				if err != nil {
					return
				}
			}
		}()
		for {
			select {
			case in := <-lines:
				if !yield(in.line, in.err) || in.err != nil {
					return
				}
			case <-ctx.Done():
				yield("", ctx.Err())
				return
			}
		}
	}
}
