package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/sats"
)

// commits returns where the commits of a segment begin, and where the last ends
// (spec 08 §25.2 and §25.3). The reader is this test's own.
func commits(segment []byte) ([]int, error) {
	if len(segment) < 10 || string(segment[:7]) != "(ds)^2\x01" {
		return nil, errors.New("no segment of version 1")
	}
	at := []int{10}
	for {
		from := at[len(at)-1]
		if len(segment)-from < 22 || bytes.Count(segment[from:from+22], []byte{0}) == 22 {
			return at, nil
		}
		end := from + 22 + int(binary.LittleEndian.Uint32(segment[from+18:]))
		if end+4 > len(segment) {
			return nil, fmt.Errorf("the commit at %d is cut short", from)
		}
		if crc32.Checksum(segment[from:end], crc32.MakeTable(crc32.Castagnoli)) != binary.LittleEndian.Uint32(segment[end:]) {
			return nil, fmt.Errorf("the commit at %d has a wrong checksum", from)
		}
		at = append(at, end+4)
	}
}

// lastSegment is the newest segment of a folder, its bytes and its commits.
func lastSegment(clog string) (path string, data []byte, at []int, err error) {
	all, err := filepath.Glob(filepath.Join(clog, "*.stdb.log"))
	if err != nil || len(all) == 0 {
		return "", nil, nil, fmt.Errorf("no segments in %s: %w", clog, err)
	}
	path = slices.Max(all)
	if data, err = os.ReadFile(path); err == nil {
		at, err = commits(data)
	}
	return path, data, at, err
}

// quiet sends messages one after the other, each a commit of its own, and kills
// the server while nothing is under way.
func (w *world) quiet(n int) ([]string, error) {
	c, err := w.dial(w.users[0].token)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }() // always nil
	var texts []string
	for range n {
		text := w.newText()
		if err := c.Call("send_message", sats.AppendString(nil, text)).Wait(w.ctx); err != nil {
			return nil, err
		}
		w.messages[text] = kept
		texts = append(texts, text)
	}
	w.server.kill()
	<-c.Done()
	w.users[0].order = w.users[0].order[:0]
	return texts, nil
}

// ready sends messages until the newest segment has commits enough to damage.
func (w *world) ready() (texts []string, path string, data []byte, at []int, err error) {
	for range 10 {
		if texts, err = w.quiet(5); err != nil {
			return
		}
		if path, data, at, err = lastSegment(w.clog); err != nil || len(at) >= 4 {
			return
		}
		if err = w.server.start(w.ctx); err != nil {
			return
		}
	}
	return nil, "", nil, nil, fmt.Errorf("%s has only %d commits", path, len(at)-1)
}

// commitHeader is the length of a commit's header; a torn commit of fewer bytes is
// cut off when the log is opened, a longer one is left.
const commitHeader = 22

// tornTail cuts the log inside its last commit, as a power failure does: that
// commit is gone, all others are there, and the old bytes stay.
func (w *world) tornTail() error {
	for _, long := range []bool{false, true, false, true} {
		texts, path, data, at, err := w.ready()
		if err != nil {
			return err
		}
		last, end := at[len(at)-2], at[len(at)-1]
		cut := last + 1 + w.rng.IntN(commitHeader-1)
		if long {
			cut = last + commitHeader + w.rng.IntN(end-last-commitHeader)
		}
		if err := os.Truncate(path, int64(cut)); err != nil {
			return err
		}
		w.messages[texts[len(texts)-1]] = gone
		if err := w.server.start(w.ctx); err != nil {
			return err
		}
		if err := w.compare(); err != nil {
			return fmt.Errorf("%s of %d bytes cut at %d, in the commit from %d to %d: %w", path, len(data), cut, last, end, err)
		}
		now, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if len(now) < last || !bytes.Equal(now[:last], data[:last]) {
			return fmt.Errorf("%s: bytes before the torn commit changed", path)
		}
		if long {
			if !bytes.Equal(now, data[:cut]) {
				return fmt.Errorf("%s: the torn commit was touched", path)
			}
			if newer, _, _, err := lastSegment(w.clog); err != nil || newer == path {
				return fmt.Errorf("%s: no new segment after the torn commit: %w", newer, err)
			}
		}
	}
	return nil
}

// flippedByte damages an early commit: the database must say so, and where, and
// nothing else must suffer. With the byte put right everything is there again.
func (w *world) flippedByte() error {
	program, err := os.ReadFile(module)
	if err != nil {
		return err
	}
	if err := w.server.get(w.ctx, http.MethodPut, "/v1/database/other", w.owner, program, nil); err != nil {
		return err
	}
	if err := w.server.get(w.ctx, http.MethodPost, "/v1/database/other/call/send_message", w.owner, []byte(`["still here"]`), nil); err != nil {
		return err
	}
	_, path, data, at, err := w.ready()
	if err != nil {
		return err
	}
	commit := w.rng.IntN(len(at) - 2) // not the last: that would be a torn end
	at1 := at[commit] + commitHeader + w.rng.IntN(at[commit+1]-at[commit]-commitHeader)
	damaged := bytes.Clone(data)
	damaged[at1] ^= 1 << w.rng.IntN(8)
	if err := os.WriteFile(path, damaged, 0o644); err != nil {
		return err
	}
	if err := w.server.start(w.ctx); err != nil {
		return err
	}
	status, answer, err := w.server.ask(w.ctx, http.MethodPost, "/v1/database/chat/sql", w.owner, []byte("SELECT * FROM user"))
	if err != nil {
		return err
	}
	if status < 500 {
		return fmt.Errorf("a damaged database answers %d %.200s", status, answer)
	}
	if err := w.damageReported(path, at[commit]); err != nil {
		return fmt.Errorf("%w; the answer was %d %s", err, status, answer)
	}
	texts, err := w.server.texts(w.ctx, "other", w.owner, "SELECT text FROM message")
	if err != nil || !slices.Equal(texts, []string{"still here"}) {
		return fmt.Errorf("the other database has %q: %w", texts, err)
	}
	w.server.kill()
	out, healthy, err := w.server.check()
	if want := fmt.Sprintf("DAMAGED: %s, byte %d: ", path, at[commit]); err != nil || healthy || !strings.Contains(out, want) {
		return fmt.Errorf("`db check` does not say %q: %w\n%s", want, err, out)
	}
	now, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, damaged) {
		return fmt.Errorf("%s: the damaged segment was written to", path)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return err
	}
	if err := w.server.start(w.ctx); err != nil {
		return err
	}
	return w.compare()
}

// damageReported looks for file and byte in the server's log.
func (w *world) damageReported(path string, at int) error {
	text, err := os.ReadFile(w.server.log.Name())
	if err != nil {
		return err
	}
	if want := fmt.Sprintf("%s, byte %d: ", path, at); !strings.Contains(string(text), want) {
		return fmt.Errorf("the server's log does not say %q", want)
	}
	return nil
}
