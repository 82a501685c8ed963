//go:build !wasip1

package module

import "github.com/stdbgo/spacetime/internal/guest"

// The methods below are for package moduletest, which finds them on the registered module.

// ReducersOf returns the names under which the Go function with the entry is declared.
func (r *registry) ReducersOf(entry uintptr) (names []string) {
	for _, f := range r.functions {
		if f.entry == entry {
			names = append(names, f.name)
		}
	}
	return names
}

// ContextOn returns a context outside any call, which stays good. It works on h.
func (r *registry) ContextOn(h guest.Host) *Context {
	return newInstance(r, h).begin(&guest.Call{})
}
