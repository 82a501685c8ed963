package server

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
)

// The Model Context Protocol, for programs that use a database on somebody's
// behalf (spec 06 §4.18): JSON-RPC 2.0, one object a request and answer.

// mcpVersion is the version of the protocol that is spoken.
const mcpVersion = "2025-06-18"

// Error codes of JSON-RPC 2.0.
const (
	rpcInvalidRequest = -32600
	rpcNoMethod       = -32601
	rpcInvalidParams  = -32602
)

// An rpcError is an answer of JSON-RPC that is not a result.
type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// An rpcCall is a request of JSON-RPC. Members of other types than these count as
// absent.
type rpcCall struct {
	id     json.RawMessage // nil: a notification
	method string          // empty: none
	params json.RawMessage
}

// mcpServer speaks MCP about all databases of the server.
func (s *Server) mcpServer(q *request) error { return s.mcp(q, mcpScope{}) }

// mcpDatabase speaks MCP about the database in the path, which is looked up when a
// tool needs it.
func (s *Server) mcpDatabase(q *request) error {
	if _, err := q.target(); err != nil {
		return err
	}
	return s.mcp(q, mcpScope{database: q.params["n"]})
}

func (s *Server) mcp(q *request, scope mcpScope) error {
	call, err := q.rpcBody()
	if err != nil {
		return err
	}
	if call.id == nil {
		q.w.WriteHeader(http.StatusAccepted)
		return nil
	}
	result, refused := s.mcpMethod(q, scope, call)
	answer := append([]byte(`{"jsonrpc":"2.0","id":`), call.id...)
	if refused != nil {
		answer = append(append(answer, `,"error":`...), marshal(refused)...)
	} else {
		answer = append(append(answer, `,"result":`...), result...)
	}
	q.json(http.StatusOK, append(answer, '}'))
	return nil
}

// rpcBody reads the request. What is JSON but no object is a notification that
// says nothing.
func (q *request) rpcBody() (call rpcCall, err error) {
	if !isJSON(q.r.Header.Get("Content-Type")) {
		return call, errNotJSON
	}
	body, err := q.body(defaultBodyLimit)
	if err != nil {
		return call, err
	}
	if err := validJSON(body); err != nil {
		return call, badRequest("Failed to parse the request body as JSON: %v", err)
	}
	members := jsonObject(body)
	call.id, call.params = members["id"], members["params"]
	call.method, _ = jsonString(members["method"])
	return call, nil
}

func (s *Server) mcpMethod(q *request, scope mcpScope, call rpcCall) ([]byte, *rpcError) {
	switch call.method {
	case "":
		return nil, &rpcError{rpcInvalidRequest, "invalid request: missing method"}
	case "initialize":
		return []byte(`{"protocolVersion":"` + mcpVersion + `","capabilities":{"tools":{}},"serverInfo":{"name":"spacetimedb","version":` +
			strconv.Quote(s.version) + `},"instructions":` + string(marshal(scope.instructions())) + `}`), nil
	case "ping":
		return []byte("{}"), nil
	case "tools/list":
		return marshal(struct {
			Tools []mcpTool `json:"tools"`
		}{scope.tools()}), nil
	case "tools/call":
		return s.mcpToolCall(q, scope, call.params)
	}
	return nil, &rpcError{rpcNoMethod, "method not found: " + call.method}
}

// mcpToolCall runs a tool. That it fails is a result, too, for the caller to learn
// from.
func (s *Server) mcpToolCall(q *request, scope mcpScope, params json.RawMessage) ([]byte, *rpcError) {
	if params == nil {
		return nil, &rpcError{rpcInvalidParams, "missing params"}
	}
	members := jsonObject(params)
	name, ok := jsonString(members["name"])
	if !ok {
		return nil, &rpcError{rpcInvalidParams, "missing tool name"}
	}
	run := scope.find(name)
	if run == nil {
		return nil, &rpcError{rpcInvalidParams, "unknown tool: " + name}
	}
	text, failed, refused := run(&toolCall{q: q, scope: scope, args: jsonObject(members["arguments"])})
	if refused != nil {
		return nil, refused
	}
	type content struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	return marshal(struct {
		Content []content `json:"content"`
		IsError bool      `json:"isError"`
	}{[]content{{"text", text}}, failed}), nil
}

// jsonObject returns the members of an object, none of anything else. The text is
// valid JSON.
func jsonObject(text json.RawMessage) (members map[string]json.RawMessage) {
	if text = bytes.TrimLeft(text, " \t\r\n"); len(text) > 0 && text[0] == '{' {
		_ = json.Unmarshal(text, &members) // it is an object
	}
	return members
}

// jsonString returns a string; false for anything else.
func jsonString(text json.RawMessage) (s string, ok bool) {
	if len(text) == 0 || text[0] != '"' {
		return "", false
	}
	return s, json.Unmarshal(text, &s) == nil
}
