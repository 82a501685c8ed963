package rust

import (
	"errors"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/schema"
)

// keywords of all editions up to 2024, strict and reserved.
var keywords = map[string]bool{}

func init() {
	for word := range strings.FieldsSeq(`as async await break const continue dyn else enum extern false fn for gen if impl in let
		loop match mod move mut pub ref return static struct trait true type unsafe use where while
		abstract become box do final macro override priv try typeof unsized virtual yield`) {
		keywords[word] = true
	}
}

// escape makes name usable as an identifier. Names are not on the wire, so this
// changes nothing there (spec 10 §2.3).
func escape(name string) string {
	switch {
	case name == "":
		return "__"
	case name == "self" || name == "Self" || name == "super" || name == "crate":
		return name + "_"
	case keywords[name]:
		return "r#" + name
	case name[0] >= '0' && name[0] <= '9':
		return "_" + name
	}
	return name
}

// plain is escape for the middle of an identifier or a file's name, where r# can
// not stand.
func plain(name string) string { return strings.TrimPrefix(escape(name), "r#") }

func snake(name string) string  { return escape(schema.ToSnake(name)) }
func pascal(name string) string { return escape(schema.ToPascal(name)) }

// prelude has the names that the patterns and the SDK's derive macros use without
// a path: a type of that name would hide them.
var prelude = map[string]bool{}

// ownNames has the items of mod.rs.
var ownNames = map[string]bool{}

func init() {
	for name := range strings.FieldsSeq(`Reducer DbUpdate AppliedDiff RemoteModule RemoteTables RemoteReducers RemoteProcedures
		SetReducerFlags EventContext ReducerEventContext ProcedureEventContext SubscriptionEventContext ErrorContext
		DbConnection SubscriptionHandle RemoteDbContext`) {
		ownNames[name] = true
	}
	for name := range strings.FieldsSeq(`AsRef Box Clone Copy Debug Default DoubleEndedIterator Drop Eq Err Fn FnMut FnOnce From Hash Into
		IntoIterator Iterator None Ok Option Ord PartialEq PartialOrd Result Send Sized Some String Sync ToOwned ToString
		TryFrom TryInto Vec`) {
		prelude[name] = true
	}
}

// typeName returns the identifier of a type. One that would hide what the
// bindings or the SDK's macros need gets an underscore.
func typeName(t *model.Type) string {
	if prelude[t.Ident] || ownNames[t.Ident] {
		return t.Ident + "_"
	}
	return escape(t.Ident)
}

func typeStem(t *model.Type) string          { return t.Stem + "_type" }
func tableStem(t *model.Table) string        { return schema.ToSnake(t.Accessor) + "_table" }
func reducerStem(f *model.Function) string   { return schema.ToSnake(f.Accessor) + "_reducer" }
func procedureStem(f *model.Function) string { return schema.ToSnake(f.Accessor) + "_procedure" }

// argsName is the name of the struct of a function's arguments.
func argsName(f *model.Function) string { return plain(schema.ToPascal(f.Accessor)) + "Args" }

// traitNames are those of the traits that a reducer or procedure exports.
func traitName(f *model.Function) string { return snake(f.Accessor) }

// checkNames fails if two things of the module get one identifier or file name.
func (g *generator) checkNames() error {
	items := model.NewScope("items")
	errs := []error{}
	members := func(kind, of string, fields []model.Field, convert func(string) string) {
		scope := model.NewScope(kind + "s of " + of)
		for _, f := range fields {
			scope.Claim(convert(f.Name), kind+" `"+f.Name+"`")
		}
		errs = append(errs, scope.Err())
	}
	for _, t := range g.root.Types {
		source := "type `" + t.Source() + "`"
		if items.Claim(typeName(t), source) {
			items.Claim(typeStem(t), source)
		}
		if t.Shape == model.Product {
			members("field", source, t.Fields, snake)
		} else {
			members("variant", source, t.Fields, pascal)
		}
	}
	for _, t := range g.root.Tables {
		items.Claim(tableStem(t), t.Source())
		members("parameter", t.Source(), t.Params, snake)
	}
	function := func(stem, source string, f *model.Function) {
		items.Claim(stem, source)
		members("parameter", source, f.Params, snake)
	}
	for _, f := range g.root.Reducers {
		function(reducerStem(f), "reducer `"+f.Accessor+"`", f)
	}
	for _, f := range g.procedures() {
		function(procedureStem(f), "procedure `"+f.Accessor+"`", f)
	}
	return errors.Join(append(errs, items.Err())...)
}

func tableKind(t *model.Table) string {
	if t.IsView {
		return "view"
	}
	return "table"
}

// IsKeyword reports whether a word is reserved in some edition of Rust, so that
// nothing can be called so.
func IsKeyword(word string) bool {
	return keywords[word] || word == "self" || word == "Self" || word == "super" || word == "crate"
}
