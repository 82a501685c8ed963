package main

import (
	"errors"

	"github.com/stdbgo/spacetime/module"
)

// An Account is a row of the transfer benchmark, which is measured natively with the module of this folder: that of
// bench/modules/go cannot be linked into a test.
type Account struct {
	ID      uint32 `stdb:"primarykey"`
	Balance int64
}

var (
	accounts    = module.NewTable[Account]("accounts", module.Public)
	accountByID = module.UniqueOf(accounts, func(a *Account) *uint32 { return &a.ID })
)

func init() {
	module.Reducer("empty", func(*module.Context, struct{}) error { return nil })
	module.Reducer("transfer", Transfer)
}

// Transfer moves money from one account to another.
func Transfer(ctx *module.Context, args struct {
	From, To uint32
	Amount   int64
}) error {
	from, ok := accountByID.Find(ctx, args.From)
	to, ok2 := accountByID.Find(ctx, args.To)
	if !ok || !ok2 || from.Balance < args.Amount {
		return errors.New("cannot transfer")
	}
	from.Balance -= args.Amount
	to.Balance += args.Amount
	_, err := accountByID.Update(ctx, from)
	_, err2 := accountByID.Update(ctx, to)
	return errors.Join(err, err2)
}
