package rust

import "github.com/stdbgo/spacetime/internal/codegen/source"

// parts are what every context and the connection give access to: the field and
// the struct of each.
func (g *generator) parts() [][2]string {
	list := [][2]string{{"db", "RemoteTables"}, {"reducers", "RemoteReducers"}}
	if g.has.procedures {
		list = append(list, [2]string{"procedures", "RemoteProcedures"})
	}
	if !g.has.v2 {
		list = append(list, [2]string{"set_reducer_flags", "SetReducerFlags"})
	}
	return list
}

// associated returns the name of a part's type in the SDK's trait DbContext.
func associated(part [2]string) string {
	switch part[1] {
	case "RemoteTables":
		return "DbView"
	case "SetReducerFlags":
		return "SetReducerFlags"
	}
	return part[1][len("Remote"):]
}

var partDocs = map[string]string{
	"db":                "The tables, by one extension trait each.",
	"reducers":          "The reducers, by one extension trait each.",
	"procedures":        "The procedures, by one extension trait each.",
	"set_reducer_flags": "The flags of reducer calls, by one extension trait per reducer.",
}

// contexts writes the structs that callbacks get.
func (g *generator) contexts(w *source.Writer) {
	for _, p := range g.parts() {
		w.Put(`

/// ‹doc›
pub struct ‹T› {
    imp: __sdk::DbContextImpl<RemoteModule>,
}

impl __sdk::InModule for ‹T› {
    type Module = RemoteModule;
}
`, "doc", partDocs[p[0]], "T", p[1])
	}
	g.contextMacro(w)
	event := func(name, doc, typ string) {
		w.Put("\n\n/// "+doc+"\n", nil...)
		g.context(w, name, typ)
	}
	event("EventContext", "What callbacks on rows get.", "__sdk::Event<Reducer>")
	event("ReducerEventContext", "What callbacks on reducers get.", "__sdk::ReducerEvent<Reducer>")
	if g.has.procedures {
		event("ProcedureEventContext", "What callbacks on procedures get.", "")
	}
	event("SubscriptionEventContext", "What callbacks on subscriptions get.", "")
	event("ErrorContext", "What callbacks on errors and disconnects get.", "Option<__sdk::Error>")
}

// contextMacro writes the methods that all contexts and the connection share.
func (g *generator) contextMacro(w *source.Writer) {
	w.Put(`

macro_rules! context_impls {
    ($name:ident) => {
        impl __sdk::InModule for $name {
            type Module = RemoteModule;
        }

        impl __sdk::DbContext for $name {
`)
	for _, p := range g.parts() {
		w.Line("            type %s = %s;", associated(p), p[1])
	}
	w.Line("            type SubscriptionBuilder = __sdk::SubscriptionBuilder<RemoteModule>;")
	for _, p := range g.parts() {
		w.Put(`
            fn ‹field›(&self) -> &Self::‹T› {
                &self.‹field›
            }
`, "field", p[0], "T", associated(p))
	}
	w.Put(`
            fn is_active(&self) -> bool {
                self.imp.is_active()
            }
            fn disconnect(&self) -> __sdk::Result<()> {
                self.imp.disconnect()
            }
            fn subscription_builder(&self) -> Self::SubscriptionBuilder {
                __sdk::SubscriptionBuilder::new(&self.imp)
            }
            fn try_identity(&self) -> Option<__sdk::Identity> {
                self.imp.try_identity()
            }
            fn connection_id(&self) -> __sdk::ConnectionId {
                self.imp.connection_id()
            }
`)
	if g.has.tryConnection {
		w.Put(`
            fn try_connection_id(&self) -> Option<__sdk::ConnectionId> {
                self.imp.try_connection_id()
            }
`)
	}
	w.Put(`
        }
    };
}
`)
}

// context writes one of the contexts; event is the type of its event, "" if it
// has none.
func (g *generator) context(w *source.Writer, name, event string) {
	w.Open("pub struct %s {", name)
	for _, p := range g.parts() {
		w.Line("pub %s: %s,", p[0], p[1])
	}
	typ, value := "()", "&()"
	if event != "" {
		w.Line("pub event: %s,", event)
		typ, value = event, "&self.event"
	}
	w.Line("imp: __sdk::DbContextImpl<RemoteModule>,")
	w.Close("}")
	w.Put(`

context_impls!(‹Name›);

impl __sdk::AbstractEventContext for ‹Name› {
    type Event = ‹Event›;
    fn event(&self) -> &Self::Event {
        ‹value›
    }
    fn new(imp: __sdk::DbContextImpl<RemoteModule>, event: Self::Event) -> Self {
        Self {
`, "Name", name, "Event", typ, "value", value)
	for _, p := range g.parts() {
		w.Line("            %s: %s { imp: imp.clone() },", p[0], p[1])
	}
	if event != "" {
		w.Line("            event,")
	}
	w.Put(`
            imp,
        }
    }
}

impl __sdk::‹Name› for ‹Name› {}
`, "Name", name)
}
