package model

import (
	"errors"
	"fmt"
)

// A Scope is a set of names that generated code declares in one place. Two
// source names may become one there, by the conversion of a language; Err then
// names both (spec 10 §2.3).
type Scope struct {
	what     string
	sources  map[string]string
	problems []error
}

// NewScope returns an empty Scope; what says of which names it is, in the
// plural, as in "table classes".
func NewScope(what string) *Scope {
	return &Scope{what: what, sources: map[string]string{}}
}

// Claim enters a name that was made from source, which is described as in
// "table `user`". It reports whether the name was free.
func (s *Scope) Claim(name, source string) bool {
	other, taken := s.sources[name]
	if taken {
		s.problems = append(s.problems, fmt.Errorf("%s and %s would both be called `%s` among the %s of the generated code; rename one of them", other, source, name, s.what))
		return false
	}
	s.sources[name] = source
	return true
}

// Taken reports whether a name was claimed.
func (s *Scope) Taken(name string) bool {
	_, taken := s.sources[name]
	return taken
}

// Err returns the collisions, or nil.
func (s *Scope) Err() error { return errors.Join(s.problems...) }
