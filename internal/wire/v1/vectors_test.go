package v1

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

type vector struct {
	Name       string
	Direction  string
	BsatnHex   string `json:"bsatn_hex"`
	FrameHex   string `json:"frame_hex"`
	JSONText   string `json:"json_text"`
	DecodeOnly bool   `json:"decode_only"`
}

func vectors(t testing.TB) []vector {
	t.Helper()
	raw, err := os.ReadFile("../../../testdata/vectors/ws_v1.json")
	if err != nil {
		t.Fatal(err)
	}
	var f struct{ Messages []vector }
	if err := json.Unmarshal(raw, &f); err != nil || len(f.Messages) == 0 {
		t.Fatalf("%d messages, %v", len(f.Messages), err)
	}
	return f.Messages
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestVectors decodes and encodes every message of the vector file, in its
// binary and in its JSON form.
func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			if v.DecodeOnly {
				decodeOnly(t, v)
				return
			}
			if v.Direction == "client_to_server" {
				clientVector(t, v)
			} else {
				serverVector(t, v)
			}
		})
	}
	spec.Covers(t, "05.12", "05.14")
}

func decodeOnly(t *testing.T, v vector) {
	frame := unhex(t, v.FrameHex)
	body, err := wire.OpenEnvelope(frame, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if v.BsatnHex != "" && !bytes.Equal(body, unhex(t, v.BsatnHex)) {
		t.Error("the decompressed body differs")
	}
}

func clientVector(t *testing.T, v vector) {
	b := unhex(t, v.BsatnHex)
	m, err := DecodeClient(b)
	if err != nil {
		t.Fatal(err)
	}
	if got := AppendClient(nil, m); !bytes.Equal(got, b) {
		t.Errorf("encoded %x, want %x", got, b)
	}
	fromJSON, err := DecodeClientJSON([]byte(v.JSONText))
	if err != nil {
		t.Fatal(err)
	}
	switch j := fromJSON.(type) { // arguments are JSON text here, BSATN there
	case *wire.CallReducer:
		if !j.ArgsJSON || !json.Valid(j.Args) {
			t.Errorf("arguments %q", j.Args)
		}
		j.Args, j.ArgsJSON = m.(*wire.CallReducer).Args, false
	case *wire.CallProcedure:
		j.Args, j.ArgsJSON = m.(*wire.CallProcedure).Args, false
	}
	if !reflect.DeepEqual(fromJSON, m) {
		t.Errorf("from JSON %+v, want %+v", fromJSON, m)
	}
}

func serverVector(t *testing.T, v vector) {
	b := unhex(t, v.BsatnHex)
	m, err := DecodeServer(b)
	if err != nil {
		t.Fatal(err)
	}
	got := m.Append(nil)
	if !bytes.Equal(got, b) {
		t.Errorf("encoded %x\nwant    %x", got, b)
	}
	if frame := wire.AppendEnvelope(nil, got, wire.CompressNone); !bytes.Equal(frame, unhex(t, v.FrameHex)) {
		t.Errorf("frame %x", frame)
	}
	text, err := JSON(nil, toJSONForm(t, m))
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != v.JSONText {
		t.Errorf("JSON %s\nwant %s", text, v.JSONText)
	}
	for cut := range b { // every prefix is an error, none a panic
		if m, err := DecodeServer(b[:cut]); err == nil {
			t.Errorf("%d of %d bytes decode to %+v", cut, len(b), m)
		}
	}
}

var rowTypes = map[string]*sats.Type{
	"person": sats.Product(sats.E("id", sats.U32), sats.E("name", sats.String)),
	"pos":    sats.Product(sats.E("x", sats.U32), sats.E("y", sats.U32)),
}

// toJSONForm turns the binary fragments and arguments of m into JSON ones: rows
// of answers as stored, rows of transactions by position.
func toJSONForm(t *testing.T, m ServerMessage) ServerMessage {
	args := sats.Product(sats.E("id", sats.U32), sats.E("name", sats.String))
	rows := func(table string, l wire.RowList, f sats.Flavor) (out []string) {
		for i := range l.Len() {
			text, _, err := sats.AppendJSON(nil, nil, rowTypes[table], l.At(i), f)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, string(text))
		}
		return out
	}
	table := func(u *TableUpdate, f sats.Flavor) {
		for i, raw := range u.Updates {
			deletes, inserts := ReadQueryUpdate(sats.NewReader(raw))
			u.Updates[i] = AppendQueryUpdateJSON(nil, rows(u.TableName, deletes, f), rows(u.TableName, inserts, f))
		}
	}
	tables := func(u *DatabaseUpdate, f sats.Flavor) {
		for i := range u.Tables {
			table(&u.Tables[i], f)
		}
	}
	switch m := m.(type) {
	case *InitialSubscription:
		tables(&m.Update, sats.FlavorStored)
	case *SubscribeMultiApplied:
		tables(&m.Update, sats.FlavorStored)
	case *SubscribeApplied:
		table(&m.Rows, sats.FlavorStored)
	case *TransactionUpdateLight:
		tables(&m.Update, sats.FlavorUntyped)
	case *TransactionUpdate:
		tables(&m.Status.Update, sats.FlavorUntyped)
		text := []byte("[]")
		if len(m.Reducer.Args) > 0 {
			var err error
			if text, _, err = sats.AppendJSON(nil, nil, args, m.Reducer.Args, sats.FlavorUntyped); err != nil {
				t.Fatal(err)
			}
		}
		m.Reducer.Args = text
	case *OneOffQueryResponse:
		for i := range m.Tables {
			r := sats.NewReader(m.Tables[i].Rows)
			m.Tables[i].Rows = AppendRowsJSON(nil, rows(m.Tables[i].Name, wire.ReadRowList(r), sats.FlavorStored))
		}
	case *ProcedureResult:
		if m.Kind == ProcedureReturned {
			text, _, err := sats.AppendJSON(nil, nil, sats.U32, m.Value, sats.FlavorUntyped)
			if err != nil {
				t.Fatal(err)
			}
			m.Value = text
		}
	}
	return m
}

func TestBadFlags(t *testing.T) {
	for _, tt := range []struct {
		m    wire.ClientMessage
		want string
	}{
		{&wire.CallReducer{Reducer: "r", Flags: 2}, "invalid call reducer flag 2"},
		{&wire.CallProcedure{Procedure: "p", Flags: 1}, "invalid call procedure flag 1"},
	} {
		if _, err := DecodeClient(AppendClient(nil, tt.m)); err == nil || err.Error() != tt.want {
			t.Errorf("%T: %v, want %q", tt.m, err, tt.want)
		}
	}
	if _, err := DecodeClient([]byte{9}); err == nil || err.Error() != "unknown tag 0x9 for sum type ClientMessage" {
		t.Errorf("tag 9: %v", err)
	}
}

func TestClientJSONForms(t *testing.T) {
	want := &wire.SubscribeMulti{Queries: []string{"q"}, RequestID: 1, QueryID: 2}
	for _, text := range []string{
		`{"SubscribeMulti":{"query_id":{"id":2},"request_id":1,"query_strings":["q"]}}`,
		`{"4":[["q"],1,[2]]}`,
		`[4,{"query_strings":["q"],"request_id":1,"query_id":[2]}]`,
	} {
		if m, err := DecodeClientJSON([]byte(text)); err != nil || !reflect.DeepEqual(m, want) {
			t.Errorf("%s: %+v, %v", text, m, err)
		}
	}
	for _, text := range []string{`{"SubscribeMulti":{"request_id":1,"query_strings":["q"]}}`, `{"Nope":[]}`, `{"Unsubscribe":[1,[2]]} x`, ``} {
		if m, err := DecodeClientJSON([]byte(text)); err == nil {
			t.Errorf("%s: %+v", text, m)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(unhex(f, v.BsatnHex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := DecodeClient(b); err == nil {
			again, err := DecodeClient(AppendClient(nil, m))
			if err != nil || !reflect.DeepEqual(again, m) {
				t.Fatalf("%+v became %+v, %v", m, again, err)
			}
		}
		if m, err := DecodeServer(b); err == nil && !bytes.HasPrefix(b, m.Append(nil)) {
			// the repeated table id and name and the unused table_id may differ
			if _, err := DecodeServer(m.Append(nil)); err != nil {
				t.Fatalf("%+v does not decode again: %v", m, err)
			}
		}
		r := sats.NewReader(b)
		deletes, inserts := ReadQueryUpdate(r)
		if r.Err() == nil && !bytes.Equal(AppendQueryUpdate(nil, &deletes, &inserts), b[:r.Pos()]) {
			// A list of rows of one length may also come with offsets.
			again := sats.NewReader(AppendQueryUpdate(nil, &deletes, &inserts))
			if d, i := ReadQueryUpdate(again); again.Err() != nil || d.Len() != deletes.Len() || i.Len() != inserts.Len() {
				t.Fatalf("an update of %d and %d rows became one of %d and %d, %v", deletes.Len(), inserts.Len(), d.Len(), i.Len(), again.Err())
			}
		}
	})
}

// A message in JSON says the same when it is written in the binary form.
func FuzzDecodeJSON(f *testing.F) {
	for _, v := range vectors(f) {
		if v.Direction == "client_to_server" {
			f.Add([]byte(v.JSONText))
		}
	}
	f.Add([]byte(`{"Subscribe":[["SELECT * FROM *"],1]}`))
	f.Add([]byte(`[3,{"query":"q","request_id":4294967295,"query_id":[7]}]`))
	f.Add([]byte(`{"2":{"message_id":[1,2],"query_string":"q"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeClientJSON(b)
		if err != nil {
			return
		}
		again, err := DecodeClient(AppendClient(nil, m))
		switch j := again.(type) {
		case *wire.CallReducer:
			j.ArgsJSON = true
		case *wire.CallProcedure:
			j.ArgsJSON = true
		}
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("%+v became %+v, %v", m, again, err)
		}
	})
}
