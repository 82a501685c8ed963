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

func load(t *testing.T, name string) (messages, frames []vector) {
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

func unhex(t *testing.T, s string) []byte {
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
			for _, name := range f.Messages {
				if f.Direction == "server_to_client" {
					ReadServer(r)
				} else {
					ReadClient(r)
				}
				if r.Err() != nil || !bytes.Equal(payload[at:r.Pos()], byName[name]) {
					t.Fatalf("%s: %v, %x", name, r.Err(), payload[at:r.Pos()])
				}
				at = r.Pos()
			}
			if r.Len() != 0 {
				t.Errorf("%d bytes left", r.Len())
			}
		})
	}
}

// TestSubscribeBatch is the example of spec 05 §18.5 in both directions.
func TestSubscribeBatch(t *testing.T) {
	bad := "no"
	for _, m := range []wire.ClientMessage{
		&wire.SubscribeBatch{RequestID: 9, Sets: []wire.SubscribeSet{{QuerySetID: 1, Queries: []string{"a", "b"}}, {QuerySetID: 2, Queries: []string{}}}},
		&wire.SubscribeBatch{RequestID: 9},
	} {
		r := sats.NewReader(AppendClient(nil, m))
		if got := ReadClient(r); r.Err() != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%+v became %+v, %v", m, got, r.Err())
		}
	}
	answer := &SubscribeBatchApplied{RequestID: 9, Results: []SetResult{{QuerySetID: 1}, {QuerySetID: 2, Error: &bad}}}
	r := sats.NewReader(answer.Append(nil))
	if got := ReadServer(r); r.Err() != nil || !reflect.DeepEqual(got, answer) {
		t.Errorf("%+v became %+v, %v", answer, got, r.Err())
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0})
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
