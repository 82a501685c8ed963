package main

import (
	"fmt"
	"runtime"

	"github.com/stdbgo/spacetime/module"
)

var accountByBalance = module.IndexOf(accounts, func(a *Account) *int64 { return &a.Balance })

func init() { module.Reducer("check_allocations", CheckAllocations) }

// CheckAllocations fails if an operation on rows of fixed size allocates, where the module runs. Natively that counts the
// store too, which allocates for ranges.
func CheckAllocations(ctx *module.Context, args struct{ Native bool }) error {
	for i := range uint32(100) {
		if _, err := accounts.Insert(ctx, Account{i, int64(i % 10)}); err != nil {
			return err
		}
	}
	var sum int64
	for _, op := range []struct {
		name string
		run  func(i uint32)
	}{
		{"Find", func(i uint32) { a, _ := accountByID.Find(ctx, i%100); sum += a.Balance }},
		{"Update", func(i uint32) { _, _ = accountByID.Update(ctx, Account{i % 100, int64(i % 10)}) }},
		{"Insert and Delete", func(i uint32) {
			_, _ = accounts.Insert(ctx, Account{1000 + i, 5})
			accountByID.Delete(ctx, 1000+i)
		}},
		{"Insert and Delete of a row", func(i uint32) {
			_, _ = accounts.Insert(ctx, Account{1000 + i, 5})
			accounts.Delete(ctx, Account{1000 + i, 5})
		}},
		{"Count", func(uint32) { sum += int64(accounts.Count(ctx)) }},
		{"All", func(uint32) {
			for a := range accounts.All(ctx) {
				sum += a.Balance
			}
		}},
		{"Filter", func(i uint32) {
			for a := range accountByBalance.Filter(ctx, int64(i%10)) {
				sum += a.Balance
			}
		}},
		{"Range", func(i uint32) {
			if args.Native {
				return
			}
			for a := range accountByBalance.Range(ctx, int64(i%10), 8) {
				sum += a.Balance
			}
		}},
		{"Rand", func(uint32) { sum += int64(ctx.Rand.IntN(6)) }},
	} {
		var before, after runtime.MemStats
		for i := range uint32(10) { // buffers grow
			op.run(i)
		}
		const runs = 200
		runtime.ReadMemStats(&before)
		for i := range uint32(runs) {
			op.run(i)
		}
		runtime.ReadMemStats(&after)
		if n := after.Mallocs - before.Mallocs; n >= runs/4 {
			return fmt.Errorf("%s allocates %d times in %d runs", op.name, n, runs)
		}
	}
	if sum == 0 {
		return fmt.Errorf("nothing was read")
	}
	return nil
}
