// Command gomodule is a module that uses everything the Go SDK has. Its tests run it as WebAssembly and natively.
package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stdbgo/spacetime/module"
)

func main() { module.Main() }

// A Color is an enumeration.
type Color uint8

const (
	Red Color = iota
	Green
	Blue
)

// A Shape is a sum type.
type Shape interface{ isShape() }

// The shapes.
type (
	Circle struct{ Radius float32 }
	Square struct{ Side, Tilt float32 }
	Dot    struct{}
)

func (Circle) isShape() {}
func (Square) isShape() {}
func (Dot) isShape()    {}

func init() {
	module.RegisterEnum[Color]("Red", "Green", "Blue")
	module.RegisterSum[Shape](module.VariantOf[Circle]("Circle"), module.VariantOf[Square]("Square"), module.VariantOf[Dot]("Dot"))
}

// A Point is a struct within a row.
type Point struct{ X, Y int32 }

// A Thing has a column of every kind.
type Thing struct {
	ID       uint64 `stdb:"primarykey, autoinc"`
	Flag     bool
	I8       int8
	I16      int16
	I32      int32
	I64      int64
	U8       uint8
	U16      uint16
	U32      uint32
	U64      uint64
	F32      float32
	F64      float64
	Text     string
	Bytes    []byte
	Numbers  []int32
	Maybe    *string
	Big      module.U128
	BigS     module.I128
	Huge     module.U256
	HugeS    module.I256
	Who      module.Identity
	Conn     module.ConnectionID
	When     module.Timestamp
	Long     module.TimeDuration
	Plan     module.ScheduleAt
	Uuid     module.Uuid
	Color    Color
	Shape    Shape
	Where    Point
	Outcome  module.Result[uint32, string]
	Renamed  uint8 `stdb:"name=other"`
	Children []Point
}

// A Player is found in many ways.
type Player struct {
	ID    uint32 `stdb:"primarykey,autoinc"`
	Name  string `stdb:"unique"`
	Badge uint32 `stdb:"unique,hash"`
	Seat  uint8  `stdb:"unique,direct"`
	Level int32
	Team  string
	Score int64
	Color Color
}

// A Tick is a row of a scheduled table.
type Tick struct {
	ID   uint64 `stdb:"primarykey,autoinc"`
	At   module.ScheduleAt
	Note string
}

// A Flash is a row of an event table.
type Flash struct{ Text string }

// A Secret is a row of a private table.
type Secret struct {
	ID   uint32 `stdb:"primarykey"`
	Text string
}

// A Counter has autoinc columns beside its key.
type Counter struct {
	Name  string `stdb:"primarykey"`
	Small uint8  `stdb:"autoinc"`
	Wide  module.U128
	Big   int64 `stdb:"autoinc"`
}

var (
	things    = module.NewTable[Thing]("thing", module.Public)
	thingByID = module.UniqueOf(things, func(t *Thing) *uint64 { return &t.ID })

	players       = module.NewTable[Player]("player", module.Public)
	playerByID    = module.UniqueOf(players, func(p *Player) *uint32 { return &p.ID })
	playerByName  = module.UniqueOf(players, func(p *Player) *string { return &p.Name })
	playerByBadge = module.UniqueOf(players, func(p *Player) *uint32 { return &p.Badge })
	playerBySeat  = module.UniqueOf(players, func(p *Player) *uint8 { return &p.Seat })
	playerByLevel = module.IndexOf(players, func(p *Player) *int32 { return &p.Level })
	playerByColor = module.HashIndexOf(players, func(p *Player) *Color { return &p.Color })
	teamScore     = module.IndexOf2(players, func(p *Player) *string { return &p.Team }, func(p *Player) *int64 { return &p.Score })
	teamLevel     = module.IndexOf3(players, func(p *Player) *string { return &p.Team },
		func(p *Player) *int32 { return &p.Level }, func(p *Player) *int64 { return &p.Score })

	ticks    = module.NewTable[Tick]("tick")
	flashes  = module.NewTable[Flash]("flash", module.Public, module.Event)
	secrets  = module.NewTable[Secret]("secret", module.Private)
	counters = module.NewTable[Counter]("counter", module.Public)
	counter  = module.UniqueOf(counters, func(c *Counter) *string { return &c.Name })
)

func init() {
	module.OnInit(func(ctx *module.Context) error {
		_, err := secrets.Insert(ctx, Secret{ID: 1, Text: "made by init"})
		return err
	})
	module.OnConnect(func(ctx *module.Context) error {
		if ctx.ConnectionID.IsZero() {
			return errors.New("connected without a connection")
		}
		_, err := flashes.Insert(ctx, Flash{"hello " + ctx.Sender.Abbreviated()})
		return err
	})
	module.OnDisconnect(func(ctx *module.Context) error {
		ctx.Log().Info("gone", "who", ctx.Sender.Abbreviated())
		return nil
	})
	module.Scheduled(ticks, "on_tick", OnTick)
	module.Reducer("add_thing", AddThing)
	module.Reducer("copy_thing", CopyThing)
	module.Reducer("add_player", AddPlayer)
	module.Reducer("check_indexes", CheckIndexes)
	module.Reducer("check_deletes", CheckDeletes)
	module.Reducer("check_iteration", CheckIteration)
	module.Reducer("check_counters", CheckCounters)
	module.Reducer("check_errors", CheckErrors)
	module.Reducer("plan", Plan)
	module.Reducer("log", Log)
	module.Reducer("draw", Draw)
	module.Reducer("fail", Fail)
	module.Reducer("misuse", Misuse)
	module.Reducer("owner_only", func(*module.Context, struct{}) error { return nil }, module.Private)
	module.Default(players, func(p *Player) *int64 { return &p.Score }, 7)
}

// AddThing inserts the row it is given.
func AddThing(ctx *module.Context, args struct{ Thing Thing }) error {
	t, err := things.Insert(ctx, args.Thing)
	ctx.Log().Info("added", "id", t.ID)
	return err
}

// CopyThing reads a row and inserts it again under a new number.
func CopyThing(ctx *module.Context, args struct{ ID uint64 }) error {
	t, ok := thingByID.Find(ctx, args.ID)
	if !ok {
		return fmt.Errorf("no thing %d", args.ID)
	}
	t.ID = 0
	_, err := things.Insert(ctx, t)
	return err
}

// AddPlayer inserts a player.
func AddPlayer(ctx *module.Context, args Player) error {
	_, err := players.Insert(ctx, args)
	return err
}

// names collects the names of rows.
func names(rows func(func(Player) bool), sorted bool) string {
	var list []string
	for p := range rows {
		list = append(list, p.Name)
	}
	if !sorted {
		slices.Sort(list)
	}
	return fmt.Sprint(list)
}

// CheckIndexes expects ten players p0 … p9 whose level is n/2, team a or b by turns, score n*10, badge 100+n, seat n.
func CheckIndexes(ctx *module.Context, _ struct{}) error {
	byName, ok := playerByName.Find(ctx, "p3")
	byBadge, ok2 := playerByBadge.Find(ctx, 103)
	bySeat, ok3 := playerBySeat.Find(ctx, 3)
	byID, ok4 := playerByID.Find(ctx, byName.ID)
	if !ok || !ok2 || !ok3 || !ok4 || byName != byBadge || byName != bySeat || byName != byID || byName.Level != 1 {
		return fmt.Errorf("p3 is %v %v %v %v", byName, byBadge, bySeat, byID)
	}
	if p, ok := playerByName.Find(ctx, "nobody"); ok || p != (Player{}) {
		return fmt.Errorf("found nobody: %v", p)
	}
	for _, c := range []struct{ what, got, want string }{
		{"level 2", names(playerByLevel.Filter(ctx, 2), false), "[p4 p5]"},
		{"level 1 to 3", names(playerByLevel.Range(ctx, 1, 3), false), "[p2 p3 p4 p5]"},
		{"level 3 or more", names(playerByLevel.RangeOf(ctx, module.Incl[int32](3), module.NoBound[int32]()), false), "[p6 p7 p8 p9]"},
		{"level over 3", names(playerByLevel.RangeOf(ctx, module.Excl[int32](3), module.Bound[int32]{}), false), "[p8 p9]"},
		{"level up to 0", names(playerByLevel.RangeOf(ctx, module.Bound[int32]{}, module.Incl[int32](0)), false), "[p0 p1]"},
		{"level 3 to 1", names(playerByLevel.Range(ctx, 3, 1), false), "[]"},
		{"green", names(playerByColor.Filter(ctx, Green), false), "[p1 p4 p7]"},
		{"names", names(playerByName.Range(ctx, "p2", "p4"), true), "[p2 p3]"},
		{"seats", names(playerBySeat.Range(ctx, 7, 9), true), "[p7 p8]"},
		{"team and score", names(teamScore.Filter(ctx, "a", 40), true), "[p4]"},
		{"team", names(teamScore.Prefix(ctx, "a"), true), "[p0 p2 p4 p6 p8]"},
		{"team, scores", names(teamScore.Range(ctx, "b", 30, 70), true), "[p3 p5]"},
		{"team, scores up to", names(teamScore.RangeOf(ctx, "b", module.Bound[int64]{}, module.Incl[int64](30)), true), "[p1 p3]"},
		{"all three", names(teamLevel.Filter(ctx, "a", 2, 40), true), "[p4]"},
		{"one of three", names(teamLevel.Prefix(ctx, "b"), true), "[p1 p3 p5 p7 p9]"},
		{"two of three", names(teamLevel.Prefix2(ctx, "b", 2), true), "[p5]"},
		{"two and a range", names(teamLevel.Range(ctx, "b", 2, 0, 100), true), "[p5]"},
		{"two and an empty range", names(teamLevel.RangeOf(ctx, "b", 2, module.Excl[int64](50), module.Bound[int64]{}), true), "[]"},
		{"all", names(players.All(ctx), false), "[p0 p1 p2 p3 p4 p5 p6 p7 p8 p9]"},
	} {
		if c.got != c.want {
			return fmt.Errorf("%s: got %s, want %s", c.what, c.got, c.want)
		}
	}
	return nil
}

// CheckDeletes takes the same players away.
func CheckDeletes(ctx *module.Context, _ struct{}) error {
	p, _ := playerByName.Find(ctx, "p9")
	p9 := p
	p.Score = 1
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"unequal row", players.Delete(ctx, p), false},
		{"row", players.Delete(ctx, p9), true},
		{"row again", players.Delete(ctx, p9), false},
		{"unique", playerByName.Delete(ctx, "p8"), true},
		{"unique again", playerByName.Delete(ctx, "p8"), false},
		{"hash", playerByColor.Delete(ctx, Blue), 2}, // p2, p5
		{"ordered", playerByLevel.Delete(ctx, 3), 2}, // p6, p7
		{"two columns", teamScore.Delete(ctx, "a", 40), 1},
		{"three columns", teamLevel.Delete(ctx, "b", 1, 30), 1},
		{"range", playerByLevel.DeleteRange(ctx, 5, 100), 0},
		{"two columns, range", teamScore.DeleteRangeOf(ctx, "b", module.Bound[int64]{}, module.Excl[int64](20)), 1}, // p1
		{"left", players.Count(ctx), uint64(1)},
		{"three columns, range", teamLevel.DeleteRangeOf(ctx, "a", 0, module.Incl[int64](0), module.Incl[int64](0)), 1},
		{"prefix", teamScore.DeletePrefix(ctx, "a") + teamLevel.DeletePrefix(ctx, "a"), 0},
		{"unique range", playerBySeat.DeleteRangeOf(ctx, module.Incl[uint8](0), module.Bound[uint8]{}), 0},
		{"half-open ranges", playerBySeat.DeleteRange(ctx, 0, 9) + teamScore.DeleteRange(ctx, "a", 0, 9) + teamLevel.DeleteRange(ctx, "a", 0, 0, 9), 0},
		{"all", players.Clear(ctx), uint64(0)},
	} {
		if c.got != c.want {
			return fmt.Errorf("%s: got %v, want %v", c.what, c.got, c.want)
		}
	}
	return nil
}

// CheckIteration reads more than fits into a buffer, and changes the table while it does.
func CheckIteration(ctx *module.Context, args struct{ N uint32 }) error {
	long := make([]byte, 100_000)
	for i := range args.N {
		text := fmt.Sprint(i)
		if i == args.N/2 {
			text = string(append(long[:0:0], bytesOf('x', len(long))...))
		}
		if _, err := secrets.Insert(ctx, Secret{ID: 1000 + i, Text: text}); err != nil {
			return err
		}
	}
	seen := uint32(0)
	for s := range secrets.All(ctx) {
		if s.ID < 1000 {
			continue
		}
		seen++
		for range secrets.All(ctx) {
			break // a second iterator, given up at once
		}
		if _, err := secrets.Insert(ctx, Secret{ID: 1_000_000 + s.ID, Text: "copy"}); err != nil {
			return err
		}
	}
	if seen != args.N || secrets.Count(ctx) != uint64(2*args.N)+1 {
		return fmt.Errorf("saw %d of %d rows; the table has %d", seen, args.N, secrets.Count(ctx))
	}
	if n := secrets.Clear(ctx); n != uint64(2*args.N)+1 {
		return fmt.Errorf("cleared %d rows", n)
	}
	return nil
}

func bytesOf(b byte, n int) []byte {
	s := make([]byte, n)
	for i := range s {
		s[i] = b
	}
	return s
}

// CheckCounters looks at what autoinc columns are given.
func CheckCounters(ctx *module.Context, _ struct{}) error {
	a, err := counters.Insert(ctx, Counter{Name: "a"})
	b, err2 := counters.Insert(ctx, Counter{Name: "b", Small: 200})
	c, err3 := counters.Insert(ctx, Counter{Name: "c", Wide: module.U128{Hi: 1}})
	if err := errors.Join(err, err2, err3); err != nil {
		return err
	}
	if got, want := fmt.Sprint(a, b, c), "{a 1 0 1} {b 200 0 2} {c 2 18446744073709551616 3}"; got != want {
		return fmt.Errorf("got %s, want %s", got, want)
	}
	c.Big, c.Small = 0, 9
	if c, err = counter.Update(ctx, c); err != nil || c.Big != 4 {
		return fmt.Errorf("updated %v, %v", c, err)
	}
	if stored, _ := counter.Find(ctx, "c"); stored != c {
		return fmt.Errorf("stored %v, returned %v", stored, c)
	}
	return nil
}

// CheckErrors looks at the errors of writes; the transaction goes on.
func CheckErrors(ctx *module.Context, _ struct{}) error {
	if _, err := counters.Insert(ctx, Counter{Name: "same", Small: 1, Big: 1}); err != nil {
		return err
	}
	_, err := counters.Insert(ctx, Counter{Name: "same", Small: 2, Big: 2})
	var rowError *module.RowError
	if !errors.Is(err, module.ErrNotUnique) || !errors.As(err, &rowError) || rowError.Table != "counter" {
		return fmt.Errorf("a second row of one key: %v", err)
	}
	if _, err := counter.Update(ctx, Counter{Name: "missing"}); !errors.Is(err, module.ErrNotFound) {
		return fmt.Errorf("an update of nothing: %v", err)
	}
	if _, err := ticks.Insert(ctx, Tick{At: module.Every(3 * 365 * 24 * time.Hour)}); !errors.Is(err, module.ErrDelayTooLong) {
		return fmt.Errorf("a row in three years: %v", err)
	}
	if _, err := counters.Insert(ctx, Counter{Name: "same", Small: 1, Big: 1}); err != nil {
		return fmt.Errorf("an equal row: %v", err)
	}
	return nil
}

// Plan adds a row of the scheduled table.
func Plan(ctx *module.Context, args struct {
	After module.TimeDuration
	Note  string
}) error {
	_, err := ticks.Insert(ctx, Tick{At: ctx.After(args.After.Duration()), Note: args.Note})
	return err
}

// OnTick is called for each row of the scheduled table.
func OnTick(ctx *module.Context, tick Tick) error {
	if ctx.Sender != ctx.Database() {
		return errors.New("called by somebody else")
	}
	if tick.Note == "alone" && (ctx.ConnectionID != (module.ConnectionID{}) || ctx.Timestamp < tick.At.Time()) {
		return fmt.Errorf("called by connection %v at %v", ctx.ConnectionID, ctx.Timestamp)
	}
	_, err := secrets.Insert(ctx, Secret{ID: 100 + uint32(tick.ID), Text: tick.Note})
	return err
}

// Log logs on all levels.
func Log(ctx *module.Context, args struct{ Text string }) error {
	log := ctx.Log()
	log.Error("error " + args.Text)
	log.Warn("warn", "n", 1, "text", args.Text)
	log.With("a", "b c").WithGroup("g").Info("info", "k", time.Second)
	log.Debug("")
	log.Log(context.Background(), -8, "trace")
	return nil
}

// Draw stores random numbers.
func Draw(ctx *module.Context, args struct{ ID uint32 }) error {
	_, err := secrets.Insert(ctx, Secret{ID: args.ID, Text: fmt.Sprint(ctx.Rand.Uint64(), ctx.Rand.IntN(6))})
	return err
}

// Fail writes and then fails in many ways.
func Fail(ctx *module.Context, args struct{ How string }) error {
	if _, err := secrets.Insert(ctx, Secret{ID: 4711}); err != nil {
		return err
	}
	switch args.How {
	case "error":
		return errors.New("as you wish")
	case "empty":
		return errors.New("")
	case "panic":
		panic("as you wish")
	case "nil":
		var t *Thing
		t.Flag = true
	case "utf8":
		_, err := secrets.Insert(ctx, Secret{ID: 4712, Text: "\xff"})
		return err
	case "nil sum":
		_, err := things.Insert(ctx, Thing{})
		return err
	}
	return nil
}

var (
	kept      *module.Context
	foreign   module.Table[Secret]
	undefined *module.Unique[Secret, uint32]
)

// Misuse does what must not be done.
func Misuse(ctx *module.Context, args struct{ How string }) error {
	switch args.How {
	case "keep":
		kept = ctx
	case "kept":
		_, err := secrets.Insert(kept, Secret{ID: 5})
		return err
	case "kept log":
		kept.Log().Info("too late")
	case "nil context":
		secrets.Count(nil)
	case "zero table":
		foreign.Count(ctx)
	case "zero index":
		undefined.Delete(ctx, 1)
	case "late table":
		module.NewTable[Secret]("late")
	case "late reducer":
		module.Reducer("late", Misuse)
	case "hash range":
		for range playerByBadge.Range(ctx, 1, 2) {
			return nil
		}
	}
	return nil
}
