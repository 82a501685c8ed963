package client

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// A callback that takes its time is reported while it does.
func TestStalledCallback(t *testing.T) {
	var log lockedBuffer
	var c *Conn
	c, err := newConn(nil, Options{
		URL: "http://localhost", Database: "db", Logger: slog.New(slog.NewTextHandler(&log, nil)),
		OnState: func(State) {
			for end := time.Now().Add(time.Minute); !strings.Contains(log.String(), "stood still"); time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Error("nothing is reported")
					return
				}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.delivery.patience = time.Millisecond
	c.deliver(&item{state: &State{Phase: Live}})
	c.stop()
}
