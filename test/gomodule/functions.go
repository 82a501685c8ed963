package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stdbgo/spacetime/module"
)

// A Rank is a row of a view that is no table's.
type Rank struct {
	Place uint32
	Name  string
}

// A Nap is a row of a table that schedules a procedure.
type Nap struct {
	ID   uint64 `stdb:"primarykey,autoinc"`
	At   module.ScheduleAt
	Note string
}

// A Reply is what a procedure returns.
type Reply struct {
	Status uint16
	Text   string
}

var (
	naps     = module.NewTable[Nap]("nap")
	greeting = module.Env("GREETING", module.Optional)
	mood     = module.Env("MOOD", module.Optional, module.OneOf("good", "bad"))
)

// SeenCounters says which counters clients other than the owner see.
const SeenCounters = "SELECT * FROM counter WHERE name = 'seen'"

func init() {
	module.VisibilityFilter(SeenCounters)
	module.View("team", Team, module.Anonymous)
	module.View("ranks", Ranks, module.Anonymous)
	module.View("best_player", BestPlayer, module.Anonymous)
	module.View("reds", Reds, module.Anonymous)
	module.View("me", Me)
	module.View("misused", Misused)
	module.Procedure("hire", Hire)
	module.Procedure("rest", Rest)
	module.Procedure("fetch", Fetch)
	module.Procedure("misuse_procedure", MisuseProcedure)
	module.Procedure("owners_procedure", OwnersProcedure, module.Private)
	module.ScheduledProcedure(naps, "on_nap", OnNap)
	module.Reducer("plan_nap", PlanNap)
	module.Reducer("clear_players", func(ctx *module.Context, _ struct{}) error { players.Clear(ctx); return nil })
	module.HTTPHandler("echo", Echo, module.Route{Method: "POST", Path: "/echo"}, module.Route{Path: "/any"})
	module.HTTPHandler("purge", func(*module.ProcedureContext, *module.HTTPRequest) (*module.HTTPResponse, error) { return nil, nil },
		module.Route{Method: "PURGE", Path: "/"})
}

// Team is a view with a parameter.
func Team(ctx *module.Context, args struct{ Name string }) (team []Player, _ error) {
	if args.Name == "" {
		return nil, errors.New("a team has a name")
	}
	for p := range teamScore.Prefix(ctx, args.Name) {
		team = append(team, p)
	}
	return team, nil
}

// Ranks is a view of rows that no table has.
func Ranks(ctx *module.Context, _ struct{}) (ranks []Rank, _ error) {
	list := slices.Collect(players.All(ctx))
	slices.SortFunc(list, func(a, b Player) int { return int(b.Score - a.Score) })
	for i, p := range list {
		ranks = append(ranks, Rank{uint32(i + 1), p.Name})
	}
	return ranks, nil
}

// BestPlayer is a view of at most one row.
func BestPlayer(ctx *module.Context, _ struct{}) (best *Player, _ error) {
	for p := range players.All(ctx) {
		if best == nil || p.Score > best.Score {
			best = &p
		}
	}
	return best, nil
}

// Reds is a view that the database finds the rows of.
func Reds(*module.Context, struct{}) (module.Query[Player], error) {
	return "SELECT * FROM player WHERE team = 'red'", nil
}

// Me is a view that differs between callers.
func Me(ctx *module.Context, _ struct{}) ([]Player, error) {
	p, ok := playerByName.Find(ctx, ctx.Sender.Abbreviated())
	if !ok {
		return nil, nil
	}
	return []Player{p}, nil
}

// Misused does what a view must not.
func Misused(ctx *module.Context, _ struct{}) ([]Rank, error) {
	_, err := secrets.Insert(ctx, Secret{7, "written by a view"})
	return nil, err
}

// Hire adds two players in transactions of their own, and a third that it takes back.
func Hire(ctx *module.ProcedureContext, args struct{ Name string }) ([]uint32, error) {
	var ids []uint32
	before := ctx.Rand.Uint32()
	add := func(name string, badge uint32) func(*module.Context) error {
		return func(tx *module.Context) error {
			if tx.Sender != ctx.Sender || tx.ConnectionID != ctx.ConnectionID || tx.Timestamp < ctx.Timestamp {
				return errors.New("the transaction belongs to somebody else")
			}
			_ = tx.Rand.Uint32()
			p, err := players.Insert(tx, Player{Name: name, Badge: badge, Seat: uint8(badge), Team: "red", Score: int64(badge)})
			ids = append(ids, p.ID)
			return err
		}
	}
	if err := ctx.Tx(add(args.Name+" I", 1)); err != nil {
		return nil, err
	}
	if err := ctx.Tx(add(args.Name+" II", 2)); err != nil {
		return nil, err
	}
	changed := errors.New("changed my mind")
	if err := ctx.Tx(func(tx *module.Context) error { return errors.Join(add("nobody", 3)(tx), changed) }); !errors.Is(err, changed) {
		return nil, fmt.Errorf("the third transaction: %w", err)
	}
	if before == ctx.Rand.Uint32() {
		return nil, errors.New("a transaction makes random numbers begin anew")
	}
	return ids[:2], nil
}

// Rest sleeps, and says how long that was in microseconds. A negative time is an error.
func Rest(ctx *module.ProcedureContext, args struct{ For module.TimeDuration }) (int64, error) {
	if args.For < 0 {
		return 0, errors.New("nobody rests backwards")
	}
	var from, to module.Timestamp
	now := func(at *module.Timestamp) func(*module.Context) error {
		return func(tx *module.Context) error { *at = tx.Timestamp; return nil }
	}
	if err := ctx.Tx(now(&from)); err != nil {
		return 0, err
	}
	ctx.Sleep(args.For.Duration())
	ctx.SleepUntil(from) // is over
	err := ctx.Tx(now(&to))
	ctx.Log().Info("rested", "from", from.Micros(), "to", to.Micros())
	return int64(to - from), err
}

// Fetch makes a request.
func Fetch(ctx *module.ProcedureContext, args struct{ Method, URL, Body string }) (module.Result[Reply, string], error) {
	resp, err := ctx.Do(&module.HTTPRequest{Method: args.Method, URL: args.URL, Body: []byte(args.Body), Timeout: 3 * time.Second,
		Header: module.HTTPHeader{{Name: "X-From", Value: "gomodule"}}})
	var failed *module.HTTPError
	if errors.As(err, &failed) {
		return module.Result[Reply, string]{IsErr: true, Err: failed.Text}, nil
	}
	if err != nil {
		return module.Result[Reply, string]{}, err
	}
	return module.Result[Reply, string]{Ok: Reply{uint16(resp.Status), resp.Header.Get("x-kind") + " " + string(resp.Body)}}, nil
}

// keptProcedure outlives its call, which is a mistake.
var keptProcedure *module.ProcedureContext

// MisuseProcedure does what a procedure must not.
func MisuseProcedure(ctx *module.ProcedureContext, args struct{ How string }) (struct{}, error) {
	nothing := func(*module.Context) error { return nil }
	switch args.How {
	case "keep":
		keptProcedure = ctx
	case "kept":
		return struct{}{}, keptProcedure.Tx(nothing)
	case "nested":
		return struct{}{}, ctx.Tx(func(*module.Context) error { return ctx.Tx(nothing) })
	case "sleep":
		return struct{}{}, ctx.Tx(func(*module.Context) error { ctx.Sleep(time.Second); return nil })
	case "request":
		return struct{}{}, ctx.Tx(func(*module.Context) error { _, err := ctx.Do(&module.HTTPRequest{URL: "http://x/"}); return err })
	case "panic":
		return struct{}{}, ctx.Tx(func(tx *module.Context) error {
			_, _ = secrets.Insert(tx, Secret{8, "to be undone"})
			panic("as you wish")
		})
	case "recover":
		func() {
			defer func() { _ = recover() }()
			_ = ctx.Tx(func(tx *module.Context) error {
				_, _ = secrets.Insert(tx, Secret{9, "to be undone"})
				panic("caught")
			})
		}()
		return struct{}{}, ctx.Tx(nothing)
	}
	return struct{}{}, nil
}

// OwnersProcedure may be called by the owner only.
func OwnersProcedure(*module.ProcedureContext, struct{}) (struct{}, error) { return struct{}{}, nil }

// PlanNap plans a nap.
func PlanNap(ctx *module.Context, args struct{ After module.TimeDuration }) error {
	_, err := naps.Insert(ctx, Nap{At: ctx.After(args.After.Duration()), Note: "napped"})
	return err
}

// OnNap is called at the time of a row.
func OnNap(ctx *module.ProcedureContext, nap Nap) error {
	return ctx.Tx(func(tx *module.Context) error {
		if tx.Sender != tx.Database() {
			return errors.New("called by somebody else")
		}
		_, err := secrets.Insert(tx, Secret{200 + uint32(nap.ID), nap.Note})
		return err
	})
}

// Echo tells what it was asked.
func Echo(ctx *module.ProcedureContext, r *module.HTTPRequest) (*module.HTTPResponse, error) {
	if r.URL == "" || ctx.ConnectionID != (module.ConnectionID{}) {
		return nil, errors.New("not an HTTP request")
	}
	if len(r.Body) == 0 {
		return nil, errors.New("nothing to echo")
	}
	hello, ok := greeting.Get(ctx)
	if !ok {
		hello = "hello"
	}
	var rows uint64
	err := ctx.Tx(func(tx *module.Context) error {
		rows = players.Count(tx)
		if inside, _ := greeting.Get(tx); ok && inside != hello {
			return errors.New("the environment differs in a transaction")
		}
		feeling, felt := mood.Get(tx)
		tx.Log().Info("echo", "mood", feeling, "set", felt, "claims", string(tx.Claims()))
		return nil
	})
	return &module.HTTPResponse{Status: 201, Header: module.HTTPHeader{{Name: "X-Rows", Value: fmt.Sprint(rows)}},
		Body: fmt.Appendf(nil, "%s %s %s %s", hello, r.Method, r.Header.Get("X-Who"), r.Body)}, err
}
