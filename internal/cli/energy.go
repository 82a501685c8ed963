package cli

import (
	"fmt"
	"net/http"

	"github.com/spf13/cobra"
	"github.com/stdbgo/spacetime/sats"
)

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
