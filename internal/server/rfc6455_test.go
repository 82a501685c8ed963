package server

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/server/ws"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
)

// The cases of the Autobahn test suite for WebSocket servers, by its numbers, against
// the real endpoint. What it has echoed by a server made for it is asked of the
// database here: text as the query of a v1.json message, bytes as the id of a
// v1.bsatn one; both come back in the answer.

// frame is a client's frame with a mask of its own; first holds FIN, reserved bits
// and opcode.
func frame(first byte, payload []byte) []byte {
	b := ws.AppendHeader(nil, 0, true, len(payload))
	b[0], b[1] = first, b[1]|0x80
	key := []byte{0xa1, 0x02, 0xf3, 0x44}
	b = append(b, key...)
	for i, c := range payload {
		b = append(b, c^key[i%4])
	}
	return b
}

const (
	fin  = 0x80
	rsv1 = 0x40
	rsv2 = 0x20
	rsv3 = 0x10
)

// question is a v1.json message that is answered with s.
func question(s string) []byte {
	return []byte(`{"OneOffQuery":{"message_id":"00","query_string":"` + s + `"}}`)
}

// text is question in one frame.
func text(s string) []byte { return frame(fin|byte(ws.Text), question(s)) }

// data is a v1.bsatn message that is answered with b.
func data(b []byte) []byte {
	return frame(fin|byte(ws.Binary), v1.AppendClient(nil, &wire.OneOffQuery{MessageID: b, Query: "x"}))
}

// pieces splits a message into frames at the places given.
func pieces(op ws.Op, message []byte, at ...int) (frames [][]byte) {
	from := 0
	for _, to := range append(at, len(message)) {
		first := byte(op)
		if to == len(message) && len(frames) == len(at) {
			first |= fin
		}
		frames = append(frames, frame(first, message[from:to]))
		from, op = to, ws.Continuation
	}
	return frames
}

// every splits a message into frames of n bytes.
func every(n int, op ws.Op, message []byte) [][]byte {
	var at []int
	for i := n; i < len(message); i += n {
		at = append(at, i)
	}
	return pieces(op, message, at...)
}

func ping(payload string) []byte { return frame(fin|byte(ws.Ping), []byte(payload)) }
func pong(payload string) []byte { return frame(fin|byte(ws.Pong), []byte(payload)) }

// bye is a Close frame with a code and a reason.
func bye(code uint16, reason string) []byte {
	return frame(fin|byte(ws.Close), append(binary.BigEndian.AppendUint16(nil, code), reason...))
}

func join(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

// A conversation is one case.
type conversation struct {
	name string
	send []byte
	chop int      // bytes of a write; 0: all in one
	want []string // what comes: "= text", "pong payload", "close code reason", "drop"
	// lost says that what is answered before the end may be lost: the connection is
	// dropped, with what waits to be written.
	lost bool
	// any is for a pong and an answer: which is first is left open.
	any bool
}

// events reads what the server sends until its end or Close frame, or until n things
// have come. Its
// pings are not among them.
func (c *rawConn) events(n int) (got []string) {
	c.t.Helper()
	var message []byte
	var kind ws.Op
	for len(got) < n {
		op, last, payload, err := c.frame()
		if err != nil {
			if errors.Is(err, io.EOF) || strings.Contains(err.Error(), "reset") {
				return append(got, "drop")
			}
			c.t.Fatalf("%v after %q", err, got)
		}
		switch op {
		case ws.Ping:
		case ws.Pong:
			got = append(got, "pong "+string(payload))
		case ws.Close:
			code, reason, err := ws.ParseClose(payload)
			if err != nil {
				c.t.Fatalf("a Close frame of ours: %v", err)
			}
			return append(got, strings.TrimSpace(fmt.Sprintf("close %d %s", code, reason)))
		default:
			if op != ws.Continuation {
				kind, message = op, nil
			}
			if message = append(message, payload...); last {
				if s, ok := echoed(c.t, kind, message); ok {
					got = append(got, "= "+s)
				}
			}
		}
	}
	return got
}

// echoed is what came back in a message. The first message of a connection is none.
func echoed(t testing.TB, kind ws.Op, message []byte) (string, bool) {
	t.Helper()
	if kind == ws.Binary {
		body, err := wire.OpenEnvelope(message, 64<<20)
		if err != nil {
			t.Fatal(err)
		}
		m, err := v1.DecodeServer(body)
		if err != nil {
			t.Fatal(err)
		}
		a, ok := m.(*v1.OneOffQueryResponse)
		if !ok {
			return "", false
		}
		return string(a.MessageID), true
	}
	var m struct {
		OneOffQueryResponse *struct {
			Error struct {
				Some string `json:"some"`
			} `json:"error"`
		}
	}
	if err := json.Unmarshal(message, &m); err != nil {
		t.Fatal(err)
	}
	if m.OneOffQueryResponse == nil {
		return "", false
	}
	return strings.TrimPrefix(m.OneOffQueryResponse.Error.Some, "echo: "), true
}

func converse(t *testing.T, r *rig, token, protocol string, cases []conversation) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			c := r.raw(token, protocol, "compression=None")
			c.t = t
			defer func() { _ = c.Close() }()
			written := make(chan struct{})
			go func() { // what is answered while it is sent has to be read
				defer close(written)
				for rest := tt.send; len(rest) > 0; {
					n := len(rest)
					if tt.chop > 0 {
						n = min(n, tt.chop)
					}
					if _, err := c.Write(rest[:n]); err != nil {
						return // the server has dropped us
					}
					rest = rest[n:]
				}
			}()
			got := c.events(len(tt.want))
			<-written
			if tt.lost && len(got) > 0 {
				tt.want = tt.want[max(0, len(tt.want)-len(got)):]
			}
			if tt.any {
				slices.Sort(got)
				slices.Sort(tt.want)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%.300q\nwant %.300q", got, tt.want)
			}
			if n := len(got); n > 0 && strings.HasPrefix(got[n-1], "close") {
				if rest := c.rest(); len(rest) > 0 {
					t.Errorf("%d bytes behind the Close frame", len(rest))
				}
			}
		})
	}
}

func echoes(want ...string) (all []string) {
	for _, s := range want {
		all = append(all, "= "+s)
	}
	return all
}

func TestAutobahnFraming(t *testing.T) {
	r, _, token := wsRig(t)
	var texts, blobs []conversation
	for i, n := range []int{0, 125, 126, 127, 128, 65535, 65536} {
		s := strings.Repeat("*", n)
		texts = append(texts, conversation{name: fmt.Sprintf("1.1.%d text of %d", i+1, n), send: text(s), want: echoes(s)})
		b := bytes.Repeat([]byte{0xfe}, n)
		blobs = append(blobs, conversation{name: fmt.Sprintf("1.2.%d binary of %d", i+1, n), send: data(b), want: echoes(string(b))})
	}
	s := strings.Repeat("*", 65536)
	texts = append(texts, conversation{name: "1.1.8 text in chops of 997", send: text(s), chop: 997, want: echoes(s)})
	blobs = append(blobs, conversation{name: "1.2.8 binary in chops of 997", send: data([]byte(s)), chop: 997, want: echoes(s)})
	converse(t, r, token, "v1.json", texts)
	converse(t, r, token, "v1.bsatn", blobs)
}

func TestAutobahnPings(t *testing.T) {
	r, _, token := wsRig(t)
	long := strings.Repeat("\xfe", 125)
	var many []byte
	for i := range 10 {
		many = append(many, ping(fmt.Sprint(i))...)
	}
	converse(t, r, token, "v1.json", []conversation{
		{name: "2.1 without payload", send: ping(""), want: []string{"pong "}},
		{name: "2.2 text", send: ping("Hello, world!"), want: []string{"pong Hello, world!"}},
		{name: "2.3 binary", send: ping("\x00\xff\xfe\xfd"), want: []string{"pong \x00\xff\xfe\xfd"}},
		{name: "2.4 125 bytes", send: ping(long), want: []string{"pong " + long}},
		{name: "2.5 126 bytes", send: ping(long + "x"), want: []string{"drop"}},
		{name: "2.6 byte by byte", send: ping(long), chop: 1, want: []string{"pong " + long}},
		{name: "2.7 unasked pong", send: join(pong(""), ping("p")), want: []string{"pong p"}},
		{name: "2.8 unasked pong with payload", send: join(pong("unsolicited"), ping("p")), want: []string{"pong p"}},
		{name: "2.9 pong, then ping", send: join(pong("unsolicited"), ping("ping")), want: []string{"pong ping"}},
	})
	// 2.10 and 2.11 send ten pings at once. Of those that wait the latest is answered.
	for _, chop := range []int{len(many), 1} {
		c := r.raw(token, "v1.json", "")
		for rest := many; len(rest) > 0; {
			n := min(chop, len(rest))
			c.write(rest[:n])
			rest = rest[n:]
		}
		last := -1
		for last < 9 {
			var n int
			got := c.events(1)[0]
			if _, err := fmt.Sscanf(got, "pong %d", &n); err != nil || n <= last {
				t.Fatalf("%q after pong %d", got, last)
			}
			last = n
		}
	}
}

func TestAutobahnReservedBitsAndOpcodes(t *testing.T) {
	r, _, token := wsRig(t)
	cases := []conversation{
		{name: "3.1 RSV3", send: frame(fin|rsv3|1, question("x")), want: []string{"drop"}},
		{name: "3.2 RSV2 after a text", send: join(text("a"), frame(fin|rsv2|1, question("x")), ping("")), want: []string{"= a", "drop"}, lost: true},
		{name: "3.3 RSV2 and RSV3", send: join(text("a"), frame(fin|rsv2|rsv3|1, question("x")), ping("")), chop: 50, want: []string{"= a", "drop"}, lost: true},
		{name: "3.4 RSV1, byte by byte", send: join(text("a"), frame(fin|rsv1|1, question("x")), ping("")), chop: 1, want: []string{"= a", "drop"}, lost: true},
		{name: "3.5 RSV1 and RSV3, binary", send: frame(fin|rsv1|rsv3|2, []byte("\x00\xff")), want: []string{"drop"}},
		{name: "3.6 RSV1 and RSV2, ping", send: frame(fin|rsv1|rsv2|9, []byte("p")), want: []string{"drop"}},
		{name: "3.7 all, close", send: frame(fin|rsv1|rsv2|rsv3|8, []byte{3, 0xe8}), want: []string{"drop"}},
	}
	for i, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		group, n := 1, i+1
		if i > 4 {
			group, n = 2, i-4
		}
		cases = append(cases,
			conversation{name: fmt.Sprintf("4.%d.%d opcode %d", group, n, op), send: frame(fin|op, nil), want: []string{"drop"}},
			conversation{name: fmt.Sprintf("4.%d.%d opcode %d with payload, after a text", group, n, op),
				send: join(text("a"), frame(fin|op, []byte("reserved opcode payload")), ping("")), want: []string{"= a", "drop"}, lost: true})
	}
	converse(t, r, token, "v1.json", cases)
}

func TestAutobahnFragmentation(t *testing.T) {
	r, _, token := wsRig(t)
	q := question("fragment1fragment2fragment3")
	two := pieces(ws.Text, q, 40)
	five := every(10, ws.Text, q)
	interleaved := func(control func(int) []byte) []byte {
		var b []byte
		for i, f := range five {
			if i > 0 {
				b = append(b, control(i)...)
			}
			b = append(b, f...)
		}
		return b
	}
	all := "fragment1fragment2fragment3"
	cases := []conversation{
		{name: "5.1 ping in two fragments", send: join(frame(9, []byte("fragment1")), frame(fin, []byte("fragment2"))), want: []string{"drop"}},
		{name: "5.2 pong in two fragments", send: join(frame(10, []byte("fragment1")), frame(fin, []byte("fragment2"))), want: []string{"drop"}},
		{name: "5.3 two fragments", send: join(two...), want: echoes(all)},
		{name: "5.4 two fragments, chopped", send: join(two...), chop: 7, want: echoes(all)},
		{name: "5.5 two fragments, byte by byte", send: join(two...), chop: 1, want: echoes(all)},
		{name: "5.6 ping between fragments", send: join(two[0], ping("ping"), two[1]), want: []string{"pong ping", "= " + all}, any: true},
		{name: "5.7 the same, chopped", send: join(two[0], ping("ping"), two[1]), chop: 9, want: []string{"pong ping", "= " + all}, any: true},
		{name: "5.8 the same, byte by byte", send: join(two[0], ping("ping"), two[1]), chop: 1, want: []string{"pong ping", "= " + all}, any: true},
		{name: "5.9 continuation of nothing, FIN", send: join(frame(fin, []byte("non-continuation payload")), text("a")), want: []string{"drop"}},
		{name: "5.10 the same, chopped", send: join(frame(fin, []byte("non-continuation payload")), text("a")), chop: 5, want: []string{"drop"}},
		{name: "5.11 the same, byte by byte", send: join(frame(fin, []byte("non-continuation payload")), text("a")), chop: 1, want: []string{"drop"}},
		{name: "5.12 continuation of nothing", send: join(frame(0, []byte("non-continuation payload")), text("a")), want: []string{"drop"}},
		{name: "5.13 the same, chopped", send: join(frame(0, []byte("non-continuation payload")), text("a")), chop: 5, want: []string{"drop"}},
		{name: "5.14 the same, byte by byte", send: join(frame(0, []byte("non-continuation payload")), text("a")), chop: 1, want: []string{"drop"}},
		{name: "5.15 two fragments, then a continuation of nothing", send: join(two[0], two[1], frame(0, []byte("x")), frame(fin, []byte("y"))),
			want: []string{"= " + all, "drop"}, lost: true},
		{name: "5.16 continuation first, twice", send: join(frame(0, []byte("fragment1")), frame(1, []byte("fragment2")), frame(fin, []byte("fragment3"))), want: []string{"drop"}},
		{name: "5.17 continuation with FIN first", send: join(frame(fin, []byte("fragment1")), frame(1, []byte("fragment2")), frame(fin, []byte("fragment3"))), want: []string{"drop"}},
		{name: "5.18 text inside a text", send: join(frame(1, []byte("fragment1")), frame(fin|1, []byte("fragment2"))), want: []string{"drop"}},
		{name: "5.20 unasked pongs between five fragments", send: interleaved(func(i int) []byte { return pong(fmt.Sprint(i)) }), want: echoes(all)},
		{name: "close between fragments", send: join(two[0], bye(1000, "")), want: []string{"close 1000"}},
	}
	converse(t, r, token, "v1.json", cases)
	t.Run("5.19 pings between five fragments", func(t *testing.T) {
		c := r.raw(token, "v1.json", "")
		c.t = t
		c.write(interleaved(func(int) []byte { return ping("p") }))
		got := c.events(2) // pings that wait are answered together
		for !slices.Contains(got, "= "+all) {
			got = append(got, c.events(1)...)
		}
		if !slices.Contains(got, "pong p") {
			t.Errorf("%q", got)
		}
	})
}

func TestAutobahnUTF8(t *testing.T) {
	r, _, token := wsRig(t)
	const kosme = "κόσμε"
	var cases []conversation
	good := func(id, s string) {
		cases = append(cases,
			conversation{name: id + " one frame", send: text(s), want: echoes(s)},
			conversation{name: id + " a byte a frame", send: join(every(1, ws.Text, question(s))...), want: echoes(s)},
			conversation{name: id + " a byte a frame, byte by byte", send: join(every(1, ws.Text, question(s))...), chop: 1, want: echoes(s)})
	}
	bad := func(id, s string) {
		cases = append(cases,
			conversation{name: id + " one frame", send: text(s), want: []string{"drop"}},
			conversation{name: id + " a byte a frame", send: join(every(1, ws.Text, question(s))...), want: []string{"drop"}},
			conversation{name: id + " two frames, byte by byte", send: join(pieces(ws.Text, question(s), 20)...), chop: 1, want: []string{"drop"}})
	}
	good("6.1 nothing", "")
	good("6.2 text", "Hello-µ@ßöäüàá-UTF-8!!")
	bad("6.3 surrogate in the middle", kosme+"\xed\xa0\x80edited")
	bad("6.4 above U+10FFFF", kosme+"\xf4\x90\x80\x80edited")
	good("6.5 Greek", kosme)
	for i, cut := range []int{1, 3, 4, 6, 8, 10} { // prefixes that end inside a character
		if s := kosme[:cut]; cut%2 == 1 {
			bad(fmt.Sprintf("6.6.%d cut", i), s)
		} else {
			good(fmt.Sprintf("6.6.%d prefix", i), s)
		}
	}
	for i, s := range []string{"\u0080", "\u0800", "\U00010000", "\u07ff", "\ufffd", "\uffff", "\U0010ffff"} {
		good(fmt.Sprintf("6.7-6.9 first and last of a length %d", i), s)
	}
	for i, s := range []string{"\ud7ff", "\ue000", "\ufffd", "\ufffe", "\U0001fffe", "\U0010fffe"} {
		good(fmt.Sprintf("6.11, 6.22 boundary %d", i), s)
	}
	for i, s := range []string{
		"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80", "\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf", // 6.8, 6.10
		"\xf4\x90\x80\x80",                                                     // 6.11.5
		"\x80", "\xbf", "\x80\xbf", "\x80\xbf\x80", "\x80\xbf\x80\xbf\x80\xbf", // 6.12
		"\xc0 \xc1 \xdf ", "\xe0 \xef ", "\xf0 \xf7 ", "\xf8 \xfb ", "\xfc \xfd ", // 6.13
		"\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xdf", "\xef\xbf", "\xf7\xbf\xbf", // 6.14
		"\xc0\xe0\x80\xf0\x80\x80\xdf\xef\xbf", // 6.15
		"\xfe", "\xff", "\xfe\xfe\xff\xff",     // 6.16
		"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf", "\xfc\x80\x80\x80\x80\xaf", // 6.17
		"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", // 6.18
		"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", // 6.19
		"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80", "\xed\xbf\xbf", // 6.20
		"\xed\xa0\x80\xed\xb0\x80", "\xed\xaf\xbf\xed\xbf\xbf", // 6.21
	} {
		bad(fmt.Sprintf("6.8-6.21 invalid %d", i), s)
	}
	converse(t, r, token, "v1.json", cases)
}

func TestAutobahnClose(t *testing.T) {
	r, _, token := wsRig(t)
	long := strings.Repeat("*", 123)
	closeFrame := func(payload string) []byte { return frame(fin|byte(ws.Close), []byte(payload)) }
	cases := []conversation{
		{name: "7.1.2 two closes", send: join(bye(1000, ""), bye(1000, "")), want: []string{"close 1000"}},
		{name: "7.1.3 ping behind the close", send: join(bye(1000, ""), ping("")), want: []string{"close 1000"}},
		{name: "7.1.4 text behind the close", send: join(bye(1000, ""), text("a")), want: []string{"close 1000"}},
		{name: "7.1.5 close inside a message, and its rest", send: join(frame(1, question("a")[:20]), bye(1000, ""), frame(fin, question("a")[20:])), want: []string{"close 1000"}},
		{name: "7.1.6 256 KiB, close, ping", send: join(text(strings.Repeat("*", 256<<10)), bye(1000, ""), ping("")),
			want: []string{"= " + strings.Repeat("*", 256<<10), "close 1000"}, lost: true},
		{name: "7.3.1 empty", send: closeFrame(""), want: []string{"close -1"}},
		{name: "7.3.2 one byte", send: closeFrame("a"), want: []string{"drop"}},
		{name: "7.3.3 code only", send: bye(1000, ""), want: []string{"close 1000"}},
		{name: "7.3.4 code and reason", send: bye(1000, "Hello World!"), want: []string{"close 1000 Hello World!"}},
		{name: "7.3.5 reason of 123 bytes", send: bye(1000, long), want: []string{"close 1000 " + long}},
		{name: "7.3.6 reason of 124 bytes", send: bye(1000, long+"x"), want: []string{"drop"}},
		{name: "7.5.1 reason that is not UTF-8", send: bye(1000, "κόσμε\xed\xa0\x80edited"), want: []string{"drop"}},
	}
	for i, code := range []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		cases = append(cases, conversation{name: fmt.Sprintf("7.7.%d code %d", i+1, code), send: bye(code, "why"), want: []string{fmt.Sprintf("close %d why", code)}})
	}
	for i, code := range []uint16{0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		cases = append(cases, conversation{name: fmt.Sprintf("7.9.%d code %d", i+1, code), send: bye(code, "why"), want: []string{"close 1002 Protocol violation"}})
	}
	converse(t, r, token, "v1.json", cases)
	t.Run("7.1.1 text, then close", func(t *testing.T) {
		c := r.raw(token, "v1.json", "")
		c.t = t
		c.write(text("Hello World!"))
		got := c.events(1)
		c.write(bye(1000, ""))
		if got = append(got, c.events(1)...); !slices.Equal(got, []string{"= Hello World!", "close 1000"}) {
			t.Errorf("%q", got)
		}
	})
}

// Limits and sizes: messages of megabytes, in frames and chops of many sizes, and
// many small ones.
func TestAutobahnLimits(t *testing.T) {
	r, _, token := wsRig(t)
	large := func(n int) string { return strings.Repeat("BAsd7&jh23", n/10+1)[:n] }
	mega := large(1 << 20)
	cases := []conversation{
		{name: "9.1 text of 64 KiB", send: text(large(64 << 10)), want: echoes(large(64 << 10))},
		{name: "9.1 text of 1 MiB", send: text(large(1 << 20)), want: echoes(large(1 << 20))},
		{name: "9.1 text of 4 MiB", send: text(large(4 << 20)), want: echoes(large(4 << 20))},
		{name: "9.3 1 MiB in frames of 64", send: join(every(64, ws.Text, question(mega))...), want: echoes(mega)},
		{name: "9.3 1 MiB in frames of 1 KiB", send: join(every(1<<10, ws.Text, question(mega))...), want: echoes(mega)},
		{name: "9.3 1 MiB in frames of 256 KiB", send: join(every(256<<10, ws.Text, question(mega))...), want: echoes(mega)},
		{name: "9.5 256 KiB in chops of 64", send: text(large(256 << 10)), chop: 64, want: echoes(large(256 << 10))},
		{name: "9.5 1 MiB in chops of 2 KiB", send: text(large(1 << 20)), chop: 2 << 10, want: echoes(large(1 << 20))},
		{name: "10.1.1 64 KiB in frames of 1300", send: join(every(1300, ws.Text, question(large(64<<10)))...), want: echoes(large(64 << 10))},
	}
	for _, n := range []int{0, 16, 1024} {
		s := large(n)
		cases = append(cases, conversation{name: fmt.Sprintf("9.7 1000 texts of %d", n), send: bytes.Repeat(text(s), 1000), want: slices.Repeat(echoes(s), 1000)})
	}
	converse(t, r, token, "v1.json", cases)
	var blobs []conversation
	for _, n := range []int{0, 16, 1024} {
		s := large(n)
		blobs = append(blobs, conversation{name: fmt.Sprintf("9.8 1000 blobs of %d", n), send: bytes.Repeat(data([]byte(s)), 1000), want: slices.Repeat(echoes(s), 1000)})
	}
	blobs = append(blobs,
		conversation{name: "9.2 binary of 16 MiB", send: data([]byte(large(16 << 20))), want: echoes(large(16 << 20))},
		conversation{name: "9.6 binary of 256 KiB in chops of 128", send: data([]byte(large(256 << 10))), chop: 128, want: echoes(large(256 << 10))})
	converse(t, r, token, "v1.bsatn", blobs)
}

// What Autobahn does not send: frames without a mask, lengths in a longer form than
// needed, and lengths that are only claimed.
func TestBrokenHeaders(t *testing.T) {
	r, db, token := wsRig(t)
	unmasked := ws.AppendHeader(nil, ws.Text, true, len(question("x")))
	converse(t, r, token, "v1.json", []conversation{
		{name: "no mask", send: append(unmasked, question("x")...), want: []string{"drop"}},
		{name: "no mask, inside a message", send: join(frame(1, question("x")[:10]), []byte{0x80, 1, 'x'}), want: []string{"drop"}},
		{name: "5 bytes in 16 bits", send: append([]byte{0x81, 0xfe, 0, 5, 0, 0, 0, 0}, "xxxxx"...), want: []string{"drop"}},
		{name: "5 bytes in 64 bits", send: append([]byte{0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0}, "xxxxx"...), want: []string{"drop"}},
		{name: "2^63 bytes", send: []byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, want: []string{"drop"}},
		{name: "33,554,433 bytes claimed", send: []byte{0x82, 0xff, 0, 0, 0, 0, 2, 0, 0, 1, 0, 0, 0, 0}, want: []string{"drop"}},
		{name: "too many bytes in fragments", send: join(frame(1, make([]byte, 1<<20)), []byte{0x80, 0xff, 0, 0, 0, 0, 1, 0xf0, 0, 1, 0, 0, 0, 0}), want: []string{"drop"}},
		{name: "long close", send: frame(fin|8, make([]byte, 126)), want: []string{"drop"}},
	})
	db.waitDetached(8)
}
