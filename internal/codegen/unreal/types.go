package unreal

import (
	"errors"
	"fmt"

	"github.com/stdbgo/spacetime/internal/codegen/model"
)

// A builtin is a type of the plugin or of C++.
type builtin struct {
	class, initial string
	short          string // in the names of options and results
	byValue        bool   // as a parameter
	hidden         bool   // no type of Blueprint
	include        string
}

var builtins = map[model.Kind]builtin{
	model.Bool: {class: "bool", initial: " = false", short: "Bool", byValue: true},
	model.I8:   {class: "int8", initial: " = 0", short: "Int8", byValue: true, hidden: true},
	model.I16:  {class: "int16", initial: " = 0", short: "Int16", byValue: true, hidden: true},
	model.I32:  {class: "int32", initial: " = 0", short: "Int32", byValue: true},
	model.I64:  {class: "int64", initial: " = 0", short: "Int64", byValue: true},
	model.U8:   {class: "uint8", initial: " = 0", short: "UInt8", byValue: true},
	model.U16:  {class: "uint16", initial: " = 0", short: "UInt16", byValue: true, hidden: true},
	model.U32:  {class: "uint32", initial: " = 0", short: "UInt32", byValue: true, hidden: true},
	model.U64:  {class: "uint64", initial: " = 0", short: "UInt64", byValue: true, hidden: true},
	model.F32:  {class: "float", initial: " = 0.0f", short: "Float", byValue: true},
	model.F64:  {class: "double", initial: " = 0.0", short: "Double", byValue: true},

	model.String: {class: "FString", short: "String"},
	model.I128:   plugin("Int128"), model.U128: plugin("UInt128"), model.I256: plugin("Int256"), model.U256: plugin("UInt256"),
	model.Identity: plugin("Identity"), model.ConnectionID: plugin("ConnectionId"), model.Timestamp: plugin("Timestamp"),
	model.TimeDuration: plugin("TimeDuration"), model.ScheduleAt: plugin("ScheduleAt"), model.UUID: plugin("Uuid"),
	model.Unit: {class: "FSpacetimeDBUnit", short: "Unit", byValue: true, include: "Types/UnitType.h"},
}

func plugin(name string) builtin {
	return builtin{class: "FSpacetimeDB" + name, short: name, include: "Types/Builtins.h"}
}

// use returns how a type is written.
func (g *generator) use(u *model.Use) string {
	switch u.Kind {
	case model.Ref:
		return g.class(u.Type)
	case model.Array:
		return "TArray<" + g.use(u.Elem) + ">"
	case model.Option, model.Result:
		return "F" + pascal(g.module) + g.short(u)
	}
	return builtins[u.Kind].class
}

// short returns the name of a type inside the names of options and results.
func (g *generator) short(u *model.Use) string {
	switch u.Kind {
	case model.Ref:
		return g.names[u.Type]
	case model.Array:
		return "Vec" + g.short(u.Elem)
	case model.Option:
		return "Optional" + g.short(u.Elem)
	case model.Result:
		return "Result" + g.short(u.Elem) + g.short(u.Err)
	}
	return builtins[u.Kind].short
}

// initial returns the initialiser of a member.
func (g *generator) initial(u *model.Use) string {
	if u.Kind == model.Ref && u.Type.Shape == model.PlainEnum {
		return " = static_cast<" + g.class(u.Type) + ">(0)"
	}
	return builtins[u.Kind].initial
}

// byValue reports whether the plugin's own bindings pass a type by value: handlers
// of delegates must match to the letter.
func byValue(u *model.Use) bool {
	return builtins[u.Kind].byValue || u.Kind == model.Option && byValue(u.Elem)
}

// argument returns how a type is written as that of a parameter.
func (g *generator) argument(u *model.Use) string {
	if byValue(u) {
		return "const " + g.use(u)
	}
	return "const " + g.use(u) + "&"
}

// delegateArgument is argument for delegates.
func (g *generator) delegateArgument(u *model.Use) string {
	if byValue(u) {
		return g.use(u)
	}
	return "const " + g.use(u) + "&"
}

// blueprint reports whether Blueprint knows a type: some integers it does not,
// nor containers in containers.
func blueprint(u *model.Use) bool {
	switch u.Kind {
	case model.Array:
		return u.Elem.Kind != model.Array && blueprint(u.Elem)
	case model.Option:
		return blueprint(u.Elem)
	case model.Result:
		return blueprint(u.Elem) && blueprint(u.Err)
	}
	return !builtins[u.Kind].hidden
}

func allBlueprint(fields []model.Field) bool {
	for _, f := range fields {
		if !blueprint(f.Use) {
			return false
		}
	}
	return true
}

// includes returns the headers that define the types which uses mention.
func (g *generator) includes(uses ...*model.Use) (list []string) {
	for _, u := range uses {
		switch u.Kind {
		case model.Ref:
			list = append(list, "ModuleBindings/Types/"+g.names[u.Type]+"Type.g.h")
		case model.Array:
			list = append(list, g.includes(u.Elem)...)
		case model.Option, model.Result:
			list = append(list, g.wrapperInclude(u))
		default:
			if include := builtins[u.Kind].include; include != "" {
				list = append(list, include)
			}
		}
	}
	return sorted(list)
}

func usesOf(fields []model.Field) []*model.Use {
	uses := make([]*model.Use, len(fields))
	for i := range fields {
		uses[i] = fields[i].Use
	}
	return uses
}

// checkTypes fails for what Unreal can not express: types without values, and
// types that contain themselves, except in an array of their own.
func (g *generator) checkTypes() error {
	var errs []error
	var never func(u *model.Use) bool
	never = func(u *model.Use) bool {
		return u != nil && (u.Kind == model.Never || never(u.Elem) || never(u.Err))
	}
	check := func(kind, of string, fields []model.Field) {
		for _, f := range fields {
			if never(f.Use) {
				errs = append(errs, fmt.Errorf("%s `%s` of %s: Unreal can not express a type without values", kind, f.Name, of))
			}
		}
	}
	for _, t := range g.root.Types {
		check("member", "type `"+t.Source()+"`", t.Fields)
		if t.Recursive && !onlyOwnArrays(t) {
			errs = append(errs, fmt.Errorf("type `%s` contains itself, which Unreal can express as an array of its own type only: put the others into a table of their own, by key", t.Source()))
		}
	}
	for _, f := range g.root.Reducers {
		check("parameter", "reducer `"+f.Accessor+"`", f.Params)
	}
	for _, f := range g.procedures() {
		check("parameter", "procedure `"+f.Accessor+"`", f.Params)
		check("result", "procedure `"+f.Accessor+"`", []model.Field{{Name: "result", Use: f.Return}})
	}
	return errors.Join(errs...)
}

// onlyOwnArrays reports whether a recursive product refers to recursive types
// only as elements of an array of itself.
func onlyOwnArrays(t *model.Type) bool {
	var mentions func(u *model.Use) bool
	mentions = func(u *model.Use) bool {
		return u != nil && (u.Kind == model.Ref && u.Type.Recursive && (u.Type == t || reaches(u.Type, t)) || mentions(u.Elem) || mentions(u.Err))
	}
	for _, f := range t.Fields {
		own := t.Shape == model.Product && f.Use.Kind == model.Array && f.Use.Elem.Kind == model.Ref && f.Use.Elem.Type == t
		if !own && mentions(f.Use) {
			return false
		}
	}
	return true
}

// reaches reports whether a type refers to another, however far away.
func reaches(from, to *model.Type) bool {
	seen := map[*model.Type]bool{}
	var walk func(*model.Type) bool
	var walkUse func(*model.Use) bool
	walkUse = func(u *model.Use) bool {
		return u != nil && (u.Kind == model.Ref && walk(u.Type) || walkUse(u.Elem) || walkUse(u.Err))
	}
	walk = func(t *model.Type) bool {
		if t == to {
			return true
		}
		if seen[t] {
			return false
		}
		seen[t] = true
		for _, f := range t.Fields {
			if walkUse(f.Use) {
				return true
			}
		}
		return false
	}
	return walk(from)
}
