package store

import (
	"slices"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// change gives the table a definition that differs in what no index depends on.
func (tx *Tx) change(t *table, def *schema.Table) {
	old := t.def
	tx.s.mu.Lock()
	t.def = def
	tx.s.mu.Unlock()
	tx.onRollback(func() { t.def = old })
}

// rewriteTableRow updates the st_table row after a change.
func (tx *Tx) rewriteTableRow(d *schema.Table) error {
	tx.catalogue = tableRow(d).Append(tx.catalogue[:0])
	_, _, err := tx.Update(schema.StTable, schema.IxTableID, tx.catalogue)
	return err
}

// SetAccess makes a table public or private.
func (tx *Tx) SetAccess(id schema.TableID, a schema.Access) error {
	t, err := tx.userTable(id)
	if err != nil {
		return err
	}
	d := *t.def
	d.Access = a
	if err := tx.rewriteTableRow(&d); err != nil {
		return err
	}
	tx.change(t, &d)
	return nil
}

// SetPrimaryKey changes which column is the primary key; nil: none is.
func (tx *Tx) SetPrimaryKey(id schema.TableID, pk *schema.ColID) error {
	t, err := tx.userTable(id)
	if err != nil {
		return err
	}
	if pk != nil {
		if err := checkCols(t.def, "primary key", []schema.ColID{*pk}); err != nil {
			return err
		}
	}
	d := *t.def
	d.PrimaryKey = pk
	if err := tx.rewriteTableRow(&d); err != nil {
		return err
	}
	tx.change(t, &d)
	return nil
}

// SetAccessors changes the aliases of a table, of its columns and of its indexes to
// those of like, which describes the same table.
func (tx *Tx) SetAccessors(id schema.TableID, like *schema.Table) error {
	t, err := tx.userTable(id)
	if err != nil {
		return err
	}
	d := *t.def
	if len(like.Cols) != len(d.Cols) {
		return errorf(0, "table %s has %d columns, not %d", d.Name, len(d.Cols), len(like.Cols))
	}
	if e := tx.s.catalog().aliases[like.Accessor]; like.Accessor != "" && e != nil && e.t != t {
		return errorf(0, "a table with the accessor %s exists already", like.Accessor)
	}
	if like.Accessor != d.Accessor {
		if err := tx.setTableAccessor(&d, like.Accessor); err != nil {
			return err
		}
	}
	if err := tx.setColumnAccessors(&d, like.Cols); err != nil {
		return err
	}
	if err := tx.setIndexAccessors(&d, like.Indexes); err != nil {
		return err
	}
	tx.change(t, &d)
	return nil
}

func (tx *Tx) setTableAccessor(d *schema.Table, accessor string) error {
	if err := tx.dropRows(schema.IxTableAccessorName, 1, keyString(d.Name)); err != nil {
		return err
	}
	if d.Accessor = accessor; accessor == "" {
		return nil
	}
	_, err := tx.put(schema.StTableAccessor, &schema.StTableAccessorRow{Table: d.Name, Accessor: accessor})
	return err
}

// setColumnAccessors takes all changed rows out before it puts new ones in, as
// columns may exchange their aliases.
func (tx *Tx) setColumnAccessors(d *schema.Table, like []schema.Column) error {
	cols := slices.Clone(d.Cols)
	for i := range cols {
		if cols[i].Accessor != like[i].Accessor {
			if err := tx.dropRows(schema.IxColumnAccessorName, 2, keyString(d.Name, cols[i].Name)); err != nil {
				return err
			}
		}
	}
	for i := range cols {
		if cols[i].Accessor == like[i].Accessor {
			continue
		}
		if cols[i].Accessor = like[i].Accessor; cols[i].Accessor == "" {
			continue
		}
		row := &schema.StColumnAccessorRow{Table: d.Name, Column: cols[i].Name, Accessor: cols[i].Accessor}
		if _, err := tx.put(schema.StColumnAccessor, row); err != nil {
			return err
		}
	}
	d.Cols = cols
	return nil
}

func (tx *Tx) setIndexAccessors(d *schema.Table, like []*schema.Index) error {
	indexes := slices.Clone(d.Indexes)
	for pass := range 2 { // out, then in
		for i, x := range d.Indexes {
			at := slices.IndexFunc(like, func(l *schema.Index) bool { return l.Name == x.Name })
			if at < 0 || like[at].Accessor == x.Accessor {
				continue
			}
			if pass == 0 {
				if err := tx.dropRows(schema.IxIndexAccessorName, 1, keyString(x.Name)); err != nil {
					return err
				}
				continue
			}
			n := *x
			n.Accessor = like[at].Accessor
			indexes[i] = &n
			if n.Accessor == "" {
				continue
			}
			if _, err := tx.put(schema.StIndexAccessor, &schema.StIndexAccessorRow{Index: n.Name, Accessor: n.Accessor}); err != nil {
				return err
			}
		}
	}
	d.Indexes = indexes
	return nil
}

// SetSchedule changes what a table schedules; nil: nothing any more.
func (tx *Tx) SetSchedule(id schema.TableID, sch *schema.Schedule) error {
	t, err := tx.userTable(id)
	if err != nil {
		return err
	}
	if err := tx.dropRows(schema.IxScheduledTableID, 1, key32(id)); err != nil {
		return err
	}
	d := *t.def
	d.Schedule = nil
	if sch != nil {
		if err := checkCols(t.def, "schedule "+sch.Name, []schema.ColID{sch.AtCol, sch.IDCol}); err != nil {
			return err
		}
		n := *sch
		n.ID, d.Schedule = 0, &n
		sid, err := tx.put(schema.StScheduled, scheduleRow(&d))
		if err != nil {
			return err
		}
		n.ID = schema.ScheduleID(sid)
	}
	tx.change(t, &d)
	return nil
}

// SetOutbox changes what the rows of an outbox become; nil: nothing any more.
func (tx *Tx) SetOutbox(id schema.TableID, o *schema.Outbox) error {
	t, err := tx.userTable(id)
	if err != nil {
		return err
	}
	if err := tx.dropRows(schema.IxOutboxTableID, 1, key32(id)); err != nil {
		return err
	}
	d := *t.def
	if d.Outbox = o; o != nil {
		if _, err := tx.put(schema.StOutbox, &schema.StOutboxRow{TableID: id, Outbox: *o}); err != nil {
			return err
		}
	}
	tx.change(t, &d)
	return nil
}

// CreateSequence adds a sequence to a column. That no row has a value it may give
// is the caller's precheck.
func (tx *Tx) CreateSequence(id schema.TableID, q *schema.Sequence) (*schema.Sequence, error) {
	t, err := tx.userTable(id)
	if err != nil {
		return nil, err
	}
	if err := checkSequence(q, t.def); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(t.def.Sequences, func(o *schema.Sequence) bool { return o.Col == q.Col }) {
		return nil, errorf(0, "column %s of table %s has a sequence already", t.def.Cols[q.Col].Name, t.def.Name)
	}
	d := *t.def
	n, err := tx.putSequence(&d, q, q.Start)
	if err != nil {
		return nil, err
	}
	d.Sequences = append(slices.Clone(d.Sequences), n)
	old := t.seqs
	tx.change(t, &d)
	t.addSequence(newSequence(n, &d, q.Start))
	tx.onRollback(func() { t.seqs = old })
	return n, nil
}

// DropSequence removes a sequence; zeros are stored from then on.
func (tx *Tx) DropSequence(id schema.SequenceID) error {
	for _, e := range tx.s.catalog().entries {
		at := slices.IndexFunc(e.def.Sequences, func(q *schema.Sequence) bool { return q.ID == id })
		if at < 0 {
			continue
		}
		t, err := tx.userTable(e.def.ID)
		if err != nil {
			return err
		}
		if err := tx.dropRows(schema.IxSequenceID, 1, key32(id)); err != nil {
			return err
		}
		d := *t.def
		d.Sequences = slices.Delete(slices.Clone(d.Sequences), at, at+1)
		old := t.seqs
		tx.change(t, &d)
		t.seqs = slices.DeleteFunc(slices.Clone(old), func(q *sequence) bool { return q.def.ID == id })
		tx.onRollback(func() { t.seqs = old })
		return nil
	}
	return errorf(0, "no sequence with id %d", id)
}

// AlterRowType gives the columns of a table other names or types, in which every
// stored row must still be valid: variants may be appended. The rows of an event
// table, which it never has, may change freely.
func (tx *Tx) AlterRowType(id schema.TableID, like *schema.Table) error {
	t, err := tx.userTable(id)
	if err != nil {
		return err
	}
	if err := t.checkAlter(like); err != nil {
		return err
	}
	d := *t.def
	d.Cols, d.Layout = like.Cols, like.Layout
	if err := tx.dropRows(schema.IxColumnTableIDPos, 1, key32(id)); err != nil {
		return err
	}
	if err := tx.dropRows(schema.IxColumnAccessorName, 1, keyString(d.Name)); err != nil {
		return err
	}
	for i := range d.Cols {
		if err := tx.putColumn(&d, i); err != nil {
			return err
		}
	}
	indexes := make([]*index, len(t.indexes))
	for i, ix := range t.indexes {
		indexes[i] = newIndex(ix.def, d.Layout, t)
		indexes[i].build()
	}
	t.rows.refit(d.Layout.FixedSize())
	tx.redefine(t, &d, indexes)
	return nil
}

func (t *table) checkAlter(like *schema.Table) error {
	d := t.def
	if d.IsEvent && t.count == 0 {
		for _, ix := range d.Indexes {
			if err := checkCols(like, "index "+ix.Name, ix.Cols); err != nil {
				return err
			}
		}
		return nil
	}
	if len(like.Cols) != len(d.Cols) {
		return errorf(0, "cannot change table %s from %d columns to %d in place", d.Name, len(d.Cols), len(like.Cols))
	}
	for i := range d.Cols {
		from, to := d.Cols[i].Type, like.Cols[i].Type
		if !extends(from, to) {
			return errorf(0, "cannot change column %s of table %s from %s to %s in place", d.Cols[i].Name, d.Name, from, to)
		}
		if s := d.Schedule; s != nil && (schema.ColID(i) == s.AtCol || schema.ColID(i) == s.IDCol) && !from.Equal(to) {
			return errorf(0, "cannot change the type of column %s of schedule table %s", d.Cols[i].Name, d.Name)
		}
	}
	return nil
}

// extends reports whether every value of a type is one of another, encoded alike.
func extends(from, to *sats.Type) bool {
	switch {
	case from.Kind != to.Kind:
		return false
	case from.Kind == sats.KindArray:
		return extends(from.Elem, to.Elem)
	case from.Kind == sats.KindProduct && len(from.Elems) != len(to.Elems), len(from.Elems) > len(to.Elems):
		return false
	}
	for i := range from.Elems {
		if !extends(from.Elems[i].Type, to.Elems[i].Type) {
			return false
		}
	}
	return true
}

// AddColumns makes a table anew with more columns, under another id: like describes
// it, and defaults has the BSATN that existing rows get in the columns behind the
// old ones. Sequences of the same name go on where they were (spec 08 §6.4, §10).
func (tx *Tx) AddColumns(id schema.TableID, like *schema.Table, defaults [][]byte) (*schema.Table, error) {
	t, err := tx.userTable(id)
	if err != nil {
		return nil, err
	}
	old := t.def
	if err := checkNewColumns(old, like, defaults); err != nil {
		return nil, err
	}
	rows := t.extended(slices.Concat(defaults...))
	rules := tx.rulesOn(id)
	seqs := t.seqs
	if err := tx.DropTable(id); err != nil {
		return nil, err
	}
	n, err := tx.createTable(like)
	if err != nil {
		return nil, err
	}
	for _, sql := range rules {
		if err := tx.CreateRLS(n.def.ID, sql); err != nil {
			return nil, err
		}
	}
	if err := tx.moveOutbox(id, n.def.ID); err != nil {
		return nil, err
	}
	for _, q := range n.seqs {
		if i := slices.IndexFunc(seqs, func(o *sequence) bool { return o.def.Name == q.def.Name }); i >= 0 {
			q.pos = seqs[i].pos
			tx.storeSequence(q)
		}
	}
	tx.s.mu.Lock()
	defer tx.s.mu.Unlock()
	for row := range rows.All() {
		n.insert(row)
	}
	return n.def, nil
}

func checkNewColumns(old, like *schema.Table, defaults [][]byte) error {
	if len(like.Cols) != len(old.Cols)+len(defaults) {
		return errorf(0, "table %s: %d columns and %d defaults do not make %d columns", old.Name, len(old.Cols), len(defaults), len(like.Cols))
	}
	for i, c := range like.Cols {
		if i < len(old.Cols) {
			if !extends(old.Cols[i].Type, c.Type) {
				return errorf(0, "cannot change column %s of table %s from %s to %s", old.Cols[i].Name, old.Name, old.Cols[i].Type, c.Type)
			}
			continue
		}
		v := defaults[i-len(old.Cols)]
		if n, err := like.Layout.ColWalker(i).Validate(v); err != nil || n != len(v) {
			return errorf(0, "default of column %s of table %s is not a value of type %s", c.Name, like.Name, c.Type)
		}
	}
	return nil
}

// extended copies the table's rows, each with suffix appended.
func (t *table) extended(suffix []byte) Rows {
	rows := Rows{ends: make([]int, 0, t.count)}
	t.eachVisible(func(_ rowPtr, row []byte) bool {
		rows.data = append(append(rows.data, row...), suffix...)
		rows.ends = append(rows.ends, len(rows.data))
		return true
	})
	rows.n = len(rows.ends)
	return rows
}

// rulesOn returns the row-level security rules on a table.
func (tx *Tx) rulesOn(id schema.TableID) (sql []string) {
	for row := range tx.Point(schema.IxRLSTableID, key32(id)) {
		var r schema.StRowLevelSecurityRow
		if r.Decode(row) == nil {
			sql = append(sql, r.SQL)
		}
	}
	return sql
}

// moveOutbox makes the streams of an outbox name its new id (spec 02 §11.5).
func (tx *Tx) moveOutbox(from, to schema.TableID) error {
	var streams []schema.StOutboundStreamRow
	for row := range tx.Range(schema.IxOutboundStreamTableTarget, Range{Prefix: key32(from), PrefixCols: 1}) {
		var r schema.StOutboundStreamRow
		if err := r.Decode(row); err != nil {
			return err
		}
		streams = append(streams, r)
	}
	for _, r := range streams {
		r.OutboxTableID = to
		if _, _, err := tx.Update(schema.StOutboundStream, schema.IxOutboundStreamID, r.Append(nil)); err != nil {
			return err
		}
	}
	return nil
}
