package wasm

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// callTime is when all calls happen.
const callTime sats.Timestamp = 1_700_000_000_000_000

// A database runs one of the real modules (Rust, SDK 1.12 and 2.8) in a store.
type database struct {
	t   testing.TB
	p   abi.Program
	in  *instance
	s   *services
	def *schema.ModuleDef
	db  *store.Store
}

func open(t testing.TB, module string) *database {
	d := &database{t: t, s: newServices(), db: store.New(store.Options{})}
	d.s.now = func() sats.Timestamp { return callTime }
	if !strings.Contains(module, "/") {
		module = "../../testdata/vectors/live/modules/" + module
	}
	d.p = loadFile(t, module+".wasm", abi.Limits{})
	d.in = instantiate(t, d.p, d.s)
	b, err := d.in.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := schema.DecodeRaw(b)
	if err != nil {
		t.Fatal(err)
	}
	if d.def, err = schema.Validate(raw); err != nil {
		t.Fatal(err)
	}
	tx := d.db.Begin()
	for _, table := range d.def.Tables {
		if _, err := tx.CreateTable(table.Instantiate()); err != nil {
			t.Fatal(err)
		}
	}
	tx.Commit(nil)
	return d
}

// call calls a reducer with arguments in JSON as a host does, and commits if it succeeds.
func (d *database) call(reducer, args string) abi.Outcome {
	d.t.Helper()
	def, ok := d.def.Reducer(reducer)
	if !ok {
		d.t.Fatalf("no reducer %s", reducer)
	}
	b, err := sats.ParseJSONArgs(nil, d.def.Typespace, def.Params, reducer, []byte(args))
	if err != nil {
		d.t.Fatal(err)
	}
	tx := d.db.Begin()
	out := d.in.CallReducer(d.t.Context(), &abi.ReducerCall{ID: def.ID, Name: def.Name, Sender: sats.Identity{31: 0xc2}, Conn: sats.ConnectionID{9},
		Time: callTime, Args: b, Tx: tx})
	if out.Status == abi.StatusOK {
		tx.Commit(nil)
	} else {
		tx.Rollback()
	}
	if out.Discard {
		d.in = instantiate(d.t, d.p, d.s)
	}
	return out
}

func (d *database) must(reducer, args string) {
	d.t.Helper()
	if out := d.call(reducer, args); out.Status != abi.StatusOK {
		d.t.Fatalf("%s%s: %v %q %v", reducer, args, out.Status, out.Message, out.Err)
	}
}

// rows returns the rows of a table as JSON, sorted.
func (d *database) rows(table string) string {
	d.t.Helper()
	v := d.db.View()
	defer v.Close()
	def := v.TableByName(table)
	if def == nil {
		d.t.Fatalf("no table %s", table)
	}
	var rows []string
	for row := range v.Scan(def.ID) {
		b, _, err := sats.AppendJSON(nil, nil, def.RowType(), row, sats.FlavorUntyped)
		if err != nil {
			d.t.Fatal(err)
		}
		rows = append(rows, string(b))
	}
	slices.Sort(rows)
	return strings.Join(rows, " ")
}

func (d *database) wantRows(table, want string) {
	d.t.Helper()
	if got := d.rows(table); got != want {
		d.t.Errorf("%s holds %s, want %s", table, got, want)
	}
}

func (d *database) lastLog() abi.LogRecord {
	if len(d.s.logs) == 0 {
		return abi.LogRecord{}
	}
	return d.s.logs[len(d.s.logs)-1]
}

func TestKettles(t *testing.T) {
	for _, module := range []string{"kettle1", "kettle2"} {
		t.Run(module, func(t *testing.T) {
			d := open(t, module)
			d.must("init", "[]")
			d.wantRows("tea_box", `["green",62.5]`)
			d.must("pour", `[{"some":"mine"}]`)
			d.must("pour", `[{"none":[]}]`)
			who := `["0xc200000000000000000000000000000000000000000000000000000000000000"]`
			d.wantRows("cup", `[1,`+who+`,[0,"mine"]] [2,`+who+`,[1,[]]]`)
			if r := d.lastLog(); r.Message != "cup 2 poured" || r.Function != "pour" || r.Level != abi.LogInfo || r.Target != module {
				t.Errorf("logged %+v", r)
			}
			out := d.call("pour", `[{"some":""}]`)
			if out.Status != abi.StatusUserError || out.Message != "label must not be empty" || out.Discard {
				t.Errorf("got %+v", out)
			}
		})
	}
}

func TestKitchen(t *testing.T) {
	spec.Covers(t, "03.40")
	d := open(t, "kitchen")
	d.must("init", "[]")
	if r := d.lastLog(); r.Message != "kitchen open" {
		t.Errorf("logged %+v", r)
	}
	d.must("opened", "[]")
	d.must("add_item", `["spoon", 1, -5]`)
	d.must("add_item", `["fork", 2, 7]`)
	d.wantRows("item", `[1,"spoon",1,-5] [2,"fork",2,7]`)

	// A taken name is an error that the module sees; the rest of the call goes on.
	if out := d.call("add_item", `["fork", 3, 3]`); out.Status != abi.StatusUserError || out.Message == "" || out.Discard {
		t.Errorf("got %+v", out)
	}
	if out := d.call("fail", `["nope"]`); out.Status != abi.StatusUserError || out.Message != "nope" || out.Discard {
		t.Errorf("got %+v", out)
	}
	if out := d.call("fail_after_insert", `[]`); out.Status != abi.StatusUserError || out.Message != "changed my mind" {
		t.Errorf("got %+v", out)
	}
	d.wantRows("tock", "")

	// A panic rolls back, leaves a record with its place, and the next call has a new instance.
	for reducer, args := range map[string]string{"boom": "[]", "must_add_item": `["fork"]`} {
		if out := d.call(reducer, args); out.Status != abi.StatusTrap || out.Message != abi.FatalErrorText || !out.Discard {
			t.Errorf("%s: got %+v", reducer, out)
		}
		if r := d.lastLog(); r.Level != abi.LogPanic || !strings.HasSuffix(r.Filename, "lib.rs") || !r.HasLine || r.Function != reducer {
			t.Errorf("%s logged %+v", reducer, r)
		}
	}
	d.must("nop", "[]")
}

func TestKitchenRows(t *testing.T) {
	d := open(t, "kitchen")
	d.must("init", "[]")
	d.must("fill", "[]")
	for table, n := range map[string]int{"scalar": 3, "special": 3, "compound": 3, "lists": 3} {
		v := d.db.View()
		if got := v.RowCount(v.TableByName(table).ID); got != uint64(n) {
			t.Errorf("%s has %d rows, want %d", table, got, n)
		}
		v.Close()
	}
	// Every reducer below finds its old row by key, deletes it and inserts another.
	d.must("put_bytes", `[1, "00ff"]`)
	d.must("put_bytes", `[1, "0a"]`)
	if rows := d.rows("lists"); !strings.Contains(rows, `[1,"0a",[],`) {
		t.Errorf("lists holds %s", rows)
	}
	d.must("write_diary", `["dear diary"]`)
	d.must("beat", `[3, "thump"]`)
	d.must("arm", `[1000, "later"]`)
	d.must("set_closed", `[true]`)
	if out := d.call("opened", `[]`); out.Status != abi.StatusOK { // the owner may
		t.Errorf("got %+v", out)
	}
	d.wantRows("timer", `[1,[1,[1700000001000000]],"later"]`)
	if out := d.call("arm", fmt.Sprintf("[%d, \"never\"]", uint64(1)<<36)); out.Status != abi.StatusTrap {
		t.Errorf("a delay of 2^36 ms: %+v", out)
	}
}

// Every module at hand loads and describes itself validly.
func TestRealModulesDescribe(t *testing.T) {
	for _, module := range []string{"kettle1", "kettle2", "kitchen", "kitchen_added", "kitchen_badinit", "kitchen_broken", "kitchen_widened", "live"} {
		d := open(t, module)
		if len(d.def.Tables) == 0 || len(d.def.Reducers) == 0 {
			t.Errorf("%s: %d tables, %d reducers", module, len(d.def.Tables), len(d.def.Reducers))
		}
	}
	d := open(t, "kitchen_badinit")
	if out := d.call("init", "[]"); out.Status != abi.StatusUserError || out.Message != "the oven is cold" {
		t.Errorf("got %+v", out)
	}
}
