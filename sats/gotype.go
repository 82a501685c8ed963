package sats

import (
	"errors"
	"reflect"
	"strings"
	"time"
	"unicode"
)

var errRecursiveGoType = errors.New("recursive type")

// unsupported explains why t has no mapping; nil if it may have one.
func unsupported(t reflect.Type) error {
	if t == reflect.TypeFor[time.Time]() {
		return errors.New("time.Time has no encoding; use sats.Timestamp")
	}
	if t == reflect.TypeFor[time.Duration]() {
		return errors.New("time.Duration counts nanoseconds; use sats.TimeDuration")
	}
	switch t.Kind() {
	case reflect.Int, reflect.Uint, reflect.Uintptr:
		return errors.New(t.String() + " differs between machines; use a type of fixed size such as int64")
	case reflect.Map:
		return errors.New("there is no map type; use a slice of structs")
	case reflect.Array:
		if _, ok := builtinOf(t); !ok {
			return errors.New("arrays of fixed length have no encoding; use a slice")
		}
	case reflect.Complex64, reflect.Complex128, reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return errors.New(t.String() + " has no encoding")
	case reflect.Struct:
		if _, ok := builtinOf(t); ok || t == reflect.TypeFor[ScheduleAt]() {
			return nil
		}
		return unsupportedFields(t)
	}
	return nil
}

func unsupportedFields(t reflect.Type) error {
	names := map[string]string{}
	for i := range t.NumField() {
		f := t.Field(i)
		switch {
		case f.Anonymous:
			return fieldError(t, f, errors.New("embedded fields are not supported; give the field a name"))
		case !f.IsExported():
			return fieldError(t, f, errors.New("unexported fields are not supported; export it or take it out"))
		}
		name := FieldName(f)
		if name == "" {
			return fieldError(t, f, errors.New("the field has no name once it is converted; give it one with the tag `stdb:\"name=…\"`"))
		}
		if other, dup := names[name]; dup {
			return fieldError(t, f, errors.New("field "+other+" is called "+name+" as well"))
		}
		names[name] = f.Name
	}
	return nil
}

func fieldError(t reflect.Type, f reflect.StructField, err error) error {
	if errors.Is(err, errRecursiveGoType) {
		return err
	}
	where := t.Name()
	if where == "" {
		where = "struct"
	}
	return errors.New(where + "." + f.Name + ": " + err.Error())
}

// FieldName returns the element name of a struct field: the word name=… of its stdb tag, or the field's Go name in
// snake case (spec 02 §5.4).
func FieldName(f reflect.StructField) string {
	for word := range strings.SplitSeq(f.Tag.Get("stdb"), ",") {
		if name, ok := strings.CutPrefix(strings.TrimSpace(word), "name="); ok {
			return name
		}
	}
	return SnakeCase(f.Name)
}

// SnakeCase converts a Go identifier by the rules of spec 02 §5.4: UserID becomes user_id, Vec3D vec_3_d.
func SnakeCase(s string) string {
	g := []rune(s)
	var b strings.Builder
	word := 0 // length of the current word
	for i, c := range g {
		if c == '_' || c == '-' || c == ' ' {
			word = 0
			continue
		}
		if word > 0 && wordBoundary(g, i) {
			word = 0
		}
		if word == 0 && b.Len() > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
		word++
	}
	return b.String()
}

// wordBoundary reports whether a word starts at g[i], which follows a character of a word.
func wordBoundary(g []rune, i int) bool {
	up := func(r rune) bool { return unicode.ToUpper(r) == r && unicode.ToLower(r) != r }
	low := func(r rune) bool { return unicode.ToLower(r) == r && unicode.ToUpper(r) != r }
	dig := func(r rune) bool { return '0' <= r && r <= '9' }
	p, c := g[i-1], g[i]
	switch {
	case low(p) && up(c), up(p) && dig(c), dig(p) && up(c), dig(p) && low(c), low(p) && dig(c):
		return true
	}
	return up(p) && up(c) && i+1 < len(g) && low(g[i+1])
}

// A typeBuilder builds the type of a Go type. With named set, structs, enums and sums that have a name become
// entries of a typespace; without, everything is inline and recursive types are an error.
type typeBuilder struct {
	open  map[reflect.Type]bool
	named func(t reflect.Type, build func() (*Type, error)) (*Type, error)
}

func (b *typeBuilder) build(t reflect.Type) (*Type, error) {
	if err := unsupported(t); err != nil {
		return nil, err
	}
	if names, ok := EnumNames(t); ok {
		return b.define(t, func() (*Type, error) { return Enum(names...), nil })
	}
	if t == reflect.TypeFor[ScheduleAt]() {
		return ScheduleAtType, nil
	}
	if bi, ok := builtinOf(t); ok {
		return bi.typ, nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return Bool, nil
	case reflect.String:
		return String, nil
	case reflect.Slice:
		e, err := b.build(t.Elem())
		if err != nil {
			return nil, err
		}
		if e.Kind == KindU8 {
			return Bytes, nil
		}
		return Array(e), nil
	case reflect.Pointer:
		e, err := b.build(t.Elem())
		if err != nil {
			return nil, err
		}
		return Option(e), nil
	case reflect.Interface:
		return b.define(t, func() (*Type, error) { return b.sum(t) })
	case reflect.Struct:
		if t.Implements(reflect.TypeFor[resultType]()) {
			return b.result(t)
		}
		if t.NumField() == 0 {
			return Unit, nil
		}
		return b.define(t, func() (*Type, error) { return b.product(t) })
	}
	return nil, errors.New(t.String() + " has no encoding")
}

// define builds the type of t in its place or as an entry, guarding against recursion.
func (b *typeBuilder) define(t reflect.Type, build func() (*Type, error)) (*Type, error) {
	if b.named != nil {
		return b.named(t, build)
	}
	if b.open[t] {
		return nil, errRecursiveGoType
	}
	b.open[t] = true
	defer delete(b.open, t)
	return build()
}

func (b *typeBuilder) product(t reflect.Type) (*Type, error) {
	p := &Type{Kind: KindProduct, Elems: make([]Element, t.NumField())}
	for i := range p.Elems {
		f := t.Field(i)
		ft, err := b.build(f.Type)
		if err != nil {
			return nil, fieldError(t, f, err)
		}
		p.Elems[i] = E(FieldName(f), ft)
	}
	return p, nil
}

func (b *typeBuilder) result(t reflect.Type) (*Type, error) {
	ok, err := b.build(t.Field(0).Type)
	if err != nil {
		return nil, err
	}
	fail, err := b.build(t.Field(1).Type)
	if err != nil {
		return nil, err
	}
	return Result(ok, fail), nil
}

func (b *typeBuilder) sum(t reflect.Type) (*Type, error) {
	info, err := sumOf(t)
	if err != nil {
		return nil, err
	}
	s := &Type{Kind: KindSum, Elems: make([]Element, len(info.variants))}
	for i, v := range info.variants {
		payload := v.goType
		if v.unwrap {
			payload = v.goType.Field(0).Type
		}
		vt, err := b.build(payload)
		if err != nil {
			return nil, err
		}
		s.Elems[i] = E(v.name, vt)
	}
	return s, nil
}
