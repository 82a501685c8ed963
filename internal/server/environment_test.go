package server

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/auth"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// Values come in headers, whose forms mean the same; malformed ones are refused.
func TestEnvironmentHeaders(t *testing.T) {
	spec.Covers(t, "06.60")
	parse := func(lines ...string) (string, error) {
		u, err := environmentHeaders(http.Header{environmentHeader: lines})
		var all []string
		for _, k := range []string{"A", "B", "API_KEY", "GREETING", "PEM", "_x1"} {
			if v, ok := u.Values[k]; ok {
				all = append(all, k+"="+v)
			}
		}
		return strings.Join(all, ";"), err
	}
	for _, tt := range []struct {
		lines []string
		want  string
	}{
		{[]string{`A=1`, `B="x\ny"`}, "A=1;B=x\ny"},
		{[]string{`A=1, B="x\ny"`}, "A=1;B=x\ny"},
		{[]string{"\t ,, A=1 ,\tB='' ,"}, "A=1;B="},
		{[]string{`API_KEY=abc123, GREETING='hello, world', PEM="line1\nline2"`}, "API_KEY=abc123;GREETING=hello, world;PEM=line1\nline2"},
		{[]string{`A=`, `_x1=a=b!#~`}, "A=;_x1=a=b!#~"},
		{[]string{`A='"\'`, `B="\"\\\u00fc\ud83d\ude00\u0000,'"`}, "A=\"\\;B=\"\\ü😀\x00,'"},
		{nil, ""}, {[]string{""}, ""},
	} {
		if got, err := parse(tt.lines...); err != nil || got != tt.want {
			t.Errorf("%q = %q, %v; want %q", tt.lines, got, err, tt.want)
		}
	}
	for _, bad := range []string{
		"NO_EQUALS", "1BAD=x", "A =x", "A=1, A=2", "A=has space", "A='x'y", "A='x", `A="x`, `A="x\"`, "A=\"a\tb\"", `A="\x"`, `A=a"b`, `A=a'b`, `A=a\b`,
		`A="\ud800"`, `A="\udc00\ud800"`, `A="\ud800\u0041"`, "A=ü", "A='ü'", "=x", "A=1 B=2", `A="x" y`, "A=" + strings.Repeat("x", 8193), strings.Repeat("k", 257) + "=",
		"A='\x01'",
	} {
		if got, err := parse(bad); err == nil || !strings.Contains(err.Error(), "400: invalid HTTP header (spacetime-environment)") {
			t.Errorf("%q = %q, %v", bad, got, err)
		}
	}
	if _, err := parse("A=1", "A=1"); err == nil {
		t.Error("a key on two lines")
	}
	for text, want := range map[string]string{"FOO, BAR": "FOO|BAR", "": "", " , FOO,": "FOO"} {
		if keys, all, err := removals(http.Header{removeHeader: {text}}); err != nil || all || strings.Join(keys, "|") != want {
			t.Errorf("removal %q = %v, %t, %v", text, keys, all, err)
		}
	}
	if _, all, err := removals(http.Header{removeHeader: {" * "}}); err != nil || !all {
		t.Errorf("removal of all: %t, %v", all, err)
	}
	for _, bad := range []string{"FOO, *", "*, *", "*, FOO", "a-b"} {
		if _, _, err := removals(http.Header{removeHeader: {bad}}); err == nil || !strings.Contains(err.Error(), "invalid HTTP header (spacetime-environment-remove)") {
			t.Errorf("removal %q: %v", bad, err)
		}
	}
}

// Whatever the header, a value that is taken is one that may be stored.
func FuzzEnvironmentHeader(f *testing.F) {
	f.Add(`API_KEY=abc123, GREETING='hello, world', PEM="line1\nline2"`)
	f.Add(`A="\ud83d\ude00`)
	f.Fuzz(func(t *testing.T, line string) {
		u, err := environmentHeaders(http.Header{environmentHeader: {line}, removeHeader: {line}})
		if err == nil && len(u.Remove) == 0 && len(u.Values) <= 256 && u.Check() != nil {
			t.Errorf("%q: %v", line, u.Check())
		}
	})
}

const missingNeeded = `{"MissingRequiredEnvironment":{"keys":["NEEDED"]}}`

// A program that needs a value is not published without it.
func TestPublishEnvironment(t *testing.T) {
	spec.Covers(t, "06.61")
	r := newRig(t)
	_, alice := r.identity()
	publish := func(query, program string, headers ...string) answer {
		return r.do("PUT", "/v1/database/main"+query, alice, program, headers...)
	}
	a := r.want(publish("", "needy"), 400, `{"EnvironmentError":`+missingNeeded+`}`)
	if got := a.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %s", got)
	}
	r.want(publish("", "needy", "spacetime-environment: NEEDED=1, MODE=secret"), 400, `environment key "MODE": value does not satisfy its declared string constraint`)
	r.want(publish("", "needy", "spacetime-environment: NEEDED"), 400, "invalid HTTP header (spacetime-environment)")
	r.want(r.do("GET", "/v1/database/main", "", ""), 404, "`main` not found")
	if a := publish("", "needy", "spacetime-environment: NEEDED=1", `spacetime-environment: OTHER="a b"`); a.status != 200 {
		t.Fatalf("with the value: %d %s", a.status, a.body)
	}
	db := r.fake.the(t)
	if db.env.values["NEEDED"] != "1" || db.env.values["OTHER"] != "a b" {
		t.Errorf("values %v", db.env.values)
	}
	id := db.info.Identity.String()
	r.want(publish("", "needy"), 200, r.success("main", id, "updated"))
	r.want(publish("", "needy2", "spacetime-environment-remove: *"), 400, `{"EnvironmentError":`+missingNeeded+`}`)
	r.want(publish("", "needy2", "spacetime-environment-remove: NEEDED", "spacetime-environment: NEEDED=2"), 400, `environment key "NEEDED": conflicting environment update operations`)
	if db.program != "needy" || db.env.values["NEEDED"] != "1" {
		t.Errorf("refused publishes changed %s, %v", db.program, db.env.values)
	}
	r.want(publish("", "needy2", "spacetime-environment-remove: OTHER"), 200, r.success("main", id, "updated"))
	if len(db.env.values) != 1 {
		t.Errorf("values %v", db.env.values)
	}
	r.want(publish("?clear=true", "needy3"), 400, `{"EnvironmentError":`+missingNeeded+`}`)
	r.want(publish("?clear=true", "needy3", "spacetime-environment: NEEDED=3"), 200, r.success("main", id, "updated"))
}

// The owner reads which variables there are, never a value, and changes them.
func TestEnvironmentRoutes(t *testing.T) {
	spec.Covers(t, "06.62")
	r := newRig(t)
	_, alice := r.identity()
	bobID, bob := r.identity()
	id := r.published("main", alice, "program")
	const path = "/v1/database/main/environment"
	hash := func(program string) string { return sats.Hash(auth.HashProgram([]byte(program))).JSON() }
	refusal := bobID + " is not authorized to perform action on database " + id + ": update database"
	r.want(r.do("GET", path, bob, ""), 403, refusal)
	r.want(r.do("GET", path, alice, ""), 200, `{"module_hash":"`+hash("program")+`","declarations":[{"name":"LIT","ty":{"StringLiteral":"q"},"optional":true},`+
		`{"name":"MODE","ty":{"Union":["x","y"]},"optional":true},{"name":"NEEDED","ty":"String","optional":false}],"stored_keys":[]}`)
	current := path + "?expected_module_hash=" + hash("program")
	change := func(method, path, token, body string, headers ...string) answer {
		return r.do(method, path, token, body, append(headers, "content-type: application/json")...)
	}
	const done = `{"Ok":null}`
	r.want(change("PUT", current, bob, `{}`), 403, refusal)
	a := r.want(change("PUT", current, alice, `{"NEEDED":"v","MODE":"x","\u0041":"s3cret"}`), 200, done)
	if got := a.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %s", got)
	}
	if a := r.do("GET", path, alice, ""); strings.Contains(a.body, "s3cret") || !strings.HasSuffix(a.body, `"stored_keys":["A","MODE","NEEDED"]}`) {
		t.Errorf("GET %s", a.body)
	}
	r.want(change("PATCH", current, alice, `{"MODE":"y"}`, "spacetime-environment-remove: A"), 200, done)
	db := r.fake.the(t)
	db.env.needed = true
	if db.env.values["MODE"] != "y" || len(db.env.values) != 2 {
		t.Errorf("values %v", db.env.values)
	}
	r.want(change("PATCH", current, alice, `{}`), 200, done)
	r.want(change("PUT", current, alice, `{}`), 400, `{"Err":`+missingNeeded+`}`)
	r.want(change("PATCH", current, alice, `{}`, "spacetime-environment-remove: *"), 400, "invalid HTTP header (spacetime-environment-remove)")
	r.want(change("PATCH", current, alice, `{"MODE":"secret"}`), 400, `environment key "MODE": value does not satisfy its declared string constraint`)
	r.want(change("PUT", path+"?expected_module_hash="+hash("other"), alice, `{"NEEDED":""}`), 409, `{"Err":"VersionConflict"}`)
	r.want(change("PUT", path, alice, `{}`), 400, "Failed to deserialize query string: missing field `expected_module_hash`")
	r.want(r.do("PUT", current, alice, `{}`), 415, "Expected request with `Content-Type: application/json`")
	for body, want := range map[string]string{
		`[]`: "expected an object of strings", `{"A":1}`: "the value of `A` is not a string", `{"A":"1","A":"2"}`: "duplicate field `A`", `{"A":{"B":"x"}}`: "the value of `A` is not a string",
	} {
		r.want(change("PUT", current, alice, body), 422, "Failed to deserialize the JSON body into the target type: "+want)
	}
	if a := change("PUT", current, alice, `{"A"`); a.status != 400 || !strings.HasPrefix(a.body, "Failed to parse the request body as JSON: ") {
		t.Errorf("broken JSON: %d %s", a.status, a.body)
	}
	if a := r.do("POST", path, alice, ""); a.status != 405 || a.header.Get("Allow") != "GET,HEAD,PUT,PATCH" {
		t.Errorf("POST: %d, %v", a.status, a.header)
	}
}
