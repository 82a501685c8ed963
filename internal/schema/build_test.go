package schema

import (
	"errors"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/sats"
)

// fataler is what a test and a property have in common.
type fataler interface {
	Helper()
	Fatal(args ...any)
}

// rawModule is a V10 definition in parts, for tests that change one of them.
type rawModule struct {
	noPolicy bool
	RawSection
}

// build returns the definition as a module sends it. The decoder runs over it,
// so that no test validates what no module could send.
func (m *rawModule) build(t fataler) *RawModule {
	t.Helper()
	raw, err := DecodeRaw((&RawModule{V10: m.v10()}).Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (m *rawModule) v10() *RawV10 {
	out := new(RawV10)
	for tag := SecTypespace; tag <= SecOutboxes; tag++ {
		if tag == SecCasePolicy && m.noPolicy {
			continue
		}
		s := m.RawSection
		s.Tag = tag
		out.Sections = append(out.Sections, s)
	}
	return out
}

func (m *rawModule) validate(t fataler) (*ModuleDef, error) {
	t.Helper()
	return Validate(m.build(t))
}

// must validates a module that is meant to be right.
func (m *rawModule) must(t fataler) *ModuleDef {
	t.Helper()
	def, err := m.validate(t)
	if err != nil {
		t.Fatal(err)
	}
	return def
}

func newModule() *rawModule {
	return &rawModule{RawSection: RawSection{Typespace: &sats.Typespace{}, CasePolicy: SnakeCase}}
}

// entry adds a type to the typespace and returns its index.
func (m *rawModule) entry(t *sats.Type) uint32 {
	m.Typespace.Types = append(m.Typespace.Types, t)
	return uint32(len(m.Typespace.Types) - 1)
}

// named adds a type with a name.
func (m *rawModule) named(name string, t *sats.Type) uint32 {
	ref := m.entry(t)
	m.Types = append(m.Types, RawType{Name: name, Ref: ref, CustomOrdering: true})
	return ref
}

// table adds a public table of these columns. The pointer is valid until the
// next one is added.
func (m *rawModule) table(name string, columns ...sats.Element) *RawTableV10 {
	ref := m.named("Row"+name, sats.Product(columns...))
	m.Tables = append(m.Tables, RawTableV10{SourceName: name, ProductTypeRef: ref, Kind: User})
	return &m.Tables[len(m.Tables)-1]
}

func (t *RawTableV10) index(algo Algo, cols ...ColID) *RawTableV10 {
	name := t.SourceName + "_" + strings.Repeat("c", len(t.Indexes)+1) + "_idx"
	t.Indexes = append(t.Indexes, RawIndex{Name: sats.Named(name), Algo: algo, Cols: cols})
	return t
}

func (t *RawTableV10) unique(cols ...ColID) *RawTableV10 {
	t.Constraints = append(t.Constraints, RawConstraint{Cols: cols})
	return t.index(BTree, cols...)
}

func (t *RawTableV10) key(col ColID) *RawTableV10 {
	t.PrimaryKey = []ColID{col}
	return t.unique(col)
}

func (t *RawTableV10) sequence(col ColID) *RawTableV10 {
	t.Sequences = append(t.Sequences, RawSequence{Col: col, Increment: sats.I128From(1)})
	return t
}

func (m *rawModule) reducer(name string, params ...sats.Element) *RawReducerV10 {
	m.Reducers = append(m.Reducers, RawReducerV10{
		SourceName: name, Params: sats.Product(params...), Visibility: VisibilityClient, Ok: sats.Unit, Err: sats.String,
	})
	return &m.Reducers[len(m.Reducers)-1]
}

func (m *rawModule) view(name string, ret *sats.Type, params ...sats.Element) *RawView {
	index := uint32(0)
	for _, v := range m.Views {
		if v.IsAnonymous {
			index++
		}
	}
	m.Views = append(m.Views, RawView{Name: name, Index: index, IsPublic: true, IsAnonymous: true, Params: sats.Product(params...), Return: ret})
	return &m.Views[len(m.Views)-1]
}

func (m *rawModule) lifecycle(l Lifecycle, function string) {
	m.Lifecycle = append(m.Lifecycle, RawLifecycle{l, function})
}

func (m *rawModule) mount(namespace string, sub *rawModule) {
	m.Submodules = append(m.Submodules, RawSubmodule{Namespace: namespace, Module: sub.v10()})
}

// tick adds a scheduled table and the reducer it calls.
func (m *rawModule) tick() *RawTableV10 {
	t := m.table("tick", sats.E("scheduled_id", sats.U64), sats.E("scheduled_at", sats.ScheduleAtType)).key(0).sequence(0)
	m.reducer("run", sats.E("arg", sats.Ref(t.ProductTypeRef)))
	m.Schedules = append(m.Schedules, RawScheduleV10{Table: "tick", AtCol: 1, Function: "run"})
	return t
}

// problemsOf returns the problems of a module that is meant to be wrong.
func problemsOf(t testing.TB, m *rawModule) *Errors {
	t.Helper()
	_, err := m.validate(t)
	var e *Errors
	if !errors.As(err, &e) {
		t.Fatalf("validation: %v, want *Errors", err)
	}
	return e
}
