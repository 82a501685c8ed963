package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/sats"
)

// state says what is known about a message.
type state uint8

const (
	sent state = iota // its outcome is unknown: it may be there once, or not
	kept              // acknowledged, or seen after a restart: it is there once
	gone              // deleted, or not there after a restart: it must not come back
)

const (
	users     = 4
	inFlight  = 200 // calls of each user
	groupSize = 25
)

// A user is one connection that sends messages; its order is part of the promise.
type user struct {
	token    string
	identity sats.Identity
	order    []string // texts of this round, in the order of sending
}

// world is the model: what must be in the database "chat".
type world struct {
	ctx    context.Context
	server *server
	rng    *rand.Rand

	owner   string         // the owner's token
	info    map[string]any // what the server says about the database
	users   [users]*user
	clog    string
	serial  int
	starts  int
	pending string // the update of the group that nobody answered
	group   string // the text that the rows of the group carry

	mu           sync.Mutex
	messages     map[string]state
	acknowledged int
	updates      int
	checks       int
	unknown      int
	survived     int
}

// firstPublish makes the owner, the database and the users.
func (w *world) firstPublish() error {
	s := w.server
	if err := s.start(w.ctx); err != nil {
		return err
	}
	var identity struct{ Identity, Token string }
	if err := s.get(w.ctx, http.MethodPost, "/v1/identity", "", nil, &identity); err != nil {
		return err
	}
	w.owner = identity.Token
	program, err := os.ReadFile(module)
	if err != nil {
		return err
	}
	if err := s.get(w.ctx, http.MethodPut, "/v1/database/chat", w.owner, program, nil); err != nil {
		return err
	}
	s.kill()
	if err := s.start(w.ctx); err != nil {
		return err
	}
	if w.clog, err = clogOf(s.data(), nil); err != nil {
		return err
	}
	if err := s.get(w.ctx, http.MethodGet, "/v1/database/chat", w.owner, nil, &w.info); err != nil {
		return err
	}
	for i := range w.users {
		c, err := w.dial("")
		if err != nil {
			return err
		}
		w.users[i] = &user{token: c.Token(), identity: c.Identity()}
		if err := c.Call("set_name", sats.AppendString(nil, fmt.Sprintf("user %d", i))).Wait(w.ctx); err != nil {
			return err
		}
		if err := c.Close(); err != nil {
			return err
		}
	}
	return w.makeGroup()
}

func (w *world) dial(token string) (*client.Conn, error) {
	ctx, cancel := context.WithTimeout(w.ctx, 2*time.Minute)
	defer cancel()
	return client.Dial(ctx, nil, client.Options{URL: "http://" + w.server.addr, Database: "chat", Token: token, ConfirmedReads: client.ConfirmedYes})
}

// makeGroup adds rows that only ever change together, all in one transaction. The
// owner sends them, and nothing else.
func (w *world) makeGroup() error {
	c, err := w.dial(w.owner)
	if err != nil {
		return err
	}
	w.group = "group 0"
	for range groupSize {
		if err := c.Call("send_message", sats.AppendString(nil, w.group)).Wait(w.ctx); err != nil {
			return err
		}
	}
	return c.Close()
}

// newText is a message that was never sent; its length is part of what is checked.
func (w *world) newText() string {
	w.serial++
	size := 0
	switch w.rng.IntN(200) {
	case 0:
		size = 20_000
	case 1, 2, 3, 4, 5:
		size = w.rng.IntN(3000)
	}
	return fmt.Sprintf("message %d %s", w.serial, strings.Repeat(string(rune('a'+w.serial%26)), size))
}

// round puts the server under load, kills it, starts it again and compares.
func (w *world) round() error {
	var load sync.WaitGroup
	ctx, cancel := context.WithCancel(w.ctx)
	defer func() { cancel(); load.Wait() }()
	failures := make(chan error, users+1)
	for _, u := range w.users {
		c, err := w.dial(u.token)
		if err != nil {
			return err
		}
		if c.Identity() != u.identity {
			return fmt.Errorf("a token gives identity %s, before it gave %s", c.Identity(), u.identity)
		}
		load.Go(func() { failures <- w.send(u, c) })
	}
	load.Go(func() { failures <- w.updateGroup(ctx) })

	pause := time.Duration(20+w.intn(1000)) * time.Millisecond
	select {
	case <-time.After(pause):
	case err := <-failures:
		return fmt.Errorf("before the kill: %w", errors.Join(err, errors.New("the load ended")))
	}
	w.server.kill()
	cancel()
	load.Wait()
	for range users + 1 {
		if err := <-failures; err != nil {
			return err
		}
	}
	// Sometimes recovery itself is killed.
	for w.intn(3) == 0 {
		if err := w.server.launch(); err != nil {
			return err
		}
		time.Sleep(time.Duration(w.intn(150)) * time.Millisecond)
		w.server.kill()
	}
	if w.intn(3) == 0 {
		if out, healthy, err := w.server.check(); err != nil || !healthy {
			return fmt.Errorf("`db check` after a kill: %w\n%s", err, out)
		}
		w.checks++
	}
	if err := w.server.start(w.ctx); err != nil {
		return err
	}
	if err := w.compare(); err != nil {
		return err
	}
	if w.intn(3) == 0 {
		return w.deleteAll()
	}
	return nil
}

// retained wants checkpoints to have been taken, and the log to have been cut
// down to what they and the configuration need.
func (w *world) retained() error {
	checkpoints, err := filepath.Glob(filepath.Join(filepath.Dir(w.clog), "checkpoints", "*.checkpoint"))
	if err != nil {
		return err
	}
	segments, err := filepath.Glob(filepath.Join(w.clog, "*.stdb.log"))
	if err != nil {
		return err
	}
	fmt.Printf("     %d checkpoints and %d segments are left, %d offline checks\n", len(checkpoints), len(segments), w.checks)
	switch {
	case len(checkpoints) == 0 || len(checkpoints) > 3:
		return fmt.Errorf("%d checkpoints; want two, and perhaps one that a kill left", len(checkpoints))
	case len(segments) == 0 || slices.Min(segments) == filepath.Join(w.clog, "00000000000000000000.stdb.log"):
		return errors.New("the first segment is still there")
	case len(segments) > 20:
		return fmt.Errorf("%d segments are left", len(segments))
	}
	return nil
}

func (w *world) intn(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(n)
}

// send keeps many calls in flight until the connection ends.
func (w *world) send(u *user, c *client.Conn) error {
	defer func() { _ = c.Close() }() // always nil
	free := make(chan struct{}, inFlight)
	for range inFlight {
		free <- struct{}{}
	}
	failed := make(chan error, 1)
	u.order = u.order[:0]
	for {
		select {
		case <-free:
		case <-c.Done():
			return nil
		case err := <-failed:
			return err
		}
		w.mu.Lock()
		text := w.newText()
		w.messages[text] = sent
		w.mu.Unlock()
		u.order = append(u.order, text)
		c.CallFunc("send_message", sats.AppendString(nil, text), func(call *client.Call) {
			switch err := call.Err(); {
			case err == nil:
				w.mu.Lock()
				w.messages[text] = kept
				w.acknowledged++
				w.mu.Unlock()
				free <- struct{}{}
			case !errors.Is(err, client.ErrDisconnected):
				select {
				case failed <- err:
				default:
				}
			}
		})
	}
}

// updateGroup changes all rows of the group again and again, one statement at a
// time, until the server is gone.
func (w *world) updateGroup(ctx context.Context) error {
	for n := 1; ; n++ {
		next := fmt.Sprintf("group %d.%d", w.starts, n)
		w.pending = next
		_, err := w.server.sql(ctx, "chat", w.owner, fmt.Sprintf("UPDATE message SET text = '%s' WHERE text = '%s'", next, w.group))
		if err != nil {
			return w.gone(err)
		}
		w.group, w.pending = next, ""
		w.updates++
	}
}

// gone tells the end of the server from an answer that is an error.
func (w *world) gone(err error) error {
	select {
	case <-w.server.ended:
		return nil
	case <-time.After(time.Minute): // only where the server goes on
		return err
	}
}

// compare holds the database against the model, and settles what was unknown.
func (w *world) compare() error {
	w.starts++
	var info map[string]any
	if err := w.server.get(w.ctx, http.MethodGet, "/v1/database/chat", w.owner, nil, &info); err != nil {
		return err
	}
	if fmt.Sprint(info) != fmt.Sprint(w.info) {
		return fmt.Errorf("name, owner or program changed: %v, before %v", info, w.info)
	}
	if err := w.compareUsers(); err != nil {
		return err
	}
	texts, err := w.server.texts(w.ctx, "chat", w.owner, "SELECT text FROM message")
	if err != nil {
		return err
	}
	found := make(map[string]int, len(texts))
	for _, text := range texts {
		found[text]++
	}
	if err := w.compareGroup(found); err != nil {
		return err
	}
	for text := range found {
		if _, ok := w.messages[text]; !ok {
			return fmt.Errorf("the message %.60q was never sent", text)
		}
	}
	for _, u := range w.users {
		if err := w.compareOrder(u, found); err != nil {
			return err
		}
	}
	return w.compareMessages(found)
}

func (w *world) compareMessages(found map[string]int) error {
	for text, is := range w.messages {
		n := found[text]
		switch {
		case n > 1:
			return fmt.Errorf("the message %.60q is there %d times", text, n)
		case is == kept && n == 0:
			return fmt.Errorf("the acknowledged message %.60q is lost", text)
		case is == gone && n > 0:
			return fmt.Errorf("the message %.60q is there again", text)
		case is == sent:
			w.unknown++
			w.messages[text] = gone
			if n == 1 {
				w.survived++
				w.messages[text] = kept
			}
		}
	}
	return nil
}

// compareOrder checks that what one connection lost is the end of what it sent.
func (w *world) compareOrder(u *user, found map[string]int) error {
	end := slices.IndexFunc(u.order, func(text string) bool { return found[text] == 0 })
	if end < 0 {
		return nil
	}
	for _, text := range u.order[end:] {
		if found[text] > 0 {
			return fmt.Errorf("the message %.60q is there, but not %.60q, which the same connection sent before", text, u.order[end])
		}
	}
	return nil
}

// compareGroup checks that all rows of the group carry one text, the last
// acknowledged or the one under way, and takes them out of found.
func (w *world) compareGroup(found map[string]int) error {
	if w.pending != "" && found[w.pending] > 0 {
		if found[w.group] > 0 {
			return fmt.Errorf("half of an update is there: %d rows of %q, %d of %q", found[w.group], w.group, found[w.pending], w.pending)
		}
		w.group = w.pending
	}
	w.pending = ""
	if found[w.group] != groupSize {
		return fmt.Errorf("%d rows of the group carry %q, want %d", found[w.group], w.group, groupSize)
	}
	delete(found, w.group)
	return nil
}

// compareUsers checks that everybody is there once with the name, and that the
// server has called client_disconnected for everybody whom the crash cut off. The
// owner's own request counts as a client while it lasts.
func (w *world) compareUsers() error {
	names, err := w.server.sql(w.ctx, "chat", w.owner, "SELECT name FROM user WHERE online = false")
	if err != nil {
		return err
	}
	found := map[string]int{}
	for _, row := range names {
		found[string(row[0])]++
	}
	for i, u := range w.users {
		if n := found[fmt.Sprintf(`[0,"user %d"]`, i)]; n != 1 {
			return fmt.Errorf("user %d, %s, is there %d times as offline, want once; all: %v", i, u.identity, n, found)
		}
	}
	left, err := w.server.sql(w.ctx, "chat", w.owner, "SELECT identity FROM st_client")
	if err == nil && len(left) > 1 {
		err = fmt.Errorf("clients are left over: %s", left)
	}
	return err
}

// deleteAll deletes all messages but the group.
func (w *world) deleteAll() error {
	if _, err := w.server.sql(w.ctx, "chat", w.owner, fmt.Sprintf("DELETE FROM message WHERE text <> '%s'", w.group)); err != nil {
		return err
	}
	for text := range w.messages {
		w.messages[text] = gone
	}
	return nil
}
