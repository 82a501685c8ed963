package abi

import (
	"math"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// now is the clock of these tests.
const now = sats.Timestamp(1_700_000_000_000_000)

type clockServices struct{ Services }

func (clockServices) Now() sats.Timestamp { return now }

// A schedule row must not be due more than 2^36−1 ms after the later of the call's
// time and now; it is refused after it has been written.
func TestScheduleDelay(t *testing.T) {
	spec.Covers(t, "03.35")
	s := store.New(store.Options{})
	tx := s.Begin()
	defer tx.Rollback()
	def := &schema.TableDef{
		Name: "timer", Kind: schema.User,
		RowType:     sats.Product(sats.E("id", sats.U64), sats.E("at", sats.ScheduleAtType)),
		Columns:     []schema.ColumnDef{{Name: "id", Type: sats.U64}, {Name: "at", Type: sats.ScheduleAtType}},
		Indexes:     []schema.IndexDef{{Name: "timer_id", Cols: []schema.ColID{0}}},
		Constraints: []schema.ConstraintDef{{Name: "timer_id_key", Cols: []schema.ColID{0}}},
		Schedule:    &schema.ScheduleDef{Name: "timer_sched", AtCol: 1, Function: "f"},
	}
	table, err := tx.CreateTable(def.Instantiate())
	if err != nil {
		t.Fatal(err)
	}
	c := NewContext(clockServices{}, Limits{}, nil)
	c.Begin(Call{Kind: KindReducer, Tx: tx, Time: now - 5})
	defer c.End()
	const limit = (1<<36 - 1) * 1000
	for i, tt := range []struct {
		at   sats.ScheduleAt
		want Errno
	}{
		{sats.ScheduleTime(now + limit - 1), OK},
		{sats.ScheduleTime(now + limit), ErrScheduleDelayTooLong},
		{sats.ScheduleTime(math.MaxInt64), ErrScheduleDelayTooLong},
		{sats.ScheduleTime(0), OK},
		{sats.ScheduleTime(math.MinInt64), OK},
		{sats.ScheduleInterval(limit - 1), OK},
		{sats.ScheduleInterval(limit), ErrScheduleDelayTooLong},
		{sats.ScheduleInterval(-limit), ErrScheduleDelayTooLong},
		{sats.ScheduleInterval(math.MinInt64), ErrScheduleDelayTooLong},
	} {
		row := tt.at.AppendBSATN(sats.AppendU64(nil, uint64(i+1)))
		if _, e := c.Insert(uint32(table.ID), row); e != tt.want {
			t.Errorf("insert %v: errno %d; want %d", tt.at, e, tt.want)
		}
		if n := tx.RowCount(table.ID); n != uint64(i+1) {
			t.Fatalf("insert %v: %d rows; want %d", tt.at, n, i+1)
		}
		if _, e := c.Update(uint32(table.ID), uint32(table.Indexes[0].ID), row); e != tt.want {
			t.Errorf("update %v: errno %d; want %d", tt.at, e, tt.want)
		}
	}
}
