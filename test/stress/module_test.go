// Package stress holds one server, one module and many clients against each
// other: every client checks each message it gets, and at the end what it holds
// is compared with what SQL says.
package stress

import (
	"errors"
	"math/rand/v2"

	"github.com/stdbgo/spacetime/module"
)

// An Item belongs to a group. The sum of all values never changes.
type Item struct {
	ID    uint32 `stdb:"primarykey"`
	Grp   uint32
	Value int64
	Note  string
}

// A Grp is a group of items.
type Grp struct {
	ID    uint32 `stdb:"primarykey"`
	Owner uint32
	Open  bool
}

// A Clock has one row, whose N counts the transactions that changed anything.
type Clock struct {
	ID uint8 `stdb:"primarykey"`
	N  uint64
}

const (
	numItems  = 60
	numGroups = 8
	numOwners = 3
	total     = numItems * 1000
)

var (
	items    = module.NewTable[Item]("item", module.Public)
	itemByID = module.UniqueOf(items, func(i *Item) *uint32 { return &i.ID })
	_        = module.IndexOf(items, func(i *Item) *uint32 { return &i.Grp })
	grps     = module.NewTable[Grp]("grp", module.Public)
	grpByID  = module.UniqueOf(grps, func(g *Grp) *uint32 { return &g.ID })
	clocks   = module.NewTable[Clock]("clock", module.Public)
	clock    = module.UniqueOf(clocks, func(c *Clock) *uint8 { return &c.ID })
)

func init() {
	module.OnInit(fill)
	module.Reducer("change", change)
	module.Reducer("change_and_fail", func(ctx *module.Context, args changeArgs) error {
		if err := change(ctx, args); err != nil {
			return err
		}
		return errChanged
	})
}

var errChanged = errors.New("changed and regretted")

func fill(ctx *module.Context) error {
	for i := range uint32(numItems) {
		if _, err := items.Insert(ctx, Item{ID: i, Grp: i % numGroups, Value: total / numItems}); err != nil {
			return err
		}
	}
	for i := range uint32(numGroups) {
		if _, err := grps.Insert(ctx, Grp{ID: i, Owner: i % numOwners, Open: i%2 == 0}); err != nil {
			return err
		}
	}
	_, err := clocks.Insert(ctx, Clock{})
	return err
}

type changeArgs struct {
	Seed  uint64
	Steps uint32
	Note  string
}

// change makes a few changes that a seed decides on.
func change(ctx *module.Context, args changeArgs) error {
	random := rand.New(rand.NewPCG(args.Seed, 0))
	for range args.Steps {
		if err := step(ctx, random, args.Note); err != nil {
			return err
		}
	}
	c, _ := clock.Find(ctx, 0)
	c.N++
	_, err := clock.Update(ctx, c)
	return err
}

// step moves value between items, items between groups and away and back, and
// groups between owners and away and back.
func step(ctx *module.Context, random *rand.Rand, note string) error {
	a, okA := itemByID.Find(ctx, random.Uint32N(numItems))
	b, okB := itemByID.Find(ctx, random.Uint32N(numItems))
	id := random.Uint32N(numGroups)
	g, okG := grpByID.Find(ctx, id)
	var err error
	switch random.IntN(7) {
	case 0, 1: // value from one item to another
		if okA && okB && a.ID != b.ID {
			n := random.Int64N(300)
			a.Value, b.Value, b.Note = a.Value-n, b.Value+n, note
			if _, err = itemByID.Update(ctx, a); err == nil {
				_, err = itemByID.Update(ctx, b)
			}
		}
	case 2: // an item into another group
		if okA {
			a.Grp = id
			_, err = itemByID.Update(ctx, a)
		}
	case 3: // one item becomes part of another
		if okA && okB && a.ID != b.ID {
			b.Value += a.Value
			itemByID.Delete(ctx, a.ID)
			_, err = itemByID.Update(ctx, b)
		}
	case 4: // and comes back
		if !okA {
			_, err = items.Insert(ctx, Item{ID: random.Uint32N(numItems), Grp: id, Note: note})
			if errors.Is(err, module.ErrNotUnique) {
				err = nil
			}
		}
	case 5: // a group opens, closes, changes hands
		if okG {
			g.Open, g.Owner = !g.Open, random.Uint32N(numOwners)
			_, err = grpByID.Update(ctx, g)
		}
	case 6: // a group vanishes or comes back
		if okG {
			grpByID.Delete(ctx, id)
		} else {
			_, err = grps.Insert(ctx, Grp{ID: id, Owner: random.Uint32N(numOwners), Open: true})
		}
	}
	return err
}
