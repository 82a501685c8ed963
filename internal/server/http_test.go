package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/spec"
)

const (
	textType   = "text/plain; charset=utf-8"
	someone    = "c20035600353a2e93544d898c6ed0eac323e200c0468300f22958f8b472a265d"
	varyHeader = "origin, access-control-request-method, access-control-request-headers"
)

func TestPathsAndMethods(t *testing.T) {
	spec.Covers(t, "06.1", "06.2", "06.4")
	r := newRig(t)
	_, alice := r.identity()
	r.published("main", alice, "program")
	for _, tt := range []struct {
		method, path string
		status       int
		allow, body  string
		matched      bool
	}{
		{"GET", "/v1/ping", 200, "", "", true},
		{"HEAD", "/v1/ping", 200, "", "", true},
		{"POST", "/v1/ping", 405, "GET,HEAD", "", true},
		{"GET", "/v1/ping/", 404, "", "", false},
		{"GET", "//v1/ping", 404, "", "", false},
		{"GET", "/v1//ping", 404, "", "", false},
		{"GET", "/V1/ping", 404, "", "", false},
		{"GET", "/v1/nope", 404, "", "", false},
		{"OPTIONS", "/v1/nope", 404, "", "", false},
		{"GET", "/database/main", 404, "", "", false},
		{"GET", "/v1/database/nope/route", 404, "", "`nope` not found", true},
		{"PUT", "/v1/database/nope/route/a//b%20c", 404, "", "`nope` not found", true},
		{"GET", "/v1/database/main/routes", 404, "", "", false},
		{"POST", "/v1/database/main/mcp", 415, "", "Expected request with `Content-Type: application/json`", true},
		{"POST", "/v1/mcp", 415, "", "Expected request with `Content-Type: application/json`", true},
		{"GET", "/v1/mcp", 405, "POST", "", true},
		{"GET", "/v1/database/nope/mcp", 405, "POST", "", true},
		{"POST", "/v1/database/a_b/mcp", 400, "", "Invalid URL: invalid characters in database name", true},
		{"POST", "/v1/database/main/mcp/", 404, "", "", false},
		{"GET", "/", 404, "", "", false},
		{"GET", "/v1/database/", 404, "", "", false},
		{"GET", "/v1/database/main/", 404, "", "", false},
		{"GET", "/v1/database/x/../main", 404, "", "", false},
		{"POST", "/v1/database/main/call/", 404, "", "", false},
		{"GET", "/v1/database", 405, "POST", "", true},
		{"POST", "/v1/database/nope", 405, "GET,HEAD,PUT,DELETE", "", true},
		{"GET", "/v1/database/nope/sql", 404, "POST", "`nope` not found", true},
		{"GET", "/v1/database/main/sql", 405, "POST", "", true},
		{"GET", "/v1/database/a_b/sql", 400, "POST", "Invalid URL: invalid characters in database name", true},
		{"DELETE", "/v1/database/nope/names", 404, "GET,HEAD,POST,PUT", "`nope` not found", true},
		{"DELETE", "/v1/database/nope/identity", 405, "GET,HEAD", "", true},
		{"POST", "/v1/database/nope/subscribe", 405, "GET,HEAD", "", true},
		{"DELETE", "/v1/energy/" + someone, 405, "GET,HEAD,PUT,POST", "", true},
		{"GET", "/v1/identity/websocket-token", 405, "POST", "", true},
		{"GET", "/v1/database/%6dain/identity", 200, "", "IDENTITY", true},
		{"HEAD", "/v1/database/main", 200, "", "", true},
		{"PATCH", "/internal/heap/settings", 405, "GET,HEAD,POST", "", false},
	} {
		a := r.do(tt.method, tt.path, "", "")
		body := a.body
		if tt.body == "IDENTITY" && len(body) == 64 {
			body = tt.body
		}
		if a.status != tt.status || body != tt.body || a.header.Get("Allow") != tt.allow {
			t.Errorf("%s %s: %d %q, allow %q; want %d %q, allow %q",
				tt.method, tt.path, a.status, a.body, a.header.Get("Allow"), tt.status, tt.body, tt.allow)
		}
		cors := a.header.Get("Access-Control-Allow-Origin") == "*" && a.header.Get("Vary") == varyHeader
		if cors != tt.matched {
			t.Errorf("%s %s: cors %v", tt.method, tt.path, cors)
		}
		if a.header.Get("Location") != "" {
			t.Errorf("%s %s redirects", tt.method, tt.path)
		}
	}
}

func TestBadTokenComesBefore405(t *testing.T) {
	r := newRig(t)
	for path, want := range map[string]answer{
		"/v1/database/nope":           {status: 401, body: "Invalid token: InvalidToken"},
		"/v1/database/nope/subscribe": {status: 401, body: "Invalid token: InvalidToken"},
		"/v1/database/x/nothing":      {status: 404},
	} {
		r.want(r.do("POST", path, "x", ""), want.status, want.body)
	}
}

func TestPreflight(t *testing.T) {
	spec.Covers(t, "06.3", "06.63")
	r := newRig(t)
	for path, allow := range map[string]string{
		"/v1/database/x/sql": "POST", "/v1/database/nope/names": "GET,HEAD,POST,PUT", "/v1/database/x/environment": "GET,HEAD,PUT,PATCH",
		"/v1/database/x/route/any": "", "/v1/ping": "GET,HEAD", "/v1/identity": "POST",
	} {
		a := r.want(r.do("OPTIONS", path, "not a token", ""), 200, "")
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "*", "Vary": varyHeader, "Allow": allow,
			"Access-Control-Allow-Headers": "authorization,accept,content-type,spacetime-environment,spacetime-environment-remove", "Content-Type": "", "Spacetime-Identity": "",
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s: %s: %q, want %q", path, name, got, want)
			}
		}
	}
}

func TestBodyLimits(t *testing.T) {
	spec.Covers(t, "06.5")
	r := newRig(t)
	_, alice := r.identity()
	big := strings.Repeat("x", 3<<20)
	r.want(r.do("PUT", "/v1/database/main", alice, strings.Repeat("program ", 60<<17)), 200,
		r.success("main", r.lookup("main"), "created"))
	r.want(r.do("POST", "/v1/database/main/sql", alice, big), 413, "Failed to buffer the request body: length limit exceeded")
	r.want(r.do("POST", "/v1/database/main/names", alice, big), 413, "Failed to buffer the request body: length limit exceeded")
	r.want(r.do("POST", "/v1/database/main/call/good", alice, big), 400, "Header of type `content-type` was missing")
	r.want(r.do("POST", "/v1/database/main/call/good", alice, big, "content-type: text/plain"), 413, "Failed to buffer the request body: length limit exceeded")
	r.want(r.do("POST", "/v1/database/main/sql", alice, "s\xff"), 400, "Request body didn't contain valid UTF-8: invalid utf-8 sequence starting at index 1")

	r2 := newRig(t, func(o *Options) { o.MaxProgramBytes = 10 })
	r2.want(r2.do("PUT", "/v1/database/main", "", "12345678901"), 413, "Failed to buffer the request body: length limit exceeded")
}

// lookup is the identity of a name.
func (r *rig) lookup(name string) string {
	r.t.Helper()
	return r.do("GET", "/v1/database/"+name+"/identity", "", "").body
}

func (r *rig) success(name, identity, op string) string {
	domain := "null"
	if name != "" {
		domain = `"` + name + `"`
	}
	return fmt.Sprintf(`{"Success":{"domain":%s,"database_identity":"%s","op":"%s"}}`, domain, identity, op)
}

func TestContentTypes(t *testing.T) {
	spec.Covers(t, "06.6")
	r := newRig(t)
	_, alice := r.identity()
	r.published("main", alice, "program")
	for _, tt := range []struct{ method, path, body, want string }{
		{"GET", "/v1/health", "", "application/json"},
		{"GET", "/v1/prometheus/sd_config", "", "application/json"},
		{"POST", "/v1/identity", "", "application/json"},
		{"GET", "/v1/database/main", "", "application/json"},
		{"GET", "/v1/database/main/names", "", "application/json"},
		{"GET", "/v1/database/main/schema?version=9", "", "application/json"},
		{"POST", "/v1/database/main/sql", "SELECT", "application/json"},
		{"PUT", "/v1/database/main", "program", "application/json"},
		{"GET", "/v1/database/nope", "", textType},
		{"GET", "/v1/database/main/identity", "", textType},
		{"POST", "/v1/database/main/sql", "x", textType},
		{"GET", "/v1/metrics", "", textType},
		{"GET", "/v1/database/main/logs", "", "application/x-ndjson"},
		{"GET", "/v1/ping", "", ""},
		{"POST", "/v1/database/main/lock", "", ""},
	} {
		if got := r.do(tt.method, tt.path, alice, tt.body).header.Get("Content-Type"); got != tt.want {
			t.Errorf("%s %s: %q, want %q", tt.method, tt.path, got, tt.want)
		}
	}
}

func TestCredentials(t *testing.T) {
	spec.Covers(t, "06.15")
	r := newRig(t)
	alice, token := r.identity()
	verify := "/v1/identity/" + alice + "/verify"
	for _, tt := range []struct {
		name, path, header string
		status             int
		body               string
	}{
		{"header", verify, "Bearer " + token, 204, ""},
		{"lower case", verify, "bearer " + token, 204, ""},
		{"two blanks", verify, "Bearer  " + token, 204, ""},
		{"basic", verify, "Basic dXNlcjpwdw==", 400, "Authorization is invalid: malformed token"},
		{"scheme alone", verify, "Bearer", 400, "Authorization is invalid: malformed token"},
		{"empty header", verify, "", 400, "Authorization is invalid: malformed token"},
		{"bad scheme, good query", verify + "?token=" + token, "Basic x", 400, "Authorization is invalid: malformed token"},
		{"header beats query", verify + "?token=x", "Bearer " + token, 204, ""},
	} {
		r.want(r.do("GET", tt.path, "", "", "Authorization: "+tt.header), tt.status, tt.body)
	}
	r.want(r.do("GET", verify+"?token="+token, "", ""), 204, "")
	r.want(r.do("GET", verify+"?token="+token+"&token="+token, "", ""), 401, "Authorization required")
	r.want(r.do("GET", "/v1/ping?token=x", "", ""), 401, "Invalid token: InvalidToken")
	r.want(r.do("GET", "/v1/ping?token=", "", ""), 401, "Invalid token: InvalidToken")
	r.want(r.do("GET", "/v1/ping?token=x&token=y", "", ""), 200, "")
	r.want(r.do("GET", "/v1/health?token=x", "x", ""), 200, `{"package_name":"spacetimedb-client-api","version":"2.8.3","nodes":[0],"schedulable":true}`)
}

func TestAnonymousIdentity(t *testing.T) {
	spec.Covers(t, "06.16", "06.17")
	r := newRig(t)
	_, alice := r.identity()
	r.published("main", alice, "program")
	seen := map[string]bool{}
	for _, path := range []string{"/v1/database/main/sql", "/v1/database/nope/sql", "/v1/database/a_b/sql", "/v1/database/main/sql?confirmed=x"} {
		a := r.do("POST", path, "", "SELECT")
		id, token := a.header.Get("Spacetime-Identity"), a.header.Get("Spacetime-Identity-Token")
		if len(id) != 64 || seen[id] {
			t.Errorf("%s: identity %q", path, id)
		}
		seen[id] = true
		r.want(r.do("GET", "/v1/identity/"+id+"/verify", token, ""), 204, "")

		a = r.do("POST", path, alice, "SELECT")
		if a.header.Get("Spacetime-Identity-Token") != alice {
			t.Errorf("%s: the token is not echoed", path)
		}
		a = r.do("POST", path, "x", "SELECT")
		if a.status != 401 || a.header.Get("Spacetime-Identity") != "" || a.header.Get("Spacetime-Identity-Token") != "" {
			t.Errorf("%s: a refused token: %d %v", path, a.status, a.header)
		}
	}
}

func TestIdentityRoutes(t *testing.T) {
	spec.Covers(t, "06.19", "06.20")
	r := newRig(t)
	alice, token := r.identity()
	r.want(r.do("GET", "/v1/identity/"+alice+"/verify", token, ""), 204, "")
	r.want(r.do("GET", "/v1/identity/"+someone+"/verify", token, ""), 400, "")
	r.want(r.do("GET", "/v1/identity/"+alice+"/verify", "", ""), 401, "Authorization required")
	r.want(r.do("GET", "/v1/identity/abc/verify", "", ""), 400, `Invalid URL: invalid value: string "abc", expected a byte array or hex string`)
	r.want(r.do("GET", "/v1/identity/c200/databases", "", ""), 400, `Invalid URL: too few elements for array`)
	r.want(r.do("GET", "/v1/identity/"+alice+"00/databases", "", ""), 400, `Invalid URL: too many elements for array`)
	r.want(r.do("GET", "/v1/identity/0x"+alice+"/databases", "", ""), 400, `Invalid URL: invalid value: string "0x`+alice+`", expected a byte array or hex string`)

	a := r.want(r.do("GET", "/v1/identity/public-key", "", ""), 200, string(r.auth.PublicKeyPEM()))
	if got := a.header.Get("Content-Type"); got != "application/pem-certificate-chain" {
		t.Error(got)
	}
	r.want(r.do("POST", "/v1/identity/websocket-token", "", ""), 401, "Authorization required")
	a = r.do("POST", "/v1/identity/websocket-token", token, "")
	var short struct{ Token string }
	if err := json.Unmarshal([]byte(a.body), &short); err != nil || a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	r.want(r.do("GET", "/v1/identity/"+alice+"/verify", short.Token, ""), 204, "")
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(short.Token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ Iat, Exp int64 }
	if err := json.Unmarshal(payload, &claims); err != nil || claims.Exp != claims.Iat+60 {
		t.Errorf("payload %s", payload)
	}
	a = r.do("POST", "/v1/identity", "garbage", "")
	if a.status != 200 || a.header.Get("Spacetime-Identity") != "" || !strings.HasPrefix(a.body, `{"identity":"c200`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestOwnedDatabasesAndEnergy(t *testing.T) {
	spec.Covers(t, "06.45")
	r := newRig(t)
	alice, aliceToken := r.identity()
	bob, bobToken := r.identity()
	one := r.published("one", aliceToken, "p")
	r.published("other", bobToken, "p")
	two := r.published("two", aliceToken, "p")
	r.want(r.do("GET", "/v1/identity/"+alice+"/databases", "garbage", ""), 200, `{"identities":["`+one+`","`+two+`"]}`)
	r.want(r.do("GET", "/v1/identity/"+someone+"/databases", "", ""), 200, `{"identities":[]}`)

	r.want(r.do("GET", "/v1/energy/"+bob, "", ""), 200, `{"balance":"0"}`)
	r.want(r.do("POST", "/v1/energy/"+alice+"?amount=18446744073709551616", bobToken, ""), 200, `{"balance":"18446744073709551616"}`)
	r.want(r.do("POST", "/v1/energy/"+bob, bobToken, ""), 200, `{"balance":"18446744073709551616"}`)
	r.want(r.do("GET", "/v1/energy/"+bob, "", ""), 200, `{"balance":"18446744073709551616"}`)
	for _, amount := range []string{"x", "-1", "", "999999999999999999999999999999999999999999"} {
		r.want(r.do("POST", "/v1/energy/"+bob+"?amount="+amount, bobToken, ""), 400, "")
	}
	r.want(r.do("POST", "/v1/energy/"+bob, "", ""), 401, "Authorization required")
	r.want(r.do("PUT", "/v1/energy/"+bob+"?balance=1", bobToken, ""), 401, "")
	r.want(r.do("GET", "/v1/energy/abc", "", ""), 400, `Invalid URL: invalid value: string "abc", expected a byte array or hex string`)
}

func TestNameGrammar(t *testing.T) {
	for name, want := range map[string]string{
		"quickstart": "", "a-b-3": "", "0": "", strings.Repeat("a", 80): "",
		"":      "database names cannot be empty",
		"-a":    "invalid hyphen in database name",
		"a-":    "invalid hyphen in database name",
		"a--b":  "invalid hyphen in database name",
		"a-B":   "invalid hyphen in database name",
		"aB":    "invalid characters in database name",
		"A":     "invalid characters in database name",
		"a_b":   "invalid characters in database name",
		"a/b":   "invalid characters in database name",
		"a b":   "invalid characters in database name",
		"ä":     "invalid characters in database name",
		someone: "database names cannot be identities", "0x" + strings.ToUpper(someone): "database names cannot be identities",
	} {
		got := ""
		if err := checkName(name); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	if checkNewName(strings.Repeat("z", 64)) != nil || checkNewName(strings.Repeat("z", 65)) == nil {
		t.Error("the limit of new names is not 64")
	}
}

func TestPublish(t *testing.T) {
	spec.Covers(t, "06.22", "06.23", "06.24", "06.25", "06.26")
	r := newRig(t)
	alice, aliceToken := r.identity()
	bob, bobToken := r.identity()

	// A failed first publish leaves nothing, and a later one succeeds.
	r.want(r.do("PUT", "/v1/database/shop", aliceToken, "bad"), 500, "failed to parse the module")
	r.want(r.do("PUT", "/v1/database/shop", aliceToken, ""), 500, "failed to parse the module")
	r.want(r.do("PUT", "/v1/database/shop", aliceToken, "init: the oven is cold"), 500, "the oven is cold")
	r.want(r.do("GET", "/v1/database/shop/identity", "", ""), 404, "`shop` not found")

	shop := r.published("shop", aliceToken, "one")
	r.fake.notes()
	r.want(r.do("PUT", "/v1/database/shop", aliceToken, "one"), 200, r.success("shop", shop, "updated"))
	if got := r.fake.notes(); got != "update unchanged" {
		t.Errorf("the same program again: %s", got)
	}
	r.want(r.do("PUT", "/v1/database/shop?policy=Compatible&token=0x1", aliceToken, "two"), 200, r.success("shop", shop, "updated"))
	r.want(r.do("PUT", "/v1/database/"+shop, aliceToken, "three"), 200, r.success("", shop, "updated"))
	r.want(r.do("PUT", "/v1/database/0x"+strings.ToUpper(shop), aliceToken, "three"), 200, r.success("", shop, "updated"))

	refused := " is not authorized to perform action on database " + shop + ": "
	r.want(r.do("PUT", "/v1/database/shop", bobToken, "four"), 403, bob+refused+"update database")
	r.want(r.do("PUT", "/v1/database/shop?clear=true", bobToken, "four"), 403, bob+refused+"reset database")
	a := r.do("PUT", "/v1/database/shop", "", "four")
	r.want(a, 403, a.header.Get("Spacetime-Identity")+refused+"update database")

	r.want(r.do("PUT", "/v1/database/shop", aliceToken, "bad"), 500, "failed to parse the module")
	r.want(r.do("PUT", "/v1/database/shop", aliceToken, "manual"), 400, "Database update rejected: Errors occurred:\nChanging x\n\n")
	r.want(r.do("PUT", "/v1/database/shop", aliceToken, "breaks"), 400,
		"Failed to create or update the database: Migration plan contains a client-breaking change which is disallowed under current policy")
	r.want(r.do("PUT", "/v1/database/shop?policy=BreakClients", aliceToken, "breaks"), 400,
		"Migration policy is set to `BreakClients`, but no migration token was provided.")
	r.want(r.do("PUT", "/v1/database/shop?policy=BreakClients&token=0x100000000000000000000000000000000000000000000000000000000000000", aliceToken, "breaks"), 400,
		"Failed to create or update the database: Token provided is invalid or does not match expected hash")
	r.want(r.do("PUT", "/v1/database/shop?policy=BreakClients&token=0x2", aliceToken, "breaks"), 200, r.success("shop", shop, "updated"))

	for query, want := range map[string]string{
		"clear=yes":                           "provided string was not `true` or `false`",
		"clear=true&clear=true":               "duplicate field `clear`",
		"host_type=Lua":                       "unknown variant `Lua`, expected `Wasm` or `Js`",
		"policy=breakclients":                 "unknown variant `breakclients`, expected `Compatible` or `BreakClients`",
		"token=1":                             "invalid digit found in string",
		"token=0xg":                           "invalid digit found in string",
		"token=0x":                            "invalid digit found in string",
		"token=0x1" + strings.Repeat("0", 64): "number too large to fit in target type",
		"num_replicas=x":                      "invalid digit found in string",
		"num_replicas=":                       "cannot parse integer from empty string",
		"update_confirmation_timeout=5":       "time unit needed in duration `5`, for example 5ms",
		"organization=a&org=b":                "duplicate field `organization`",
	} {
		r.want(r.do("PUT", "/v1/database/shop?"+query, aliceToken, "x"), 400, "Failed to deserialize query string: "+want)
	}
	r.want(r.do("PUT", "/v1/database/child?num_replicas=300", aliceToken, "x"), 400, "Replication factor 300 out of bounds")
	r.want(r.do("PUT", "/v1/database/child?parent=nope", aliceToken, "x"), 404, "`nope` not found")
	r.want(r.do("PUT", "/v1/database/child?org=nope", aliceToken, "x"), 404, "`nope` not found")
	r.want(r.do("PUT", "/v1/database/shop?clear=true&parent=shop", aliceToken, "x"), 400, "Setting the parent of an existing database is not supported")
	r.want(r.do("PUT", "/v1/database/"+strings.Repeat("a", 65), aliceToken, "x"), 400, "Invalid URL: database names cannot be longer than 64 characters")

	// Without a name.
	a = r.do("POST", "/v1/database", aliceToken, "one")
	if a.status != 200 || !strings.HasPrefix(a.body, `{"Success":{"domain":null,"database_identity":"c200`) || !strings.HasSuffix(a.body, `"op":"created"}}`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	r.want(r.do("POST", "/v1/database?clear=true", aliceToken, "one"), 400, "Clear database requires database name or identity")

	// Clear gives a new replica, and init runs again.
	before, err := r.ctl.Database(r.target(shop))
	if err != nil {
		t.Fatal(err)
	}
	r.fake.notes()
	r.want(r.do("PUT", "/v1/database/shop?clear=true", aliceToken, "anew"), 200, r.success("shop", shop, "updated"))
	if got := r.fake.notes(); got != "create; stop" {
		t.Errorf("clear: %s", got)
	}
	after, err := r.ctl.Database(r.target(shop))
	if err != nil || after.Replica == before.Replica || after.Owner != before.Owner || after.ID != before.ID {
		t.Errorf("after clear %+v, before %+v, %v", after, before, err)
	}
	r.want(r.do("PUT", "/v1/database/shop?clear=true", aliceToken, "init: cold"), 500, "cold")
	if again, err := r.ctl.Database(r.target(shop)); err != nil || again != after {
		t.Errorf("a failed clear changed the record: %+v, %v", again, err)
	}
	r.want(r.do("PUT", "/v1/database/fresh?clear=true", aliceToken, "x"), 200, r.success("fresh", r.lookup("fresh"), "created"))

	// A name that was given up stays its owner's.
	r.published("old", aliceToken, "x")
	r.want(r.do("PUT", "/v1/database/old/names", aliceToken, `["young"]`, "content-type: application/json"), 200, `"Success"`)
	r.want(r.do("PUT", "/v1/database/old", bobToken, "x"), 401, `{"PermissionDenied":{"name":"old"}}`)
	r.want(r.do("GET", "/v1/identity/"+bob+"/databases", "", ""), 200, `{"identities":[]}`)
	_ = alice
}

// target parses an identity of a test.
func (r *rig) target(id string) (out [32]byte) {
	r.t.Helper()
	for i := range out {
		if _, err := fmt.Sscanf(id[2*i:2*i+2], "%02x", &out[31-i]); err != nil {
			r.t.Fatal(err)
		}
	}
	return out
}

func TestPublishIssuer(t *testing.T) {
	r := newRig(t, func(o *Options) { o.PublishIssuer = "https://auth.example/" })
	_, alice := r.identity()
	r.want(r.do("PUT", "/v1/database/x", alice, "p"), 401, "To create a database, you must be logged in with a SpacetimeDB account.")
	r2 := newRig(t, func(o *Options) { o.PublishIssuer = "localhost" })
	_, alice = r2.identity()
	r2.published("x", alice, "p")
}

func TestUpdateWaitsForTheDisk(t *testing.T) {
	spec.Covers(t, "08.59")
	r := newRig(t)
	_, alice := r.identity()
	shop := r.published("shop", alice, "one")
	db := r.fake.the(t)
	db.setDurable(9) // the update's transaction has offset 9
	r.want(r.do("PUT", "/v1/database/shop?update_confirmation_timeout=20ms", alice, "two"), 504,
		"Database update failed: timeout waiting for transaction confirmation")
	q := &request{r: httptest.NewRequest("PUT", "/", nil)}
	if o, err := q.publishOptions(); err != nil || o.confirmation != 5*time.Second {
		t.Errorf("without the parameter: %s, %v", o.confirmation, err)
	}
	go func() {
		time.Sleep(20 * time.Millisecond)
		db.setDurable(10)
	}()
	r.want(r.do("PUT", "/v1/database/shop", alice, "three"), 200, r.success("shop", shop, "updated"))
	db.setDurable(9)
	r.fake.notes()
	go func() {
		for !strings.Contains(r.fake.notes(), "update") { // it waits for the disk now, or soon
			time.Sleep(5 * time.Millisecond)
		}
		db.stop()
	}()
	r.want(r.do("PUT", "/v1/database/shop", alice, "four"), 503,
		"Database update failed: database crashed while waiting for transaction confirmation")
}

// A client that writes all of its program before it reads gets the 404.
func TestBodyIsReadBefore404(t *testing.T) {
	spec.Covers(t, "06.27")
	r := newRig(t)
	_, alice := r.identity()
	body := strings.Repeat("x", 20<<20)
	r.want(r.do("POST", "/v1/database/nope/pre_publish?pretty_print_style=AnsiColor&host_type=Wasm", alice, body), 404, "`nope` not found")
	r.want(r.do("POST", "/v1/database/"+someone+"/pre_publish", alice, body), 404, "No such database.")
}

func TestPrePublish(t *testing.T) {
	spec.Covers(t, "06.29")
	r := newRig(t)
	_, alice := r.identity()
	bob, bobToken := r.identity()
	shop := r.published("shop", alice, "one")
	const token = `"0x14308e2e12090ce6007a2735f51a72c28b21dba6babdf9994a6d25b840f2c1da"`
	auto := func(plan string) string {
		return `{"AutoMigrate":{"migrate_plan":"` + plan + `","break_clients":true,"token":` + token + `,"major_version_upgrade":false}}`
	}
	post := func(query, as, body string) answer { return r.do("POST", "/v1/database/shop/"+query, as, body) }
	r.want(post("pre_publish", alice, "two"), 200, auto("coloured"))
	r.want(post("pre_publish?style=NoColor", alice, "two"), 200, auto("plain"))
	r.want(post("pre_publish?pretty_print_style=NoColor", alice, "two"), 200, auto("plain"))
	r.want(post("pre_publish?style=Blue", alice, "two"), 400, "Failed to deserialize query string: unknown variant `Blue`, expected `AnsiColor` or `NoColor`")
	r.want(post("pre_publish", alice, "bad"), 500, "failed to parse the module")
	r.want(post("pre_publish", alice, "manual"), 200, `{"ManualMigrate":{"reason":"Errors occurred:\nChanging x","major_version_upgrade":false}}`)
	r.want(post("pre_publish", bobToken, "two"), 403, bob+" is not authorized to perform action on database "+shop+": update database")
	// The old spelling has the form of its time.
	r.want(post("pre-publish?style=NoColor", alice, "two"), 200, `{"migrate_plan":"plain","break_clients":true,"token":`+token+`}`)
	r.want(post("pre-publish", alice, "manual"), 400, "Errors occurred:\nChanging x")
}

func TestInfo(t *testing.T) {
	spec.Covers(t, "06.30")
	r := newRig(t)
	alice, token := r.identity()
	shop := r.published("shop", token, "new")
	hash := "0x" + reversed("41e691fcbdc41a0c9c62caec68dbbdb99b245cbb72f06df6f40fa1bd1b4d97d9")
	r.want(r.do("GET", "/v1/database/shop", "", ""), 200, `{"database_identity":{"__identity__":"0x`+shop+
		`"},"owner_identity":{"__identity__":"0x`+alice+`"},"host_type":{"Wasm":[]},"initial_program":"`+hash+`"}`)
	r.published("shop", token, "newer")
	if a := r.do("GET", "/v1/database/shop", "", ""); !strings.Contains(a.body, hash) {
		t.Errorf("an update changed the initial program: %s", a.body)
	}
	r.want(r.do("GET", "/v1/database/0x"+strings.ToUpper(someone)+"/identity", "", ""), 200, someone)
	r.want(r.do("GET", "/v1/database/shop/identity", "", ""), 200, shop)
	r.want(r.do("GET", "/v1/database/nope/identity", "", ""), 404, "`nope` not found")
	r.want(r.do("GET", "/v1/database/"+someone, "", ""), 404, "No such database.")
	a := r.do("GET", "/v1/database/shop/unstable/timestamp", "", "")
	var ts struct {
		Micros int64 `json:"__timestamp_micros_since_unix_epoch__"`
	}
	if err := json.Unmarshal([]byte(a.body), &ts); err != nil || time.Since(time.UnixMicro(ts.Micros)).Abs() > time.Minute {
		t.Errorf("timestamp %s", a.body)
	}
}

func reversed(hex string) string {
	var b strings.Builder
	for i := len(hex); i > 0; i -= 2 {
		b.WriteString(hex[i-2 : i])
	}
	return b.String()
}

func TestNames(t *testing.T) {
	spec.Covers(t, "06.31")
	r := newRig(t)
	_, alice := r.identity()
	_, bob := r.identity()
	shop := r.published("shop", alice, "p")
	r.published("main", alice, "p")
	add := func(as, name string) answer { return r.do("POST", "/v1/database/"+shop+"/names", as, name) }
	put := func(as, names string) answer {
		return r.do("PUT", "/v1/database/"+shop+"/names", as, names, "content-type: application/json")
	}
	r.want(add(alice, "second"), 200, `{"Success":{"domain":"second","database_identity":"`+shop+`"}}`)
	r.want(add(bob, "third"), 200, `{"Success":{"domain":"third","database_identity":"`+shop+`"}}`)
	r.want(add(bob, "second"), 500, "record with the name second already exists")
	r.want(add(alice, "a_b"), 400, "invalid characters in database name")
	r.want(add(alice, ""), 400, "database names cannot be empty")
	r.want(r.do("GET", "/v1/database/shop/names", "", ""), 200, `{"names":["shop","second","third"]}`)
	r.want(put(bob, `["x"]`), 401, `{"NotYourDatabase":{"database":"`+shop+`"}}`)
	r.want(put(alice, `["shop"]`), 400, `{"OtherError":"Cannot rename to shop because it already is in use."}`)
	r.want(put(alice, `["main"]`), 400, `{"OtherError":"Cannot rename to main because it already is in use."}`)
	r.want(put(alice, `["fourth"]`), 401, `{"PermissionDenied":{"domain":"third"}}`)
	r.want(put(alice, `["a_b"]`), 400, "Error parsing `a_b`: invalid characters in database name")
	r.want(r.do("PUT", "/v1/database/shop/names", alice, `["x"]`), 415, "Expected request with `Content-Type: application/json`")
	for body, prefix := range map[string]string{
		`["x"`: "400Failed to parse the request body as JSON: ", "": "400Failed to parse the request body as JSON: ",
		`{"a":1}`: "422Failed to deserialize the JSON body into the target type: ", `[1]`: "422Failed to deserialize", `null`: "422Failed to deserialize",
		`[{"x":1}]`: "422Failed to deserialize the JSON body into the target type: missing field `tld`",
	} {
		if a := put(alice, body); !strings.HasPrefix(fmt.Sprint(a.status)+a.body, prefix) {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}

	main := r.lookup("main")
	put = func(as, names string) answer {
		return r.do("PUT", "/v1/database/"+main+"/names", as, names, "content-type: application/json; charset=utf-8")
	}
	r.want(put(alice, `["young",{"tld":"younger","sub_domain":null}]`), 200, `"Success"`)
	r.want(r.do("GET", "/v1/database/young/names", "", ""), 200, `{"names":["young","younger"]}`)
	r.want(r.do("GET", "/v1/database/main/identity", "", ""), 404, "`main` not found")
	r.want(add(bob, "main"), 401, `{"PermissionDenied":{"domain":"main"}}`)
	r.want(put(alice, `[]`), 200, `"Success"`)
	r.want(r.do("GET", "/v1/database/"+main+"/names", "", ""), 200, `{"names":[]}`)
	r.want(put(alice, `["dup","dup"]`), 200, `"Success"`)
	r.want(r.do("GET", "/v1/database/dup/names", "", ""), 200, `{"names":["dup"]}`)
}

func TestDelete(t *testing.T) {
	spec.Covers(t, "06.32", "06.33", "08.61")
	r := newRig(t)
	_, alice := r.identity()
	bob, bobToken := r.identity()
	gone := r.published("gone", alice, "p")
	path := "/v1/database/gone"
	refused := bob + " is not authorized to perform action on database " + gone + ": delete database"
	r.want(r.do("DELETE", path, bobToken, ""), 403, refused)
	r.want(r.do("POST", path+"/lock", bobToken, ""), 403, refused)
	for range 2 {
		r.want(r.do("POST", path+"/lock", alice, ""), 200, "")
	}
	const noReset = "Database is locked and cannot be reset with --delete-data. Run `spacetime unlock` first."
	r.want(r.do("DELETE", path, alice, ""), 403, "Database is locked and cannot be deleted. Run `spacetime unlock` first.")
	r.want(r.do("PUT", path+"?clear=true", alice, "p"), 403, noReset)
	r.want(r.do("PUT", path+"/reset", alice, "p"), 403, noReset)
	r.want(r.do("PUT", path, alice, "p2"), 200, r.success("gone", gone, "updated"))
	for range 2 {
		r.want(r.do("POST", path+"/unlock", alice, ""), 200, "")
	}
	r.want(r.do("PUT", path+"?clear=true", alice, "p"), 200, r.success("gone", gone, "updated"))

	r.want(r.do("DELETE", path, alice, ""), 200, "")
	r.want(r.do("DELETE", path, alice, ""), 200, "")
	if got := r.fake.deleted; len(got) != 2 {
		t.Errorf("the files of replicas %v were deleted; want the reset one and the deleted one", got)
	}
	r.wantNoLitter(0)
	r.want(r.do("DELETE", "/v1/database/nope", alice, ""), 404, "`nope` not found")
	r.want(r.do("DELETE", "/v1/database/"+someone, alice, ""), 200, "")
	r.want(r.do("GET", path+"/names", "", ""), 404, "No such database.")
	r.want(r.do("GET", path+"/identity", "", ""), 200, gone)
	r.want(r.do("PUT", path, bobToken, "p"), 401, `{"PermissionDenied":{"name":"gone"}}`)
	r.want(r.do("PUT", path, alice, "p"), 200, r.success("gone", gone, "created"))
}

// wantNoLitter wants nothing on disk but the programs of so many databases.
func (r *rig) wantNoLitter(programs int) {
	r.t.Helper()
	if litter, err := r.ctl.Litter(); err != nil || len(litter) > 0 {
		r.t.Errorf("replicas that belong to nobody: %v, %v", litter, err)
	}
	files, err := filepath.Glob(filepath.Join(r.dir, "program-bytes", "*", "*"))
	if err != nil || len(files) != programs {
		r.t.Errorf("programs on disk: %v, %v; want %d", files, err, programs)
	}
}

// A publish that fails, for whatever reason, leaves no file behind.
func TestFailedPublishLeavesNothing(t *testing.T) {
	r := newRig(t)
	_, alice := r.identity()
	r.want(r.do("PUT", "/v1/database/shop", alice, "init: no"), 500, "no")
	r.wantNoLitter(0)
	r.want(r.do("PUT", "/v1/database/shop", alice, "bad"), 500, "failed to parse the module")
	r.wantNoLitter(0)
	r.published("shop", alice, "good")
	r.wantNoLitter(1)
	r.want(r.do("PUT", "/v1/database/shop?clear=true", alice, "init: no"), 500, "no")
	r.wantNoLitter(1)
}

func TestReset(t *testing.T) {
	spec.Covers(t, "08.67")
	r := newRig(t)
	_, alice := r.identity()
	bob, bobToken := r.identity()
	shop := r.published("shop", alice, "first")
	r.published("shop", alice, "second")
	path := "/v1/database/shop/reset"
	r.want(r.do("PUT", path, bobToken, "p"), 403, bob+" is not authorized to perform action on database "+shop+": reset database")
	r.want(r.do("PUT", path, alice, ""), 200, r.success("shop", shop, "updated"))
	if got := r.fake.the(t).program; got != "first" {
		t.Errorf("without a program: %s runs", got)
	}
	r.want(r.do("PUT", path+"?host_type=Js", alice, "third"), 200, r.success("shop", shop, "updated"))
	if db := r.fake.the(t); db.program != "third" || !db.info.JS {
		t.Errorf("with a program: %s runs", db.program)
	}
	r.want(r.do("PUT", path, alice, "bad"+strings.Repeat("x", 3<<20)), 500, "failed to parse the module")
	if got := r.fake.the(t).program; got != "third" {
		t.Errorf("after a failed reset: %s runs", got)
	}
	r.want(r.do("PUT", path+"?num_replicas=256", alice, ""), 400, "Replication factor 256 out of bounds")
}

func TestCall(t *testing.T) {
	spec.Covers(t, "01.19", "06.34", "06.36")
	r := newRig(t)
	_, alice := r.identity()
	r.published("shop", alice, "p")
	both, one, none := "1843 212", " 212", " "
	for _, tt := range []struct {
		function, content, body string
		status                  int
		want, headers           string
	}{
		{"good", "application/json", `["Alice"]`, 200, "", both},
		{"good", "application/json; charset=utf-8", `["Alice"]`, 200, "", both},
		{"g%6fod", "Application/JSON", `["Alice"]`, 200, "", both},
		{"fails", "application/json", `[]`, 530, "no more salt", both},
		{"expensive", "application/json", `[]`, 402, "Module energy budget exhausted.", both},
		{"good", "application/json", `[1]`, 400, "invalid arguments for reducer good: [1]", none},
		{"opened", "application/json", `[]`, 400, "can't directly call special OnConnect lifecycle reducer", none},
		{"nope", "application/json", `[]`, 404, "No such procedure", none},
		{"gone", "application/json", `[]`, 404, "no such module", none},
		{"dead", "application/json", `[]`, 500, "The reducer worker encountered a fatal error: x", none},
		{"good", "", `["Alice"]`, 400, "Header of type `content-type` was missing", none},
		{"good", "nonsense", `["Alice"]`, 400, "invalid HTTP header (content-type)", none},
		{"good", "text/plain", `["Alice"]`, 415, "Expected request with `Content-Type: application/json`", none},
		{"good", "application/json", "[\"\xff\"]", 400, "Request body didn't contain valid UTF-8", none},
		{"good", "text/plain", "[\"\xff\"]", 400, "Request body didn't contain valid UTF-8", none},
		{"maybe", "application/json", `[]`, 200, `[0,"x"]`, one},
		{"pair", "application/json", `[]`, 200, `[7,[1,[]]]`, one},
		{"trips", "application/json", `[]`, 500, "The module instance encountered a fatal error: x", none},
		{"greedy", "application/json", `[]`, 402, "Procedure terminated due to insufficient budget", none},
	} {
		var headers []string
		if tt.content != "" {
			headers = []string{"content-type: " + tt.content}
		}
		a := r.want(r.do("POST", "/v1/database/shop/call/"+tt.function, alice, tt.body, headers...), tt.status, tt.want)
		if got := a.header.Get("Spacetime-Energy-Used") + " " + a.header.Get("Spacetime-Execution-Duration-Micros"); got != tt.headers {
			t.Errorf("%s: headers %q, want %q", tt.function, got, tt.headers)
		}
	}
	for _, path := range []string{"procedure/maybe", "unstable/procedure/maybe"} {
		r.want(r.do("POST", "/v1/database/shop/"+path, alice, "[]", "content-type: application/json"), 200, `[0,"x"]`)
	}

	r.fake.notes()
	r.do("POST", "/v1/database/shop/call/fails", alice, "[]", "content-type: application/json")
	if got := r.fake.notes(); got != "connect; call fails; disconnect" {
		t.Errorf("hooks: %s", got)
	}
	// An answer that waits for the disk.
	db := r.fake.the(t)
	db.setDurable(7)
	began := time.Now()
	time.AfterFunc(20*time.Millisecond, func() { db.setDurable(8) })
	r.want(r.do("POST", "/v1/database/shop/call/fails?confirmed=true", alice, "[]", "content-type: application/json"), 530, "no more salt")
	if time.Since(began) < 15*time.Millisecond {
		t.Error("did not wait for the disk")
	}
}

func TestConnectHookRefuses(t *testing.T) {
	r := newRig(t)
	_, alice := r.identity()
	r.published("shop", alice, "p")
	db := r.fake.the(t)
	for _, tt := range []struct {
		reject error
		status int
		body   string
	}{
		{&RejectedError{Message: "closed for tonight"}, 403, "closed for tonight"},
		{&RejectedError{OutOfEnergy: true}, 503, "Insufficient energy balance to run `client_connected` reducer"},
		{errors.New("Failed to insert `st_client` row: x"), 500, "Failed to insert `st_client` row: x"},
	} {
		db.reject = tt.reject
		r.fake.notes()
		r.want(r.do("POST", "/v1/database/shop/call/good", alice, `["Alice"]`, "content-type: application/json"), tt.status, tt.body)
		r.want(r.do("POST", "/v1/database/shop/sql", alice, "SELECT"), tt.status, tt.body)
		if got := r.fake.notes(); got != "" {
			t.Errorf("after the refusal: %s", got)
		}
	}
}

func TestDisconnectRunsWhenTheClientLeaves(t *testing.T) {
	spec.Covers(t, "06.38")
	r := newRig(t)
	_, alice := r.identity()
	r.published("shop", alice, "p")
	db := r.fake.the(t)
	db.setDurable(7)
	r.fake.notes()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, "POST", r.url+"/v1/database/shop/call/fails?confirmed=true", strings.NewReader("[]"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	noted := func() string {
		r.fake.mu.Lock()
		defer r.fake.mu.Unlock()
		return strings.Join(r.fake.log, "; ")
	}
	left := make(chan error, 1)
	go func() {
		_, err := client.Do(req)
		left <- err
	}()
	eventually(t, "the call", func() bool { return noted() == "connect; call fails" })
	cancel()
	if err := <-left; err == nil {
		t.Fatal("answered")
	}
	db.setDurable(8)
	eventually(t, "the disconnection", func() bool { return noted() == "connect; call fails; disconnect" })
}

func TestSQL(t *testing.T) {
	spec.Covers(t, "08.44", "06.39", "07.38")
	r := newRig(t)
	_, alice := r.identity()
	r.published("shop", alice, "p")
	a := r.want(r.do("POST", "/v1/database/shop/sql", "", "SELECT"), 200,
		`[{"schema":{"elements":[{"name":{"some":"id"},"algebraic_type":{"U32":[]}},{"name":{"some":"name"},"algebraic_type":{"String":[]}}]},`+
			`"rows":[[1,"al\"ice"],[2,"bob"]],"total_duration_micros":97,"stats":{"rows_inserted":0,"rows_deleted":0,"rows_updated":0}}]`)
	if got := a.header.Get("Spacetime-Execution-Duration-Micros"); got != "97" {
		t.Errorf("duration %q", got)
	}
	r.want(r.do("POST", "/v1/database/shop/sql", "", "INSERT"), 200,
		`[{"schema":{"elements":[]},"rows":[],"total_duration_micros":1,"stats":{"rows_inserted":2,"rows_deleted":0,"rows_updated":0}}]`)
	r.want(r.do("POST", "/v1/database/shop/sql", "", "x"), 400, "no such table: `x`. If the table exists, it may be marked private.")
	r.want(r.do("POST", "/v1/database/shop/sql?confirmed=1", "", "SELECT"), 400, "Failed to deserialize query string: provided string was not `true` or `false`")

	db := r.fake.the(t)
	db.setDurable(5) // what was read, at offset 5, is not durable yet
	r.want(r.do("POST", "/v1/database/shop/sql?confirmed=false", "", "x"), 400, "no such table: `x`. If the table exists, it may be marked private.")
	if a := r.do("POST", "/v1/database/shop/sql?confirmed=false", "", "SELECT"); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	began := time.Now()
	time.AfterFunc(20*time.Millisecond, func() { db.setDurable(6) })
	if a := r.do("POST", "/v1/database/shop/sql", "", "SELECT"); a.status != 200 || time.Since(began) < 15*time.Millisecond {
		t.Errorf("confirmed is the default: %d after %v", a.status, time.Since(began))
	}
}

func TestSchema(t *testing.T) {
	spec.Covers(t, "06.40")
	r := newRig(t)
	_, alice := r.identity()
	r.published("shop", alice, "p")
	for query, want := range map[string]answer{
		"?version=9":            {status: 200, body: `{"typespace":{"types":[]}}`},
		"?version=10":           {status: 200, body: `{"sections":[]}`},
		"":                      {status: 400, body: "Failed to deserialize query string: missing field `version`"},
		"?version=11":           {status: 400, body: "Failed to deserialize query string: unknown variant `11`, expected `9` or `10`"},
		"?version=9.0":          {status: 400, body: "Failed to deserialize query string: unknown variant `9.0`, expected `9` or `10`"},
		"?version=9&version=10": {status: 400, body: "Failed to deserialize query string: duplicate field `version`"},
	} {
		r.want(r.do("GET", "/v1/database/shop/schema"+query, "", ""), want.status, want.body)
	}
	r.want(r.do("GET", "/v1/database/nope/schema", "", ""), 404, "`nope` not found")
}

func TestLogs(t *testing.T) {
	r := newRig(t)
	_, alice := r.identity()
	bob, bobToken := r.identity()
	shop := r.published("shop", alice, "p")
	db := r.fake.the(t)
	db.logText = "one\ntwo\nthree\n"
	path := "/v1/database/shop/logs"
	r.want(r.do("GET", path, bobToken, ""), 403, bob+" is not authorized to perform action on database "+shop+": view module logs")
	for query, want := range map[string]string{"": "one\ntwo\nthree\n", "?num_lines=2": "two\nthree\n", "?num_lines=0": "", "?num_lines=9&follow=false": "one\ntwo\nthree\n"} {
		a := r.want(r.do("GET", path+query, alice, ""), 200, want)
		if a.header.Get("Cache-Control") != "no-cache" {
			t.Error(a.header)
		}
	}
	r.want(r.do("GET", path+"?num_lines=-1", alice, ""), 400, "Failed to deserialize query string: invalid digit found in string")
	r.want(r.do("GET", path+"?num_lines=4294967296", alice, ""), 400, "Failed to deserialize query string: number too large to fit in target type")
	r.want(r.do("GET", path+"?follow=1", alice, ""), 400, "Failed to deserialize query string: provided string was not `true` or `false`")

	// A database that does not start answers with what is stored.
	r.fake.noStart, r.fake.stored = errors.New("replay: broken"), []byte("stored\n")
	r.want(r.do("GET", path, alice, ""), 200, "stored\n")
	r.fake.stored = nil
	r.want(r.do("GET", path, alice, ""), 500, "error starting database: replay: broken")
	r.want(r.do("POST", "/v1/database/shop/sql", alice, "SELECT"), 500, "error starting database: replay: broken")
}

func TestFollowLogs(t *testing.T) {
	r := newRig(t)
	_, alice := r.identity()
	r.published("shop", alice, "p")
	db := r.fake.the(t)
	db.logText = "past\n"
	req, err := http.NewRequest("GET", r.url+"/v1/database/shop/logs?num_lines=10&follow=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+alice)
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewReader(res.Body)
	if line, err := lines.ReadString('\n'); err != nil || line != "past\n" {
		t.Fatalf("%q, %v", line, err)
	}
	// Each line arrives before the next is written.
	for i := range 3 {
		want := fmt.Sprintf("line %d\n", i)
		if _, err := db.follower.Write([]byte(want)); err != nil {
			t.Fatal(err)
		}
		if line, err := lines.ReadString('\n'); err != nil || line != want {
			t.Fatalf("%q, %v", line, err)
		}
	}
	// Shutdown ends the stream.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if line, err := lines.ReadString('\n'); err == nil {
		t.Errorf("after shutdown: %q", line)
	}
}

func TestMetrics(t *testing.T) {
	r := newRig(t)
	_, alice := r.identity()
	shop := r.published("shop", alice, "p")
	r.do("GET", "/v1/database/shop/names", "", "")
	a := r.do("GET", "/v1/metrics", "", "", "Accept-Encoding: gzip", "Accept: application/openmetrics-text")
	if a.status != 200 || a.header.Get("Vary") != varyHeader || a.header.Get("Content-Encoding") != "" {
		t.Errorf("%d %v", a.status, a.header)
	}
	for _, want := range []string{`spacetime_http_response_size_bytes_total{db="` + shop + `"} `, "go_goroutines "} {
		if !strings.Contains(a.body, want) {
			t.Errorf("no %s", want)
		}
	}
	r.fake.noStart = errors.New("broken")
	r.do("POST", "/v1/database/shop/sql", "", "SELECT")
	series := `spacetime_module_host_init_failures_total{database_identity="` + shop + `"} 1`
	if a := r.do("GET", "/v1/metrics", "", ""); !strings.Contains(a.body, series) {
		t.Errorf("no %s", series)
	}
	r.do("DELETE", "/v1/database/shop", alice, "")
	if a := r.do("GET", "/v1/metrics", "", ""); strings.Contains(a.body, series) {
		t.Error("series outlived their database")
	}
}

func TestInternalRoutes(t *testing.T) {
	r := newRig(t)
	a := r.do("GET", "/internal/heap", "", "")
	if a.status != 200 || a.header.Get("Content-Type") != "application/octet-stream" || !bytes.HasPrefix([]byte(a.body), []byte{0x1f, 0x8b}) {
		t.Errorf("%d %s", a.status, a.header)
	}
	if a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("cors on an internal route")
	}
	r.want(r.do("GET", "/internal/heap/settings", "", ""), 200, `{"enabled":true}`)
	if a := r.do("GET", "/internal/task-dump?runtime=x", "", ""); a.status != 501 {
		t.Errorf("%d", a.status)
	}
}

func TestConcurrentFirstPublishes(t *testing.T) {
	r := newRig(t)
	_, alice := r.identity()
	ops := make(chan string, 8)
	for i := range 8 {
		go func() {
			a := r.do("PUT", "/v1/database/shop", alice, fmt.Sprintf("p%d", i))
			ops <- a.body[strings.LastIndex(a.body, `"op":`):]
		}()
	}
	created := 0
	for range 8 {
		if op := <-ops; op == `"op":"created"}}` {
			created++
		} else if op != `"op":"updated"}}` {
			t.Error(op)
		}
	}
	if created != 1 {
		t.Errorf("created %d times", created)
	}
}

// Names are many at most, and a long list of them holds nobody up.
func TestManyNames(t *testing.T) {
	r := newRig(t)
	_, alice := r.identity()
	_, bob := r.identity()
	r.published("main", alice, "program")
	list := func(n int) string {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("n%d", i)
		}
		b, err := json.Marshal(names)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	const asJSON = "content-type: application/json"
	r.want(r.do("PUT", "/v1/database/main/names", alice, list(50_000), asJSON), 400, `{"OtherError":"a database has at most 1000 names"}`)
	r.want(r.do("PUT", "/v1/database/main/names", alice, list(999), asJSON), 200, `"Success"`)
	if a := r.do("POST", "/v1/database/n0/names", bob, "bobs"); a.status != 200 {
		t.Errorf("the last one: %d %s", a.status, a.body)
	}
	r.want(r.do("POST", "/v1/database/n0/names", bob, "more"), 400, "a database has at most 1000 names")
	// A name that was refused is not registered to whoever asked for it.
	if a := r.do("PUT", "/v1/database/more", alice, "program"); a.status != 200 {
		t.Errorf("publish under the refused name: %d %s", a.status, a.body)
	}
}
