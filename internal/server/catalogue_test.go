package server

import (
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// A specTable is a system table as the specification describes it.
type specTable struct {
	id      int
	name    string
	private bool
	key     string // "[0,[n]]" or "[1,[]]"
	cols    []string
	types   []*sats.Type
}

// specCatalogue reads spec 02 §9: what a fresh database has to contain.
type specCatalogue struct {
	tables                         []*specTable
	indexes, constraints, sequence []string // rows of the catalogue, flavour A
}

func cells(line string) []string {
	parts := strings.Split(strings.Trim(strings.ReplaceAll(line, `\|`, "/"), "| \n"), "|")
	for i := range parts {
		parts[i] = strings.TrimSpace(strings.ReplaceAll(parts[i], `\`, ""))
	}
	return parts
}

func readCatalogue(t *testing.T) *specCatalogue {
	t.Helper()
	text, err := os.ReadFile("../../docs/spec/02-module-def.md")
	if err != nil {
		t.Fatal(err)
	}
	c := &specCatalogue{}
	section := ""
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			section = strings.TrimLeft(strings.TrimSpace(line), "# ")
			continue
		}
		if !strings.HasPrefix(line, "|") {
			continue
		}
		cell := cells(line)
		switch {
		case strings.HasPrefix(section, "9.1 "):
			if id, err := strconv.Atoi(cell[0]); err == nil {
				s := &specTable{id: id, name: cell[1], private: strings.Contains(cell[2], "private"), key: "[1,[]]"}
				if key, _, _ := strings.Cut(cell[4], " "); key != "—" {
					s.key = "[0,[" + key + "]]"
				}
				c.tables = append(c.tables, s)
			}
		case strings.HasPrefix(section, "9.2 "):
			if s := c.table(cell[0]); s != nil {
				s.readColumns(t, cell[1])
			}
		case strings.HasPrefix(section, "9.3 "):
			c.readIndex(t, cell[0:3])
			if len(cell) == 7 {
				c.readIndex(t, cell[4:7])
			}
		case strings.HasPrefix(section, "9.4 "):
			if id, err := strconv.Atoi(cell[0]); err == nil {
				name, _, _ := strings.Cut(cell[1], " ")
				table, col, _ := strings.Cut(cell[2], ".")
				c.sequence = append(c.sequence, fmt.Sprintf(`[%d,"%s",%d,%s,1,4097,1,170141183460469231731687303715884105727,4096]`, id, name, c.table(table).id, col))
			}
		}
	}
	return c
}

func (c *specCatalogue) table(name string) *specTable {
	for _, s := range c.tables {
		if s.name == name {
			return s
		}
	}
	return nil
}

var columnStart = regexp.MustCompile(`(?:^|, )\d+ (\w+):`)

func (s *specTable) readColumns(t *testing.T, text string) {
	t.Helper()
	depth, list := 0, ""
	for _, r := range text { // columns are separated by commas outside of parentheses
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth > 0 && r == ',' {
			r = ';'
		}
		list += string(r)
	}
	starts := columnStart.FindAllStringSubmatchIndex(list, -1)
	for i, at := range starts {
		end := len(list)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		s.cols = append(s.cols, list[at[2]:at[3]])
		s.types = append(s.types, specType(t, list[at[1]:end]))
	}
}

// specType reads the notation of §9.2.
func specType(t *testing.T, text string) *sats.Type {
	t.Helper()
	text = strings.TrimSpace(text)
	switch {
	case strings.HasPrefix(text, "Sum("):
		sum := sats.Sum()
		for variant := range strings.SplitSeq(strings.TrimSuffix(text[4:], ")"), ";") {
			variant = strings.TrimSpace(variant)
			_, variant, _ = strings.Cut(variant, " ")
			name, typ, ok := strings.Cut(variant, ":")
			if !ok { // of st_var: a variant is called like its type
				name, typ = variant, variant
			}
			sum.Elems = append(sum.Elems, sats.E(name, specType(t, typ)))
		}
		return sum
	case strings.HasPrefix(text, "Option<"):
		return sats.Option(specType(t, text[7:strings.LastIndex(text, ">")]))
	case strings.HasPrefix(text, "Array<"):
		return sats.Array(specType(t, text[6:strings.LastIndex(text, ">")]))
	case strings.HasPrefix(text, "["):
		return sats.Array(specType(t, strings.Trim(text, "[]")))
	}
	name, _, _ := strings.Cut(text, " ")
	typ, err := sats.ParseTypeJSON([]byte(`{"` + name + `":[]}`))
	if err != nil {
		t.Fatalf("type %q: %v", text, err)
	}
	return typ
}

// readIndex reads a stem with its ids. The stem is the table's name and those of
// the columns, joined.
func (c *specCatalogue) readIndex(t *testing.T, cell []string) {
	id, err := strconv.Atoi(cell[1])
	if err != nil {
		return
	}
	stem := cell[0]
	var s *specTable
	for _, x := range c.tables {
		if strings.HasPrefix(stem, x.name+"_") && (s == nil || len(x.name) > len(s.name)) {
			s = x
		}
	}
	rest := stem[len(s.name):]
	var cols []string
	for rest != "" {
		best := -1
		for i, col := range s.cols {
			if after, ok := strings.CutPrefix(rest, "_"+col); ok && (after == "" || after[0] == '_') && (best < 0 || len(col) > len(s.cols[best])) {
				best = i
			}
		}
		if best < 0 {
			t.Fatalf("stem %s: no column of %s in %q", stem, s.name, rest)
		}
		cols = append(cols, strconv.Itoa(best))
		rest = rest[1+len(s.cols[best]):]
	}
	list := strings.Join(cols, ",")
	c.indexes = append(c.indexes, fmt.Sprintf(`[%d,%d,"%s_idx_btree",[1,[%s]]]`, id, s.id, stem, list))
	if constraint, err := strconv.Atoi(cell[2]); err == nil {
		c.constraints = append(c.constraints, fmt.Sprintf(`[%d,"%s_key",%d,[1,[%s]]]`, constraint, stem, s.id, list))
	}
}

func (r *realRig) wantRows(query string, want ...string) {
	r.t.Helper()
	got := r.rows(query)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		r.t.Errorf("%s:\n got %s\nwant %s", query, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// A fresh database describes itself in its system tables, row by row what spec 02
// §9 says.
func TestFreshCatalogue(t *testing.T) {
	spec.Covers(t, "02.41", "02.47", "02.73")
	c := readCatalogue(t)
	r := newRealRig(t)
	r.must(newDefinition())

	var tables, cols []string
	for _, s := range c.tables {
		access := "public"
		if s.private {
			access = "private"
		}
		tables = append(tables, fmt.Sprintf(`[%d,"%s","system","%s",%s]`, s.id, s.name, access, s.key))
		for i, name := range s.cols {
			cols = append(cols, fmt.Sprintf(`[%d,%d,"%s","%s"]`, s.id, i, name, hex.EncodeToString(sats.AppendType(nil, s.types[i]))))
		}
	}
	if got, want := []int{len(tables), len(cols), len(c.indexes), len(c.constraints), len(c.sequence)}, []int{26, 102, 37, 33, 8}; !slices.Equal(got, want) {
		t.Fatalf("read from the specification: %v, want the counts of §9.5, %v", got, want)
	}
	r.wantRows("SELECT * FROM st_table", tables...)
	r.wantRows("SELECT * FROM st_column", cols...)
	r.wantRows("SELECT * FROM st_index", c.indexes...)
	r.wantRows("SELECT * FROM st_constraint", c.constraints...)
	r.wantRows("SELECT * FROM st_sequence", c.sequence...)

	full := map[string]bool{"st_table": true, "st_column": true, "st_index": true, "st_constraint": true, "st_sequence": true}
	for _, s := range c.tables {
		query := "SELECT * FROM " + s.name
		rows := r.rows(query)
		switch {
		case s.name == "st_module" || s.name == "st_client" || s.name == "st_connection_credentials":
			// the module, and the connection of the request itself
			if len(rows) != 1 {
				t.Errorf("%s: %q", s.name, rows)
			}
		case !full[s.name] && len(rows) != 0:
			t.Errorf("%s: %q; want no rows", s.name, rows)
		}
		_, _, problem := r.sql(r.bob, query)
		if s.private != (problem == "no such table: `"+s.name+"`. If the table exists, it may be marked private.") || !s.private && problem != "" {
			t.Errorf("%s, read by somebody else: %q", s.name, problem)
		}
	}
	module := fmt.Sprintf(`^\["0x%s","0x[0-9a-f]+",0,"0x[0-9a-f]+","[0-9a-f]+","0\.0\.1"\]$`, r.id)
	if row := r.rows("SELECT * FROM st_module")[0]; !regexp.MustCompile(module).MatchString(row) {
		t.Errorf("st_module: %s", row)
	}
}

// What a user's first objects are called in the catalogue, and their ids.
func TestFirstIDs(t *testing.T) {
	spec.Covers(t, "02.42", "02.45")
	r := newRealRig(t)
	m := newDefinition()
	m.table("playerScore", columns(sats.E("ID", sats.U64), sats.E("bestScore", sats.I32)), keyOn(0), countOn(0))
	m.view("player", sats.E("id", sats.U64), sats.E("levelNo", sats.U64))
	r.must(m)
	r.wantRows("SELECT table_id, table_name, table_type FROM st_table WHERE table_id > 4095",
		`[4096,"player_score","user"]`, `[4097,"player","user"]`)
	r.wantRows("SELECT * FROM st_view", `[4096,"player",[0,4097],true,true]`)
	r.wantRows("SELECT index_id, table_id, index_name FROM st_index WHERE index_id > 4095",
		`[4096,4096,"player_score_id_idx_btree"]`, `[4097,4097,"player_arg_hash_idx_btree"]`)
	r.wantRows("SELECT * FROM st_constraint WHERE constraint_id > 4095", `[4096,"player_score_id_key",4096,[1,[0]]]`)
	r.wantRows("SELECT sequence_id, sequence_name, table_id FROM st_sequence WHERE sequence_id > 4095", `[4096,"player_score_id_seq",4096]`)

	// The row type of a view; in the text of the command line.
	a := r.rows("SELECT * FROM st_view_column")
	want := []string{`[4096,0,"id","0d"]`, `[4096,1,"level_no","0d"]`}
	if !slices.Equal(a, want) {
		t.Errorf("st_view_column: %q, want %q", a, want)
	}
	row := schema.StViewColumnRow{ViewID: 4096, Name: "id", Type: sats.U64}
	if text, _, err := sats.AppendSQLText(nil, nil, schema.SystemTable(schema.StViewColumn).RowType(), row.Append(nil)); err != nil || !strings.HasSuffix(string(text), `"id", col_type = 0x0d)`) {
		t.Errorf("as text: %s, %v", text, err)
	}

	// Aliases are there for what users make, also where they equal the name.
	r.wantRows("SELECT * FROM st_table_accessor", `["player_score","playerScore"]`, `["player","player"]`)
	r.wantRows("SELECT * FROM st_column_accessor",
		`["player_score","id","ID"]`, `["player_score","best_score","bestScore"]`, `["player","id","id"]`, `["player","level_no","levelNo"]`)
	r.wantRows("SELECT * FROM st_index_accessor", `["player_score_id_idx_btree","playerScoreBy0"]`)
}

// Tables of the module and its submodules are made in the order of their full
// names' bytes.
func TestCreationOrder(t *testing.T) {
	spec.Covers(t, "02.43")
	one := columns(sats.E("n", sats.U8))
	r := newRealRig(t)
	sub := newDefinition().table("zz", one).table("a", one)
	m := newDefinition().table("lib_x", one).table("m", one).table("lib", one).table("k", one)
	m.view("a_view", one...)
	m.Submodules = []schema.RawSubmodule{{Namespace: "lib2", Module: sub.v10()}}
	r.must(m)
	r.wantRows("SELECT table_id, table_name FROM st_table WHERE table_id > 4095",
		`[4096,"k"]`, `[4097,"lib"]`, `[4098,"lib_2.a"]`, `[4099,"lib_2.zz"]`, `[4100,"lib_x"]`, `[4101,"m"]`, `[4102,"a_view"]`)

	// Bytes, not letters: capitals come first.
	s := newRealRig(t)
	old := &schema.RawV9{Typespace: &sats.Typespace{Types: []*sats.Type{sats.Product(one...)}}}
	for _, name := range []string{"apple", "Zebra", "_x", "mango"} {
		old.Tables = append(old.Tables, schema.RawTableV9{Name: name, Kind: schema.User})
	}
	s.must(&definition{v9: old})
	s.wantRows("SELECT table_id, table_name FROM st_table WHERE table_id > 4095",
		`[4096,"Zebra"]`, `[4097,"_x"]`, `[4098,"apple"]`, `[4099,"mango"]`)
}

func TestFailedInitLeavesNothing(t *testing.T) {
	spec.Covers(t, "02.44")
	r := newRealRig(t)
	m := newDefinition().table("t", columns(sats.E("n", sats.U8))).init()
	r.engine.on("init", func(c *abi.ReducerCall, s abi.Services) error {
		d, err := tableNamed(c.Tx, "t")
		if err != nil {
			return err
		}
		if _, _, err := c.Tx.Insert(d.ID, []byte{1}); err != nil {
			return err
		}
		return fmt.Errorf("the oven is cold")
	})
	r.refused(m, 500, "the oven is cold")
	r.want(r.do("GET", "/v1/database/db", r.alice, ""), 404, "`db` not found")
	r.want(r.do("POST", "/v1/database/db/sql", r.alice, "SELECT * FROM t"), 404, "`db` not found")
	if dbs := r.do("GET", "/v1/identity/"+r.owner()+"/databases", "", "").body; dbs != `{"identities":[]}` {
		t.Errorf("databases of the publisher: %s", dbs)
	}
	// The name is free, for anybody.
	r.engine.on("init", nil)
	r.alice, r.bob = r.bob, r.alice
	r.must(m)
	r.wantRows("SELECT * FROM t")
}

// owner is the identity of the publisher.
func (r *realRig) owner() string {
	r.t.Helper()
	return r.do("POST", "/v1/database/nowhere/sql", r.alice, "x").header.Get("Spacetime-Identity")
}

// Objects are found by their own and by their source names, in SQL and by modules.
func TestNamesOfObjects(t *testing.T) {
	spec.Covers(t, "02.46")
	r := newRealRig(t)
	m := newDefinition().table("playerScore", columns(sats.E("ID", sats.U64), sats.E("bestScore", sats.I32)), keyOn(0)).
		reducer("look").reducer("put", sats.E("id", sats.U64), sats.E("score", sats.I32))
	r.engine.on("put", insertArgs("player_score"))
	r.engine.on("look", func(c *abi.ReducerCall, s abi.Services) error {
		x := abiCall(c, s)
		defer x.End()
		for _, name := range []string{"player_score", "playerScore"} {
			if id, e := x.TableIDFromName(name); e != abi.OK || id != 4096 {
				return fmt.Errorf("table %s: %d, %v", name, id, e)
			}
		}
		for _, name := range []string{"player_score_id_idx_btree", "playerScoreBy0"} {
			if id, e := x.IndexIDFromName(name); e != abi.OK || id != 4096 {
				return fmt.Errorf("index %s: %d, %v", name, id, e)
			}
		}
		for _, name := range []string{"PlayerScore", "playerscore", "player_Score", ""} {
			if _, e := x.TableIDFromName(name); e != abi.ErrNoSuchTable {
				return fmt.Errorf("table %s: %v", name, e)
			}
			if _, e := x.IndexIDFromName(name); e != abi.ErrNoSuchIndex {
				return fmt.Errorf("index %s: %v", name, e)
			}
		}
		return nil
	})
	r.must(m)
	r.call("look", "[]")
	r.call("put", "[1,-5]")
	for _, table := range []string{"player_score", "playerScore"} {
		for _, col := range []string{"best_score", "bestScore"} {
			r.wantRows("SELECT "+col+" FROM "+table+" WHERE "+col+" = -5", `[-5]`)
		}
	}
	if _, _, problem := r.sql(r.alice, "SELECT * FROM PlayerScore"); !strings.Contains(problem, "no such table") {
		t.Errorf("another spelling: %q", problem)
	}
}

// A submodule's tables have the namespace before their names (spec 02 §5.6).
func TestSubmoduleTables(t *testing.T) {
	spec.Covers(t, "02.69")
	for want, change := range map[string]func(*definition){
		"my_auth": func(*definition) {},
		"AuthLib": func(m *definition) {
			m.ExplicitNames = []schema.RawExplicitName{{Kind: schema.NameNamespace, Source: "myAuth", Canonical: "AuthLib"}}
		},
		"myAuth": func(m *definition) { m.CasePolicy = schema.CaseNone },
	} {
		t.Run(want, func(t *testing.T) {
			r := newRealRig(t)
			sub := newDefinition().table("Sessions", columns(sats.E("id", sats.U64)), keyOn(0)).reducer("open", sats.E("id", sats.U64))
			m := newDefinition().reducer("look")
			m.Submodules = []schema.RawSubmodule{{Namespace: "myAuth", Module: sub.v10()}}
			change(m)
			r.engine.on("look", func(c *abi.ReducerCall, s abi.Services) error {
				x := abiCall(c, s)
				defer x.End()
				for _, name := range []string{want + ".sessions", "myAuth.Sessions"} {
					if id, e := x.TableIDFromName(name); e != abi.OK || id != 4096 {
						return fmt.Errorf("table %s: %d, %v", name, id, e)
					}
				}
				if _, e := x.TableIDFromName("sessions"); e != abi.ErrNoSuchTable {
					return fmt.Errorf("table sessions: %v", e)
				}
				return nil
			})
			r.engine.on(want+".open", insertArgs(want+".sessions"))
			r.must(m)
			r.wantRows("SELECT table_name FROM st_table WHERE table_id > 4095", `["`+want+`.sessions"]`)
			r.wantRows("SELECT * FROM st_table_accessor", `["`+want+`.sessions","myAuth.Sessions"]`)
			r.call("look", "[]")
			r.call(want+".open", "[7]")
			count := 0
			for _, row := range r.rows("SELECT * FROM st_index WHERE table_id = 4096") {
				count += strings.Count(row, `"`+want+`.sessions_id_idx_btree"`)
			}
			if count != 1 {
				t.Errorf("the index is not called by the namespace")
			}
		})
	}
}
