package native

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/guest"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// A fakeModule stands for what package module registers.
type fakeModule struct {
	definition string
	err        error
	call       func(h guest.Host, c *guest.Call) (string, bool)
}

func (m *fakeModule) Definition() ([]byte, error)                { return []byte(m.definition), m.err }
func (m *fakeModule) Instantiate(h guest.Host) guest.Instance    { return &fakeInstance{m, h} }
func (i *fakeInstance) CallReducer(c *guest.Call) (string, bool) { return i.m.call(i.h, c) }
func (m *fakeModule) reduces(f func(guest.Host)) *fakeModule     { m.call = wrap(f); return m }
func wrap(f func(guest.Host)) func(guest.Host, *guest.Call) (string, bool) {
	return func(h guest.Host, _ *guest.Call) (string, bool) { f(h); return "", true }
}

func (*fakeInstance) CallView(*guest.Call) ([]byte, string, bool) { return nil, "no views", false }
func (*fakeInstance) CallProcedure(*guest.Call) ([]byte, string, bool) {
	return nil, "no procedures", false
}
func (*fakeInstance) CallHandler(*guest.Call) ([]byte, []byte, string, bool) {
	return nil, nil, "no handlers", false
}

type fakeInstance struct {
	m *fakeModule
	h guest.Host
}

type services struct{ logs []abi.LogRecord }

func (*services) DatabaseIdentity() (id sats.Identity)                { return id }
func (*services) Now() sats.Timestamp                                 { return 0 }
func (s *services) Log(r abi.LogRecord)                               { s.logs = append(s.logs, r) }
func (*services) ScheduleImmediate(string, []byte)                    {}
func (*services) Seed([]byte) (key [32]byte)                          { return key }
func (*services) JWT(*store.Tx, sats.ConnectionID) (b []byte, _ bool) { return nil, false }
func (*services) Env(*store.Tx, string, string) (b []byte, declared, set bool) {
	return nil, false, false
}

func register(t *testing.T, m guest.Module) {
	old := guest.Registered()
	guest.Register(m)
	t.Cleanup(func() { guest.Register(old) })
}

func instantiate(t *testing.T, l abi.Limits) (abi.Instance, *services) {
	t.Helper()
	b, err := Program()
	if err != nil {
		t.Fatal(err)
	}
	p, err := new(Engine).Load(t.Context(), b, abi.LoadOptions{Limits: l})
	if err != nil {
		t.Fatal(err)
	}
	s := new(services)
	in, err := p.Instantiate(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return in, s
}

func TestLoad(t *testing.T) {
	if _, err := Program(); err == nil || !strings.Contains(err.Error(), "no module is linked into this process") {
		t.Errorf("without a module: %v", err)
	}
	register(t, &fakeModule{err: errors.New("two tables of one name")})
	if _, err := Program(); err == nil || err.Error() != "two tables of one name" {
		t.Errorf("with a bad module: %v", err)
	}
	register(t, &fakeModule{definition: "new"})
	if _, err := new(Engine).Load(t.Context(), []byte("\x00asm"), abi.LoadOptions{}); err == nil || !strings.Contains(err.Error(), "run the database with the server") {
		t.Errorf("WebAssembly: %v", err)
	}
}

// After the module has changed, the database must be able to tell what it was, and not run what it is.
func TestStaleProgram(t *testing.T) {
	register(t, &fakeModule{definition: "old"})
	old, err := Program()
	if err != nil {
		t.Fatal(err)
	}
	register(t, (&fakeModule{definition: "new"}).reduces(func(guest.Host) { t.Error("the new module is called") }))
	p, err := new(Engine).Load(t.Context(), old, abi.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Hash() != abi.HashProgram(old) {
		t.Errorf("hash %v", p.Hash())
	}
	in, err := p.Instantiate(t.Context(), new(services))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := in.Describe(t.Context()); string(b) != "old" || err != nil {
		t.Errorf("Describe() = %q, %v", b, err)
	}
	if out := in.CallReducer(t.Context(), &abi.ReducerCall{}); out.Status != abi.StatusTrap || !errors.Is(out.Err, errStale) {
		t.Errorf("%v %v", out.Status, out.Err)
	}
}

func TestOutcomes(t *testing.T) {
	canceled, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("shutdown"))
	forever := func(h guest.Host) {
		for {
			h.Log(guest.LevelInfo, "", "", guest.NoLine, nil)
		}
	}
	for _, tt := range []struct {
		name   string
		ctx    context.Context
		call   func(guest.Host)
		limits abi.Limits
		status abi.Status
		err    string
	}{
		{"nothing", t.Context(), func(guest.Host) {}, abi.Limits{}, abi.StatusOK, ""},
		{"out of fuel", t.Context(), forever, abi.Limits{Fuel: 1 << 20}, abi.StatusOutOfEnergy, "fuel"},
		{"cancelled", canceled, forever, abi.Limits{}, abi.StatusTrap, "shutdown"},
		{"recovered", t.Context(), func(h guest.Host) {
			defer func() { _ = recover() }()
			forever(h)
		}, abi.Limits{Fuel: 1 << 20}, abi.StatusTrap, "recovered from a failure of the host"},
		{"panic", t.Context(), func(guest.Host) { panic(errors.New("oh")) }, abi.Limits{}, abi.StatusTrap, "panic: oh"},
		{"panic of nil", t.Context(), func(guest.Host) { panic(nil) }, abi.Limits{}, abi.StatusTrap, "nil"},
		{"panic whose text panics", t.Context(), func(guest.Host) { panic((*brokenError)(nil)) }, abi.Limits{}, abi.StatusTrap, "panic: <nil>"},
		{"panic that is no text", t.Context(), func(guest.Host) { panic("a\xffb") }, abi.Limits{}, abi.StatusTrap, "panic: a\ufffdb"},
		{"no transaction", t.Context(), func(h guest.Host) {
			if _, e := h.TableID("t"); e != guest.NotInTransaction {
				t.Errorf("TableID without transaction: %d", e)
			}
		}, abi.Limits{}, abi.StatusOK, ""},
	} {
		register(t, (&fakeModule{}).reduces(tt.call))
		in, s := instantiate(t, tt.limits)
		out := in.CallReducer(tt.ctx, &abi.ReducerCall{Name: "r"})
		text := ""
		if out.Err != nil {
			text = out.Err.Error()
		}
		if out.Status != tt.status || !strings.Contains(text, tt.err) || out.Discard != (tt.status != abi.StatusOK) {
			t.Errorf("%s: %v, discard %v, %q", tt.name, out.Status, out.Discard, text)
		}
		if strings.HasPrefix(tt.name, "panic") {
			last := s.logs[len(s.logs)-1]
			if last.Level != abi.LogPanic || last.Filename != "native_test.go" || !last.HasLine || len(last.Trace) == 0 || last.Function != "r" {
				t.Errorf("%s: %+v", tt.name, last)
			}
		}
		if out.Discard {
			if again := in.CallReducer(t.Context(), &abi.ReducerCall{}); again.Status != abi.StatusTrap || !again.Discard {
				t.Errorf("%s: a dead instance answers %v", tt.name, again.Status)
			}
		}
	}
}

// A brokenError has no text if it is nil.
type brokenError struct{ text string }

func (e *brokenError) Error() string { return e.text }

// A test that fails inside a reducer ends its goroutine; the instance must not believe that the call goes on.
func TestGoexit(t *testing.T) {
	register(t, (&fakeModule{}).reduces(func(guest.Host) { runtime.Goexit() }))
	in, s := instantiate(t, abi.Limits{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		in.CallReducer(context.Background(), &abi.ReducerCall{})
	}()
	<-done
	if out := in.CallReducer(t.Context(), &abi.ReducerCall{}); out.Status != abi.StatusTrap || !out.Discard {
		t.Errorf("then: %v", out.Status)
	}
	if len(s.logs) != 1 || !strings.Contains(s.logs[0].Message, "exited") {
		t.Errorf("log %+v", s.logs)
	}
}
