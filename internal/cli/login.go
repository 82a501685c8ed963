package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"runtime"
	"time"

	"github.com/spf13/cobra"
)

const officialAuthHost = "https://spacetimedb.com"

func (r *run) loginCommand() *cobra.Command {
	var authHost, issuer, token string
	var noBrowser bool
	cmd := &cobra.Command{
		Use:   "login [OPTIONS]",
		Short: "Log in, or show who is logged in",
		Long:  "Logs in. Without options the default server makes an identity; --token stores one that you have; --auth-host asks a login service in the browser.",
		Args:  noPositionals,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n := 0
			for _, f := range []string{"auth-host", "server-issued-login", "token"} {
				if cmd.Flags().Changed(f) {
					n++
				}
			}
			if n > 1 {
				return usagef(cmd, "the arguments '--auth-host', '--server-issued-login' and '--token' cannot be used together")
			}
			return r.login(cmd.Context(), authHost, issuer, token, noBrowser)
		},
	}
	f := cmd.Flags()
	f.Var(once(&authHost, "url"), "auth-host", "the login service to ask in the browser")
	f.Var(once(&issuer, "server"), "server-issued-login", "let this server make an identity")
	f.Var(once(&token, "token"), "token", "store this token")
	f.BoolVar(&noBrowser, "no-browser", false, "print the login service's address instead of opening it")

	var showToken bool
	show := &cobra.Command{
		Use:   "show [--token]",
		Short: "Show who is logged in",
		Args:  noPositionals,
		RunE: func(*cobra.Command, []string) error {
			c, err := r.config()
			if err != nil {
				return err
			}
			if c.token == "" {
				fmt.Fprintln(r.Stdout, "You are not logged in. Run `spacetime login` to log in.")
				return nil
			}
			id, err := tokenIdentity(c.token)
			if err != nil {
				return err
			}
			fmt.Fprintf(r.Stdout, "You are logged in as %s\n", id)
			if showToken {
				fmt.Fprintf(r.Stdout, "Your auth token (don't share this!) is %s\n", c.token)
			}
			return nil
		},
	}
	show.Flags().BoolVar(&showToken, "token", false, "show the token, too")
	cmd.AddCommand(show)
	return cmd
}

func (r *run) login(ctx context.Context, authHost, issuer, token string, noBrowser bool) error {
	c, err := r.config()
	if err != nil {
		return err
	}
	if c.token != "" {
		if err := r.logout(ctx, authHost); err != nil {
			return err
		}
	}
	if token != "" {
		c.token = token
		if err := r.writeConfig(c); err != nil {
			return err
		}
		return r.loggedIn(token)
	}
	entry, err := c.server(issuer)
	if err != nil && (issuer != "" || authHost == "") {
		return err
	}
	if authHost == "" && issuer == "" && entry.name() == "maincloud" {
		authHost = officialAuthHost
	}
	if authHost == "" {
		return r.issueToken(ctx, &api{base: entry.url(), entry: entry}, true)
	}
	w := &webLogin{run: r, api: &api{base: authHost}, noBrowser: noBrowser}
	if c.sessionToken == "" {
		if c.sessionToken, err = w.session(ctx); err != nil {
			return err
		}
		if err := r.writeConfig(c); err != nil {
			return err
		}
	}
	if c.token, err = w.token(ctx, c.sessionToken); err != nil {
		return err
	}
	if err := r.writeConfig(c); err != nil {
		return err
	}
	return r.loggedIn(c.token)
}

func (r *run) loggedIn(token string) error {
	id, err := tokenIdentity(token)
	if err != nil {
		fmt.Fprintln(r.Stdout, "Token saved.")
		return nil
	}
	fmt.Fprintf(r.Stdout, "Logged in with identity %s\n", id)
	return nil
}

// A webLogin is the conversation with a login service (spec 09 §4.4).
type webLogin struct {
	run       *run
	api       *api
	noBrowser bool
}

// ask sends one request and decodes the service's envelope.
func (w *webLogin) ask(ctx context.Context, method, path string, into any) error {
	res, err := w.api.do(ctx, request{method: method, path: path})
	if err != nil {
		return err
	}
	var body struct {
		Success bool
		Error   string
		Data    json.RawMessage
	}
	if err := res.decode(&body); err != nil {
		return err
	}
	if !body.Success {
		return fail("the login service refuses: %s", body.Error)
	}
	if err := json.Unmarshal(body.Data, into); err != nil {
		return because(err, "the login service's answer is not understood")
	}
	return nil
}

func (w *webLogin) session(ctx context.Context) (string, error) {
	var asked struct{ Token string }
	if err := w.ask(ctx, http.MethodPost, "/api/auth/cli/login/request-token", &asked); err != nil {
		return "", err
	}
	address := w.api.base + "/login/cli?token=" + url.QueryEscape(asked.Token)
	r := w.run
	if w.noBrowser {
		fmt.Fprintf(r.Stdout, "Open %s in your browser to finish logging in.\n", address)
	} else {
		fmt.Fprintf(r.Stdout, "Opening %s in your browser.\n", address)
		if err := openBrowser(r.Getenv("BROWSER"), address); err != nil {
			fmt.Fprintln(r.Stdout, "Unable to open your browser! Please open the URL above manually.")
		}
	}
	fmt.Fprintln(r.Stdout, "Waiting to hear response from the server...")
	for {
		var status struct {
			Approved     bool
			SessionToken string
		}
		if err := w.ask(ctx, http.MethodGet, "/api/auth/cli/status?token="+url.QueryEscape(asked.Token), &status); err != nil {
			return "", err
		}
		if status.Approved {
			fmt.Fprintln(r.Stdout, "Login successful!")
			return status.SessionToken, nil
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

func (w *webLogin) token(ctx context.Context, session string) (string, error) {
	a := *w.api
	a.token = session
	var data struct{ Token string }
	err := (&webLogin{run: w.run, api: &a}).ask(ctx, http.MethodPost, "/api/spacetimedb-token", &data)
	return data.Token, err
}

func openBrowser(browser, address string) error {
	var cmd *exec.Cmd
	switch {
	case browser != "":
		cmd = exec.Command(browser, address)
	case runtime.GOOS == "windows":
		cmd = exec.Command("rundll32", "url.dll,FileProtocolHandler", address)
	case runtime.GOOS == "darwin":
		cmd = exec.Command("open", address)
	default:
		cmd = exec.Command("xdg-open", address)
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // how a browser ends is nobody's business
	return nil
}

func (r *run) logoutCommand() *cobra.Command {
	var authHost string
	cmd := &cobra.Command{
		Use:   "logout [OPTIONS]",
		Short: "Forget the login",
		Args:  noPositionals,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.config()
			if err != nil {
				return err
			}
			if c.token == "" && c.sessionToken == "" {
				fmt.Fprintln(r.Stdout, "You are not logged in.")
				return nil
			}
			return r.logout(cmd.Context(), authHost)
		},
	}
	cmd.Flags().Var(once(&authHost, "url"), "auth-host", "the login service")
	return cmd
}

func (r *run) logout(ctx context.Context, authHost string) error {
	c, err := r.config()
	if err != nil {
		return err
	}
	if c.sessionToken != "" {
		if authHost == "" {
			authHost = officialAuthHost
		}
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		a := &api{base: authHost, token: c.sessionToken}
		res, err := a.do(ctx, request{method: http.MethodPost, path: "/auth/cli/logout"})
		if err == nil {
			err = res.err()
		}
		if err != nil {
			fmt.Fprintf(r.Stderr, "Warning: Failed to logout from auth server: %v\nLocal credentials have been cleared.\n", err)
		}
	}
	text := "Logged out."
	if id, err := tokenIdentity(c.token); err == nil {
		text = fmt.Sprintf("Logged out (identity %s).", id)
	}
	for _, s := range c.servers {
		if s.token == c.token {
			s.token = ""
		}
	}
	c.token, c.sessionToken = "", ""
	if err := r.writeConfig(c); err != nil {
		return err
	}
	fmt.Fprintln(r.Stdout, text)
	return nil
}
