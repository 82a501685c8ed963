// Command module is what test/conformance drives the official client SDKs against.
package main

import (
	"errors"
	"strings"

	"github.com/stdbgo/spacetime/module"
)

func main() { module.Main() }

// An Item is a row with a number and a text of any length.
type Item struct {
	ID   uint32 `stdb:"primarykey"`
	Text string
}

// A Bang is told to whoever is subscribed and then forgotten.
type Bang struct{ Text string }

var (
	items = module.NewTable[Item]("item", module.Public)
	byID  = module.UniqueOf(items, func(i *Item) *uint32 { return &i.ID })
	bangs = module.NewTable[Bang]("bang", module.Public, module.Event)
)

type (
	itemArgs struct {
		ID   uint32
		Text string
	}
	idArgs    struct{ ID uint32 }
	textArgs  struct{ Text string }
	rangeArgs struct{ First, Count uint32 }
	sumArgs   struct{ A, B uint32 }
)

func init() {
	module.Reducer("put", func(ctx *module.Context, a itemArgs) error {
		if a.Text == "" {
			return errors.New("An item needs a text")
		}
		if _, ok := byID.Find(ctx, a.ID); ok {
			_, err := byID.Update(ctx, Item(a))
			return err
		}
		_, err := items.Insert(ctx, Item(a))
		return err
	})
	module.Reducer("drop", func(ctx *module.Context, a idArgs) error {
		if !byID.Delete(ctx, a.ID) {
			return errors.New("There is no such item")
		}
		return nil
	})
	module.Reducer("drop_many", func(ctx *module.Context, a rangeArgs) error {
		for id := a.First; id < a.First+a.Count; id++ {
			byID.Delete(ctx, id)
		}
		return nil
	})
	module.Reducer("put_many", func(ctx *module.Context, a rangeArgs) error {
		for id := a.First; id < a.First+a.Count; id++ {
			if _, err := items.Insert(ctx, Item{id, strings.Repeat("x", 100)}); err != nil {
				return err
			}
		}
		return nil
	})
	module.Reducer("crash", func(*module.Context, struct{}) error { panic("the kettle boils") })
	module.Reducer("shout", func(ctx *module.Context, a textArgs) error {
		_, err := bangs.Insert(ctx, Bang(a))
		return err
	})

	module.Procedure("sum", func(_ *module.ProcedureContext, a sumArgs) (uint64, error) { return uint64(a.A) + uint64(a.B), nil })
	module.Procedure("put_slowly", func(ctx *module.ProcedureContext, a itemArgs) (uint32, error) {
		return a.ID, ctx.Tx(func(tx *module.Context) error {
			_, err := items.Insert(tx, Item(a))
			return err
		})
	})
	module.Procedure("fail", func(*module.ProcedureContext, struct{}) (uint64, error) { panic("the kettle boils") })
}
