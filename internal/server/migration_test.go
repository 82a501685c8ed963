package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/sha3"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// What the migrations below start from: players with a key, an index on the name
// and an enum, and an event table.
func game() *definition {
	m := newDefinition()
	team := m.named("Team", sats.Enum("red", "blue"))
	cols := columns(sats.E("id", sats.U64), sats.E("name", sats.String), sats.E("team", team))
	m.table("player", cols, keyOn(0), countOn(0), indexOn(schema.BTree, 1))
	m.table("spark", columns(sats.E("x", sats.U8)), event)
	m.reducer("add", cols...).init()
	return m
}

func (m *definition) player() *schema.RawTableV10 { return &m.Tables[0] }
func (m *definition) team() *sats.Type            { return m.Typespace.Types[0] }
func (m *definition) playerRow() *sats.Type       { return m.Typespace.Types[m.Tables[0].ProductTypeRef] }

// playing is a rig with the game published and one player in it.
func playing(t *testing.T) *realRig {
	t.Helper()
	r := newRealRig(t)
	r.engine.on("add", insertArgs("player"))
	r.must(game())
	r.call("add", `[0,"Ann",{"red":[]}]`) // the sequence gives it 1
	r.engine.calls()
	return r
}

// client connects somebody.
func (r *realRig) client() *peer {
	r.t.Helper()
	p := r.dial(r.bob, "", "v2.bsatn")
	p.first()
	return p
}

// wantAlive checks that the connection still answers.
func (p *peer) wantAlive() {
	p.t.Helper()
	p.send(ask(1, 1))
	p.wantInOrder(1, 1)
}

func (p *peer) wantSentAway() {
	p.t.Helper()
	p.wantClosed(1001, "module exited")
}

func TestSameProgramAgain(t *testing.T) {
	spec.Covers(t, "02.51", "03.10")
	r := playing(t)
	p := r.client()
	rows := r.rows("SELECT * FROM st_module")
	r.wantProgram(host.Wasm, game().program())
	for _, query := range []string{"", "policy=Compatible"} {
		r.want(r.publish(game(), query), 200, r.success("db", r.id, "updated"))
	}
	if got := r.engine.calls(); got != "" {
		t.Errorf("called: %s", got)
	}
	p.wantAlive()
	r.wantRows("SELECT * FROM player", `[1,"Ann",[0,[]]]`)
	r.wantRows("SELECT * FROM st_module", rows...)
	if logs := r.logs(); strings.Contains(logs, "Updated program") || strings.Count(logs, "Invoking `init` reducer") != 1 {
		t.Errorf("the log says\n%s", logs)
	}
}

// wantProgram checks what the catalogue says of the program: its kind, hash and bytes.
func (r *realRig) wantProgram(kind host.ProgramKind, program []byte) {
	r.t.Helper()
	want := fmt.Sprintf(`,%d,"%s","%x",`, kind, abi.HashProgram(program).JSON(), program)
	if row := r.rows("SELECT * FROM st_module")[0]; !strings.Contains(row, want) {
		r.t.Errorf("st_module: %s; want %s", row, want)
	}
}

func TestKindOfProgram(t *testing.T) {
	spec.Covers(t, "04.1")
	r := newRealRig(t)
	r.must(game(), "host_type=Js")
	r.wantProgram(host.JS, game().program())
}

func TestQuietMigrations(t *testing.T) {
	spec.Covers(t, "02.52")
	for name, c := range map[string]struct {
		change func(m *definition)
		query  string // shows the effect
		want   []string
	}{
		"new table": {func(m *definition) { m.table("pet", columns(sats.E("n", sats.U8))) },
			"SELECT table_name, table_access FROM st_table WHERE table_id > 4097", []string{`["pet","public"]`}},
		"new index": {func(m *definition) { indexOn(schema.Hash, 2)(m.player()) },
			"SELECT table_id, index_algorithm FROM st_index WHERE index_name = 'player_team_idx_hash'", []string{`[4096,[3,[2]]]`}},
		"removed index": {func(m *definition) { m.player().Indexes = m.player().Indexes[:1] },
			"SELECT index_name FROM st_index WHERE table_id = 4096", []string{`["player_id_idx_btree"]`}},
		"access": {func(m *definition) { private(m.player()) },
			"SELECT table_access FROM st_table WHERE table_id = 4096", []string{`["private"]`}},
		"primary key": {func(m *definition) { m.player().PrimaryKey = nil },
			"SELECT table_primary_key FROM st_table WHERE table_id = 4096", []string{`[[1,[]]]`}},
		"variant": {func(m *definition) { e := m.team(); e.Elems = append(e.Elems, sats.E("green", sats.Unit)) },
			"SELECT id, team FROM player", []string{`[1,[0,[]]]`, `[2,[2,[]]]`}},
	} {
		t.Run(name, func(t *testing.T) {
			r := playing(t)
			p := r.client()
			m := game()
			c.change(m)
			if plan := r.prePublish(m); plan.Auto == nil || plan.Auto.Breaks {
				t.Errorf("plan: %+v", plan)
			}
			r.must(m)
			p.wantAlive()
			if name == "variant" {
				r.call("add", `[2,"Bea",{"green":[]}]`)
			}
			r.wantRows(c.query, c.want...)
			if name != "variant" {
				r.wantRows("SELECT * FROM player", `[1,"Ann",[0,[]]]`)
			}
			if called := r.engine.calls(); strings.Contains(called, "init") {
				t.Errorf("called: %s", called)
			}
			if logs := r.logs(); strings.Contains(logs, "Disconnecting all users") || !strings.Contains(logs, "Database updated") {
				t.Errorf("the log says\n%s", logs)
			}
		})
	}
}

// leveled adds a column with a default to the game.
func leveled() *definition {
	m := game()
	row := m.playerRow()
	row.Elems = append(row.Elems, sats.E("level", sats.U32))
	m.Reducers[0].Params = sats.Product(row.Elems...)
	defaultOf(3, sats.AppendU32(nil, 5))(m.player())
	return m
}

func TestNewColumn(t *testing.T) {
	spec.Covers(t, "02.53")
	r := playing(t)
	p := r.client()
	r.breaking(leveled())
	p.wantSentAway()
	r.wantRows("SELECT * FROM player", `[1,"Ann",[0,[]],5]`)
	if logs := r.logs(); !strings.Contains(logs, "Disconnecting all users") {
		t.Errorf("the log says\n%s", logs)
	}
	// The sequence goes on, and the key still is one.
	r.call("add", `[0,"Bea",{"red":[]},7]`)
	r.wantRows("SELECT name, level FROM player", `["Ann",5]`, `["Bea",7]`)
	r.client().wantAlive()
}

// v9Pairs is a module of the first generation, where a constraint has the name
// that the module gives it.
func v9Pairs(cols ...schema.ColID) *definition {
	return &definition{v9: &schema.RawV9{
		Typespace: &sats.Typespace{Types: []*sats.Type{sats.Product(sats.E("a", sats.U8), sats.E("b", sats.U8))}},
		Tables: []schema.RawTableV9{{
			Name: "pair", Kind: schema.User,
			Indexes:     []schema.RawIndex{{Name: sats.Named("ia"), Cols: []schema.ColID{0}}, {Name: sats.Named("ib"), Cols: []schema.ColID{1}}},
			Constraints: []schema.RawConstraint{{Name: sats.Named("only"), Cols: cols}},
		}},
	}}
}

func TestRefusedMigrations(t *testing.T) {
	spec.Covers(t, "02.54")
	for name, change := range map[string]func(m *definition){
		"no default": func(m *definition) { r := m.playerRow(); r.Elems = append(r.Elems, sats.E("n", sats.U8)) },
		"removed":    func(m *definition) { r := m.playerRow(); r.Elems = r.Elems[:2] },
		"reordered":  func(m *definition) { r := m.playerRow(); r.Elems[1], r.Elems[2] = r.Elems[2], r.Elems[1] },
		"retyped":    func(m *definition) { m.playerRow().Elems[1].Type = sats.U8 },
		"variant removed": func(m *definition) {
			e := m.team()
			e.Elems = e.Elems[:1]
		},
		"variant renamed": func(m *definition) { m.team().Elems[1].Name.Text = "green" },
		"event flag":      func(m *definition) { event(m.player()) },
		"not an event":    func(m *definition) { m.Tables[1].IsEvent = false },
		"index accessor":  func(m *definition) { m.player().Indexes[1].Accessor = sats.Named("by_name") },
	} {
		t.Run(name, func(t *testing.T) {
			r := playing(t)
			p := r.client()
			m := game()
			change(m)
			before := r.rows("SELECT * FROM st_module")
			want := "manual migration"
			if name == "no default" {
				want = "requires a default value annotation"
			}
			text := r.refused(m, 400, "Database update rejected: ", want)
			// Consent does not help: there is no token, and any other is wrong.
			if a := r.publish(m, "policy=BreakClients", "token=0x1"); a.status != 400 || a.body != text {
				t.Errorf("with consent: %d %s", a.status, a.body)
			}
			if plan := r.prePublish(m); plan.Manual == nil || !strings.Contains(plan.Manual.Reason, want) || "Database update rejected: "+plan.Manual.Reason != text {
				t.Errorf("plan: %+v, refusal %s", plan.Manual, text)
			}
			r.call("add", `[2,"Bea",{"blue":[]}]`)
			r.wantRows("SELECT * FROM player", `[1,"Ann",[0,[]]]`, `[2,"Bea",[1,[]]]`)
			r.wantRows("SELECT * FROM st_module", before...)
			p.wantAlive()
		})
	}
	r := newRealRig(t)
	r.must(v9Pairs(0))
	r.refused(v9Pairs(1), 400, "Database update rejected: ", "only", "manual migration")
	r.wantRows("SELECT constraint_name, constraint_data FROM st_constraint WHERE constraint_id > 4095", `["only",[1,[0]]]`)
}

func TestEventTablesChangeFreely(t *testing.T) {
	spec.Covers(t, "02.55")
	r := playing(t)
	for i, cols := range [][]sats.Element{
		columns(sats.E("x", sats.U8), sats.E("text", sats.String)), // added, without a default
		columns(sats.E("text", sats.String), sats.E("x", sats.U8)), // reordered
		columns(sats.E("text", sats.U64)),                          // removed and retyped
		columns(sats.E("y", sats.U64)),                             // renamed
	} {
		p := r.client()
		m := game()
		m.Typespace.Types[m.Tables[1].ProductTypeRef] = sats.Product(cols...)
		r.breaking(m)
		p.wantSentAway()
		var want []string
		for pos, c := range cols {
			want = append(want, fmt.Sprintf(`[%d,"%s"]`, pos, c.Name.Text))
		}
		id := strings.Trim(r.rows("SELECT table_id FROM st_table WHERE table_name = 'spark'")[0], "[]")
		r.wantRows("SELECT col_pos, col_name FROM st_column WHERE table_id = "+id, want...)
		if t.Failed() {
			t.Fatalf("change %d", i)
		}
	}
}

func TestRemovedTable(t *testing.T) {
	spec.Covers(t, "02.56")
	r := playing(t)
	p := r.client()
	m := game()
	m.Tables = m.Tables[1:]
	m.Reducers = m.Reducers[1:]
	plan := r.prePublish(m)
	if plan.Auto == nil || !plan.Auto.Breaks || !strings.Contains(plan.Auto.Plan, "▸ Removed table: player\n") {
		t.Fatalf("plan: %+v", plan)
	}
	a := r.publish(m, "policy=BreakClients", "token="+plan.Auto.Token)
	if a.status != 400 || !strings.HasPrefix(a.body, "Failed to create or update the database: ") || !strings.Contains(a.body, "table contains data") {
		t.Errorf("with rows: %d %s", a.status, a.body)
	}
	p.wantAlive()
	r.call("add", `[2,"Bea",{"red":[]}]`)
	if _, _, problem := r.sql(r.alice, "DELETE FROM player"); problem != "" {
		t.Fatal(problem)
	}
	r.breaking(m)
	p.wantSentAway()
	r.wantRows("SELECT table_name FROM st_table WHERE table_id > 4095", `["spark"]`)
	r.wantRows("SELECT * FROM st_index WHERE index_id > 4095")
	r.wantRows("SELECT * FROM st_sequence WHERE sequence_id > 4095")
	r.wantRows("SELECT * FROM st_column_accessor", `["spark","x","x"]`)
}

// uniqueNames is the game whose players have different names.
func uniqueNames() *definition {
	m := game()
	m.player().Constraints = append(m.player().Constraints, schema.RawConstraint{Cols: []schema.ColID{1}})
	return m
}

func TestNewUniqueConstraint(t *testing.T) {
	spec.Covers(t, "02.57")
	r := playing(t)
	r.call("add", `[2,"Ann",{"red":[]}]`)
	var before []string
	catalogue := func() (all []string) {
		for _, table := range []string{"st_constraint", "st_index", "st_module", "st_sequence", "player"} {
			rows := r.rows("SELECT * FROM " + table)
			slices.Sort(rows)
			all = append(all, rows...)
		}
		return all
	}
	before = catalogue()
	r.refused(uniqueNames(), 400, "Failed to create or update the database: ", "1 duplicate group(s) found", "Ann")
	if after := catalogue(); !slices.Equal(after, before) {
		t.Errorf("after the refusal\n%s\nbefore\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
	}
	r.call("add", `[3,"Ann",{"red":[]}]`)
	for _, id := range []string{"2", "3"} {
		if _, _, problem := r.sql(r.alice, "DELETE FROM player WHERE id = "+id); problem != "" {
			t.Fatal(problem)
		}
	}
	p := r.client()
	r.must(uniqueNames())
	p.wantAlive()
	r.wantRows("SELECT constraint_name, constraint_data FROM st_constraint WHERE constraint_id > 4095",
		`["player_id_key",[1,[0]]]`, `["player_name_key",[1,[1]]]`)
	if a := r.do("POST", "/v1/database/db/call/add", r.alice, `[9,"Ann",{"red":[]}]`, "content-type: application/json"); a.status != 530 || !strings.Contains(a.body, "player_name") {
		t.Errorf("a second Ann: %d %s", a.status, a.body)
	}
}

func TestNewSequence(t *testing.T) {
	spec.Covers(t, "02.58")
	plainIDs := func() *definition {
		m := game()
		m.player().Sequences = nil
		return m
	}
	r := newRealRig(t)
	r.engine.on("add", insertArgs("player"))
	r.must(plainIDs())
	r.call("add", `[7,"Ann",{"red":[]}]`)
	r.refused(game(), 400, "Failed to create or update the database: ", "already has values in range")
	r.wantRows("SELECT * FROM st_sequence WHERE sequence_id > 4095")
	r.call("add", `[0,"Zoe",{"red":[]}]`) // out of the range
	if _, _, problem := r.sql(r.alice, "DELETE FROM player"); problem != "" {
		t.Fatal(problem)
	}
	r.must(game())
	r.wantRows("SELECT sequence_name FROM st_sequence WHERE sequence_id > 4095", `["player_id_seq"]`)
	r.call("add", `[0,"Bea",{"red":[]}]`)
	r.wantRows("SELECT id, name FROM player", `[1,"Bea"]`)
}

func TestMigrationOfRules(t *testing.T) {
	spec.Covers(t, "02.59")
	withRules := func(rules ...string) *definition {
		m := game()
		m.RLS = rules
		return m
	}
	const anns, beas = "SELECT * FROM player WHERE name = 'Ann'", "SELECT * FROM player WHERE name = 'Bea'"
	r := playing(t)
	r.call("add", `[2,"Cy",{"red":[]}]`)
	p := r.client()
	r.breaking(withRules(anns))
	p.wantSentAway()
	r.wantRows("SELECT sql FROM st_row_level_security", `["`+anns+`"]`)
	// Unchanged: nothing is printed and nobody has to go.
	p = r.client()
	same := withRules(anns)
	same.reducer("other")
	plan := r.prePublish(same)
	if plan.Auto == nil || plan.Auto.Breaks || strings.Contains(plan.Auto.Plan, "▸") || strings.Contains(plan.Auto.Plan, "Warning") {
		t.Errorf("plan: %+v", plan.Auto)
	}
	r.must(same)
	p.wantAlive()
	r.wantRows("SELECT sql FROM st_row_level_security", `["`+anns+`"]`)
	// More of them, and none.
	r.breaking(withRules(anns, beas))
	p.wantSentAway()
	r.wantRows("SELECT sql FROM st_row_level_security", `["`+anns+`"]`, `["`+beas+`"]`)
	p = r.client()
	r.breaking(withRules())
	p.wantSentAway()
	r.wantRows("SELECT sql FROM st_row_level_security")
}

// The description of a view decides whether clients must go; what its function
// does is another matter.
func TestMigrationOfViews(t *testing.T) {
	r := playing(t)
	seen := func(cols ...sats.Element) *definition {
		m := game()
		m.view("seen", cols...)
		return m
	}
	p := r.client()
	r.must(seen(sats.E("id", sats.U64)))
	p.wantAlive()
	r.wantRows("SELECT view_name FROM st_view", `["seen"]`)
	body := seen(sats.E("id", sats.U64))
	body.salt = "another program"
	r.must(body)
	p.wantAlive()
	r.breaking(seen(sats.E("id", sats.U64), sats.E("n", sats.U8)))
	p.wantSentAway()
	r.wantRows("SELECT col_name FROM st_view_column", `["id"]`, `["n"]`)
	p = r.client()
	r.breaking(game())
	p.wantSentAway()
	r.wantRows("SELECT * FROM st_view")
}

// keccak is the hash of a migration token's text.
func keccak(text string) (h sats.Hash) {
	k := sha3.NewLegacyKeccak256()
	k.Write([]byte(text))
	k.Sum(h[:0])
	return h
}

func TestMigrationTokens(t *testing.T) {
	spec.Covers(t, "02.61")
	// The example of spec 02 §11.8.
	id, err := sats.ParseIdentity("c200" + strings.Repeat("11", 30))
	if err != nil {
		t.Fatal(err)
	}
	example := new(schema.Plan).Token(id, keccak("old module"), keccak("new module"))
	if example.JSON() != "0xab93bf07ddd8073ef2263e8d64ab00702060ee15770bdb5f3354526f952a2ff2" {
		t.Errorf("the example's token is %s", example.JSON())
	}

	r := playing(t)
	p := r.client()
	m := leveled()
	const failed = "Failed to create or update the database: "
	const wrong = failed + "Token provided is invalid or does not match expected hash"
	r.want(r.publish(m), 400, failed+"Migration plan contains a client-breaking change which is disallowed under current policy")
	r.want(r.publish(m, "policy=Compatible", "token=0x1"), 400, failed+"Migration plan contains a client-breaking change which is disallowed under current policy")
	r.want(r.publish(m, "policy=BreakClients"), 400, "Migration policy is set to `BreakClients`, but no migration token was provided.")
	r.want(r.publish(m, "policy=BreakClients", "token=0x1"), 400, wrong)
	token := keccak(r.id + abi.HashProgram(game().program()).String() + abi.HashProgram(m.program()).String())
	if plan := r.prePublish(m); plan.Auto == nil || plan.Auto.Token != token.JSON() {
		t.Errorf("plan %+v, want the token %s", plan.Auto, token.JSON())
	}
	// In the order of its digest's bytes it is another number.
	r.want(r.publish(m, "policy=BreakClients", "token=0x"+token.String()), 400, wrong)
	// A plan that breaks nobody needs the right one, too, if one is given.
	quiet := game()
	quiet.table("pet", columns(sats.E("n", sats.U8)))
	r.want(r.publish(quiet, "policy=BreakClients", "token="+token.JSON()), 400, wrong)
	r.want(r.publish(quiet, "policy=BreakClients"), 400, "Migration policy is set to `BreakClients`, but no migration token was provided.")
	p.wantAlive()
	r.wantRows("SELECT * FROM player", `[1,"Ann",[0,[]]]`)
	digits := strings.TrimPrefix(token.JSON(), "0x")
	r.must(m, "policy=BreakClients", "token=0x000"+digits)
	p.wantSentAway()
}

func TestPrePublishPlans(t *testing.T) {
	spec.Covers(t, "02.62")
	r := playing(t)
	if a := r.do("POST", "/v1/database/nowhere/pre_publish", r.alice, string(game().program())); a.status != 404 {
		t.Errorf("unknown database: %d %s", a.status, a.body)
	}
	// A quiet plan has a token that publish accepts.
	quiet := game()
	quiet.table("pet", columns(sats.E("n", sats.U8)))
	plan := r.prePublish(quiet)
	if plan.Auto == nil || plan.Auto.Breaks || plan.Auto.Major || !strings.Contains(plan.Auto.Plan, "▸ Created user table: pet (public)\n") {
		t.Fatalf("plan: %+v", plan)
	}
	r.wantRows("SELECT table_name FROM st_table WHERE table_id > 4095", `["player"]`, `["spark"]`) // only planned
	r.must(quiet, "policy=BreakClients", "token="+plan.Auto.Token)
	r.wantRows("SELECT table_name FROM st_table WHERE table_id > 4095", `["player"]`, `["spark"]`, `["pet"]`)
	// A refusal names every reason.
	bad := game()
	bad.playerRow().Elems[1].Type = sats.U8
	bad.team().Elems[0].Name.Text = "green"
	event(bad.player())
	plan = r.prePublish(bad)
	if plan.Auto != nil || plan.Manual == nil {
		t.Fatalf("plan: %+v", plan)
	}
	for _, want := range []string{"event flag of table player", "from String to U8", "variant"} {
		if !strings.Contains(plan.Manual.Reason, want) {
			t.Errorf("reason %q does not name %q", plan.Manual.Reason, want)
		}
	}
	// The module's generation.
	old := newRealRig(t)
	old.must(v9Pairs(0))
	m := newDefinition()
	m.table("pair", columns(sats.E("a", sats.U8), sats.E("b", sats.U8)))
	if plan := old.prePublish(m); plan.Auto == nil || !plan.Auto.Major {
		t.Errorf("from the first generation to the second: %+v", plan)
	}
}

func TestClearedData(t *testing.T) {
	r := playing(t)
	p := r.client()
	m := game()
	m.playerRow().Elems[1].Type = sats.U8 // not possible otherwise
	m.Reducers[0].Params = sats.Product(m.playerRow().Elems...)
	r.refused(m, 400, "manual migration")
	r.do("POST", "/v1/database/db/lock", r.alice, "")
	r.want(r.publish(m, "clear=true"), 403, "Database is locked and cannot be reset with --delete-data. Run `spacetime unlock` first.")
	r.wantRows("SELECT * FROM player", `[1,"Ann",[0,[]]]`)
	r.do("POST", "/v1/database/db/unlock", r.alice, "")
	r.engine.calls()
	r.want(r.publish(m, "clear=true"), 200, r.success("db", r.id, "updated"))
	p.wantSentAway()
	if called := r.engine.calls(); !strings.Contains(called, "init") {
		t.Errorf("called: %s", called)
	}
	r.wantRows("SELECT * FROM player")
	r.call("add", `[0,5,{"red":[]}]`)
	r.wantRows("SELECT * FROM player", `[1,5,[0,[]]]`)
	// Of a database that is not there, nothing can be cleared.
	a := r.do("PUT", "/v1/database/new?clear=true", r.alice, string(m.program()))
	r.want(a, 200, r.success("new", r.lookup("new"), "created"))
}

// A step that fails takes the others with it, the stored program included.
func TestFailedStepsUndoTheOthers(t *testing.T) {
	r := playing(t)
	r.call("add", `[2,"Ann",{"red":[]}]`)
	before := append(r.rows("SELECT * FROM st_module"), r.rows("SELECT * FROM st_table")...)
	m := uniqueNames() // fails at the duplicate
	m.table("pet", columns(sats.E("n", sats.U8)), keyOn(0))
	private(m.player())
	r.refused(m, 400, "duplicate group(s) found")
	gone := newDefinition().table("other", columns(sats.E("n", sats.U8))) // fails at the rows
	plan := r.prePublish(gone)
	if a := r.publish(gone, "policy=BreakClients", "token="+plan.Auto.Token); a.status != 400 {
		t.Errorf("rows in the way: %d %s", a.status, a.body)
	}
	after := append(r.rows("SELECT * FROM st_module"), r.rows("SELECT * FROM st_table")...)
	slices.Sort(before)
	slices.Sort(after)
	if !slices.Equal(after, before) {
		t.Errorf("after the refusals\n%s\nbefore\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
	}
	r.call("add", `[3,"Ann",{"red":[]}]`)
}
