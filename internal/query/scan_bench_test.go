package query

import (
	"encoding/binary"
	"math"
	"testing"
	"time"
)

// BenchmarkFullScan compares a full scan with a two-term filter with a loop
// written by hand over the same bytes, in turns: rows/s of the best run of each,
// and how many times the loop's time the plan takes (issue: at least 20 million
// narrow rows a second on one core).
func BenchmarkFullScan(b *testing.B) {
	const n = 100_000
	s, tables := benchStore(b, n)
	v := s.View()
	defer v.Close()
	plan := Compile(Select{
		From:  []Relation{{Table: tables[0]}},
		Where: And{cmp(col(tables, 0, "v"), Gt, num(10)), cmp(col(tables, 0, "k"), Ne, num(3))},
	})
	if _, ok := plan.full.(*filter); !ok {
		b.Fatal("the plan is not a filtered scan")
	}
	flat := make([]byte, 0, 12*n)
	for row := range v.Scan(tables[0].ID) {
		flat = append(flat, row...)
	}
	rows := 0
	byPlan := func() { plan.Run(v, func([]byte) bool { rows++; return true }) }
	byHand := func() {
		le := binary.LittleEndian
		for at := 0; at < len(flat); at += 12 {
			if le.Uint32(flat[at+8:]) > 10 && le.Uint32(flat[at+4:]) != 3 {
				rows++
			}
		}
	}
	best := [2]time.Duration{math.MaxInt64, math.MaxInt64}
	for b.Loop() {
		for i, run := range []func(){byPlan, byHand} {
			start := time.Now()
			run()
			best[i] = min(best[i], time.Since(start))
		}
	}
	b.ReportMetric(n/best[0].Seconds()/1e6, "Mrows/s")
	b.ReportMetric(n/best[1].Seconds()/1e6, "Mrows/s-loop")
	b.ReportMetric(float64(best[0])/float64(best[1]), "x-loop")
}
