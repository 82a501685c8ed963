package server

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/sats"
)

// Who may do what (spec 06 §3.9), as statuses for the owner, somebody else, nobody
// and somebody with a bad token.
func TestPermissions(t *testing.T) {
	for _, tt := range []struct {
		what, method, path, body string
		owner, other, nobody     int
		action                   string // in the text of a refusal
	}{
		{"update", "PUT", "/v1/database/db", "PROGRAM", 200, 403, 403, "update database"},
		{"pre-publish", "POST", "/v1/database/db/pre_publish", "PROGRAM", 200, 403, 403, "update database"},
		{"pre-publish, old path", "POST", "/v1/database/db/pre-publish", "PROGRAM", 200, 403, 403, "update database"},
		{"clear", "PUT", "/v1/database/db?clear=true", "PROGRAM", 200, 403, 403, "reset database"},
		{"reset", "PUT", "/v1/database/db/reset", "PROGRAM", 200, 403, 403, "reset database"},
		{"delete", "DELETE", "/v1/database/db", "", 200, 403, 403, "delete database"},
		{"lock", "POST", "/v1/database/db/lock", "", 200, 403, 403, "delete database"},
		{"unlock", "POST", "/v1/database/db/unlock", "", 200, 403, 403, "delete database"},
		{"logs", "GET", "/v1/database/db/logs", "", 200, 403, 403, "view module logs"},
		{"read the environment", "GET", "/v1/database/db/environment", "", 200, 403, 403, ""},
		{"replace the environment", "PUT", "/v1/database/db/environment?expected_module_hash=HASH", `{}`, 200, 403, 403, ""},
		{"change the environment", "PATCH", "/v1/database/db/environment?expected_module_hash=HASH", `{}`, 200, 403, 403, ""},
		{"replace names", "PUT", "/v1/database/db/names", `["db2"]`, 200, 401, 401, ""},
		{"add a name", "POST", "/v1/database/db/names", "NEW", 200, 200, 200, ""},
		{"create", "PUT", "/v1/database/NEW", "PROGRAM", 200, 200, 200, ""},
		{"info", "GET", "/v1/database/db", "", 200, 200, 200, ""},
		{"identity", "GET", "/v1/database/db/identity", "", 200, 200, 200, ""},
		{"names", "GET", "/v1/database/db/names", "", 200, 200, 200, ""},
		{"schema", "GET", "/v1/database/db/schema?version=10", "", 200, 200, 200, ""},
		{"timestamp", "GET", "/v1/database/db/unstable/timestamp", "", 200, 200, 200, ""},
		{"call", "POST", "/v1/database/db/call/put", `[1]`, 200, 200, 200, ""},
		{"call what is private", "POST", "/v1/database/db/call/hidden", `[1]`, 200, 404, 404, ""},
		{"call what is the database's", "POST", "/v1/database/db/call/init", `[]`, 400, 400, 400, ""},
		{"query what is public", "POST", "/v1/database/db/sql", "SELECT * FROM open", 200, 200, 200, ""},
		{"query what is private", "POST", "/v1/database/db/sql", "SELECT * FROM secret", 200, 400, 400, ""},
		{"change rows of a public table", "POST", "/v1/database/db/sql", "DELETE FROM open", 200, 400, 400, ""},
		{"change rows of a private table", "POST", "/v1/database/db/sql", "INSERT INTO secret (n) VALUES (1)", 200, 400, 400, ""},
		{"set an option", "POST", "/v1/database/db/sql", "SET row_limit = 5", 200, 400, 400, ""},
		{"show an option", "POST", "/v1/database/db/sql", "SHOW row_limit", 200, 200, 200, ""}, // it reads st_var, which is public (spec 07 §10)
		{"somebody's databases", "GET", "/v1/identity/" + someone + "/databases", "", 200, 200, 200, ""},
		{"energy", "GET", "/v1/energy/" + someone, "", 200, 200, 200, ""},
		{"set energy", "PUT", "/v1/energy/" + someone, "", 401, 401, 401, ""},
		{"health", "GET", "/v1/health", "", 200, 200, 200, ""},
		{"metrics", "GET", "/v1/metrics", "", 200, 200, 200, ""},
		{"a token for a socket", "POST", "/v1/identity/websocket-token", "", 200, 200, 401, ""},
	} {
		t.Run(tt.what, func(t *testing.T) {
			r := newRealRig(t)
			m := newDefinition().table("open", columns(sats.E("n", sats.U32))).table("secret", columns(sats.E("n", sats.U32)), private).
				reducer("put", sats.E("n", sats.U32)).reducer("hidden", sats.E("n", sats.U32)).init()
			m.hide("hidden")
			r.engine.on("put", insertArgs("open"))
			r.engine.on("hidden", func(*abi.ReducerCall, abi.Services) error { return nil })
			r.must(m)
			hash := abi.HashProgram(m.program()).JSON()
			n := 0
			ask := func(token string) answer {
				n++
				fill := strings.NewReplacer("NEW", fmt.Sprintf("name%d", n), "HASH", hash).Replace
				body := fill(tt.body)
				if body == "PROGRAM" {
					body = string(m.program())
				}
				var headers []string
				if strings.HasPrefix(body, "{") || strings.HasPrefix(body, "[") {
					headers = append(headers, jsonHeader)
				}
				return r.do(tt.method, fill(tt.path), token, body, headers...)
			}
			check := func(who, token string, status int) {
				t.Helper()
				a := ask(token)
				if a.status != status {
					t.Errorf("%s: %d %.300s, want %d", who, a.status, a.body, status)
				}
				if tt.action != "" && status == http.StatusForbidden && !strings.HasSuffix(a.body, " is not authorized to perform action on database "+r.id+": "+tt.action) {
					t.Errorf("%s: %s", who, a.body)
				}
			}
			check("somebody else", r.bob, tt.other)
			check("nobody", "", tt.nobody)
			check("the owner", r.alice, tt.owner)
		})
	}
}

// A bad token is refused wherever tokens are read, before anything else happens.
func TestBadTokensAreRefusedEverywhere(t *testing.T) {
	r := newRig(t)
	_, alice := r.identity()
	r.published("db", alice, "program")
	r.fake.notes()
	forged := alice[:strings.LastIndexByte(alice, '.')+1] + strings.Repeat("A", 86)
	for i := range r.routes {
		rt := &r.routes[i]
		for _, m := range rt.methods {
			path := "/" + strings.NewReplacer(":n", "db", ":function", "good", ":identity", someone, "*path", "x").Replace(strings.Join(rt.pattern, "/"))
			name := m.name
			if name == "" {
				name = "GET"
			}
			if strings.Contains(path, "call-from-database") {
				continue // it has tokens of its own kind, and tests of its own
			}
			reads := m.class != classNone || strings.HasPrefix(path, "/v1/energy/") && name != "GET" || strings.HasSuffix(path, "/verify")
			for _, query := range []bool{false, true} {
				var a answer
				if query {
					a = r.do(name, path+"?token="+forged, "", "")
				} else {
					a = r.do(name, path, forged, "")
				}
				switch {
				case reads && (a.status != 401 || a.body != "Invalid token: InvalidSignature"):
					t.Errorf("%s %s: %d %.100s", name, path, a.status, a.body)
				case reads && a.header.Get("Spacetime-Identity") != "":
					t.Errorf("%s %s: an identity for a bad token", name, path)
				case !reads && a.status == 401:
					t.Errorf("%s %s: 401 where no token is read", name, path)
				}
			}
		}
	}
	for note := range strings.SplitSeq(r.fake.notes(), "\n") {
		if note != "" && !strings.Contains(note, "handler") && !strings.Contains(note, "route") {
			t.Errorf("something happened: %s", note)
		}
	}
}

// A token of another server, or of another database's, is nobody's here: identities
// come from issuer and subject, and from the one key that signs them.
func TestTokensOfOtherServers(t *testing.T) {
	here, there := newRig(t), newRig(t)
	_, alice := there.identity()
	here.want(here.do("GET", "/v1/ping", alice, ""), 401, "Invalid token: InvalidSignature")
	// One identity owns what it made, on every database of the server, and nothing else.
	_, bob := here.identity()
	_, carol := here.identity()
	here.published("one", bob, "p")
	here.published("two", carol, "p")
	for name, token := range map[string]string{"two": bob, "one": carol} {
		if a := here.do("GET", "/v1/database/"+name+"/logs", token, ""); a.status != 403 {
			t.Errorf("%s: %d", name, a.status)
		}
	}
}
