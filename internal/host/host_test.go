package host

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/stdbgo/spacetime/internal/leaktest"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// cacheDir keeps the compiled code of WebAssembly modules during the tests.
var cacheDir string

func TestMain(m *testing.M) {
	var err error
	if cacheDir, err = os.MkdirTemp("", "stdb-host-test"); err != nil {
		panic(err)
	}
	leaktest.Main(m, goleak.Cleanup(func(code int) {
		if err := os.RemoveAll(cacheDir); err != nil && code == 0 {
			panic(err)
		}
		os.Exit(code)
	}))
}

func sortStrings(s []string) { slices.Sort(s) }

func str(s string) []byte { return sats.AppendString(nil, s) }
func u32(n uint32) []byte { return sats.AppendU32(nil, n) }
func u64(n uint64) []byte { return sats.AppendU64(nil, n) }

func params(e ...sats.Element) []sats.Element { return e }

var personCols = params(sats.E("id", sats.U32), sats.E("name", sats.String))

// people is a module with a table of persons.
func people(name string) *fakeModule {
	return newFake(name).
		addTable("person", personCols, primary(0)).
		reducer("add", personCols, func(c *fakeCall) error {
			if err := c.insert("person", c.Args); err != nil {
				return userError(err.Error())
			}
			return nil
		}).
		reducer("add_and_fail", personCols, func(c *fakeCall) error {
			if err := c.insert("person", c.Args); err != nil {
				return err
			}
			return userError("no thanks")
		}).
		reducer("trap", nil, func(c *fakeCall) error { return trapError("unreachable") }).
		reducer("exhaust", nil, func(c *fakeCall) error { return errNoEnergy }).
		reducer("odd", nil, func(c *fakeCall) error { return errBadResult }).
		reducer("count", nil, func(c *fakeCall) error {
			c.globals["calls"]++
			return c.insert("person", append(u32(1000+uint32(c.globals["calls"])), str("counted")...))
		}).
		function("secret", schema.VisibilityPrivate, nil, func(c *fakeCall) error { return nil })
}

func logsOf(t *testing.T, db *Database) string {
	t.Helper()
	r, err := db.Logs(background, -1, false)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func want(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s = %q; want %q", what, got, want)
	}
}

func TestCallCommitsAndSurvivesRestart(t *testing.T) {
	w := newWorld(t)
	db := w.create(people("people"))
	res := w.call(db, alice, "add", u32(1), str("Ann"))
	if !res.HasOffset || res.Offset != 1 || res.Energy != 7 {
		t.Errorf("result = %+v; want offset 1 and energy 7", res)
	}
	w.call(db, alice, "add", u32(2), str("Bea"))
	persons := []string{`(id = 1, name = "Ann")`, `(id = 2, name = "Bea")`}
	want(t, "persons", w.rows(db, "person"), persons)
	w.restart()
	db = w.open()
	want(t, "persons after restart", w.rows(db, "person"), persons)
	w.call(db, alice, "add", u32(3), str("Cy"))
}

func TestFailuresRollBack(t *testing.T) {
	spec.Covers(t, "08.9", "08.19")
	w := newWorld(t)
	db := w.create(people("people"))
	w.call(db, alice, "count")
	for _, tt := range []struct {
		name   string
		status CallStatus
		text   string
	}{
		{"add_and_fail", Failed, "no thanks"},
		{"trap", Trapped, "The instance encountered a fatal error."},
		{"odd", Trapped, "The instance encountered a fatal error."},
		{"exhaust", OutOfEnergy, "Module energy budget exhausted."},
	} {
		res, err := db.CallReducer(background, &CallRequest{Caller: alice, Name: tt.name, Args: append(u32(5), str("x")...)})
		if err != nil || res.Status != tt.status || res.Message != tt.text {
			t.Errorf("%s = %d %q, %v; want %d %q", tt.name, res.Status, res.Message, err, tt.status, tt.text)
		}
		if res.Offset != 1 {
			t.Errorf("%s: offset %d; want that of the transaction before it, 1", tt.name, res.Offset)
		}
	}
	want(t, "persons", w.rows(db, "person"), []string{`(id = 1001, name = "counted")`})
	// The trap spoiled the instance: the next call meets fresh globals.
	res := w.call(db, alice, "count")
	if res.Offset != 1 {
		t.Errorf("the second count gave offset %d; it inserts the row that is there, so it consumes none", res.Offset)
	}
	if logs := logsOf(t, db); !strings.Contains(logs, `"level":"Error"`) || !strings.Contains(logs, `"function":"add_and_fail","message":"no thanks"`) {
		t.Errorf("no record of the user error in %s", logs)
	}
}

func TestRequestErrors(t *testing.T) {
	spec.Covers(t, "08.20", "08.21")
	w := newWorld(t)
	db := w.create(people("people").lifecycle(schema.LifecycleInit, "init", func(*fakeCall) error { return nil }))
	call := func(who Caller, name, json string) error {
		_, err := db.CallReducer(background, &CallRequest{Caller: who, Name: name, Args: []byte(json), ArgsJSON: true})
		return err
	}
	if err := call(alice, "nobody", "[]"); !errors.Is(err, ErrNoSuchReducer) || err.Error() != "no such reducer" {
		t.Errorf("unknown reducer: %v", err)
	}
	if err := call(alice, "secret", "[]"); !errors.Is(err, ErrNoSuchReducer) {
		t.Errorf("private reducer: %v", err)
	}
	if err := call(owner, "secret", "[]"); err != nil {
		t.Errorf("private reducer for the owner: %v", err)
	}
	for _, who := range []Caller{alice, owner} {
		if err := call(who, "init", "[]"); err == nil || err.Error() != "can't directly call special Init lifecycle reducer" {
			t.Errorf("lifecycle reducer: %v", err)
		}
	}
	var bad *InvalidArgsError
	if err := call(alice, "add", `[1]`); !errors.As(err, &bad) || err.Error() != "invalid arguments for reducer add: ." {
		t.Errorf("short arguments: %v", err)
	} else if chain := bad.Chain(); chain != "invalid arguments for reducer add: .: invalid arguments for function add: .: .: invalid length 1, expected reducer args for add with 2 elements at line 1 column 3" {
		t.Errorf("short arguments, all causes: %s", chain)
	}
	logs := logsOf(t, db)
	for _, want := range []string{
		`External attempt to call nonexistent reducer \"nobody\" failed. Have you run` + " `spacetime generate` recently?",
		`External attempt to call reducer \"add\" failed, invalid arguments.\nThis is likely due to a mismatched client schema, have you run` + " `spacetime generate` recently?",
	} {
		if !strings.Contains(logs, want) {
			t.Errorf("no record %s in %s", want, logs)
		}
	}
	// Trailing bytes of BSATN arguments do not reach the module.
	if _, err := db.CallReducer(background, &CallRequest{Caller: alice, Name: "add", Args: append(append(u32(9), str("Ida")...), 1, 2, 3)}); err != nil {
		t.Error(err)
	}
	if err := call(alice, "add", `{"name":"Joe","id":10}`); err != nil {
		t.Errorf("arguments by name: %v", err)
	}
	want(t, "persons", w.rows(db, "person"), []string{`(id = 10, name = "Joe")`, `(id = 9, name = "Ida")`})
}

// A name that may be a procedure is looked for among both.
func TestProcedureNames(t *testing.T) {
	spec.Covers(t, "08.68")
	w := newWorld(t)
	m := people("people")
	sec := m.section(schema.SecProcedures)
	sec.Procedures = []schema.RawProcedureV10{{SourceName: "compute", Params: sats.Product(), Return: sats.U32, Visibility: schema.VisibilityClient}}
	db := w.create(m)
	call := func(name string) error {
		_, err := db.CallReducer(background, &CallRequest{Caller: alice, Name: name, Args: []byte("[]"), ArgsJSON: true, OrProcedure: true})
		return err
	}
	if err := call("compute"); !errors.Is(err, ErrIsProcedure) {
		t.Errorf("procedure: %v", err)
	}
	if logs := logsOf(t, db); strings.Contains(logs, "nonexistent") {
		t.Errorf("a procedure is said not to exist in %s", logs)
	}
	if err := call("nobody"); !errors.Is(err, ErrNoSuchReducer) {
		t.Errorf("unknown name: %v", err)
	}
	if logs := logsOf(t, db); strings.Count(logs, "nonexistent reducer") != 1 || strings.Count(logs, "nonexistent procedure") != 1 {
		t.Errorf("want a record for each kind in %s", logs)
	}
}
