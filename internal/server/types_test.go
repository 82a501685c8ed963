package server

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/zeebo/blake3"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	"github.com/stdbgo/spacetime/sats"
)

// all is a row type with every flavour's differences in it; pos is a name for a
// product behind a reference.
func (m *definition) all() []sats.Element {
	pos := m.named("Pos", sats.Product(sats.E("x", sats.I32), sats.E("y", sats.I32)))
	return columns(sats.E("id", sats.U64), sats.E("who", sats.IdentityType), sats.E("pos", pos),
		sats.E("nick", sats.Option(sats.String)), sats.E("raw", sats.Bytes))
}

const (
	allArgs    = `[1,["0x2a"],[3,-4],{"some":"A"},"00ff"]`
	allUntyped = `[1,["0x2a"],[3,-4],[0,"A"],"00ff"]`
	allStored  = `{"id":1,"who":{"__identity__":"0x2a"},"pos":{"x":3,"y":-4},"nick":[0,"A"],"raw":"00ff"}`
	allSchema  = `{"elements":[{"name":{"some":"id"},"algebraic_type":{"U64":[]}},` +
		`{"name":{"some":"who"},"algebraic_type":{"Product":{"elements":[{"name":{"some":"__identity__"},"algebraic_type":{"U256":[]}}]}}},` +
		`{"name":{"some":"pos"},"algebraic_type":{"Product":{"elements":[{"name":{"some":"x"},"algebraic_type":{"I32":[]}},{"name":{"some":"y"},"algebraic_type":{"I32":[]}}]}}},` +
		`{"name":{"some":"nick"},"algebraic_type":{"Sum":{"variants":[{"name":{"some":"some"},"algebraic_type":{"String":[]}},{"name":{"some":"none"},"algebraic_type":{"Product":{"elements":[]}}}]}}},` +
		`{"name":{"some":"raw"},"algebraic_type":{"Array":{"U8":[]}}}]}`
)

// allModule has a table of such rows and a reducer that adds one.
func allModule(r *realRig) *definition {
	m := newDefinition()
	cols := m.all()
	m.table("item", cols, keyOn(0)).reducer("add", cols...)
	r.engine.on("add", insertArgs("item"))
	return m
}

func TestRowsOverHTTP(t *testing.T) {
	spec.Covers(t, "01.18")
	r := newRealRig(t)
	r.must(allModule(r))
	r.call("add", allArgs)
	schema, rows, problem := r.sql(r.bob, "SELECT * FROM item")
	if problem != "" || len(rows) != 1 || rows[0] != allUntyped {
		t.Errorf("rows %s, %s; want %s", rows, problem, allUntyped)
	}
	if schema != allSchema {
		t.Errorf("schema\n%s\nwant\n%s", schema, allSchema)
	}
}

// The types of a module as the schema endpoint shows them; for the chat module of
// the official SDK the whole answer is known.
func TestSchemaOverHTTP(t *testing.T) {
	spec.Covers(t, "01.20", "02.48")
	r := newRealRig(t)
	r.must(allModule(r))
	for _, version := range []string{"9", "10"} {
		body := r.do("GET", "/v1/database/db/schema?version="+version, "", "").body
		for _, want := range []string{
			`{"elements":[{"name":{"some":"x"},"algebraic_type":{"I32":[]}},{"name":{"some":"y"},"algebraic_type":{"I32":[]}}]}`,
			`{"name":{"some":"who"},"algebraic_type":{"Product":{"elements":[{"name":{"some":"__identity__"},"algebraic_type":{"U256":[]}}]}}}`,
			`{"name":{"some":"pos"},"algebraic_type":{"Ref":0}}`,
			`{"Sum":{"variants":[{"name":{"some":"some"},"algebraic_type":{"String":[]}},{"name":{"some":"none"},"algebraic_type":{"Product":{"elements":[]}}}]}}`,
			`{"Array":{"U8":[]}}`,
			`{"none":[]}`,
		} {
			if !strings.Contains(body, want) {
				t.Errorf("version %s: no %s in\n%s", version, want, body)
			}
		}
	}
	text, err := os.ReadFile("../../testdata/vectors/moduledef_v10_chat_ts2.10.1.hex")
	if err != nil {
		t.Fatal(err)
	}
	chat, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	r.published("chat", r.alice, string(chat))
	for _, version := range []string{"9", "10"} {
		want, err := os.ReadFile("../../testdata/vectors/moduledef_v10_chat_ts2.10.1.schema_v" + version + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, want); err != nil {
			t.Fatal(err)
		}
		a := r.want(r.do("GET", "/v1/database/chat/schema?version="+version, "", ""), 200, compact.String())
		if kind := a.header.Get("Content-Type"); kind != "application/json" {
			t.Errorf("content type %s", kind)
		}
	}
	for _, query := range []string{"", "?version=", "?version=8", "?version=11", "?version=ten"} {
		if a := r.do("GET", "/v1/database/chat/schema"+query, "", ""); a.status != 400 {
			t.Errorf("schema%s: %d %s", query, a.status, a.body)
		}
	}
	r.want(r.do("GET", "/v1/database/nowhere/schema?version=9", "", ""), 404, "`nowhere` not found")
}

// Rows of the text protocol are strings with JSON in them: the stored form for
// rows that are read, the untyped one for those of a transaction.
func TestRowsOfTheTextProtocol(t *testing.T) {
	spec.Covers(t, "01.21")
	r := newRealRig(t)
	r.must(allModule(r))
	r.call("add", allArgs)
	p := r.dial(r.bob, "", "v1.json")
	p.next() // the identity token
	p.write(websocket.MessageText, []byte(`{"Subscribe":{"query_strings":["SELECT * FROM item"],"request_id":1}}`))
	inserts := func(message []byte) []string {
		t.Helper()
		at := regexp.MustCompile(`"inserts":(\[.*?\])[,}]\]?`).FindSubmatch(message)
		if at == nil {
			t.Fatalf("no inserts in %s", message)
		}
		var rows []string // fails unless every row is a string
		d := json.NewDecoder(bytes.NewReader(message[bytes.Index(message, []byte(`"inserts":`))+10:]))
		if err := d.Decode(&rows); err != nil {
			t.Fatalf("%v in %s", err, message)
		}
		return rows
	}
	if got := inserts(p.next()); len(got) != 1 || got[0] != allStored {
		t.Errorf("initial rows %q, want %q", got, allStored)
	}
	r.call("add", `[2,["0x2a"],[3,-4],{"some":"A"},"00ff"]`)
	if got := inserts(p.next()); len(got) != 1 || got[0] != "[2"+allUntyped[2:] {
		t.Errorf("rows of a transaction %q", got)
	}
	p.write(websocket.MessageText, []byte(`{"OneOffQuery":{"message_id":"01","query_string":"SELECT * FROM item WHERE id = 1"}}`))
	answer := p.next()
	escaped, _ := json.Marshal(allStored)
	if !bytes.Contains(answer, escaped) {
		t.Errorf("one-off query: no %s in %s", escaped, answer)
	}
}

// Behind a message of the first two protocols bytes are ignored; a frame of the
// third holds as many messages as there are bytes for.
func TestBytesBehindMessages(t *testing.T) {
	spec.Covers(t, "01.8")
	r := newRealRig(t)
	r.must(newDefinition())
	junk := []byte{0xff, 0xff, 0xff}
	p := r.dial(r.bob, "", "v1.bsatn")
	p.next()
	for range 2 {
		p.send(append(v1.AppendClient(nil, &wire.OneOffQuery{MessageID: []byte{9}, Query: "x"}), junk...))
		m, err := v1.DecodeServer(p.next()[1:])
		if got, ok := m.(*v1.OneOffQueryResponse); err != nil || !ok || !bytes.Equal(got.MessageID, []byte{9}) {
			t.Fatalf("v1: %+v, %v", m, err)
		}
	}
	p = r.dial(r.bob, "", "v2.bsatn")
	p.first()
	p.send(append(ask(1, 1), junk...))
	p.send(ask(2, 2)) // the second one is behind the first
	p.send(ask(4, 1))
	if got := p.answers(3); got[0] != 1 || got[1] != 2 || got[2] != 4 {
		t.Errorf("v2 answered %v", got)
	}
	p = r.dial(r.bob, "", "v3.bsatn")
	p.first()
	p.send(ask(1, 3))
	p.wantInOrder(1, 3)
	p.send(append(ask(4, 1), junk...)) // no message
	if code, _ := p.closed(); code == 1000 || code == 1001 {
		t.Errorf("v3 closed with %d", code)
	}
}

// Sums with more variants than a tag can tell apart are refused.
func TestWideSumsAreRefused(t *testing.T) {
	spec.Covers(t, "01.10")
	wide := func(n int) *sats.Type {
		s := sats.Sum()
		for i := range n {
			s.Elems = append(s.Elems, sats.E(fmt.Sprintf("v%d", i), sats.Unit))
		}
		return s
	}
	r := newRealRig(t)
	for name, build := range map[string]func(m *definition, n int){
		"column": func(m *definition, n int) {
			m.table("t", columns(sats.E("kind", m.named("Kind", wide(n)))))
		},
		"parameter": func(m *definition, n int) { m.reducer("f", sats.E("kind", m.named("Kind", wide(n)))) },
		"unused":    func(m *definition, n int) { m.named("Kind", wide(n)) },
	} {
		m := newDefinition()
		build(m, 257)
		if text := r.refused(m, 500, "257 variants"); !strings.Contains(text, "256") {
			t.Errorf("%s: the limit is not named in %q", name, text)
		}
		r.want(r.do("GET", "/v1/database/db", "", ""), 404, "`db` not found")
	}
	m := newDefinition()
	m.table("t", columns(sats.E("kind", m.named("Kind", wide(256))))).reducer("f", sats.E("kind", sats.Ref(0)))
	r.engine.on("f", insertArgs("t"))
	r.must(m)
	r.call("f", `[{"v255":[]}]`)
	r.wantRows("SELECT * FROM t", `[[255,[]]]`)
}

func TestReferencesOfModules(t *testing.T) {
	spec.Covers(t, "01.11")
	for name, c := range map[string]struct {
		build func(m *definition)
		want  string
	}{
		"out of range": {func(m *definition) { m.table("t", columns(sats.E("c", sats.Ref(7)))) }, "7"},
		"parameter":    {func(m *definition) { m.reducer("f", sats.E("c", sats.Ref(7))) }, "7"},
		"itself":       {func(m *definition) { m.reducer("f", sats.E("c", m.entry(sats.Ref(0)))) }, "&0"},
		"cycle of arrays": {func(m *definition) {
			m.entry(sats.Ref(1))
			m.reducer("f", sats.E("c", m.entry(sats.Array(sats.Ref(0)))))
		}, "&"},
		"cycle of an option": {func(m *definition) { m.reducer("f", sats.E("c", m.entry(sats.Option(sats.Ref(0))))) }, "&0"},
		"recursive column": {func(m *definition) {
			m.table("t", columns(sats.E("c", m.named("List", sats.Product(sats.E("n", sats.U8), sats.E("next", sats.Option(sats.Ref(0))))))))
		}, "recursive"},
	} {
		r := newRealRig(t)
		m := newDefinition()
		c.build(m)
		if text := r.refused(m, 500, c.want); t.Failed() {
			t.Errorf("%s: %s", name, text)
		}
	}

	// Chains are followed, in columns, in elements and in parameters; parameters
	// may be recursive.
	r := newRealRig(t)
	m := newDefinition()
	chain := m.entry(sats.Ref(1))
	m.entry(sats.Ref(2))
	m.entry(sats.U8)
	list := m.named("List", sats.Product(sats.E("n", chain), sats.E("next", sats.Option(sats.Ref(3)))))
	cols := columns(sats.E("a", chain), sats.E("b", sats.Array(chain)))
	m.table("t", cols).reducer("add", cols...).reducer("walk", sats.E("list", list))
	r.engine.on("add", insertArgs("t"))
	var got []byte
	r.engine.on("walk", func(c *abi.ReducerCall, _ abi.Services) error { got = bytes.Clone(c.Args); return nil })
	r.must(m)
	r.call("add", `[5,"0102"]`)
	schema, rows, _ := r.sql(r.alice, "SELECT * FROM t")
	if len(rows) != 1 || rows[0] != `[5,"0102"]` || strings.Contains(schema, "Ref") {
		t.Errorf("rows %s, schema %s", rows, schema)
	}
	r.call("walk", `[{"n":1,"next":{"some":[2,{"some":{"n":3,"next":null}}]}}]`)
	if want := "\x01\x00\x02\x00\x03\x01"; string(got) != want {
		t.Errorf("list %x, want %x", got, want)
	}
	deep := strings.Repeat(`[1,{"some":`, 70)
	if a := r.do("POST", "/v1/database/db/call/walk", r.alice, "["+deep, "content-type: application/json"); a.status != 400 || !strings.Contains(a.body, "recursion limit exceeded") {
		t.Errorf("a deep list: %d %s", a.status, a.body)
	}
}

func TestNewDatabasesHaveNewIdentities(t *testing.T) {
	spec.Covers(t, "01.45")
	r := newRealRig(t)
	seen := map[string]bool{r.owner(): true}
	for i := range 40 {
		path := "/v1/database"
		if i%2 == 1 {
			path += fmt.Sprintf("/db-%d", i)
		}
		method := map[bool]string{true: "PUT", false: "POST"}[i%2 == 1]
		a := r.do(method, path, r.alice, string(newDefinition().program()))
		at := regexp.MustCompile(`"database_identity":"(c200[0-9a-f]{60})"`).FindStringSubmatch(a.body)
		if at == nil || seen[at[1]] {
			t.Fatalf("%s: %d %s", path, a.status, a.body)
		}
		seen[at[1]] = true
		// It is derived like a user's: the checksum is right (spec 01 §7.1).
		id, err := sats.ParseIdentity(at[1])
		if err != nil || !hasChecksum(id) {
			t.Errorf("identity %s: %v", at[1], err)
		}
	}
}

// hasChecksum reports whether an identity was derived from claims.
func hasChecksum(id sats.Identity) bool {
	var big [32]byte
	for i, b := range id {
		big[31-i] = b
	}
	sum := blake3.Sum256(append([]byte{0xc2, 0x00}, big[6:]...))
	return bytes.Equal(sum[:4], big[2:6])
}

func TestConnectionIDs(t *testing.T) {
	spec.Covers(t, "01.46")
	// Random bytes decide, and zero is drawn again.
	source := rand.NewChaCha8([32]byte{7})
	drawn := io.MultiReader(bytes.NewReader(make([]byte, 32)), source)
	r, _, token := wsRig(t, func(o *Options) { o.Rand = drawn })
	twin := rand.NewChaCha8([32]byte{7})
	for range 3 {
		var want sats.ConnectionID
		_, _ = twin.Read(want[:])
		if got := r.dial(token, "", "v2.bsatn").first().ConnectionID; got != want || got.IsZero() {
			t.Errorf("connection id %s, want %s", got, want)
		}
	}
	const mine = "00FF0203A405060708090a0b0c0D0e0f"
	if got := r.dial(token, "connection_id="+mine, "v2.bsatn").first().ConnectionID.String(); got != strings.ToLower(mine) {
		t.Errorf("connection id %s, want %s", got, mine)
	}
	r.want(r.do("GET", "/v1/database/db/subscribe?connection_id="+strings.Repeat("0", 32), token, "",
		"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
		"Sec-WebSocket-Protocol: v2.bsatn.spacetimedb"), 400,
		"Invalid connection ID: the all-zeros ConnectionId is reserved.")

	// Requests over HTTP have one each.
	real := newRealRig(t)
	var ids []sats.ConnectionID
	real.engine.on("f", func(c *abi.ReducerCall, _ abi.Services) error { ids = append(ids, c.Conn); return nil })
	real.must(newDefinition().reducer("f"))
	for range 20 {
		real.call("f", "[]")
	}
	seen := map[sats.ConnectionID]bool{{}: true}
	for _, id := range ids {
		if seen[id] {
			t.Errorf("connection id %s is zero or used twice", id)
		}
		seen[id] = true
	}
	if len(ids) != 20 {
		t.Errorf("%d calls", len(ids))
	}
}

// Routes about identities and names speak plain JSON; the description of a
// database is a SATS value.
func TestIdentitiesInControlPlane(t *testing.T) {
	spec.Covers(t, "01.49")
	r := newRealRig(t)
	m := newDefinition()
	r.must(m)
	owner := r.owner()
	r.want(r.do("GET", "/v1/identity/"+owner+"/databases", "", ""), 200, `{"identities":["`+r.id+`"]}`)
	r.want(r.do("GET", "/v1/database/db/identity", "", ""), 200, r.id)
	r.want(r.publish(m), 200, `{"Success":{"domain":"db","database_identity":"`+r.id+`","op":"updated"}}`)
	if a := r.do("POST", "/v1/identity", "", ""); !regexp.MustCompile(`^\{"identity":"c200[0-9a-f]{60}","token":"[^"]+"\}$`).MatchString(a.body) {
		t.Errorf("new identity: %s", a.body)
	}
	hash := abi.HashProgram(m.program())
	r.want(r.do("GET", "/v1/database/db", "", ""), 200, `{"database_identity":{"__identity__":"0x`+r.id+`"},"owner_identity":{"__identity__":"0x`+owner+
		`"},"host_type":{"Wasm":[]},"initial_program":"`+hash.JSON()+`"}`)

	// Leading zeros stay in the plain form and fall away in the other.
	id := strings.Repeat("0", 61) + "1ab"
	a := r.do("PUT", "/v1/database/"+id, r.alice, string(m.program()))
	r.want(a, 200, `{"Success":{"domain":null,"database_identity":"`+id+`","op":"created"}}`)
	if got := r.do("GET", "/v1/database/"+id, "", "").body; !strings.HasPrefix(got, `{"database_identity":{"__identity__":"0x1ab"},`) {
		t.Errorf("description: %s", got)
	}
}
