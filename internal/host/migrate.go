package host

import (
	"fmt"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// matches checks that the database has the tables that its module declares: what a
// plan takes for granted.
func matches(r store.Reader, def *schema.ModuleDef) error {
	for _, d := range def.Tables {
		t, err := tableOf(r, d.Name)
		if err != nil {
			return err
		}
		if !t.RowType().Equal(d.RowType) {
			return fmt.Errorf("table `%s` has rows of type %s, but its module declares %s", d.Name, t.RowType(), d.RowType)
		}
	}
	return nil
}

func tableOf(r store.Reader, name string) (*schema.Table, error) {
	if t := r.TableByName(name); t != nil && t.Name == name {
		return t, nil
	}
	return nil, fmt.Errorf("the database has no table `%s`, which its module declares", name)
}

// precheck refuses a sequence whose column holds values that it would hand out.
func precheck(r store.Reader, c schema.SequencePrecheck) error {
	t := r.TableByName(c.Table.Name)
	lo, hi, ok := c.Range()
	col := int(c.Sequence.Col)
	if t == nil || !ok || col >= t.Layout.NumCols() {
		return nil // the table or the column is new and has no values
	}
	w := sats.NewWalker(t.Layout.ColType(col))
	for row := range r.Scan(t.ID) {
		v := t.Layout.Col(row, col)
		if w.Compare(v, lo) >= 0 && w.Compare(v, hi) <= 0 {
			return fmt.Errorf("%s", c.Message())
		}
	}
	return nil
}

// step carries out one step of a plan.
func (db *Database) step(tx *store.Tx, s schema.Step) error {
	switch s := s.(type) {
	case schema.AddTable:
		return db.addTable(tx, s.Table)
	case schema.RemoveTable:
		return db.removeTable(tx, s.Table)
	case schema.AddView:
		return db.addView(tx, s.View)
	case schema.RemoveView:
		return onTable(tx, s.View.Name, func(t *schema.Table) error { return tx.DropTable(t.ID) })
	case schema.UpdateView:
		return tx.UpdateView(s.New)
	case schema.AddRLS:
		db.system("Adding row-level security `%s`", s.SQL)
		return db.addRLS(tx, s.SQL)
	case schema.RemoveRLS:
		db.system("Removing row-level security `%s`", s.SQL)
		_, err := tx.DropRLS(s.SQL)
		return err
	case schema.ChangeAccess:
		return onTable(tx, s.Name, func(t *schema.Table) error { return tx.SetAccess(t.ID, s.New) })
	case schema.DisconnectAllUsers:
		db.system("Disconnecting all users")
		return nil
	}
	if handled, err := db.stepColumns(tx, s); handled {
		return err
	}
	return db.stepPart(tx, s)
}

// stepColumns carries out steps about a table's columns and names.
func (db *Database) stepColumns(tx *store.Tx, s schema.Step) (handled bool, err error) {
	switch s := s.(type) {
	case schema.AddColumns:
		err = onTable(tx, s.New.Name, func(t *schema.Table) error {
			_, err := tx.AddColumns(t.ID, s.Apply(t), s.Defaults())
			return err
		})
	case schema.ChangeColumns:
		db.system("Changing columns of table `%s`", s.New.Name)
		err = onTable(tx, s.New.Name, func(t *schema.Table) error { return tx.AlterRowType(t.ID, s.Apply(t)) })
	case schema.ReschemaEventTable:
		db.system("Changing columns of event table `%s`", s.New.Name)
		err = onTable(tx, s.New.Name, func(t *schema.Table) error { return tx.AlterRowType(t.ID, s.Apply(t)) })
	case schema.ChangePrimaryKey:
		db.system("Changing primary key for table `%s`", s.New.Name)
		err = onTable(tx, s.New.Name, func(t *schema.Table) error { return tx.SetPrimaryKey(t.ID, s.New.PrimaryKey) })
	case schema.ChangeTableAccessor:
		err = setAccessors(tx, s.New.Name, func(t *schema.Table) { t.Accessor = s.New.Accessor })
	case schema.ChangeColumnAccessor:
		err = setAccessors(tx, s.Table.Name, func(t *schema.Table) {
			for i := range t.Cols {
				if t.Cols[i].Name == s.New.Name {
					t.Cols[i].Accessor = s.New.Accessor
				}
			}
		})
	case schema.ChangeIndexSourceName:
		err = setAccessors(tx, s.Table.Name, func(t *schema.Table) {
			for i, ix := range t.Indexes {
				if ix.Name == s.New.Name {
					renamed := *ix
					renamed.Accessor = s.New.Accessor
					t.Indexes[i] = &renamed
				}
			}
		})
	case schema.ChangeOutbox:
		db.system("Changing outbox `%s`", s.New.Name)
		err = onTable(tx, s.New.Name, func(t *schema.Table) error { return tx.SetOutbox(t.ID, s.New.Outbox) })
	default:
		return false, nil
	}
	return true, err
}

// stepPart carries out steps about the parts of a table.
func (db *Database) stepPart(tx *store.Tx, s schema.Step) error {
	switch s := s.(type) {
	case schema.AddIndex:
		db.system("Creating index `%s` on table `%s`", s.Index.Name, s.Table.Name)
		return onTable(tx, s.Table.Name, func(t *schema.Table) error {
			_, err := tx.CreateIndex(t.ID, s.Table.InstantiateIndex(s.Index))
			return err
		})
	case schema.RemoveIndex:
		db.system("Dropping index `%s` on table `%s`", s.Index.Name, s.Table.Name)
		return onTable(tx, s.Table.Name, func(t *schema.Table) error {
			return dropPart(t.Indexes, s.Index.Name, func(x *schema.Index) string { return x.Name },
				func(x *schema.Index) error { return tx.DropIndex(x.ID) })
		})
	case schema.AddConstraint:
		db.system("Adding constraint `%s` on table `%s`", s.Constraint.Name, s.Table.Name)
		return onTable(tx, s.Table.Name, func(t *schema.Table) error {
			_, err := tx.CreateConstraint(t.ID, &schema.Constraint{Name: s.Constraint.Name, Cols: s.Constraint.Cols})
			return err
		})
	case schema.RemoveConstraint:
		db.system("Dropping constraint `%s` on table `%s`", s.Constraint.Name, s.Table.Name)
		return onTable(tx, s.Table.Name, func(t *schema.Table) error {
			return dropPart(t.Constraints, s.Constraint.Name, func(c *schema.Constraint) string { return c.Name },
				func(c *schema.Constraint) error { return tx.DropConstraint(c.ID) })
		})
	case schema.AddSequence:
		db.system("Adding sequence `%s` to table `%s`", s.Sequence.Name, s.Table.Name)
		return onTable(tx, s.Table.Name, func(t *schema.Table) error {
			_, err := tx.CreateSequence(t.ID, s.Sequence.Instantiate())
			return err
		})
	case schema.RemoveSequence:
		db.system("Dropping sequence `%s` from table `%s`", s.Sequence.Name, s.Table.Name)
		return onTable(tx, s.Table.Name, func(t *schema.Table) error {
			return dropPart(t.Sequences, s.Sequence.Name, func(q *schema.Sequence) string { return q.Name },
				func(q *schema.Sequence) error { return tx.DropSequence(q.ID) })
		})
	case schema.AddSchedule:
		db.system("Adding schedule to table `%s`", s.Table.Name)
		return onTable(tx, s.Table.Name, func(t *schema.Table) error { return tx.SetSchedule(t.ID, s.Table.Schedule.Instantiate()) })
	case schema.RemoveSchedule:
		db.system("Removing schedule from table `%s`", s.Table.Name)
		return onTable(tx, s.Table.Name, func(t *schema.Table) error { return tx.SetSchedule(t.ID, nil) })
	}
	return fmt.Errorf("a migration step %T is unknown", s)
}

func onTable(tx *store.Tx, name string, do func(*schema.Table) error) error {
	t, err := tableOf(tx, name)
	if err != nil {
		return err
	}
	return do(t)
}

// setAccessors gives a table the alias names that change sets in a copy of it.
func setAccessors(tx *store.Tx, name string, change func(*schema.Table)) error {
	return onTable(tx, name, func(t *schema.Table) error {
		like := *t
		like.Cols = append([]schema.Column(nil), t.Cols...)
		like.Indexes = append([]*schema.Index(nil), t.Indexes...)
		change(&like)
		return tx.SetAccessors(t.ID, &like)
	})
}

func dropPart[T any](list []T, name string, nameOf func(T) string, drop func(T) error) error {
	for _, x := range list {
		if nameOf(x) == name {
			return drop(x)
		}
	}
	return fmt.Errorf("the database has no `%s`, which its module declares", name)
}

func (db *Database) removeTable(tx *store.Tx, d *schema.TableDef) error {
	return onTable(tx, d.Name, func(t *schema.Table) error {
		if tx.RowCount(t.ID) > 0 {
			return fmt.Errorf("Cannot remove table `%s`: table contains data. Clear the table's rows (e.g. via a reducer) before removing it from your schema.", d.Name)
		}
		db.system("Dropping table `%s`", d.Name)
		return tx.DropTable(t.ID)
	})
}
