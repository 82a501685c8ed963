package unreal

import (
	"errors"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
)

// nameTypes gives each type its name: the last segment as the module writes it,
// behind the scope if two would be the same (spec 10 §8.3).
func (g *generator) nameTypes() {
	g.names = map[*model.Type]string{}
	count := map[string]int{}
	for _, t := range g.root.Types {
		count[strings.ToLower(t.Name)]++ // names of files do not tell case apart everywhere
	}
	for _, t := range g.root.Types {
		name := t.Name
		if count[strings.ToLower(t.Name)] > 1 {
			scope := ""
			for _, s := range t.Scope {
				scope += pascal(s)
			}
			name = scope + t.Name
		}
		g.names[t] = g.prefix + name
	}
}

// class returns the name of a type's struct or enum.
func (g *generator) class(t *model.Type) string {
	if t.Shape == model.PlainEnum {
		return "E" + g.names[t] + "Type"
	}
	return "F" + g.names[t] + "Type"
}

// local are names that the patterns use beside the parameters of a function.
var local = map[string]bool{
	"Context": true, "Args": true, "Conn": true, "RequestId": true, "Callback": true, "OutResults": true, "Cache": true, "Wrapper": true,
	"This": true, "Event": true, "ResultData": true, "bSuccess": true,
}

// param returns the name of a parameter. In Pascal case it can be no keyword.
func param(name string) string {
	if name = pascal(name); local[name] {
		return name + "_"
	}
	return name
}

// variant returns the name of a variant, whose factory must not hide the
// members of its struct.
func variant(name string) string {
	if name = pascal(name); name == "Tag" || name == "MessageData" {
		return name + "_"
	}
	return name
}

// checkNames fails if two things of the module get one identifier.
func (g *generator) checkNames() error {
	top := model.NewScope("types")
	var errs []error
	members := func(kind, of string, fields []model.Field) {
		scope := model.NewScope(kind + "s of " + of)
		for _, f := range fields {
			scope.Claim(pascal(f.Name), kind+" `"+f.Name+"`")
		}
		errs = append(errs, scope.Err())
	}
	for _, t := range g.root.Types {
		what := "type `" + t.Source() + "`"
		top.Claim(strings.ToLower(g.names[t]), what)
		members("member", what, t.Fields)
	}
	tables := model.NewScope("tables")
	for _, t := range g.root.Tables {
		tables.Claim(pascal(t.Accessor), t.Source())
	}
	functions := func(kind string, list []*model.Function, derived ...string) {
		scope := model.NewScope("members of the " + kind + "s")
		for _, f := range list {
			what := kind + " `" + f.Accessor + "`"
			for _, before := range derived {
				if !scope.Claim(before+pascal(f.Accessor), what) {
					break
				}
			}
			members("parameter", what, f.Params)
		}
		errs = append(errs, scope.Err())
	}
	functions("reducer", g.root.Reducers, "", "On", "Invoke")
	functions("procedure", g.procedures(), "")
	both := model.NewScope("structs of arguments")
	for _, f := range g.root.Reducers {
		both.Claim(pascal(f.Accessor), "reducer `"+f.Accessor+"`")
	}
	for _, f := range g.procedures() {
		both.Claim(pascal(f.Accessor), "procedure `"+f.Accessor+"`")
	}
	return errors.Join(append(errs, top.Err(), tables.Err(), both.Err())...)
}
