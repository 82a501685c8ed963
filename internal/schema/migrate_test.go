package schema

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/sha3"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// stepNames returns the steps of a plan as "AddTable" and so on.
func stepNames(p *Plan) []string {
	var out []string
	for _, s := range p.Steps {
		out = append(out, strings.TrimPrefix(fmt.Sprintf("%T", s), "schema."))
	}
	return out
}

// oldModule is what the tests below start from.
func oldModule() *rawModule {
	m := newModule()
	team := m.named("Team", sats.Enum("red", "blue"))
	m.table("player", sats.E("id", sats.U64), sats.E("name", sats.String), sats.E("team", sats.Ref(team))).key(0).sequence(0).index(BTree, 1)
	m.table("spark", sats.E("x", sats.U8)).IsEvent = true
	m.rows("v")
	m.RLS = []string{"SELECT * FROM player"}
	return m
}

// typeOf returns the entry with this name.
func (m *rawModule) typeOf(name string) *sats.Type {
	i := slices.IndexFunc(m.Types, func(t RawType) bool { return t.Name == name })
	return m.Typespace.Types[m.Types[i].Ref]
}

func TestMigrationSteps(t *testing.T) {
	quiet := []string{"RemoveRLS", "AddRLS", "UpdateView"} // what every plan does
	player := func(m *rawModule) *RawTableV10 { return &m.Tables[0] }
	addColumn := func(m *rawModule) {
		row := m.typeOf("Rowplayer")
		row.Elems = append(row.Elems, sats.E("level", sats.U32))
	}
	for name, c := range map[string]struct {
		change func(m *rawModule)
		want   []string // besides quiet; in order
		breaks bool
	}{
		"nothing":      {func(m *rawModule) {}, nil, false},
		"new table":    {func(m *rawModule) { m.table("x", sats.E("a", sats.U8)) }, []string{"AddTable"}, false},
		"table gone":   {func(m *rawModule) { m.Tables = m.Tables[:1] }, []string{"RemoveTable", "DisconnectAllUsers"}, true},
		"access":       {func(m *rawModule) { player(m).Access = Private }, []string{"ChangeAccess"}, false},
		"key removed":  {func(m *rawModule) { player(m).PrimaryKey = nil }, []string{"ChangePrimaryKey"}, false},
		"accessor":     {func(m *rawModule) { player(m).SourceName = "Player" }, []string{"ChangeTableAccessor"}, false},
		"column alias": {func(m *rawModule) { m.typeOf("Rowplayer").Elems[1].Name.Text = "Name" }, []string{"ChangeColumnAccessor"}, false},
		"index added":  {func(m *rawModule) { player(m).index(Hash, 2) }, []string{"AddIndex"}, false},
		"index gone":   {func(m *rawModule) { player(m).Indexes = player(m).Indexes[:1] }, []string{"RemoveIndex"}, false},
		"index redone": {func(m *rawModule) { player(m).Indexes[1].Algo = Hash }, []string{"RemoveIndex", "AddIndex"}, false},
		"index source": {func(m *rawModule) { player(m).Indexes[1].Name.Text = "byName" }, []string{"ChangeIndexSourceName"}, false},
		"constraint": {func(m *rawModule) {
			player(m).Constraints = append(player(m).Constraints, RawConstraint{Cols: []ColID{1}})
		}, []string{"AddConstraint"}, false},
		"no constraint":   {func(m *rawModule) { player(m).Constraints, player(m).PrimaryKey = nil, nil }, []string{"RemoveConstraint", "ChangePrimaryKey"}, false},
		"sequence gone":   {func(m *rawModule) { player(m).Sequences = nil }, []string{"RemoveSequence"}, false},
		"sequence redone": {func(m *rawModule) { player(m).Sequences[0].Max = i128p(9) }, []string{"RemoveSequence", "AddSequence"}, false},
		"variant":         {func(m *rawModule) { e := m.typeOf("Team"); e.Elems = append(e.Elems, sats.E("green", sats.Unit)) }, []string{"ChangeColumns"}, false},
		"column":          {func(m *rawModule) { addColumn(m); player(m).Defaults = []RawColumnDefault{{3, []byte{5, 0, 0, 0}}} }, []string{"AddColumns", "DisconnectAllUsers"}, true},
		"event column":    {func(m *rawModule) { m.typeOf("Rowspark").Elems[0] = sats.E("y", sats.String) }, []string{"ReschemaEventTable", "DisconnectAllUsers"}, true},
		"event alias":     {func(m *rawModule) { m.typeOf("Rowspark").Elems[0].Name.Text = "X" }, []string{"ChangeColumnAccessor"}, false},
		"view added":      {func(m *rawModule) { m.rows("w") }, []string{"AddView"}, false},
		"view access":     {func(m *rawModule) { m.Views[0].IsPublic = false }, []string{"ChangeAccess"}, false},
		"rule added":      {func(m *rawModule) { m.RLS = append(m.RLS, "SELECT * FROM spark") }, []string{"AddRLS", "DisconnectAllUsers"}, true},
		"reducer":         {func(m *rawModule) { m.reducer("f") }, nil, false},
		"default":         {func(m *rawModule) { player(m).Defaults = []RawColumnDefault{{1, []byte{0, 0, 0, 0}}} }, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := oldModule()
			c.change(m)
			p, err := PlanMigration(oldModule().must(t), m.must(t))
			if err != nil {
				t.Fatal(err)
			}
			got := stepNames(p)
			for _, q := range quiet {
				i := slices.Index(got, q)
				if i < 0 {
					t.Fatalf("no %s in %q", q, got)
				}
				got = slices.Delete(got, i, i+1)
			}
			if !slices.Equal(got, c.want) || p.BreaksClients != c.breaks {
				t.Errorf("steps %q, breaking %t; want %q, %t", got, p.BreaksClients, c.want, c.breaks)
			}
			if adds := slices.Contains(got, "AddSequence"); adds != (len(p.Prechecks) > 0) {
				t.Errorf("prechecks %v", p.Prechecks)
			}
		})
	}
}

func TestMigrationOfViews(t *testing.T) {
	remade := []string{"RemoveView", "RemoveRLS", "AddView", "AddRLS"}
	for name, change := range map[string]func(m *rawModule){
		"column added":   func(m *rawModule) { e := m.typeOf("Viewv"); e.Elems = append(e.Elems, sats.E("c", sats.U8)) },
		"column renamed": func(m *rawModule) { m.typeOf("Viewv").Elems[0].Name.Text = "z" },
		"column retyped": func(m *rawModule) { m.typeOf("Viewv").Elems[0].Type = sats.U8 },
		"parameter":      func(m *rawModule) { m.Views[0].Params = sats.Product(sats.E("p", sats.U8)) },
		"sender":         func(m *rawModule) { m.Views[0].IsAnonymous = false },
		"key":            func(m *rawModule) { m.ViewPrimaryKeys = []RawViewPrimaryKey{{"v", []string{"a"}}} },
	} {
		m := oldModule()
		change(m)
		p, err := PlanMigration(oldModule().must(t), m.must(t))
		if err != nil {
			t.Fatal(name, err)
		}
		if got := stepNames(p); !slices.Equal(got, append(slices.Clone(remade), "DisconnectAllUsers")) {
			t.Errorf("%s: %q", name, got)
		}
	}
	m := oldModule()
	m.Views = nil
	p, err := PlanMigration(oldModule().must(t), m.must(t))
	if err != nil || !slices.Equal(stepNames(p), []string{"RemoveView", "RemoveRLS", "AddRLS", "DisconnectAllUsers"}) {
		t.Errorf("view removed: %q, %v", stepNames(p), err)
	}
}

func TestMigrationRefused(t *testing.T) {
	team := func(m *rawModule) *sats.Type { return m.typeOf("Team") }
	row := func(m *rawModule) *sats.Type { return m.typeOf("Rowplayer") }
	for name, c := range map[string]struct {
		change func(m *rawModule)
		want   []string // one per reason, in order
	}{
		"column without default": {func(m *rawModule) { r := row(m); r.Elems = append(r.Elems, sats.E("n", sats.U8)) }, []string{"Adding a column n to table player requires a default value annotation"}},
		"column removed":         {func(m *rawModule) { r := row(m); r.Elems = r.Elems[:2] }, []string{"Removing a column team from table player requires a manual migration"}},
		"column renamed":         {func(m *rawModule) { row(m).Elems[2].Name.Text = "side" }, []string{"Removing a column team", "Adding a column side"}},
		"columns reordered": {func(m *rawModule) {
			r := row(m)
			r.Elems[1], r.Elems[2] = r.Elems[2], r.Elems[1]
		}, []string{"Reordering", ""}[:1]},
		"column first": {func(m *rawModule) {
			r := row(m)
			r.Elems = append([]sats.Element{sats.E("n", sats.U8)}, r.Elems...)
			d := &m.Tables[0]
			d.PrimaryKey, d.Constraints[0].Cols, d.Sequences[0].Col = []ColID{1}, []ColID{1}, 1
			d.Indexes[0].Cols, d.Indexes[1].Cols = []ColID{1}, []ColID{2}
			d.Defaults = []RawColumnDefault{{0, []byte{0}}}
		}, []string{"Reordering", "[id] to [id]"}},
		"column retyped":    {func(m *rawModule) { row(m).Elems[1].Type = sats.U8 }, []string{"from String to U8"}},
		"variant removed":   {func(m *rawModule) { e := team(m); e.Elems = e.Elems[:1] }, []string{"fewer variants"}},
		"variant renamed":   {func(m *rawModule) { team(m).Elems[0].Name.Text = "rot" }, []string{"a variant has another name"}},
		"variant with data": {func(m *rawModule) { e := team(m); e.Elems = append(e.Elems, sats.E("other", sats.U16)) }, []string{"size in rows changes from 1 to 4", "alignment in rows changes from 1 to 2"}},
		"event flag":        {func(m *rawModule) { m.Tables[0].IsEvent = true; m.Tables[1].IsEvent = false }, []string{"event flag of table player", "event flag of table spark"}},
		"table type":        {func(m *rawModule) { m.Tables[0].Kind = System }, []string{"type of table player from user to system"}},
		"index accessor":    {func(m *rawModule) { m.Tables[0].Indexes[1].Accessor = sats.Named("by_name") }, []string{"accessor name of index player_name_idx_btree"}},
		"everything at once": {func(m *rawModule) {
			row(m).Elems[1].Type = sats.U8
			team(m).Elems[0].Name.Text = "rot"
			m.Tables[0].Kind = System
		}, []string{"type of table", "from String to U8", "variant"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := oldModule()
			c.change(m)
			_, err := PlanMigration(oldModule().must(t), m.must(t))
			var e *MigrationError
			if !errors.As(err, &e) {
				t.Fatalf("planned: %v", err)
			}
			if len(e.Reasons) != len(c.want) {
				t.Errorf("%d reasons, want %d:\n%v", len(e.Reasons), len(c.want), e)
			}
			for i, want := range c.want[:min(len(c.want), len(e.Reasons))] {
				if !strings.Contains(e.Reasons[i], want) {
					t.Errorf("reason %d: %q, want %q", i, e.Reasons[i], want)
				}
				if !strings.Contains(e.Reasons[i], "requires a manual migration") && !strings.HasPrefix(want, "Adding a column") {
					t.Errorf("reason %q does not name manual migration", e.Reasons[i])
				}
			}
		})
	}
}

func TestTypeCompatibility(t *testing.T) {
	a := func(t *sats.Type) sats.Element { return sats.E("a", t) }
	b := func(t *sats.Type) sats.Element { return sats.E("b", t) }
	for _, c := range []struct {
		old, new *sats.Type
		want     []compatProblem
		changed  bool
	}{
		{sats.U8, sats.U8, nil, false},
		{sats.Sum(a(sats.U8)), sats.Sum(a(sats.U8), b(sats.U16)), []compatProblem{sizeMismatch, alignMismatch}, true},
		{sats.Sum(a(sats.String)), sats.Sum(a(sats.String), b(sats.U32)), []compatProblem{sizeMismatch, alignMismatch}, true},
		{sats.Sum(a(sats.String)), sats.Sum(a(sats.String), b(sats.U16)), nil, true},
		{sats.Enum("a"), sats.Enum("a", "b"), nil, true},
		{sats.Array(sats.Enum("a")), sats.Array(sats.Enum("a", "b")), nil, true},
		{sats.Product(a(sats.U8)), sats.Product(a(sats.U8), b(sats.U8)), []compatProblem{fewerFields}, true},
		{sats.Product(a(sats.U8)), sats.Product(b(sats.U8)), []compatProblem{renamedField}, true},
		{sats.Option(sats.U8), sats.Option(sats.U16), []compatProblem{changedType, sizeMismatch, alignMismatch}, true},
		{sats.Array(sats.U8), sats.String, []compatProblem{changedType}, true},
	} {
		var got []compatProblem
		k := compat{report: func(p compatProblem, within bool, old, new *sats.Type) {
			got = append(got, p)
			if within == (old == c.old) {
				t.Errorf("%s → %s: problem %d within: %t", c.old, c.new, p, within)
			}
		}}
		changed := k.upgradable(c.old, c.new, false)
		if !slices.Equal(got, c.want) || changed != c.changed {
			t.Errorf("%s → %s: problems %v, changed %t; want %v, %t", c.old, c.new, got, changed, c.want, c.changed)
		}
	}
	for _, c := range []struct {
		t    *sats.Type
		want rowLayout
	}{
		{sats.Never, rowLayout{1, 1}}, {sats.Unit, rowLayout{0, 1}}, {sats.U256Type, rowLayout{32, 32}},
		{sats.Product(a(sats.U8), b(sats.U64)), rowLayout{16, 8}}, {sats.Option(sats.U64), rowLayout{16, 8}}, {sats.String, rowLayout{4, 2}},
	} {
		if got := layoutOf(c.t); got != c.want {
			t.Errorf("layout of %s: %v, want %v", c.t, got, c.want)
		}
	}
}

func TestMigrationOfOutboxes(t *testing.T) {
	spec.Covers(t, "02.75")
	plain := func(t *testing.T) *ModuleDef {
		m := outboxModule()
		m.Outboxes = nil
		return m.must(t)
	}
	moved := outboxModule()
	moved.Outboxes[0].TargetCol = 2
	keyed := outboxModule()
	keyed.typeOf("Rowletters").Elems = append(keyed.typeOf("Rowletters").Elems, sats.E("n", sats.U64))
	rekeyed := outboxModule()
	rekeyed.typeOf("Rowletters").Elems = append(rekeyed.typeOf("Rowletters").Elems, sats.E("n", sats.U64))
	rekeyed.Tables[0].key(4)
	for name, c := range map[string]struct {
		old, new *ModuleDef
		want     string
	}{
		"added":   {plain(t), outboxModule().must(t), "Making table letters an outbox"},
		"removed": {outboxModule().must(t), plain(t), "an ordinary table"},
		"target":  {outboxModule().must(t), moved.must(t), "target column"},
		"key":     {keyed.must(t), rekeyed.must(t), "primary key of outbox"},
	} {
		if _, err := PlanMigration(c.old, c.new); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "manual migration") {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := outboxModule()
	m.Outboxes[0].OnResult = sats.Name{}
	p, err := PlanMigration(outboxModule().must(t), m.must(t))
	if err != nil || p.BreaksClients || !slices.Equal(stepNames(p), []string{"ChangeOutbox"}) || strings.Count(p.Pretty(NoColor), "\n") != 4 {
		t.Errorf("callback changed: %v, %v", p, err)
	}
}

func TestMigrationOfSchedules(t *testing.T) {
	old, new := newModule(), newModule()
	old.tick()
	new.tick()
	new.reducer("walk", sats.E("a", sats.Ref(new.Tables[0].ProductTypeRef)))
	new.Schedules[0].Function = "walk"
	p, err := PlanMigration(old.must(t), new.must(t))
	if err != nil || !slices.Equal(stepNames(p), []string{"RemoveSchedule", "AddSchedule"}) {
		t.Errorf("schedule changed: %v, %v", p, err)
	}
}

// From V9 to V10 names change, and the error says how to keep them.
func TestMigrationToV10(t *testing.T) {
	old := &RawV9{
		Typespace: &sats.Typespace{Types: []*sats.Type{sats.Product(sats.E("bestScore", sats.U8))}},
		Tables:    []RawTableV9{{Name: "score", Kind: User}},
	}
	a, err := Validate(&RawModule{V9: old})
	if err != nil {
		t.Fatal(err)
	}
	m := newModule()
	m.table("score", sats.E("bestScore", sats.U8))
	_, err = PlanMigration(a, m.must(t))
	if err == nil || !strings.Contains(err.Error(), "policy `None`") {
		t.Errorf("converted names: %v", err)
	}
	m.CasePolicy = CaseNone
	p, err := PlanMigration(a, m.must(t))
	if err != nil || !p.MajorVersionUpgrade() || len(p.Steps) != 0 {
		t.Errorf("policy None: %v, %v", p, err)
	}
}

// Plans of submodules use qualified names; a new accessor namespace changes
// only aliases.
func TestMigrationOfSubmodules(t *testing.T) {
	build := func(namespace string) *ModuleDef {
		sub := newModule()
		sub.table("session", sats.E("id", sats.U64)).key(0)
		m := newModule()
		m.mount(namespace, sub)
		return m.must(t)
	}
	p, err := PlanMigration(build("myAuth"), build("my_auth"))
	if err != nil || !slices.Equal(stepNames(p), []string{"ChangeIndexSourceName", "ChangeTableAccessor"}) {
		t.Errorf("accessor namespace: %v, %v", p, err)
	}
	p, err = PlanMigration(build("a"), build("b"))
	if err != nil || !slices.Equal(stepNames(p), []string{"RemoveTable", "AddTable", "DisconnectAllUsers"}) {
		t.Errorf("other namespace: %v, %v", p, err)
	}
}

func TestAddColumnsApply(t *testing.T) {
	m := oldModule()
	row := m.typeOf("Rowplayer")
	row.Elems = append(row.Elems, sats.E("level", sats.U32))
	m.Tables[0].Defaults = []RawColumnDefault{{3, []byte{5, 0, 0, 0}}}
	old := oldModule().must(t)
	p, err := PlanMigration(old, m.must(t))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(p.Steps, func(s Step) bool { _, ok := s.(AddColumns); return ok })
	step := p.Steps[i].(AddColumns)
	d, _ := old.Table("player")
	before := d.Instantiate()
	after := step.Apply(before)
	if len(after.Cols) != 4 || after.Layout.NumCols() != 4 || len(before.Cols) != 3 || len(after.Indexes) != len(before.Indexes) {
		t.Errorf("after: %+v", after)
	}
	if got := step.Defaults(); len(got) != 1 || !bytes.Equal(got[0], []byte{5, 0, 0, 0}) {
		t.Errorf("defaults %v", got)
	}
}

func TestSequencePrecheckRange(t *testing.T) {
	for _, c := range []struct {
		typ      *sats.Type
		min, max *sats.I128
		lo, hi   string
	}{
		{sats.U8, nil, nil, "01", "ff"},
		{sats.I8, i128p(-5), nil, "fb", "7f"},
		{sats.I16, i128p(-100000), i128p(100000), "0080", "ff7f"},
		{sats.U16, i128p(3), i128p(9), "0300", "0900"},
		{sats.U256Type, nil, nil, "01" + strings.Repeat("00", 31), strings.Repeat("ff", 32)},
	} {
		m := newModule()
		d := m.table("t", sats.E("a", c.typ)).sequence(0)
		d.Sequences[0].Min, d.Sequences[0].Max = c.min, c.max
		if c.min != nil {
			d.Sequences[0].Start = c.min
		}
		def, _ := m.must(t).Table("t")
		lo, hi, ok := SequencePrecheck{def, &def.Sequences[0]}.Range()
		if !ok || hex.EncodeToString(lo) != c.lo || hex.EncodeToString(hi) != c.hi {
			t.Errorf("%s: %x to %x, %t; want %s to %s", c.typ, lo, hi, ok, c.lo, c.hi)
		}
	}
}

// The worked example of spec 02 §11.8.
func TestMigrationToken(t *testing.T) {
	keccak := func(s string) sats.Hash {
		h := sha3.NewLegacyKeccak256()
		h.Write([]byte(s))
		return sats.Hash(h.Sum(nil))
	}
	db, err := sats.ParseIdentity("c200" + strings.Repeat("11", 30))
	if err != nil {
		t.Fatal(err)
	}
	token := new(Plan).Token(db, keccak("old module"), keccak("new module"))
	if want := "f22f2a956f5254335fdb0b7715ee60207000ab648d3e26f23e07d8dd07bf93ab"; token.String() != want {
		t.Errorf("token %s, want %s", token, want)
	}
	const wire = "0xab93bf07ddd8073ef2263e8d64ab00702060ee15770bdb5f3354526f952a2ff2"
	if token.JSON() != wire {
		t.Errorf("on the wire %s, want %s", token.JSON(), wire)
	}
}
