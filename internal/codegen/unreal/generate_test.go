package unreal

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
	u1    = model.Version{Major: 1, Minor: 12}
	u19   = model.Version{Major: 1, Minor: 9}
	u20   = model.Version{Major: 2}
	u2    = model.Version{Major: 2, Minor: 1}
	u3    = model.Version{Major: 2, Minor: 14}
	every = []model.Version{u19, u1, u20, u2, u3}
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

// wide is the module of rarities without the types that Unreal can not express.
func wide(t testing.TB) *model.Module {
	return modelOf(t, codegentest.WideMaker().Module(t))
}

func build(t testing.TB, m *model.Module, o model.Options) (map[string]string, []string) {
	t.Helper()
	o.Tool = "spacetime 0.0.0"
	if o.UnrealModule == "" {
		o.UnrealModule = "Chat"
	}
	out, err := Generate(m, o)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range out.Files {
		files[f.Path] = string(f.Text)
		if f.Skeleton == strings.HasPrefix(string(f.Text), model.Marker) {
			t.Errorf("%s: marker and skeleton: %v", f.Path, f.Skeleton)
		}
	}
	for name, text := range files {
		structure(t, name, text, files)
	}
	return files, out.Warnings
}

// structure checks what the header tool and the compiler ask for first: matching
// brackets, the last include, includes that exist, and macros with as many
// parameters as they say.
func structure(t testing.TB, path, text string, files map[string]string) {
	t.Helper()
	bare := regexp.MustCompile(`(?m)//.*$|/\*.*?\*/`).ReplaceAllString(text, "")
	quoted := regexp.MustCompile(`"(\\.|[^"\\])*"`).ReplaceAllString(bare, `""`)
	for _, pair := range []string{"()", "{}", "[]"} {
		if strings.Count(quoted, pair[:1]) != strings.Count(quoted, pair[1:]) {
			t.Errorf("%s: brackets %s do not match", path, pair)
		}
	}
	if !strings.Contains(path, "ModuleBindings") {
		return
	}
	includes := regexp.MustCompile(`(?m)^#include "([^"]*)"$`).FindAllStringSubmatch(bare, -1)
	seen := map[string]bool{}
	for i, inc := range includes {
		if seen[inc[1]] {
			t.Errorf("%s includes %s twice", path, inc[1])
		}
		seen[inc[1]] = true
		if reflected := strings.HasSuffix(inc[1], ".generated.h"); reflected && (i+1 != len(includes) || inc[1] != strings.TrimSuffix(filepath.Base(path), ".h")+".generated.h") {
			t.Errorf("%s: the include %s is not the last, or of another file", path, inc[1])
		}
		if strings.HasPrefix(inc[1], "ModuleBindings/") {
			if _, ok := files["Source/Chat/Public/"+inc[1]]; !ok {
				t.Errorf("%s includes %s, which is not there", path, inc[1])
			}
		}
	}
	if strings.HasSuffix(path, ".h") && !strings.Contains(text, ".generated.h") {
		t.Errorf("%s: no include of the header tool", path)
	}
	for _, m := range regexp.MustCompile(`DECLARE_\w+DELEGATE_(\w+?)Params?\(([^;]*)\);`).FindAllStringSubmatch(bare, -1) {
		n := slices.Index(counts[:], m[1])
		list := strings.Count(m[2], ",")
		if dynamic := strings.Contains(m[0], "DYNAMIC"); n < 0 || dynamic && list != 2*n || !dynamic && list != n {
			t.Errorf("%s: %s has %d arguments", path, m[0], list)
		}
	}
	for _, m := range regexp.MustCompile(`UE_SPACETIMEDB_STRUCT\(([^;]*)\);`).FindAllStringSubmatch(bare, -1) {
		if n := strings.Count(m[1], ","); n < 1 || n > macroLimit {
			t.Errorf("%s: a macro with %d fields", path, n)
		}
	}
}

// facts returns the declarations, macros and string literals of a file.
func facts(text string) []string {
	text = regexp.MustCompile(`(?m)//.*$|/\*.*?\*/`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`(?m)^#include.*$|const uint32 RequestId = Conn->.*$`).ReplaceAllStringFunc(text, func(s string) string {
		if strings.HasPrefix(s, "#include") {
			return s + ";"
		}
		return ""
	})
	var list []string
	for _, s := range regexp.MustCompile(`[^;{}]+[;{]`).FindAllString(text, -1) {
		s = regexp.MustCompile(`\s+`).ReplaceAllString(s, "")
		s = strings.NewReplacer("public:", "", "private:", "", "protected:", "", "this->Conn", "Conn", "CallArgs", "Args", "CallId", "RequestId").Replace(s)
		list = append(list, s)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func TestVector(t *testing.T) {
	spec.Covers(t, "10.5")
	got, _ := build(t, modelOf(t, codegentest.Chat(t)), model.Options{SDK: u2})
	if n := codegentest.Recorded(t, got, filepath.Join(vectors, "chat", "unreal-2.1"), facts); len(got) != n+3 {
		t.Errorf("%d files, %d are recorded and there is the skeleton of 3", len(got), n)
	}
}

// wants is codegentest.Wants for files of the plugin's module.
func wants(t *testing.T, files map[string]string, name string, texts ...string) {
	t.Helper()
	codegentest.Wants(t, files, "Source/Chat/"+name, texts...)
}

const (
	header = "Public/ModuleBindings/SpacetimeDBClient.g.h"
	code   = "Private/ModuleBindings/SpacetimeDBClient.g.cpp"
)

func TestGenerations(t *testing.T) {
	spec.Covers(t, "10.25")
	for _, c := range []struct {
		sdk          model.Version
		header, code []string
	}{
		{u19, []string{"WithModuleName", "USetReducerFlags", "!Procedure", "!bool IsTransaction(", "!PendingTypedReducers"}, []string{"DecodeReducer", "SetCallReducerFlags);", "!CallProcedureTyped"}},
		{u1, []string{"WithModuleName", "URemoteProcedures"}, []string{"DecodeReducer", "ProcedureEventFailed"}},
		{u20, []string{"WithDatabaseName", "USetReducerFlags", "!PendingTypedReducers", "Connection/SetReducerFlags.h"}, []string{"WithDatabaseNameBase", "DecodeReducer"}},
		{u2, []string{"WithDatabaseName", "!USetReducerFlags", "PendingTypedReducers", "!query_builder"}, []string{"!DecodeReducer", "HandleProtocolViolation"}},
		{u3, []string{"QueryBuilder/query_builder.h", "FUserCols", "FUserIxCols", "AddQuery(TFn&& Build)"}, []string{"AllTablesSqlQueries"}},
	} {
		files, _ := build(t, modelOf(t, codegentest.Chat(t)), model.Options{SDK: c.sdk})
		wants(t, files, header, c.header...)
		wants(t, files, code, c.code...)
	}
	m := modelOf(t, codegentest.Chat(t))
	files, _ := build(t, m, model.Options{SDK: u3, Prefix: "Net"})
	wants(t, files, "Public/ModuleBindings/NetSpacetimeDBClient.g.h", "class CHAT_API UNetDbConnection : public UDbConnectionBase", "friend class UNetRemoteReducers;", "FNetEventContext", `#include "NetSpacetimeDBClient.g.generated.h"`)
	wants(t, files, "Public/ModuleBindings/Tables/NetUserTable.g.h", "FNetOnUserInsert", "class CHAT_API UNetUserTable", "FNetUserType")
	if _, err := Generate(m, model.Options{SDK: u20, UnrealModule: "Chat", Prefix: "Net"}); err == nil || !strings.Contains(err.Error(), "2.1") {
		t.Errorf("a prefix for an old plugin: %v", err)
	}
	if _, err := Generate(m, model.Options{SDK: u3, UnrealModule: "My Game"}); err == nil || !strings.Contains(err.Error(), "My Game") {
		t.Errorf("a module with a blank: %v", err)
	}
}

func TestWide(t *testing.T) {
	spec.Covers(t, "10.26")
	files, _ := build(t, wide(t), model.Options{SDK: u3})
	wants(t, files, "Public/ModuleBindings/Types/WideType.g.h", "!UE_SPACETIMEDB_STRUCT(", "template<> inline void serialize<FWideType>(UEWriter& w, const FWideType& v)", "v.FieldBn = deserialize<decltype(v.FieldBn)>(r);")
	wants(t, files, "Public/ModuleBindings/Types/ManyType.g.h", "!UE_SPACETIMEDB_TAGGED_ENUM", "case EManyTag::CaseBn: return FManyType::CaseBn(deserialize<int32>(r));", "TVariant<int32> MessageData;")
	wants(t, files, header, "DECLARE_DYNAMIC_MULTICAST_DELEGATE_TwoParams(\n\t\tFNineParamsHandler,\n\t\tconst FReducerEventContext&, Context,\n\t\tconst FNineParamsArgs&, Args);")
	wants(t, files, code, "OnNineParams.Broadcast(Context, Args);")
	wants(t, files, "Public/ModuleBindings/Tables/NoticeTable.g.h", "OnInsert;", "!OnDelete", "!OnUpdate", "!UniqueIndex*")
	wants(t, files, "Private/ModuleBindings/Tables/NoticeTable.g.cpp", "Diff.Inserts.Add(Insert.Bsatn, Insert.Row);", "!BaseUpdate")
	wants(t, files, "Private/ModuleBindings/Tables/KeywordByTable.g.cpp", "!AddUniqueConstraint", "!DeriveUpdatesByPrimaryKey")
	wants(t, files, "Private/ModuleBindings/Tables/KeywordViewTable.g.cpp", "!AddUniqueConstraint", "DeriveUpdatesByPrimaryKey<uint64>")
	wants(t, files, "Public/ModuleBindings/Tables/KeywordTable.g.h", "UKeywordCount_UniqueIndex* Count_;", "int32 Count() const;")
	wants(t, files, code, "!keyword_by\\\"\"", `RegisterTable<FKeywordType, UKeywordByTable, FEventContext>(TEXT("keyword_by")`)
	wants(t, files, "Public/ModuleBindings/Types/KeywordType.g.h", "\n\tuint64 Type = 0;", "FChatOptionalString Opt;", "ScheduleAt At;")
	// uint64 is no type of Blueprint.
	wants(t, files, "Public/ModuleBindings/Types/KeywordType.g.h", "!Category = \"SpacetimeDB\")\n\tuint64 Type")

	m := modelOf(t, codegentest.Chat(t))
	for range 300 {
		f := *m.Root.Reducers[0]
		f.Accessor += strings.Repeat("x", len(m.Root.Reducers))
		f.Name = f.Accessor
		m.Root.Reducers = append(m.Root.Reducers, &f)
	}
	files, _ = build(t, m, model.Options{SDK: u3})
	wants(t, files, header, "enum class EReducerTag : int32", "TSharedPtr<void> Data;")
}

// Handlers that were written against the plugin's own bindings must fit ours: the
// delegates of procedures stand outside of their class and pass what the plugin's
// pass, events can be compared, and views are joined on their primary keys.
func TestHandlers(t *testing.T) {
	spec.Covers(t, "10.26")
	files, _ := build(t, wide(t), model.Options{SDK: u3})
	wants(t, files, header,
		"\n\nDECLARE_DYNAMIC_DELEGATE_ThreeParams(\n\tFOnIdleComplete,\n\tconst FProcedureEventContext&, Context,\n\tFSpacetimeDBUnit, Result,\n\tbool, bSuccess);",
		"bool operator==(const FChatEvent& Other) const", "bool operator==(const FChatReducerEvent& Other) const", "bool operator==(const FChatProcedureEvent& Other) const",
		`explicit FKeywordViewIxCols(const char* TableName) : Type(TableName, "type") {}`)
	m := new(codegentest.Maker)
	m.Procedure("count", sats.U32)
	m.Procedure("flag", sats.Bool)
	m.Reducer("rate", sats.E("stars", sats.Option(sats.I32)), sats.E("text", sats.Option(sats.String)))
	row := m.Type(sats.Product(sats.E("id", sats.U64), sats.E("serial", sats.Option(sats.I32)), sats.E("snazz", sats.F32)), "Thing")
	things := m.Table("thing", row)
	codegentest.Unique(things, "serial", 1)
	codegentest.Indexed(things, "id_snazz", 0, 2)
	files, warnings := build(t, modelOf(t, m.Module(t)), model.Options{SDK: u3})
	wants(t, files, header, "DECLARE_DELEGATE_ThreeParams(FOnCountComplete, const FProcedureEventContext&, uint32, bool);", "\tbool, Result,\n",
		"\t\tFRateHandler,\n\t\tconst FReducerEventContext&, Context,\n\t\tFChatOptionalInt32, Stars,\n\t\tconst FChatOptionalString&, Text);",
		"void Rate(const FChatOptionalInt32 Stars, const FChatOptionalString& Text);")
	wants(t, files, "Public/ModuleBindings/Tables/ThingTable.g.h", "FThingType Find(FChatOptionalInt32 Key)",
		"TArray<FThingType> Filter(const uint64& Id, const float& Snazz) const")
	if len(warnings) != 0 {
		t.Errorf("warnings %q", warnings)
	}
}

func TestBlueprintQueries(t *testing.T) {
	m := new(codegentest.Maker)
	row := m.Type(sats.Product(sats.E("equal", sats.Bool), sats.E("where", sats.String), sats.E("n", sats.U64), sats.E("at", codegentest.Timestamp)), "Row")
	for _, name := range []string{"bool", "blueprint"} {
		m.Table(name, row)
	}
	files, _ := build(t, modelOf(t, m.Module(t)), model.Options{SDK: u3, Prefix: "Net"})
	const client = "Public/ModuleBindings/NetSpacetimeDBClient.g.h"
	wants(t, files, client, "struct CHAT_API FNetBlueprintQuery\n", "struct CHAT_API FNetBlueprint_Query\n", "class CHAT_API UNetQueryBuilderBlueprintLibrary",
		"static FNetBoolQuery FromBool()", "static FNetBlueprintBoolColumn BoolEqual_(", "static FNetBlueprintStringColumn BoolWhere_(",
		"static FNetBlueprintTimestampColumn BoolAt(", "!BoolN(", "TimestampLessEqual(const FNetBlueprintTimestampColumn& Column, const FSpacetimeDBTimestamp& Value)",
		"!StringLessThan", "UNetSubscriptionBuilder* AddBlueprintQuery(const FNetBlueprintQuery& Query)", "UNetSubscriptionBuilder* AddBlueprint_Query(const FNetBlueprint_Query& Query)")
	seen := map[string]bool{}
	library := files["Source/Chat/"+client]
	library = library[strings.Index(library, "UNetQueryBuilderBlueprintLibrary"):]
	for _, f := range regexp.MustCompile(`(?m)^\tstatic \w+ (\w+)\(`).FindAllStringSubmatch(library, -1) {
		if seen[f[1]] {
			t.Errorf("two functions are called %s, which the header tool refuses", f[1])
		}
		seen[f[1]] = true
	}
	files, _ = build(t, modelOf(t, codegentest.Chat(t)), model.Options{SDK: u2})
	wants(t, files, header, "!BlueprintQuery")
}

func TestSkeleton(t *testing.T) {
	spec.Covers(t, "10.27")
	files, _ := build(t, modelOf(t, codegentest.Empty(t)), model.Options{SDK: u3})
	wants(t, files, "Chat.Build.cs", "public class Chat : ModuleRules", `"SpacetimeDbSdk"`)
	wants(t, files, "Chat.cpp", `IMPLEMENT_PRIMARY_GAME_MODULE(FDefaultGameModuleImpl, Chat, "Chat");`)
	wants(t, files, "Chat.h", "#pragma once")
	wants(t, files, header, "enum class EReducerTag : uint8\n{\n\tNone\n};")

	for _, c := range []struct{ before, after string }{
		{"{\n\t\"FileVersion\": 3\n}\n", "{\n\t\"FileVersion\": 3,\n\t\"Modules\": [\n\t\t{ \"Name\": \"Chat\", \"Type\": \"Runtime\", \"LoadingPhase\": \"Default\" }\n\t]\n}\n"},
		{`{"Modules":[],"a":[1,{"Modules":[2]}]}`, "{\"Modules\":[\n\t\t{ \"Name\": \"Chat\", \"Type\": \"Runtime\", \"LoadingPhase\": \"Default\" }\n\t],\"a\":[1,{\"Modules\":[2]}]}"},
		{`{"Modules": [{"Name": "Other"}]}`, "{\"Modules\": [{\"Name\": \"Other\"},\n\t\t{ \"Name\": \"Chat\", \"Type\": \"Runtime\", \"LoadingPhase\": \"Default\" }\n\t]}"},
		{`{"Modules": [{"Name": "Chat", "Type": "Editor"}]}`, `{"Modules": [{"Name": "Chat", "Type": "Editor"}]}`},
		{"{}", "{\n\t\"Modules\": [\n\t\t{ \"Name\": \"Chat\", \"Type\": \"Runtime\", \"LoadingPhase\": \"Default\" }\n\t]\n}"},
	} {
		after, err := AddModule([]byte(c.before), "Chat")
		if err != nil || string(after) != c.after {
			t.Errorf("%s became %s, %v", c.before, after, err)
		}
		if again, err := AddModule(after, "Chat"); err != nil || string(again) != string(after) {
			t.Errorf("a second time it became %s, %v", again, err)
		}
	}
	for bad, part := range map[string]string{`{`: "JSON", `[]`: "object", `{"Modules": 1}`: "array", `{} x`: "JSON"} {
		if _, err := AddModule([]byte(bad), "Chat"); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestWhatUnrealLacks(t *testing.T) {
	_, err := Generate(modelOf(t, codegentest.HardMaker().Module(t)), model.Options{SDK: u3, UnrealModule: "Chat"})
	for _, part := range []string{"type `List` contains itself", "type `LeafOrTree` contains itself"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not mention %s", err, part)
		}
	}
	_, err = Generate(modelOf(t, codegentest.Odd(t)), model.Options{SDK: u3, UnrealModule: "Chat"})
	if err == nil || !strings.Contains(err.Error(), "`never` of type `my_scope::Inner`") {
		t.Errorf("a type without values: %v", err)
	}
}

// Every generation of every module has the structure that compilers ask for, and
// two runs are the same.
func TestStructure(t *testing.T) {
	for _, sdk := range every {
		for _, m := range []*model.Module{modelOf(t, codegentest.Chat(t)), modelOf(t, codegentest.Empty(t)), wide(t)} {
			a, _ := build(t, m, model.Options{SDK: sdk})
			b, _ := build(t, m, model.Options{SDK: sdk})
			for name := range a {
				if a[name] != b[name] {
					t.Errorf("%s differs between two runs", name)
				}
			}
		}
	}
}
