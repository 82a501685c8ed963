package server

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// procedure adds a procedure that everybody may call.
func (m *definition) procedure(name string, ret *sats.Type, params ...sats.Element) *definition {
	m.Procedures = append(m.Procedures, schema.RawProcedureV10{
		SourceName: name, Params: sats.Product(params...), Return: ret, Visibility: schema.VisibilityClient,
	})
	return m
}

// CallProcedure answers with the arguments.
func (i *definedInstance) CallProcedure(_ context.Context, call *abi.ProcedureCall) ([]byte, abi.Outcome) {
	if strings.HasPrefix(call.Name, "trip") {
		return nil, abi.Outcome{Status: abi.StatusTrap, Err: fmt.Errorf("unreachable"), Discard: true}
	}
	return call.Args, abi.Outcome{}
}

// A procedure's value comes as JSON without its type, under each of the paths there
// ever were, with the time it took and without energy.
func TestProceduresOverHTTP(t *testing.T) {
	spec.Covers(t, "01.19", "06.35", "08.68")
	r := newRealRig(t)
	m := newDefinition()
	cols := m.all()
	row := m.named("All", sats.Product(cols...))
	shape := m.named("Shape", sats.Sum(sats.E("Point", sats.Unit), sats.E("Circle", sats.F32)))
	m.procedure("echo_all", row, cols...).procedure("echo_shape", shape, sats.E("shape", shape)).
		procedure("echo_big", sats.U256Type, sats.E("n", sats.U256Type)).procedure("echo_time", sats.TimestampType, sats.E("t", sats.TimestampType)).
		procedure("trip", sats.Unit).procedure("nothing", sats.Unit)
	r.must(m)
	call := func(path, args string) answer {
		t.Helper()
		return r.do("POST", "/v1/database/db/"+path, r.bob, args, "content-type: application/json")
	}
	for _, path := range []string{"call/", "procedure/", "unstable/procedure/"} {
		a := r.want(call(path+"echo_all", allArgs), 200, allUntyped)
		if a.header.Get("Content-Type") != "application/json" || a.header.Get("Spacetime-Execution-Duration-Micros") == "" || a.header.Get("Spacetime-Energy-Used") != "" {
			t.Errorf("%s: headers %v", path, a.header)
		}
	}
	for _, tt := range [][3]string{
		{"echo_shape", `[{"point":[]}]`, `[0,[]]`}, {"echo_shape", `[{"circle":1}]`, `[1,1.0]`}, {"echo_big", `["0xff"]`, `"0xff"`},
		{"echo_time", `[[5]]`, `[5]`}, {"nothing", `[]`, `[]`}, {"nothing", `{}`, `[]`},
	} {
		r.want(call("call/"+tt[0], tt[1]), 200, tt[2])
	}
	r.want(call("call/trip", "[]"), 500, "The module instance encountered a fatal error: unreachable")
	if a := call("call/echo_big", "[]"); a.status != 400 || !strings.HasPrefix(a.body, "invalid arguments for procedure echo_big: ") {
		t.Errorf("no arguments: %d %s", a.status, a.body)
	}
	if logs := r.logs(); strings.Contains(logs, "nonexistent") {
		t.Errorf("a procedure is said not to exist in %s", logs)
	}
	r.want(call("call/nobody", "[]"), 404, "No such procedure")
	if logs := r.logs(); strings.Count(logs, "nonexistent reducer") != 1 {
		t.Errorf("an unknown name: %s", logs)
	}
}

// Arguments by name come under the names in the module's source, under the canonical
// ones, or mixed; one parameter under both names is an error.
func TestArgumentNames(t *testing.T) {
	spec.Covers(t, "06.64", "08.85")
	r := newRealRig(t)
	m := newDefinition()
	cols := columns(sats.E("someArg", sats.U32), sats.E("otherArg", sats.String))
	m.table("item", columns(sats.E("someArg", sats.U32), sats.E("otherArg", sats.String))).reducer("add", cols...)
	m.procedure("echo", m.named("Both", sats.Product(cols...)), cols...)
	r.engine.on("add", insertArgs("item"))
	r.must(m)
	good := []string{
		`{"someArg":1,"otherArg":"x"}`, `{"some_arg":1,"other_arg":"x"}`, `{"someArg":1,"other_arg":"x"}`, ` {"other_arg" : "x", "some_arg" : 1 } `,
	}
	for _, args := range good {
		r.call("add", args)
		r.want(r.do("POST", "/v1/database/db/call/echo", r.bob, args, "content-type: application/json"), 200, `[1,"x"]`)
	}
	if rows := r.rows("SELECT * FROM item"); len(rows) != 1 { // equal rows are one
		t.Errorf("rows %s", rows)
	}
	for _, args := range []string{
		`{"someArg":1,"some_arg":1,"otherArg":"x"}`, `{"some_arg":1,"some_arg":1,"otherArg":"x"}`, `{"some_arg":1}`, `{"some_arg":1,"other_arg":"x","more":1}`, `{"some_arg":1`,
	} {
		for _, fn := range []string{"add", "echo"} {
			if a := r.do("POST", "/v1/database/db/call/"+fn, r.bob, args, "content-type: application/json"); a.status != 400 {
				t.Errorf("%s %s: %d %s", fn, args, a.status, a.body)
			}
		}
	}
}

// Values survive a new program and are gone after the data was deleted.
func TestEnvironmentLife(t *testing.T) {
	spec.Covers(t, "08.76", "06.61")
	r := newRealRig(t)
	m := newDefinition()
	m.table("item", columns(sats.E("id", sats.U32)))
	m.Environment = []schema.RawEnvironmentVar{{Name: "NEEDED"}, {Name: "MODE", Optional: true, Type: schema.RawEnvType{Kind: schema.EnvUnion, Values: []string{"x", "y"}}}}
	publish := func(m *definition, query string, env ...string) answer {
		t.Helper()
		for i := range env {
			env[i] = "spacetime-environment: " + env[i]
		}
		return r.do("PUT", "/v1/database/db?"+query, r.alice, string(m.program()), env...)
	}
	const missing = `{"EnvironmentError":{"MissingRequiredEnvironment":{"keys":["NEEDED"]}}}`
	r.want(publish(m, ""), 400, missing)
	r.want(r.do("GET", "/v1/database/db", "", ""), 404, "`db` not found")
	if a := publish(m, "", "NEEDED=1", "MODE=x"); a.status != 200 {
		t.Fatalf("publish: %d %s", a.status, a.body)
	}
	stored := func() string { return strings.Join(r.rows("SELECT key, value FROM st_env"), " ") }
	const both = `["MODE","x"] ["NEEDED","1"]`
	if got := stored(); got != both {
		t.Errorf("st_env %s", got)
	}
	more := newDefinition()
	more.Environment = m.Environment
	more.table("item", columns(sats.E("id", sats.U32))).table("more", columns(sats.E("id", sats.U32)))
	if a := publish(more, ""); a.status != 200 || stored() != both {
		t.Errorf("after an update: %d %s, %s", a.status, a.body, stored())
	}
	if _, _, problem := r.sql(r.bob, "SELECT * FROM st_env"); problem == "" {
		t.Error("somebody else reads st_env")
	}
	for _, text := range []string{"DELETE FROM st_env", "UPDATE st_env SET value = ''"} {
		if _, _, problem := r.sql(r.alice, text); !strings.Contains(problem, "Database environment variables can only be changed by publishing") {
			t.Errorf("%s: %s", text, problem)
		}
	}
	r.want(publish(more, "clear=true"), 400, missing)
	if stored() != both {
		t.Errorf("a refused reset left %s", stored())
	}
	if a := publish(more, "clear=true", "NEEDED=2"); a.status != 200 || stored() != `["NEEDED","2"]` {
		t.Errorf("after a reset: %d %s, %s", a.status, a.body, stored())
	}
}

// A call over HTTP has a connection of its own, under which the module finds the
// claims of the caller's token.
func TestCallerClaims(t *testing.T) {
	spec.Covers(t, "03.45")
	r := newRealRig(t)
	m := newDefinition()
	m.table("seen", columns(sats.E("claims", sats.String))).reducer("look")
	var conns []sats.ConnectionID
	r.engine.on("look", func(c *abi.ReducerCall, s abi.Services) error {
		conns = append(conns, c.Conn)
		x := abiCall(c, s)
		defer x.End()
		src, e := x.GetJWT(c.Conn)
		if e != abi.OK {
			return fmt.Errorf("errno %d", e)
		}
		claims := make([]byte, 4096)
		n, _, _ := x.SourceRead(src, claims)
		t := c.Tx.TableByName("seen")
		_, _, err := c.Tx.Insert(t.ID, sats.AppendString(nil, string(claims[:n])))
		return err
	})
	r.must(m)
	r.call("look", "[]")
	r.call("look", "[]")
	if len(conns) != 2 || conns[0].IsZero() || conns[0] == conns[1] {
		t.Errorf("connections %v", conns)
	}
	_, payload, _ := strings.Cut(r.alice, ".")
	payload, _, _ = strings.Cut(payload, ".")
	want, err := tokenPayload("." + payload + ".")
	if err != nil {
		t.Fatal(err)
	}
	v := string(sats.AppendJSONString(nil, string(want)))
	if rows := r.rows("SELECT * FROM seen"); len(rows) != 1 || rows[0] != "["+v+"]" {
		t.Errorf("claims %s; want %s", rows, v)
	}
}
