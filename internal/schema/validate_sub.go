package schema

import (
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/sats"
)

// maxNamespace is the longest namespace in bytes.
const maxNamespace = 63

// checkSubmodules validates the modules mounted into this one.
func (v *validator) checkSubmodules() {
	accessors, canonicals := map[string]bool{}, map[string]bool{}
	for _, s := range v.level.submodules {
		d := &SubmoduleDef{Accessor: s.Namespace, Namespace: v.names.namespace(s.Namespace)}
		v.sourceIdent(d.Accessor, d.Namespace, "namespace")
		for _, name := range slices.Compact([]string{d.Accessor, d.Namespace}) {
			if len(name) > maxNamespace {
				v.add(NamespaceTooLong, "the namespace `%s` has %d bytes, more than %d", name, len(name), maxNamespace)
			}
		}
		switch {
		case accessors[d.Accessor]:
			v.add(DuplicateName, "two submodules are mounted as `%s`", d.Accessor)
		case canonicals[d.Namespace]:
			v.add(DuplicateName, "two submodules have the canonical namespace `%s`", d.Namespace)
		}
		accessors[d.Accessor], canonicals[d.Namespace] = true, true
		where := d.Namespace
		if v.where != "" {
			where = v.where + "." + where
		}
		d.Module = newValidator(levelOfV10(s.Module), v.problems, v.budget, where).run()
		v.def.Submodules = append(v.def.Submodules, d)
	}
}

// The limits of environment declarations (spec 02 §6.13).
const (
	maxEnvDeclarations = 256
	maxEnvName         = 256
	maxEnvUnion        = 256
	maxEnvLiteral      = 8192
	maxEnvTotal        = 2 << 20
)

// checkEnvironment checks declarations in order and reports the first failure.
func (v *validator) checkEnvironment() {
	if v.where != "" {
		if len(v.level.environment) > 0 {
			v.problems.add(EnvironmentInSubmodule, "submodule `%s` declares an environment; only the root module may", v.where)
		}
		return
	}
	if problem := v.environmentProblem(); problem != "" {
		v.add(InvalidEnvironment, "invalid environment declaration: %s", problem)
	}
}

func (v *validator) environmentProblem() string {
	if len(v.level.environment) > maxEnvDeclarations {
		return "too many declarations"
	}
	total := 0
	seen := map[string]bool{}
	for i := range v.level.environment {
		e := &v.level.environment[i]
		if !validEnvName(e.Name) {
			return "invalid name"
		}
		key := `environment key "` + e.Name + `": `
		if e.Type.Kind == EnvUnion && len(e.Type.Values) == 0 {
			return key + "string union must not be empty"
		}
		if len(e.Type.Values) > maxEnvUnion {
			return key + "string union has too many entries"
		}
		total += len(e.Name)
		for _, s := range e.Type.Values {
			if len(s) > maxEnvLiteral {
				return key + "declared literal exceeds value size limit"
			}
			total += len(s)
		}
		if total > maxEnvTotal {
			return key + "declaration schema exceeds size limit"
		}
		if seen[e.Name] {
			return key + "duplicate declaration"
		}
		seen[e.Name] = true
		d := EnvironmentVar{Name: e.Name, Optional: e.Optional, Kind: e.Type.Kind}
		if e.Type.Kind != EnvString {
			d.Values = slices.Compact(slices.Sorted(slices.Values(e.Type.Values)))
		}
		v.def.Environment = append(v.def.Environment, d)
	}
	return ""
}

func validEnvName(s string) bool {
	if s == "" || len(s) > maxEnvName || '0' <= s[0] && s[0] <= '9' {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) < 0
}

// attachOutboxes checks outboxes in order and stops at the first failure.
func (v *validator) attachOutboxes() {
	for i := range v.level.outboxes {
		before := v.count
		v.attachOutbox(&v.level.outboxes[i])
		if v.count != before {
			return
		}
	}
}

func (v *validator) attachOutbox(o *RawOutbox) {
	t := v.outboxTable(o)
	if t == nil {
		return
	}
	what := "outbox `" + t.Name + "`"
	switch target := int(o.TargetCol); {
	case t.Outbox != nil:
		v.add(DuplicateOutbox, "table `%s` is declared as an outbox more than once", t.Name)
		return
	case t.IsEvent:
		v.add(OutboxEventTable, "%s is an event table, whose rows are not stored, and cannot be an outbox", what)
		return
	case t.Schedule != nil:
		v.add(OutboxScheduledTable, "%s has a schedule and cannot be an outbox", what)
		return
	case t.PrimaryKey == nil:
		v.add(OutboxMissingPrimaryKey, "%s needs a primary key", what)
		return
	case t.Columns[*t.PrimaryKey].Type.Kind != sats.KindU64:
		v.add(OutboxInvalidPrimaryKey, "%s needs a primary key of type U64", what)
		return
	case target >= len(t.Columns) || o.TargetCol == *t.PrimaryKey || !isOutboxTarget(t.Columns[target].Type):
		v.add(OutboxTargetColumnMissing, "%s needs a target column of type Identity that is not its primary key; column %d is none", what, target)
		return
	}
	for _, c := range o.ArgCols {
		if int(c) >= len(t.Columns) {
			v.add(OutboxArgumentColumnNotFound, "%s: argument column %d does not exist", what, c)
			return
		}
	}
	d := &OutboxDef{RemoteReducer: o.RemoteReducer, TargetCol: o.TargetCol, ArgCols: o.ArgCols, SignatureHash: o.SignatureHash}
	if o.OnResult.Set && !v.outboxCallback(t, d, o.OnResult.Text, what) {
		return
	}
	for _, part := range strings.Split(o.RemoteReducer, ".") {
		if !v.ident(part, "remote reducer `"+o.RemoteReducer+"` of "+what) {
			return
		}
	}
	t.Outbox = d
}

func (v *validator) outboxTable(o *RawOutbox) *TableDef {
	if v.sources[o.Table] {
		return v.tables[v.names.table(o.Table)]
	}
	v.add(MissingOutboxTable, "the outbox table `%s` does not exist", o.Table)
	return nil
}

func isOutboxTarget(t *sats.Type) bool {
	return t.Kind == sats.KindU256 || t.Special() == sats.SpecialIdentity
}

// outboxCallback resolves the reducer that is told about results.
func (v *validator) outboxCallback(t *TableDef, d *OutboxDef, source, what string) bool {
	if strings.Contains(source, ".") || strings.Contains(source, "::") {
		v.add(OutboxOnResultMustBeLocal, "%s: its result reducer `%s` must be one of the same module", what, source)
		return false
	}
	d.OnResult = v.names.function(source)
	r, declared := v.reducers[d.OnResult]
	if !declared {
		v.add(MissingOutboxOnResult, "%s: its result reducer `%s` does not exist", what, d.OnResult)
		return false
	}
	if r == nil {
		return false
	}
	r.Private = true
	if p := r.Params.Elems; len(p) == 2 && p[0].Type.Equal(sats.Ref(t.TypeRef)) && v.isUnitStringResult(p[1].Type) {
		return true
	}
	v.add(IncorrectOutboxOnResultParams, "%s: its result reducer `%s` must have exactly two parameters, of the table's row type and of type Result<(), String>", what, d.OnResult)
	return false
}

func (v *validator) isUnitStringResult(t *sats.Type) bool {
	t, err := v.typespace.Deref(t)
	if err != nil {
		return false
	}
	ok, fail, is := t.IsResult()
	if !is {
		return false
	}
	if ok, err = v.typespace.Deref(ok); err != nil || !ok.IsUnit() {
		return false
	}
	fail, err = v.typespace.Deref(fail)
	return err == nil && fail.Kind == sats.KindString
}
