package rust

import (
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/codegen/codegentest"
	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

func TestKeywordsAndRecursion(t *testing.T) {
	spec.Covers(t, "10.17")
	m := modelOf(t, codegentest.HardMaker().Module(t))
	m.Root.Procedures[1].Accessor = "nothing" // modules of the old form may call a procedure like a reducer
	files, _ := build(t, m, sdk2140)
	codegentest.Wants(t, files, "keyword_type.rs", "pub r#type: u64,", "pub r#match: String,", "pub self_: i32,", "pub arg_2: u8,", "pub class: bool,")
	codegentest.Wants(t, files, "keyword_table.rs", `add_unique_constraint::<u64>("type", |row| &row.r#type)`, "pub fn r#type(&self) -> KeywordTypeUnique<'ctx>",
		"KeywordEventUnique", "KeywordKeyUnique", "KeywordColorUnique")
	codegentest.Wants(t, files, "list_type.rs", "pub next: Option<Box<List>>,")
	codegentest.Wants(t, files, "tree_type.rs", "pub left: Box<LeafOrTree>,", "pub all: Vec<Tree>,")
	codegentest.Wants(t, files, "leaf_or_tree_type.rs", "Leaf(i64),", "Tree(Box<Tree>),")
	codegentest.Wants(t, files, "status_type.rs", "Active,", "Self_,")
	codegentest.Wants(t, files, "structures_reducer.rs", "callback: Option_, __callback: impl")
	codegentest.Wants(t, files, "mod.rs", "pub use nothing_reducer::nothing;", "pub use nothing_procedure::nothing as _;")
}

func TestEventTables(t *testing.T) {
	spec.Covers(t, "10.18")
	m := modelOf(t, codegentest.HardMaker().Module(t))
	files, _ := build(t, m, sdk2140)
	codegentest.Wants(t, files, "notice_table.rs", "impl<'ctx> __sdk::EventTable for NoticeTableHandle<'ctx>", "!__sdk::Table for", "!Unique", "!add_unique_constraint", "!UpdateCallbackId", "!on_delete")
	codegentest.Wants(t, files, "notice_type.rs", "!CanBeLookupTable")
	codegentest.Wants(t, files, "mod.rs", "notice: self.notice.into_event_diff(),")
	files, _ = build(t, m, sdk1120)
	codegentest.Wants(t, files, "notice_table.rs", "impl<'ctx> __sdk::Table for NoticeTableHandle<'ctx>", "!Unique", "!UpdateCallbackId")
}

func TestViews(t *testing.T) {
	spec.Covers(t, "10.19", "10.20", "10.31")
	m := modelOf(t, codegentest.HardMaker().Module(t))
	files, _ := build(t, m, sdk2140)
	codegentest.Wants(t, files, "keyword_view_table.rs", "impl<'ctx> __sdk::TableWithPrimaryKey", "!add_unique_constraint", "!Unique<")
	codegentest.Wants(t, files, "keyword_by_table.rs", "!TableWithPrimaryKey", "!add_unique_constraint",
		"fn keyword_by(&self, least: u32, name: String) -> __sdk::__query_builder::ViewCall<Keyword>",
		`ViewCall::new("keyword_by", [__sdk::__query_builder::SqlLiteral::to_sql_literal(least), __sdk::__query_builder::SqlLiteral::to_sql_literal(name)])`)
	codegentest.Wants(t, files, "mod.rs",
		`.apply_diff_to_table::<Keyword>("keyword_view", &self.keyword_view)`+"\n                .with_updates_by_pk(|row| &row.r#type),",
		`keyword_by: cache.apply_diff_to_table::<Keyword>("keyword_by", &self.keyword_by),`,
		`"keyword_by" => all.keyword_by.append(`,
		`const ALL_TABLE_NAMES: &'static [&'static str] = &["keyword", "keyword_view", "notice", "plain"];`)
	files, _ = build(t, m, sdk2101)
	codegentest.Wants(t, files, "keyword_by_table.rs", "!QueryTableAccess", "!ViewCall")
}

func TestNames(t *testing.T) {
	spec.Covers(t, "10.4")
	m := new(codegentest.Maker)
	row := m.Type(sats.Product(sats.E("theId", sats.U32), sats.E("userName", sats.String)), "Row")
	table := m.Table("MyTable", row)
	codegentest.Unique(table, "theId", 0)
	m.Reducer("DoIt", sats.E("someArg", sats.U8))
	m.More = append(m.More, schema.RawSection{Tag: schema.SecExplicitNames, ExplicitNames: []schema.RawExplicitName{
		{Kind: schema.NameTable, Source: "MyTable", Canonical: "things"}, {Kind: schema.NameFunction, Source: "DoIt", Canonical: "act"}}})
	files, _ := build(t, modelOf(t, m.Module(t)), sdk2101)
	codegentest.Wants(t, files, "my_table_table.rs", `get_table::<Row>("things")`, "fn my_table(&self)", "MyTableTableHandle")
	codegentest.Wants(t, files, "row_type.rs", "pub the_id: u32,", `Col::new(table_name, "user_name")`)
	codegentest.Wants(t, files, "do_it_reducer.rs", "pub trait do_it", "some_arg: u8")
	codegentest.Wants(t, files, "mod.rs", `Self::DoIt { .. } => "act",`, `&["things"]`)
}

func TestCollisions(t *testing.T) {
	spec.Covers(t, "10.6")
	for _, c := range []struct {
		name string
		edit func(*model.Level)
		want []string
	}{
		{"tables", func(l *model.Level) {
			l.Tables = append(l.Tables, &model.Table{Level: l, Name: "User", Accessor: "User", Row: l.Types[0], IsView: true, PrimaryKey: -1})
		}, []string{"table `user`", "view `User`", "user_table"}},
		{"fields", func(l *model.Level) {
			l.Types[0].Fields = append(l.Types[0].Fields, model.Field{Name: "Text", Use: &model.Use{Kind: model.Bool}})
		}, []string{"field `text`", "field `Text`", "rename"}},
		{"types", func(l *model.Level) { l.Types[0].Ident, l.Types[0].Name = "User", "user" }, []string{"type `User`", "type `user`"}},
		{"reducers", func(l *model.Level) {
			l.Reducers = append(l.Reducers, &model.Function{Level: l, Name: "SetName", Accessor: "SetName"})
		}, []string{"reducer `set_name`", "reducer `SetName`"}},
	} {
		m := modelOf(t, codegentest.Chat(t))
		c.edit(m.Root)
		_, err := Generate(m, model.Options{SDK: sdk2101})
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not mention %q", c.name, err, want)
			}
		}
	}
}

func TestOwnNames(t *testing.T) {
	m := modelOf(t, codegentest.Chat(t))
	m.Root.Types[0].Ident = "DbConnection"
	files, warnings := build(t, m, sdk2101)
	codegentest.Wants(t, files, "message_type.rs", "pub struct DbConnection_ {")
	if len(warnings) != 1 || !strings.Contains(warnings[0], "DbConnection_") {
		t.Errorf("warnings %q", warnings)
	}
}

func TestV9Lifecycle(t *testing.T) {
	m := modelOf(t, codegentest.Chat(t))
	m.Root.Reducers = append(m.Root.Reducers, &model.Function{Level: m.Root, Name: "client_connected", Accessor: "client_connected", Lifecycle: schema.LifecycleOnConnect})
	files, _ := build(t, m, sdk2101)
	codegentest.Wants(t, files, "client_connected_reducer.rs", "struct ClientConnectedArgs {}", "!trait client_connected")
	codegentest.Wants(t, files, "mod.rs", `Self::ClientConnected => "client_connected",`, "!use client_connected_reducer")
	files, _ = build(t, m, sdk1120)
	codegentest.Wants(t, files, "client_connected_reducer.rs", "fn on_client_connected(", "!fn client_connected(", "!set_flags_for")
}

func TestOlderReleases(t *testing.T) {
	m := modelOf(t, codegentest.AllTypes(t))
	files, _ := build(t, m, model.Version{Major: 1, Minor: 9})
	codegentest.Wants(t, files, "mod.rs", "RemoteProcedures", "!QueryBuilder", "pub struct Uuid {")
	codegentest.Wants(t, files, "thing_table.rs", "!QueryTableAccess")
	files, _ = build(t, m, model.Version{Major: 1, Minor: 1})
	codegentest.Wants(t, files, "mod.rs", "!RemoteProcedures", "!try_connection_id", `all.ping = ping_table::parse_table_update(update)?,`)
}

func TestReceiver(t *testing.T) {
	def := codegentest.HardMaker().Module(t)
	text, err := Receiver(def, "spacetime 0.0.0", "")
	if err != nil {
		t.Fatal(err)
	}
	structures, _ := def.Reducer("structures")
	codegentest.Wants(t, map[string]string{ReceiverFile: string(text)}, ReceiverFile,
		"pub struct Identity(pub spacetimedb::Identity);", "!DbConnection",
		"impl spacetimedb::rt::RemoteReducer for structures {", `const NAME: &'static str = "structures";`,
		`const SIGNATURE_HASH: &'static str = "`+structures.SignatureHash().String()+`";`,
		"pub struct StructuresArgs {", "pub next: Option<Box<List>>,", "pub struct Option_ {", "!NoVariant",
		"as __spacetimedb_typecheck_outbox_structures;", "impl spacetimedb::rt::RemoteReducer for delete {")
}
