package csharp

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/codegen/codegentest"
	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

const vectors = "../../../testdata/vectors/codegen"

var (
	sdk19   = model.Version{Major: 1, Minor: 9}
	sdk110  = model.Version{Major: 1, Minor: 10}
	sdk112  = model.Version{Major: 1, Minor: 12}
	sdk201  = model.Version{Major: 2, Patch: 1}
	sdk27   = model.Version{Major: 2, Minor: 7}
	sdk2140 = model.Version{Major: 2, Minor: 14}
)

func modelOf(t testing.TB, def *schema.ModuleDef) *model.Module {
	t.Helper()
	m, err := model.Build(def, false)
	if err == nil {
		m, err = model.Flatten(m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func build(t testing.TB, m *model.Module, o model.Options) (map[string]string, []string) {
	t.Helper()
	o.Tool = "spacetime 0.0.0"
	out, err := Generate(m, o)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range out.Files {
		files[f.Path] = string(f.Text)
		wellFormed(t, f.Path, string(f.Text))
	}
	return files, out.Warnings
}

// wellFormed checks what a compiler would see first: that brackets match, that
// statements end, and that nothing is newer than C# 9.
func wellFormed(t testing.TB, path, text string) {
	t.Helper()
	if !strings.HasPrefix(text, model.Marker) {
		t.Errorf("%s does not begin with the marker", path)
	}
	bare := regexp.MustCompile(`(?m)//.*$|"(\\.|[^"\\])*"`).ReplaceAllString(text, `""`)
	var open []rune
	var flat strings.Builder // without line breaks in parentheses
	for _, r := range bare {
		if r == '\n' && slices.Contains(open, '(') && open[len(open)-1] == '(' {
			r = ' '
		}
		flat.WriteRune(r)
		switch r {
		case '(', '[', '{':
			open = append(open, r)
		case ')', ']', '}':
			if len(open) == 0 || !strings.ContainsRune("()[]{}", r) || open[len(open)-1] != map[rune]rune{')': '(', ']': '[', '}': '{'}[r] {
				t.Fatalf("%s: a bracket %c too many", path, r)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) != 0 {
		t.Errorf("%s: brackets %q are not closed", path, string(open))
	}
	for _, newer := range []string{`(?m)^namespace [\w.]+;`, `record struct`, `\brequired\b`, `global using`, `\bfile class\b`, `= \[`, `"""`, `\bscoped\b`, `nameof\(T`} {
		if regexp.MustCompile(newer).MatchString(bare) {
			t.Errorf("%s: %s is newer than C# 9", path, newer)
		}
	}
	for line := range strings.Lines(flat.String()) {
		line = strings.TrimSpace(line)
		ends := line == "" || strings.ContainsAny(line[len(line)-1:], ";{},():>\"?") || strings.HasPrefix(line, "[") || strings.HasPrefix(line, "#")
		if !ends && !regexp.MustCompile(`^(public|protected|internal|private|namespace|switch|if|else|get|set|return reducer switch|return update)\b`).MatchString(line) {
			t.Errorf("%s: the line %q ends nothing", path, line)
		}
	}
}

// facts returns the declarations and string literals of a file, in a form that
// does not depend on how types are qualified or laid out.
func facts(text string) []string {
	text = regexp.MustCompile(`(?m)//.*$`).ReplaceAllString(text, "")
	text = strings.NewReplacer("global::", "", "System.Collections.Generic.", "", "System.Action", "Action", "System.Func", "Func",
		"System.Exception", "Exception", "System.ArgumentOutOfRangeException", "ArgumentOutOfRangeException",
		"SpacetimeDB.Identity?", "Identity?", "SpacetimeDB.ConnectionId ConnectionId =>", "ConnectionId ConnectionId =>").Replace(text)
	var list []string
	for _, s := range regexp.MustCompile(`\b(public|protected|internal|private protected)\s[^;{}=]*|"[^"]*"`).FindAllString(text, -1) {
		s = regexp.MustCompile(`\s+`).ReplaceAllString(s, " ")
		list = append(list, strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(s), "( ", "("), " )", ")"))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func TestVector(t *testing.T) {
	spec.Covers(t, "10.5")
	got, _ := build(t, modelOf(t, codegentest.Chat(t)), model.Options{SDK: sdk2140})
	if n := codegentest.Recorded(t, got, filepath.Join(vectors, "chat", "csharp-2.8"), facts); n != len(got) {
		t.Errorf("%d files, %d are recorded", len(got), n)
	}
}

func TestReleases(t *testing.T) {
	spec.Covers(t, "10.21")
	const table, client = "Tables/User.g.cs", "SpacetimeDBClient.g.cs"
	m := modelOf(t, codegentest.Chat(t))
	for _, c := range []struct {
		sdk           model.Version
		table, client []string
	}{
		{sdk2140, []string{`public override string RemoteTableName => "user";`, "Col<User, string> Name"},
			[]string{"IDbContext<RemoteTables, RemoteReducers, SubscriptionBuilder, RemoteProcedures>", "!ToReducer(", "!SetReducerFlags", "IQuery<TRow>"}},
		{sdk27, []string{`protected override string RemoteTableName => "user";`}, []string{"IDbContext<RemoteTables, RemoteReducers, SubscriptionBuilder, RemoteProcedures>"}},
		{sdk201, []string{"NullableCol<User, string> Name", "Col<User, bool> Online"}, []string{"IQuery<TRow>"}},
		{sdk112, []string{"protected override string RemoteTableName", "NullableCol<User, string> Name"},
			[]string{"IDbContext<RemoteTables, RemoteReducers, SetReducerFlags, SubscriptionBuilder, RemoteProcedures>", `"set_name" => BSATNHelpers.Decode<Reducer.SetName>(encodedArgs),`,
				"global::SpacetimeDB.Query<TRow>", "SELECT * FROM *", "public void SubscribeToAllTables()"}},
		{sdk110, []string{"!Cols"}, []string{"RemoteProcedures", "!QueryBuilder", "ToProcedureEventContext"}},
		{sdk19, []string{"!Cols"}, []string{"IDbContext<RemoteTables, RemoteReducers, SetReducerFlags, SubscriptionBuilder>", "!RemoteProcedures", "!ProcedureEvent"}},
	} {
		files, _ := build(t, m, model.Options{SDK: c.sdk})
		codegentest.Wants(t, files, table, c.table...)
		codegentest.Wants(t, files, client, c.client...)
		if flags := strings.Contains(files["Reducers/SetName.g.cs"], "public void SetName(CallReducerFlags flags) => SetNameFlags = flags;"); flags == c.sdk.AtLeast(2, 0, 0) {
			t.Errorf("SDK %v: flags are there: %v", c.sdk, flags)
		}
	}
}

func TestKeysAndNames(t *testing.T) {
	spec.Covers(t, "10.22", "10.23", "10.24")
	m := modelOf(t, codegentest.HardMaker().Module(t))
	files, warnings := build(t, m, model.Options{SDK: sdk2140})
	codegentest.Wants(t, files, "Tables/Keyword.g.cs",
		"public sealed class ByColorUniqueIndex : UniqueIndexBase<int>", "protected override int GetKey(Keyword row) => (int)row.Color;", "public Keyword? Find(Color value) => Find((int)value);",
		"public sealed class ByStatusIndex : BTreeIndexBase<int>", "IEnumerable<Keyword> Filter(Status value) => Filter((int)value);",
		"BTreeIndexBase<(bool Class, int Self)>", "=> (row.Class, row.Self);",
		"protected override object GetPrimaryKey(Keyword row) => row.Type;", "UniqueIndexBase<global::SpacetimeDB.Uuid>")
	codegentest.Wants(t, files, "Tables/Notice.g.cs", "RemoteEventTableHandle<EventContext, Notice>", "!UniqueIndex", "!GetPrimaryKey")
	codegentest.Wants(t, files, "Tables/KeywordView.g.cs", "GetPrimaryKey", "!UniqueIndex", "IxCol<Keyword, ulong> Type", "!IxCol<Keyword, string>")
	codegentest.Wants(t, files, "Tables/KeywordBy.g.cs", "!GetPrimaryKey", "!UniqueIndex")
	codegentest.Wants(t, files, "SpacetimeDBClient.g.cs", "AddTable(KeywordBy = new(conn));", "!all.KeywordBy()", "global::SpacetimeDB.Status.Failed", "global::System.Exception")
	codegentest.Wants(t, files, "Types/Exception.g.cs", "public byte Exception_;", `[DataMember(Name = "exception")]`)
	codegentest.Wants(t, files, "Types/Status.g.cs", "public enum Status", "Active,", "Self,")
	codegentest.Wants(t, files, "Types/OnlyOne.g.cs", "TaggedEnum<(string Only, global::SpacetimeDB.Unit _Reserved)>")
	codegentest.Wants(t, files, "Types/List.g.cs", "public List? Next;")
	codegentest.Wants(t, files, "Reducers/Delete.g.cs", "Exception @class", "@params", "args.Class", "InternalCallReducer(new Reducer.Delete(type, self, @class, @params))")
	codegentest.Wants(t, files, "Reducers/Structures.g.cs", "public List List;", "this.List = new();", "this.Only = null!;", "public Option Callback;")
	if len(warnings) == 0 || !strings.Contains(strings.Join(warnings, "\n"), "hides the member Count") {
		t.Errorf("warnings %q", warnings)
	}

	m.Root.Tables[0].Indexes[0].Columns = []int{11} // an option
	files, warnings = build(t, m, model.Options{SDK: sdk2140})
	if !strings.Contains(strings.Join(warnings, "\n"), "is left out") {
		t.Errorf("an index on an option gives no warning: %q", warnings)
	}
	codegentest.Wants(t, files, "Tables/Keyword.g.cs", "!UniqueIndexBase<String?>")
}

// The SDK has a class for unique indexes of options since 2.8; before, they are left out.
func TestOptionalKeys(t *testing.T) {
	m := new(codegentest.Maker)
	row := m.Type(sats.Product(sats.E("id", sats.U64), sats.E("serial", sats.Option(sats.U32)), sats.E("name", sats.Option(sats.String))), "Thing")
	table := m.Table("thing", row)
	codegentest.Unique(table, "serial", 1)
	codegentest.Indexed(table, "by_name", 2)
	def := modelOf(t, m.Module(t))
	files, warnings := build(t, def, model.Options{SDK: sdk2140})
	codegentest.Wants(t, files, "Tables/Thing.g.cs", "class SerialUniqueIndex : NullableUniqueIndexBase<uint?>", "protected override uint? GetKey(Thing row) => row.Serial;",
		"IxCol<Thing, uint> Serial", "!ByNameIndex")
	if len(warnings) != 1 || !strings.Contains(warnings[0], "`by_name`") {
		t.Errorf("warnings %q", warnings)
	}
	files, warnings = build(t, def, model.Options{SDK: sdk27})
	codegentest.Wants(t, files, "Tables/Thing.g.cs", "!SerialUniqueIndex")
	if len(warnings) != 2 {
		t.Errorf("warnings %q", warnings)
	}
}

func TestNamespace(t *testing.T) {
	m := modelOf(t, codegentest.Chat(t))
	files, _ := build(t, m, model.Options{SDK: sdk2140, Namespace: "My.Game"})
	codegentest.Wants(t, files, "Types/User.g.cs", "namespace My.Game", "using SpacetimeDB;")
	files, _ = build(t, m, model.Options{SDK: sdk2140})
	codegentest.Wants(t, files, "Types/User.g.cs", "namespace SpacetimeDB.Types", "!using SpacetimeDB;")
	for _, bad := range []string{"1a", "a..b", "a b", "x.class"} {
		if _, err := Generate(m, model.Options{SDK: sdk2140, Namespace: bad}); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("namespace %q: error %v", bad, err)
		}
	}
}

func TestWhatCSharpLacks(t *testing.T) {
	all := modelOf(t, codegentest.AllTypes(t))
	_, err := Generate(all, model.Options{SDK: sdk2140})
	if err == nil || !strings.Contains(err.Error(), "`optOpt` of type `Everything`") {
		t.Errorf("an option of an option: %v", err)
	}
	m := new(codegentest.Maker)
	m.Reducer("go", sats.E("r", sats.Result(sats.U8, sats.U8)), sats.E("id", codegentest.UUID))
	res := modelOf(t, m.Module(t))
	if _, err := Generate(res, model.Options{SDK: sdk110}); err == nil || !strings.Contains(err.Error(), "1.12") {
		t.Errorf("a result for an old release: %v", err)
	}
	res.Root.Reducers[0].Params = append(res.Root.Reducers[0].Params, model.Field{Name: "ID", Use: &model.Use{Kind: model.Bool}})
	if _, err := Generate(res, model.Options{SDK: sdk2140}); err == nil || !strings.Contains(err.Error(), "parameter `ID`") || !strings.Contains(err.Error(), "parameter `id`") {
		t.Errorf("colliding parameters: %v", err)
	}
}

// All releases and all modules give well-formed text.
func TestWellFormed(t *testing.T) {
	for _, sdk := range []model.Version{sdk19, sdk110, sdk112, sdk201, sdk27, sdk2140} {
		for _, def := range []*schema.ModuleDef{codegentest.Chat(t), codegentest.Empty(t)} {
			build(t, modelOf(t, def), model.Options{SDK: sdk})
		}
		if sdk.AtLeast(1, 12, 0) {
			build(t, modelOf(t, codegentest.HardMaker().Module(t)), model.Options{SDK: sdk})
			build(t, modelOf(t, codegentest.Odd(t)), model.Options{SDK: sdk})
		}
	}
}
