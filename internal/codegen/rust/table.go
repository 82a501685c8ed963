package rust

import (
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/codegen/source"
	"github.com/stdbgo/spacetime/internal/schema"
)

// tableNames are the names of a table in its file.
type tableNames struct {
	class  string // P
	method string // m
	plain  string // m without r#
	row    string
	quoted string // the canonical name as a literal
}

func (g *generator) namesOf(t *model.Table) tableNames {
	m := schema.ToSnake(t.Accessor)
	return tableNames{class: plain(schema.ToPascal(t.Accessor)), method: escape(m), plain: plain(m), row: typeName(t.Row), quoted: quote(t.Name)}
}

func (n tableNames) pairs() []string {
	return []string{"P", n.class, "m", n.method, "plain", n.plain, "Row", n.row, "c", n.quoted, "doc", "`" + n.plain + "`", "call", "`ctx.db." + n.method + "()`", "tables", "`RemoteTables`"}
}

// stored reports whether the client keeps rows of t: not those of event tables.
func stored(t *model.Table) bool { return !t.IsEvent }

// isEvent reports whether t has the interface of event tables. Releases before
// 2.0 have none; there an event table looks like any other table.
func (g *generator) isEvent(t *model.Table) bool { return t.IsEvent && g.has.v2 }

// primaryKey returns the position of the column that makes a delete and an insert
// an update.
func (g *generator) primaryKey(t *model.Table) (int, bool) {
	if !stored(t) || t.PrimaryKey < 0 || !g.filterable(t.Columns[t.PrimaryKey].Use) {
		return 0, false
	}
	return t.PrimaryKey, true
}

// uniqueColumns returns the columns with a find method. A view may return a key
// twice, which would make the cache panic: it has none (spec 10 §6.4).
func (g *generator) uniqueColumns(t *model.Table) (columns []int) {
	if t.IsView || !stored(t) {
		return nil
	}
	for i, c := range t.Columns {
		if c.Unique && g.filterable(c.Use) {
			columns = append(columns, i)
		}
	}
	return columns
}

// handleMethods are the methods of the SDK's traits that a column's method hides.
var handleMethods = map[string]bool{
	"count": true, "iter": true, "on_insert": true, "remove_on_insert": true, "on_delete": true, "remove_on_delete": true,
	"on_update": true, "remove_on_update": true,
}

func (g *generator) tableFile(t *model.Table) *source.Writer {
	n := g.namesOf(t)
	uses := []*model.Use{{Kind: model.Ref, Type: t.Row}}
	unique := g.uniqueColumns(t)
	for _, i := range unique {
		uses = append(uses, t.Columns[i].Use)
	}
	uses = append(uses, usesOf(t.Params)...)
	w := g.file(nil, uses...)
	_, keyed := g.primaryKey(t)
	w.Put(tableHandle, append(n.pairs(), "kind", tableKind(t))...)
	w.Line("pub struct %sInsertCallbackId(__sdk::CallbackId);", n.class)
	if !g.isEvent(t) {
		w.Line("pub struct %sDeleteCallbackId(__sdk::CallbackId);", n.class)
	}
	if keyed {
		w.Line("pub struct %sUpdateCallbackId(__sdk::CallbackId);", n.class)
	}
	g.tableTraits(w, n, t, keyed)
	for _, i := range unique {
		g.uniqueColumn(w, n, t, i)
	}
	g.register(w, n, t, unique)
	if g.has.queries {
		g.queryMethod(w, n, t)
	}
	if g.has.accessors {
		g.accessorTraits(w, n, t, keyed)
	}
	return w
}

const tableHandle = `
/// The ‹kind› ‹doc›; returned by ‹call›.
pub struct ‹P›TableHandle<'ctx> {
    imp: __sdk::TableHandle<‹Row›>,
    ctx: std::marker::PhantomData<&'ctx super::RemoteTables>,
}

/// Gives ‹tables› the method ‹doc›.
#[allow(non_camel_case_types)]
pub trait ‹P›TableAccess {
    #[allow(non_snake_case)]
    fn ‹m›(&self) -> ‹P›TableHandle<'_>;
}

impl ‹P›TableAccess for super::RemoteTables {
    fn ‹m›(&self) -> ‹P›TableHandle<'_> {
        ‹P›TableHandle {
            imp: self.imp.get_table::<‹Row›>(‹c›),
            ctx: std::marker::PhantomData,
        }
    }
}

`

const countAndIter = `
    type Row = ‹Row›;
    type EventContext = super::EventContext;
    fn count(&self) -> u64 {
        self.imp.count()
    }
    fn iter(&self) -> impl Iterator<Item = ‹Row›> + '_ {
        self.imp.iter()
    }
`

// rowCallback has the methods for inserts and deletes.
const rowCallback = `
    type ‹What›CallbackId = ‹P›‹What›CallbackId;
    fn on_‹what›(
        &self,
        callback: impl FnMut(&Self::EventContext, &Self::Row) + Send + 'static,
    ) -> ‹P›‹What›CallbackId {
        ‹P›‹What›CallbackId(self.imp.on_‹what›(Box::new(callback)))
    }
    fn remove_on_‹what›(&self, callback: ‹P›‹What›CallbackId) {
        self.imp.remove_on_‹what›(callback.0)
    }
`

const updateCallback = `
    type UpdateCallbackId = ‹P›UpdateCallbackId;
    fn on_update(
        &self,
        callback: impl FnMut(&Self::EventContext, &Self::Row, &Self::Row) + Send + 'static,
    ) -> ‹P›UpdateCallbackId {
        ‹P›UpdateCallbackId(self.imp.on_update(Box::new(callback)))
    }
    fn remove_on_update(&self, callback: ‹P›UpdateCallbackId) {
        self.imp.remove_on_update(callback.0)
    }
`

// implement writes an impl of one of the SDK's traits for the handle.
func implement(w *source.Writer, n tableNames, trait string, patterns ...string) {
	w.Line("")
	w.Line("impl<'ctx> __sdk::%s for %sTableHandle<'ctx> {", trait, n.class)
	for i, p := range patterns {
		if i > 0 {
			w.Line("")
		}
		w.Put(p, n.pairs()...)
	}
	w.Line("}")
}

// callbackPattern is rowCallback for Insert or Delete.
func callbackPattern(what string) string {
	return strings.NewReplacer("‹What›", what, "‹what›", strings.ToLower(what)).Replace(rowCallback)
}

func (g *generator) tableTraits(w *source.Writer, n tableNames, t *model.Table, keyed bool) {
	if g.isEvent(t) {
		implement(w, n, "EventTable", countAndIter, callbackPattern("Insert"))
		return
	}
	implement(w, n, "Table", countAndIter, callbackPattern("Insert"), callbackPattern("Delete"))
	if keyed {
		implement(w, n, "TableWithPrimaryKey", updateCallback)
	} else if t.PrimaryKey >= 0 && stored(t) {
		g.warn("the primary key of %s %q has a type that Rust can not look up: the %s gets no on_update", tableKind(t), t.Name, tableKind(t))
	}
}

func (g *generator) uniqueColumn(w *source.Writer, n tableNames, t *model.Table, i int) {
	c := t.Columns[i]
	column := schema.ToSnake(c.Accessor)
	if handleMethods[column] {
		g.warn("the unique column %q of table %q hides the method %s of its handle", c.Accessor, t.Name, column)
	}
	w.Put(`

/// Point lookups by ‹column›.
pub struct ‹P›‹U›Unique<'ctx> {
    imp: __sdk::UniqueConstraintHandle<‹Row›, ‹C›>,
    phantom: std::marker::PhantomData<&'ctx super::RemoteTables>,
}

impl<'ctx> ‹P›TableHandle<'ctx> {
    pub fn ‹u›(&self) -> ‹P›‹U›Unique<'ctx> {
        ‹P›‹U›Unique {
            imp: self.imp.get_unique_constraint::<‹C›>(‹key›),
            phantom: std::marker::PhantomData,
        }
    }
}

impl<'ctx> ‹P›‹U›Unique<'ctx> {
    pub fn find(&self, col_val: &‹C›) -> Option<‹Row›> {
        self.imp.find(col_val)
    }
}
`, append(n.pairs(), "U", plain(schema.ToPascal(c.Accessor)), "u", escape(column), "C", g.use(c.Use), "key", quote(column), "column", "`"+column+"`")...)
}

func (g *generator) register(w *source.Writer, n tableNames, t *model.Table, unique []int) {
	w.Put(`

#[doc(hidden)]
pub(super) fn register_table(cache: &mut __sdk::ClientCache<super::RemoteModule>) {
    let table = cache.get_or_make_table::<‹Row›>(‹c›);
`, n.pairs()...)
	for _, i := range unique {
		column := schema.ToSnake(t.Columns[i].Accessor)
		w.Line("    table.add_unique_constraint::<%s>(%s, |row| &row.%s);", g.use(t.Columns[i].Use), quote(column), escape(column))
	}
	raw := "__ws::TableUpdate<__ws::BsatnFormat>"
	if g.has.v2 {
		raw = "__ws::v2::TableUpdate"
	}
	w.Put(`
}

#[doc(hidden)]
pub(super) fn parse_table_update(raw: ‹raw›) -> __sdk::Result<__sdk::TableUpdate<‹Row›>> {
    __sdk::TableUpdate::parse_table_update(raw)
        .map_err(|e| __sdk::InternalError::failed_parse(‹row›, "TableUpdate").with_cause(e).into())
}
`, append(n.pairs(), "raw", raw, "row", quote(n.row))...)
}

// accessorTraits writes what libraries built on the SDK use (releases from 2.8 on).
func (g *generator) accessorTraits(w *source.Writer, n tableNames, t *model.Table, keyed bool) {
	w.Put(`

pub struct ‹P›TableAccessor;

impl __sdk::TableAccessor<super::RemoteTables> for ‹P›TableAccessor {
    type Row = ‹Row›;
    type Handle<'db> = ‹P›TableHandle<'db>;
    fn get<'db>(db: &'db super::RemoteTables) -> Self::Handle<'db> {
        db.‹m›()
    }
}
`, n.pairs()...)
	implement(w, n, "TableLike", countAndIter)
	implement(w, n, "WithInsert", callbackPattern("Insert"))
	if !g.isEvent(t) {
		implement(w, n, "WithDelete", callbackPattern("Delete"))
	}
	if keyed {
		implement(w, n, "WithUpdate", updateCallback)
	}
}
