package stress

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/sats"
)

// write makes calls, some of which fail, several in flight, and counts those
// that committed.
func (w *world) write(seed uint64, calls int) (committed int) {
	conn := w.dial()
	defer conn.Close()
	random := rand.New(rand.NewPCG(seed, 2))
	var mu sync.Mutex
	var wg sync.WaitGroup
	room := make(chan struct{}, 16)
	for i := range calls {
		args := changeArgs{Seed: random.Uint64(), Steps: 1 + random.Uint32N(6), Note: fmt.Sprintf("%d/%d", seed, i)}
		name := "change"
		if random.IntN(5) == 0 {
			name = "change_and_fail"
		}
		answered := false
		room <- struct{}{}
		wg.Add(1)
		conn.CallFunc(name, sats.Append(nil, &args), func(c *client.Call) {
			defer wg.Done()
			<-room
			mu.Lock()
			defer mu.Unlock()
			if answered {
				w.t.Errorf("%s: answered twice", name)
			}
			answered = true
			var refused *client.ReducerError
			switch err := c.Err(); {
			case name == "change" && err == nil:
				committed++
			case name != "change" && errors.As(err, &refused) && refused.Message == errChanged.Error():
			default:
				w.t.Errorf("%s: %v", name, err)
			}
		})
	}
	wg.Wait()
	mu.Lock()
	defer mu.Unlock()
	return committed
}

// Clients of three protocols join and leave subscriptions while others write.
// None misses a change, sees one twice or in the wrong order, and at the end each
// holds what SQL says.
func TestCachesFollow(t *testing.T) {
	calls := 400
	if testing.Short() {
		calls = 100
	}
	w := newWorld(t)
	const writers, watchers = 6, 10
	stop := make(chan struct{})
	var watching, writing sync.WaitGroup
	var all []*watcher
	for i := range uint64(watchers) {
		v := w.watcher(i)
		all = append(all, v)
		watching.Go(func() { v.run(stop) })
	}
	var raws []*raw
	for i := range uint64(4) {
		r := w.raw(i)
		raws = append(raws, r)
		watching.Go(func() { r.run(stop) })
	}
	counts := make([]int, writers)
	for i := range counts {
		writing.Go(func() { counts[i] = w.write(uint64(i), calls) })
	}
	churn := make(chan struct{})
	watching.Go(func() { w.churn(churn) })
	writing.Wait()
	close(churn)
	close(stop)
	watching.Wait()

	committed := 0
	for _, n := range counts {
		committed += n
	}
	if got, want := w.sql("SELECT * FROM clock"), fmt.Sprintf("[0,%d]", committed); got[want] != 1 {
		t.Errorf("the clock says %v after %d calls that committed", got, committed)
	}
	for _, v := range all {
		v.join() // an answer: all that was before it has arrived
		v.check()
		if v.clock.clock != int64(committed) {
			t.Errorf("a client saw %d transactions of %d", v.clock.clock, committed)
		}
		if err := v.conn.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, r := range raws {
		r.check()
		r.close()
	}
}

// churn connects clients, subscribes them and drops them in all ways.
func (w *world) churn(stop <-chan struct{}) {
	random := rand.New(rand.NewPCG(7, 7))
	for {
		select {
		case <-stop:
			return
		default:
		}
		v := w.watcher(random.Uint64())
		for range random.IntN(4) {
			v.join()
		}
		if random.IntN(2) == 0 {
			_ = v.conn.Close()
			continue
		}
		r := w.raw(random.Uint64())
		r.join()
		r.abort()
		_ = v.conn.Close()
	}
}
