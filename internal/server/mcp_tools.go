package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/stdbgo/spacetime/sats"
)

// maxToolResult bounds the text that a tool returns. It goes to a language model,
// which takes less.
const maxToolResult = 16 << 20

// An mcpScope says what tools are about: one database, or with an empty name all
// of the server, each call naming its own.
type mcpScope struct{ database string }

// An mcpTool describes a tool to the one who may call it.
type mcpTool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Input       toolInput       `json:"inputSchema"`
	Annotations toolAnnotations `json:"annotations"`

	run toolFunc
}

// A toolFunc runs a tool. failed marks text as an error that the tool met; refused
// is a call that could not be understood.
type toolFunc func(*toolCall) (text string, failed bool, refused *rpcError)

// toolInput is the JSON schema of a tool's arguments.
type toolInput struct {
	Type       string         `json:"type"`
	Properties toolProperties `json:"properties"`
	Required   []string       `json:"required,omitempty"`
}

type toolProperty struct {
	name        string
	Type        string `json:"type"`
	Description string `json:"description,omitempty"`
}

// toolProperties are written in their order.
type toolProperties []toolProperty

func (all toolProperties) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, p := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `"`+p.name+`":`...)
		b = append(b, marshal(p)...)
	}
	return append(b, '}'), nil
}

type toolAnnotations struct {
	Title       string `json:"title"`
	ReadOnly    bool   `json:"readOnlyHint"`
	Destructive bool   `json:"destructiveHint"`
	OpenWorld   bool   `json:"openWorldHint"`
}

var (
	pingTool = mcpTool{
		Name: "ping", Description: "Answers pong, with the message if one is given. Use it to see whether the server is there.",
		Input: toolInput{Properties: toolProperties{{name: "message", Type: "string"}}}, Annotations: toolAnnotations{Title: "Ping", ReadOnly: true},
		run: (*toolCall).ping,
	}
	listTool = mcpTool{
		Name: "list_databases", Description: "Lists the databases that you own, with identity and names.",
		Annotations: toolAnnotations{Title: "List databases", ReadOnly: true},
		run:         (*toolCall).list,
	}
	schemaTool = mcpTool{
		Name: "get_schema", Description: "Returns the definition of the module as JSON: types, tables with columns and indexes, reducers with parameters. Read it before the first query or call.",
		Annotations: toolAnnotations{Title: "Get schema", ReadOnly: true},
		run:         (*toolCall).schema,
	}
	sqlTool = mcpTool{
		Name: "sql", Description: "Runs one SQL statement and returns columns and rows as JSON. You see public tables, the owner of the database all of them. Only the owner can change rows by SQL.",
		Input: toolInput{
			Properties: toolProperties{
				{name: "sql", Type: "string", Description: "The statement. Limit what may return many rows by LIMIT."},
				{name: "confirmed", Type: "boolean", Description: "Whether to answer only when what was read is on the disk; true if absent."},
			},
			Required: []string{"sql"},
		},
		Annotations: toolAnnotations{Title: "Run SQL", Destructive: true},
		run:         (*toolCall).sql,
	}
	callTool = mcpTool{
		Name: "call", Description: "Calls a reducer of the module, under your identity. Reducers are how data is changed: each call is one transaction.",
		Input: toolInput{
			Properties: toolProperties{
				{name: "reducer", Type: "string", Description: "The name of the reducer."},
				{name: "args", Type: "array", Description: "The arguments in the order of the parameters; none if absent."},
			},
			Required: []string{"reducer"},
		},
		Annotations: toolAnnotations{Title: "Call reducer", Destructive: true},
		run:         (*toolCall).call,
	}
)

// tools are those of a scope, in the order in which they are listed.
func (c mcpScope) tools() []mcpTool {
	all := []mcpTool{pingTool, schemaTool, sqlTool, callTool}
	if c.database == "" {
		for i := range all[1:] {
			in := &all[1+i].Input
			in.Properties = append(in.Properties[:len(in.Properties):len(in.Properties)],
				toolProperty{name: "database", Type: "string", Description: "The name or identity of the database."})
			in.Required = append([]string{"database"}, in.Required...)
		}
		all = append([]mcpTool{listTool}, all...)
	}
	for i := range all {
		all[i].Input.Type = "object"
	}
	return all
}

func (c mcpScope) find(name string) toolFunc {
	for _, t := range c.tools() {
		if t.Name == name {
			return t.run
		}
	}
	return nil
}

func (c mcpScope) instructions() string {
	if c.database == "" {
		return "A server with databases, each of which runs a module. Find yours by list_databases, read a database's definition by get_schema, query it by sql and change it by call."
	}
	return "A database that runs a module. Read its definition by get_schema, query it by sql and change it by call."
}

// A toolCall is one call of a tool.
type toolCall struct {
	q     *request
	scope mcpScope
	args  map[string]json.RawMessage
}

func invalidParams(format string, args ...any) *rpcError {
	return &rpcError{rpcInvalidParams, fmt.Sprintf(format, args...)}
}

// database is the one that the call is about.
func (t *toolCall) database() (string, *rpcError) {
	if t.scope.database != "" {
		return t.scope.database, nil
	}
	name, ok := jsonString(t.args["database"])
	if !ok {
		return "", invalidParams("database argument must be a string")
	}
	if _, err := sats.IdentityFromHexPrefixed(name); err != nil {
		if err := checkName(name); err != nil {
			return "", invalidParams("invalid database '%s': %v", name, err)
		}
	}
	return name, nil
}

func (t *toolCall) ping() (string, bool, *rpcError) {
	if message, ok := jsonString(t.args["message"]); ok {
		return "pong: " + message, false, nil
	}
	return "pong", false, nil
}

func (t *toolCall) list() (string, bool, *rpcError) {
	type entry struct {
		Identity sats.Identity `json:"identity"`
		Names    []string      `json:"names"`
	}
	all := struct {
		Databases []entry `json:"databases"`
	}{[]entry{}}
	s := t.q.s
	owned, err := s.control.Databases()
	if err != nil {
		return fmt.Sprintf("error accessing controldb: %v", err), true, nil
	}
	for _, rec := range owned {
		if rec.Owner != t.q.caller.identity {
			continue
		}
		names, err := s.control.Names(rec.Identity)
		if err != nil {
			return fmt.Sprintf("error accessing controldb: %v", err), true, nil
		}
		if names == nil {
			names = []string{}
		}
		all.Databases = append(all.Databases, entry{rec.Identity, names})
	}
	return string(marshal(all)), false, nil
}

func (t *toolCall) schema() (string, bool, *rpcError) {
	name, refused := t.database()
	if refused != nil {
		return "", false, refused
	}
	return t.q.perform(name, "", parseQuery("version=9"), t.q.s.schema)
}

func (t *toolCall) sql() (string, bool, *rpcError) {
	name, refused := t.database()
	if refused != nil {
		return "", false, refused
	}
	text, ok := jsonString(t.args["sql"])
	if !ok {
		return "", false, invalidParams("sql argument must be a string")
	}
	options := "confirmed=true"
	if string(t.args["confirmed"]) == "false" {
		options = "confirmed=false"
	}
	return t.q.perform(name, text, parseQuery(options), t.q.s.sql)
}

func (t *toolCall) call() (string, bool, *rpcError) {
	name, refused := t.database()
	if refused != nil {
		return "", false, refused
	}
	reducer, ok := jsonString(t.args["reducer"])
	if !ok {
		return "", false, invalidParams("reducer argument must be a string")
	}
	args := t.args["args"]
	if args == nil || string(args) == "null" {
		args = json.RawMessage("[]")
	}
	if args[0] != '[' {
		return "", false, invalidParams("args must be a JSON array")
	}
	return t.q.perform(name, string(args), nil, func(q *request) error { return q.s.callReducer(q, reducer) })
}

// callReducer runs a reducer, never a procedure, and answers in words.
func (s *Server) callReducer(q *request, reducer string) error {
	args, err := q.body(defaultBodyLimit)
	if err != nil {
		return err
	}
	ctx := context.WithoutCancel(q.r.Context())
	db, err := q.open(ctx)
	if err != nil {
		return err
	}
	var res CallResult
	err = q.connected(ctx, db, func(who Caller) error {
		res, err = db.CallReducer(ctx, who, reducer, args)
		return err
	})
	var refused *CallError
	switch {
	case errors.As(err, &refused) && refused.Kind == NoSuchFunction:
		return failure(http.StatusNotFound, "no such reducer")
	case errors.As(err, &refused):
		return refused.answer()
	case err != nil:
		return err
	}
	switch res.Status {
	case Committed:
		q.text(http.StatusOK, "reducer '"+reducer+"' committed")
		return nil
	case OutOfEnergy:
		return failure(http.StatusPaymentRequired, "reducer '%s' exceeded the energy budget", reducer)
	}
	return failure(statusReducerFailed, "reducer '%s' failed: %s", reducer, res.Message)
}

// perform runs the handler of another route for the same caller and returns the
// text that the route would have answered.
func (q *request) perform(database, body string, params query, h handler) (text string, failed bool, _ *rpcError) {
	w := &toolAnswer{header: http.Header{}, status: http.StatusOK}
	r := q.r.Clone(q.r.Context())
	r.Body = io.NopCloser(strings.NewReader(body))
	inner := &request{s: q.s, w: w, r: r, route: q.route, params: map[string]string{"n": database}, query: params, caller: q.caller}
	defer func() {
		what := recover()
		switch {
		case what != nil && what != http.ErrAbortHandler:
			panic(what)
		case w.full:
			text, failed = fmt.Sprintf("the result is larger than %d MiB: ask for less of it, by LIMIT or a condition", maxToolResult>>20), true
		case what != nil:
			text, failed = "the result is broken off: the statement failed while its rows were being read", true
		}
	}()
	err := inner.resolve()
	if err == nil {
		err = h(inner)
	}
	if err != nil {
		inner.fail(err)
	}
	text = strings.TrimSpace(w.body.String())
	failed = w.status < 200 || w.status > 299
	if failed && text == "" {
		text = fmt.Sprintf("request failed with HTTP %d", w.status)
	}
	return text, failed, nil
}

// A toolAnswer collects what a handler answers, up to maxToolResult.
type toolAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
	full   bool
}

func (w *toolAnswer) Header() http.Header    { return w.header }
func (w *toolAnswer) WriteHeader(status int) { w.status = status }

func (w *toolAnswer) Write(b []byte) (int, error) {
	if w.body.Len()+len(b) > maxToolResult {
		w.full = true
		return 0, errors.New("server: the result of a tool is too large")
	}
	return w.body.Write(b)
}
