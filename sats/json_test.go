package sats_test

import (
	"strings"
	"testing"

	. "github.com/stdbgo/spacetime/sats"
)

func TestParseJSONArgs(t *testing.T) {
	params := Product(E("name", String), E("age", U8))
	want := string(AppendU8(AppendString(nil, "Ann"), 7))
	for _, text := range []string{`["Ann",7]`, `{"name":"Ann","age":7}`, `{"age":7,"name":"Ann"}`, " [ \"Ann\"\n, 7 ] "} {
		if got, err := ParseJSONArgs(nil, nil, params, "add", []byte(text)); err != nil || string(got) != want {
			t.Errorf("%s: %x, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		`[]`:                        "invalid length 0, expected reducer args for add with 2 elements",
		`["Ann"]`:                   "invalid length 1, expected reducer args for add with 2 elements",
		`["Ann",7,8]`:               "trailing characters",
		`["Ann",7] 8`:               "trailing characters",
		``:                          "EOF while parsing a value",
		`{"name":"Ann"}`:            "missing field `age`",
		`{"age":7}`:                 "missing field `name`",
		`{"age":7,"age":7}`:         "duplicate field `age`",
		`{"name":"","name":""}`:     "duplicate field `name`",
		`{"age":7,"name":"","x":1}`: "unknown field `x`",
		`[1,7]`:                     "invalid type: integer `1`, expected a string at line 1 column 2",
		"[\"Ann\",\n\"7\"]":         "invalid type: string \"7\", expected u8 at line 2 column 3",
		"[\"\xff\",7]":              "UTF-8",
		`["Ann",7`:                  "EOF",
		`["Ann"`:                    "EOF",
		`{"name`:                    "EOF",
		`{"name"`:                   "expected `:`",
		`{name:1}`:                  "key must be a string",
		`["\q",1]`:                  "invalid escape",
		`["\u12g4",1]`:              "invalid escape",
		`["\udc00\ud800",1]`:        "surrogate",
	} {
		if _, err := ParseJSONArgs(nil, nil, params, "add", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestJSONMembersInAnyOrder(t *testing.T) {
	typ := Product(E("a", Array(String)), E("b", Product(E("x", U8), E("y", Option(String)))), E("c", Bytes), E("d", I32))
	want, err := ParseJSON(nil, nil, typ, []byte(`[["p","q"],[1,{"some":"s"}],"0102",-5]`))
	if err != nil {
		t.Fatal(err)
	}
	members := []string{`"a":["p","q"]`, `"b":{"y":{"some":"s"},"x":1}`, `"c":"0102"`, `"d":-5`}
	var permute func(k int)
	permute = func(k int) {
		if k == len(members) {
			text := "{" + strings.Join(members, ",") + "}"
			if got, err := ParseJSON([]byte("head"), nil, typ, []byte(text)); err != nil || string(got) != "head"+string(want) {
				t.Errorf("%s: %x, %v", text, got, err)
			}
			return
		}
		for i := k; i < len(members); i++ {
			members[k], members[i] = members[i], members[k]
			permute(k + 1)
			members[k], members[i] = members[i], members[k]
		}
	}
	permute(0)
}

func TestMessageFlavor(t *testing.T) {
	typ := Product(E("id", IdentityType), E("host", Enum("Wasm", "Js")), E("nick", Option(U8)), E("pair", Product(Unnamed(U8), Unnamed(Bool))), E("u", Unit))
	b := append(AppendU256(nil, U256From(42)), 0, 1, 5, 1)
	got, _, err := AppendJSON(nil, nil, typ, b, FlavorMessage)
	want := `{"id":{"__identity__":"0x2a"},"host":{"Wasm":[]},"nick":{"none":[]},"pair":[5,true],"u":[]}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
}

func TestTypespaceJSON(t *testing.T) {
	ts := &Typespace{Types: []*Type{U8, Product(E("x", Ref(0)), Unnamed(String)), Sum(E("A", Unit))}}
	text := AppendTypespaceJSON(nil, ts)
	back, err := ParseTypespaceJSON(text)
	if err != nil || string(AppendTypespace(nil, back)) != string(AppendTypespace(nil, ts)) {
		t.Errorf("%s: %v", text, err)
	}
	r := NewReader(AppendTypespace(nil, ts))
	if again, err := DecodeTypespace(r); err != nil || r.End() != nil || !again.Types[1].Equal(ts.Types[1]) {
		t.Errorf("%v", err)
	}
	product := AppendProductTypeJSON(nil, ts.Types[1])
	const want = `{"elements":[{"name":{"some":"x"},"algebraic_type":{"Ref":0}},{"name":{"none":[]},"algebraic_type":{"String":[]}}]}`
	if string(product) != want {
		t.Errorf("%s, want %s", product, want)
	}
	if p, err := ParseProductTypeJSON(product); err != nil || !p.Equal(ts.Types[1]) {
		t.Errorf("%s, %v", p, err)
	}
	for _, ok := range []string{`[7,[]]`, `{"7":[]}`, `{"U8":{}}`} {
		if got, err := ParseTypeJSON([]byte(ok)); err != nil || got.Kind != KindU8 {
			t.Errorf("%s: %v, %v", ok, got, err)
		}
	}
	for _, bad := range []string{`"U8"`, `{"u8":[]}`, `{"Product":{"elements":[{"algebraic_type":{"U8":[]}}]}}`, `{"Ref":-1}`} {
		if got, err := ParseTypeJSON([]byte(bad)); err == nil {
			t.Errorf("%s accepted as %s", bad, got)
		}
	}
}

func TestEncodeValueChecks(t *testing.T) {
	typ := Product(E("a", U8), E("b", Array(Option(String))))
	good := ProductValue{U8Value(1), ArrayValue{NoneValue, SomeValue(StringValue("x"))}}
	if _, err := EncodeValue(nil, nil, typ, good); err != nil {
		t.Error(err)
	}
	if got := FormatValue(nil, typ, good); got != `(a = 1, b = [(none = ()), (some = "x")])` {
		t.Error(got)
	}
	for _, bad := range []Value{
		nil, U8Value(1), MinValue{}, ProductValue{}, ProductValue{U16Value(1), ArrayValue{}}, ProductValue{U8Value(1), nil},
		ProductValue{U8Value(1), BytesValue("x")}, ProductValue{U8Value(1), ArrayValue{SumValue{Tag: 2, Value: UnitValue}}},
		ProductValue{U8Value(1), ArrayValue{SomeValue(StringValue("\xff"))}},
	} {
		if b, err := EncodeValue([]byte("x"), nil, typ, bad); err == nil || string(b) != "x" {
			t.Errorf("%v is encoded as %x", bad, b)
		}
	}
}
