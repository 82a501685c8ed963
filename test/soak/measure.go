package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A sample is what the server says of itself.
type sample struct {
	live       float64 // bytes of heap that the last collection left
	stacks     float64 // bytes
	goroutines float64
	clients    float64
}

func (w *world) measure(ctx context.Context) (s sample, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/v1/metrics", nil)
	if err != nil {
		return s, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return s, err
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue
		}
		series, _, _ := strings.Cut(name, "{")
		switch series {
		case "go_memstats_next_gc_bytes":
			s.live = v / 2 // the heap may double before the next collection
		case "go_memstats_stack_inuse_bytes":
			s.stacks = v
		case "go_goroutines":
			s.goroutines = v
		case "spacetime_worker_connected_clients":
			s.clients += v
		}
	}
	if s.goroutines == 0 {
		return s, fmt.Errorf("%s/v1/metrics does not tell the number of goroutines", w.url)
	}
	return s, lines.Err()
}

// watch samples for a time.
func (w *world) watch(ctx context.Context, d time.Duration) (all []sample, err error) {
	every := time.NewTicker(max(d/60, 200*time.Millisecond))
	defer every.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-every.C:
		}
		s, err := w.measure(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// slack is how much the last third of a run may differ from the second: what is in
// flight when a collection happens differs.
const slack = 16 << 20

// flat compares the second third of a run with the last; the first is for warming up.
func flat(all []sample) error {
	n := len(all) / 3
	if n < 3 {
		return fmt.Errorf("only %d samples: the run was too short", len(all))
	}
	second, last := median(all[n:2*n]), median(all[2*n:])
	fmt.Printf("second third: %.1f MiB heap, %.1f MiB stacks, %.0f goroutines, %.0f clients\n", second.live/(1<<20), second.stacks/(1<<20), second.goroutines, second.clients)
	fmt.Printf("last third:   %.1f MiB heap, %.1f MiB stacks, %.0f goroutines, %.0f clients\n", last.live/(1<<20), last.stacks/(1<<20), last.goroutines, last.clients)
	if last.live+last.stacks > 1.25*(second.live+second.stacks)+slack {
		return fmt.Errorf("memory grows: %.1f MiB, then %.1f MiB", (second.live+second.stacks)/(1<<20), (last.live+last.stacks)/(1<<20))
	}
	return nil
}

func median(all []sample) (m sample) {
	of := func(field func(sample) float64) float64 {
		var v []float64
		for _, s := range all {
			v = append(v, field(s))
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	m.live = of(func(s sample) float64 { return s.live })
	m.stacks = of(func(s sample) float64 { return s.stacks })
	m.goroutines = of(func(s sample) float64 { return s.goroutines })
	m.clients = of(func(s sample) float64 { return s.clients })
	return m
}

// settled waits until nothing of the clients is left.
func (w *world) settled(ctx context.Context, before sample) error {
	http.DefaultClient.CloseIdleConnections()
	const few = 10 // of HTTP connections and of what ends a little later
	var s sample
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		var err error
		if s, err = w.measure(ctx); err != nil {
			return err
		}
		if s.clients <= before.clients && s.goroutines <= before.goroutines+few {
			fmt.Printf("afterwards:   %.1f MiB heap, %.1f MiB stacks, %.0f goroutines of %.0f before, %.0f clients\n",
				s.live/(1<<20), s.stacks/(1<<20), s.goroutines, before.goroutines, s.clients)
			return nil
		}
	}
	return fmt.Errorf("all clients have gone and the server has %.0f goroutines, %.0f before; %.0f clients, %.0f before",
		s.goroutines, before.goroutines, s.clients, before.clients)
}
