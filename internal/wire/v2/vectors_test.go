package v2

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
	DecodeOnly bool   `json:"decode_only"`
	Messages   []string
}

func load(t testing.TB, name string) (messages, frames []vector) {
	t.Helper()
	raw, err := os.ReadFile("../../../testdata/vectors/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var f struct{ Messages, Frames []vector }
	if err := json.Unmarshal(raw, &f); err != nil || len(f.Messages)+len(f.Frames) == 0 {
		t.Fatalf("%s: no vectors, %v", name, err)
	}
	return f.Messages, f.Frames
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectors(t *testing.T) {
	messages, _ := load(t, "ws_v2.json")
	for _, v := range messages {
		t.Run(v.Name, func(t *testing.T) {
			frame := unhex(t, v.FrameHex)
			if v.Direction == "client_to_server" {
				r := sats.NewReader(frame)
				m := ReadClient(r)
				if r.Err() != nil || r.Len() != 0 {
					t.Fatalf("%v, %d bytes left", r.Err(), r.Len())
				}
				if got := AppendClient(nil, m); !bytes.Equal(got, frame) {
					t.Errorf("encoded %x, want %x", got, frame)
				}
				return
			}
			body, err := wire.OpenEnvelope(frame, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(body, unhex(t, v.BsatnHex)) {
				t.Error("the body of the frame is not the message")
			}
			r := sats.NewReader(body)
			m := ReadServer(r)
			if r.Err() != nil || r.Len() != 0 {
				t.Fatalf("%v, %d bytes left", r.Err(), r.Len())
			}
			if got := m.Append(nil); !bytes.Equal(got, body) {
				t.Errorf("encoded %x\nwant    %x", got, body)
			}
			for cut := range body {
				r := sats.NewReader(body[:cut])
				if m := ReadServer(r); m != nil {
					t.Errorf("%d of %d bytes decode to %+v", cut, len(body), m)
				}
			}
		})
	}
	spec.Covers(t, "05.12")
}

// TestV3Frames splits and packs the payloads of v3.
func TestV3Frames(t *testing.T) {
	messages, _ := load(t, "ws_v2.json")
	byName := map[string][]byte{}
	for _, m := range messages {
		byName[m.Name] = unhex(t, m.BsatnHex)
	}
	_, frames := load(t, "ws_v3.json")
	for _, f := range frames {
		t.Run(f.Name, func(t *testing.T) {
			payload := unhex(t, f.FrameHex)
			if f.Direction == "server_to_client" {
				var err error
				if payload, err = wire.OpenEnvelope(payload, 1<<20); err != nil {
					t.Fatal(err)
				}
			}
			r, at := sats.NewReader(payload), 0
			var again []byte
			for _, name := range f.Messages {
				if f.Direction == "server_to_client" {
					again = ReadServer(r).Append(again)
				} else {
					again = AppendClient(again, ReadClient(r))
				}
				if r.Err() != nil || !bytes.Equal(payload[at:r.Pos()], byName[name]) {
					t.Fatalf("%s: %v, %x", name, r.Err(), payload[at:r.Pos()])
				}
				at = r.Pos()
			}
			if r.Len() != 0 {
				t.Errorf("%d bytes left", r.Len())
			}
			if f.Direction == "server_to_client" && !f.DecodeOnly {
				again = wire.AppendEnvelope(nil, again, wire.CompressNone)
			} else if f.DecodeOnly { // it is compressed by another compressor
				again = unhex(t, f.FrameHex)
			}
			if !bytes.Equal(again, unhex(t, f.FrameHex)) {
				t.Errorf("packed %x", again)
			}
		})
	}
}

// exampleBatch and exampleApplied are spec 05 §18.5.
const (
	exampleBatch = "0509000000" + "02000000" +
		"020000000100000014000000" + "53454c454354202a2046524f4d20706572736f6e" +
		"030000000100000012000000" + "53454c454354202a2046524f4d206e6f7065"
	exampleApplied = "0809000000" + "02000000" +
		"0200000000" + "0100000006000000706572736f6e" +
		"010200000000000000000000000a00000000000000" + "15000000010000000200000" + "0416c0200000003000000426f62" +
		"0300000001" + "66000000"
	exampleError = "no such table: `nope`. If the table exists, it may be marked private., executing: `SELECT * FROM nope`"
)

// TestSubscribeBatch is the example of spec 05 §18.5 in both directions.
func TestSubscribeBatch(t *testing.T) {
	spec.Covers(t, "05.51")
	batch := &wire.SubscribeBatch{RequestID: 9, Sets: []wire.SubscribeSet{
		{QuerySetID: 2, Queries: []string{"SELECT * FROM person"}}, {QuerySetID: 3, Queries: []string{"SELECT * FROM nope"}}}}
	if got := AppendClient(nil, batch); !bytes.Equal(got, unhex(t, exampleBatch)) {
		t.Errorf("encoded %x", got)
	}
	var rows wire.RowList
	rows.Add(unhex(t, "0100000002000000416c"))
	rows.Add(unhex(t, "0200000003000000426f62"))
	text := exampleError
	applied := &SubscribeBatchApplied{RequestID: 9, Results: []SetResult{
		{QuerySetID: 2, Rows: QueryRows{{Table: "person", Rows: rows.Append(nil)}}}, {QuerySetID: 3, Error: &text}}}
	if got := applied.Append(nil); !bytes.Equal(got, append(unhex(t, exampleApplied), exampleError...)) {
		t.Errorf("encoded %x", got)
	}
	bad := "no"
	for _, m := range []wire.ClientMessage{
		batch,
		&wire.SubscribeBatch{RequestID: 9, Sets: []wire.SubscribeSet{{QuerySetID: 1, Queries: []string{"a", "b"}}, {QuerySetID: 2, Queries: []string{}}}},
		&wire.SubscribeBatch{RequestID: 9},
	} {
		r := sats.NewReader(AppendClient(nil, m))
		if got := ReadClient(r); r.Err() != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%+v became %+v, %v", m, got, r.Err())
		}
	}
	for _, m := range []ServerMessage{
		applied,
		&SubscribeBatchApplied{RequestID: 9, Results: []SetResult{{QuerySetID: 1}, {QuerySetID: 2, Error: &bad}}},
	} {
		r := sats.NewReader(m.Append(nil))
		if got := ReadServer(r); r.Err() != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%+v became %+v, %v", m, got, r.Err())
		}
	}
}

// What decodes is written again as it was read, and read again as it was.
func FuzzRead(f *testing.F) {
	messages, _ := load(f, "ws_v2.json")
	for _, m := range messages {
		f.Add(unhex(f, m.BsatnHex))
	}
	f.Add(unhex(f, exampleBatch))
	f.Add(append(unhex(f, exampleApplied), exampleError...))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := sats.NewReader(b)
		if m := ReadClient(r); m != nil && !bytes.Equal(AppendClient(nil, m), b[:r.Pos()]) {
			t.Fatalf("%+v encodes to other bytes", m)
		}
		r = sats.NewReader(b)
		if m := ReadServer(r); m != nil {
			again := sats.NewReader(m.Append(nil))
			if got := ReadServer(again); !reflect.DeepEqual(got, m) {
				t.Fatalf("%+v became %+v", m, got)
			}
		}
	})
}
