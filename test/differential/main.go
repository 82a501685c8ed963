// Command differential compares our encodings with those of an official SDK, on
// random types and values. A peer in Node answers every case with what the SDK
// makes of it; what differs is printed, with the seed that repeats it.
//
//	differential -seed N -n 3000 -name "spacetimedb 1.12.0" node peer.mjs PACKAGE META
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"

	"github.com/stdbgo/spacetime/sats"
)

// A request is a case as the peer reads it.
type request struct {
	Kind      string            `json:"kind"` // value, type or text
	Type      json.RawMessage   `json:"type,omitempty"`
	Typespace []json.RawMessage `json:"typespace"`
	BSATN     string            `json:"bsatn"`
	JSON      string            `json:"json,omitempty"` // a text; its numbers must not become floats
	What      string            `json:"what,omitempty"` // text: of what
	Text      string            `json:"text,omitempty"`
}

// An answer is what the SDK made of a case. A text that begins with "error: " is
// what it threw.
type answer struct {
	Failed   string `json:"failed"`
	Left     int    `json:"left"`
	Again    string `json:"again"`
	FromJSON string `json:"fromJSON"`
	JSON     string `json:"json"`
	BSATN    string `json:"bsatn"`
	Text     string `json:"text"`
}

// A test runs cases through one peer.
type test struct {
	generator
	to       *json.Encoder
	from     *bufio.Reader
	resultOK bool // the SDK encodes the error of a result by its own type
	iso      bool // it has texts of timestamps

	passed, failed int
	skipped        map[string]int
}

func main() {
	seed := flag.Uint64("seed", 1, "what the cases are drawn from")
	n := flag.Int("n", 3000, "values; as many types, and half as many texts")
	name := flag.String("name", "the SDK", "of the peer, for the report")
	results := flag.Bool("results", true, "whether the SDK encodes errors of results rightly")
	iso := flag.Bool("iso", true, "whether the SDK writes timestamps")
	flag.Parse()
	t := &test{generator: generator{rand.New(rand.NewPCG(*seed, 1))}, resultOK: *results, iso: *iso, skipped: map[string]int{}}
	if err := t.run(*n, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "differential:", err)
		os.Exit(2)
	}
	fmt.Printf("%s, seed %d: %d values, %d types, %d texts\n", *name, *seed, *n, *n, *n/2)
	for _, why := range []string{bom, nan, nested, resultErr, infinite, early} {
		if k := t.skipped[why]; k > 0 {
			fmt.Printf("  not compared: %5d %s\n", k, why)
		}
	}
	fmt.Printf("%d passed, %d failed\n", t.passed, t.failed)
	if t.failed > 0 {
		os.Exit(1)
	}
}

// Why something is not compared (spec 01 §9).
const (
	bom       = "encodings and JSON of values in which the SDK drops a leading U+FEFF of a string"
	nan       = "encodings of NaNs with a payload, which JavaScript does not keep"
	nested    = "values with some(none), which the SDK cannot represent"
	resultErr = "encodings of errors of results, which the SDK encodes as if they were values"
	infinite  = "JSON of floats that are not finite, which have none"
	early     = "texts of times before 1970, which the SDK rounds to the wrong side"
)

func (t *test) run(n int, command []string) error {
	if len(command) == 0 {
		return fmt.Errorf("no peer given")
	}
	peer := exec.Command(command[0], command[1:]...)
	peer.Stderr = os.Stderr
	in, err := peer.StdinPipe()
	if err != nil {
		return err
	}
	out, err := peer.StdoutPipe()
	if err != nil {
		return err
	}
	if err := peer.Start(); err != nil {
		return err
	}
	t.to, t.from = json.NewEncoder(in), bufio.NewReader(out)
	t.to.SetEscapeHTML(false)
	for range n {
		if err := t.oneValue(); err != nil {
			return err
		}
		if err := t.oneType(); err != nil {
			return err
		}
	}
	for range n / 2 {
		if err := t.oneText(); err != nil {
			return err
		}
	}
	if err := in.Close(); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, t.from); err != nil {
		return err
	}
	return peer.Wait()
}

// ask sends a case and reads the answer.
func (t *test) ask(q request) (a answer, err error) {
	if q.Typespace == nil {
		q.Typespace = []json.RawMessage{}
	}
	if err := t.to.Encode(q); err != nil {
		return a, err
	}
	line, err := t.from.ReadBytes('\n')
	if err != nil {
		return a, fmt.Errorf("the peer ended: %w", err)
	}
	return a, json.Unmarshal(line, &a)
}

// check counts one comparison.
func (t *test) check(what string, ok bool, q request, got, want any) {
	if ok {
		t.passed++
		return
	}
	t.failed++
	if t.failed <= 10 {
		fmt.Printf("FAIL %s\n  case %s %s %s\n  got  %v\n  want %v\n", what, q.Type, q.BSATN, q.JSON, got, want)
	}
}

func (t *test) skip(why string) { t.skipped[why]++ }

// oneValue compares a value: our bytes decoded and encoded by the SDK, our JSON
// encoded by it, and its JSON read by us.
func (t *test) oneValue() error {
	ts := t.typespace()
	typ := t.typ(4, len(ts.Types))
	var f flags
	v := t.value(ts, typ, 6, &f)
	b := sats.AppendValue(nil, v)
	flavor := pick(t.generator, []sats.Flavor{sats.FlavorUntyped, sats.FlavorNamed, sats.FlavorStored})
	text, rest, err := sats.AppendJSON(nil, ts, typ, b, flavor)
	if err != nil || len(rest) > 0 {
		return fmt.Errorf("our own JSON of %s %x: %w, %d bytes left", typ, b, err, len(rest))
	}
	q := request{Kind: "value", Type: sats.AppendTypeJSON(nil, typ), BSATN: hex.EncodeToString(b), JSON: string(text)}
	for _, e := range ts.Types {
		q.Typespace = append(q.Typespace, sats.AppendTypeJSON(nil, e))
	}
	a, err := t.ask(q)
	if err != nil {
		return err
	}
	if f.nested {
		t.skip(nested)
		return nil
	}
	t.check("decoding", a.Failed == "" && a.Left == 0, q, fmt.Sprintf("%s, %d bytes left", a.Failed, a.Left), "no error, nothing left")
	switch {
	case f.bom:
		t.skip(bom)
		return nil
	case f.nan:
		t.skip(nan)
	case f.err && !t.resultOK:
		t.skip(resultErr)
	default:
		t.check("encoding again", a.Again == q.BSATN, q, a.Again, q.BSATN)
	}
	if f.infinite {
		t.skip(infinite)
		return nil
	}
	if !f.err || t.resultOK {
		t.check("encoding from JSON", a.FromJSON == q.BSATN, q, a.FromJSON, q.BSATN)
	}
	ours, err := sats.ParseJSON(nil, ts, typ, []byte(a.JSON))
	t.check("reading its JSON", err == nil && string(ours) == string(b), q, fmt.Sprintf("%x, %v of %s", ours, err, a.JSON), q.BSATN)
	return nil
}

// oneType compares the encodings of a type.
func (t *test) oneType() error {
	typ := t.anyType(4)
	q := request{Kind: "type", Type: sats.AppendTypeJSON(nil, typ), BSATN: hex.EncodeToString(sats.AppendType(nil, typ))}
	a, err := t.ask(q)
	if err != nil {
		return err
	}
	t.check("encoding a type", a.Failed == "" && a.BSATN == q.BSATN, q, a.Failed+a.BSATN, q.BSATN)
	back, err := sats.ParseTypeJSON([]byte(a.JSON))
	t.check("decoding a type", err == nil && back.Equal(typ), q, a.JSON, string(q.Type))
	return nil
}

// oneText compares the text of a special value, and what parsing ours gives.
func (t *test) oneText() error {
	q := request{Kind: "text", What: pick(t.generator, []string{"identity", "connection_id", "uuid", "timestamp", "duration"})}
	var b []byte
	switch q.What {
	case "identity":
		id := sats.IdentityFromU256(sats.U256{t.word(), t.word(), t.word(), t.word()})
		b, q.Text = id.AppendBSATN(nil), id.String()
	case "connection_id":
		id := sats.ConnectionIDFromU128(sats.U128{Lo: t.word(), Hi: t.word()})
		b, q.Text = id.AppendBSATN(nil), id.String()
	case "uuid":
		id := sats.Uuid(sats.ConnectionIDFromU128(sats.U128{Lo: t.word(), Hi: t.word()}))
		b, q.Text = id[:], id.String()
	case "timestamp":
		at := sats.Timestamp(t.Int64N(253402300800000000))
		if t.IntN(4) == 0 {
			at = -at / 100
		}
		b, q.Text = sats.AppendU64(nil, uint64(at)), at.String()
	case "duration":
		d := sats.TimeDuration(t.word())
		b, q.Text = sats.AppendU64(nil, uint64(d)), d.String()
	}
	q.BSATN = hex.EncodeToString(b)
	a, err := t.ask(q)
	if err != nil {
		return err
	}
	switch {
	case q.What == "timestamp" && !t.iso:
		return nil
	case q.What == "timestamp" && strings.HasPrefix(q.Text, "-") || q.What == "timestamp" && b[7]&0x80 != 0:
		t.skip(early)
		return nil
	case q.What == "timestamp":
		back, err := sats.ParseTimestamp(a.Text)
		ours, errOurs := sats.ParseTimestamp(q.Text)
		t.check("text of a "+q.What, err == nil && errOurs == nil && back == ours && strings.TrimRight(a.Text[:19], "Z") == q.Text[:19], q, a.Text, q.Text)
		return nil
	}
	t.check("text of a "+q.What, a.Text == q.Text, q, a.Text, q.Text)
	if q.What != "duration" {
		t.check("parsing our text of a "+q.What, a.BSATN == q.BSATN, q, a.BSATN, q.BSATN)
	}
	return nil
}
