// The money-transfer benchmark as a Go module.
package main

import (
	"errors"

	"github.com/stdbgo/spacetime/module"
)

// An Account holds money.
type Account struct {
	ID      uint32 `stdb:"primarykey"`
	Balance int64
}

var (
	accounts    = module.NewTable[Account]("accounts", module.Public)
	accountByID = module.UniqueOf(accounts, func(a *Account) *uint32 { return &a.ID })

	errNoAccount = errors.New("no such account")
	errNoFunds   = errors.New("insufficient funds")
)

func init() {
	module.Reducer("seed", Seed)
	module.Reducer("transfer", Transfer)
	module.Reducer("empty", func(*module.Context, struct{}) error { return nil })
}

func main() { module.Main() }

// SeedArgs are the arguments of seed.
type SeedArgs struct{ N uint32 }

// Seed fills the table, unless somebody has.
func Seed(ctx *module.Context, args SeedArgs) error {
	if accounts.Count(ctx) > 0 {
		return nil
	}
	for id := range args.N {
		if _, err := accounts.Insert(ctx, Account{ID: id, Balance: 1_000_000}); err != nil {
			return err
		}
	}
	return nil
}

// TransferArgs are the arguments of transfer.
type TransferArgs struct {
	From, To uint32
	Amount   int64
}

// Transfer moves money from one account to another.
func Transfer(ctx *module.Context, args TransferArgs) error {
	from, ok := accountByID.Find(ctx, args.From)
	if !ok {
		return errNoAccount
	}
	to, ok := accountByID.Find(ctx, args.To)
	if !ok {
		return errNoAccount
	}
	if from.Balance < args.Amount {
		return errNoFunds
	}
	from.Balance -= args.Amount
	to.Balance += args.Amount
	if _, err := accountByID.Update(ctx, from); err != nil {
		return err
	}
	_, err := accountByID.Update(ctx, to)
	return err
}
