// Command module is the module that the clients of test/codegen/rust talk to: one
// of each thing that bindings know.
package main

import (
	"errors"
	"slices"

	"github.com/stdbgo/spacetime/module"
)

func main() { module.Main() }

// A Person is a row with a primary key and a unique column.
type Person struct {
	ID    uint64 `stdb:"primarykey,autoinc"`
	Name  string `stdb:"unique"`
	Score int32
	Owner module.Identity
}

// A Shout is a row of an event table.
type Shout struct{ Text string }

var (
	people = module.NewTable[Person]("person", module.Public)
	byID   = module.UniqueOf(people, func(p *Person) *uint64 { return &p.ID })
	byName = module.UniqueOf(people, func(p *Person) *string { return &p.Name })
	shouts = module.NewTable[Shout]("shout", module.Public, module.Event)
)

type (
	addArgs struct {
		Name  string `stdb:"unique"`
		Score int32
	}
	renameArgs struct {
		Old, New string
	}
	nameArgs struct{ Name string }
	textArgs struct{ Text string }
	byArgs   struct {
		Least int32
		Name  string `stdb:"unique"`
	}
	doubleArgs struct{ N uint32 }
)

func init() {
	module.Reducer("add", func(ctx *module.Context, a addArgs) error {
		_, err := people.Insert(ctx, Person{Name: a.Name, Score: a.Score, Owner: ctx.Sender})
		return err
	})
	module.Reducer("rename", func(ctx *module.Context, a renameArgs) error {
		p, ok := byName.Find(ctx, a.Old)
		if !ok {
			return errors.New("nobody is called " + a.Old)
		}
		p.Name = a.New
		_, err := byID.Update(ctx, p)
		return err
	})
	module.Reducer("remove", func(ctx *module.Context, a nameArgs) error {
		byName.Delete(ctx, a.Name)
		return nil
	})
	module.Reducer("shout", func(ctx *module.Context, a textArgs) error {
		_, err := shouts.Insert(ctx, Shout(a))
		return err
	})
	module.Procedure("double", func(_ *module.ProcedureContext, a doubleArgs) (uint64, error) { return 2 * uint64(a.N), nil })
	module.View("everybody", func(*module.Context, struct{}) (module.Query[Person], error) {
		return "SELECT * FROM person", nil
	}, module.Anonymous)
	module.View("people_of", func(ctx *module.Context, a byArgs) ([]Person, error) {
		return slices.DeleteFunc(slices.Collect(people.All(ctx)), func(p Person) bool {
			return p.Score < a.Least || p.Name != a.Name
		}), nil
	}, module.Anonymous)
}
