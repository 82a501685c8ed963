package store

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// FinishReplay ends recovery (spec 08 §30.4): it derives the tables from the
// catalogue, builds the indexes and loads the sequences. Without a record or
// snapshot before it, it does nothing.
func (s *Store) FinishReplay() error {
	r := s.replay
	if r == nil {
		return nil
	}
	if r.failed != nil {
		return r.failed
	}
	if err := s.finishReplay(); err != nil {
		r.failed = fmt.Errorf("store: recovery: %w", err)
		return r.failed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tables {
		t.settle()
	}
	s.replay, s.cat = nil, nil
	s.committed = s.catalog()
	return nil
}

func (s *Store) finishReplay() error {
	if err := s.dropStaleRows(); err != nil {
		return err
	}
	c := &catalogueRows{}
	if err := c.read(s); err != nil {
		return err
	}
	for id := range s.tables {
		if !slices.ContainsFunc(c.tables, func(r schema.StTableRow) bool { return r.ID == id }) {
			return fmt.Errorf("table %d is not in st_table", id)
		}
	}
	for i := range c.tables {
		row := &c.tables[i]
		def := schema.SystemTable(row.ID)
		if def == nil {
			var err error
			if def, err = c.define(row); err != nil {
				return fmt.Errorf("table %s: %w", row.Name, err)
			}
		}
		s.tables[row.ID].define(def)
	}
	if err := s.buildIndexes(c.tables); err != nil {
		return err
	}
	for _, row := range c.tables {
		if err := s.tables[row.ID].finish(c); err != nil {
			return fmt.Errorf("table %s: %w", row.Name, err)
		}
	}
	return nil
}

// buildIndexes fills the indexes of all tables from their rows.
func (s *Store) buildIndexes(tables []schema.StTableRow) error {
	var jobs []func()
	var indexes []*index
	for _, row := range tables {
		indexes = append(indexes, s.tables[row.ID].indexes...)
	}
	clashes := make([][]byte, len(indexes))
	for i, ix := range indexes {
		jobs = append(jobs, func() { clashes[i] = ix.build() })
	}
	if s.opts.Together != nil {
		s.opts.Together(jobs)
	} else {
		for _, job := range jobs {
			job()
		}
	}
	for i, clash := range clashes {
		if clash != nil {
			return fmt.Errorf("table %s: %w", indexes[i].t.def.Name, uniqueViolation(indexes[i], clash))
		}
	}
	return nil
}

// dropStaleRows removes what old servers left behind: repeated rows of system
// sequences, of which the furthest counts, and rows of st_event_table without a
// table (spec 08 §30.3).
func (s *Store) dropStaleRows() error {
	type best struct {
		p         rowPtr
		allocated sats.I128
	}
	furthest := map[schema.SequenceID]best{}
	var stale []rowPtr
	var failed error
	seqs := s.tables[schema.StSequence]
	seqs.eachVisible(func(p rowPtr, row []byte) bool {
		var r schema.StSequenceRow
		if failed = r.Decode(row); failed != nil {
			return false
		}
		b, ok := furthest[r.ID]
		if ok && r.Allocated.Cmp(b.allocated) <= 0 {
			stale = append(stale, p)
			return true
		}
		if ok {
			stale = append(stale, b.p)
		}
		furthest[r.ID] = best{p, r.Allocated}
		return true
	})
	seqs.discard(stale)
	stale = nil
	events := s.tables[schema.StEventTable]
	events.eachVisible(func(p rowPtr, row []byte) bool {
		var r schema.StEventTableRow
		if err := r.Decode(row); err != nil {
			failed = err
		} else if s.tables[r.TableID] == nil {
			stale = append(stale, p)
		}
		return true
	})
	events.discard(stale)
	return failed
}

// discard frees rows of a table without indexes.
func (t *table) discard(rows []rowPtr) {
	for _, p := range rows {
		t.rows.release(p)
		t.count--
	}
	if len(rows) > 0 {
		t.set = nil
	}
}

// catalogueRows are the decoded rows of the tables that describe tables.
type catalogueRows struct {
	tables      []schema.StTableRow
	cols        map[schema.TableID][]schema.StColumnRow
	indexes     map[schema.TableID][]schema.StIndexRow
	constraints map[schema.TableID][]schema.StConstraintRow
	sequences   map[schema.TableID][]schema.StSequenceRow
	schedules   map[schema.TableID]schema.StScheduledRow
	outboxes    map[schema.TableID]schema.StOutboxRow
	events      map[schema.TableID]bool
	views       map[schema.TableID]bool

	tableAccessors  map[string]string
	indexAccessors  map[string]string
	columnAccessors map[[2]string]string
}

// decodeAll calls add for the decoded rows of a table.
func decodeAll[R any, P interface {
	*R
	Decode([]byte) error
}](s *Store, id schema.TableID, add func(R)) (failed error) {
	s.tables[id].eachVisible(func(_ rowPtr, row []byte) bool {
		var r R
		if failed = P(&r).Decode(row); failed == nil {
			add(r)
		}
		return failed == nil
	})
	return failed
}

func (c *catalogueRows) read(s *Store) error {
	*c = catalogueRows{
		cols: map[schema.TableID][]schema.StColumnRow{}, indexes: map[schema.TableID][]schema.StIndexRow{},
		constraints: map[schema.TableID][]schema.StConstraintRow{}, sequences: map[schema.TableID][]schema.StSequenceRow{},
		schedules: map[schema.TableID]schema.StScheduledRow{}, outboxes: map[schema.TableID]schema.StOutboxRow{},
		events: map[schema.TableID]bool{}, views: map[schema.TableID]bool{},
		tableAccessors: map[string]string{}, indexAccessors: map[string]string{}, columnAccessors: map[[2]string]string{},
	}
	err := errors.Join(
		decodeAll(s, schema.StTable, func(r schema.StTableRow) { c.tables = append(c.tables, r) }),
		decodeAll(s, schema.StColumn, func(r schema.StColumnRow) { c.cols[r.TableID] = append(c.cols[r.TableID], r) }),
		decodeAll(s, schema.StIndex, func(r schema.StIndexRow) { c.indexes[r.TableID] = append(c.indexes[r.TableID], r) }),
		decodeAll(s, schema.StConstraint, func(r schema.StConstraintRow) { c.constraints[r.TableID] = append(c.constraints[r.TableID], r) }),
		decodeAll(s, schema.StSequence, func(r schema.StSequenceRow) { c.sequences[r.TableID] = append(c.sequences[r.TableID], r) }),
		decodeAll(s, schema.StScheduled, func(r schema.StScheduledRow) { c.schedules[r.TableID] = r }),
		decodeAll(s, schema.StOutbox, func(r schema.StOutboxRow) { c.outboxes[r.TableID] = r }),
		decodeAll(s, schema.StEventTable, func(r schema.StEventTableRow) { c.events[r.TableID] = true }),
		decodeAll(s, schema.StView, func(r schema.StViewRow) {
			if r.TableID != nil {
				c.views[*r.TableID] = true
			}
		}),
		decodeAll(s, schema.StTableAccessor, func(r schema.StTableAccessorRow) { c.tableAccessors[r.Table] = r.Accessor }),
		decodeAll(s, schema.StIndexAccessor, func(r schema.StIndexAccessorRow) { c.indexAccessors[r.Index] = r.Accessor }),
		decodeAll(s, schema.StColumnAccessor, func(r schema.StColumnAccessorRow) {
			c.columnAccessors[[2]string{r.Table, r.Column}] = r.Accessor
		}),
	)
	slices.SortFunc(c.tables, func(a, b schema.StTableRow) int { return cmp.Compare(a.ID, b.ID) })
	return err
}

// define puts a table's definition together from its rows.
func (c *catalogueRows) define(row *schema.StTableRow) (*schema.Table, error) {
	d := &schema.Table{ID: row.ID, Name: row.Name, Accessor: c.tableAccessors[row.Name], IsEvent: c.events[row.ID], IsView: c.views[row.ID]}
	if row.Type == schema.User.String() {
		d.Kind = schema.User
	}
	if row.Access == schema.Private.String() {
		d.Access = schema.Private
	}
	if len(row.PrimaryKey) == 1 {
		d.PrimaryKey = &row.PrimaryKey[0]
	}
	if err := c.defineColumns(d); err != nil {
		return nil, err
	}
	for _, r := range sorted(c.constraints[d.ID], func(r schema.StConstraintRow) uint32 { return uint32(r.ID) }) {
		if err := checkCols(d, "constraint "+r.Name, r.Cols); err != nil {
			return nil, err
		}
		d.Constraints = append(d.Constraints, &schema.Constraint{ID: r.ID, Name: r.Name, Cols: slices.Sorted(slices.Values(r.Cols))})
	}
	for _, r := range sorted(c.indexes[d.ID], func(r schema.StIndexRow) uint32 { return uint32(r.ID) }) {
		if err := checkCols(d, "index "+r.Name, r.Cols); err != nil {
			return nil, err
		}
		d.Indexes = append(d.Indexes, &schema.Index{
			ID: r.ID, Name: r.Name, Accessor: c.indexAccessors[r.Name], Algo: r.Algo, Cols: r.Cols, Unique: d.IsUnique(r.Cols),
		})
	}
	for _, r := range sorted(c.sequences[d.ID], func(r schema.StSequenceRow) uint32 { return uint32(r.ID) }) {
		q := &schema.Sequence{ID: r.ID, Name: r.Name, Col: r.Col, Start: r.Start, Min: r.Min, Max: r.Max, Increment: r.Increment}
		if err := checkSequence(q, d); err != nil {
			return nil, err
		}
		d.Sequences = append(d.Sequences, q)
	}
	if r, ok := c.schedules[d.ID]; ok {
		d.Schedule = &schema.Schedule{ID: r.ID, Name: r.Name, AtCol: r.AtCol, Function: r.Function}
		if d.PrimaryKey != nil {
			d.Schedule.IDCol = *d.PrimaryKey
		}
	}
	if r, ok := c.outboxes[d.ID]; ok {
		d.Outbox = &r.Outbox
	}
	return d, nil
}

func (c *catalogueRows) defineColumns(d *schema.Table) error {
	cols := sorted(c.cols[d.ID], func(r schema.StColumnRow) uint32 { return uint32(r.Pos) })
	elems := make([]sats.Element, len(cols))
	for i, r := range cols {
		if int(r.Pos) != i {
			return fmt.Errorf("column %d is not described", i)
		}
		elems[i] = sats.E(r.Name, r.Type)
		d.Cols = append(d.Cols, schema.Column{Name: r.Name, Accessor: c.columnAccessors[[2]string{d.Name, r.Name}], Type: r.Type})
	}
	l, err := sats.NewLayout(sats.Product(elems...))
	d.Layout = l
	return err
}

// sorted orders rows by a number of theirs.
func sorted[R any](rows []R, by func(R) uint32) []R {
	slices.SortFunc(rows, func(a, b R) int { return cmp.Compare(by(a), by(b)) })
	return rows
}

// define gives a replayed table its definition, and empty indexes.
func (t *table) define(def *schema.Table) {
	t.def, t.ephemeral = def, isEphemeral(def)
	size, fixed := def.Layout.FixedSize()
	if t.rows.epochs == nil {
		t.rows.init(&t.store.epochs, size, fixed)
	}
	t.indexes, t.ident, t.set, t.seqs = nil, nil, nil, nil
	if t.ephemeral || def.IsEvent {
		t.rows.empty()
		t.count = 0
	}
	for _, d := range def.Indexes {
		t.indexes = append(t.indexes, newIndex(d, def.Layout, t))
	}
}

// finish gives a replayed table what a running table has, now that its indexes are
// built.
func (t *table) finish(c *catalogueRows) error {
	t.chooseIdent()
	if t.set != nil {
		if err := t.checkSet(); err != nil {
			return err
		}
	}
	return t.loadSequences(c)
}

// checkSet reports a row that is there twice.
func (t *table) checkSet() (failed error) {
	t.eachVisible(func(p rowPtr, row []byte) bool {
		if t.find(row) != p {
			failed = fmt.Errorf("the row %s is there twice", satn(t.def.RowType(), row))
		}
		return failed == nil
	})
	return failed
}

func (t *table) loadSequences(c *catalogueRows) error {
	for _, q := range t.def.Sequences {
		rows := c.sequences[t.def.ID]
		i := slices.IndexFunc(rows, func(r schema.StSequenceRow) bool { return r.ID == q.ID })
		if i < 0 {
			return fmt.Errorf("sequence %s is not in st_sequence", q.Name)
		}
		at, err := loadedPosition(q, rows[i].Allocated)
		if err != nil {
			return err
		}
		n := newSequence(q, t.def, at)
		n.stored = rows[i].Allocated
		t.addSequence(n)
	}
	return nil
}
