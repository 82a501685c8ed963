package rust

import (
	"strconv"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/codegen/source"
	"github.com/stdbgo/spacetime/internal/schema"
)

// params returns "a: A, b: B".
func (g *generator) params(fields []model.Field) string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = snake(f.Name) + ": " + g.use(f.Use)
	}
	return strings.Join(list, ", ")
}

// names returns "a, b".
func names(fields []model.Field) string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = snake(f.Name)
	}
	return strings.Join(list, ", ")
}

// after returns s as further elements of a list.
func after(s string) string {
	if s == "" {
		return ""
	}
	return ", " + s
}

// before returns s as the first elements of a list.
func before(s string) string {
	if s == "" {
		return ""
	}
	return s + ", "
}

// braces returns " { s }", or nothing for nothing.
func braces(s string) string {
	if s == "" {
		return ""
	}
	return " { " + s + " }"
}

// construct returns "Name { s }", with braces even around nothing.
func construct(name, s string) string {
	if s == "" {
		return name + " {}"
	}
	return name + " { " + s + " }"
}

// argsStruct writes the struct that goes over the wire when f is called.
func (g *generator) argsStruct(w *source.Writer, visibility string, f *model.Function) {
	w.Put(derives)
	if len(f.Params) == 0 {
		w.Line("%sstruct %s {}", visibility, argsName(f))
	} else {
		w.Open("%sstruct %s {", visibility, argsName(f))
		for _, p := range f.Params {
			w.Line("pub %s: %s,", snake(p.Name), g.use(p.Use))
		}
		w.Close("}")
	}
	inModule(w, argsName(f))
}

// callPairs fill the patterns of reducers and procedures.
func (g *generator) callPairs(f *model.Function) []string {
	method := schema.ToSnake(f.Accessor)
	params, list := g.params(f.Params), names(f.Params)
	return []string{
		"f", escape(method), "plain", plain(method), "F", plain(schema.ToPascal(f.Accessor)), "V", pascal(f.Accessor),
		"c", quote(f.Name), "Args", argsName(f), "args", construct(argsName(f), list),
		"params", params, ",params", after(params), "params,", before(params), "names,", before(list),
		"doc", "`" + plain(method) + "`", "callback", callbackName(f),
	}
}

// callbackName is the name of our own parameter beside those of f.
func callbackName(f *model.Function) string {
	name := "callback"
	for _, p := range f.Params {
		if schema.ToSnake(p.Name) == name {
			return "__" + name
		}
	}
	return name
}

func (g *generator) reducerFile(f *model.Function) *source.Writer {
	w := g.file(nil, usesOf(f.Params)...)
	g.argsStruct(w, "pub(super) ", f)
	moved := make([]string, len(f.Params))
	for i, p := range f.Params {
		moved[i] = snake(p.Name) + ": args." + snake(p.Name)
	}
	w.Put(`

impl From<‹Args›> for super::Reducer {
    fn from(args: ‹Args›) -> Self {
        Self::‹V›‹moved›
    }
}
`, append(g.callPairs(f), "moved", braces(strings.Join(moved, ", ")))...)
	switch {
	case !g.has.v2:
		g.observedReducer(w, f)
	case f.Lifecycle == 0:
		w.Put(reducerCall, g.callPairs(f)...)
	}
	return w
}

const reducerCall = `

/// Lets ‹doc› be called on a connection's reducers.
#[allow(non_camel_case_types)]
pub trait ‹f› {
    /// Call the reducer; its outcome is ignored.
    fn ‹f›(&self‹,params›) -> __sdk::Result<()> {
        self.‹plain›_then(‹names,›|_, _| {})
    }

    /// Call the reducer and run ‹callback› with its outcome: the outer error is the
    /// server's, the inner one the reducer's.
    fn ‹plain›_then(
        &self,
        ‹params,›‹callback›: impl FnOnce(&super::ReducerEventContext, Result<Result<(), String>, __sdk::InternalError>)
            + Send
            + 'static,
    ) -> __sdk::Result<()>;
}

impl ‹f› for super::RemoteReducers {
    fn ‹plain›_then(
        &self,
        ‹params,›‹callback›: impl FnOnce(&super::ReducerEventContext, Result<Result<(), String>, __sdk::InternalError>)
            + Send
            + 'static,
    ) -> __sdk::Result<()> {
        self.imp.invoke_reducer_with_callback(‹args›, ‹callback›)
    }
}
`

// observedReducer writes the interface of releases before 2.0: a call without an
// outcome, callbacks for everybody's calls, and flags (spec 10 §6.7).
func (g *generator) observedReducer(w *source.Writer, f *model.Function) {
	references := "&super::ReducerEventContext"
	bound, passed := make([]string, len(f.Params)), "__ctx"
	for i, p := range f.Params {
		references += ", &" + g.use(p.Use)
		bound[i] = snake(p.Name) + ": __" + strconv.Itoa(i)
		passed += ", __" + strconv.Itoa(i)
	}
	pairs := append(g.callPairs(f), "refs", references, "bound", braces(strings.Join(bound, ", ")), "passed", passed)
	w.Put(`

pub struct ‹F›CallbackId(__sdk::CallbackId);

/// Lets ‹doc› be called on a connection's reducers, and observed.
#[allow(non_camel_case_types)]
pub trait ‹f› {
`, pairs...)
	if f.Lifecycle == 0 {
		w.Put(`
    fn ‹f›(&self‹,params›) -> __sdk::Result<()>;
`, pairs...)
	}
	w.Put(`
    fn on_‹plain›(
        &self,
        callback: impl FnMut(‹refs›) + Send + 'static,
    ) -> ‹F›CallbackId;
    fn remove_on_‹plain›(&self, callback: ‹F›CallbackId);
}

impl ‹f› for super::RemoteReducers {
`, pairs...)
	if f.Lifecycle == 0 {
		w.Put(`
    fn ‹f›(&self‹,params›) -> __sdk::Result<()> {
        self.imp.call_reducer(‹c›, ‹args›)
    }
`, pairs...)
	}
	w.Put(`
    fn on_‹plain›(
        &self,
        mut callback: impl FnMut(‹refs›) + Send + 'static,
    ) -> ‹F›CallbackId {
        ‹F›CallbackId(self.imp.on_reducer(
            ‹c›,
            Box::new(move |__ctx: &super::ReducerEventContext| match &__ctx.event.reducer {
                super::Reducer::‹V›‹bound› => callback(‹passed›),
                _ => unreachable!(),
            }),
        ))
    }
    fn remove_on_‹plain›(&self, callback: ‹F›CallbackId) {
        self.imp.remove_on_reducer(‹c›, callback.0)
    }
}
`, pairs...)
	if f.Lifecycle != 0 {
		return
	}
	w.Put(`

/// Sets the flags of calls of ‹doc›.
#[allow(non_camel_case_types)]
#[doc(hidden)]
pub trait set_flags_for_‹plain› {
    fn ‹f›(&self, flags: __ws::CallReducerFlags);
}

impl set_flags_for_‹plain› for super::SetReducerFlags {
    fn ‹f›(&self, flags: __ws::CallReducerFlags) {
        self.imp.set_call_reducer_flags(‹c›, flags);
    }
}
`, pairs...)
}

func (g *generator) procedureFile(f *model.Function) *source.Writer {
	w := g.file(nil, append(usesOf(f.Params), f.Return)...)
	g.argsStruct(w, "", f)
	w.Put(`

/// Lets ‹doc› be called on a connection's procedures.
#[allow(non_camel_case_types)]
pub trait ‹f› {
    /// Call the procedure; what it returns is ignored.
    fn ‹f›(&self‹,params›) {
        self.‹plain›_then(‹names,›|_, _| {})
    }

    /// Call the procedure and run ‹callback› with what it returns.
    fn ‹plain›_then(
        &self,
        ‹params,›‹callback›: impl FnOnce(&super::ProcedureEventContext, Result<‹T›, __sdk::InternalError>) + Send + 'static,
    );
}

impl ‹f› for super::RemoteProcedures {
    fn ‹plain›_then(
        &self,
        ‹params,›‹callback›: impl FnOnce(&super::ProcedureEventContext, Result<‹T›, __sdk::InternalError>) + Send + 'static,
    ) {
        self.imp
            .invoke_procedure_with_callback::<_, ‹T›>(‹c›, ‹args›, ‹callback›)
    }
}
`, append(g.callPairs(f), "T", g.use(f.Return))...)
	return w
}
