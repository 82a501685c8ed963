package golang

import (
	"errors"
	"fmt"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/schema"
)

// exported returns the exported identifier of a source name.
func exported(name string) string {
	s := schema.ToPascal(name)
	if first, _ := utf8.DecodeRuneInString(s); !unicode.IsUpper(first) {
		s = "X" + s // a digit, a letter without case, or nothing
	}
	return strings.Map(func(r rune) rune {
		if r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return '_'
	}, s)
}

// predeclared are the identifiers that Go declares itself, and those that
// generated functions use.
var predeclared = strings.Fields(`any append bool byte cap clear close cmp comparable complex complex128 complex64 copy
	delete error false float32 float64 imag int int16 int32 int64 int8 iota len make max min new nil panic print println real
	recover rune string true uint uint16 uint32 uint64 uint8 uintptr
	b bytes calls client context ctx fmt init iter key options r sats strconv v x`)

// local returns the identifier of a parameter.
func local(name string) string {
	s := schema.ToCamel(name)
	if first, _ := utf8.DecodeRuneInString(s); !unicode.IsLetter(first) {
		s = "arg" + s
	}
	s = strings.Map(func(r rune) rune {
		if r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return '_'
	}, s)
	if token.IsKeyword(s) || slices.Contains(predeclared, s) {
		s += "_"
	}
	return s
}

// reserved are the exported names that every generated package has.
var reserved = []string{"Conn", "Dial", "Procedures", "Query", "Reducer", "Reducers", "Send", "Tables"}

// names has the identifiers of everything in the package.
type names struct {
	types    map[*model.Type]string
	variants map[*model.Type][]string // constants of enums, structs of sums
	appends  map[*model.Type]string   // functions of sums
	reads    map[*model.Type]string
	stems    map[*model.Table]string // what the names for a table end with
	tables   map[*model.Table]string // the types of tables with indexes
	args     map[*model.Function]string
	levels   map[*model.Level]string // what types for a level begin with
	taken    map[string]bool
}

// name finds identifiers for everything, and names what collides.
func (g *generator) name() error {
	n := names{
		types: map[*model.Type]string{}, appends: map[*model.Type]string{}, reads: map[*model.Type]string{}, variants: map[*model.Type][]string{}, tables: map[*model.Table]string{}, stems: map[*model.Table]string{},
		args: map[*model.Function]string{}, levels: map[*model.Level]string{}, taken: map[string]bool{},
	}
	for _, name := range reserved {
		n.taken[name] = true
	}
	var problems []error
	scope := model.NewScope("types")
	levels := g.root.Levels()
	prefixes := map[string]bool{}
	for _, l := range levels {
		for _, s := range l.Path {
			n.levels[l] += exported(s)
		}
		for prefixes[n.levels[l]] {
			n.levels[l] += "_"
		}
		prefixes[n.levels[l]] = true
		for _, t := range l.Types {
			name := n.levels[l] + exported(t.Ident)
			for slices.Contains(reserved, name) {
				name += "_"
			}
			scope.Claim(name, "type `"+strings.Join(append(slices.Clip(l.Path), t.Source()), "::")+"`")
			n.types[t] = name
			n.taken[name] = true
		}
	}
	problems = append(problems, scope.Err())
	for _, l := range levels {
		for _, t := range l.Types {
			problems = append(problems, n.fieldsOf(t))
		}
	}
	for _, l := range levels {
		for _, suffix := range []string{"Tables", "Reducers", "Send", "Procedures"} {
			n.taken[n.levels[l]+suffix] = true
		}
	}
	for _, l := range levels {
		problems = append(problems, n.objects(l))
	}
	g.names = n
	return errors.Join(problems...)
}

// fieldsOf checks the fields of a product, and names the variants of a sum.
func (n *names) fieldsOf(t *model.Type) error {
	what := "fields"
	if t.Shape != model.Product {
		what = "variants"
	}
	scope := model.NewScope(what + " of type " + t.Source())
	if t.Shape == model.Sum {
		n.appends[t], n.reads[t] = n.derive("Append"+n.types[t]), n.derive("Read"+n.types[t])
	}
	for i, f := range t.Fields {
		name := exported(f.Name)
		scope.Claim(name, fmt.Sprintf("%s %d `%s`", strings.TrimSuffix(what, "s"), i+1, f.Name))
		if t.Shape != model.Product {
			n.variants[t] = append(n.variants[t], n.derive(n.types[t]+name))
		}
	}
	return scope.Err()
}

// derive returns a name for something that the module does not name itself.
func (n *names) derive(name string) string {
	for n.taken[name] {
		name += "_"
	}
	n.taken[name] = true
	return name
}

// objects checks the tables and functions of a level, and names their types.
func (n *names) objects(l *model.Level) error {
	tables, reducers, procedures := model.NewScope("tables"), model.NewScope("reducers"), model.NewScope("procedures")
	for _, s := range l.Subs {
		last := s.Path[len(s.Path)-1]
		for _, scope := range []*model.Scope{tables, reducers, procedures} {
			scope.Claim(exported(last), "submodule `"+last+"`")
		}
	}
	var problems []error
	for _, t := range l.Combined() {
		tables.Claim(exported(t.Accessor), t.Source())
		n.stems[t] = strings.TrimPrefix(n.derive("info"+n.levels[l]+exported(t.Accessor)), "info")
		n.tables[t] = n.derive(n.levels[l] + exported(t.Accessor) + "Table")
		problems = append(problems, params(t.Params, t.Source()))
	}
	for _, f := range l.Reducers {
		reducers.Claim(exported(f.Accessor), "reducer `"+f.Accessor+"`")
		n.args[f] = n.derive(n.levels[l] + exported(f.Accessor) + "Args")
		problems = append(problems, params(f.Params, "reducer "+f.Accessor))
	}
	for _, f := range l.Procedures {
		procedures.Claim(exported(f.Accessor), "procedure `"+f.Accessor+"`")
		n.args[f] = n.derive("args" + n.levels[l] + exported(f.Accessor))
		problems = append(problems, params(f.Params, "procedure "+f.Accessor))
	}
	return errors.Join(append(problems, tables.Err(), reducers.Err(), procedures.Err())...)
}

// params checks the parameters of a function.
func params(fields []model.Field, of string) error {
	scope := model.NewScope("parameters of " + of)
	for i, f := range fields {
		source := fmt.Sprintf("parameter %d `%s`", i+1, f.Name)
		scope.Claim(exported(f.Name), source)
	}
	return scope.Err()
}

// index names the variable of a loop.
func index(depth int) string {
	if depth < 3 {
		return string("ijk"[depth])
	}
	return "i" + strconv.Itoa(depth)
}
