package cli

import (
	"fmt"
	"net/http"

	"github.com/spf13/cobra"
	"github.com/stdbgo/spacetime/sats"
)

// versionCommand shows which version this is. There is one binary and no version
// manager: what would change the installed version says so.
func (r *run) versionCommand() *cobra.Command {
	show := func(*cobra.Command, []string) error {
		r.printVersion()
		fmt.Fprintf(r.Stdout, "%s (current)\n", CompatVersion)
		if r.Diagnose != nil {
			if text := r.Diagnose(); text != "" {
				fmt.Fprintln(r.Stdout, text)
			}
		}
		return nil
	}
	cmd := &cobra.Command{Use: "version", Short: "Show which version is installed", Args: noPositionals, RunE: show}
	cmd.AddCommand(&cobra.Command{
		Use: "list", Short: "List installed versions", Annotations: map[string]string{forwards: "everything"},
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintf(r.Stdout, "%s (current)\n", CompatVersion)
			return nil
		},
	})
	for _, verb := range []string{"use", "install", "upgrade", "uninstall", "link"} {
		cmd.AddCommand(&cobra.Command{
			Use: verb, Short: "Is done by replacing the executable", Hidden: true, Annotations: map[string]string{forwards: "everything"},
			RunE: func(*cobra.Command, []string) error {
				return fail("spacetime is one executable that does not manage versions of itself: replace %s by another version of it.", r.Path)
			},
		})
	}
	return cmd
}

// energyCommand is the 1.x command; it prints what the server says.
func (r *run) energyCommand() *cobra.Command {
	var t target
	var identity string
	balance := &cobra.Command{
		Use:   "balance [OPTIONS]",
		Short: "Print the energy balance of an identity",
		Args:  noPositionals,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r.unstable()
			a, err := r.connect(cmd.Context(), &t)
			if err != nil {
				return err
			}
			id, err := tokenIdentity(a.token)
			if identity != "" {
				if id, err = sats.IdentityFromHexPrefixed(identity); err != nil {
					return fail("`%s` is not an identity: it must have 64 hexadecimal digits", identity)
				}
			}
			if err != nil {
				return err
			}
			res, err := a.do(cmd.Context(), request{method: http.MethodGet, path: "/v1/energy/" + id.String()})
			if err == nil {
				err = res.err()
			}
			if err == nil {
				fmt.Fprintln(r.Stdout, res.text())
			}
			return err
		},
	}
	t.flags(balance, false)
	balance.Flags().VarP(once(&identity, "identity"), "identity", "i", "whose balance")
	cmd := &cobra.Command{Use: "energy <COMMAND>", Short: "Energy of an identity", Hidden: true, Args: noPositionals, RunE: r.wantsSubcommand}
	cmd.AddCommand(balance)
	return cmd
}
