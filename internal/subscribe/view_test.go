package subscribe_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

// Changes of one instance of a view concern the queries on that instance and no others.
func TestInstancesAreEvaluatedApart(t *testing.T) {
	spec.Covers(t, "07.74")
	b := newBench(t)
	tx := b.store.Begin()
	table, _, err := tx.CreateView(&schema.ViewDef{
		Name: "v", IsPublic: true, IsAnonymous: true, RowType: sats.Product(sats.E("id", sats.U32)),
		Params: sats.Product(sats.E("n", sats.U32)), ParamCols: sats.Product(sats.E("n", sats.U32)),
		Columns: []schema.ColumnDef{{Name: "id", Type: sats.U32}},
	})
	if err != nil {
		t.Fatal(err)
	}
	tx.Commit(nil)
	var watched []string
	b.m.Watch = func(q *subscribe.Query, step int) { watched = append(watched, fmt.Sprint(step, " ", q.Text)) }
	const n = 50
	one, two := b.client(wire.V2), b.client(wire.V2)
	for i := range n {
		b.handle(one.c, &wire.SubscribeSet{QuerySetID: uint32(i), Queries: []string{fmt.Sprintf("SELECT * FROM v(%d)", i)}})
	}
	b.handle(two.c, &wire.SubscribeSet{QuerySetID: 1, Queries: []string{"SELECT * FROM v(1)", "SELECT * FROM v(1.0)"}})
	if len(watched) != n+1 {
		t.Errorf("%d queries became live; want %d", len(watched), n+1)
	}
	insert := func(tx *store.Tx, i, id int) {
		qs, err := b.compile(fmt.Sprintf("SELECT * FROM v(%d)", i))
		if err != nil {
			t.Fatal(err)
		}
		hash := qs[0].Plans[0].Views()[0].Hash
		if _, _, err := tx.Insert(table.ID, sats.AppendU32(slices.Clone(hash[:]), uint32(id))); err != nil {
			t.Fatal(err)
		}
	}
	tx = b.store.Begin()
	insert(tx, 1, 7)
	c := tx.Commit(nil)
	v := b.store.View()
	defer v.Close()
	got := b.m.Concerned(v, c.Delta)
	slices.Sort(got)
	if want := []string{"SELECT * FROM v(1)", "SELECT * FROM v(1.0)"}; !slices.Equal(got, want) {
		t.Errorf("evaluated %q; want %q", got, want)
	}
	messages := two.messages
	b.commit(func(tx *store.Tx) { insert(tx, 2, 8) }, nobody)
	if two.messages != messages {
		t.Error("a client hears of an instance that it does not look at")
	}
	watched = nil
	b.m.Remove(one.c)
	b.m.Remove(two.c)
	if len(watched) != n+1 || watched[0][:2] != "-1" {
		t.Errorf("%d queries ended; want %d", len(watched), n+1)
	}
}
