package csharp

import (
	"errors"
	"fmt"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/schema"
)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		m[word] = true
	}
	return m
}

// keywords are the reserved words of C#; those that are reserved in some places
// only can be names.
var keywords = set(`abstract as base bool break byte case catch char checked class const continue decimal default delegate do
	double else enum event explicit extern false finally fixed float for foreach goto if implicit in int interface internal is lock
	long namespace new null object operator out override params private protected public readonly ref return sbyte sealed short
	sizeof stackalloc static string struct switch this throw true try typeof uint ulong unchecked unsafe ushort using virtual void
	volatile while`)

// objectMembers are members that every class has, by the language or because
// the SDK's source generator adds them.
var objectMembers = set("Equals GetHashCode ToString GetType ReferenceEquals MemberwiseClone Finalize ReadFields WriteFields BSATN")

// tupleMembers can not be names of the elements of a tuple.
var tupleMembers = set("CompareTo Deconstruct Equals GetHashCode Rest ToString Item1 Item2 Item3 Item4 Item5 Item6 Item7")

// handleMembers are members of a table's handle that one of an index hides.
var handleMembers = set("Count Iter OnInsert OnDelete OnUpdate OnBeforeDelete RemoteQuery RemoteTableName")

// leading makes name begin like an identifier.
func leading(name string) string {
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		return "_" + name
	}
	return name
}

func pascal(name string) string { return leading(schema.ToPascal(name)) }

// camel returns the name of a parameter.
func camel(name string) string {
	name = leading(schema.ToCamel(name))
	if keywords[name] {
		return "@" + name
	}
	return name
}

// member returns the name of a member of class, which must not be its own name.
func member(class, name string) string {
	name = pascal(name)
	if name == class || objectMembers[name] {
		return name + "_"
	}
	return name
}

// element returns the name of an element of a tuple.
func element(name string) string {
	name = pascal(name)
	if tupleMembers[name] {
		return name + "_"
	}
	return name
}

// typeName returns the identifier of a type. One that the bindings themselves
// need gets an underscore.
func typeName(t *model.Type) string {
	if ownNames[t.Ident] {
		return t.Ident + "_"
	}
	return leading(t.Ident)
}

// functionClass returns the name of a reducer's or procedure's nested class.
func functionClass(outer string, f *model.Function) string { return member(outer, f.Accessor) }

// own returns how our own parameter beside those of a function is called.
func own(name string, params []model.Field) string {
	for _, p := range params {
		if camel(p.Name) == name {
			return "__" + name
		}
	}
	return name
}

// sdkType returns how to write a type of the SDK that the SDK's own namespace
// makes visible, unless the module has one of that name.
func (g *generator) sdkType(name string) string {
	if g.types[name] || g.hidden[name] {
		return "global::SpacetimeDB." + name
	}
	return name
}

// ref returns how to write a type of the module.
func (g *generator) ref(t *model.Type) string {
	name := typeName(t)
	if g.hidden[name] {
		return "global::" + g.namespace + "." + name
	}
	return name
}

// findHidden notes the names of nested classes: inside their outer classes they
// hide types of the same name.
func (g *generator) findHidden() {
	for _, f := range g.root.Reducers {
		g.hidden[functionClass("Reducer", f)] = true
		g.hidden[pascal(f.Accessor)+"Handler"] = true
	}
	for _, f := range g.procedures() {
		g.hidden[functionClass("Procedure", f)] = true
		g.hidden[pascal(f.Accessor)+"Args"] = true
	}
	for _, t := range g.root.Tables {
		g.hidden[pascal(t.Accessor)+"Handle"] = true
		for _, ix := range t.Indexes {
			g.hidden[pascal(ix.Accessor)+"Index"] = true
			g.hidden[pascal(ix.Accessor)+"UniqueIndex"] = true
		}
	}
}

// ownNames are the types of the client file.
var ownNames = set(`RemoteTables RemoteReducers RemoteProcedures SetReducerFlags Reducer Procedure EventContext ReducerEventContext
	ProcedureEventContext SubscriptionEventContext ErrorContext IRemoteDbContext RemoteDbContextBase SubscriptionBuilder
	TypedSubscriptionBuilder SubscriptionHandle QueryBuilder From DbConnection`)

// checkNames fails if two things of the module get one identifier.
func (g *generator) checkNames() error {
	top := model.NewScope("types")
	errs := []error{}
	members := func(kind, of string, fields []model.Field, convert func(string) string) {
		scope := model.NewScope(kind + "s of " + of)
		for _, f := range fields {
			scope.Claim(convert(f.Name), kind+" `"+f.Name+"`")
		}
		errs = append(errs, scope.Err())
	}
	for _, t := range g.root.Types {
		top.Claim(typeName(t), "type `"+t.Source()+"`")
		members("member", "type `"+t.Source()+"`", t.Fields, pascal)
	}
	tables := model.NewScope("tables")
	for _, t := range g.root.Tables {
		p := pascal(t.Accessor)
		tables.Claim(p, t.Source())
		if g.has.queries {
			top.Claim(p+"Cols", t.Source())
			top.Claim(p+"IxCols", t.Source())
		}
	}
	functions := func(kind string, list []*model.Function, derived ...string) {
		scope := model.NewScope("members of the " + kind + "s")
		for _, f := range list {
			what, p := kind+" `"+f.Accessor+"`", pascal(f.Accessor)
			for _, pattern := range derived {
				if !scope.Claim(fmt.Sprintf(pattern, p), what) {
					break
				}
			}
			members("parameter", what, f.Params, pascal)
		}
		errs = append(errs, scope.Err())
	}
	functions("reducer", g.root.Reducers, "%s", "On%s", "Invoke%s", "%sHandler")
	functions("procedure", g.procedures(), "%s", "%sArgs")
	return errors.Join(append(errs, top.Err(), tables.Err())...)
}

// checkNamespace fails if the namespace that the user wants is none.
func checkNamespace(namespace string) error {
	for part := range strings.SplitSeq(namespace, ".") {
		valid := part != "" && !keywords[part]
		for i, r := range part {
			valid = valid && (r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || i > 0 && '0' <= r && r <= '9' || r > 0x7f)
		}
		if !valid {
			return fmt.Errorf("%q is not a C# namespace: write names joined by dots, like %s", namespace, DefaultNamespace)
		}
	}
	return nil
}
