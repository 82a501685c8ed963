package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// schemaJSON fetches the newest form of a module's definition that the server
// knows.
func (a *api) schemaJSON(ctx context.Context, id sats.Identity) (generation int, text []byte, err error) {
	first, err := a.do(ctx, request{method: "GET", path: "/v1/database/" + id.String() + "/schema?version=10", agent: true})
	if err != nil {
		return 0, nil, err
	}
	generation = 10
	res := first
	if first.status >= 400 && first.status < 500 {
		if res, err = a.do(ctx, request{method: "GET", path: "/v1/database/" + id.String() + "/schema?version=9", agent: true}); err != nil {
			return 0, nil, err
		}
		generation = 9
		if !res.ok() {
			res = first
		}
	}
	return generation, res.body, res.err()
}

// module fetches and checks a module's definition.
func (a *api) module(ctx context.Context, id sats.Identity) (*schema.ModuleDef, error) {
	generation, text, err := a.schemaJSON(ctx, id)
	if err != nil {
		return nil, err
	}
	return readModule(generation, text)
}

// readModule reads and checks a module's definition.
func readModule(generation int, text []byte) (*schema.ModuleDef, error) {
	raw, err := schema.ParseJSON(generation, text)
	if err != nil {
		return nil, because(err, "the server's definition of the module is not understood")
	}
	keepNames(raw)
	m, err := schema.Validate(raw)
	if err != nil {
		return nil, because(err, "the server's definition of the module is not valid")
	}
	return m, nil
}

// keepNames makes the names in a definition stay what they are. An export holds
// the names that the server uses and not the policy that made them (spec 02
// §10.3); the default policy would rename columns and variants of modules that had
// another one, which those made with 1.x packages all have.
func keepNames(raw *schema.RawModule) {
	if raw.V10 == nil || slices.ContainsFunc(raw.V10.Sections, func(s schema.RawSection) bool { return s.Tag == schema.SecCasePolicy }) {
		return
	}
	raw.V10.Sections = append(raw.V10.Sections, schema.RawSection{Tag: schema.SecCasePolicy, CasePolicy: schema.CaseNone})
}

// A function is a reducer or procedure that can be called.
type function struct {
	kind   string // "reducer" or "procedure"
	name   string
	params *sats.Type
	result *sats.Type // of a procedure; else nil
	hidden bool       // a lifecycle reducer
}

// functions lists reducers and procedures in the order of the definition.
func functions(m *schema.ModuleDef) (reducers, procedures []function) {
	for _, d := range m.Reducers {
		reducers = append(reducers, function{kind: "reducer", name: d.Name, params: d.Params, hidden: d.Lifecycle != schema.LifecycleNone})
	}
	for _, d := range m.Procedures {
		procedures = append(procedures, function{kind: "procedure", name: d.Name, params: d.Params, result: d.Return})
	}
	return reducers, procedures
}

// signature renders a function as `call` shows it.
func (f *function) signature(ts *sats.Typespace) string {
	params := make([]string, len(f.params.Elems))
	for i, p := range f.params.Elems {
		params[i] = schema.ToSnake(p.Name.Text) + ": " + typeText(ts, p.Type, 0)
	}
	return f.name + "(" + strings.Join(params, ", ") + ")"
}

var primitiveText = map[sats.Kind]string{
	sats.KindString: "String", sats.KindBool: "bool", sats.KindI8: "i8", sats.KindU8: "u8", sats.KindI16: "i16", sats.KindU16: "u16",
	sats.KindI32: "i32", sats.KindU32: "u32", sats.KindI64: "i64", sats.KindU64: "u64", sats.KindI128: "i128", sats.KindU128: "u128",
	sats.KindI256: "i256", sats.KindU256: "u256", sats.KindF32: "f32", sats.KindF64: "f64",
}

// typeText renders a type in the words of module sources (spec 09 §7.4).
func typeText(ts *sats.Typespace, t *sats.Type, depth int) string {
	if depth > 32 {
		return "…" // a recursive type
	}
	sub := func(t *sats.Type) string { return typeText(ts, t, depth+1) }
	switch t.Special() {
	case sats.SpecialIdentity:
		return "Identity"
	case sats.SpecialConnectionID:
		return "ConnectionId"
	case sats.SpecialScheduleAt:
		return "ScheduleAt"
	}
	if some, ok := t.IsOption(); ok {
		return "Option<" + sub(some) + ">"
	}
	switch t.Kind {
	case sats.KindRef:
		if int(t.Ref) < len(ts.Types) {
			return sub(ts.Types[t.Ref])
		}
		return t.String()
	case sats.KindArray:
		return "Vec<" + sub(t.Elem) + ">"
	case sats.KindSum:
		return "enum " + fieldsText(t.Elems, sub)
	case sats.KindProduct:
		return fieldsText(t.Elems, sub)
	}
	return primitiveText[t.Kind]
}

func fieldsText(elems []sats.Element, sub func(*sats.Type) string) string {
	if len(elems) == 0 {
		return "{}"
	}
	parts := make([]string, len(elems))
	for i, e := range elems {
		parts[i] = e.Name.Text + ": " + sub(e.Type)
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}
