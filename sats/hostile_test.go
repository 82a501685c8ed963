package sats_test

import (
	"errors"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
	. "github.com/stdbgo/spacetime/sats"
)

// allocated returns the bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// What decoders may allocate, whatever the input says. Each value decoded costs
// memory for itself and for the place where it is kept; valueBytes is generous for
// both, growing lists included. Elements without a size are free for the sender
// and limited in number (MaxZeroSizeElements).
const (
	valueBytes = 256
	freeBytes  = MaxZeroSizeElements * valueBytes
	jsonBytes  = 64 // per byte of text: the widest value of the shortest text, and growth
	fixedBytes = 4 << 20
)

// nodes is the number of types in t, which has no references: so many values may
// come of one byte.
func nodes(t *Type) uint64 {
	n := uint64(1)
	if t.Elem != nil {
		n += nodes(t.Elem)
	}
	for _, e := range t.Elems {
		n += nodes(e.Type)
	}
	return n
}

// wantAllocated fails the test if f allocates more than limit bytes. The runtime
// counts late, and others allocate, too: only what f does every time is its own.
func wantAllocated(t testing.TB, what string, limit uint64, f func()) {
	t.Helper()
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	var n uint64
	for range 5 {
		metrics.Read(s)
		before := s[0].Value.Uint64()
		f()
		metrics.Read(s)
		if n = s[0].Value.Uint64() - before; n <= limit {
			return
		}
	}
	t.Errorf("%s allocated %d bytes; the limit is %d", what, n, limit)
}

func TestHugeCountsAllocateLittle(t *testing.T) {
	spec.Covers(t, "01.6", "01.7")
	huge := []byte{0xff, 0xff, 0xff, 0xff}
	for _, typ := range []*Type{
		String, Bytes, Array(U64), Array(String), Array(Unit), Array(Product(E("a", Unit), E("b", Unit))),
		Array(Option(U8)), Array(Array(Unit)), Option(Array(Unit)),
	} {
		b := huge
		if typ.Kind == KindSum {
			b = append([]byte{0}, huge...)
		}
		for _, tail := range []string{"", strings.Repeat("\x01", 100)} {
			in := append(append([]byte(nil), b...), tail...)
			n := allocated(func() {
				if v, err := DecodeValue(NewReader(in), nil, typ); err == nil {
					t.Errorf("%s: %x decodes as %v", typ, in, v)
				}
				if _, err := NewWalker(typ).Validate(in); err == nil {
					t.Errorf("%s: %x is valid", typ, in)
				}
				if _, _, err := AppendJSON(nil, nil, typ, in, FlavorUntyped); err == nil {
					t.Errorf("%s: %x has a JSON form", typ, in)
				}
			})
			if n > 1<<20 {
				t.Errorf("%s: allocated %d bytes", typ, n)
			}
		}
	}
	many := Array(Array(Unit))
	in := AppendU32(nil, 1000)
	for range 1000 {
		in = AppendU32(in, 1<<20-1)
	}
	var de *DecodeError
	if _, err := NewWalker(many).Validate(in); !errors.As(err, &de) || de.Kind != ErrAllocationFailed {
		t.Errorf("a billion units in 4 kB: %v", err)
	}
	if _, err := DecodeValue(NewReader(in), nil, many); err == nil {
		t.Error("a billion units in 4 kB decode")
	}
}

// Texts that stand for as much as they can.
func TestJSONAllocatesLittle(t *testing.T) {
	ts := &Typespace{Types: []*Type{Product(E("a", Array(U256Type)), E("n", Array(Option(Unit))), E("kids", Array(Ref(0))), E("f", Array(F64)), E("b", Bytes), E("u", Array(Unit)))}}
	many := func(item string) string { return "[" + strings.Repeat(item+",", 200_000) + item + "]" }
	for _, text := range []string{
		`[` + many(`"0x0"`) + `,[],[],[],"",[]]`, `[[],` + many("null") + `,[],[],"",[]]`, `[[],[],[],` + many("0") + `,"",[]]`,
		`[[],[],[],[],` + many("7") + `,[]]`, `[[],[],[],[],"` + strings.Repeat("00", 1<<19) + `",[]]`, `[[],[],[],[],"",` + many("[]") + `]`,
		`[[],[],` + many(`[[],[],[],[],"",[]]`) + `,[],"",[]]`, `{"u":` + many("{}") + `,"b":` + many("0") + `,"f":[],"kids":[],"n":[],"a":` + many(`"-0"`) + `}`,
		strings.Repeat("[", 1<<20), `{"` + strings.Repeat("x", 1<<20) + `":`, `["` + strings.Repeat(`\u0041`, 1<<18),
	} {
		wantAllocated(t, text[:min(len(text), 30)], jsonBytes*uint64(len(text))+fixedBytes, func() {
			if b, err := ParseJSON(nil, ts, Ref(0), []byte(text)); err == nil && len(b) > 33*len(text) {
				t.Errorf("%d bytes of text became %d", len(text), len(b))
			}
		})
	}
}

func TestDeepInput(t *testing.T) {
	spec.Covers(t, "01.7")
	list := &Typespace{Types: []*Type{Product(E("next", Option(Ref(0))))}}
	deep := func(n int) []byte { return append(make([]byte, n), 1) }
	for _, c := range []struct {
		depth int
		ok    bool
	}{{127, true}, {1000, false}, {10_000_000, false}} {
		_, err := DecodeValue(NewReader(deep(c.depth)), list, Ref(0))
		if (err == nil) != c.ok {
			t.Errorf("%d levels: %v", c.depth, err)
		}
		if _, err := list.Validate(Ref(0), deep(c.depth)); (err == nil) != c.ok {
			t.Errorf("%d levels: validate: %v", c.depth, err)
		}
	}
	if _, err := DecodeType(NewReader([]byte(strings.Repeat("\x03", 1<<20)))); err == nil {
		t.Error("a type of a million arrays is accepted")
	}
	if _, err := DecodeType(NewReader([]byte(strings.Repeat("\x03", 200) + "\x07"))); err != nil {
		t.Errorf("a type of 200 levels: %v", err)
	}
	for _, open := range []string{"[", `{"a":`, `{"next":{"some":`} {
		if _, err := ParseJSON(nil, list, Ref(0), []byte(strings.Repeat(open, 1<<20))); err == nil {
			t.Errorf("a million times %s is accepted", open)
		}
	}
}

func TestWideSum(t *testing.T) {
	variants := make([]Element, 257)
	for i := range variants {
		variants[i] = Unnamed(Unit)
	}
	if _, err := DecodeType(NewReader(AppendType(nil, Sum(variants...)))); err == nil || !strings.Contains(err.Error(), "257 variants") {
		t.Errorf("257 variants: %v", err)
	}
	if _, err := DecodeType(NewReader(AppendType(nil, Sum(variants[:256]...)))); err != nil {
		t.Errorf("256 variants: %v", err)
	}
}

func TestResolve(t *testing.T) {
	ts := &Typespace{Types: []*Type{
		0: Ref(1), 1: Ref(2), 2: U8, 3: Ref(3), 4: Ref(5), 5: Array(Ref(4)),
		6: Product(E("n", U8), E("next", Option(Ref(6)))), 7: Product(E("a", Ref(0)), E("b", Array(Ref(0)))),
	}}
	got, err := ts.Resolve(Ref(7))
	if want := Product(E("a", U8), E("b", Bytes)); err != nil || !got.Equal(want) {
		t.Errorf("got %s, %v", got, err)
	}
	for typ, want := range map[*Type]string{
		Ref(8): "Type reference &8 out of bounds", Ref(3): "Found recursive type reference &3",
		Ref(4): "Found recursive type reference &4", Ref(6): "Found recursive type reference &6",
		Array(Ref(99)): "Type reference &99 out of bounds",
	} {
		if got, err := ts.Resolve(typ); err == nil || err.Error() != want {
			t.Errorf("%s: %v, %v, want %s", typ, got, err, want)
		}
	}
	if _, err := ts.Deref(Ref(3)); err == nil {
		t.Error("a ref to itself is followed")
	}
	var none *Typespace
	if _, err := none.Deref(Ref(0)); err == nil {
		t.Error("a ref without typespace is followed")
	}
	if _, err := ParseJSON(nil, none, Ref(0), []byte("1")); err == nil {
		t.Error("JSON of a ref without typespace is accepted")
	}
	if _, err := NewWalker(Ref(0)).Validate([]byte{1, 2, 3}); err == nil {
		t.Error("a walker accepts a ref")
	}
	if _, err := NewLayout(Product(E("x", Array(Ref(0))))); err == nil || !strings.Contains(err.Error(), "x") {
		t.Errorf("a layout accepts a ref: %v", err)
	}
	bomb := &Typespace{}
	for i := range uint32(64) {
		bomb.Types = append(bomb.Types, Product(E("a", Ref(i+1)), E("b", Ref(i+1))))
	}
	bomb.Types = append(bomb.Types, U8)
	if _, err := bomb.Resolve(Ref(0)); err == nil {
		t.Error("a type of 2^64 elements is resolved")
	}
	bomb.Types[64] = Unit
	if _, err := DecodeValue(NewReader(nil), bomb, Ref(0)); err == nil {
		t.Error("a unit of 2^64 parts is decoded")
	}
	if _, _, err := AppendJSON(nil, bomb, Ref(0), nil, FlavorNamed); err == nil {
		t.Error("a unit of 2^64 parts is printed")
	}
	if _, err := bomb.Validate(Ref(0), nil); err == nil {
		t.Error("a unit of 2^64 parts is validated")
	}
}

// FuzzDecode decodes a type and a value of it from one input, in every way, and demands that they agree.
func FuzzDecode(f *testing.F) {
	for _, typ := range []*Type{U8, String, Bytes, Option(U32), Array(Option(Bool)), Product(E("a", I128Type), E("b", Array(Unit))), ScheduleAtType} {
		f.Add(append(AppendType(nil, typ), 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := NewReader(in)
		var typ *Type
		var err error
		wantAllocated(t, "decoding a type", valueBytes*uint64(len(in))+fixedBytes, func() { typ, err = DecodeType(r) })
		if err != nil || typ.HasRefs() {
			return
		}
		if again := AppendType(nil, typ); string(again) != string(in[:r.Pos()]) {
			t.Fatalf("type %x is encoded as %x", in[:r.Pos()], again)
		}
		b := r.Rest()
		var v Value
		var derr, werr error
		wantAllocated(t, "decoding "+typ.String(), valueBytes*(uint64(len(b))+1)*nodes(typ)+freeBytes, func() {
			v, derr = DecodeValue(NewReader(b), nil, typ)
		})
		w := NewWalker(typ)
		var n int
		wantAllocated(t, "validating", fixedBytes, func() { n, werr = w.Validate(b) })
		if derr != nil && strings.Contains(derr.Error(), "too many parts") {
			return
		}
		if (derr == nil) != (werr == nil) || derr != nil && derr.Error() != werr.Error() {
			t.Fatalf("%s: decoder %v, walker %v", typ, derr, werr)
		}
		text, rest, jerr := AppendJSON(nil, nil, typ, b, FlavorUntyped)
		if (derr == nil) != (jerr == nil) {
			t.Fatalf("%s: decoder %v, JSON %v", typ, derr, jerr)
		}
		if derr != nil {
			return
		}
		if again := AppendValue(nil, v); string(again) != string(b[:n]) || w.Len(b) != n || len(rest) != len(b)-n {
			t.Fatalf("%s: %x is encoded as %x; walker %d, JSON left %d", typ, b, again, w.Len(b), len(rest))
		}
		if finite(v) && n < 1<<16 {
			if back, err := ParseJSON(nil, nil, typ, text); err != nil && !strings.Contains(err.Error(), "recursion") || err == nil && string(back) != string(b[:n]) {
				t.Fatalf("%s: %s is read as %x, %v", typ, text, back, err)
			}
		}
		if newOrd := NewCompare(typ)(b, b); newOrd != 0 {
			t.Fatalf("%s: %x does not equal itself", typ, b)
		}
		NewKeyEncoder([]*Type{typ}).AppendKey(nil, b)
	})
}

// FuzzJSON parses text by a type that has every kind in it; what is accepted must be valid BSATN that prints.
func FuzzJSON(f *testing.F) {
	ts := &Typespace{Types: []*Type{Product(
		E("id", U64), E("s", String), E("f", F64), E("g", F32), E("b", Bytes), E("w", I256Type), E("q", I128Type),
		E("kids", Array(Ref(0))), E("o", Option(Option(Bool))), E("e", Enum("A", "B")), E("at", ScheduleAtType))}}
	f.Add(`[1,"x",1.5,-0,"00ff","-0x1",-1,[],null,{"A":[]},{"Time":[5]}]`)
	f.Add(`{"s":"\ud83e\udd76","id":0,"f":0,"g":1e39,"b":[1],"w":"0x0","q":-0,"kids":[],"o":{"some":null},"e":["B",{}],"at":[0,[1]]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var b []byte
		var err error
		wantAllocated(t, "parsing", jsonBytes*uint64(len(text))+fixedBytes, func() { b, err = ParseJSON(nil, ts, Ref(0), []byte(text)) })
		if err != nil {
			return
		}
		if n, err := ts.Validate(Ref(0), b); err != nil || n != len(b) {
			t.Fatalf("%s gives %x: %d, %v", text, b, n, err)
		}
		if _, _, err := AppendJSON(nil, ts, Ref(0), b, FlavorNamed); err != nil {
			t.Fatalf("%s gives %x, which does not print: %v", text, b, err)
		}
	})
}
