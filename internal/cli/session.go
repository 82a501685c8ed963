package cli

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
	"github.com/stdbgo/spacetime/internal/auth"
	"github.com/stdbgo/spacetime/sats"
)

// A target is the options of commands that talk to a server.
type target struct {
	server    string
	anonymous bool
	yes       bool
	noConfig  bool
	origin    string // the project file that gave the database's name, "" if the command line did
}

// flags adds the common options.
func (t *target) flags(cmd *cobra.Command, anonymous bool) {
	f := cmd.Flags()
	f.VarP(once(&t.server, "server"), "server", "s", "nickname, host or URL of the server")
	f.BoolVarP(&t.yes, "yes", "y", false, "answer every question by its default and do not ask")
	f.BoolVar(&t.noConfig, "no-config", false, "ignore spacetime.json")
	if anonymous {
		f.BoolVar(&t.anonymous, "anonymous", false, "use no token")
	}
}

// connect returns the API of the target's server, with a token unless anonymous.
func (r *run) connect(ctx context.Context, t *target) (*api, error) {
	c, err := r.config()
	if err != nil {
		return nil, err
	}
	entry, err := c.server(t.server)
	if err != nil {
		return nil, err
	}
	a := &api{base: entry.url(), entry: entry, origin: t.origin}
	if t.anonymous {
		return a, nil
	}
	return a, r.authorize(ctx, a)
}

// connectShared is connect for commands that name no database: without --server
// they use the one that all targets of the project share.
func (r *run) connectShared(ctx context.Context, t *target) (*api, error) {
	if t.server == "" {
		p, err := r.project(t)
		if err != nil {
			return nil, err
		}
		t.server = p.sharedServer()
	}
	return r.connect(ctx, t)
}

// authorize gives the API the token for its server: the one that this server has
// issued, else the one that the user is logged in with, else a new one that the
// server issues (spec 09 §4.3).
func (r *run) authorize(ctx context.Context, a *api) error {
	c, err := r.config()
	if err != nil {
		return err
	}
	if a.token = c.savedToken(a.entry); a.token != "" {
		return nil
	}
	return r.issueToken(ctx, a, false)
}

// savedToken is the token for a server, "" if there is none.
func (c *config) savedToken(s *serverEntry) string {
	if s.token != "" {
		return s.token
	}
	return c.token
}

// issueToken logs in with an identity that the server makes. keep says that it is
// an error if the login cannot be saved.
func (r *run) issueToken(ctx context.Context, a *api, keep bool) error {
	c, err := r.config()
	if err != nil {
		return err
	}
	anonymous := *a
	anonymous.token = ""
	res, err := anonymous.do(ctx, request{method: http.MethodPost, path: "/v1/identity"})
	if err != nil {
		return err
	}
	var body struct{ Token string }
	if err := res.decode(&body); err != nil {
		return err
	}
	id, err := tokenIdentity(body.Token)
	if err != nil {
		return err
	}
	fmt.Fprint(r.Stdout, "We have logged in directly to your target server.\nWARNING: This login will NOT work for any other servers.\n")
	a.token, c.token = body.Token, body.Token
	if c.find(a.entry.name()) == a.entry {
		a.entry.token = body.Token
	}
	if err := r.writeConfig(c); err != nil {
		if keep {
			return err
		}
		fmt.Fprintf(r.Stderr, "Could not save config file: %v\n", errors.Unwrap(err))
	}
	fmt.Fprintf(r.Stdout, "Logged in with identity %s\n", id)
	return nil
}

// tokenIdentity reads the identity that a token stands for, without judging the
// token (spec 09 §4.6).
func tokenIdentity(token string) (sats.Identity, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return sats.Identity{}, fail("Token does not look like a JSON web token: %s", token)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return sats.Identity{}, because(err, "Token does not look like a JSON web token: %s", token)
	}
	var claims struct {
		Iss, Sub    *string
		Iat         *json.Number
		HexIdentity *string `json:"hex_identity"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return sats.Identity{}, because(err, "the token's payload is not understood")
	}
	if claims.Iss == nil || claims.Sub == nil || claims.Iat == nil {
		return sats.Identity{}, fail("the token lacks one of the claims iss, sub and iat")
	}
	if n, m := len(*claims.Iss), len(*claims.Sub); n < 1 || n > 128 || m < 1 || m > 128 {
		return sats.Identity{}, fail("the token's claims iss and sub must have 1 to 128 bytes")
	}
	id := auth.IdentityFromClaims(*claims.Iss, *claims.Sub)
	if claims.HexIdentity != nil {
		if said, err := sats.ParseIdentity(*claims.HexIdentity); err != nil || said != id {
			return sats.Identity{}, fail("Identity mismatch: the token says %s, its claims give %s", *claims.HexIdentity, id)
		}
	}
	return id, nil
}
