package sats_test

import (
	"bytes"
	"testing"

	. "github.com/stdbgo/spacetime/sats"
	"pgregory.net/rapid"
)

func TestPropertyRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		typ := genType(3).Draw(t, "type")
		v := genValue(t, typ)
		b, err := EncodeValue(nil, nil, typ, v)
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeValue(NewReader(b), nil, typ)
		if err != nil || !Equal(v, back) || !bytes.Equal(AppendValue(nil, back), b) || HashValue(v) != HashValue(back) {
			t.Fatalf("%s becomes %s, %v", FormatValue(nil, typ, v), FormatValue(nil, typ, back), err)
		}
		w := NewWalker(typ)
		if n, err := w.Validate(append(b, 7)); n != len(b) || err != nil || w.Len(b) != len(b) || len(b) < w.MinSize() {
			t.Fatalf("walker: %d, %d of %d bytes, %v", n, w.Len(b), len(b), err)
		}
		for cut := range b {
			if n, err := w.Validate(b[:cut]); err == nil {
				t.Fatalf("%d of %d bytes are valid as %d", cut, len(b), n)
			}
		}
		size, ok := typ.FixedSize()
		if wsize, wok := w.FixedSize(); ok && size != len(b) || size != wsize && ok || ok != wok {
			t.Fatalf("fixed size %d %v, walker %d %v, %d bytes", size, ok, wsize, wok, len(b))
		}
		tb := AppendType(nil, typ)
		r := NewReader(tb)
		if u, err := DecodeType(r); err != nil || r.End() != nil || !u.Equal(typ) {
			t.Fatalf("type %s becomes %s, %v", typ, u, err)
		}
		if u, err := ParseTypeJSON(AppendTypeJSON(nil, typ)); err != nil || !u.Equal(typ) {
			t.Fatalf("type %s becomes %s, %v", typ, u, err)
		}
	})
}

func TestPropertyJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		typ := genType(3).Draw(t, "type")
		v := genValue(t, typ)
		b := AppendValue(nil, v)
		for _, f := range []Flavor{FlavorUntyped, FlavorNamed, FlavorStored, FlavorMessage} {
			text, rest, err := AppendJSON(nil, nil, typ, b, f)
			if err != nil || len(rest) != 0 {
				t.Fatal(err, rest)
			}
			e, err := NewJSONEncoder(typ, f)
			if err != nil || !bytes.Equal(e.Append(nil, b), text) {
				t.Fatalf("%s: compiled encoder differs from %s, %v", typ, text, err)
			}
			damaged := bytes.Clone(b)
			if len(b) > 0 {
				damaged = damaged[:rapid.IntRange(0, len(b)).Draw(t, "cut")]
				for i := range min(len(damaged), 1) {
					damaged[rapid.IntRange(0, len(damaged)-1).Draw(t, "at")] ^= byte(rapid.IntRange(i, 255).Draw(t, "flip"))
				}
			}
			for _, in := range [][]byte{b, append(bytes.Clone(b), 1, 2), damaged} {
				// A type that is reached through a ref is not compiled.
				want, wantRest, werr := AppendJSON([]byte("x"), &Typespace{Types: []*Type{typ}}, Ref(0), in, f)
				for range 3 {
					got, gotRest, gerr := AppendJSON([]byte("x"), nil, typ, in, f)
					again, againRest, aerr := e.AppendChecked([]byte("x"), in)
					if !bytes.Equal(got, want) || !bytes.Equal(gotRest, wantRest) || !sameError(gerr, werr) ||
						!bytes.Equal(again, want) || !bytes.Equal(againRest, wantRest) || !sameError(aerr, werr) {
						t.Fatalf("%s, %x: got %s, %v and %s, %v, want %s, %v", typ, in, got, gerr, again, aerr, want, werr)
					}
				}
			}
			back, err := ParseJSON(nil, nil, typ, text)
			if !finite(v) {
				continue
			}
			if err != nil || !bytes.Equal(back, b) {
				t.Fatalf("%s: %s is read as %x, %v; want %x", typ, text, back, err, b)
			}
		}
	})
}

func sameError(a, b error) bool {
	return (a == nil) == (b == nil) && (a == nil || a.Error() == b.Error())
}

func TestPropertyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		typ := genType(2).Draw(t, "type")
		vs := []Value{genValue(t, typ), genValue(t, typ), genValue(t, typ)}
		o := newOrderings(t, typ)
		for _, a := range vs {
			for _, b := range vs {
				o.check(typ.String(), AppendValue(nil, a), AppendValue(nil, b), Compare(a, b))
			}
		}
	})
}

func TestPropertyLayout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row := genRow().Draw(t, "row")
		l, err := NewLayout(row)
		if err != nil {
			t.Fatal(err)
		}
		v, w := genValue(t, row).(ProductValue), genValue(t, row).(ProductValue)
		a, b := AppendValue(nil, v), AppendValue(nil, w)
		if n, err := l.Validate(a); n != len(a) || err != nil || l.ValidateExact(a) != nil || l.Len(a) != len(a) {
			t.Fatalf("%d of %d bytes valid, %v", n, len(a), err)
		}
		if l.ValidateExact(append(a, 0)) == nil {
			t.Fatal("a row with an extra byte is accepted")
		}
		var types []*Type
		var cols []int
		for i := range l.NumCols() {
			types, cols = append(types, l.ColType(i)), append(cols, i)
			if got, want := l.Col(a, i), AppendValue(nil, v[i]); !bytes.Equal(got, want) {
				t.Fatalf("column %d is %x, want %x", i, got, want)
			}
			if got, want := sign(l.CompareCol(a, b, i)), sign(Compare(v[i], w[i])); got != want {
				t.Fatalf("column %d compares %d, want %d", i, got, want)
			}
			start, end := l.ColRange(a, i)
			if all := l.Offsets(nil, a); all[i] != start || all[i+1] != end {
				t.Fatalf("column %d at %d to %d, offsets %v", i, start, end, all)
			}
		}
		enc := NewKeyEncoder(types)
		ka, kb := enc.AppendRow(nil, l, a, cols), enc.AppendRow(nil, l, b, cols)
		if got, want := bytes.Compare(ka, kb), sign(Compare(v, w)); got != want || sign(l.CompareRows(a, b)) != want {
			t.Fatalf("keys %x and %x compare %d, want %d", ka, kb, got, want)
		}
		if size, ok := enc.FixedSize(); ok && size != len(ka) {
			t.Fatalf("key has %d bytes, want %d", len(ka), size)
		}
		if len(ka) > 0 && !bytes.Equal(ka, kb) && (bytes.HasPrefix(ka, kb) || bytes.HasPrefix(kb, ka)) {
			t.Fatalf("one key is a prefix of the other: %x, %x", ka, kb)
		}
	})
}
