package sats

import (
	"errors"
	"reflect"
	"strconv"
)

// A TypeSet collects Go types into a typespace as a module definition wants it: structs, enums and sums become named
// entries that refer to each other, everything else stays inline. Recursive types are fine. The zero TypeSet is
// empty.
type TypeSet struct {
	ts   Typespace
	defs []Definition
	refs map[reflect.Type]uint32
}

// A Definition is a named entry of a TypeSet.
type Definition struct {
	GoType reflect.Type
	Name   string // the Go name without package
	Ref    uint32
}

// Type adds what t needs and returns its type: a ref if t is a named struct, enum or sum.
func (s *TypeSet) Type(t reflect.Type) (*Type, error) {
	b := typeBuilder{named: s.define}
	return b.build(t)
}

// Product adds what the fields of struct t need and returns its product inline, as parameters of a function are
// given.
func (s *TypeSet) Product(t reflect.Type) (*Type, error) {
	if t.Kind() != reflect.Struct {
		return nil, errors.New(t.String() + " is not a struct")
	}
	if err := unsupported(t); err != nil {
		return nil, err
	}
	b := typeBuilder{named: s.define}
	return b.product(t)
}

func (s *TypeSet) define(t reflect.Type, build func() (*Type, error)) (*Type, error) {
	if n, ok := s.refs[t]; ok {
		return Ref(n), nil
	}
	if t.Name() == "" {
		return nil, errors.New("type " + t.String() + " has no name; client code needs one, so declare a type for it")
	}
	if s.refs == nil {
		s.refs = map[reflect.Type]uint32{}
	}
	n := uint32(len(s.ts.Types))
	s.ts.Types = append(s.ts.Types, nil)
	s.defs = append(s.defs, Definition{GoType: t, Name: t.Name(), Ref: n})
	s.refs[t] = n
	typ, err := build()
	if err != nil {
		return nil, err
	}
	s.ts.Types[n] = typ
	return Ref(n), nil
}

// Typespace returns the entries collected so far.
func (s *TypeSet) Typespace() *Typespace { return &s.ts }

// Definitions returns the named entries in the order of their refs.
func (s *TypeSet) Definitions() []Definition { return s.defs }

// String lists the entries, for tests and errors.
func (s *TypeSet) String() string {
	var b []byte
	for i, d := range s.defs {
		b = append(strconv.AppendInt(append(b, '&'), int64(i), 10), ' ')
		b = append(append(b, d.Name...), ' ')
		if t := s.ts.Types[i]; t != nil {
			b = t.appendText(b)
		}
		b = append(b, '\n')
	}
	return string(b)
}
