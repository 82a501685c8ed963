package wasm

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// services stands for a database.
type services struct {
	mu        sync.Mutex
	logs      []abi.LogRecord
	scheduled []string
	jwts      map[sats.ConnectionID]string
	env       map[string]*string // declared variables; nil: without a value
	secret    byte
	now       func() sats.Timestamp
}

func newServices() *services {
	return &services{now: func() sats.Timestamp { return sats.Timestamp(time.Now().UnixMicro()) }}
}

func (s *services) DatabaseIdentity() (id sats.Identity) {
	for i := range id {
		id[i] = byte(i + 1)
	}
	return id
}

func (s *services) Now() sats.Timestamp { return s.now() }

func (s *services) Log(r abi.LogRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.logs) < 10_000 {
		s.logs = append(s.logs, r)
	}
}

func (s *services) ScheduleImmediate(fn string, args []byte) {
	s.scheduled = append(s.scheduled, fn+"("+string(args)+")")
}

func (s *services) Seed(message []byte) (key [32]byte) {
	key[0] = s.secret
	for i, b := range message {
		key[1+i%31] ^= b + byte(i)
	}
	return key
}

func (s *services) Env(_ *store.Tx, _, key string) (value []byte, declared, set bool) {
	v, declared := s.env[key]
	if v == nil {
		return nil, declared, false
	}
	return []byte(*v), declared, true
}

func (s *services) JWT(_ *store.Tx, conn sats.ConnectionID) ([]byte, bool) {
	claims, ok := s.jwts[conn]
	return []byte(claims), ok
}

var testEngine = sync.OnceValues(func() (*Engine, error) { return New(Options{}) })

func engine(t testing.TB) *Engine {
	e, err := testEngine()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func file(t testing.TB, name string) []byte {
	b, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func loadFile(t testing.TB, name string, l abi.Limits) abi.Program {
	p, err := engine(t).Load(t.Context(), file(t, name), abi.LoadOptions{Limits: l})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func instantiate(t testing.TB, p abi.Program, s abi.Services) *instance {
	in, err := p.Instantiate(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	return in.(*instance)
}
