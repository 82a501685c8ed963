package schema

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

func TestCaseConversion(t *testing.T) {
	spec.Covers(t, "02.6")
	for _, c := range []struct{ in, snake, camel, pascal string }{
		{"user", "user", "user", "User"},
		{"playerScore", "player_score", "playerScore", "PlayerScore"},
		{"HTTPRequest", "http_request", "httpRequest", "HttpRequest"},
		{"userID", "user_id", "userId", "UserId"},
		{"u64", "u_64", "u64", "U64"},
		{"vec3", "vec_3", "vec3", "Vec3"},
		{"Vec3D", "vec_3_d", "vec3D", "Vec3D"},
		{"player1Name", "player_1_name", "player1Name", "Player1Name"},
		{"get2FACode", "get_2_fa_code", "get2FaCode", "Get2FaCode"},
		{"ABCd", "ab_cd", "abCd", "AbCd"},
		{"_id", "id", "id", "Id"},
		{"id_", "id", "id", "Id"},
		{"__id__", "id", "id", "Id"},
		{"many___x", "many_x", "manyX", "ManyX"},
		{"RED", "red", "red", "Red"},
		{"GrannySmith", "granny_smith", "grannySmith", "GrannySmith"},
		{"item_2d", "item_2_d", "item2D", "Item2D"},
		{"_", "", "", ""},
		{"__", "", "", ""},
		{"x1y", "x_1_y", "x1Y", "X1Y"},
		{"aB1c", "a_b_1_c", "aB1C", "AB1C"},
		{"straßeX", "straße_x", "straßeX", "StraßeX"},
		{"日本Go", "日本go", "日本go", "日本go"},
		{"ΑΣ", "ας", "ας", "Ασ"},
		{"ßx", "ßx", "ßx", "SSx"},
		{"some-thing else", "some_thing_else", "someThingElse", "SomeThingElse"},
	} {
		if got := ToSnake(c.in); got != c.snake {
			t.Errorf("ToSnake(%q) = %q, want %q", c.in, got, c.snake)
		}
		if got := ToCamel(c.in); got != c.camel {
			t.Errorf("ToCamel(%q) = %q, want %q", c.in, got, c.camel)
		}
		if got := ToPascal(c.in); got != c.pascal {
			t.Errorf("ToPascal(%q) = %q, want %q", c.in, got, c.pascal)
		}
		if s := ToSnake(c.in); ToSnake(s) != s {
			t.Errorf("ToSnake is not idempotent on %q: %q", c.in, ToSnake(s))
		}
	}
}

func TestIdentifiers(t *testing.T) {
	for _, c := range []struct {
		in   string
		want error
	}{
		{"user", nil}, {"order", nil}, {"select", nil}, {"_x", nil}, {"x_1", nil}, {"größe", nil}, {"日本", nil}, {"aำ", nil}, {"℘a", nil},
		{"", errIdentEmpty},
		{"e\u0301", errIdentNotNFC},
		{"1a", errIdentStart}, {"-a", errIdentStart}, {"\u037a", errIdentStart}, {"\u0e33", errIdentStart}, {"\u0301a", errIdentStart},
		{"\xff", errIdentStart},
		{strings.Repeat("a", 64<<10), nil}, {strings.Repeat("a", 64<<10+1), errIdentTooLong},
		{"a-b", errIdentContinue}, {"a.b", errIdentContinue}, {"a b", errIdentContinue}, {"a$", errIdentContinue}, {"a\u037a", errIdentContinue}, {"a\u309b", errIdentContinue},
	} {
		if got := CheckIdentifier(c.in); !errors.Is(got, c.want) {
			t.Errorf("CheckIdentifier(%q) = %v, want %v", c.in, got, c.want)
		}
	}
}

func TestTableNames(t *testing.T) {
	spec.Covers(t, "02.9")
	for name, want := range map[string]ProblemKind{
		"st_x": TableNameReserved, "a-b": IdentifierError, "1a": IdentifierError, "": IdentifierError, "e\u0301": IdentifierError, "_": IdentifierError,
	} {
		m := newModule()
		m.table(name, sats.E("a", sats.U8))
		if e := problemsOf(t, m); !e.Has(want) {
			t.Errorf("table %q: %v", name, e)
		}
	}
	for _, name := range []string{"user", "order", "select"} {
		m := newModule()
		m.table(name, sats.E("type", sats.U8))
		if _, ok := m.must(t).Table(name); !ok {
			t.Errorf("table %q is not there", name)
		}
	}
}

// Every canonical name of the largest vector (spec 02 §4.4).
func TestFullVectorNames(t *testing.T) {
	spec.Covers(t, "02.7")
	m := valid(t, "v10_full_ts2.10.1")
	var got []string
	add := func(parts ...string) { got = append(got, strings.Join(parts, " ")) }
	for _, d := range m.Tables {
		cols := make([]string, len(d.Columns))
		for i, c := range d.Columns {
			cols[i] = c.Name
		}
		add("table", d.Name, d.Accessor, strings.Join(cols, ","), mark(d.IsEvent, "event"))
		for _, x := range d.Indexes {
			add("index", x.Name, x.Accessor, x.Codegen.Text)
		}
		for _, c := range d.Constraints {
			add("constraint", c.Name)
		}
		for _, s := range d.Sequences {
			add("sequence", s.Name)
		}
		if s := d.Schedule; s != nil {
			add("schedule", s.Name, s.Function, string('0'+rune(s.AtCol)), string('0'+rune(s.IDCol)))
		}
	}
	for i, r := range m.Reducers {
		if r.ID != uint32(i) {
			t.Errorf("reducer %s has id %d, want %d", r.Name, r.ID, i)
		}
		add("reducer", r.Name, r.Accessor, mark(r.Private, "private"))
	}
	for _, p := range m.Procedures {
		add("procedure", p.Name)
	}
	for _, w := range m.Views {
		add("view", w.Name, w.Accessor, string('0'+rune(w.Index)), mark(w.IsAnonymous, "anonymous"), string('0'+rune(*w.PrimaryKey)))
	}
	for _, d := range m.Types {
		add("type", d.FullName())
	}
	for _, h := range m.HTTPHandlers {
		add("handler", h.Name)
	}
	for _, r := range m.HTTPRoutes {
		add("route", r.Method, r.Path)
	}
	team := m.Typespace.Types[m.Types[0].Ref]
	add("variants", team.Elems[0].Name.Text, team.Elems[1].Name.Text, team.Elems[2].Name.Text)
	want := strings.Split(strings.TrimSpace(`
table player_score playerScore id,owner,level,best_score,team,pos,tags -
index player_score_id_idx_btree playerScore_id_idx_btree id
index player_score_owner_idx_btree playerScore_owner_idx_btree owner
index player_score_level_idx_hash playerScore_level_idx_hash level
index lvl_score playerScore_level_bestScore_idx_btree byLevelScore
constraint player_score_id_key
constraint player_score_owner_key
sequence player_score_id_seq
table Slots slot no,note -
index Slots_no_idx_direct slot_no_idx_direct no
constraint Slots_no_key
table tick tick scheduled_id,scheduled_at -
index tick_scheduled_id_idx_btree tick_scheduledId_idx_btree scheduledId
constraint tick_scheduled_id_key
sequence tick_scheduled_id_seq
schedule tick_sched run_tick 1 0
table damage damage target,amount event
table lib.session lib.session id,token -
index lib.session_id_idx_btree lib.session_id_idx_btree id
constraint lib.session_id_key
sequence lib.session_id_seq
reducer init init private
reducer do_it renamed -
reducer run_tick runTick private
reducer lib.verify_token lib.verify_token -
procedure roll
view my_player myPlayer 0 - 0
view leaders topPlayers 0 anonymous 0
type Team
type Geo.Pos
type PlayerScore
type Slots
type Tick
type Damage
type Init
type MyPlayer
type Renamed
type RunTick
type TopPlayers
handler hello
route GET /hello
route  /any
variants red blue other`), "\n")
	if !slices.Equal(got, want) {
		t.Errorf("names:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	score, _ := m.Table("player_score")
	if *score.PrimaryKey != 0 || string(score.Columns[3].Default) != "\xfb\xff\xff\xff\xff\xff\xff\xff" {
		t.Errorf("player_score: key %v, default of best_score %x", *score.PrimaryKey, score.Columns[3].Default)
	}
	if alias, ok := m.Table("playerScore"); !ok || alias != score {
		t.Errorf("lookup by accessor found %v", alias)
	}
	if _, ok := m.Reducer("renamed"); ok {
		t.Error("a reducer was found by its accessor name")
	}
	if r := m.Lifecycle(LifecycleInit); r == nil || r.Name != "init" {
		t.Errorf("init reducer: %v", r)
	}
}

func mark(on bool, name string) string {
	if on {
		return name
	}
	return "-"
}

func TestCaseNone(t *testing.T) {
	spec.Covers(t, "02.8")
	m := valid(t, "v10_casenone_ts2.10.1")
	d, ok := m.Table("PlayerData")
	if !ok {
		t.Fatal("table PlayerData is not there")
	}
	got := []string{d.Columns[0].Name, d.Columns[1].Name, d.Indexes[0].Name, d.Constraints[0].Name}
	if want := []string{"userID", "DisplayName", "PlayerData_userID_idx_btree", "PlayerData_userID_key"}; !slices.Equal(got, want) {
		t.Errorf("names %q, want %q", got, want)
	}
	if _, ok := m.Reducer("doThing"); !ok {
		t.Error("reducer doThing is not there")
	}
}

func TestExplicitNames(t *testing.T) {
	spec.Covers(t, "02.10", "02.4")
	m := newModule()
	m.noPolicy = true
	m.table("playerScore", sats.E("userID", sats.U64)).key(0)
	m.reducer("doIt")
	m.reducer("otherThing")
	m.ExplicitNames = []RawExplicitName{
		{NameTable, "playerScore", "ignored"}, {NameTable, "playerScore", "PlayerScores"}, // the last one counts
		{NameFunction, "doIt", "DoItNow"},
		{NameIndex, "playerScore_c_idx", "ByUser"},
	}
	def := m.must(t)
	d, ok := def.Table("PlayerScores")
	if !ok || d.Columns[0].Name != "user_id" || d.Indexes[0].Name != "ByUser" || d.Constraints[0].Name != "PlayerScores_user_id_key" {
		t.Errorf("table: %+v", d)
	}
	for _, name := range []string{"DoItNow", "other_thing"} {
		if _, ok := def.Reducer(name); !ok {
			t.Errorf("reducer %s is not there", name)
		}
	}
	m.ExplicitNames = append(m.ExplicitNames, RawExplicitName{NameFunction, "doIt", "not-a-name"})
	if e := problemsOf(t, m); !e.Has(IdentifierError) {
		t.Errorf("an explicit name that is no identifier: %v", e)
	}
}

func TestNamespaces(t *testing.T) {
	spec.Covers(t, "02.11", "02.12")
	m := newModule()
	m.table("fooBar", sats.E("a", sats.U8))
	m.table("foo_bar", sats.E("a", sats.U8))
	if e := problemsOf(t, m); !e.Has(DuplicateName) {
		t.Errorf("fooBar and foo_bar: %v", e)
	}
	m = newModule()
	m.reducer("fooBar")
	m.reducer("foo_bar")
	if e := problemsOf(t, m); !e.Has(DuplicateFunctionName) {
		t.Errorf("reducers fooBar and foo_bar: %v", e)
	}
	m = newModule()
	d := m.table("thing", sats.E("a", sats.U8))
	m.view("thing", sats.Array(sats.Ref(d.ProductTypeRef)))
	if e := problemsOf(t, m); !e.Has(DuplicateName) {
		t.Errorf("view and table of one name: %v", e)
	}
	m = newModule()
	d = m.table("t", sats.E("a", sats.U8))
	m.view("thing", sats.Array(sats.Ref(d.ProductTypeRef)))
	m.reducer("thing")
	if e := problemsOf(t, m); !e.Has(DuplicateFunctionName) {
		t.Errorf("view and reducer of one name: %v", e)
	}
	m = newModule()
	m.reducer("thing")
	m.HTTPHandlers = []string{"thing"}
	m.must(t)
}
