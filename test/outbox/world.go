package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// A database is one under test.
type database struct{ name, identity string }

// A world is what was sent.
type world struct {
	ctx       context.Context
	server    *server
	rng       *rand.Rand
	databases []database

	n                   uint64          // of the last letter
	sent                map[uint64]bool // acknowledged as durable
	acknowledged, there int
}

// A letter as it stands in a table.
type letter struct {
	id   uint64
	peer string // who it is for, or from
	n    uint64
	text string
}

func (w *world) open() error {
	for _, name := range names() {
		status, b, err := w.server.ask(w.ctx, http.MethodGet, "/v1/database/"+name+"/identity", nil)
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("%s: %d %s %v", name, status, b, err)
		}
		w.databases = append(w.databases, database{name, string(b)})
	}
	if len(w.databases) == 0 {
		return fmt.Errorf("DATABASES is empty")
	}
	return nil
}

// send sends a letter; the answer comes when it is on disk.
func (w *world) send(ctx context.Context, from, to database, n uint64, text string) (status int, err error) {
	body := fmt.Sprintf(`[["0x%s"],%d,%q]`, to.identity, n, text)
	status, answer, err := w.server.ask(ctx, http.MethodPost, "/v1/database/"+from.name+"/call/send?confirmed=true", []byte(body))
	if err == nil && status != http.StatusOK && status != reducerFailed {
		err = fmt.Errorf("%d %s", status, answer)
	}
	return status, err
}

// reducerFailed is the status of a reducer that ran and refused.
const reducerFailed = 530

// table reads letters in the order of their ids. SQL gives an identity as ["0x…"].
func (w *world) table(db database, table, peer string) ([]letter, error) {
	rows, err := w.server.rows(w.ctx, db.name, "SELECT id, "+peer+", n, text FROM "+table)
	if err != nil {
		return nil, err
	}
	var list []letter
	for _, row := range rows {
		var l letter
		var id []string
		for i, to := range []any{&l.id, &id, &l.n, &l.text} {
			if err := json.Unmarshal(row[i], to); err != nil {
				return nil, fmt.Errorf("table %s: %s: %w", table, row[i], err)
			}
		}
		l.peer = strings.TrimPrefix(id[0], "0x")
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b letter) int { return cmp.Compare(a.id, b.id) })
	return list, nil
}

// outcomes returns what was told of letters, by number, in the order of telling.
func (w *world) outcomes(db database) (map[uint64][]string, error) {
	rows, err := w.server.rows(w.ctx, db.name, "SELECT n, failure FROM outcome")
	if err != nil {
		return nil, err
	}
	m := map[uint64][]string{}
	for _, row := range rows {
		var n uint64
		var failure string
		if err := json.Unmarshal(row[0], &n); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(row[1], &failure); err != nil {
			return nil, err
		}
		m[n] = append(m[n], failure)
	}
	return m, nil
}

// drained waits until no letter is left.
func (w *world) drained() error {
	left := 0
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); {
		left = 0
		for _, db := range w.databases {
			rows, err := w.server.rows(w.ctx, db.name, "SELECT COUNT(*) AS n FROM letter")
			if err != nil {
				return err
			}
			n := 0
			if err := json.Unmarshal(rows[0][0], &n); err != nil {
				return err
			}
			left += n
		}
		if left == 0 {
			return nil
		}
		select {
		case <-w.ctx.Done():
			return w.ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("%d letters do not arrive", left)
}

// exchange sends letters of all kinds from one database to another.
func (w *world) exchange(from, to database) error {
	texts := []string{"first", "refuse", "torn up", "panic", "bad callback", "last"}
	failures := map[string]string{"first": "", "refuse": "refused", "panic": "The instance encountered a fatal error.", "last": ""}
	first := w.n
	for _, text := range texts {
		w.n++
		status, err := w.send(w.ctx, from, to, w.n, text)
		if err != nil || (status == http.StatusOK) == (text == "torn up") {
			return fmt.Errorf("send %q: %d %v", text, status, err)
		}
	}
	if err := w.drained(); err != nil {
		return err
	}
	got, err := w.table(to, "got", "sender")
	if err != nil {
		return err
	}
	var arrived []string
	for _, l := range got {
		if l.n <= first {
			continue
		}
		if l.peer != from.identity {
			return fmt.Errorf("letter %d is from %s; want %s", l.n, l.peer, from.identity)
		}
		arrived = append(arrived, l.text)
	}
	if want := []string{"first", "bad callback", "last"}; !slices.Equal(arrived, want) {
		return fmt.Errorf("arrived: %q; want %q", arrived, want)
	}
	told, err := w.outcomes(from)
	if err != nil {
		return err
	}
	for i, text := range texts {
		want, wanted := failures[text]
		n := first + 1 + uint64(i)
		if have := told[n]; wanted != (len(have) == 1) || wanted && have[0] != want {
			return fmt.Errorf("outcomes of %q: %q; want %q", text, have, want)
		}
	}
	return nil
}

// round sends letters in all directions until the server is killed, and starts it
// again.
func (w *world) round() error {
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 6 {
		rng := rand.New(rand.NewPCG(w.rng.Uint64(), 1))
		wg.Go(func() {
			for ctx.Err() == nil {
				from, to := w.databases[rng.IntN(len(w.databases))], w.databases[rng.IntN(len(w.databases))]
				text := []string{"plain", "plain", "plain", "refuse", "torn up", "bad callback"}[rng.IntN(6)]
				mu.Lock()
				w.n++
				n := w.n
				mu.Unlock()
				status, err := w.send(ctx, from, to, n, text)
				if err != nil {
					return // the server is dead
				}
				if status == http.StatusOK {
					mu.Lock()
					w.sent[n] = true
					w.acknowledged++
					mu.Unlock()
				}
			}
		})
	}
	before := w.acked(&mu)
	for end := time.Now().Add(time.Minute); w.acked(&mu) < before+40 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(time.Duration(w.rng.IntN(300)) * time.Millisecond)
	w.server.kill()
	cancel()
	wg.Wait()
	return w.server.start(w.ctx)
}

func (w *world) acked(mu *sync.Mutex) int {
	mu.Lock()
	defer mu.Unlock()
	return w.acknowledged
}

// verify compares what was sent with what has arrived and what was told.
func (w *world) verify() error {
	if err := w.drained(); err != nil {
		return err
	}
	arrived := map[string][]uint64{} // by sender and receiver
	for _, to := range w.databases {
		got, err := w.table(to, "got", "sender")
		if err != nil {
			return err
		}
		for _, l := range got {
			key := l.peer + " " + to.identity
			arrived[key] = append(arrived[key], l.n)
		}
	}
	want := map[string][]uint64{}
	found := map[uint64]bool{}
	for _, from := range w.databases {
		sent, err := w.table(from, "sent", "to")
		if err != nil {
			return err
		}
		told, err := w.outcomes(from)
		if err != nil {
			return err
		}
		w.there += len(sent)
		for _, l := range sent {
			found[l.n] = true
			if l.text != "refuse" && l.text != "panic" {
				key := from.identity + " " + l.peer
				want[key] = append(want[key], l.n)
			}
			if once := l.text != "bad callback"; once != (len(told[l.n]) == 1) || len(told[l.n]) > 1 {
				return fmt.Errorf("%s was told %d times of letter %d (%s)", from.name, len(told[l.n]), l.n, l.text)
			}
		}
	}
	for n := range w.sent {
		if !found[n] {
			return fmt.Errorf("letter %d was acknowledged and is lost", n)
		}
	}
	for key, list := range want {
		if !slices.Equal(list, arrived[key]) {
			return fmt.Errorf("%s: %d letters sent, %d arrived, or not in this order", key, len(list), len(arrived[key]))
		}
		delete(arrived, key)
	}
	if len(arrived) > 0 {
		return fmt.Errorf("letters arrived that nobody has sent: %v", arrived)
	}
	return nil
}
