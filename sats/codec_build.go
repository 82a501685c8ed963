package sats

import (
	"errors"
	"reflect"
)

// A codecBuilder compiles a type and everything it contains; open holds all codecs begun, so that recursive types
// find themselves.
type codecBuilder struct{ open map[reflect.Type]*Codec }

func (b *codecBuilder) codec(t reflect.Type) (*Codec, error) {
	if c, ok := codecs.Load(t); ok {
		return c.(*Codec), nil
	}
	if c, ok := b.open[t]; ok {
		return c, nil
	}
	c := &Codec{goType: t, fixed: 0}
	b.open[t] = c
	if err := b.emit(c, t, 0); err != nil {
		return nil, err
	}
	c.enc = mergeCopies(c.enc, t)
	c.dec = mergeCopies(c.dec, t)
	typ, err := (&typeBuilder{open: map[reflect.Type]bool{}}).build(t)
	if err == nil {
		c.typ = typ
	} else if !errors.Is(err, errRecursiveGoType) {
		return nil, err
	}
	return c, nil
}

// both adds a step that is the same in both directions.
func (c *Codec) both(s step, min int, fixed bool) {
	c.enc = append(c.enc, s)
	c.dec = append(c.dec, s)
	c.sized(min, fixed)
}

func (c *Codec) sized(min int, fixed bool) {
	c.min += min
	if fixed && c.fixed >= 0 {
		c.fixed += min
	} else {
		c.fixed = -1
	}
}

// checked adds a byte that is copied when encoding and must be below limit when decoding.
func (c *Codec) checked(o op, off uintptr, limit int) {
	c.enc = append(c.enc, step{op: opCopy, off: off, n: 1})
	c.dec = append(c.dec, step{op: o, off: off, n: limit})
	c.sized(1, true)
}

// number adds a number of words words of size bytes each, least significant first.
func (c *Codec) number(off uintptr, size, words int) {
	if littleEndian || size == 1 {
		c.both(step{op: opCopy, off: off, n: size * words}, size*words, true)
		return
	}
	for i := range words {
		c.both(step{op: opSwap, off: off + uintptr(i*size), n: size}, size, true)
	}
}

// A builtin is a Go type with a type of its own, in memory words of size bytes.
type builtin struct {
	typ         *Type
	size, words int
}

func builtinOf(t reflect.Type) (builtin, bool) {
	switch t {
	case reflect.TypeFor[Identity]():
		return builtin{IdentityType, 1, 32}, true
	case reflect.TypeFor[ConnectionID]():
		return builtin{ConnectionIDType, 1, 16}, true
	case reflect.TypeFor[Uuid]():
		return builtin{UuidType, 1, 16}, true
	case reflect.TypeFor[Hash]():
		return builtin{HashType, 1, 32}, true
	case reflect.TypeFor[Timestamp]():
		return builtin{TimestampType, 8, 1}, true
	case reflect.TypeFor[TimeDuration]():
		return builtin{TimeDurationType, 8, 1}, true
	case reflect.TypeFor[U128]():
		return builtin{U128Type, 8, 2}, true
	case reflect.TypeFor[I128]():
		return builtin{I128Type, 8, 2}, true
	case reflect.TypeFor[U256]():
		return builtin{U256Type, 8, 4}, true
	case reflect.TypeFor[I256]():
		return builtin{I256Type, 8, 4}, true
	}
	switch t.Kind() {
	case reflect.Int8:
		return builtin{I8, 1, 1}, true
	case reflect.Uint8:
		return builtin{U8, 1, 1}, true
	case reflect.Int16:
		return builtin{I16, 2, 1}, true
	case reflect.Uint16:
		return builtin{U16, 2, 1}, true
	case reflect.Int32:
		return builtin{I32, 4, 1}, true
	case reflect.Uint32:
		return builtin{U32, 4, 1}, true
	case reflect.Int64:
		return builtin{I64, 8, 1}, true
	case reflect.Uint64:
		return builtin{U64, 8, 1}, true
	case reflect.Float32:
		return builtin{F32, 4, 1}, true
	case reflect.Float64:
		return builtin{F64, 8, 1}, true
	}
	return builtin{}, false
}

// emit adds the steps for a t at offset off.
func (b *codecBuilder) emit(c *Codec, t reflect.Type, off uintptr) error {
	if err := unsupported(t); err != nil {
		return err
	}
	if names, ok := EnumNames(t); ok {
		c.checked(opEnum, off, len(names))
		return nil
	}
	if t == reflect.TypeFor[ScheduleAt]() {
		c.both(step{op: opSchedule, off: off}, 9, true)
		return nil
	}
	if bi, ok := builtinOf(t); ok {
		c.number(off, bi.size, bi.words)
		return nil
	}
	switch t.Kind() {
	case reflect.Bool:
		c.checked(opBool, off, 2)
	case reflect.String:
		c.both(step{op: opString, off: off}, 4, false)
	case reflect.Slice:
		return b.emitSlice(c, t, off)
	case reflect.Pointer:
		sub, err := b.codec(t.Elem())
		if err != nil {
			return err
		}
		c.both(step{op: opOption, off: off, sub: sub}, 1, false)
	case reflect.Interface:
		return b.emitSum(c, t, off)
	case reflect.Struct:
		if t.Implements(reflect.TypeFor[resultType]()) {
			return b.emitResult(c, t, off)
		}
		for i := range t.NumField() {
			f := t.Field(i)
			if err := b.emit(c, f.Type, off+f.Offset); err != nil {
				return fieldError(t, f, err)
			}
		}
	}
	return nil
}

func (b *codecBuilder) emitSlice(c *Codec, t reflect.Type, off uintptr) error {
	if e := t.Elem(); e.Kind() == reflect.Uint8 {
		if _, isEnum := EnumNames(e); !isEnum {
			c.both(step{op: opBytes, off: off}, 4, false)
			return nil
		}
	}
	sub, err := b.codec(t.Elem())
	if err != nil {
		return err
	}
	s := step{op: opSlice, off: off, sub: sub, typ: t}
	if len(sub.dec) == 1 && sub.dec[0].op <= opCopy8 && sub.fixed == int(t.Elem().Size()) {
		s.op, s.n = opPacked, sub.fixed
	}
	c.both(s, 4, false)
	return nil
}

func (b *codecBuilder) emitResult(c *Codec, t reflect.Type, off uintptr) error {
	ok, err := b.codec(t.Field(0).Type)
	if err != nil {
		return err
	}
	fail, err := b.codec(t.Field(1).Type)
	if err != nil {
		return err
	}
	res := &resultSteps{ok: ok, err: fail, okOff: t.Field(0).Offset, errOff: t.Field(1).Offset, flag: t.Field(2).Offset}
	c.both(step{op: opResult, off: off, res: res}, 1, false)
	return nil
}

func (b *codecBuilder) emitSum(c *Codec, t reflect.Type, off uintptr) error {
	info, err := sumOf(t)
	if err != nil {
		return err
	}
	s := step{op: opSum, off: off, sum: info}
	for _, v := range info.variants {
		// A wrapper of one field has the encoding of its field, so its own codec serves.
		sub, err := b.codec(v.goType)
		if err != nil {
			return errors.New("variant " + v.name + ": " + err.Error())
		}
		s.subs = append(s.subs, sub)
	}
	c.both(s, 1, false)
	return nil
}

func sumOf(t reflect.Type) (*sumInfo, error) {
	if info, ok := sums.Load(t); ok {
		return info.(*sumInfo), nil
	}
	return nil, errors.New("interface " + t.String() + " is not a registered sum; call sats.RegisterSum for it in an init function")
}

// mergeCopies joins copies of adjacent memory and picks the fastest op for each.
func mergeCopies(steps []step, t reflect.Type) []step {
	var out []step
	for _, s := range steps {
		if last := len(out) - 1; s.op == opCopy && last >= 0 && out[last].op == opCopy &&
			out[last].off+uintptr(out[last].n) == s.off {
			out[last].n += s.n
			continue
		}
		out = append(out, s)
	}
	for i := range out {
		s := &out[i]
		aligned := t.Align() >= s.n && s.n > 0 && s.off%uintptr(s.n) == 0
		switch {
		case s.op != opCopy:
		case s.n == 1:
			s.op = opCopy1
		case s.n == 4 && aligned && littleEndian:
			s.op = opCopy4
		case s.n == 8 && aligned && littleEndian:
			s.op = opCopy8
		}
	}
	return out
}
