package ws

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// client is a masked frame as a client sends it.
func client(op Op, fin bool, payload []byte) []byte {
	b := AppendHeader(nil, op, fin, len(payload))
	b[1] |= 0x80
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, key[:]...)
	masked := bytes.Clone(payload)
	unmask(masked, key)
	return append(b, masked...)
}

func reader(stream []byte, limit int) *Reader {
	return NewReader(bytes.NewReader(stream), limit)
}

func TestMalformedFrames(t *testing.T) {
	join := func(frames ...[]byte) []byte { return bytes.Join(frames, nil) }
	masked := []byte{0x80, 0, 0, 0, 0}
	for _, tt := range []struct {
		name   string
		stream []byte
		code   int    // of a ProtocolError
		err    error  // another error
		want   string // the first message, if good
	}{
		{"text", client(Text, true, []byte("hällo")), 0, nil, "hällo"},
		{"RFC 6455 §5.7, masked Hello", []byte{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}, 0, nil, "Hello"},
		{"fragments", join(client(Text, false, []byte("Hel")), client(Continuation, true, []byte("lo"))), 0, nil, "Hello"},
		{"character cut between fragments", join(client(Text, false, []byte("h\xc3")), client(Continuation, true, []byte("\xa4"))), 0, nil, "hä"},
		{"empty fragments", join(client(Binary, false, nil), client(Continuation, false, nil), client(Continuation, true, []byte("x"))), 0, nil, "x"},
		{"empty message", client(Binary, true, nil), 0, nil, ""},
		{"at the limit", client(Binary, true, bytes.Repeat([]byte("x"), 100)), 0, nil, strings.Repeat("x", 100)},
		{"at the limit in fragments", join(client(Binary, false, bytes.Repeat([]byte("x"), 60)), client(Continuation, true, bytes.Repeat([]byte("x"), 40))), 0, nil, strings.Repeat("x", 100)},

		{"nothing", nil, 0, io.EOF, ""},
		{"half a header", []byte{0x81}, 0, io.ErrUnexpectedEOF, ""},
		{"no mask key", []byte{0x81, 0x81, 1, 2}, 0, io.ErrUnexpectedEOF, ""},
		{"half a payload", client(Text, true, []byte("Hello"))[:8], 0, io.ErrUnexpectedEOF, ""},
		{"half an extended length", []byte{0x82, 0xff, 0, 0, 0}, 0, io.ErrUnexpectedEOF, ""},
		{"end between fragments", client(Text, false, []byte("Hel")), 0, io.EOF, ""},
		{"not masked", []byte{0x81, 0x05, 'H', 'e', 'l', 'l', 'o'}, StatusProtocolError, nil, ""},
		{"RSV1", append([]byte{0xc1}, masked...), StatusProtocolError, nil, ""},
		{"RSV2", append([]byte{0xa1}, masked...), StatusProtocolError, nil, ""},
		{"RSV3", append([]byte{0x91}, masked...), StatusProtocolError, nil, ""},
		{"opcode 3", append([]byte{0x83}, masked...), StatusProtocolError, nil, ""},
		{"opcode 7", append([]byte{0x87}, masked...), StatusProtocolError, nil, ""},
		{"opcode 11", append([]byte{0x8b}, masked...), StatusProtocolError, nil, ""},
		{"opcode 15", append([]byte{0x8f}, masked...), StatusProtocolError, nil, ""},
		{"continuation of nothing", client(Continuation, true, nil), StatusProtocolError, nil, ""},
		{"continuation after a whole message", join(client(Text, true, []byte("a")), client(Continuation, true, nil)), 0, nil, "a"},
		{"message inside a message", join(client(Text, false, nil), client(Binary, true, nil)), StatusProtocolError, nil, ""},
		{"fragmented ping", client(Ping, false, nil), StatusProtocolError, nil, ""},
		{"long ping", client(Ping, true, make([]byte, 126)), StatusProtocolError, nil, ""},
		{"long close", client(Close, true, make([]byte, 126)), StatusProtocolError, nil, ""},
		{"length 5 in 16 bits", append([]byte{0x82, 0xfe, 0, 5, 0, 0, 0, 0}, "xxxxx"...), StatusProtocolError, nil, ""},
		{"length 5 in 64 bits", append([]byte{0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0}, "xxxxx"...), StatusProtocolError, nil, ""},
		{"length of 64 bits", []byte{0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, StatusProtocolError, nil, ""},
		{"above the limit", client(Binary, true, make([]byte, 101)), StatusTooBig, nil, ""},
		{"above the limit in fragments", join(client(Binary, false, make([]byte, 60)), client(Continuation, true, make([]byte, 41))), StatusTooBig, nil, ""},
		{"huge, claimed only", []byte{0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, StatusTooBig, nil, ""},
		{"text not UTF-8", client(Text, true, []byte("\xff")), StatusInvalidData, nil, ""},
		{"text with half a character", client(Text, true, []byte("h\xc3")), StatusInvalidData, nil, ""},
		{"text with a surrogate", client(Text, true, []byte("\xed\xa0\x80")), StatusInvalidData, nil, ""},
		{"binary need not be UTF-8", client(Binary, true, []byte("\xff")), 0, nil, "\xff"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, got, err := reader(tt.stream, 100).Next()
			var p *ProtocolError
			switch {
			case tt.code != 0:
				if !errors.As(err, &p) || p.Code != tt.code {
					t.Errorf("error %v, want code %d", err, tt.code)
				}
			case tt.err != nil:
				if !errors.Is(err, tt.err) {
					t.Errorf("error %v, want %v", err, tt.err)
				}
			case err != nil || string(got) != tt.want:
				t.Errorf("%q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestControlFramesBetweenFragments(t *testing.T) {
	stream := bytes.Join([][]byte{
		client(Text, false, []byte("a")), client(Ping, true, []byte("p")), client(Continuation, false, []byte("b")),
		client(Pong, true, nil), client(Continuation, true, []byte("c")), client(Close, true, []byte{3, 0xe8}),
	}, nil)
	r := reader(stream, 10)
	var got []string
	for {
		op, payload, err := r.Next()
		if err != nil {
			if err != io.EOF {
				t.Fatal(err)
			}
			break
		}
		got = append(got, string(rune('0'+op))+string(payload))
	}
	if want := "9p|:|1abc|8\x03\xe8"; strings.Join(got, "|") != want {
		t.Errorf("got %q, want %q", strings.Join(got, "|"), want)
	}
}

// Any split of messages into frames and of the stream into reads gives the
// messages back.
func TestMessagesSurviveFraming(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		messages := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 9000), 1, 5).Draw(t, "messages")
		var stream []byte
		for _, m := range messages {
			op, rest := Binary, m
			for {
				n := rapid.IntRange(0, len(rest)).Draw(t, "cut")
				last := n == len(rest) && rapid.Bool().Draw(t, "last")
				stream = append(stream, client(op, last, rest[:n])...)
				if rapid.Bool().Draw(t, "ping") {
					stream = append(stream, client(Ping, true, []byte("x"))...)
				}
				op, rest = Continuation, rest[n:]
				if last {
					break
				}
			}
		}
		var src io.Reader = bytes.NewReader(stream)
		if rapid.Bool().Draw(t, "slow") {
			src = iotest.OneByteReader(src)
		}
		r := NewReader(src, 9000)
		for _, want := range messages {
			op, got, err := r.Next()
			for err == nil && op == Ping {
				op, got, err = r.Next()
			}
			if err != nil || op != Binary || !bytes.Equal(got, want) {
				t.Fatalf("got %d bytes of %v, %v; want %d", len(got), op, err, len(want))
			}
		}
	})
}

// A message that was handed out is not changed by the ones read later.
func TestPayloadsAreTheCallers(t *testing.T) {
	var stream []byte
	for i := range 3000 {
		stream = append(stream, client(Binary, true, binary.BigEndian.AppendUint32(nil, uint32(i)))...)
	}
	r := reader(stream, 100)
	var all [][]byte
	for range 3000 {
		_, p, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	for i, p := range all {
		if len(p) != cap(p) || binary.BigEndian.Uint32(p) != uint32(i) {
			t.Fatalf("message %d changed to %x (cap %d)", i, p, cap(p))
		}
	}
}

func TestClaimedLengthCostsNothing(t *testing.T) {
	stream := []byte{0x82, 0xff, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3} // 32 MiB claimed, 3 bytes there
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err := reader(stream, 32<<20).Next()
	runtime.ReadMemStats(&after)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("%d bytes allocated for 3 bytes received", got)
	}
}

func TestSmallMessagesShareAllocations(t *testing.T) {
	stream := bytes.Repeat(client(Binary, true, make([]byte, 64)), 1000)
	src := bytes.NewReader(stream)
	allocs := testing.AllocsPerRun(10, func() {
		src.Reset(stream)
		r := NewReader(src, 1000)
		defer r.Close()
		for range 1000 {
			if _, _, err := r.Next(); err != nil {
				t.Fatal(err)
			}
		}
	})
	if allocs > 20 {
		t.Errorf("%v allocations for 1000 messages of 64 bytes", allocs)
	}
}

func TestHeaderForms(t *testing.T) {
	for _, tt := range []struct {
		n    int
		want []byte
	}{
		{0, []byte{0x82, 0}}, {125, []byte{0x82, 125}}, {126, []byte{0x82, 126, 0, 126}},
		{65535, []byte{0x82, 126, 0xff, 0xff}}, {65536, []byte{0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}},
	} {
		if got := AppendHeader(nil, Binary, true, tt.n); !bytes.Equal(got, tt.want) {
			t.Errorf("header for %d: %x, want %x", tt.n, got, tt.want)
		}
	}
	if got := AppendHeader(nil, Text, false, 1); !bytes.Equal(got, []byte{0x01, 1}) {
		t.Errorf("unfinished text: %x", got)
	}
}

func TestCloseFrames(t *testing.T) {
	for _, tt := range []struct {
		code         int
		reason, want string
	}{
		{1001, "module exited", "\x88\x0f\x03\xe9module exited"},
		{1011, "", "\x88\x02\x03\xf3"},
		{StatusNoCode, "ignored", "\x88\x00"},
		{1011, strings.Repeat("x", 200), "\x88\x7d\x03\xf3" + strings.Repeat("x", 123)},
		{1011, strings.Repeat("x", 122) + "ä", "\x88\x7c\x03\xf3" + strings.Repeat("x", 122)},
		{1011, "bad \xff byte", "\x88\x06\x03\xf3bad "},
		{1011, "replacement \uFFFD kept", "\x88\x16\x03\xf3replacement \uFFFD kept"},
	} {
		if got := string(AppendClose(nil, tt.code, tt.reason)); got != tt.want {
			t.Errorf("close %d %q: %q, want %q", tt.code, tt.reason, got, tt.want)
		}
	}
	for _, tt := range []struct {
		payload string
		code    int
		reason  string
		bad     int
	}{
		{"", StatusNoCode, "", 0}, {"\x03\xe8", 1000, "", 0}, {"\x0f\xa0hi", 4000, "hi", 0},
		{"\x03\xed", 1005, "", 0}, {"\x03", 0, "", StatusProtocolError}, {"\x03\xe8\xff", 0, "", StatusInvalidData},
	} {
		code, reason, err := ParseClose([]byte(tt.payload))
		var p *ProtocolError
		if tt.bad != 0 {
			if !errors.As(err, &p) || p.Code != tt.bad {
				t.Errorf("%q: %v", tt.payload, err)
			}
			continue
		}
		if err != nil || code != tt.code || reason != tt.reason {
			t.Errorf("%q: %d %q %v", tt.payload, code, reason, err)
		}
	}
	for code, want := range map[int]bool{0: false, 999: false, 1000: true, 1003: true, 1004: false, 1005: false, 1006: false,
		1007: true, 1014: true, 1015: false, 1016: false, 2999: false, 3000: true, 4000: true, 4999: true, 5000: false, 65535: false} {
		if ValidCode(code) != want {
			t.Errorf("code %d: %v", code, !want)
		}
	}
}

func TestUnmask(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(t, "b")
		key := [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "key"))
		got := bytes.Clone(b)
		unmask(got, key)
		for i := range b {
			if got[i] != b[i]^key[i%4] {
				t.Fatalf("byte %d", i)
			}
		}
	})
}

func FuzzReader(f *testing.F) {
	f.Add(client(Text, true, []byte("Hello")))
	f.Add(bytes.Join([][]byte{client(Binary, false, []byte("ab")), client(Ping, true, nil), client(Continuation, true, []byte("c"))}, nil))
	f.Add([]byte{0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	f.Add(client(Close, true, []byte{3, 0xe8}))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := reader(stream, 1000)
		for {
			op, payload, err := r.Next()
			if err != nil {
				return
			}
			switch {
			case op.control() && len(payload) > maxControl, !op.control() && len(payload) > 1000:
				t.Fatalf("%d bytes of opcode %d", len(payload), op)
			case op == Text && !utf8.Valid(payload):
				t.Fatal("text that is not UTF-8")
			case op == Close:
				code, reason, err := ParseClose(payload)
				if err == nil && code != StatusNoCode && len(AppendClose(nil, code, reason)) != len(payload)+2 {
					t.Fatal("a close frame changes when it is written again")
				}
			}
		}
	})
}
