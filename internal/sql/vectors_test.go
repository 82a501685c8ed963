package sql

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// The recorded suite was made against the module live; this is the part of it
// that the recorded statements touch.
func liveTables(t testing.TB, ts *sats.Typespace, types map[string]json.RawMessage) []tableSpec {
	specs := []tableSpec{
		{name: "person", pk: "id", index: []string{"age"}},
		{name: "pet", pk: "id", index: []string{"owner"}, autoInc: "id"},
		{name: "loose"}, {name: "loose_b"}, {name: "only_i"},
		{name: "twin", pk: "id", unique: []string{"code"}},
		{name: "secret", pk: "id", private: true},
		{name: "flat", pk: "id"}, {name: "rich", pk: "id"},
		{name: "f_32_s", pk: "id"}, {name: "f_64_s", pk: "id"},
	}
	for i := range specs {
		typ, err := sats.ParseTypeJSON(types[specs[i].name])
		if err != nil {
			t.Fatal(err)
		}
		row, err := ts.Resolve(typ)
		if err != nil {
			t.Fatal(err)
		}
		specs[i].cols = row.Elems
	}
	return specs
}

type liveStep struct {
	Op, As, Q, Name string
	Args            []json.RawMessage
	Differs         any
	Unchecked       bool
	Expect          struct{ Ret json.RawMessage }
}

type liveAnswer struct {
	Error  string
	Schema [][]json.RawMessage
	Rows   []json.RawMessage
	Stats  map[string]uint64
}

type liveFile struct {
	Types struct {
		Live struct {
			Typespace []json.RawMessage
			Tables    map[string]json.RawMessage
		}
	}
	Cases []struct {
		Name    string
		Spec    []string
		Differs any
		Steps   []liveStep
	}
}

// cases of the file that this package can answer alone; the others need a
// module, and the server's own replay has them.
var replayed = []string{
	"forms", "conditions", "literals in conditions", "types that SQL cannot compare", "floats", "joins", "dml",
	"literals in insert", "set and show", "limits", "keywords as names",
}

// setup carries out what a reducer of the module did before the statements.
func (db *database) setup(name string, args []json.RawMessage) bool {
	list := func(args []json.RawMessage) string { return "[" + string(bytes.Join(raw(args), []byte(","))) + "]" }
	switch name {
	case "add_person":
		db.insert("person", list(args))
	case "put_pet":
		db.insert("pet", list(args))
	case "add_loose":
		db.insert("loose", list(args))
	case "add_loose_b":
		db.insert("loose_b", list(args))
	case "add_f_64", "add_f_32":
		db.insertBits(name, args)
	case "add_flat":
		db.insert("flat", `[1,true,-8,-16,-32,-64,-128,"-0x100",8,16,32,64,128,"0x100",1.5,-2.25,"text","abcd",["0x`+owner.Identity.String()+`"],[77],[1512366075204170929049582354406559215]]`)
	case "add_rich":
		db.insertRich(string(args[0]))
	default:
		return false
	}
	return true
}

func raw(args []json.RawMessage) (out [][]byte) {
	for _, a := range args {
		out = append(out, a)
	}
	return out
}

func (db *database) insertBits(name string, args []json.RawMessage) {
	var id uint32
	var bits uint64
	json.Unmarshal(args[0], &id)
	json.Unmarshal(args[1], &bits)
	tx := db.Begin()
	row := sats.AppendU32(nil, id)
	table := "f_64_s"
	if name == "add_f_32" {
		table = "f_32_s"
		row = sats.AppendU32(row, uint32(bits))
	} else {
		row = sats.AppendU64(row, bits)
	}
	if _, _, err := tx.Insert(tx.TableByName(table).ID, row); err != nil {
		db.t.Fatal(err)
	}
	tx.Commit(nil)
}

func (db *database) insertRich(id string) {
	rows := map[string]string{
		"1": `[1,[1600000000000001],[-1500000],[0,1],[1,[]],[1,7],[3,-4],[1,2,3],["a",""],[0,[[1,[]],[0,"in"]]],[1,[1]],[1,"bad"],[]]`,
		"2": `[2,[1600000000000002],[-1500000],[1,[]],[1,[]],[2,[-1,2]],[3,-4],[1,2,3],["a",""],[0,[[1,[]],[0,"in"]]],[0,[2000000]],[0,5],[]]`,
	}
	db.insert("rich", rows[id])
}

// TestRecordedStatements replays what the original server answered.
func TestRecordedStatements(t *testing.T) {
	for _, item := range []string{"07.1", "07.2", "07.5", "07.6", "07.10", "07.11", "07.13", "07.17", "07.21", "07.22", "07.23", "07.24",
		"07.25", "07.26", "07.27", "07.28", "07.29", "07.30", "07.31", "07.32"} {
		spec.Covers(t, item)
	}
	b, err := os.ReadFile("../../testdata/vectors/live/sql.json")
	if err != nil {
		t.Fatal(err)
	}
	var file liveFile
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	var ts sats.Typespace
	for _, raw := range file.Types.Live.Typespace {
		typ, err := sats.ParseTypeJSON(raw)
		if err != nil {
			t.Fatal(err)
		}
		ts.Types = append(ts.Types, typ)
	}
	for _, c := range file.Cases {
		if !slices.Contains(replayed, c.Name) {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			db := newDatabase(t, liveTables(t, &ts, file.Types.Live.Tables)...)
			for _, s := range c.Steps {
				db.replay(t, s)
			}
		})
	}
}

// skipped are statements outside of what this package answers alone.
func skipped(q string) string {
	switch {
	case strings.Contains(q, "pensioners"):
		return "needs a view"
	case q == "SELECT * FROM person user WHERE user.id = 1":
		return "spec 07 §2.3 wants the unquoted form accepted"
	case strings.Contains(q, "VALUES (1,TRUE,0x1,"):
		return "spec 07 §6.1: a hex literal is none for a number"
	case strings.HasPrefix(q, "DELETE FROM person USING"):
		return "spec 07 §34.11 gives it a meaning"
	case strings.Contains(q, "= 'inf'"):
		return "spec 07 §34.6: a literal of floats"
	case strings.Contains(q, "-128,1.0,8,"):
		return "spec 07 §6.1: a written fraction of zero is an integer for the widest types, too"
	}
	return ""
}

func (db *database) replay(t *testing.T, s liveStep) {
	t.Helper()
	switch {
	case s.Op == "call":
		db.setup(s.Name, s.Args)
		return
	case s.Op != "sql" || s.Unchecked || skipped(s.Q) != "":
		return
	}
	c := owner
	if s.As != "owner" {
		c = alice
	}
	bind := strings.NewReplacer("{{identity:owner}}", owner.Identity.String(), "{{identity:alice}}", alice.Identity.String(),
		"{{identity:bob}}", sats.Identity{3}.String())
	if s.Differs != nil && bytes.Contains(s.Expect.Ret, []byte(`"error"`)) {
		db.compileError(c, bind.Replace(s.Q)) // it must not panic, and what it does must not be seen later
		return
	}
	got, err := db.run(c, bind.Replace(s.Q))
	if s.Differs != nil {
		return // run for its effects, and because it must not panic
	}
	if bytes.Contains(s.Expect.Ret, []byte("{{conn:other}}")) {
		return // the UUID that happens to be that connection's id
	}
	var want liveAnswer
	if err := json.Unmarshal(s.Expect.Ret, &want); err != nil {
		t.Fatal(err)
	}
	if want.Error != "" || err != nil {
		if text := fmt.Sprint(err); text != bind.Replace(want.Error) {
			t.Errorf("%.200s\n got %s\nwant %s", s.Q, text, want.Error)
		}
		return
	}
	wantStats := Stats{Inserted: want.Stats["rows_inserted"], Updated: want.Stats["rows_updated"], Deleted: want.Stats["rows_deleted"]}
	if got.stats != wantStats {
		t.Errorf("%s: %+v, want %+v", s.Q, got.stats, wantStats)
	}
	if gotCols, wantCols := columnsText(got.cols), schemaText(t, want.Schema); gotCols != wantCols {
		t.Errorf("%s: columns %s, want %s", s.Q, gotCols, wantCols)
	}
	if g, w := canonRows(t, got.rows), canonRows(t, raw2(want.Rows, bind)); !reflect.DeepEqual(g, w) {
		t.Errorf("%s:\n got %s\nwant %s", s.Q, g, w)
	}
}

func raw2(rows []json.RawMessage, bind *strings.Replacer) (out []string) {
	for _, r := range rows {
		out = append(out, bind.Replace(string(r)))
	}
	return out
}

var leadingZeros = regexp.MustCompile(`"0x0+`)

// canonRows brings rows into one order and numbers into one form.
func canonRows(t *testing.T, rows []string) []string {
	out := []string{}
	for _, r := range rows {
		var v any
		if err := json.Unmarshal([]byte(r), &v); err != nil {
			t.Fatalf("%s: %v", r, err)
		}
		b, _ := json.Marshal(v)
		out = append(out, leadingZeros.ReplaceAllString(string(b), `"0x`))
	}
	slices.Sort(out)
	return out
}

func columnsText(cols []OutCol) string {
	var out []string
	for _, c := range cols {
		out = append(out, c.Name.Text+" "+c.Type.String())
	}
	return strings.Join(out, ", ")
}

func schemaText(t *testing.T, schema [][]json.RawMessage) string {
	var cols []OutCol
	for _, c := range schema {
		var name string
		if err := json.Unmarshal(c[0], &name); err != nil {
			t.Fatal(err)
		}
		typ, err := sats.ParseTypeJSON(c[1])
		if err != nil {
			t.Fatal(err)
		}
		cols = append(cols, OutCol{Name: sats.Named(name), Type: typ})
	}
	return columnsText(cols)
}
