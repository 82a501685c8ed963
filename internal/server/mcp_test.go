package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
)

const jsonHeader = "Content-Type: application/json"

// rpc sends a request and returns the answer behind jsonrpc and id.
func (r *rig) rpc(path, token, id, rest string) string {
	r.t.Helper()
	a := r.do("POST", path, token, `{"jsonrpc":"2.0","id":`+id+rest+`}`, jsonHeader)
	head := `{"jsonrpc":"2.0","id":` + id + `,`
	if a.status != 200 || a.header.Get("Content-Type") != "application/json" || !strings.HasPrefix(a.body, head) {
		r.t.Fatalf("%s: %d %q %s", rest, a.status, a.header, a.body)
	}
	return strings.TrimSuffix(strings.TrimPrefix(a.body, head), "}")
}

func toolResult(text string, failed bool) string {
	return fmt.Sprintf(`"result":{"content":[{"type":"text","text":%s}],"isError":%t}`, marshal(text), failed)
}

func TestMCP(t *testing.T) {
	spec.Covers(t, "06.46")
	r := newRig(t)
	_, alice := r.identity()
	_, bob := r.identity()
	id := r.published("main", alice, "program")

	for _, path := range []string{"/v1/mcp", "/v1/database/main/mcp", "/v1/database/nope/mcp"} {
		var hello struct {
			Result struct {
				ProtocolVersion string
				Capabilities    map[string]any
				ServerInfo      struct{ Name, Version string }
			}
		}
		if err := json.Unmarshal([]byte("{"+r.rpc(path, alice, "1", `,"method":"initialize","params":{"protocolVersion":"2024-11-05"}`)+"}"), &hello); err != nil {
			t.Fatal(err)
		}
		if h := hello.Result; h.ProtocolVersion != "2025-06-18" || h.Capabilities["tools"] == nil || h.ServerInfo.Name != "spacetimedb" || h.ServerInfo.Version != "2.8.3" {
			t.Errorf("%s: initialize: %+v", path, h)
		}
		for _, body := range []string{`{"jsonrpc":"2.0","method":"notifications/initialized"}`, `{}`, `[]`, `"x"`, ` null`} {
			r.want(r.do("POST", path, alice, body, jsonHeader), 202, "")
		}
		r.want(r.do("POST", path, "x", "{}", jsonHeader), 401, "Invalid token: InvalidToken")
		r.want(r.do("POST", path, alice, strings.Repeat(" ", 3<<20), jsonHeader), 413, "Failed to buffer the request body: length limit exceeded")
		for _, tt := range []struct{ request, want string }{
			{``, `"error":{"code":-32600,"message":"invalid request: missing method"}`},
			{`,"method":5`, `"error":{"code":-32600,"message":"invalid request: missing method"}`},
			{`,"method":"nope"`, `"error":{"code":-32601,"message":"method not found: nope"}`},
			{`,"method":"ping"`, `"result":{}`},
			{`,"method":"tools/call"`, `"error":{"code":-32602,"message":"missing params"}`},
			{`,"method":"tools/call","params":[]`, `"error":{"code":-32602,"message":"missing tool name"}`},
			{`,"method":"tools/call","params":{"name":"nope"}`, `"error":{"code":-32602,"message":"unknown tool: nope"}`},
			{`,"method":"tools/call","params":{"name":"ping"}`, toolResult("pong", false)},
			{`,"method":"tools/call","params":{"name":"ping","arguments":{"message":"a \"b\""}}`, toolResult(`pong: a "b"`, false)},
		} {
			for _, id := range []string{`1`, `"x"`, `null`} {
				if got := r.rpc(path, alice, id, tt.request); got != tt.want {
					t.Errorf("%s: %s: %s, want %s", path, tt.request, got, tt.want)
				}
			}
		}
	}

	if got := r.rpc("/v1/mcp", alice, "1", `,"method":"tools/call","params":{"name":"list_databases"}`); got != toolResult(`{"databases":[{"identity":"`+id+`","names":["main"]}]}`, false) {
		t.Errorf("list_databases: %s", got)
	}
	if got := r.rpc("/v1/mcp", bob, "1", `,"method":"tools/call","params":{"name":"list_databases"}`); got != toolResult(`{"databases":[]}`, false) {
		t.Errorf("list_databases of bob: %s", got)
	}
	if got := r.rpc("/v1/database/main/mcp", alice, "1", `,"method":"tools/call","params":{"name":"list_databases"}`); !strings.Contains(got, "unknown tool: list_databases") {
		t.Errorf("list_databases on a database: %s", got)
	}

	answer := `[{"schema":{"elements":[{"name":{"some":"id"},"algebraic_type":{"U32":[]}},{"name":{"some":"name"},"algebraic_type":{"String":[]}}]},` +
		`"rows":[[1,"al\"ice"],[2,"bob"]],"total_duration_micros":97,"stats":{"rows_inserted":0,"rows_deleted":0,"rows_updated":0}}]`
	refusal := func(text string) string { return `"error":` + string(marshal(rpcError{rpcInvalidParams, text})) }
	for _, tt := range []struct{ tool, args, want string }{
		{"get_schema", ``, toolResult(`{"typespace":{"types":[]}}`, false)},
		{"sql", `"sql":"SELECT"`, toolResult(answer, false)},
		{"sql", `"sql":"SELECT","confirmed":false`, toolResult(answer, false)},
		{"sql", `"sql":"nonsense"`, toolResult("no such table: `x`. If the table exists, it may be marked private.", true)},
		{"sql", ``, refusal("sql argument must be a string")},
		{"sql", `"sql":1`, refusal("sql argument must be a string")},
		{"call", `"reducer":"good","args":["Alice"]`, toolResult("reducer 'good' committed", false)},
		{"call", `"reducer":"fails"`, toolResult("reducer 'fails' failed: no more salt", true)},
		{"call", `"reducer":"fails","args":null`, toolResult("reducer 'fails' failed: no more salt", true)},
		{"call", `"reducer":"expensive"`, toolResult("reducer 'expensive' exceeded the energy budget", true)},
		{"call", `"reducer":"good","args":[]`, toolResult("invalid arguments for reducer good: []", true)},
		{"call", `"reducer":"nothing"`, toolResult("no such reducer", true)},
		{"call", `"reducer":"pair"`, toolResult("no such reducer", true)}, // a procedure
		{"call", `"reducer":"opened"`, toolResult("can't directly call special OnConnect lifecycle reducer", true)},
		{"call", `"args":[]`, refusal("reducer argument must be a string")},
		{"call", `"reducer":"good","args":{}`, refusal("args must be a JSON array")},
	} {
		for path, extra := range map[string]string{"/v1/database/main/mcp": "", "/v1/mcp": `"database":"main",`} {
			params := strings.TrimSuffix(extra+tt.args, ",")
			r.fake.the(t).setDurable(100)
			got := r.rpc(path, alice, "1", `,"method":"tools/call","params":{"name":"`+tt.tool+`","arguments":{`+params+`}}`)
			if got != tt.want {
				t.Errorf("%s: %s %s: %s\nwant %s", path, tt.tool, params, got, tt.want)
			}
		}
	}
	for args, want := range map[string]string{
		`"sql":"SELECT"`:                     refusal("database argument must be a string"),
		`"sql":"SELECT","database":"A"`:      refusal("invalid database 'A': invalid characters in database name"),
		`"sql":"SELECT","database":"nope"`:   toolResult("`nope` not found", true),
		`"sql":"SELECT","database":"` + "ab": "", // below
	} {
		if want == "" {
			args, want = `"sql":"SELECT","database":"`+strings.Repeat("ab", 32)+`"`, toolResult("No such database.", true)
		}
		if got := r.rpc("/v1/mcp", alice, "1", `,"method":"tools/call","params":{"name":"sql","arguments":{`+args+`}}`); got != want {
			t.Errorf("%s: %s, want %s", args, got, want)
		}
	}
}

// A hook that refuses the caller refuses the tools that need the database.
func TestMCPConnectHook(t *testing.T) {
	r := newRig(t)
	_, alice := r.identity()
	r.published("main", alice, "program")
	db := r.fake.the(t)
	db.mu.Lock()
	db.reject = &RejectedError{Message: "not you"}
	db.mu.Unlock()
	for _, tool := range []string{`"sql","arguments":{"sql":"SELECT"}`, `"call","arguments":{"reducer":"good","args":["Alice"]}`} {
		if got := r.rpc("/v1/database/main/mcp", alice, "1", `,"method":"tools/call","params":{"name":`+tool+`}`); got != toolResult("not you", true) {
			t.Errorf("%s: %s", tool, got)
		}
	}
}

func TestMCPResultsAreBounded(t *testing.T) {
	r := newRig(t)
	_, alice := r.identity()
	r.published("main", alice, "program")
	r.fake.the(t).setDurable(100)
	ask := func(sql string) string {
		return r.rpc("/v1/database/main/mcp", alice, "1", `,"method":"tools/call","params":{"name":"sql","arguments":{"sql":"`+sql+`"}}`)
	}
	if got := ask("BROKEN"); !strings.Contains(got, "broken off") || !strings.HasSuffix(got, `"isError":true}`) {
		t.Errorf("broken: %.300s", got)
	}
	if got := ask("MANY"); !strings.Contains(got, "[199999]") || !strings.HasSuffix(got, `"isError":false}`) {
		t.Errorf("many: %.300s", got)
	}
	if got := ask("HUGE"); !strings.Contains(got, "larger than 16 MiB") || !strings.HasSuffix(got, `"isError":true}`) {
		t.Errorf("huge: %.300s", got)
	}
}
