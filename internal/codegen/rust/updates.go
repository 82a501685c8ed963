package rust

import (
	"github.com/stdbgo/spacetime/internal/codegen/source"
	"github.com/stdbgo/spacetime/internal/schema"
)

// updates writes how rows get from messages into the client's cache.
func (g *generator) updates(w *source.Writer) {
	g.updateStruct(w)
	g.updateFromMessage(w)
	g.applyUpdate(w)
	g.appliedDiff(w)
}

func (g *generator) updateStruct(w *source.Writer) {
	w.Put(`

/// Changes to all tables, as received.
#[doc(hidden)]
#[allow(non_snake_case)]
#[derive(Default)]
pub struct DbUpdate {
`)
	for _, t := range g.root.Combined() {
		n := g.namesOf(t)
		w.Line("    %s: __sdk::TableUpdate<%s>,", n.method, n.row)
	}
	w.Line("}")
	if g.has.v2 { // deriving it would need TableUpdate: Debug, which came later than the bound
		w.Put(`

impl std::fmt::Debug for DbUpdate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DbUpdate")
    }
}
`)
	}
	w.Put(`

impl __sdk::InModule for DbUpdate {
    type Module = RemoteModule;
}
`)
}

func (g *generator) updateFromMessage(w *source.Writer) {
	message, container, iterate := "__ws::v2::TransactionUpdate", "TransactionUpdate", "__sdk::transaction_update_iter_table_updates(raw)"
	if !g.has.v2 {
		message, container, iterate = "__ws::DatabaseUpdate<__ws::BsatnFormat>", "DatabaseUpdate", "raw.tables"
	}
	w.Put(`

impl TryFrom<‹Message›> for DbUpdate {
    type Error = __sdk::Error;
    fn try_from(raw: ‹Message›) -> Result<Self, Self::Error> {
        let mut all = Self::default();
        for update in ‹iterate› {
            match &update.table_name[..] {
`, "Message", message, "iterate", iterate)
	for _, t := range g.root.Combined() {
		pattern := "                ‹c› => all.‹m›.append(‹stem›::parse_table_update(update)?),\n"
		if !g.has.appends {
			pattern = "                ‹c› => all.‹m› = ‹stem›::parse_table_update(update)?,\n"
		}
		w.Put(pattern, append(g.namesOf(t).pairs(), "stem", tableStem(t))...)
	}
	w.Put(`
                other => return Err(__sdk::InternalError::unknown_name("table", other, ‹container›).into()),
            }
        }
        Ok(all)
    }
}
`, "container", quote(container))
}

func (g *generator) applyUpdate(w *source.Writer) {
	w.Put(`

impl __sdk::DbUpdate for DbUpdate {
    fn apply_to_client_cache(&self, cache: &mut __sdk::ClientCache<RemoteModule>) -> AppliedDiff<'_> {
        AppliedDiff {
`)
	for _, t := range g.root.Combined() {
		pairs := g.namesOf(t).pairs()
		if g.isEvent(t) {
			w.Put("            ‹m›: self.‹m›.into_event_diff(),\n", pairs...)
			continue
		}
		if i, keyed := g.primaryKey(t); keyed {
			w.Put(`
            ‹m›: cache
                .apply_diff_to_table::<‹Row›>(‹c›, &self.‹m›)
                .with_updates_by_pk(|row| &row.‹pk›),
`, append(pairs, "pk", escape(schema.ToSnake(t.Columns[i].Accessor)))...)
		} else {
			w.Put("            ‹m›: cache.apply_diff_to_table::<‹Row›>(‹c›, &self.‹m›),\n", pairs...)
		}
	}
	w.Put(`
            __unused: std::marker::PhantomData,
        }
    }
`)
	if g.has.v2 {
		g.parseRows(w, "parse_initial_rows", "parse_row_list_as_inserts")
		g.parseRows(w, "parse_unsubscribe_rows", "parse_row_list_as_deletes")
	}
	w.Line("}")
}

func (g *generator) parseRows(w *source.Writer, method, parse string) {
	w.Put(`
    fn ‹method›(raw: __ws::v2::QueryRows) -> __sdk::Result<Self> {
        let mut all = Self::default();
        for rows in raw.tables {
            match &rows.table[..] {
`, "method", method)
	for _, t := range g.root.Combined() {
		w.Put("                ‹c› => all.‹m›.append(__sdk::‹parse›(rows.rows)?),\n", append(g.namesOf(t).pairs(), "parse", parse)...)
	}
	w.Put(`
                other => return Err(__sdk::InternalError::unknown_name("table", other, "QueryRows").into()),
            }
        }
        Ok(all)
    }
`)
}

func (g *generator) appliedDiff(w *source.Writer) {
	w.Put(`

/// Changes to all tables after they went through the cache.
#[doc(hidden)]
#[allow(non_snake_case)]
#[derive(Default)]
pub struct AppliedDiff<'r> {
`)
	for _, t := range g.root.Combined() {
		n := g.namesOf(t)
		w.Line("    %s: __sdk::TableAppliedDiff<'r, %s>,", n.method, n.row)
	}
	w.Put(`
    __unused: std::marker::PhantomData<&'r ()>,
}

impl __sdk::InModule for AppliedDiff<'_> {
    type Module = RemoteModule;
}

impl<'r> __sdk::AppliedDiff<'r> for AppliedDiff<'r> {
    fn invoke_row_callbacks(&self, event: &EventContext, callbacks: &mut __sdk::DbCallbacks<RemoteModule>) {
`)
	for _, t := range g.root.Combined() {
		w.Put("        callbacks.invoke_table_row_callbacks::<‹Row›>(‹c›, &self.‹m›, event);\n", g.namesOf(t).pairs()...)
	}
	w.Put(`
    }
}
`)
}
