package server

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
)

// A large result is sent while it comes, in parts of a bounded size; a failure in
// the middle cuts it off, so that nobody takes a part for the whole.
func TestSQLIsStreamed(t *testing.T) {
	spec.Covers(t, "07.38")
	r := newRig(t)
	_, alice := r.identity()
	r.published("shop", alice, "p")
	r.fake.the(t).setDurable(6)
	ask := func(text string) (*http.Response, []byte, error) {
		resp, err := http.Post(r.url+"/v1/database/shop/sql", "text/plain", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return resp, body, err
	}
	resp, body, err := ask("MANY")
	if err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json" || resp.ContentLength >= 0 {
		t.Errorf("status %d, type %s, length %d: %v", resp.StatusCode, resp.Header.Get("Content-Type"), resp.ContentLength, err)
	}
	var results []struct {
		Rows  [][]uint32
		Micro *int64 `json:"total_duration_micros"`
		Stats map[string]uint64
	}
	if err := json.Unmarshal(body, &results); err != nil || len(results) != 1 || len(results[0].Rows) != manyRows || results[0].Micro == nil || len(results[0].Stats) != 3 {
		t.Fatalf("the answer of %d bytes: %v", len(body), err)
	}
	for i, row := range results[0].Rows {
		if row[0] != uint32(i) {
			t.Fatalf("row %d is %v", i, row)
		}
	}
	if resp, body, err := ask("BROKEN"); resp.StatusCode != 200 || err == nil || len(body) == 0 || json.Valid(body) {
		t.Errorf("a statement that fails late: status %d, %d bytes, %v", resp.StatusCode, len(body), err)
	}
	// The connection of others lives, and the disconnect has been run each time.
	if resp, _, err := ask("SELECT"); resp.StatusCode != 200 || err != nil {
		t.Errorf("afterwards: %d %v", resp.StatusCode, err)
	}
}

// The answer itself holds no more of the rows than one part.
func TestSQLAnswerIsBounded(t *testing.T) {
	spec.Covers(t, "07.38")
	r := newRig(t)
	_, alice := r.identity()
	r.published("shop", alice, "p")
	db := r.fake.the(t)
	most := 0
	w := &meter{header: http.Header{}, write: func(n int) { most = max(most, n) }}
	a := &sqlAnswer{q: &request{w: w, r: newRequest(t)}, ctx: t.Context(), db: db}
	if err := a.run(Caller{}, "MANY"); err != nil {
		t.Fatal(err)
	}
	if cap(a.body) > 2*flushBytes || most > 2*flushBytes || most == 0 {
		t.Errorf("%d bytes held, %d written at once", cap(a.body), most)
	}
}

type meter struct {
	header http.Header
	write  func(n int)
}

func (m *meter) Header() http.Header { return m.header }
func (m *meter) WriteHeader(int)     {}
func (m *meter) Write(b []byte) (int, error) {
	m.write(len(b))
	return len(b), nil
}

func newRequest(t *testing.T) *http.Request {
	req, err := http.NewRequestWithContext(t.Context(), "POST", "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}
