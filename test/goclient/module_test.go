package goclient

import (
	"errors"
	"math/rand/v2"

	"github.com/stdbgo/spacetime/module"
	"github.com/stdbgo/spacetime/sats"
)

// The module that the bindings are of, linked into this program: every type, tables
// with all kinds of keys, an event table, views and procedures.

type leaf struct {
	X float32
	Y float64
}

type color uint8

type shape interface{ isShape() }

type (
	nothing struct{}
	radius  float64
	corner  leaf
)

func (nothing) isShape() {}
func (radius) isShape()  {}
func (corner) isShape()  {}

func init() {
	module.RegisterEnum[color]("Red", "Green", "Blue")
	module.RegisterSum[shape](module.VariantOf[nothing]("Nothing"), module.VariantOf[radius]("Radius"), module.VariantOf[corner]("Corner"))
}

// everything has a column of every type.
type everything struct {
	ID      uint64 `stdb:"primarykey,autoinc"`
	ABool   bool
	AnI8    int8
	AU8     uint8
	AnI16   int16
	AU16    uint16
	AnI32   int32
	AU32    uint32
	AnI64   int64
	AU64    uint64
	AnI128  sats.I128
	AU128   sats.U128
	AnI256  sats.I256
	AU256   sats.U256
	AnF32   float32
	AnF64   float64
	AString string
	Bytes   []byte
	Ident   sats.Identity
	Conn    sats.ConnectionID
	Ts      sats.Timestamp
	Dur     sats.TimeDuration
	Uuid    sats.Uuid
	OptI32  *int32
	OptOpt  **bool
	Res     sats.ResultOf[uint8, string]
	Nums    []int32
	Nested  [][]string
	Color   color
	Shape   shape
	OptLeaf *leaf
	Deep    *[]shape
}

// item and grp are what random transactions change; see change.
type item struct {
	ID    uint32 `stdb:"primarykey"`
	Grp   uint32
	Value int64
	Note  string
}

type grp struct {
	ID    uint32 `stdb:"primarykey"`
	Owner uint32
	Open  bool
}

// clock has one row, whose N counts the transactions.
type clock struct {
	ID uint8 `stdb:"primarykey"`
	N  uint64
}

type user struct {
	Identity sats.Identity `stdb:"primarykey"`
	Name     *string
	Online   bool
}

type message struct {
	Sender sats.Identity
	Sent   sats.Timestamp
	Text   string
}

type ping struct{ Note string }

var (
	all       = module.NewTable[everything]("everything", module.Public)
	_         = module.UniqueOf(all, func(e *everything) *uint64 { return &e.ID })
	items     = module.NewTable[item]("item", module.Public)
	itemByID  = module.UniqueOf(items, func(i *item) *uint32 { return &i.ID })
	_         = module.IndexOf(items, func(i *item) *uint32 { return &i.Grp })
	_         = module.IndexOf2(items, func(i *item) *uint32 { return &i.Grp }, func(i *item) *int64 { return &i.Value })
	grps      = module.NewTable[grp]("grp", module.Public)
	grpByID   = module.UniqueOf(grps, func(g *grp) *uint32 { return &g.ID })
	clocks    = module.NewTable[clock]("clock", module.Public)
	theClock  = module.UniqueOf(clocks, func(c *clock) *uint8 { return &c.ID })
	users     = module.NewTable[user]("user", module.Public)
	userByID  = module.UniqueOf(users, func(u *user) *sats.Identity { return &u.Identity })
	messages  = module.NewTable[message]("message", module.Public)
	pings     = module.NewTable[ping]("ping", module.Public, module.Event)
	_         = module.NewTable[leaf]("secret")
	errRegret = errors.New("changed and regretted")
)

type changeArgs struct {
	Seed  uint64
	Steps uint32
	Fail  bool
}

const (
	numItems  = 40
	numGroups = 6
)

func init() {
	module.OnInit(func(ctx *module.Context) error {
		for i := range uint32(numItems) {
			if _, err := items.Insert(ctx, item{ID: i, Grp: i % numGroups, Value: 10}); err != nil {
				return err
			}
		}
		for i := range uint32(numGroups) {
			if _, err := grps.Insert(ctx, grp{ID: i, Open: i%2 == 0}); err != nil {
				return err
			}
		}
		_, err := clocks.Insert(ctx, clock{})
		return err
	})
	module.OnConnect(func(ctx *module.Context) error { return online(ctx, true) })
	module.OnDisconnect(func(ctx *module.Context) error { return online(ctx, false) })
	module.Reducer("change", change)
	module.Reducer("set_all", func(ctx *module.Context, a everything) error {
		_, err := all.Insert(ctx, a)
		return err
	})
	module.Reducer("set_name", func(ctx *module.Context, a struct{ Name string }) error {
		if a.Name == "" {
			return errors.New("a name must not be empty")
		}
		u, ok := userByID.Find(ctx, ctx.Sender)
		if !ok {
			return errors.New("who are you?")
		}
		u.Name = &a.Name
		_, err := userByID.Update(ctx, u)
		return err
	})
	module.Reducer("send_message", func(ctx *module.Context, a struct{ Text string }) error {
		_, err := messages.Insert(ctx, message{ctx.Sender, ctx.Timestamp, a.Text})
		return err
	})
	module.Reducer("ping", func(ctx *module.Context, a ping) error {
		_, err := pings.Insert(ctx, a)
		return err
	})
	module.Reducer("crash", func(*module.Context, struct{}) error { panic("crash") })
	module.Procedure("add_up", func(_ *module.ProcedureContext, a struct {
		A uint32
		B *uint32
	}) (uint64, error) {
		if a.B == nil {
			return uint64(a.A), nil
		}
		return uint64(a.A) + uint64(*a.B), nil
	})
	module.Procedure("mirror", func(_ *module.ProcedureContext, a struct{ Shape shape }) (shape, error) { return a.Shape, nil })
	module.View("open_items", func(ctx *module.Context, _ struct{}) ([]item, error) {
		var open []item
		for i := range items.All(ctx) {
			if g, ok := grpByID.Find(ctx, i.Grp); ok && g.Open {
				open = append(open, i)
			}
		}
		return open, nil
	})
	module.View("items_of", func(ctx *module.Context, a struct{ Grp uint32 }) ([]item, error) {
		var list []item
		for i := range items.All(ctx) {
			if i.Grp == a.Grp {
				list = append(list, i)
			}
		}
		return list, nil
	})
}

func online(ctx *module.Context, is bool) error {
	u, ok := userByID.Find(ctx, ctx.Sender)
	if !ok {
		_, err := users.Insert(ctx, user{Identity: ctx.Sender, Online: is})
		return err
	}
	u.Online = is
	_, err := userByID.Update(ctx, u)
	return err
}

// change makes a few changes that a seed decides on.
func change(ctx *module.Context, a changeArgs) error {
	random := rand.New(rand.NewPCG(a.Seed, 0))
	for range a.Steps {
		if err := step(ctx, random); err != nil {
			return err
		}
	}
	c, _ := theClock.Find(ctx, 0)
	c.N++
	if _, err := theClock.Update(ctx, c); err != nil {
		return err
	}
	if a.Fail {
		return errRegret
	}
	return nil
}

func step(ctx *module.Context, random *rand.Rand) error {
	id, group := random.Uint32N(numItems), random.Uint32N(numGroups)
	i, there := itemByID.Find(ctx, id)
	g, open := grpByID.Find(ctx, group)
	var err error
	switch random.IntN(6) {
	case 0, 1:
		if there {
			i.Value, i.Grp = random.Int64N(100), group
			_, err = itemByID.Update(ctx, i)
		}
	case 2:
		if there {
			itemByID.Delete(ctx, id)
		} else {
			_, err = items.Insert(ctx, item{ID: id, Grp: group, Note: "again"})
		}
	case 3:
		if open {
			g.Open, g.Owner = !g.Open, random.Uint32N(3)
			_, err = grpByID.Update(ctx, g)
		}
	case 4:
		if open {
			grpByID.Delete(ctx, group)
		} else {
			_, err = grps.Insert(ctx, grp{ID: group, Open: true})
		}
	case 5:
		_, err = messages.Insert(ctx, message{ctx.Sender, ctx.Timestamp, "note"})
	}
	return err
}
