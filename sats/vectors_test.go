package sats_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
	. "github.com/stdbgo/spacetime/sats"
)

// A valueVector is an entry of bsatn.json or bsatn_bad.json.
type valueVector struct {
	ID             string            `json:"id"`
	RawType        json.RawMessage   `json:"type"`
	RawTypespace   []json.RawMessage `json:"typespace"`
	Value          json.RawMessage   `json:"value"`
	ValueNamed     json.RawMessage   `json:"value_named"`
	ValueStoredRow json.RawMessage   `json:"value_stored_row"`
	BSATN          string            `json:"bsatn"`
	JSONLossy      bool              `json:"json_lossy"`
	SATN           string            `json:"satn"`
	SQLText        string            `json:"sql_text"`
	PGText         string            `json:"pg_nested_text"`
	JSON           string            `json:"json"`
	Error          string            `json:"error"` // a name of errorKinds
	Note           string            `json:"note"`
	ConfirmedBy    []string          `json:"confirmed_by"`
	Message        string            `json:"upstream_message"`
	StrictOnly     bool              `json:"strict_only"`
	Remaining      int               `json:"remaining"`
	Display        string            `json:"display"`
	Special        bool              `json:"special"`
	ValidUse       bool              `json:"valid_client_type_use"`
	ValidDef       bool              `json:"valid_client_type_definition"`
}

func (v *valueVector) types(t *testing.T) (*Typespace, *Type) {
	t.Helper()
	typ, err := ParseTypeJSON(v.RawType)
	if err != nil {
		t.Fatalf("%s: type: %v", v.ID, err)
	}
	ts := &Typespace{}
	for _, raw := range v.RawTypespace {
		e, err := ParseTypeJSON(raw)
		if err != nil {
			t.Fatalf("%s: typespace: %v", v.ID, err)
		}
		ts.Types = append(ts.Types, e)
	}
	return ts, typ
}

func (v *valueVector) bytes(t *testing.T) []byte { return unhex(t, v.BSATN) }

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// load reads a file of vectors. A field that v does not have is an error: what is
// not read is not tested.
func load(t testing.TB, file string, v any) {
	t.Helper()
	b, err := os.ReadFile("../testdata/vectors/" + file)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// A vectorHead is how every file of vectors begins.
type vectorHead struct {
	Format        string   `json:"format"`
	FormatVersion int      `json:"format_version"`
	GeneratedWith []string `json:"generated_with"`
}

type vectorFile struct {
	vectorHead
	Values     []valueVector `json:"values"`
	Types      []valueVector `json:"types"`
	JSONInputs []valueVector `json:"json_inputs"`
	JSON       []valueVector `json:"json"`
}

func loadVectors(t testing.TB, file string) (f vectorFile) {
	t.Helper()
	load(t, file, &f)
	if len(f.Values) == 0 || len(f.Types) == 0 {
		t.Fatalf("%s holds no vectors", file)
	}
	return f
}

func TestVectorsRoundTrip(t *testing.T) {
	spec.Covers(t, "01.1")
	for _, v := range loadVectors(t, "bsatn.json").Values {
		ts, typ := v.types(t)
		want := v.bytes(t)
		r := NewReader(want)
		val, err := DecodeValue(r, ts, typ)
		if err != nil || r.End() != nil {
			t.Errorf("%s: decode: %v, %d bytes left", v.ID, err, r.Len())
			continue
		}
		if got := AppendValue(nil, val); string(got) != string(want) {
			t.Errorf("%s: encoded %x, want %x", v.ID, got, want)
		}
		if got, err := EncodeValue(nil, ts, typ, val); err != nil || string(got) != string(want) {
			t.Errorf("%s: checked encoding %x, %v", v.ID, got, err)
		}
		if n, err := ts.Validate(typ, want); n != len(want) || err != nil {
			t.Errorf("%s: validated %d of %d bytes, %v", v.ID, n, len(want), err)
		}
		if flat, err := ts.Resolve(typ); err == nil {
			w := NewWalker(flat)
			if n, err := w.Validate(want); n != len(want) || err != nil {
				t.Errorf("%s: walker validated %d of %d bytes, %v", v.ID, n, len(want), err)
			}
			if n := w.Len(want); n != len(want) {
				t.Errorf("%s: walker says %d bytes, want %d", v.ID, n, len(want))
			}
			if size, ok := w.FixedSize(); ok && size != len(want) {
				t.Errorf("%s: fixed size %d, but %d bytes", v.ID, size, len(want))
			}
		}
	}
}

func TestVectorsJSONOut(t *testing.T) {
	spec.Covers(t, "01.15", "01.16", "01.17", "01.27", "01.28", "01.29")
	for _, v := range loadVectors(t, "bsatn.json").Values {
		ts, typ := v.types(t)
		for _, c := range []struct {
			flavor Flavor
			want   json.RawMessage
		}{{FlavorUntyped, v.Value}, {FlavorNamed, v.ValueNamed}, {FlavorStored, v.ValueStoredRow}} {
			if flat, err := ts.Resolve(typ); err == nil {
				e, err := NewJSONEncoder(flat, c.flavor)
				if (err == nil) != (c.want != nil) {
					t.Errorf("%s: flavor %d: compiled: %v", v.ID, c.flavor, err)
				}
				if err == nil {
					if got := e.Append([]byte("x"), v.bytes(t)); string(got) != "x"+string(c.want) {
						t.Errorf("%s: flavor %d: compiled: %s, want %s", v.ID, c.flavor, got, c.want)
					}
				}
			}
			got, rest, err := AppendJSON([]byte("x"), ts, typ, append(v.bytes(t), 9, 9), c.flavor)
			if c.want == nil {
				if err == nil {
					t.Errorf("%s: flavor %d: got %s, want an error", v.ID, c.flavor, got)
				}
				continue
			}
			if err != nil || string(got) != "x"+string(c.want) || len(rest) != 2 {
				t.Errorf("%s: flavor %d: got %s, %d left, %v; want %s", v.ID, c.flavor, got, len(rest), err, c.want)
			}
		}
	}
}

func TestVectorsJSONIn(t *testing.T) {
	spec.Covers(t, "01.22", "01.24", "01.25", "01.26", "01.27", "01.28", "01.29", "01.33")
	f := loadVectors(t, "bsatn.json")
	check := func(id string, ts *Typespace, typ *Type, text, want string) {
		got, err := ParseJSON([]byte("x"), ts, typ, []byte(text))
		if err != nil || string(got) != "x"+want {
			t.Errorf("%s: %.80s: got %x, %v, want %x", id, text, got, err, want)
		}
	}
	for _, v := range f.JSONInputs {
		ts, typ := v.types(t)
		check(v.ID, ts, typ, v.JSON, string(v.bytes(t)))
	}
	for _, v := range f.Values {
		ts, typ := v.types(t)
		for _, text := range []json.RawMessage{v.Value, v.ValueNamed, v.ValueStoredRow} {
			switch {
			case text == nil:
			case v.JSONLossy:
				if got, err := ParseJSON(nil, ts, typ, text); err == nil {
					t.Errorf("%s: %s accepted as %x", v.ID, text, got)
				}
			default:
				check(v.ID, ts, typ, string(text), string(v.bytes(t)))
			}
		}
	}
}

func TestVectorsJSONRejected(t *testing.T) {
	spec.Covers(t, "01.23", "01.24", "01.25", "01.26", "01.30", "01.33")
	same := 0
	vectors := loadVectors(t, "bsatn_bad.json").JSON
	for _, v := range vectors {
		ts, typ := v.types(t)
		got, err := ParseJSON([]byte("keep"), ts, typ, []byte(v.JSON))
		if err == nil {
			t.Errorf("%s: %.80s accepted as %x", v.ID, v.JSON, got)
			continue
		}
		if string(got) != "keep" {
			t.Errorf("%s: result changed to %q on error", v.ID, got)
		}
		if err.Error() == strings.TrimPrefix(v.Message, "end: ") {
			same++
		}
	}
	if same < len(vectors)/4 {
		t.Errorf("only %d of %d error texts are the original's", same, len(vectors))
	}
}

// errorKinds are the names that bsatn_bad.json gives to errors.
var errorKinds = map[string]DecodeErrorKind{
	"truncated": ErrBufferLength, "invalid_bool": ErrInvalidBool, "invalid_tag": ErrInvalidTag,
	"invalid_utf8": ErrInvalidUTF8, "trailing_bytes": ErrTrailing,
}

// wantKind checks that err is of the kind that the vector names.
func (v *valueVector) wantKind(t *testing.T, err error) {
	t.Helper()
	kind, known := errorKinds[v.Error]
	var e *DecodeError
	if !known || !errors.As(err, &e) || e.Kind != kind {
		t.Errorf("%s: error %v is not of the kind %s", v.ID, err, v.Error)
	}
}

func TestVectorsBadBSATN(t *testing.T) {
	spec.Covers(t, "01.3", "01.4", "01.5", "01.6")
	for _, v := range loadVectors(t, "bsatn_bad.json").Values {
		ts, typ := v.types(t)
		b := v.bytes(t)
		w := NewWalker(typ)
		n, werr := w.Validate(b)
		r := NewReader(b)
		_, verr := DecodeValue(r, ts, typ)
		if v.StrictOnly {
			if werr != nil || verr != nil || len(b)-n != v.Remaining || r.Len() != v.Remaining {
				t.Errorf("%s: %v, %v, %d bytes left, want %d", v.ID, werr, verr, r.Len(), v.Remaining)
			}
			v.wantKind(t, r.End())
			continue
		}
		if verr == nil || verr.Error() != v.Message {
			t.Errorf("%s: decode: %v, want %s", v.ID, verr, v.Message)
		}
		if werr == nil || werr.Error() != v.Message {
			t.Errorf("%s: walker: %v, want %s", v.ID, werr, v.Message)
		}
		v.wantKind(t, verr)
		if _, _, err := AppendJSON(nil, ts, typ, b, FlavorUntyped); err == nil || err.Error() != v.Message {
			t.Errorf("%s: JSON: %v, want %s", v.ID, err, v.Message)
		}
	}
}

func TestVectorsTypes(t *testing.T) {
	spec.Covers(t, "01.9", "01.12", "01.13", "01.14")
	for _, v := range loadVectors(t, "bsatn.json").Types {
		_, typ := v.types(t)
		want := v.bytes(t)
		if got := AppendType(nil, typ); string(got) != string(want) {
			t.Errorf("%s: encoded %x, want %x", v.ID, got, want)
		}
		r := NewReader(want)
		back, err := DecodeType(r)
		if err != nil || r.End() != nil || !back.Equal(typ) {
			t.Errorf("%s: decoded %v, %v", v.ID, back, err)
			continue
		}
		if got := AppendTypeJSON(nil, back); string(got) != string(v.RawType) {
			t.Errorf("%s: JSON %s, want %s", v.ID, got, v.RawType)
		}
		if back.String() != v.Display {
			t.Errorf("%s: text %s, want %s", v.ID, back, v.Display)
		}
		if back.IsSpecial() != v.Special {
			t.Errorf("%s: special %v, want %v", v.ID, back.Special(), v.Special)
		}
		if back.ValidClientTypeUse() != v.ValidUse || back.ValidClientTypeDefinition() != v.ValidDef {
			t.Errorf("%s: use %v, definition %v", v.ID, back.ValidClientTypeUse(), back.ValidClientTypeDefinition())
		}
	}
	for _, v := range loadVectors(t, "bsatn_bad.json").Types {
		got, err := DecodeType(NewReader(v.bytes(t)))
		if err == nil || err.Error() != v.Message {
			t.Errorf("%s: %v, %v, want %s", v.ID, got, err, v.Message)
		}
		v.wantKind(t, err)
	}
}

// hasList reports whether a type contains an array other than bytes; there our SQL text differs on purpose.
func hasList(ts *Typespace, t *Type) bool {
	if flat, err := ts.Resolve(t); err == nil {
		return listInside(flat)
	}
	return true
}

func listInside(t *Type) bool {
	if t.Kind == KindArray {
		return !t.IsBytes()
	}
	for _, e := range t.Elems {
		if listInside(e.Type) {
			return true
		}
	}
	return false
}

func TestVectorsText(t *testing.T) {
	spec.Covers(t, "01.34", "01.35")
	for _, v := range loadVectors(t, "bsatn.json").Values {
		ts, typ := v.types(t)
		b := v.bytes(t)
		if got, _, err := AppendSATN(nil, ts, typ, b); err != nil || string(got) != v.SATN {
			t.Errorf("%s: SATN %s, %v, want %s", v.ID, got, err, v.SATN)
		}
		sql, _, err1 := AppendSQLText(nil, ts, typ, b)
		pg, _, err2 := AppendPGNested(nil, ts, typ, b)
		if err1 != nil || err2 != nil {
			t.Errorf("%s: %v, %v", v.ID, err1, err2)
		}
		same := func(ours []byte, want string) bool { return string(ours) == want }
		if hasList(ts, typ) { // the original forgets brackets and commas
			bare := strings.NewReplacer("[", "", "]", "", ", ", "")
			same = func(ours []byte, want string) bool { return bare.Replace(string(ours)) == bare.Replace(want) }
		}
		if v.SQLText != "<panic>" && !same(sql, v.SQLText) {
			t.Errorf("%s: SQL %s, want %s", v.ID, sql, v.SQLText)
		}
		if !json.Valid(pg) {
			t.Errorf("%s: PG %s is no JSON", v.ID, pg)
		}
		// The original does not escape, and has no quotes about infinite numbers.
		if json.Valid([]byte(v.PGText)) || hasList(ts, typ) && !strings.Contains(string(pg), `\`) {
			if !same(pg, v.PGText) {
				t.Errorf("%s: PG %s, want %s", v.ID, pg, v.PGText)
			}
		}
	}
	list := Array(Product(E("a", Array(I8)), E("id", IdentityType)))
	b := AppendValue(nil, ArrayValue{
		ProductValue{ArrayValue{I8Value(-1), I8Value(2)}, IdentityValue(Identity{1})},
		ProductValue{ArrayValue{}, IdentityValue(Identity{2})},
	})
	got, _, err := AppendSQLText(nil, nil, list, b)
	want := "[(a = [-1, 2], id = 0x" + strings.Repeat("0", 63) + "1), (a = [], id = 0x" + strings.Repeat("0", 63) + "2)]"
	if err != nil || string(got) != want {
		t.Errorf("list: %s, %v, want %s", got, err, want)
	}
}
