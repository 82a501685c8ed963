package host

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

// declares declares environment variables: "KEY", "KEY?" (optional), "KEY=a|b".
func (m *fakeModule) declares(vars ...string) *fakeModule {
	sec := m.section(schema.SecEnvironment)
	for _, v := range vars {
		v, optional := strings.CutSuffix(v, "?")
		name, values, literal := strings.Cut(v, "=")
		raw := schema.RawEnvironmentVar{Name: name, Optional: optional}
		if literal {
			raw.Type = schema.RawEnvType{Kind: schema.EnvUnion, Values: strings.Split(values, "|")}
		}
		sec.Environment = append(sec.Environment, raw)
	}
	return m
}

func set(pairs ...string) EnvUpdate {
	u := EnvUpdate{Values: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		u.Values[pairs[i]] = pairs[i+1]
	}
	return u
}

// readEnv reads a variable as the ABI does, and says what came of it.
func readEnv(s abi.Services, tx *store.Tx, function, key string) (text string) {
	defer func() {
		if v := recover(); v != nil {
			text = "trap: " + v.(*abi.Trap).Error()
		}
	}()
	value, declared, isSet := s.Env(tx, function, key)
	switch {
	case !declared:
		return "undeclared"
	case !isSet:
		return "unset"
	}
	return "=" + string(value)
}

// configured is a module that reads its environment wherever it can.
func configured(name string, vars ...string) (*fakeModule, map[string]string) {
	seen := map[string]string{}
	m := people(name).declares(vars...)
	m.lifecycle(schema.LifecycleInit, "init_env", func(c *fakeCall) error {
		seen["init"] = readEnv(c.Services, c.Tx, c.Name, "A")
		return nil
	})
	m.reducer("look", params(sats.E("key", sats.String)), func(c *fakeCall) error {
		key := sats.NewReader(c.Args).Str()
		seen["reducer "+key] = readEnv(c.Services, c.Tx, c.Name, key)
		seen["committed "+key] = readEnv(c.Services, nil, c.Name, key)
		seen["submodule "+key] = readEnv(c.Services, c.Tx, "lib.look", key)
		return nil
	})
	return m, seen
}

func (w *world) createWith(m *fakeModule, env EnvUpdate) (*Database, error) {
	info := w.info
	info.Environment = env
	return w.host.Create(background, info, w.engine.register(m))
}

// What is wrong with values is refused, and nothing has changed; no text has a value.
func TestEnvironmentRefused(t *testing.T) {
	spec.Covers(t, "08.74")
	w := newWorld(t)
	m, _ := configured("needy", "A", "B=x|y?")
	many := EnvUpdate{Values: map[string]string{}}
	for i := range 257 {
		many.Values[fmt.Sprint("K", i)] = "secret"
	}
	cases := []struct {
		name string
		env  EnvUpdate
		text string
	}{
		{"literal", set("A", "", "B", "secret"), `environment key "B": value does not satisfy its declared string constraint`},
		{"too many", many, "too many stored values"},
		{"too long", set("A", strings.Repeat("secret", 1366)), `environment key "A": value exceeds size limit`},
		{"bad key", set("A", "", "1BAD", "secret"), "invalid name"},
		{"empty key", set("A", "", "", "secret"), "invalid name"},
		{"long key", set("A", "", strings.Repeat("k", 257), "secret"), "invalid name"},
		{"bad removal", EnvUpdate{Values: map[string]string{"A": "secret"}, Remove: []string{"a-b"}}, "invalid name"},
		{"both", EnvUpdate{Values: map[string]string{"A": "secret"}, Remove: []string{"A"}}, `environment key "A": conflicting environment update operations`},
		{"removed twice", EnvUpdate{Values: map[string]string{"A": "secret"}, Remove: []string{"C", "C"}}, `environment key "C": conflicting environment update operations`},
		{"no text", set("A", "secret\xff"), `environment key "A": value is not UTF-8`},
	}
	for _, tt := range cases {
		_, err := w.createWith(m, tt.env)
		if err == nil || err.Error() != tt.text {
			t.Errorf("first publish, %s: %v; want %q", tt.name, err, tt.text)
		}
	}
	var missing *MissingEnvError
	if _, err := w.createWith(m, set("B", "x")); !errors.As(err, &missing) || fmt.Sprint(missing.Keys) != "[A]" || err.Error() != `environment key "A": required value is missing` {
		t.Errorf("missing: %v", err)
	}
	if w.fs.Used() != 0 && len(w.host.All()) != 0 {
		t.Error("a refused publish leaves a database")
	}

	db, err := w.createWith(m, set("A", "first", "B", "x", "OTHER", "kept"))
	if err != nil {
		t.Fatal(err)
	}
	next, _ := configured("needy2", "A", "B=x|y?", "C", "D")
	before := w.rows(db, "st_env")
	offset, _ := db.lastOffset()
	hash := db.ProgramHash()
	for _, tt := range cases {
		if _, err := db.SetEnvironment(background, hash, tt.env); err == nil || err.Error() != tt.text {
			t.Errorf("values, %s: %v; want %q", tt.name, err, tt.text)
		}
		env := tt.env
		env.Values = map[string]string{"C": "", "D": ""}
		for k, v := range tt.env.Values {
			env.Values[k] = v
		}
		if _, err := w.update(db, next, UpdatePolicy{Environment: env}); err == nil || err.Error() != tt.text {
			t.Errorf("update, %s: %v; want %q", tt.name, err, tt.text)
		}
	}
	if _, err := w.update(db, next, UpdatePolicy{}); !errors.As(err, &missing) || fmt.Sprint(missing.Keys) != "[C D]" {
		t.Errorf("update without values: %v", err)
	}
	if _, err := db.SetEnvironment(background, hash, EnvUpdate{RemoveAll: true}); !errors.As(err, &missing) || fmt.Sprint(missing.Keys) != "[A]" {
		t.Errorf("removal of everything: %v", err)
	}
	if _, err := db.SetEnvironment(background, sats.Hash{1}, set("A", "x")); !errors.Is(err, ErrEnvConflict) {
		t.Errorf("for another program: %v", err)
	}
	if after, _ := db.lastOffset(); after != offset || db.ProgramHash() != hash {
		t.Errorf("%d transactions; program changed: %t", after-offset, db.ProgramHash() != hash)
	}
	want(t, "st_env", w.rows(db, "st_env"), before)
	if line := "Database update failed: environment key \\\"C\\\": required value is missing"; !strings.Contains(logsOf(t, db), line) {
		t.Errorf("no record %s in %s", line, logsOf(t, db))
	}
	if logs := logsOf(t, db) + w.log.String() + fmt.Sprintf("%v %+v %#v", cases[0].env, cases[0].env, cases[0].env); strings.Contains(logs, "secret") {
		t.Errorf("a value in %s", logs)
	}
}

// Values of the first publish are there for init; they survive updates and restarts,
// and a publish of values alone leaves the module alone.
func TestEnvironmentValues(t *testing.T) {
	w := newWorld(t)
	m, seen := configured("values", "A", "B=x|y?", "EMPTY?")
	db, err := w.createWith(m, set("A", "first", "EMPTY", "", "OTHER", "kept"))
	if err != nil {
		t.Fatal(err)
	}
	if seen["init"] != "=first" {
		t.Errorf("init read %q", seen["init"])
	}
	look := func(db *Database, key string) string {
		w.call(db, alice, "look", str(key))
		if seen["reducer "+key] != seen["committed "+key] {
			t.Errorf("%s: %q in a transaction, %q outside", key, seen["reducer "+key], seen["committed "+key])
		}
		if got := seen["submodule "+key]; got != "undeclared" {
			t.Errorf("a submodule reads %s: %q", key, got)
		}
		return seen["reducer "+key]
	}
	for key, want := range map[string]string{"A": "=first", "B": "unset", "EMPTY": "=", "OTHER": "undeclared", "NO": "undeclared"} {
		if got := look(db, key); got != want {
			t.Errorf("%s: %q; want %q", key, got, want)
		}
	}
	live, loads := w.live(), w.engine.loads
	_, _, exited := w.attach(db, alice)
	res, err := w.update(db, m, UpdatePolicy{Environment: EnvUpdate{Values: map[string]string{"A": "second", "B": "y"}, Remove: []string{"EMPTY"}}})
	if err != nil || res.Unchanged {
		t.Errorf("values alone: %+v, %v", res, err)
	}
	if w.live() != live || w.engine.loads != loads || *exited {
		t.Error("values alone disturbed the module or its clients")
	}
	for key, want := range map[string]string{"A": "=second", "B": "=y", "EMPTY": "unset"} {
		if got := look(db, key); got != want {
			t.Errorf("%s: %q; want %q", key, got, want)
		}
	}
	offset, _ := db.lastOffset()
	for _, same := range []EnvUpdate{{}, set("A", "second"), {Remove: []string{"GONE"}}} {
		if res, err := w.update(db, m, UpdatePolicy{Environment: same}); err != nil || !res.Unchanged {
			t.Errorf("the same values: %+v, %v", res, err)
		}
	}
	if after, _ := db.lastOffset(); after != offset {
		t.Errorf("the same values made %d transactions", after-offset)
	}
	// Only what differs is written.
	next, seenNext := configured("values2", "A", "OTHER")
	next.addTable("more", personCols)
	if _, err := w.update(db, next, UpdatePolicy{Environment: set("NEW", "n")}); err != nil {
		t.Fatal(err)
	}
	seen = seenNext
	for key, want := range map[string]string{"A": "=second", "OTHER": "=kept", "B": "undeclared"} {
		if got := look(db, key); got != want {
			t.Errorf("after an update, %s: %q; want %q", key, got, want)
		}
	}
	rows := []string{`(key = "A", value = "second")`, `(key = "B", value = "y")`, `(key = "NEW", value = "n")`, `(key = "OTHER", value = "kept")`}
	want(t, "st_env", w.rows(db, "st_env"), rows)
	info, err := db.Environment()
	if err != nil || fmt.Sprint(info.Keys) != "[A B NEW OTHER]" || len(info.Declarations) != 2 || info.Declarations[0].Name != "A" || info.Program != db.ProgramHash() {
		t.Errorf("Environment() = %+v, %v", info, err)
	}
	w.restart()
	db = w.open()
	want(t, "st_env after a restart", w.rows(db, "st_env"), rows)
	if got := look(db, "A"); got != "=second" {
		t.Errorf("after a restart: %q", got)
	}
}

// Who reads st_env: the owner by SQL, nobody else; nobody writes it so.
func TestEnvironmentIsPrivate(t *testing.T) {
	w := newWorld(t)
	m, _ := configured("private", "A")
	db, err := w.createWith(m, set("A", "v"))
	if err != nil {
		t.Fatal(err)
	}
	if res, err := db.SQL(background, owner, "SELECT * FROM st_env"); err != nil || len(res.Rows) != 1 {
		t.Errorf("the owner: %v, %v", res.Rows, err)
	}
	if _, err := db.SQL(background, alice, "SELECT * FROM st_env"); err == nil {
		t.Error("somebody else reads st_env")
	}
	for _, text := range []string{"DELETE FROM st_env", "INSERT INTO st_env (key, value) VALUES ('B', 'x')", "UPDATE st_env SET value = 'x'"} {
		if _, err := db.SQL(background, owner, text); err == nil || !strings.Contains(err.Error(), "Database environment variables can only be changed by publishing") {
			t.Errorf("%s: %v", text, err)
		}
	}
	v := w.viewer(db, 9)
	v.handle(db, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM st_env"}})
	if len(v.rows) != 0 || !strings.HasPrefix(v.messages()[0], "error ") {
		t.Errorf("a subscription: %q, %v", v.messages(), v.rows)
	}
}

// A procedure that an update overtakes cannot read what is meant for its successor.
func TestEnvironmentOfReplacedModule(t *testing.T) {
	spec.Covers(t, "08.77")
	w := newWorld(t)
	begun, goOn := make(chan struct{}), make(chan struct{})
	var services abi.Services
	reads := make(chan string, 2)
	m := people("first").declares("A").
		reducer("services", nil, func(c *fakeCall) error { services = c.Services; return nil }).
		open("wait", func(ctx context.Context, c *abi.ProcedureCall) error {
			reads <- readEnv(services, nil, c.Name, "A")
			close(begun)
			<-goOn
			tx, _, err := c.Host.StartTx(ctx)
			if err != nil {
				return err
			}
			reads <- readEnv(services, tx, c.Name, "A")
			return c.Host.CommitTx(ctx)
		})
	db, err := w.createWith(m, set("A", "old"))
	if err != nil {
		t.Fatal(err)
	}
	w.call(db, alice, "services")
	ended := make(chan ProcedureResult, 1)
	go func() { ended <- w.procedure(db, alice, "wait") }()
	<-begun
	next := people("second").declares("A").open("wait", func(context.Context, *abi.ProcedureCall) error { return nil })
	if _, err := w.update(db, next, UpdatePolicy{Environment: set("A", "new")}); err != nil {
		t.Fatal(err) // it waits for scheduled procedures only
	}
	if got := readEnv(services, nil, "wait", "A"); !strings.HasPrefix(got, "trap: the module was replaced") {
		t.Errorf("outside a transaction: %q", got)
	}
	if res := w.procedure(db, alice, "wait"); res.Status != Committed {
		t.Errorf("the new procedure: %+v", res)
	}
	close(goOn)
	if res := <-ended; res.Status != Committed {
		t.Errorf("the old procedure: %+v", res)
	}
	if first, second := <-reads, <-reads; first != "=old" || !strings.HasPrefix(second, "trap: the module was replaced") {
		t.Errorf("read %q, then %q", first, second)
	}
}
