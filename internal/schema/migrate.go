package schema

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/sha3"

	"github.com/stdbgo/spacetime/sats"
)

// Plan is how a database gets from one definition to another (spec 02 §11).
type Plan struct {
	Old, New      *ModuleDef
	Steps         []Step // in the order in which they are carried out
	Prechecks     []SequencePrecheck
	BreaksClients bool // connections must be closed: their decoders no longer fit
}

// MajorVersionUpgrade reports whether a 1.x module is replaced by a 2.x one.
func (p *Plan) MajorVersionUpgrade() bool { return p.Old.Version <= V9 && p.New.Version >= V10 }

// MigrationError lists everything that keeps a definition from being migrated
// automatically.
type MigrationError struct {
	Reasons []string
	Hint    string // advice about all of them; may be empty
}

func (e *MigrationError) Error() string {
	var b strings.Builder
	b.WriteString("Errors occurred:\n")
	for _, r := range e.Reasons {
		b.WriteString(r)
		b.WriteString("\n\n")
	}
	b.WriteString(e.Hint)
	return b.String()
}

// MigrationToken proves that the publisher saw the plan between two programs
// of a database (spec 02 §11.8). Its JSON form is the one on the wire.
func MigrationToken(db sats.Identity, oldProgram, newProgram sats.Hash) sats.Hash {
	h := sha3.NewLegacyKeccak256()
	h.Write([]byte(db.String() + oldProgram.String() + newProgram.String()))
	return sats.Hash(h.Sum(nil))
}

// Token returns the token of the plan for a database and the programs that
// contain the two definitions.
func (p *Plan) Token(db sats.Identity, oldProgram, newProgram sats.Hash) sats.Hash {
	return MigrationToken(db, oldProgram, newProgram)
}

// PlanMigration compares two definitions. If the new one cannot be reached
// automatically the error is a *[MigrationError] with every reason.
func PlanMigration(old, new *ModuleDef) (*Plan, error) {
	p := &planner{plan: &Plan{Old: old, New: new}}
	p.tables()
	p.views()
	p.rls()
	if len(p.reasons) > 0 {
		return nil, &MigrationError{Reasons: p.reasons, Hint: p.hint()}
	}
	if p.plan.BreaksClients {
		p.step(DisconnectAllUsers{})
	}
	slices.SortStableFunc(p.plan.Steps, func(a, b Step) int { return a.place().compare(b.place()) })
	return p.plan, nil
}

// planner collects steps and reasons.
type planner struct {
	plan    *Plan
	reasons []string
	refused int // also counts those beyond maxProblems
}

func (p *planner) step(s Step) { p.plan.Steps = append(p.plan.Steps, s) }

func (p *planner) breaking(s Step) {
	p.step(s)
	p.plan.BreaksClients = true
}

// refuse adds a reason, once; users read them in the order in which they were
// found. Clients look for the words "manual migration".
func (p *planner) refuse(format string, args ...any) {
	if p.refused++; p.refused > maxProblems {
		return
	}
	if reason := fmt.Sprintf(format, args...); !slices.Contains(p.reasons, reason) {
		p.reasons = append(p.reasons, reason)
	}
}

func (p *planner) hint() string {
	if !p.plan.MajorVersionUpgrade() || policyOf(p.plan.New) == CaseNone {
		return ""
	}
	return "The new module is built with a 2.x SDK, which converts names of tables, columns, fields and variants. " +
		"With the case conversion policy `None` it keeps the names of the old one.\n"
}

func policyOf(m *ModuleDef) CasePolicy {
	if m.Raw == nil || m.Raw.V10 == nil {
		return CaseNone
	}
	return m.Raw.V10.Section(SecCasePolicy).CasePolicy
}

// matched calls removed, added or both for the objects of two lists, matched
// by name.
func matched[T any](old, new []T, name func(*T) string, removed, added func(*T), both func(old, new *T)) {
	byName := make(map[string]*T, len(new))
	for i := range new {
		byName[name(&new[i])] = &new[i]
	}
	seen := make(map[string]bool, len(old))
	for i := range old {
		n := name(&old[i])
		seen[n] = true
		if o := byName[n]; o != nil {
			both(&old[i], o)
		} else {
			removed(&old[i])
		}
	}
	for i := range new {
		if !seen[name(&new[i])] {
			added(&new[i])
		}
	}
}

func (p *planner) tables() {
	matched(p.plan.Old.Tables, p.plan.New.Tables, func(t **TableDef) string { return (*t).Name },
		func(t **TableDef) { p.breaking(RemoveTable{*t}) },
		func(t **TableDef) { p.step(AddTable{*t}) },
		func(old, new **TableDef) { p.table(*old, *new) })
}

func (p *planner) table(old, new *TableDef) {
	if old.Kind != new.Kind {
		p.refuse("Changing the type of table %s from %s to %s requires a manual migration", new.Name, old.Kind, new.Kind)
	}
	if old.IsEvent != new.IsEvent {
		p.refuse("Changing the event flag of table %s from %t to %t requires a manual migration", new.Name, old.IsEvent, new.IsEvent)
	}
	if old.Access != new.Access {
		p.step(ChangeAccess{new.Namespace, new.Name, old.Access, new.Access})
	}
	if !sameKey(old.PrimaryKey, new.PrimaryKey) {
		p.step(ChangePrimaryKey{old, new})
	}
	if old.Accessor != new.Accessor {
		p.step(ChangeTableAccessor{old, new})
	}
	p.columns(old, new)
	p.indexes(old, new)
	p.constraints(old, new)
	p.sequences(old, new)
	p.schedule(old, new)
	p.outbox(old, new)
}

func sameKey(a, b *ColID) bool { return a == b || a != nil && b != nil && *a == *b }

func (p *planner) columns(old, new *TableDef) {
	if old.IsEvent && new.IsEvent {
		if !old.RowType.Equal(new.RowType) {
			p.breaking(ReschemaEventTable{old, new})
			return
		}
		p.columnAccessors(old, new)
		return
	}
	c := columnPlan{planner: p, table: new.Name}
	positions := make(map[string]int, len(new.Columns))
	for i := range new.Columns {
		positions[new.Columns[i].Name] = i
	}
	for i := range old.Columns {
		c.old(&old.Columns[i], i, positions, new.Columns)
	}
	if c.moved {
		p.refuse("Reordering the columns of table %s requires a manual migration; new columns belong at its end", new.Name)
	}
	c.added(old, new)
	switch {
	case c.adds > 0:
		p.breaking(AddColumns{old, new})
	case c.changed:
		p.step(ChangeColumns{old, new})
	}
	p.columnAccessors(old, new)
}

// columnPlan compares the columns of one table.
type columnPlan struct {
	*planner
	table          string
	moved, changed bool
	adds           int
}

// old looks for an old column, at position i, among the new ones.
func (c *columnPlan) old(o *ColumnDef, i int, positions map[string]int, new []ColumnDef) {
	j, kept := positions[o.Name]
	if !kept {
		c.refuse("Removing a column %s from table %s requires a manual migration", o.Name, c.table)
		return
	}
	if i != j {
		c.moved = true
	}
	types := compat{report: func(p compatProblem, within bool, a, b *sats.Type) {
		c.refuse("%s", compatText(p, within, a, b, o.Name, c.table))
	}}
	if types.upgradable(o.Type, new[j].Type, false) {
		c.changed = true
	}
}

func (c *columnPlan) added(old, new *TableDef) {
	known := make(map[string]bool, len(old.Columns))
	for i := range old.Columns {
		known[old.Columns[i].Name] = true
	}
	for i := range new.Columns {
		n := &new.Columns[i]
		if known[n.Name] {
			continue
		}
		c.adds++
		if n.Default == nil {
			c.refuse("Adding a column %s to table %s requires a default value annotation", n.Name, c.table)
		}
	}
}

// compatText describes why a column's type cannot change in place.
func compatText(p compatProblem, within bool, old, new *sats.Type, column, table string) string {
	where := "the type of column " + column
	if within {
		where = "a type within the type of column " + column
	}
	change := fmt.Sprintf("%s in table %s from %s to %s", where, table, typeText(old), typeText(new))
	switch p {
	case fewerVariants:
		return "Changing " + change + " requires a manual migration, because the new type has fewer variants"
	case renamedVariant:
		return "Changing " + change + " requires a manual migration, because a variant has another name"
	case sizeMismatch:
		return fmt.Sprintf("Changing %s requires a manual migration, because its size in rows changes from %d to %d bytes", change, layoutOf(old).size, layoutOf(new).size)
	case alignMismatch:
		return fmt.Sprintf("Changing %s requires a manual migration, because its alignment in rows changes from %d to %d bytes", change, layoutOf(old).align, layoutOf(new).align)
	case fewerFields:
		return "Changing " + change + " requires a manual migration, because the number of fields differs"
	case renamedField:
		return "Changing " + change + " requires a manual migration, because a field has another name"
	}
	return "Changing " + change + " requires a manual migration"
}

func (p *planner) columnAccessors(old, new *TableDef) {
	matched(old.Columns, new.Columns, func(c *ColumnDef) string { return c.Name },
		func(*ColumnDef) {}, func(*ColumnDef) {},
		func(o, n *ColumnDef) {
			if o.Accessor != n.Accessor {
				p.step(ChangeColumnAccessor{new, o, n})
			}
		})
}

func (p *planner) indexes(old, new *TableDef) {
	matched(old.Indexes, new.Indexes, func(x *IndexDef) string { return x.Name },
		func(x *IndexDef) { p.step(RemoveIndex{old, x}) },
		func(x *IndexDef) { p.step(AddIndex{new, x}) },
		func(o, n *IndexDef) {
			switch {
			case o.Codegen != n.Codegen:
				p.refuse("Changing the accessor name of index %s of table %s from %s to %s requires a manual migration",
					n.Name, new.Name, o.Codegen.Or(""), n.Codegen.Or(""))
			case o.Algo != n.Algo || !slices.Equal(o.Cols, n.Cols):
				p.step(RemoveIndex{old, o})
				p.step(AddIndex{new, n})
			case o.Accessor != n.Accessor:
				p.step(ChangeIndexSourceName{new, o, n})
			}
		})
}

func (p *planner) constraints(old, new *TableDef) {
	matched(old.Constraints, new.Constraints, func(c *ConstraintDef) string { return c.Name },
		func(c *ConstraintDef) { p.step(RemoveConstraint{old, c}) },
		func(c *ConstraintDef) { p.step(AddConstraint{new, c}) },
		func(o, n *ConstraintDef) {
			if !slices.Equal(o.Cols, n.Cols) {
				p.refuse("Changing the unique constraint %s of table %s from the columns [%s] to [%s] requires a manual migration", n.Name, new.Name,
					strings.Join(columnNames(old.Columns, o.Cols), ", "), strings.Join(columnNames(new.Columns, n.Cols), ", "))
			}
		})
}

func (p *planner) sequences(old, new *TableDef) {
	add := func(s *SequenceDef) {
		p.plan.Prechecks = append(p.plan.Prechecks, SequencePrecheck{new, s})
		p.step(AddSequence{new, s})
	}
	matched(old.Sequences, new.Sequences, func(s *SequenceDef) string { return s.Name },
		func(s *SequenceDef) { p.step(RemoveSequence{old, s}) },
		add,
		func(o, n *SequenceDef) {
			if o.Col != n.Col || o.Start != n.Start || o.Min != n.Min || o.Max != n.Max || o.Increment != n.Increment {
				p.step(RemoveSequence{old, o})
				add(n)
			}
		})
}

func (p *planner) schedule(old, new *TableDef) {
	o, n := old.Schedule, new.Schedule
	if o == nil && n == nil || o != nil && n != nil && *o == *n {
		return
	}
	if o != nil {
		p.step(RemoveSchedule{old})
	}
	if n != nil {
		p.step(AddSchedule{new})
	}
}

func (p *planner) outbox(old, new *TableDef) {
	o, n := old.Outbox, new.Outbox
	switch {
	case o == nil && n == nil:
		return
	case o == nil:
		p.refuse("Making table %s an outbox requires a manual migration", new.Name)
		return
	case n == nil:
		p.refuse("Making table %s an ordinary table, which is an outbox, requires a manual migration", new.Name)
		return
	}
	if o.TargetCol != n.TargetCol {
		p.refuse("Changing the target column of outbox %s requires a manual migration", new.Name)
	}
	if !sameKey(old.PrimaryKey, new.PrimaryKey) {
		p.refuse("Changing the primary key of outbox %s requires a manual migration", new.Name)
	}
	if o.RemoteReducer != n.RemoteReducer || !slices.Equal(o.ArgCols, n.ArgCols) || o.OnResult != n.OnResult || o.SignatureHash != n.SignatureHash {
		p.step(ChangeOutbox{old, new})
	}
}

func (p *planner) views() {
	matched(p.plan.Old.Views, p.plan.New.Views, func(w **ViewDef) string { return (*w).Name },
		func(w **ViewDef) { p.breaking(RemoveView{*w}) },
		func(w **ViewDef) { p.step(AddView{*w}) },
		func(old, new **ViewDef) { p.view(*old, *new) })
}

func (p *planner) view(old, new *ViewDef) {
	if sameView(old, new) {
		p.step(UpdateView{old, new})
	} else {
		p.breaking(RemoveView{old})
		p.breaking(AddView{new})
	}
	if a, b := viewAccess(old), viewAccess(new); a != b {
		p.step(ChangeAccess{new.Namespace, new.Name, a, b})
	}
}

func viewAccess(d *ViewDef) Access {
	if d.IsPublic {
		return Public
	}
	return Private
}

// sameView reports whether clients that know the old view can use the new one.
func sameView(old, new *ViewDef) bool {
	if old.IsAnonymous != new.IsAnonymous || !sameKey(old.PrimaryKey, new.PrimaryKey) {
		return false
	}
	same := true
	c := compat{report: func(compatProblem, bool, *sats.Type, *sats.Type) { same = false }}
	c.upgradable(old.RowType, new.RowType, false)
	a, errA := old.Typespace.Resolve(old.ParamCols)
	b, errB := new.Typespace.Resolve(new.ParamCols)
	if errA != nil || errB != nil { // recursive parameter types
		return same && old.ParamCols.Equal(new.ParamCols)
	}
	c.upgradable(a, b, false)
	return same
}

func (p *planner) rls() {
	old, new := p.plan.Old.RLS, p.plan.New.RLS
	unchanged := slices.Equal(old, new)
	if !unchanged {
		p.plan.BreaksClients = true
	}
	for _, s := range old {
		p.step(RemoveRLS{s, unchanged})
	}
	for _, s := range new {
		p.step(AddRLS{s, unchanged})
	}
}
