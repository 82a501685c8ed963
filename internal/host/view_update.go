package host

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// reevaluateViews evaluates every instance with the code of a new module, after the
// schema has become the new module's (spec 08 §14.8). Instances of views that are gone,
// or are views anew, vanish.
func (db *Database) reevaluateViews(tx *store.Tx, m *module, at sats.Timestamp) error {
	list := slices.SortedFunc(maps.Values(db.views.instances), func(a, b *viewInstance) int { return cmp.Compare(a.number, b.number) })
	for _, x := range list {
		if id, ok := viewID(tx, x.name); !ok || id != x.view {
			tx.OnCommit(func() { db.views.drop(x) })
			continue
		}
		if err := db.refreshView(tx, m, x, at); err != nil {
			return updateFailure(err)
		}
	}
	return nil
}

// viewID returns the id of the view called name.
func viewID(r store.Reader, name string) (schema.ViewID, bool) {
	row, ok := r.FindUnique(schema.IxViewName, sats.AppendString(nil, name))
	var v schema.StViewRow
	if !ok || v.Decode(row) != nil {
		return 0, false
	}
	return v.ID, true
}

func updateFailure(err error) error {
	var failed *viewError
	if errors.As(err, &failed) && failed.trapped() {
		return errors.New("Trapped while evaluating views during database update")
	}
	if failed != nil && failed.err != nil {
		err = failed.err
	}
	return fmt.Errorf("Views evaluation did not complete successfully during database update: %w", err)
}

// repairViews makes the backing tables anew that are not what the module's views need,
// as databases of servers up to 2.6 have them (spec 08 §14.8). No instance exists.
func (db *Database) repairViews() error {
	tx := db.store.Begin()
	repaired := false
	for _, v := range byName(db.mod.def.Views, func(v *schema.ViewDef) string { return v.Name }) {
		t := tx.TableByName(v.Name)
		if t != nil && t.IsView && t.RowType().Equal(v.Instantiate().RowType()) && sameIndexes(t, v.Instantiate()) {
			continue
		}
		if !repaired {
			repaired = true
			db.system("Repairing stale view backing tables")
		}
		if err := repairView(tx, t, v); err != nil {
			tx.Rollback()
			return fmt.Errorf("host: repair the backing table of view %s: %w", v.Name, err)
		}
	}
	if !repaired {
		tx.Rollback()
		return nil
	}
	_, err := db.commit(tx, nil, nil)
	return err
}

func sameIndexes(a, b *schema.Table) bool {
	name := func(x *schema.Index) string { return x.Name }
	return slices.EqualFunc(byName(a.Indexes, name), byName(b.Indexes, name), func(x, y *schema.Index) bool {
		return x.Name == y.Name && slices.Equal(x.Cols, y.Cols) && x.Unique == y.Unique
	})
}

func repairView(tx *store.Tx, t *schema.Table, v *schema.ViewDef) error {
	if t != nil && t.Name == v.Name {
		if !t.IsView {
			return errors.New("an ordinary table has its name")
		}
		if err := tx.DropTable(t.ID); err != nil {
			return err
		}
	}
	_, _, err := tx.CreateView(v)
	return err
}
