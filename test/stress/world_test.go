package stress

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime"
	"github.com/stdbgo/spacetime/sats"
)

const database = "stress"

// A world is a server in this process with the module as its database.
type world struct {
	t      *testing.T
	server *spacetime.Server
	http   *httptest.Server
	ctx    context.Context
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s, err := spacetime.Open(t.TempDir(), spacetime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	w := &world{t: t, server: s, http: httptest.NewServer(s), ctx: ctx}
	t.Cleanup(func() {
		cancel()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		w.http.Close()
	})
	if err := s.PublishLinked(ctx, database); err != nil {
		t.Fatal(err)
	}
	return w
}

// A bag holds rows, and how often each is in it.
type bag map[string]int

func (b bag) add(row string, n int) {
	if b[row] += n; b[row] == 0 {
		delete(b, row)
	}
}

// diff says where two bags differ.
func diff(got, want bag) string {
	var out []string
	for row, n := range want {
		if got[row] != n {
			out = append(out, fmt.Sprintf("%s: %d times, want %d", row, got[row], n))
		}
	}
	for row, n := range got {
		if want[row] == 0 {
			out = append(out, fmt.Sprintf("%s: %d times, want none", row, n))
		}
	}
	return strings.Join(out[:min(len(out), 5)], "\n")
}

// text is a row as the JSON array of its columns.
func text(table string, row []byte) (string, error) {
	r := sats.NewReader(row)
	var s string
	switch table {
	case "item":
		s = fmt.Sprintf("[%d,%d,%d,%q]", r.U32(), r.U32(), r.I64(), r.Str())
	case "grp":
		s = fmt.Sprintf("[%d,%d,%t]", r.U32(), r.U32(), r.Bool())
	case "clock":
		s = fmt.Sprintf("[%d,%d]", r.U8(), r.U64())
	default:
		return "", fmt.Errorf("a row of table %q", table)
	}
	if r.Err() != nil || r.Len() > 0 {
		return "", fmt.Errorf("row %x of %s: %v, %d bytes left", row, table, r.Err(), r.Len())
	}
	return s, nil
}

// sql answers a query by HTTP.
func (w *world) sql(query string) bag {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.ctx, http.MethodPost, w.http.URL+"/v1/database/"+database+"/sql", strings.NewReader(query))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.server.Token())
	res, err := w.http.Client().Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		w.t.Fatalf("%s: %d %s %v", query, res.StatusCode, body, err)
	}
	var answer []struct{ Rows []json.RawMessage }
	if err := json.Unmarshal(body, &answer); err != nil {
		w.t.Fatalf("%s: %v in %s", query, err, body)
	}
	rows := bag{}
	for _, row := range answer[0].Rows {
		rows.add(string(bytes.TrimSpace(row)), 1)
	}
	return rows
}
