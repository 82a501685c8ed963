package cli

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

func (r *run) serverCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "server <COMMAND>",
		Short: "Manage the servers that commands talk to",
		Args:  noPositionals,
		RunE:  r.wantsSubcommand,
	}
	cmd.AddCommand(r.serverList(), r.serverSetDefault(), r.serverAdd(), r.serverRemove(), r.serverFingerprint(), r.serverPing(), r.serverEdit(), r.serverClear())
	return cmd
}

// serverVerb makes a subcommand that takes one server and prints the warning.
func (r *run) serverVerb(use, short string, do func(ctx context.Context, c *config, name string) error) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  positionals(1, "server"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.unstable()
			c, err := r.config()
			if err != nil {
				return err
			}
			return do(cmd.Context(), c, args[0])
		},
	}
}

func (r *run) serverList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List saved servers",
		Args:  noPositionals,
		RunE: func(*cobra.Command, []string) error {
			r.unstable()
			c, err := r.config()
			if err != nil {
				return err
			}
			rows := [][4]string{{"DEFAULT", "HOSTNAME", "PROTOCOL", "NICKNAME"}}
			for _, s := range c.servers {
				mark := ""
				if c.defaultServer != "" && (c.defaultServer == s.nickname || c.defaultServer == s.host) {
					mark = "***"
				}
				rows = append(rows, [4]string{mark, s.host, s.protocol, s.nickname})
			}
			var widths [4]int
			for _, row := range rows {
				for i, cell := range row {
					widths[i] = max(widths[i], len(cell))
				}
			}
			for _, row := range rows {
				fmt.Fprintf(r.Stdout, " %*s  %-*s  %-*s  %-*s \n", widths[0], row[0], widths[1], row[1], widths[2], row[2], widths[3], row[3])
			}
			return nil
		},
	}
}

func (r *run) serverSetDefault() *cobra.Command {
	return r.serverVerb("set-default <server>", "Choose the server that commands use by default", func(_ context.Context, c *config, name string) error {
		host := name
		if _, rest, ok := strings.Cut(name, "://"); ok {
			host = strings.TrimRight(rest, "/")
		}
		s := c.find(host)
		if s == nil {
			return because(unknownServer(name), "Cannot set default server to unknown server %s", name)
		}
		c.defaultServer = s.name()
		return r.writeConfig(c)
	})
}

// parseServerURL splits a server's URL into protocol and host.
func parseServerURL(u string) (protocol, host string, err error) {
	protocol, host, ok := strings.Cut(strings.TrimRight(u, "/"), "://")
	switch {
	case !ok || host == "":
		return "", "", withHint(fail("Invalid url: %s", u), "Write it with its protocol, like http://127.0.0.1:3000")
	case protocol != "http" && protocol != "https":
		return "", "", withHint(fail("Invalid protocol: %s", protocol), "It is http or https.")
	}
	return protocol, host, nil
}

func (r *run) serverAdd() *cobra.Command {
	var u string
	var def, noFingerprint bool
	cmd := r.serverVerb("add --url <URL> <name>", "Save a server", func(ctx context.Context, c *config, name string) error {
		protocol, host, err := parseServerURL(u)
		if err != nil {
			return err
		}
		s := &serverEntry{nickname: name, host: host, protocol: protocol}
		if old := c.find(name); old != nil && old.nickname == name {
			return fail("Server nickname %s already in use: %s", name, old.url())
		}
		if old := c.find(host); old != nil {
			if old.host == host {
				return withHint(fail("Server already configured for host: %s", host),
					fmt.Sprintf("It is saved as %s: `spacetime server edit %s --url %s` changes it.", old.url(), cmp.Or(old.nickname, host), u))
			}
			return fail("Server host name is ambiguous with existing server nickname: %s", old.nickname)
		}
		if !noFingerprint {
			if s.publicKey, err = fetchFingerprint(ctx, s); err != nil {
				return err
			}
			fmt.Fprintf(r.Stdout, "For server %s, got fingerprint:\n%s\n", s.url(), s.publicKey)
		}
		c.servers = append(c.servers, s)
		if def {
			c.defaultServer = host
		}
		fmt.Fprintf(r.Stdout, "Host: %s\nProtocol: %s\n", host, protocol)
		return r.writeConfig(c)
	})
	f := cmd.Flags()
	f.Var(once(&u, "url"), "url", "the server's address")
	f.BoolVarP(&def, "default", "d", false, "make it the default")
	f.BoolVar(&noFingerprint, "no-fingerprint", false, "do not ask the server for its key")
	inner := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if !cmd.Flags().Changed("url") {
			return usagef(cmd, "the following required arguments were not provided:\n  --url <url>")
		}
		return inner(cmd, args)
	}
	return cmd
}

func fetchFingerprint(ctx context.Context, s *serverEntry) (string, error) {
	a := &api{base: s.url(), entry: s}
	res, err := a.do(ctx, request{method: http.MethodGet, path: "/v1/identity/public-key"})
	if err == nil {
		err = res.err()
	}
	if err != nil {
		return "", because(err, "Unable to retrieve fingerprint for server: %s\nIs the server running? Save it without by --no-fingerprint.", s.url())
	}
	return string(res.body), nil
}

func (r *run) serverRemove() *cobra.Command {
	var yes bool
	cmd := r.serverVerb("remove <server>", "Forget a saved server", func(_ context.Context, c *config, name string) error {
		s := c.find(name)
		if s == nil {
			return unknownServer(name)
		}
		c.remove(s)
		return r.writeConfig(c)
	})
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func (r *run) serverFingerprint() *cobra.Command {
	var yes bool
	cmd := r.serverVerb("fingerprint <server>", "Show and save a server's key", func(ctx context.Context, c *config, name string) error {
		s, err := c.server(name)
		if err != nil {
			return err
		}
		key, err := fetchFingerprint(ctx, s)
		if err != nil {
			return err
		}
		switch {
		case key == s.publicKey:
			fmt.Fprintf(r.Stdout, "Fingerprint is unchanged for server %s:\n%s\n", s.name(), key)
			return nil
		case s.publicKey != "":
			fmt.Fprintf(r.Stdout, "Fingerprint has changed for server %s.\nWas:\n%s\nNew:\n%s\n", s.name(), s.publicKey, key)
		default:
			fmt.Fprintf(r.Stdout, "No saved fingerprint for server %s. New fingerprint:\n%s\n", s.name(), key)
		}
		if c.find(s.name()) != s {
			return nil // an address, not a saved server
		}
		if err := r.consent("Continue?", yes, "Aborted"); err != nil {
			return err
		}
		s.publicKey = key
		return r.writeConfig(c)
	})
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func (r *run) serverPing() *cobra.Command {
	return r.serverVerb("ping <server>", "See whether a server answers", func(ctx context.Context, c *config, name string) error {
		s, err := c.server(name)
		if err != nil {
			return err
		}
		a := &api{base: s.url(), entry: s}
		res, err := a.do(ctx, request{method: http.MethodGet, path: "/v1/ping"})
		switch {
		case err != nil:
			return err
		case res.ok():
			fmt.Fprintf(r.Stdout, "Server is online: %s\n", s.url())
		case res.status == http.StatusNotFound:
			fmt.Fprintf(r.Stdout, "Server returned 404 (Not Found): %s\n", s.url())
		default:
			fmt.Fprintf(r.Stdout, "Server could not be reached (%s): %s\n", res.phrase, s.url())
		}
		return nil
	})
}

func (r *run) serverEdit() *cobra.Command {
	var name, u string
	var noFingerprint, yes bool
	cmd := r.serverVerb("edit <server>", "Change a saved server", func(ctx context.Context, c *config, which string) error {
		s := c.find(which)
		if s == nil {
			return unknownServer(which)
		}
		next := *s
		if u != "" {
			var err error
			if next.protocol, next.host, err = parseServerURL(u); err != nil {
				return err
			}
		}
		if name != "" {
			next.nickname = name
		}
		for _, other := range c.servers {
			switch {
			case other == s:
			case name != "" && (other.nickname == name || other.host == name):
				return fail("Nickname %s conflicts with saved configuration for server %s: %s", name, other.name(), other.url())
			case u != "" && (other.host == next.host || other.nickname == next.host):
				return fail("Host %s conflicts with saved configuration for server %s: %s", next.host, other.name(), other.url())
			}
		}
		if name != "" {
			fmt.Fprintf(r.Stdout, "Changing nickname from %s to %s\n", s.nickname, name)
		}
		if u != "" {
			fmt.Fprintf(r.Stdout, "Changing host from %s to %s\nChanging protocol from %s to %s\n", s.host, next.host, s.protocol, next.protocol)
		}
		if next.url() != s.url() {
			next.publicKey, next.token = "", ""
			if !noFingerprint {
				key, err := fetchFingerprint(ctx, &next)
				if err != nil {
					return err
				}
				next.publicKey = key
				fmt.Fprintf(r.Stdout, "For server %s, got fingerprint:\n%s\n", next.url(), key)
			}
		}
		if err := r.consent("Continue?", yes, "Aborted"); err != nil {
			return err
		}
		if c.defaultServer == s.nickname || c.defaultServer == s.host {
			c.defaultServer = next.name()
		}
		*s = next
		return r.writeConfig(c)
	})
	f := cmd.Flags()
	f.Var(once(&name, "name"), "new-name", "the new nickname")
	f.Var(once(&u, "url"), "url", "the new address")
	f.BoolVar(&noFingerprint, "no-fingerprint", false, "do not ask the server for its key")
	f.BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func (r *run) serverClear() *cobra.Command {
	var dir string
	var yes bool
	cmd := &cobra.Command{
		Use:   "clear [OPTIONS]",
		Short: "Delete all data of the local server",
		Args:  noPositionals,
		RunE: func(*cobra.Command, []string) error {
			r.unstable()
			data := r.dataDir()
			if dir != "" {
				data = r.path(dir)
			}
			if _, err := os.Stat(data); err != nil {
				fmt.Fprintln(r.Stdout, "Local database not found. Nothing has been deleted.")
				return nil
			}
			if err := deletable(data); err != nil {
				return err
			}
			fmt.Fprintf(r.Stdout, "Database path: %s\n", data)
			ok, err := r.confirm("Are you sure you want to delete all data from the local database?", yes)
			if err != nil {
				return err
			}
			if !ok {
				fmt.Fprintln(r.Stdout, "Aborting")
				return nil
			}
			if err := os.RemoveAll(data); err != nil {
				return err
			}
			fmt.Fprintf(r.Stdout, "Deleted database: %s\n", data)
			return nil
		},
	}
	cmd.Flags().Var(once(&dir, "directory"), "data-dir", "the data directory")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// deletable refuses a directory that is no data directory, or one in use.
func deletable(dir string) error {
	known := false
	for _, name := range []string{"metadata.toml", "control-db", "spacetime.pid"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			known = true
		}
	}
	if !known {
		return fail("%s does not look like a data directory: it holds no metadata.toml, control-db or spacetime.pid. Nothing has been deleted.", dir)
	}
	if inUse(filepath.Join(dir, "spacetime.pid")) {
		return fail("a server is running on %s: stop it first. Nothing has been deleted.", dir)
	}
	return nil
}
