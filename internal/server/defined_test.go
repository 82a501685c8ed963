package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/sats"
)

// A definedEngine runs programs that are nothing but a module definition: what
// stands behind it makes one program differ from another. What reducers do is
// registered by name.
type definedEngine struct {
	mu     sync.Mutex
	does   map[string]func(*abi.ReducerCall, abi.Services) error
	called []string
}

func (e *definedEngine) Name() string { return "defined" }

func (e *definedEngine) on(reducer string, do func(*abi.ReducerCall, abi.Services) error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.does[reducer] = do
}

// calls returns the names of the reducers called since the last time.
func (e *definedEngine) calls() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := strings.Join(e.called, " ")
	e.called = nil
	return all
}

func (e *definedEngine) Load(_ context.Context, program []byte, _ abi.LoadOptions) (abi.Program, error) {
	if len(program) == 0 {
		return nil, &abi.LoadError{Problem: "the program is empty"}
	}
	return &definedProgram{e, bytes.Clone(program)}, nil
}

type definedProgram struct {
	engine  *definedEngine
	program []byte
}

func (p *definedProgram) Hash() sats.Hash { return abi.HashProgram(p.program) }
func (p *definedProgram) Close() error    { return nil }
func (p *definedProgram) Instantiate(_ context.Context, s abi.Services) (abi.Instance, error) {
	return &definedInstance{p: p, s: s}, nil
}

type definedInstance struct {
	abi.Instance // nil: these modules have reducers only
	p            *definedProgram
	s            abi.Services
}

func (i *definedInstance) Describe(context.Context) ([]byte, error) { return i.p.program, nil }
func (i *definedInstance) MemoryBytes() uint64                      { return 0 }
func (i *definedInstance) Close() error                             { return nil }

func (i *definedInstance) CallReducer(_ context.Context, call *abi.ReducerCall) abi.Outcome {
	e := i.p.engine
	e.mu.Lock()
	e.called = append(e.called, call.Name)
	do := e.does[call.Name]
	e.mu.Unlock()
	if do != nil {
		if err := do(call, i.s); err != nil {
			return abi.Outcome{Status: abi.StatusUserError, Message: err.Error()}
		}
	}
	return abi.Outcome{}
}

// insertArgs inserts the arguments of a reducer as a row.
func insertArgs(table string) func(*abi.ReducerCall, abi.Services) error {
	return func(c *abi.ReducerCall, _ abi.Services) error {
		t := c.Tx.TableByName(table)
		if t == nil {
			return errors.New("no table " + table)
		}
		_, _, err := c.Tx.Insert(t.ID, c.Args)
		return err
	}
}

// abiCall gives a reducer the host functions that modules have.
func abiCall(c *abi.ReducerCall, s abi.Services) *abi.Context {
	x := abi.NewContext(s, abi.Limits{}, nil)
	x.Begin(abi.Call{Kind: abi.KindReducer, Function: c.Name, Tx: c.Tx, Time: c.Time})
	return x
}

// A realRig is a server whose databases are real, with modules by definition.
// "alice" owns what is published.
type realRig struct {
	*rig
	engine *definedEngine
	alice  string // token
	bob    string // token of somebody else
	id     string // of the database "db"
}

func newRealRig(t testing.TB) *realRig {
	t.Helper()
	engine := &definedEngine{does: map[string]func(*abi.ReducerCall, abi.Services) error{}}
	h, err := host.New(host.Options{Dir: filepath.Join(t.TempDir(), "data"), FS: vfs.OS{}, Engines: map[host.ProgramKind]abi.Engine{host.Wasm: engine, host.JS: engine}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	r := &realRig{rig: newRig(t, func(o *Options) { o.Host = Databases(h) }), engine: engine}
	_, r.alice = r.identity()
	_, r.bob = r.identity()
	return r
}

// publish publishes a definition as the database "db".
func (r *realRig) publish(m *definition, query ...string) answer {
	r.t.Helper()
	a := r.do("PUT", "/v1/database/db?"+strings.Join(query, "&"), r.alice, string(m.program()))
	if a.status == 200 && r.id == "" {
		r.id = r.lookup("db")
	}
	return a
}

// must publishes a definition that is right.
func (r *realRig) must(m *definition, query ...string) {
	r.t.Helper()
	if a := r.publish(m, query...); a.status != 200 {
		r.t.Fatalf("publish: %d %s", a.status, a.body)
	}
}

// refused publishes a definition that is to be refused, and returns the answer.
func (r *realRig) refused(m *definition, status int, texts ...string) string {
	r.t.Helper()
	a := r.publish(m)
	if a.status != status {
		r.t.Errorf("publish: %d %s; want %d", a.status, a.body, status)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			r.t.Errorf("publish: %s; want %q", a.body, text)
		}
	}
	return a.body
}

// call calls a reducer with JSON arguments, and wants it to commit.
func (r *realRig) call(reducer, args string) {
	r.t.Helper()
	a := r.do("POST", "/v1/database/db/call/"+reducer, r.alice, args, "content-type: application/json")
	if a.status != 200 {
		r.t.Fatalf("call %s: %d %s", reducer, a.status, a.body)
	}
}

// sql returns the first statement's answer.
func (r *realRig) sql(token, query string) (schema string, rows []string, problem string) {
	r.t.Helper()
	a := r.do("POST", "/v1/database/db/sql", token, query)
	if a.status != 200 {
		return "", nil, a.body
	}
	var got []struct {
		Schema json.RawMessage
		Rows   []json.RawMessage
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || len(got) != 1 {
		r.t.Fatalf("%s: %s, %v", query, a.body, err)
	}
	for _, row := range got[0].Rows {
		rows = append(rows, string(row))
	}
	return string(got[0].Schema), rows, ""
}

// rows are the rows of a query by the owner.
func (r *realRig) rows(query string) []string {
	r.t.Helper()
	_, rows, problem := r.sql(r.alice, query)
	if problem != "" {
		r.t.Fatalf("%s: %s", query, problem)
	}
	return rows
}

func (r *realRig) logs() string {
	r.t.Helper()
	return r.do("GET", "/v1/database/db/logs", r.alice, "").body
}

// A plan is the answer of pre-publish.
type plan struct {
	Auto *struct {
		Plan   string `json:"migrate_plan"`
		Breaks bool   `json:"break_clients"`
		Token  string `json:"token"`
		Major  bool   `json:"major_version_upgrade"`
	} `json:"AutoMigrate"`
	Manual *struct {
		Reason string `json:"reason"`
		Major  bool   `json:"major_version_upgrade"`
	} `json:"ManualMigrate"`
}

func (r *realRig) prePublish(m *definition) (p plan) {
	r.t.Helper()
	a := r.do("POST", "/v1/database/db/pre_publish?style=NoColor", r.alice, string(m.program()))
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.status != 200 {
		r.t.Fatalf("pre_publish: %d %s", a.status, a.body)
	}
	return p
}

// breaking publishes with the consent that pre-publish asks for.
func (r *realRig) breaking(m *definition) {
	r.t.Helper()
	p := r.prePublish(m)
	if p.Auto == nil {
		r.t.Fatalf("no automatic migration: %+v", p.Manual)
	}
	if !p.Auto.Breaks {
		r.t.Errorf("the plan breaks no clients:\n%s", p.Auto.Plan)
	}
	r.must(m, "policy=BreakClients", "token="+p.Auto.Token)
}

// A definition is a module definition of generation 10 in parts.
type definition struct {
	schema.RawSection
	v9   *schema.RawV9 // instead of all else
	salt string
}

func newDefinition() *definition {
	return &definition{RawSection: schema.RawSection{Typespace: &sats.Typespace{}, CasePolicy: schema.SnakeCase}}
}

// program returns the program that has the definition.
func (m *definition) program() []byte {
	raw := &schema.RawModule{V9: m.v9}
	if m.v9 == nil {
		raw.V10 = m.v10()
	}
	return append(raw.Append(nil), m.salt...)
}

func (m *definition) v10() *schema.RawV10 {
	out := new(schema.RawV10)
	for tag := schema.SecTypespace; tag <= schema.SecOutboxes; tag++ {
		s := m.RawSection
		s.Tag = tag
		out.Sections = append(out.Sections, s)
	}
	return out
}

// entry adds a type without a name.
func (m *definition) entry(t *sats.Type) *sats.Type {
	m.Typespace.Types = append(m.Typespace.Types, t)
	return sats.Ref(uint32(len(m.Typespace.Types) - 1))
}

// named adds a type with a name.
func (m *definition) named(name string, t *sats.Type) *sats.Type {
	ref := m.entry(t)
	m.Types = append(m.Types, schema.RawType{Name: name, Ref: ref.Ref, CustomOrdering: true})
	return ref
}

type tableChange func(*schema.RawTableV10)

// table adds a public table.
func (m *definition) table(name string, cols []sats.Element, changes ...tableChange) *definition {
	ref := m.named("Row"+strings.ToUpper(name[:1])+name[1:], sats.Product(cols...))
	t := schema.RawTableV10{SourceName: name, ProductTypeRef: ref.Ref, Kind: schema.User}
	for _, change := range changes {
		change(&t)
	}
	m.Tables = append(m.Tables, t)
	return m
}

func columns(e ...sats.Element) []sats.Element { return e }

func indexOn(algo schema.Algo, cols ...schema.ColID) tableChange {
	return func(t *schema.RawTableV10) {
		t.Indexes = append(t.Indexes, schema.RawIndex{Name: sats.Named(fmt.Sprint(t.SourceName, "By", len(t.Indexes))), Algo: algo, Cols: cols})
	}
}

func uniqueOn(cols ...schema.ColID) tableChange {
	return func(t *schema.RawTableV10) {
		indexOn(schema.BTree, cols...)(t)
		t.Constraints = append(t.Constraints, schema.RawConstraint{Cols: cols})
	}
}

func keyOn(col schema.ColID) tableChange {
	return func(t *schema.RawTableV10) {
		uniqueOn(col)(t)
		t.PrimaryKey = []schema.ColID{col}
	}
}

func countOn(col schema.ColID) tableChange {
	return func(t *schema.RawTableV10) {
		t.Sequences = append(t.Sequences, schema.RawSequence{Col: col, Increment: sats.I128From(1)})
	}
}

func defaultOf(col schema.ColID, value []byte) tableChange {
	return func(t *schema.RawTableV10) {
		t.Defaults = append(t.Defaults, schema.RawColumnDefault{Col: col, Value: value})
	}
}

func private(t *schema.RawTableV10) { t.Access = schema.Private }
func event(t *schema.RawTableV10)   { t.IsEvent = true }

// reducer adds a reducer that everybody may call.
func (m *definition) reducer(name string, params ...sats.Element) *definition {
	m.Reducers = append(m.Reducers, schema.RawReducerV10{
		SourceName: name, Params: sats.Product(params...), Visibility: schema.VisibilityClient, Ok: sats.Unit, Err: sats.String,
	})
	return m
}

// hide makes a reducer one that only the owner may call.
func (m *definition) hide(name string) {
	for i := range m.Reducers {
		if m.Reducers[i].SourceName == name {
			m.Reducers[i].Visibility = schema.VisibilityPrivate
		}
	}
}

func (m *definition) init() *definition {
	m.Lifecycle = append(m.Lifecycle, schema.RawLifecycle{Event: schema.LifecycleInit, Function: "init"})
	return m.reducer("init")
}

// view adds a public anonymous view of rows.
func (m *definition) view(name string, cols ...sats.Element) *definition {
	row := m.named("View"+name, sats.Product(cols...))
	index := uint32(len(m.Views))
	m.Views = append(m.Views, schema.RawView{Name: name, Index: index, IsPublic: true, IsAnonymous: true, Params: sats.Product(), Return: sats.Array(row)})
	return m
}

// tableNamed returns a table of the running transaction.
func tableNamed(tx *store.Tx, name string) (*schema.Table, error) {
	if t := tx.TableByName(name); t != nil {
		return t, nil
	}
	return nil, errors.New("no table " + name)
}
