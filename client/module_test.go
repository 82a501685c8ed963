package client_test

import (
	"cmp"
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/stdbgo/spacetime"
	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/module"
	"github.com/stdbgo/spacetime/sats"
)

// The module of the tests, linked into this program: a person, lines without a key, an
// event table and views.

type person struct {
	ID   uint32 `stdb:"primarykey,autoinc"`
	Name string `stdb:"unique"`
	Age  uint8
	City string
}

type line struct {
	Owner uint32
	Text  string
}

type shout struct{ Text string }

var (
	persons    = module.NewTable[person]("person", module.Public)
	personByID = module.UniqueOf(persons, func(p *person) *uint32 { return &p.ID })
	_          = module.UniqueOf(persons, func(p *person) *string { return &p.Name })
	_          = module.IndexOf2(persons, func(p *person) *string { return &p.City }, func(p *person) *uint8 { return &p.Age })
	lines      = module.NewTable[line]("line", module.Public)
	_          = module.IndexOf(lines, func(l *line) *uint32 { return &l.Owner })
	shouts     = module.NewTable[shout]("shout", module.Public, module.Event)
)

type addPerson struct {
	Name string
	Age  uint8
	City string
}

type renamePerson struct {
	ID   uint32
	Name string
}

type addPair struct{ A, B string }

func init() {
	module.Reducer("add_person", func(ctx *module.Context, a addPerson) error {
		_, err := persons.Insert(ctx, person{Name: a.Name, Age: a.Age, City: a.City})
		return err
	})
	module.Reducer("rename_person", func(ctx *module.Context, a renamePerson) error {
		p, ok := personByID.Find(ctx, a.ID)
		if !ok {
			return errors.New("no such person")
		}
		p.Name = a.Name
		_, err := personByID.Update(ctx, p)
		return err
	})
	module.Reducer("remove_person", func(ctx *module.Context, a struct{ ID uint32 }) error {
		personByID.Delete(ctx, a.ID)
		return nil
	})
	module.Reducer("add_line", func(ctx *module.Context, a line) error {
		_, err := lines.Insert(ctx, a)
		return err
	})
	module.Reducer("add_pair", func(ctx *module.Context, a addPair) error {
		if _, err := lines.Insert(ctx, line{1, a.A}); err != nil {
			return err
		}
		_, err := persons.Insert(ctx, person{Name: a.B})
		return err
	})
	module.Reducer("shout", func(ctx *module.Context, a shout) error {
		_, err := shouts.Insert(ctx, a)
		return err
	})
	module.Reducer("crash", func(*module.Context, struct{}) error { panic("crash") })
	module.Procedure("double", func(_ *module.ProcedureContext, a struct{ N uint32 }) (uint64, error) {
		if a.N == 0 {
			return 0, errors.New("nothing to double")
		}
		return 2 * uint64(a.N), nil
	})
	module.View("adults", func(ctx *module.Context, _ struct{}) ([]person, error) {
		var adults []person
		for p := range persons.All(ctx) {
			if p.Age >= 18 {
				adults = append(adults, p)
			}
		}
		return adults, nil
	})
	module.View("older_than", func(ctx *module.Context, a struct{ Age uint8 }) ([]person, error) {
		return slices.Collect(func(yield func(person) bool) {
			for p := range persons.All(ctx) {
				if p.Age > a.Age && !yield(p) {
					return
				}
			}
		}), nil
	})
}

// What a generated package would have, by hand: rows through the codecs of sats.

type cityAge struct {
	City string
	Age  uint8
}

func compareCityAge(a, b cityAge) int {
	return cmp.Or(cmp.Compare(a.City, b.City), cmp.Compare(a.Age, b.Age))
}

var (
	personInfo = &client.TableInfo[person]{Name: "person", PrimaryKey: client.KeyOf(func(p *person) uint32 { return p.ID })}
	lineInfo   = &client.TableInfo[line]{Name: "line"}
	shoutInfo  = &client.TableInfo[shout]{Name: "shout", Event: true}
	adultsInfo = &client.TableInfo[person]{Name: "adults"}
	olderInfo  = &client.TableInfo[person]{Name: "older_than", Arguments: true}

	testModule = &client.Module{
		Tables: []client.TableDef{personInfo, lineInfo, shoutInfo, adultsInfo, olderInfo},
		Reducers: []client.ReducerDef{
			{Name: "add_person", Decode: decode[addPerson]},
			{Name: "rename_person", Decode: decode[renamePerson]},
		},
	}
)

func decode[T any](r *sats.Reader) any {
	var v T
	rest, err := sats.Decode(r.Rest(), &v)
	if err != nil {
		r.Fail(err)
		return nil
	}
	r.View(r.Len() - len(rest))
	return v
}

func bsatn[T any](v T) func([]byte) []byte {
	return func(b []byte) []byte { return sats.Append(b, &v) }
}

// A world is a server in this process with the module as its database.
type world struct {
	t      *testing.T
	server *spacetime.Server
	http   *httptest.Server
}

// theWorld publishes the module once for all tests; each has rows of its own.
func newWorld(t *testing.T) *world {
	t.Helper()
	s, err := spacetime.Open(t.TempDir(), spacetime.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, server: s, http: httptest.NewServer(s)}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		w.http.Close()
	})
	if err := s.PublishLinked(background, "db"); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) options(p client.Protocol) client.Options {
	return client.Options{URL: w.http.URL, Database: "db", Protocols: []client.Protocol{p}}
}

// A db is a connection with its tables, as a generated package has it.
type db struct {
	*client.Conn
	person struct {
		client.KeyedTable[person]
		ID     client.UniqueIndex[person, uint32]
		Name   client.UniqueIndex[person, string]
		ByCity client.Index[person, cityAge]
	}
	line   client.Table[line]
	shout  client.EventTable[shout]
	adults client.Table[person]
	older  client.Table[person]
}

func connect(t *testing.T, o client.Options) *db {
	t.Helper()
	c, err := client.Dial(within(t), testModule, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	d := &db{Conn: c, line: client.TableOf(c, lineInfo), shout: client.EventTableOf(c, shoutInfo), adults: client.TableOf(c, adultsInfo), older: client.TableOf(c, olderInfo)}
	d.person.KeyedTable = client.KeyedTableOf(c, personInfo)
	d.person.ID = client.UniqueOf(d.person.Table, func(p *person) uint32 { return p.ID }, cmp.Compare[uint32])
	d.person.Name = client.UniqueOf(d.person.Table, func(p *person) string { return p.Name }, cmp.Compare[string])
	d.person.ByCity = client.IndexOf(d.person.Table, func(p *person) cityAge { return cityAge{p.City, p.Age} }, compareCityAge)
	return d
}

// do calls a reducer that must commit.
func do[T any](t *testing.T, d *db, reducer string, args T) {
	t.Helper()
	if err := d.CallWait(within(t), reducer, bsatn(args)); err != nil {
		t.Fatalf("%s: %v", reducer, err)
	}
}

// each runs a test over all protocols.
func each(t *testing.T, f func(t *testing.T, w *world, p client.Protocol)) {
	for _, p := range []client.Protocol{client.V1, client.V2, client.V3} {
		t.Run(p.String()[:2], func(t *testing.T) { f(t, newWorld(t), p) })
	}
}

// A diary notes what callbacks say.
type diary struct {
	mu   sync.Mutex
	text []string
	more chan struct{}
}

func newDiary() *diary { return &diary{more: make(chan struct{}, 1)} }

func (d *diary) add(s string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.text = append(d.text, s)
	select {
	case d.more <- struct{}{}:
	default:
	}
}

// take waits until n entries are there and takes them out.
func (d *diary) take(t *testing.T, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(background, patience)
	defer cancel()
	for {
		d.mu.Lock()
		if len(d.text) >= n {
			text := d.text
			d.text = nil
			d.mu.Unlock()
			return text
		}
		d.mu.Unlock()
		select {
		case <-d.more:
		case <-ctx.Done():
			t.Fatalf("%d entries, want %d: %q", len(d.text), n, d.text)
		}
	}
}
