package host

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
)

// A transaction that the log cannot take is refused with the reason; nothing of it is
// there, and the database goes on.
func TestTransactionsThatAreTooLarge(t *testing.T) {
	limit := maxTxRows
	maxTxRows = 3000
	defer func() { maxTxRows = limit }()
	w := newWorld(t)
	m := people("large").
		reducer("flood", nil, func(c *fakeCall) error {
			for i := range uint32(4) {
				if err := c.insert("person", append(u32(i), str(strings.Repeat("x", 1000))...)); err != nil {
					return err
				}
			}
			return nil
		}).
		open("flood_later", func(ctx context.Context, c *abi.ProcedureCall) error {
			tx, _, err := c.Host.StartTx(ctx)
			for i := uint32(0); i < 4 && err == nil; i++ {
				_, _, err = tx.Insert(tx.TableByName("person").ID, append(u32(i), str(strings.Repeat("x", 1000))...))
			}
			if err == nil {
				err = c.Host.CommitTx(ctx)
			}
			return err
		})
	db := w.create(m)
	const reason = "at most 3000 fit into one"
	if res, err := db.CallReducer(background, &CallRequest{Caller: alice, Name: "flood"}); err != nil || res.Status != Trapped || !strings.Contains(res.Message, reason) {
		t.Errorf("a reducer: %+v, %v", res, err)
	}
	if res := w.procedure(db, alice, "flood_later"); res.Status != Trapped || !strings.Contains(res.Message, reason) {
		t.Errorf("a procedure: %+v", res)
	}
	var values []string
	for i := range 4 {
		values = append(values, fmt.Sprintf("(%d, '%s')", i, strings.Repeat("y", 800)))
	}
	if got := w.sqlError(db, owner, "INSERT INTO person VALUES "+strings.Join(values, ", ")); !strings.Contains(got, reason) {
		t.Errorf("a statement: %s", got)
	}
	want(t, "persons", w.rows(db, "person"), nil)

	for i := range uint32(3) {
		w.call(db, alice, "add", append(u32(i), str(strings.Repeat("z", 1600))...))
	}
	if got := w.sqlError(db, owner, "DELETE FROM person WHERE id > 0"); !strings.Contains(got, reason) {
		t.Errorf("a deletion: %s", got)
	}
	w.restart()
	db = w.open()
	if n := len(w.rows(db, "person")); n != 3 {
		t.Errorf("%d persons after a restart", n)
	}
	w.sql(db, owner, "DELETE FROM person") // the record names the table only
	want(t, "persons", w.rows(db, "person"), nil)
}
