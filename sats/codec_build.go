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
	c := &Codec{goType: t, word: wordOfType(t), short: noShort}
	b.open[t] = c
	if err := b.emit(c, t, 0); err != nil {
		return nil, err
	}
	c.close()
	typ, err := (&typeBuilder{open: map[reflect.Type]bool{}}).build(t)
	if err == nil {
		c.typ = typ
	} else if !errors.Is(err, errRecursiveGoType) {
		return nil, err
	}
	return c, nil
}

// add appends a step whose values take at least min encoded bytes, all of them so many if fixed.
func (c *Codec) add(s step, min int, fixed bool) {
	c.steps = append(c.steps, s)
	c.lists = c.lists || s.op == opStrings || s.op == opPacked || s.op == opText
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

// copied adds n bytes at off that are the same in memory and encoded, to the run at the end of the steps.
func (c *Codec) copied(off uintptr, n int) *run {
	if len(c.steps) == 0 || c.steps[len(c.steps)-1].op != opRun {
		c.steps = append(c.steps, step{op: opRun, sub: &Codec{}})
	}
	r := &c.steps[len(c.steps)-1].sub.run
	r.extend(uint32(off), uint32(n))
	c.sized(n, true)
	return r
}

// checked adds a byte that must not be above max when it is decoded.
func (c *Codec) checked(off uintptr, max uint8, isBool bool) {
	r := c.copied(off, 1)
	if max < 255 {
		r.checks = append(r.checks, byteCheck{at: uint32(r.size - 1), max: max, isBool: isBool})
	}
}

// close finishes the steps when all are there.
func (c *Codec) close() {
	var steps []step
	for i := range c.steps {
		s := &c.steps[i]
		if s.op != opRun {
			steps = append(steps, *s)
			continue
		}
		r := &s.sub.run
		r.split()
		s.n, s.sub.short = r.size, r.size
		s.sub.choose()
		if len(c.steps) == 1 {
			c.short, c.run = r.size, *r
		}
		if pieces, ok := r.pieces(); ok {
			steps = append(steps, pieces...)
		} else {
			steps = append(steps, *s)
		}
	}
	for i := len(steps) - 1; i >= 0; i-- {
		if s := &steps[i]; s.copies() {
			c.head += s.n
		} else {
			s.next, c.head = c.head, 0
		}
	}
	c.steps, c.text = steps, len(steps) == 1 && steps[0].op == opString
	c.choose()
}

// copies reports whether the step copies n bytes.
func (s *step) copies() bool { return s.op <= opWord8 }

// maxPieces is the number of steps that cost less than the one that would do the same by moves.
const maxPieces = 3

// pieces returns a short run as steps of a word each.
func (r *run) pieces() (steps []step, ok bool) {
	check, enc := r.checks, uint32(0)
	for _, s := range r.spans {
		for s.n > 0 {
			op, n := opByte, uint32(1)
			switch {
			case s.n >= 8:
				op, n = opWord8, 8
			case s.n >= 4:
				op, n = opWord4, 4
			case s.n >= 2:
				op, n = opWord2, 2
			}
			piece := &Codec{run: run{size: int(n)}}
			one := step{op: op, n: int(n), off: uintptr(s.mem), max: 255, sub: piece}
			for len(check) > 0 && check[0].at < enc+n {
				if n > 1 {
					return nil, false
				}
				one.max = check[0].max
				piece.run.checks = []byteCheck{{0, check[0].max, check[0].isBool}}
				check = check[1:]
			}
			if steps = append(steps, one); len(steps) > maxPieces {
				return nil, false
			}
			s, enc = stretch{s.mem + n, s.enc + n, s.n - n}, enc+n
		}
	}
	return steps, true
}

// number adds a number of words words of size bytes each, least significant first.
func (c *Codec) number(off uintptr, size, words int) {
	if littleEndian || size == 1 {
		c.copied(off, size*words)
		return
	}
	for i := range words {
		c.add(step{op: opSwap, off: off + uintptr(i*size), n: size}, size, true)
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
		c.checked(off, uint8(len(names)-1), false)
		return nil
	}
	if t == reflect.TypeFor[ScheduleAt]() {
		c.add(step{op: opSchedule, off: off}, 9, true)
		return nil
	}
	if bi, ok := builtinOf(t); ok {
		c.number(off, bi.size, bi.words)
		return nil
	}
	switch t.Kind() {
	case reflect.Bool:
		c.checked(off, 1, true)
	case reflect.String:
		c.add(step{op: opString, off: off}, 4, false)
	case reflect.Slice:
		return b.emitSlice(c, t, off)
	case reflect.Pointer:
		sub, err := b.codec(t.Elem())
		if err != nil {
			return err
		}
		s := step{op: opOption, off: off, sub: sub}
		if sub.text {
			s.op = opText
		}
		c.add(s, 1, false)
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
			c.add(step{op: opBytes, off: off}, 4, false)
			return nil
		}
	}
	sub, err := b.codec(t.Elem())
	if err != nil {
		return err
	}
	s := step{op: opSlice, off: off, sub: sub, typ: t}
	switch {
	case sub.packed():
		s.op, s.n = opPacked, sub.fixed
	case sub.text:
		s.op = opStrings
	}
	c.add(s, 4, false)
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
	c.add(step{op: opResult, off: off, res: res}, 1, false)
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
	c.add(s, 1, false)
	return nil
}

func sumOf(t reflect.Type) (*sumInfo, error) {
	if info, ok := sums.Load(t); ok {
		return info.(*sumInfo), nil
	}
	return nil, errors.New("interface " + t.String() + " is not a registered sum; call sats.RegisterSum for it in an init function")
}

// packed reports whether values lie in memory exactly as they are encoded and any bytes are a value.
func (c *Codec) packed() bool {
	return c.short != noShort && len(c.run.checks) == 0 && len(c.run.spans) == 1 && c.fixed == int(c.goType.Size())
}
