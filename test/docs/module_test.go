package docs

import (
	"errors"
	"fmt"
	"time"

	"github.com/stdbgo/spacetime/module"
)

// The module of the pages: docs/go-modules.md explains it, docs/sql.md queries its
// tables, docs/testing.md tests it.

// A Player is a row of the table player.
type Player struct {
	ID    uint32  `stdb:"primarykey,autoinc"`
	Name  string  `stdb:"unique"`
	Team  *string // nil: in no team
	Score int64
	State State
}

// A Match is a row of the table match.
type Match struct {
	ID     uint32 `stdb:"primarykey,autoinc"`
	Winner uint32
	Loser  uint32
	Points int64
}

var (
	players      = module.NewTable[Player]("player", module.Public)
	playerByID   = module.UniqueOf(players, func(p *Player) *uint32 { return &p.ID })
	playerByName = module.UniqueOf(players, func(p *Player) *string { return &p.Name })
	byScore      = module.IndexOf(players, func(p *Player) *int64 { return &p.Score })
	matches      = module.NewTable[Match]("match", module.Public)
	_            = module.IndexOf(matches, func(m *Match) *uint32 { return &m.Winner }) // for joins in SQL
)

type State uint8

const (
	Idle State = iota
	Playing
)

func init() {
	module.RegisterEnum[State]("Idle", "Playing")
	module.Default(players, func(p *Player) *State { return &p.State }, Idle)
}

type JoinArgs struct {
	Name string
	Team *string
}

// Join adds a player.
func Join(ctx *module.Context, args JoinArgs) error {
	if args.Name == "" {
		return errors.New("a player needs a name")
	}
	p, err := players.Insert(ctx, Player{Name: args.Name, Team: args.Team}) // ID 0: the next number
	if errors.Is(err, module.ErrNotUnique) {
		return fmt.Errorf("%s plays already", args.Name)
	}
	if err != nil {
		return err
	}
	ctx.Log().Info("joined", "player", p.ID)
	return nil
}

type ReportArgs struct {
	Winner, Loser string
	Points        int64
}

// Report notes a match, and the winner's points.
func Report(ctx *module.Context, args ReportArgs) error {
	winner, ok := playerByName.Find(ctx, args.Winner)
	if !ok {
		return fmt.Errorf("nobody is called %s", args.Winner)
	}
	loser, ok := playerByName.Find(ctx, args.Loser)
	if !ok {
		return fmt.Errorf("nobody is called %s", args.Loser)
	}
	winner.Score += args.Points
	if _, err := playerByID.Update(ctx, winner); err != nil {
		return err
	}
	_, err := matches.Insert(ctx, Match{Winner: winner.ID, Loser: loser.ID, Points: args.Points})
	return err
}

func init() {
	module.Reducer("join", Join)
	module.Reducer("report", Report)
}

// Leaders returns the players with ten points and more.
func Leaders(ctx *module.Context, _ struct{}) ([]Player, error) {
	var leaders []Player
	for p := range byScore.RangeOf(ctx, module.Incl[int64](10), module.NoBound[int64]()) {
		leaders = append(leaders, p)
	}
	return leaders, nil
}

func init() { module.View("leaders", Leaders, module.Anonymous) }

// A Note is for its owner's eyes only.
type Note struct {
	ID    uint32 `stdb:"primarykey,autoinc"`
	Owner module.Identity
	Text  string
}

var notes = module.NewTable[Note]("note", module.Public)

type RememberArgs struct{ Text string }

// Remember keeps a note for the caller.
func Remember(ctx *module.Context, args RememberArgs) error {
	_, err := notes.Insert(ctx, Note{Owner: ctx.Sender, Text: args.Text})
	return err
}

func init() {
	module.Reducer("remember", Remember)
	module.VisibilityFilter("SELECT * FROM note WHERE owner = :sender")
}

type Break struct {
	ID     uint64 `stdb:"primarykey,autoinc"`
	At     module.ScheduleAt
	Player uint32
}

var breaks = module.NewTable[Break]("break")

type PlayArgs struct{ Name string }

// Play makes a player busy for a minute.
func Play(ctx *module.Context, args PlayArgs) error {
	p, ok := playerByName.Find(ctx, args.Name)
	if !ok {
		return fmt.Errorf("nobody is called %s", args.Name)
	}
	p.State = Playing
	if _, err := playerByID.Update(ctx, p); err != nil {
		return err
	}
	_, err := breaks.Insert(ctx, Break{At: ctx.After(time.Minute), Player: p.ID})
	return err
}

// TakeBreak is called when the time of a row has come.
func TakeBreak(ctx *module.Context, b Break) error {
	p, ok := playerByID.Find(ctx, b.Player)
	if !ok {
		return nil
	}
	p.State = Idle
	_, err := playerByID.Update(ctx, p)
	return err
}

func init() {
	module.Reducer("play", Play)
	module.Scheduled(breaks, "take_break", TakeBreak)
}

type TotalArgs struct{ Team string }

// Total returns the points of a team.
func Total(ctx *module.ProcedureContext, args TotalArgs) (int64, error) {
	var total int64
	err := ctx.Tx(func(tx *module.Context) error {
		for p := range players.All(tx) {
			if p.Team != nil && *p.Team == args.Team {
				total += p.Score
			}
		}
		return nil
	})
	return total, err
}

func init() { module.Procedure("total", Total) }

var motto = module.Env("MOTTO", module.Optional)

// Standings answers GET /v1/database/<name>/route/standings.
func Standings(ctx *module.ProcedureContext, r *module.HTTPRequest) (*module.HTTPResponse, error) {
	var body []byte
	if text, ok := motto.Get(ctx); ok {
		body = fmt.Appendln(body, text)
	}
	err := ctx.Tx(func(tx *module.Context) error {
		for p := range players.All(tx) {
			body = fmt.Appendf(body, "%s: %d\n", p.Name, p.Score)
		}
		return nil
	})
	return &module.HTTPResponse{Status: 200, Body: body}, err
}

func init() {
	module.HTTPHandler("standings", Standings, module.Route{Method: "GET", Path: "/standings"})
}

// A Hello is a row that becomes a call of the reducer greet of another database.
type Hello struct {
	ID   uint64          `stdb:"primarykey,autoinc"`
	To   module.Identity `stdb:"target"`
	Text string
}

var hellos = module.NewTable[Hello]("hello")

type SayHelloArgs struct {
	To   module.Identity
	Text string
}

// SayHello greets another database.
func SayHello(ctx *module.Context, args SayHelloArgs) error {
	_, err := hellos.Insert(ctx, Hello{To: args.To, Text: args.Text})
	return err
}

func init() {
	module.Reducer("say_hello", SayHello)
	module.Outbox[struct{ Text string }](hellos, "greet")
}
