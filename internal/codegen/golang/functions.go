package golang

import (
	"strconv"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/schema"
)

// visitLevels calls write for all levels, the deepest first.
func (g *generator) visitLevels(write func(l *model.Level, prefix string)) {
	levels := g.root.Levels()
	for i := len(levels) - 1; i >= 0; i-- {
		write(levels[i], g.names.levels[levels[i]])
	}
}

// place returns where a level is, as the end of a sentence.
func place(l *model.Level) string {
	if l.Canonical == "" {
		return "the module"
	}
	return "the submodule " + l.Canonical
}

// subFields writes the fields for the submodules of a level.
func (g *generator) subFields(f *file, l *model.Level, suffix string) {
	for _, s := range l.Subs {
		f.Linef("%s %s%s", exported(s.Path[len(s.Path)-1]), g.names.levels[s], suffix)
	}
}

// params returns the parameters of a function as they are declared, and the
// composite literal of its arguments.
func (g *generator) params(f *file, fields []model.Field, args string) (declared, literal string) {
	var decl, lit []string
	for _, p := range fields {
		decl = append(decl, local(p.Name)+" "+g.goType(f, p.Use, nil))
		lit = append(lit, exported(p.Name)+": "+local(p.Name))
	}
	return strings.Join(decl, ", "), args + "{" + strings.Join(lit, ", ") + "}"
}

// reducers writes the calls of reducers and what events say of them.
func (g *generator) reducers(f *file) {
	f.Linef("// A Reducer is a call of one of the module's reducers, as seen in events.")
	f.Linef("type Reducer interface{ isReducer() }\n")
	g.visitLevels(func(l *model.Level, prefix string) {
		for _, r := range l.Reducers {
			args := g.names.args[r]
			f.Linef("// %s are the arguments of the reducer %s.", args, r.Name)
			g.structOf(f, args, r.Params, nil)
			f.Linef("func (%s) isReducer() {}\n", args)
			g.codec(f, args, r.Params, nil, false)
		}
		c := f.use("client")
		f.Linef("// %sReducers calls the reducers of %s and waits for the outcome.", prefix, place(l))
		f.Block("type "+prefix+"Reducers struct {", "}", func() {
			f.Linef("calls *%s.Conn", c)
			g.subFields(f, l, "Reducers")
		})
		f.Blank()
		for _, r := range l.Reducers {
			if r.Lifecycle == schema.LifecycleNone {
				g.reducer(f, r, prefix+"Reducers")
			}
		}
		f.Linef("// %sSend calls the reducers of %s without waiting; callbacks use it.", prefix, place(l))
		f.Block("type "+prefix+"Send struct {", "}", func() {
			f.Linef("calls *%s.Conn", c)
			g.subFields(f, l, "Send")
		})
		f.Blank()
		for _, r := range l.Reducers {
			if r.Lifecycle == schema.LifecycleNone {
				g.reducer(f, r, prefix+"Send")
			}
		}
	})
}

// reducer writes the method that calls a reducer, of the type of those that wait
// or of the other.
func (g *generator) reducer(f *file, r *model.Function, of string) {
	name := exported(r.Accessor)
	declared, literal := g.params(f, r.Params, g.names.args[r])
	if declared != "" {
		declared += ", "
	}
	declared += "options ..." + f.use("client") + ".CallOption"
	if strings.HasSuffix(of, "Send") {
		f.Linef("// %s calls the reducer %s.", name, r.Name)
		f.Linef("func (r %s) %s(%s) *client.Call {", of, name, declared)
		f.Linef("\treturn r.calls.CallAppend(%q, %s.AppendBSATN, options...)", r.Name, literal)
	} else {
		f.Linef("// %s calls the reducer %s and returns how it ended, as client.Call.Wait does.", name, r.Name)
		f.Linef("func (r %s) %s(ctx %s.Context, %s) error {", of, name, f.use("context"), declared)
		f.Linef("\treturn r.calls.CallWait(ctx, %q, %s.AppendBSATN, options...)", r.Name, literal)
	}
	f.Linef("}\n")
}

// procedures writes the calls of procedures.
func (g *generator) procedures(f *file) {
	g.visitLevels(func(l *model.Level, prefix string) {
		for _, p := range l.Procedures {
			if len(p.Params) > 0 {
				args := g.names.args[p]
				g.structOf(f, args, p.Params, nil)
				f.Block("func (v "+args+") append(b []byte) []byte {", "}", func() {
					for _, field := range p.Params {
						g.append(f, field.Use, "v."+exported(field.Name), nil, 0)
					}
					f.Linef("return b")
				})
				f.Blank()
			}
		}
		f.Linef("// %sProcedures calls the procedures of %s.", prefix, place(l))
		f.Block("type "+prefix+"Procedures struct {", "}", func() {
			f.Linef("calls *%s.Conn", f.use("client"))
			g.subFields(f, l, "Procedures")
		})
		f.Blank()
		for _, p := range l.Procedures {
			g.procedure(f, p, prefix)
		}
	})
}

func (g *generator) procedure(f *file, p *model.Function, prefix string) {
	name, result := exported(p.Accessor), g.goType(f, p.Return, nil)
	declared, literal := g.params(f, p.Params, g.names.args[p])
	if declared != "" {
		declared = ", " + declared
	}
	args := "nil"
	if len(p.Params) > 0 {
		args = literal + ".append"
	}
	f.Linef("// %s calls the procedure %s and returns its result.", name, p.Name)
	f.Block("func (r "+prefix+"Procedures) "+name+"(ctx "+f.use("context")+".Context"+declared+") ("+result+", error) {", "}", func() {
		f.Block("return client.ProcedureResult(ctx, r.calls, "+strconv.Quote(p.Name)+", "+args+", func(r *"+f.use("sats")+".Reader) (v "+result+") {", "})", func() {
			g.read(f, p.Return, "v", nil, 0)
			f.Linef("return v")
		})
	})
	f.Blank()
}
