package cli_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
)

func TestMCPBridge(t *testing.T) {
	spec.Covers(t, "09.70")
	url := realServer(t)
	u := newUser(t)
	u.setConfig(url, "")
	u.ok("publish", "-y", "--bin-path", modulePath(t, "kettle1"), "mcp-kettle")
	input := "\n" + `{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n  \n" +
		`{"jsonrpc":"2.0","id":1,"method":"ping"}` + "\n" +
		`{"jsonrpc":"2.0","id":"two","method":"tools/call","params":{"name":"sql","arguments":{"sql":"SELECT * FROM cup"}}}` + "\n" +
		`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"call","arguments":{"reducer":"pour","args":[{"some":"mint"}]}}}` // no line feed at the end
	r := u.runWith(input, "mcp", "mcp-kettle")
	lines := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
	if r.code != 0 || len(lines) != 3 || lines[0] != `{"jsonrpc":"2.0","id":1,"result":{}}` ||
		!strings.HasPrefix(lines[1], `{"jsonrpc":"2.0","id":"two","result":{"content":[{"type":"text","text":"[{\"schema\"`) ||
		lines[2] != `{"jsonrpc":"2.0","id":3,"result":{"content":[{"type":"text","text":"reducer 'pour' committed"}],"isError":false}}` {
		t.Errorf("%s", r)
	}
	want(t, r.stderr, "WARNING: This command is UNSTABLE")
	want(t, r.stderr, "Serving MCP over stdio, bridging to "+url+"/v1/database/c200")

	// The variable names the database, an argument goes before it; without either it is the server.
	u.env["SPACETIMEDB_DB_NAME"] = "mcp-kettle"
	want(t, u.runWith("", "mcp").stderr, "/v1/database/c200")
	u.env["SPACETIMEDB_DB_NAME"] = "nothing-of-this-name"
	want(t, u.runWith("", "mcp", "mcp-kettle").stderr, "/v1/database/c200")
	want(t, u.fails(1, "mcp"), "failed to find database `nothing-of-this-name`")
	delete(u.env, "SPACETIMEDB_DB_NAME")
	list := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_databases"}}`
	r = u.runWith(list, "mcp")
	want(t, r.stderr, "bridging to "+url+"/v1/mcp\n")
	want(t, r.stdout, `mcp-kettle`)
	if r = u.runWith(list, "mcp", "--anonymous"); !strings.Contains(r.stdout, `{\"databases\":[]}`) {
		t.Errorf("anonymous: %s", r)
	}
	// What is no JSON ends it with the server's words.
	r = u.runWith("nonsense\n"+list, "mcp")
	if r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, "Failed to parse the request body as JSON") {
		t.Errorf("no JSON: %s", r)
	}
}

// It never logs in, and takes the server that all targets of a project share.
func TestMCPServer(t *testing.T) {
	var got []string
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, fmt.Sprint(r.Method, " ", r.URL.Path, " ", r.Header.Get("Authorization"), " ", r.Header.Get("Content-Type"), " ", r.Header.Get("User-Agent")))
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{}"))
	}))
	defer web.Close()
	u := newUser(t)
	u.write("spacetime.json", `{"server": "`+web.URL+`", "database": "one"}`)
	if r := u.runWith("x", "mcp"); r.code != 0 || r.stdout != "{}\n" {
		t.Errorf("%s", r)
	}
	if len(got) != 1 || got[0] != "POST /v1/mcp  application/json spacetimedb-cli/2.8.3" {
		t.Errorf("requests: %q", got)
	}
	u.setConfig("http://127.0.0.1:1", "")
	u.fails(1, "mcp", "--no-config", "x")
	if len(got) != 1 {
		t.Errorf("--no-config asked the project's server: %q", got)
	}
}
