package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/internal/schema"
)

// redefine gives the table another definition and other indexes, until rollback.
// Indexes that the table no longer has stop following it.
func (tx *Tx) redefine(t *table, def *schema.Table, indexes []*index) {
	oldDef, oldIndexes, oldSeqs := t.def, t.indexes, t.seqs
	tx.s.mu.Lock()
	defer tx.s.mu.Unlock()
	t.def = def
	t.setIndexes(indexes)
	if tx.reindex == nil {
		tx.reindex = map[*table]bool{}
	}
	tx.reindex[t] = true
	tx.onRollback(func() {
		t.def, t.seqs = oldDef, oldSeqs
		t.setIndexes(oldIndexes)
	})
}

func (t *table) setIndexes(indexes []*index) {
	for _, ix := range t.indexes {
		ix.alive = false
	}
	t.indexes = indexes
	for _, ix := range t.indexes {
		ix.alive = true
	}
	t.kept = nil // whoever needs one builds it for the new definition
	t.chooseIdent()
}

// build fills a new index from the table's rows. It returns the row that makes a
// unique index impossible, if there is one.
func (ix *index) build() (clash []byte) {
	if !ix.def.Unique {
		ix.fill()
		return nil
	}
	if ix.points != nil {
		if p, ok := ix.points.fill(ix.t.hashEntries(ix.slotKeyOf), ix.sameKeys); ok {
			return ix.t.rows.get(p[1])
		}
		return nil
	}
	ix.t.eachVisible(func(p rowPtr, row []byte) bool {
		var buf [64]byte
		if ix.find(ix.keyOf(row, buf[:0])) != 0 {
			clash = row
			return false
		}
		ix.add(row, p)
		return true
	})
	return clash
}

// sameKeys reports whether two stored rows have the same key.
func (ix *index) sameKeys(p, q rowPtr) bool {
	var buf [64]byte
	return ix.matches(ix.t.rows.get(p), ix.keyOf(ix.t.rows.get(q), buf[:0]))
}

// hashEntries returns the visible rows and their hash keys.
func (t *table) hashEntries(key func(row []byte) uint64) []entry {
	es := make([]entry, 0, t.count)
	t.eachVisible(func(p rowPtr, row []byte) bool {
		es = append(es, entry{key(row), p})
		return true
	})
	return es
}

// CreateIndex adds an index to a table and fills it. It is unique if ix says so or a
// constraint has the same columns; then a key that two rows have is an error.
func (tx *Tx) CreateIndex(id schema.TableID, ix *schema.Index) (*schema.Index, error) {
	t, err := tx.userTable(id)
	if err != nil {
		return nil, err
	}
	if err := checkCols(t.def, "index "+ix.Name, ix.Cols); err != nil {
		return nil, err
	}
	if x := tx.s.catalog().indexNames[ix.Name]; x != nil {
		return nil, errorf(0, "index %s exists already", ix.Name)
	}
	def := *ix
	def.Unique = ix.Unique || t.def.IsUnique(ix.Cols)
	built := newIndex(&def, t.def.Layout, t)
	if clash := built.build(); clash != nil {
		return nil, uniqueViolation(built, clash)
	}
	d := *t.def
	x, err := tx.putIndex(&d, &def)
	if err != nil {
		return nil, err
	}
	built.def = x
	d.Indexes = append(slices.Clone(d.Indexes), x)
	tx.redefine(t, &d, append(slices.Clone(t.indexes), built))
	return x, nil
}

// DropIndex removes an index.
func (tx *Tx) DropIndex(id schema.IndexID) error {
	ix := tx.index(id)
	if ix == nil {
		return noIndex(id)
	}
	t, err := tx.userTable(ix.t.def.ID)
	if err != nil {
		return err
	}
	if err := tx.dropRows(schema.IxIndexID, 1, key32(id)); err != nil {
		return err
	}
	if err := tx.dropRows(schema.IxIndexAccessorName, 1, keyString(ix.def.Name)); err != nil {
		return err
	}
	d := *t.def
	d.Indexes = slices.DeleteFunc(slices.Clone(d.Indexes), func(x *schema.Index) bool { return x.ID == id })
	tx.redefine(t, &d, slices.DeleteFunc(slices.Clone(t.indexes), func(x *index) bool { return x == ix }))
	return nil
}

// CreateConstraint makes the indexes on a column set unique. An identical
// constraint that is there already is returned as it is.
func (tx *Tx) CreateConstraint(id schema.TableID, c *schema.Constraint) (*schema.Constraint, error) {
	t, err := tx.userTable(id)
	if err != nil {
		return nil, err
	}
	if err := checkCols(t.def, "constraint "+c.Name, c.Cols); err != nil {
		return nil, err
	}
	for _, k := range t.def.Constraints {
		if k.Name == c.Name && schema.SameColumnSet(k.Cols, c.Cols) {
			return k, nil
		}
	}
	back := slices.IndexFunc(t.indexes, func(ix *index) bool { return schema.SameColumnSet(ix.def.Cols, c.Cols) })
	if back < 0 {
		return nil, errorf(0, "constraint %s of table %s requires at least one backing index", c.Name, t.def.Name)
	}
	if err := t.indexes[back].duplicates(c); err != nil {
		return nil, err
	}
	d := *t.def
	k, err := tx.putConstraint(&d, c)
	if err != nil {
		return nil, err
	}
	d.Constraints = append(slices.Clone(d.Constraints), k)
	tx.setUniqueness(t, &d)
	return k, nil
}

// DropConstraint removes a constraint; its indexes are unique no longer, unless
// another constraint has the same columns.
func (tx *Tx) DropConstraint(id schema.ConstraintID) error {
	for _, e := range tx.s.catalog().entries {
		at := slices.IndexFunc(e.def.Constraints, func(c *schema.Constraint) bool { return c.ID == id })
		if at < 0 {
			continue
		}
		t, err := tx.userTable(e.def.ID)
		if err != nil {
			return err
		}
		if err := tx.dropRows(schema.IxConstraintID, 1, key32(id)); err != nil {
			return err
		}
		d := *t.def
		d.Constraints = slices.Delete(slices.Clone(d.Constraints), at, at+1)
		tx.setUniqueness(t, &d)
		return nil
	}
	return errorf(0, "no constraint with id %d", id)
}

// setUniqueness redefines the table with indexes that are unique as the constraints
// of d say. Keys are known not to repeat.
func (tx *Tx) setUniqueness(t *table, d *schema.Table) {
	d.Indexes = slices.Clone(d.Indexes)
	indexes := slices.Clone(t.indexes)
	for i, x := range d.Indexes {
		if unique := d.IsUnique(x.Cols); unique != x.Unique {
			n := *x
			n.Unique = unique
			d.Indexes[i] = &n
			indexes[i] = newIndex(&n, t.def.Layout, t)
			indexes[i].build()
		}
	}
	tx.redefine(t, d, indexes)
}

// duplicates reports keys that several rows have, as spec 08 §10 words it.
func (ix *index) duplicates(c *schema.Constraint) error {
	tree := newBtree(ix.tieBreaker())
	es := make([]entry, 0, ix.t.count)
	ix.t.eachVisible(func(p rowPtr, row []byte) bool {
		var buf [64]byte
		prefix, _ := ix.prefix.of(ix.keyOf(row, buf[:0]), len(ix.parts))
		es = append(es, entry{prefix, p})
		return true
	})
	tree.fill(es) // sorts es
	var committed, own []string
	merge := ""
	for len(es) > 0 {
		n, live := 0, 0
		for ; n < len(es) && (n == 0 || ix.compareRows(es[0].ptr, es[n].ptr) == 0); n++ {
			if ix.t.rows.stateOf(es[n].ptr) == slotLive {
				live++
			}
		}
		if n > 1 {
			text := ix.keyText(ix.keyOf(ix.t.rows.get(es[0].ptr), nil))
			switch {
			case live > 1:
				committed = append(committed, fmt.Sprintf("%s appears %d times", text, live))
			case live == 0:
				own = append(own, fmt.Sprintf("%s appears %d times", text, n))
			case merge == "":
				merge = uniqueViolation(ix, ix.t.rows.get(es[0].ptr)).Msg
			}
		}
		es = es[n:]
	}
	switch {
	case committed != nil:
		return duplicateGroups(ix, c, "committed state", committed)
	case own != nil:
		return duplicateGroups(ix, c, "current transaction", own)
	case merge != "":
		return errorf(ErrUniqueAlreadyExists, "Unique constraint violation during merge: %s", merge)
	}
	return nil
}

// maxDuplicateGroups is how many groups an error lists.
const maxDuplicateGroups = 10

func duplicateGroups(ix *index, c *schema.Constraint, where string, groups []string) error {
	var b strings.Builder
	var cols []string
	for _, col := range c.Cols {
		cols = append(cols, ix.t.def.Cols[col].Name)
	}
	fmt.Fprintf(&b, "Cannot add unique constraint on table %d column(s) %s (%s):\n%d duplicate group(s) found.",
		ix.t.def.ID, strings.Join(cols, ", "), where, len(groups))
	for i, g := range groups {
		if i == maxDuplicateGroups {
			b.WriteString("\n  ... and more")
			break
		}
		b.WriteString("\n  - " + g)
	}
	return &Error{Code: ErrUniqueAlreadyExists, Msg: b.String()}
}
