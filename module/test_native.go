//go:build !wasip1

package module

import "github.com/stdbgo/spacetime/internal/guest"

// The methods below are for packages moduletest and native, which find them on the registered module.

// EnvironmentNames returns the names of the environment variables that the module declares.
func (r *registry) EnvironmentNames() (names []string) {
	for _, v := range r.env {
		names = append(names, v.name)
	}
	return names
}

// FunctionsOf returns the names of the reducers and procedures that the Go function with the entry is declared as.
func (r *registry) FunctionsOf(entry uintptr) (names []string) {
	for _, f := range r.functions {
		if f.entry == entry {
			names = append(names, f.name)
		}
	}
	for _, p := range r.procs {
		if p.entry == entry {
			names = append(names, p.name)
		}
	}
	return names
}

// ContextOn returns a context outside any call, which stays good. It works on h.
func (r *registry) ContextOn(h guest.Host) *Context {
	return newInstance(r, h).begin(&guest.Call{})
}
