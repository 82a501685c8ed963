package store

import (
	"encoding/binary"
	"slices"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// Schema operations change tables at once, write the catalogue rows, and leave
// behind how to undo themselves (spec 08 §10). They check first; should one fail
// nevertheless, the transaction has to be rolled back.

// onRollback registers what undoes a schema operation. Undos run backwards, before
// the rows are restored.
func (tx *Tx) onRollback(undo func()) {
	tx.undo = append(tx.undo, undo)
	tx.s.cat = nil
}

// put inserts a catalogue row and returns the id a sequence gave it, 0 if none did.
func (tx *Tx) put(id schema.TableID, row catalogueRow) (uint32, error) {
	tx.catalogue = row.Append(tx.catalogue[:0])
	_, generated, err := tx.Insert(id, tx.catalogue)
	if err != nil || len(generated) == 0 {
		return 0, err
	}
	return binary.LittleEndian.Uint32(generated), nil
}

// dropRows deletes the catalogue rows whose leading index columns have the values.
func (tx *Tx) dropRows(id schema.IndexID, cols int, key []byte) error {
	if ix := tx.index(id); cols == len(ix.cols) {
		_, err := tx.DeletePoint(id, key)
		return err
	}
	_, err := tx.DeleteRange(id, Range{Prefix: key, PrefixCols: cols})
	return err
}

func key32[I ~uint32](id I) []byte { return sats.AppendU32(nil, uint32(id)) }
func keyString(s ...string) (b []byte) {
	for _, s := range s {
		b = sats.AppendString(b, s)
	}
	return b
}

// userTable returns a table that schema operations may change.
func (tx *Tx) userTable(id schema.TableID) (*table, error) {
	t := tx.table(id)
	if t == nil {
		return nil, noTable(id)
	}
	if t.def.Kind == schema.System {
		return nil, errorf(0, "table %s belongs to the system and cannot be changed", t.def.Name)
	}
	return t, nil
}

// CreateTable creates a table, with its indexes, constraints, sequences and
// schedule, and returns its definition with the ids they got.
func (tx *Tx) CreateTable(def *schema.Table) (*schema.Table, error) {
	if def.IsView {
		return nil, errorf(0, "table %s belongs to a view and cannot be created alone", def.Name)
	}
	t, err := tx.createTable(def)
	if err != nil {
		return nil, err
	}
	return t.def, nil
}

func (tx *Tx) createTable(def *schema.Table) (*table, error) {
	tx.mustBeOpen()
	if err := tx.checkNewTable(def); err != nil {
		return nil, err
	}
	d := *def
	id, err := tx.put(schema.StTable, tableRow(&schema.Table{
		Name: d.Name, Kind: d.Kind, Access: d.Access, PrimaryKey: d.PrimaryKey,
	}))
	if err != nil {
		return nil, err
	}
	d.ID = schema.TableID(id)
	if err := tx.describeTable(&d); err != nil {
		return nil, err
	}
	t := tx.s.newTable(&d)
	for _, q := range d.Sequences {
		t.addSequence(newSequence(q, &d, q.Start))
	}
	tx.s.tables[d.ID] = t
	tx.onRollback(func() { delete(tx.s.tables, d.ID) })
	return t, nil
}

// checkNewTable finds what is wrong with a table before anything is written.
func (tx *Tx) checkNewTable(def *schema.Table) error {
	c := tx.s.catalog()
	if c.names[def.Name] != nil {
		return errorf(0, "table %s exists already", def.Name)
	}
	if def.Accessor != "" && c.aliases[def.Accessor] != nil {
		return errorf(0, "a table with the accessor %s exists already", def.Accessor)
	}
	if len(def.Cols) != def.Layout.NumCols() {
		return errorf(0, "table %s: %d columns, but rows have %d", def.Name, len(def.Cols), def.Layout.NumCols())
	}
	for _, ix := range def.Indexes {
		if err := checkCols(def, "index "+ix.Name, ix.Cols); err != nil {
			return err
		}
	}
	for _, k := range def.Constraints {
		if err := checkCols(def, "constraint "+k.Name, k.Cols); err != nil {
			return err
		}
		if !slices.ContainsFunc(def.Indexes, func(ix *schema.Index) bool { return schema.SameColumnSet(ix.Cols, k.Cols) }) {
			return errorf(0, "constraint %s of table %s requires at least one backing index", k.Name, def.Name)
		}
	}
	for _, q := range def.Sequences {
		if err := checkSequence(q, def); err != nil {
			return err
		}
	}
	return nil
}

func checkCols(def *schema.Table, what string, cols []schema.ColID) error {
	if len(cols) == 0 {
		return errorf(0, "%s of table %s has no columns", what, def.Name)
	}
	for _, c := range cols {
		if int(c) >= len(def.Cols) {
			return errorf(0, "%s of table %s: there is no column %d", what, def.Name, c)
		}
	}
	return nil
}

// describeTable writes the catalogue rows that follow the st_table row, in the order
// of spec 02 §8.3, and fills the ids into d, whose parts it replaces.
func (tx *Tx) describeTable(d *schema.Table) error {
	if d.Accessor != "" {
		if _, err := tx.put(schema.StTableAccessor, &schema.StTableAccessorRow{Table: d.Name, Accessor: d.Accessor}); err != nil {
			return err
		}
	}
	for i := range d.Cols {
		if err := tx.putColumn(d, i); err != nil {
			return err
		}
	}
	if d.Schedule != nil {
		sch := *d.Schedule
		sch.ID, d.Schedule = 0, &sch
		id, err := tx.put(schema.StScheduled, scheduleRow(d))
		if err != nil {
			return err
		}
		sch.ID = schema.ScheduleID(id)
	}
	if d.IsEvent {
		if _, err := tx.put(schema.StEventTable, &schema.StEventTableRow{TableID: d.ID}); err != nil {
			return err
		}
	}
	if d.Outbox != nil {
		if _, err := tx.put(schema.StOutbox, &schema.StOutboxRow{TableID: d.ID, Outbox: *d.Outbox}); err != nil {
			return err
		}
	}
	return tx.describeParts(d)
}

func (tx *Tx) putColumn(d *schema.Table, i int) error {
	if _, err := tx.put(schema.StColumn, columnRow(d, i)); err != nil {
		return err
	}
	c := &d.Cols[i]
	if c.Accessor == "" {
		return nil
	}
	_, err := tx.put(schema.StColumnAccessor, &schema.StColumnAccessorRow{Table: d.Name, Column: c.Name, Accessor: c.Accessor})
	return err
}

func (tx *Tx) describeParts(d *schema.Table) error {
	indexes, constraints, sequences := d.Indexes, d.Constraints, d.Sequences
	d.Indexes, d.Constraints, d.Sequences = nil, nil, nil
	for _, ix := range indexes {
		x, err := tx.putIndex(d, ix)
		if err != nil {
			return err
		}
		d.Indexes = append(d.Indexes, x)
	}
	for _, c := range constraints {
		k, err := tx.putConstraint(d, c)
		if err != nil {
			return err
		}
		d.Constraints = append(d.Constraints, k)
	}
	for _, ix := range d.Indexes {
		ix.Unique = d.IsUnique(ix.Cols)
	}
	for _, q := range sequences {
		n, err := tx.putSequence(d, q, q.Start)
		if err != nil {
			return err
		}
		d.Sequences = append(d.Sequences, n)
	}
	return nil
}

func (tx *Tx) putIndex(d *schema.Table, ix *schema.Index) (*schema.Index, error) {
	x := *ix
	x.ID = 0
	id, err := tx.put(schema.StIndex, indexRow(d, &x))
	if err != nil {
		return nil, err
	}
	x.ID = schema.IndexID(id)
	if x.Accessor != "" {
		_, err = tx.put(schema.StIndexAccessor, &schema.StIndexAccessorRow{Index: x.Name, Accessor: x.Accessor})
	}
	return &x, err
}

func (tx *Tx) putConstraint(d *schema.Table, c *schema.Constraint) (*schema.Constraint, error) {
	k := *c
	k.ID = 0
	id, err := tx.put(schema.StConstraint, constraintRow(d, &k))
	k.ID = schema.ConstraintID(id)
	return &k, err
}

func (tx *Tx) putSequence(d *schema.Table, q *schema.Sequence, allocated sats.I128) (*schema.Sequence, error) {
	n := *q
	n.ID = 0
	id, err := tx.put(schema.StSequence, sequenceRow(d, &n, allocated))
	n.ID = schema.SequenceID(id)
	return &n, err
}

// addSequence enters a sequence in column order.
func (t *table) addSequence(q *sequence) {
	at := slices.IndexFunc(t.seqs, func(o *sequence) bool { return o.col > q.col })
	if at < 0 {
		at = len(t.seqs)
	}
	t.seqs = slices.Insert(slices.Clone(t.seqs), at, q)
}

// DropTable removes a table, its rows and all that belongs to it.
func (tx *Tx) DropTable(id schema.TableID) error {
	t, err := tx.userTable(id)
	if err != nil {
		return err
	}
	if _, err := tx.Clear(id); err != nil {
		return err
	}
	if err := tx.undescribeTable(t.def); err != nil {
		return err
	}
	delete(tx.s.tables, id)
	tx.onRollback(func() { tx.s.tables[id] = t })
	return nil
}

// undescribeTable deletes the catalogue rows of a table.
func (tx *Tx) undescribeTable(d *schema.Table) error {
	type rows struct {
		ix   schema.IndexID
		cols int
		key  []byte
	}
	id, name := key32(d.ID), keyString(d.Name)
	list := []rows{
		{schema.IxTableID, 1, id}, {schema.IxTableAccessorName, 1, name},
		{schema.IxColumnTableIDPos, 1, id}, {schema.IxColumnAccessorName, 1, name},
		{schema.IxScheduledTableID, 1, id}, {schema.IxEventTableID, 1, id},
		{schema.IxOutboxTableID, 1, id}, {schema.IxRLSTableID, 1, id},
	}
	for _, ix := range d.Indexes {
		list = append(list, rows{schema.IxIndexID, 1, key32(ix.ID)}, rows{schema.IxIndexAccessorName, 1, keyString(ix.Name)})
	}
	for _, c := range d.Constraints {
		list = append(list, rows{schema.IxConstraintID, 1, key32(c.ID)})
	}
	for _, q := range d.Sequences {
		list = append(list, rows{schema.IxSequenceID, 1, key32(q.ID)})
	}
	if d.IsView {
		if row, ok := tx.FindUnique(schema.IxViewName, name); ok {
			view := slices.Clone(row[:4]) // view_id
			list = append(list, rows{schema.IxViewName, 1, name}, rows{schema.IxViewParam, 1, view}, rows{schema.IxViewColumn, 1, view})
		}
	}
	for _, r := range list {
		if err := tx.dropRows(r.ix, r.cols, r.key); err != nil {
			return err
		}
	}
	return nil
}

// CreateView creates a view: its backing table, and the rows that describe its
// parameters and columns (spec 02 §8.2).
func (tx *Tx) CreateView(v *schema.ViewDef) (*schema.Table, schema.ViewID, error) {
	t, err := tx.createTable(v.Instantiate())
	if err != nil {
		return nil, 0, err
	}
	n, err := tx.put(schema.StView, &schema.StViewRow{
		Name: v.Name, TableID: &t.def.ID, IsPublic: true, IsAnonymous: v.IsAnonymous,
	})
	id := schema.ViewID(n)
	if err != nil {
		return nil, 0, err
	}
	if err := tx.describeView(id, v); err != nil {
		return nil, 0, err
	}
	return t.def, id, nil
}

// CreateRLS adds a row-level security rule on a table. The text is taken as it is.
func (tx *Tx) CreateRLS(id schema.TableID, sql string) error {
	if tx.table(id) == nil {
		return noTable(id)
	}
	_, err := tx.put(schema.StRowLevelSecurity, &schema.StRowLevelSecurityRow{TableID: id, SQL: sql})
	return err
}

// DropRLS removes the rule with this text and reports whether there was one.
func (tx *Tx) DropRLS(sql string) (bool, error) {
	n, err := tx.DeletePoint(schema.IxRLSSQL, keyString(sql))
	return n > 0, err
}
