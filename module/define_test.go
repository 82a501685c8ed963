package module

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/sats"
)

// declare runs declarations for a module of its own.
func declare(fn func()) *registry {
	old := std
	defer func() { std = old }()
	std = new(registry)
	fn()
	return std
}

type (
	goodRow struct {
		ID   uint32 `stdb:"primarykey"`
		Name string
	}
	inner    struct{ A, B uint32 }
	outer    struct{ In inner }
	pointers struct {
		ID  uint32 `stdb:"primarykey"`
		Ptr *inner
	}
	badFields struct {
		Count int
		When  time.Time
		//lint:ignore U1000 what the test is about
		hidden bool
		inner
		Odd map[string]int
		F   [4]int32
	}
	badTags struct {
		A uint32 `stdb:"primarykey"`
		B uint32 `stdb:"primarykey,hash,direct"`
		C string `stdb:"autoinc"`
		D uint32 `stdb:"hash"`
		E string `stdb:"unique,direct"`
		F uint32 `stdb:"primry"`
	}
	badKeys struct {
		F float64 `stdb:"unique"`
		P *string `stdb:"unique"`
		S []int32
		I inner
	}
	sameNames struct {
		UserID  uint32
		User_ID uint32
		X       uint32 `stdb:"name=user_id"`
		Y       uint32 `stdb:"name=1st"`
	}
	unregistered interface{ isUnregistered() }
	withSum      struct{ S unregistered }
	pair[T any]  struct{ A, B T }
	withPair     struct{ P pair[uint32] }
	timer        struct {
		ID uint64 `stdb:"primarykey"`
		At ScheduleAt
	}
	badTimer struct {
		ID   uint32 `stdb:"primarykey"`
		A, B ScheduleAt
	}
	tree    struct{ Kids []tree }
	noSuch  struct{}
	color   uint8
	varName uint8
)

func init() {
	sats.RegisterEnum[color]("Red", "Green")
	sats.RegisterEnum[varName]("a b", "Red", "Red")
}

func onTimer(*Context, timer) error       { return nil }
func onBadTimer(*Context, badTimer) error { return nil }

func (timer) method(*Context, timer) error { return nil }

var elsewhere uint32

func TestMistakes(t *testing.T) {
	for _, tt := range []struct {
		name string
		fn   func()
		want []string // one for each problem, in order
	}{
		{"nothing", func() {}, nil},
		{"good", func() { NewTable[goodRow]("good") }, nil},
		{"names of tables", func() {
			NewTable[goodRow]("")
			NewTable[goodRow]("my table")
			NewTable[goodRow]("st_table")
			NewTable[goodRow]("twice")
			NewTable[pointers]("twice")
		}, []string{
			`table "" (module.goodRow): the name is empty`,
			`table "my table" (module.goodRow): the name has the character ' ' at a place`,
			`table "st_table" (module.goodRow): names that begin with st_ belong to the system`,
			`table "twice" is declared twice, with rows of type module.goodRow and module.pointers`,
		}},
		{"public and private", func() { NewTable[goodRow]("t", Public, Private) }, []string{`table "t" (module.goodRow) is both Public and Private`}},
		{"row types", func() {
			NewTable[uint32]("number")
			NewTable[noSuch]("nothing")
			NewTable[struct{ A uint32 }]("nameless")
			NewTable[*goodRow]("pointer")
		}, []string{
			`table "number": its row type uint32 is not a struct`,
			`table "nothing": its row type module.noSuch has no fields`,
			`table "pointer": its row type *module.goodRow is not a struct`,
			`table "nameless": its row type has no name`,
		}},
		{"fields", func() { NewTable[badFields]("t") }, []string{
			"module.badFields.Count: int differs between machines; use a type of fixed size such as int64",
			"module.badFields.When: time.Time has no encoding; use module.Timestamp",
			"module.badFields.hidden: unexported fields are not supported",
			"module.badFields.inner: embedded fields are not supported",
			"module.badFields.Odd: there is no map type; use a slice of structs",
			"module.badFields.F: arrays of fixed length have no encoding; use a slice",
		}},
		{"tags", func() { NewTable[badTags]("t") }, []string{
			`module.badTags.B: the table "t" has the primary key module.badTags.A already`,
			"module.badTags.B: hash and direct exclude each other",
			"module.badTags.C: autoinc needs an integer, not string",
			"module.badTags.D: the words hash and direct go with primarykey or unique; for other columns use HashIndexOf",
			"module.badTags.E: a direct index needs an unsigned integer of up to 64 bits or an enum, not string",
			`module.badTags.F: the stdb tag has the unknown word "primry"; it knows name=…, primarykey, unique, autoinc, target, hash and direct`,
		}},
		{"keys", func() {
			table := NewTable[badKeys]("t")
			IndexOf(table, func(r *badKeys) *[]int32 { return &r.S })
			HashIndexOf(table, func(r *badKeys) *inner { return &r.I })
		}, []string{
			"module.badKeys.F: a column of type float64 cannot be indexed: floating-point numbers are no keys",
			"module.badKeys.P: a column of type *string cannot be indexed: it is optional",
			"module.badKeys.S: a column of type []int32 cannot be indexed: it is a list",
			"module.badKeys.I: a column of type module.inner cannot be indexed: it is a struct",
		}},
		{"names of columns", func() { NewTable[sameNames]("t") }, []string{
			"module.sameNames.User_ID: the field UserID is called user_id as well",
			"module.sameNames.X: the field User_ID is called user_id as well",
			`module.sameNames.Y: the name "1st" has the character '1'`,
		}},
		{"selectors", func() {
			table := NewTable[pointers]("t")
			UniqueOf(table, func(r *pointers) *uint32 { return &r.Ptr.A })
			UniqueOf(table, func(r *pointers) *uint32 { return nil })
			UniqueOf(table, func(r *pointers) *uint32 { return &elsewhere })
			UniqueOf[pointers, uint32](table, nil)
			UniqueOf(table, func(r *pointers) **inner { return &r.Ptr })
			nested := NewTable[outer]("nested")
			IndexOf(nested, func(r *outer) *uint32 { return &r.In.A })
			IndexOf(nested, func(r *outer) *uint32 { return &r.In.B })
			good := NewTable[goodRow]("good")
			IndexOf2(good, func(r *goodRow) *string { return &r.Name }, func(r *goodRow) *string { return &r.Name })
			Default(good, func(r *goodRow) *uint32 { return &elsewhere }, 1)
		}, []string{
			`UniqueOf of table "t" (module.pointers): the selector panics on an empty row`,
			`UniqueOf of table "t" (module.pointers): the selector does not return the address of a field of the row it is given`,
			`UniqueOf of table "t" (module.pointers): the selector does not return the address of a field of the row it is given`,
			`UniqueOf of table "t" (module.pointers): the selector is nil`,
			"module.pointers.Ptr: UniqueOf needs the word primarykey or unique in the field's stdb tag",
			`IndexOf of table "nested": the selector means a part of module.outer.In; only whole columns can be selected`,
			`IndexOf of table "nested": the selector means a part of module.outer.In; only whole columns can be selected`,
			`module.goodRow.Name: an index of table "good" has this column twice`,
			`Default of table "good" (module.goodRow): the selector does not return`,
		}},
		{"two defaults", func() {
			good := NewTable[goodRow]("good")
			Default(good, func(r *goodRow) *string { return &r.Name }, "a")
			Default(good, func(r *goodRow) *string { return &r.Name }, "b")
		}, []string{"module.goodRow.Name has two defaults"}},
		{"types", func() {
			NewTable[withSum]("a")
			NewTable[withPair]("b")
			NewTable[tree]("c")
		}, []string{
			"module.withSum.S: interface module.unregistered is not a registered sum; call module.RegisterSum for it in an init function",
			`table "c": its row type module.tree contains itself`,
			"module.pair[uint32]: a generic type has no name for clients; declare a type of its own",
		}},
		{"types of one name", func() {
			type goodRow struct{ X uint32 }
			NewTable[goodRow]("a")
			useGoodRow()
		}, []string{"module.goodRow and module.goodRow have the same name for clients, GoodRow; rename one"}},
		{"variants", func() {
			Reducer("paint", func(*Context, struct{ C varName }) error { return nil })
			RegisterEnum[color]("again")
			RegisterSum[error](VariantOf[uint8]("x"))
		}, []string{
			"enum type module.color is registered twice",
			"variant x of sum type error: uint8 does not implement it or is not a plain type",
			`module.varName: the name "a b" of a variant has the character ' '`,
			"module.varName: two variants are called Red",
		}},
		{"reducers", func() {
			Reducer("", func(*Context, struct{}) error { return nil })
			Reducer[struct{}]("nil", nil)
			Reducer("number", func(*Context, uint32) error { return nil })
			Reducer("bad", func(*Context, struct {
				A, B int
			}) error {
				return nil
			})
			Reducer("bad", func(*Context, goodRow) error { return nil })
			OnInit(func(*Context) error { return nil })
			OnInit(func(*Context) error { return nil })
			Reducer("init", func(*Context, struct{}) error { return nil })
		}, []string{
			`reducer "": the name is empty`,
			`reducer "nil": the function is nil`,
			`reducer "bad" is declared twice`,
			"OnInit is called twice; one function can do both things",
			`reducer "init" is declared twice`,
			`reducer "number": its argument uint32 is not a struct`,
			"field A of struct { A int; B int }: int differs between machines",
			"field B of struct { A int; B int }: int differs between machines",
		}},
		{"schedules", func() {
			table := NewTable[timer]("timer")
			Scheduled(table, "a", onTimer)
			Scheduled(table, "b", onTimer)
			Scheduled(NewTable[timer]("closure"), "c", func(*Context, timer) error { return nil })
			Scheduled(NewTable[timer]("method"), "d", timer{}.method)
			Scheduled(NewTable[badTimer]("bad", Event), "e", onBadTimer)
			Scheduled(NewTable[goodRow]("none"), "f", func(*Context, goodRow) error { return nil })
		}, []string{
			`table "timer" (module.timer) is scheduled twice, with a and b`,
			`table "closure" (module.timer): Scheduled needs a top-level function, not a closure or a method`,
			`table "method" (module.timer): Scheduled needs a top-level function, not a closure or a method`,
			`table "none" (module.goodRow): Scheduled needs a top-level function, not a closure or a method`,
			`module.badTimer.B: the scheduled table "bad" has the ScheduleAt field module.badTimer.A already`,
			`table "bad" (module.badTimer) is scheduled and needs a primary key of type uint64`,
			`table "bad" (module.badTimer) is scheduled and cannot be an event table`,
			`table "none" (module.goodRow) is scheduled and needs a field of type ScheduleAt`,
			`table "none" (module.goodRow) is scheduled and needs a primary key of type uint64`,
		}},
		{"views", func() {
			View("", func(*Context, struct{}) ([]goodRow, error) { return nil, nil })
			View[struct{}, []goodRow]("nil", nil)
			View("number", func(*Context, uint32) ([]goodRow, error) { return nil, nil })
			View("scalar", func(*Context, struct{}) (goodRow, error) { return goodRow{}, nil })
			View("scalars", func(*Context, struct{}) ([]uint32, error) { return nil, nil })
			View("nameless", func(*Context, struct{}) (*struct{ A uint32 }, error) { return nil, nil })
			View("twice", func(*Context, struct{}) (Query[goodRow], error) { return "", nil })
			View("twice", func(*Context, struct{}) ([]goodRow, error) { return nil, nil }, Anonymous)
			View("odd", func(*Context, struct{}) ([]badFields, error) { return nil, nil })
		}, []string{
			`view "": the name is empty`,
			`view "nil": the function is nil`,
			`view "scalar" returns module.goodRow; a view returns []Row, *Row or Query[Row]`,
			`view "scalars": its row type uint32 is not a struct with a name`,
			`view "nameless": its row type struct { A uint32 } is not a struct with a name`,
			`view "twice" is declared twice`,
			`view "number": its argument uint32 is not a struct`,
			"module.badFields.Count: int differs between machines",
			"module.badFields.When: time.Time has no encoding",
			"module.badFields.hidden: unexported fields",
			"module.badFields.inner: embedded fields",
			"module.badFields.Odd: there is no map type",
			"module.badFields.F: arrays of fixed length",
		}},
		{"procedures", func() {
			Reducer("same", func(*Context, struct{}) error { return nil })
			Procedure("same", func(*ProcedureContext, struct{}) (uint32, error) { return 0, nil })
			Procedure[struct{}, struct{}]("nil", nil)
			Procedure("number", func(*ProcedureContext, uint32) (struct{}, error) { return struct{}{}, nil })
			Procedure("when", func(*ProcedureContext, struct{}) (time.Time, error) { return time.Time{}, nil })
			Procedure("wide", func(*ProcedureContext, struct{}) ([]int, error) { return nil, nil })
			ScheduledProcedure(NewTable[timer]("closure"), "c", func(*ProcedureContext, timer) error { return nil })
		}, []string{
			`procedure "same": there is a reducer of this name`,
			`procedure "nil": the function is nil`,
			`table "closure" (module.timer): ScheduledProcedure needs a top-level function, not a closure or a method`,
			`procedure "number": its argument uint32 is not a struct`,
			`procedure "when": its result: time.Time has no encoding`,
			`procedure "wide": its result: `,
		}},
		{"handlers", func() {
			answer := func(*ProcedureContext, *HTTPRequest) (*HTTPResponse, error) { return nil, nil }
			HTTPHandler("1st", answer, Route{})
			HTTPHandler("nil", nil, Route{Path: "/nil"})
			HTTPHandler("lost", answer)
			HTTPHandler("twice", answer, Route{"GET", "/a"}, Route{"POST", "/a"}, Route{"", "/a"})
			HTTPHandler("twice", answer, Route{"GET", "/a"})
			HTTPHandler("odd", answer, Route{"GET", "a"}, Route{"GET", "/A"})
		}, []string{
			`HTTP handler "1st": the name has the character '1'`,
			`HTTP handler "nil": the function is nil`,
			`HTTP handler "lost" has no route, so nothing can reach it`,
			`HTTP handler "twice": the path "/a" belongs to the HTTP handler "twice" already`,
			`HTTP handler "twice": the path "/a" belongs to the HTTP handler "twice" already`,
			`HTTP handler "twice" is declared twice`,
			`HTTP handler "twice": the path "/a" belongs to the HTTP handler "twice" already`,
			`HTTP handler "twice": the path "/a" belongs to the HTTP handler "twice" already`,
			`HTTP handler "odd": the path a does not begin with /`,
			`HTTP handler "odd": the path /A has the character A; only a-z, 0-9, -, _, ~ and / may stand in it`,
		}},
		{"environment", func() {
			Env("A=B")
			Env("")
			Env("TWICE", Optional)
			Env("TWICE", OneOf("x"))
		}, []string{
			`environment variable "A=B": a name has 1 to 256 characters`,
			`environment variable "": a name has 1 to 256 characters`,
			`environment variable "TWICE" is declared twice`,
		}},
		{"visibility", func() {
			VisibilityFilter("SELECT * FROM b WHERE n = 1")
			VisibilityFilter("SELECT * FROM b WHERE n = 2")
			VisibilityFilter("SELECT * FROM b WHERE n = 1")
		}, []string{`the visibility filter "SELECT * FROM b WHERE n = 1" is declared twice`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := declare(tt.fn)
			b, err := r.Definition()
			if len(r.problems) != len(tt.want) {
				t.Errorf("%d problems, want %d:\n%s", len(r.problems), len(tt.want), strings.Join(r.problems, "\n"))
			}
			for i := range min(len(r.problems), len(tt.want)) {
				if !strings.Contains(r.problems[i], tt.want[i]) {
					t.Errorf("problem %d: %s\nwant %s", i, r.problems[i], tt.want[i])
				}
			}
			if (err != nil) != (len(tt.want) > 0) || (err == nil) == (len(b) == 0) {
				t.Errorf("Definition() = %d bytes, %v", len(b), err)
			}
			for _, p := range r.problems {
				if !strings.Contains(err.Error(), p) {
					t.Errorf("the error lacks %q", p)
				}
			}
		})
	}
}

func useGoodRow() { NewTable[goodRow]("b") }

type unnamed struct {
	ID   uint64 `stdb:"primarykey,autoinc"`
	Size struct{ W, H uint16 }
}

// A wrong type that a table and its views have is one mistake.
func TestMistakesOnce(t *testing.T) {
	r := declare(func() {
		NewTable[unnamed]("u")
		View("v", func(*Context, struct{}) ([]unnamed, error) { return nil, nil }, Anonymous)
		View("w", func(*Context, struct{}) ([]unnamed, error) { return nil, nil }, Anonymous)
	})
	_, err := r.Definition()
	if err == nil || strings.Count(err.Error(), "unnamed.Size") != 1 {
		t.Errorf("the error names the field several times: %v", err)
	}
	if err == nil || !strings.HasPrefix(err.Error(), "the module is not right: ") {
		t.Errorf("one mistake is counted as more: %v", err)
	}
}

// The bytes of a definition are written down in spec 02 §3.2; the test of module test/gomodule has the server read a
// larger one.
func TestDefinitionBytes(t *testing.T) {
	type Account struct {
		ID    uint32 `stdb:"primarykey,autoinc"`
		Color color
	}
	r := declare(func() {
		table := NewTable[Account]("account", Public)
		IndexOf(table, func(a *Account) *color { return &a.Color })
		Default(table, func(a *Account) *color { return &a.Color }, 1)
		Reducer("paint", func(*Context, struct{ Color color }) error { return nil })
		OnInit(func(*Context) error { return nil })
	})
	b, err := r.Definition()
	if err != nil {
		t.Fatal(err)
	}
	str := func(s string) string { return hex.EncodeToString(sats.AppendString(nil, s)) }
	want := strings.Join([]string{
		"02", "07000000", // V10, 7 sections
		"00", "02000000", // typespace: refs go to what was begun first
		"02", "02000000", "00", str("id"), "0b", "00", str("color"), "00", "01000000", // &0 = (id: U32, color: &1)
		"01", "02000000", "00", str("Red"), "02", "00000000", "00", str("Green"), "02", "00000000", // &1 = (Red | Green)
		"01", "02000000", // types
		"00000000", str("Account"), "00000000", "01",
		"00000000", str("Color"), "01000000", "01",
		"02", "01000000", // tables
		str("account"), "00000000", "01000000", "0000", // row type, primary key
		"02000000", "00", str("account_id_idx_btree"), "00", str("id"), "00", "01000000", "0000",
		"00", str("account_color_idx_btree"), "00", str("color"), "00", "01000000", "0100",
		"01000000", "01", "00", "01000000", "0000", // unique
		"01000000", "01", "0000", "010101", "01000000000000000000000000000000", // sequence
		"01", "00", // user, public
		"01000000", "0100", "01000000", "01", // default of column 1
		"00",             // no event
		"03", "02000000", // reducers
		str("paint"), "01000000", "00", str("color"), "00", "01000000", "01", "02", "00000000", "04",
		str("init"), "00000000", "00", "02", "00000000", "04",
		"06", "00000000", // schedules
		"07", "01000000", "00", str("init"), // lifecycle
		"09", "00", // names are final
	}, "")
	if got := hex.EncodeToString(b); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTopLevel(t *testing.T) {
	for name, want := range map[string]bool{
		"main.Tick": true, "example.com/a.b/game.Tick": true, "main.Tick[...]": true,
		"main.Tick.func1": false, "main.init.0.func2": false, "main.(*Game).Tick-fm": false, "main.Game.Tick-fm": false, "": false,
	} {
		if got := topLevel(name); got != want {
			t.Errorf("topLevel(%q) = %v; want %v", name, got, want)
		}
	}
}
