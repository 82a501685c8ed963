package schema

import (
	"cmp"
	"errors"
	"slices"

	"github.com/stdbgo/spacetime/sats"
)

// maxResolvedTotal bounds the size of all row types of a module together,
// counted in types after references are replaced. Entries that refer to each
// other make small definitions large.
const maxResolvedTotal = 4 << 20

// Validate checks a module definition and gives everything its canonical name
// (spec 02 §5 and §6). The error is an *[Errors] with all problems at once.
func Validate(raw *RawModule) (*ModuleDef, error) {
	p := new(problems)
	var l *level
	switch {
	case raw.V10 != nil:
		l = levelOfV10(raw.V10)
	case raw.V9 != nil:
		l = levelOfV9(raw.V9, p)
	case raw.V8 != nil:
		l = levelOfV9(upgradeV8(raw.V8, p), p)
	default:
		return nil, errors.New("module definition: empty")
	}
	budget := maxResolvedTotal
	v := newValidator(l, p, &budget, "")
	def := v.run()
	if err := p.err(); err != nil {
		return nil, err
	}
	def.Raw = raw
	return def, nil
}

// validator validates one level.
type validator struct {
	*problems
	*level
	where  string // begins texts about a submodule
	budget *int   // of maxResolvedTotal, shared by all levels

	def      *ModuleDef
	declared map[uint32]bool   // entries with a name
	uses     map[uint32]error  // undeclared entries checked as type uses
	open     map[uint32]bool   // undeclared entries being checked
	objects  map[string]string // the global table namespace: what has the name
	types    map[string]bool   // scoped type names

	// Objects by canonical name; a nil value is one that was declared and
	// found wrong, about whose users nothing more is said.
	sources    map[string]bool // source names of tables
	tables     map[string]*TableDef
	reducers   map[string]*ReducerDef
	procedures map[string]*ProcedureDef
	views      map[string]*ViewDef // by accessor
	handlers   map[string]*HTTPHandlerDef
}

func newValidator(l *level, p *problems, budget *int, where string) *validator {
	v := &validator{
		problems: p, level: l, where: where, budget: budget,
		declared: map[uint32]bool{}, uses: map[uint32]error{}, open: map[uint32]bool{}, objects: map[string]string{},
		types: map[string]bool{}, sources: map[string]bool{}, tables: map[string]*TableDef{}, reducers: map[string]*ReducerDef{},
		procedures: map[string]*ProcedureDef{}, views: map[string]*ViewDef{}, handlers: map[string]*HTTPHandlerDef{},
	}
	v.def = &ModuleDef{Version: l.version, Typespace: l.names.typespace(l.typespace), SourceTypespace: l.typespace}
	for _, t := range l.types {
		v.declared[t.Ref] = true
	}
	for _, t := range l.tables {
		v.sources[t.SourceName] = true
	}
	return v
}

// add records a problem, telling the submodule it is in.
func (v *validator) add(kind ProblemKind, format string, args ...any) {
	if v.where != "" {
		format = "submodule `%s`: " + format
		args = append([]any{v.where}, args...)
	}
	v.problems.add(kind, format, args...)
}

// run validates the level and returns its definition, which is complete only
// if there are no problems.
func (v *validator) run() *ModuleDef {
	v.checkSubmodules()
	for i := range v.level.reducers {
		v.checkReducer(&v.level.reducers[i])
	}
	for i := range v.level.procedures {
		v.checkProcedure(&v.level.procedures[i])
	}
	v.checkHandlers()
	for i := range v.level.views {
		v.checkView(&v.level.views[i])
	}
	for i := range v.level.tables {
		v.checkTable(&v.level.tables[i])
	}
	for i := range v.level.types {
		v.checkType(&v.level.types[i])
	}
	v.checkFunctionNames()
	v.attachLifecycle()
	v.attachSchedules()
	v.attachOutboxes()
	v.attachViewKeys()
	v.checkEnvironment()
	v.def.RLS = slices.Compact(slices.Sorted(slices.Values(v.rls)))
	if v.count == 0 {
		v.checkNamespaceConflicts()
		v.def.finish()
	}
	return v.def
}

// ident checks a name that must be an identifier; what says whose it is.
func (v *validator) ident(name, what string) bool {
	err := CheckIdentifier(name)
	if err != nil {
		v.add(IdentifierError, "%s: %q is not an identifier: %v", what, shorten(name), err)
	}
	return err == nil
}

// sourceIdent checks a source name and the canonical name made of it.
func (v *validator) sourceIdent(source, canonical, what string) bool {
	if !v.ident(source, what) {
		return false
	}
	return canonical == source || v.ident(canonical, what+" (canonical name of `"+source+"`)")
}

// claim enters names into the global table namespace.
func (v *validator) claim(what string, names ...string) {
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			continue
		}
		if owner, taken := v.objects[name]; taken {
			v.add(DuplicateName, "the name `%s` is used twice: by %s and by %s", name, owner, what)
			continue
		}
		v.objects[name] = what
	}
}

// columnNames returns the canonical names of the columns cols of columns.
func columnNames(columns []ColumnDef, cols []ColID) []string {
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = columns[c].Name
	}
	return names
}

// columns returns the columns of the product that entry ref of the typespace
// describes, and that product without references. what names the table or
// view.
func (v *validator) columns(ref uint32, what string) ([]ColumnDef, *sats.Type, bool) {
	raw, err := v.typespace.Get(ref)
	if err != nil || raw.Kind != sats.KindProduct {
		v.add(InvalidProductTypeRef, "%s: its rows must be described by a product, which entry %d of the typespace is not", what, ref)
		return nil, nil, false
	}
	if len(raw.Elems) > 1<<16 {
		v.add(TooLarge, "%s has %d columns, more than %d", what, len(raw.Elems), 1<<16)
		return nil, nil, false
	}
	if !v.spend(countTypes(raw)) {
		return nil, nil, false
	}
	before := v.count
	converted := v.def.Typespace.Types[ref]
	columns := make([]ColumnDef, len(raw.Elems))
	canonical, accessors := map[string]bool{}, map[string]bool{}
	for i, e := range raw.Elems {
		if !e.Name.Set {
			v.add(UnnamedColumn, "%s: column %d has no name", what, i)
			continue
		}
		c := &columns[i]
		c.Name, c.Accessor, c.RawType = converted.Elems[i].Name.Text, e.Name.Text, converted.Elems[i].Type
		v.sourceIdent(c.Accessor, c.Name, "column of "+what)
		if canonical[c.Name] || accessors[c.Accessor] {
			v.add(DuplicateName, "%s has more than one column called `%s`", what, c.Name)
		}
		canonical[c.Name], accessors[c.Accessor] = true, true
		v.use(e.Type, "column `"+c.Accessor+"` of "+what)
	}
	if v.count != before {
		return nil, nil, false
	}
	row, ok := v.resolveRow(converted, columns, what)
	return columns, row, ok
}

// resolveRow resolves the types of columns, whose product is row.
func (v *validator) resolveRow(row *sats.Type, columns []ColumnDef, what string) (*sats.Type, bool) {
	resolved, err := v.def.Typespace.Resolve(row)
	if err != nil {
		for i := range columns {
			if _, err := v.def.Typespace.Resolve(columns[i].RawType); err != nil {
				v.add(ClientCodegenError, "column `%s` of %s cannot be stored: %v", columns[i].Accessor, what, err)
				return nil, false
			}
		}
		v.add(TooLarge, "%s cannot be stored: %v", what, err)
		return nil, false
	}
	if !v.spend(countTypes(resolved)) {
		return nil, false
	}
	for i := range columns {
		columns[i].Type = resolved.Elems[i].Type
	}
	return resolved, true
}

// spend takes n types from the budget of the whole module. When it is used up,
// nothing more is checked in detail.
func (v *validator) spend(n int) bool {
	if *v.budget < 0 {
		return false
	}
	if *v.budget -= n; *v.budget < 0 {
		v.problems.add(TooLarge, "the row types of the module hold more than %d types after references are replaced", maxResolvedTotal)
		return false
	}
	return true
}

func countTypes(t *sats.Type) int {
	n := 1
	if t.Kind == sats.KindArray {
		n += countTypes(t.Elem)
	}
	for i := range t.Elems {
		n += countTypes(t.Elems[i].Type)
	}
	return n
}

// checkFunctionNames finds names shared by reducers, procedures and views.
func (v *validator) checkFunctionNames() {
	seen := map[string]string{}
	claim := func(kind, name string) {
		if other, taken := seen[name]; taken {
			v.add(DuplicateFunctionName, "the function name `%s` is used twice: by a %s and by a %s", name, other, kind)
			return
		}
		seen[name] = kind
	}
	for _, r := range v.def.Reducers {
		claim("reducer", r.Name)
	}
	for _, p := range v.def.Procedures {
		claim("procedure", p.Name)
	}
	for _, w := range v.def.Views {
		claim("view", w.Name)
	}
}

// checkNamespaceConflicts finds objects whose accessor name is also the
// accessor namespace of a submodule (spec 02 §5.5).
func (v *validator) checkNamespaceConflicts() {
	spaces := map[string]bool{}
	for _, s := range v.def.Submodules {
		spaces[s.Accessor] = true
	}
	check := func(kind, name string) {
		if spaces[name] {
			v.add(NamespaceNameConflict, "%s `%s` has the same name as the submodule mounted there", kind, name)
		}
	}
	for _, t := range v.def.Tables {
		check("table", t.Accessor)
	}
	for _, w := range v.def.Views {
		check("view", w.Accessor)
	}
	for _, r := range v.def.Reducers {
		check("reducer", r.Accessor)
	}
	for _, p := range v.def.Procedures {
		check("procedure", p.Accessor)
	}
}

// sortByName sorts definitions, for results that do not depend on the order in
// which a module sends them.
func sortByName[T any](s []T, name func(*T) string) {
	slices.SortStableFunc(s, func(a, b T) int { return cmp.Compare(name(&a), name(&b)) })
}
