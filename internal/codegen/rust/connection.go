package rust

import "github.com/stdbgo/spacetime/internal/codegen/source"

// connection writes DbConnection, SubscriptionHandle and RemoteDbContext.
func (g *generator) connection(w *source.Writer) {
	w.Put(`

/// A connection to a database of this module.
pub struct DbConnection {
`)
	for _, p := range g.parts() {
		w.Line("    pub %s: %s,", p[0], p[1])
	}
	w.Put(`
    imp: __sdk::DbContextImpl<RemoteModule>,
}

context_impls!(DbConnection);

impl __sdk::DbConnection for DbConnection {
    fn new(imp: __sdk::DbContextImpl<RemoteModule>) -> Self {
        Self {
`)
	for _, p := range g.parts() {
		w.Line("            %s: %s { imp: imp.clone() },", p[0], p[1])
	}
	w.Put(`
            imp,
        }
    }
}
`)
	g.runMethods(w)
	w.Put(subscriptionHandle)
	g.anyContext(w)
}

// runMethods writes the ways to drive a connection. Releases from 2.0 on run in
// browsers, too, which have no threads.
func (g *generator) runMethods(w *source.Writer) {
	native := ""
	if g.has.v2 {
		native = "    #[cfg(not(target_arch = \"wasm32\"))]\n"
	}
	w.Put(`

impl DbConnection {
    /// Begin to configure a connection.
    pub fn builder() -> __sdk::DbConnectionBuilder<RemoteModule> {
        __sdk::DbConnectionBuilder::new()
    }

    /// Handle one message if one is there, and tell whether one was.
    pub fn advance_one_message(&self) -> __sdk::Result<bool> {
        self.imp.advance_one_message()
    }

    /// Wait for one message and handle it.
`+native+`
    pub fn advance_one_message_blocking(&self) -> __sdk::Result<()> {
        self.imp.advance_one_message_blocking()
    }

    /// Wait for one message and handle it.
    pub async fn advance_one_message_async(&self) -> __sdk::Result<()> {
        self.imp.advance_one_message_async().await
    }

    /// Handle all messages that are there, without waiting.
    pub fn frame_tick(&self) -> __sdk::Result<()> {
        self.imp.frame_tick()
    }

    /// Start a thread that handles messages until the connection ends.
`+native+`
    pub fn run_threaded(&self) -> std::thread::JoinHandle<()> {
        self.imp.run_threaded()
    }
`, nil...)
	if g.has.v2 {
		w.Put(`

    /// Start a task that handles messages until the connection ends.
    #[cfg(target_arch = "wasm32")]
    pub fn run_background_task(&self) {
        self.imp.run_background_task()
    }
`)
	}
	w.Put(`

    /// Handle messages until the connection ends.
    pub async fn run_async(&self) -> __sdk::Result<()> {
        self.imp.run_async().await
    }
}
`)
}

const subscriptionHandle = `

/// A handle on a subscription.
#[derive(Clone)]
pub struct SubscriptionHandle {
    imp: __sdk::SubscriptionHandleImpl<RemoteModule>,
}

impl __sdk::InModule for SubscriptionHandle {
    type Module = RemoteModule;
}

impl __sdk::SubscriptionHandle for SubscriptionHandle {
    fn new(imp: __sdk::SubscriptionHandleImpl<RemoteModule>) -> Self {
        Self { imp }
    }
    fn is_ended(&self) -> bool {
        self.imp.is_ended()
    }
    fn is_active(&self) -> bool {
        self.imp.is_active()
    }
    fn unsubscribe_then(self, on_end: __sdk::OnEndedCallback<RemoteModule>) -> __sdk::Result<()> {
        self.imp.unsubscribe_then(Some(on_end))
    }
    fn unsubscribe(self) -> __sdk::Result<()> {
        self.imp.unsubscribe_then(None)
    }
}
`

// anyContext writes the bound for functions that take any context.
func (g *generator) anyContext(w *source.Writer) {
	bounds := func(indent string) string {
		text := ""
		for _, p := range g.parts() {
			text += indent + associated(p) + " = " + p[1] + ",\n"
		}
		return text + indent + "SubscriptionBuilder = __sdk::SubscriptionBuilder<RemoteModule>,\n"
	}
	w.Put(`

/// The connection or any callback's context.
pub trait RemoteDbContext:
    __sdk::DbContext<
` + bounds("    ") + `>
{
}

impl<
        Ctx: __sdk::DbContext<
` + bounds("            ") + `        >,
    > RemoteDbContext for Ctx
{
}
`)
}
