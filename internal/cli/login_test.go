package cli_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/auth"
	"github.com/stdbgo/spacetime/internal/spec"
)

// madeToken is a token with the claims; its signature is nobody's.
func madeToken(claims string) string {
	b := base64.RawURLEncoding.EncodeToString
	return b([]byte(`{"alg":"ES256"}`)) + "." + b([]byte(claims)) + "." + b([]byte("signature"))
}

func tokenOf(subject string) (token, identity string) {
	return madeToken(fmt.Sprintf(`{"iss":"localhost","sub":%q,"iat":1700000000}`, subject)), auth.IdentityFromClaims("localhost", subject).String()
}

func TestServerIssuedLogin(t *testing.T) {
	spec.Covers(t, "09.20")
	f := newFake(t)
	u := newUser(t)
	u.setConfig(f.URL, "")
	token, id := tokenOf("one")
	f.onJSON("POST /v1/identity", 200, map[string]string{"identity": id, "token": token})
	const told = "We have logged in directly to your target server.\nWARNING: This login will NOT work for any other servers.\n"
	wantEqual(t, u.ok("login", "--server-issued-login", f.URL), told+"Logged in with identity "+id+"\n")
	wantMatch(t, u.config(), `(?m)^spacetimedb_token = "`+token+`"$`)
	wantEqual(t, u.ok("login", "--server-issued-login", "local"), "Logged out (identity "+id+").\n"+told+"Logged in with identity "+id+"\n")
	// plain login asks the default server
	wantEqual(t, u.ok("login"), "Logged out (identity "+id+").\n"+told+"Logged in with identity "+id+"\n")
	for _, what := range f.asked() {
		wantEqual(t, what, "POST /v1/identity")
	}
}

func TestLoginToken(t *testing.T) {
	spec.Covers(t, "09.21", "09.22", "09.23")
	u := newUser(t)
	u.setConfig("http://127.0.0.1:1", "") // nobody is there
	wantEqual(t, u.ok("login", "show"), "You are not logged in. Run `spacetime login` to log in.\n")
	wantEqual(t, u.ok("logout"), "You are not logged in.\n")
	wantEqual(t, u.ok("login", "--token", "test-dummy-token", "--no-browser"), "Token saved.\n")
	want(t, u.fails(1, "login", "show"), "Token does not look like a JSON web token: test-dummy-token")
	token, id := tokenOf("two")
	wantEqual(t, u.ok("login", "--token", token), "Logged out.\nLogged in with identity "+id+"\n")
	wantEqual(t, u.ok("login", "show"), "You are logged in as "+id+"\n")
	wantEqual(t, wantMatch(t, u.ok("login", "show", "--token"), `(?m)^Your auth token.*is (.*)$`)[1], token)
	wantEqual(t, u.ok("logout"), "Logged out (identity "+id+").\n")
	if strings.Contains(u.config(), "token") {
		t.Errorf("a token is left:\n%s", u.config())
	}
	wantEqual(t, u.ok("logout"), "You are not logged in.\n")
}

func TestTokenIdentity(t *testing.T) {
	spec.Covers(t, "09.24")
	u := newUser(t)
	u.setConfig("http://127.0.0.1:1", "")
	// a payload whose base64 has both characters that the URL alphabet changes
	odd := madeToken(`{"iss":"localhost","sub":"~~~???>>>","iat":1,"x":"ÿÿþ"}`)
	if p := strings.Split(odd, ".")[1]; !strings.Contains(p, "-") || !strings.Contains(p, "_") {
		t.Fatalf("%s has neither - nor _", p)
	}
	wantEqual(t, u.ok("login", "--token", odd), "Logged in with identity "+auth.IdentityFromClaims("localhost", "~~~???>>>").String()+"\n")
	for claims, part := range map[string]string{
		fmt.Sprintf(`{"iss":"localhost","sub":"a","iat":1,"hex_identity":%q}`, strings.Repeat("0", 64)): "Identity mismatch",
		`{"iss":"localhost","iat":1}`:          "lacks one of the claims",
		`{"iss":"localhost","sub":"","iat":1}`: "1 to 128 bytes",
		`{"iss":"localhost","sub":"a"}`:        "lacks one of the claims",
		`[1]`:                                  "not understood",
	} {
		u.run("login", "--token", madeToken(claims))
		want(t, u.fails(1, "login", "show"), part)
	}
}

func TestWebLogin(t *testing.T) {
	f := newFake(t)
	u := newUser(t)
	u.setConfig("http://127.0.0.1:1", "")
	token, id := tokenOf("web")
	f.on("POST /api/auth/cli/login/request-token", 200, "application/json", `{"success":true,"data":{"token":"R"}}`)
	f.on("GET /api/auth/cli/status", 200, "application/json", `{"success":true,"data":{"approved":true,"sessionToken":"S"}}`)
	f.on("POST /api/spacetimedb-token", 200, "application/json", `{"success":true,"data":{"token":"`+token+`"}}`)
	f.on("POST /auth/cli/logout", 200, "text/plain", "")
	out := u.ok("login", "--auth-host", f.URL, "--no-browser")
	wantEqual(t, out, "Open "+f.URL+"/login/cli?token=R in your browser to finish logging in.\nWaiting to hear response from the server...\nLogin successful!\nLogged in with identity "+id+"\n")
	wantEqual(t, f.last().header.Get("Authorization"), "Bearer S")
	want(t, u.config(), `web_session_token = "S"`)
	wantEqual(t, u.ok("logout", "--auth-host", f.URL), "Logged out (identity "+id+").\n")
	wantEqual(t, f.last().what, "POST /auth/cli/logout")
	f.on("POST /api/auth/cli/login/request-token", 200, "application/json", `{"success":false,"error":"closed"}`)
	want(t, u.fails(1, "login", "--auth-host", f.URL, "--no-browser"), "closed")
}
