package schema

import (
	"slices"
	"strconv"
	"strings"

	"github.com/stdbgo/spacetime/sats"
)

// v8Lifecycle maps the reducer names that had a meaning before V9.
var v8Lifecycle = map[string]Lifecycle{
	"__init__":                  LifecycleInit,
	"__identity_connected__":    LifecycleOnConnect,
	"__identity_disconnected__": LifecycleOnDisconnect,
}

// upgradeV8 returns the V9 form of a definition from before 1.0 (spec 02
// §3.3). What cannot be expressed is added to p.
func upgradeV8(m *RawV8, p *problems) *RawV9 {
	out := &RawV9{Typespace: orEmpty(m.Typespace)}
	for i := range m.Tables {
		u := v8Table{p: p, raw: &m.Tables[i].Schema, ts: out.Typespace}
		out.Tables = append(out.Tables, u.upgrade(m.Tables[i].Ref))
	}
	for _, r := range m.Reducers {
		out.Reducers = append(out.Reducers, RawReducerV9{Name: r.Name, Params: orUnit(r.Args), Lifecycle: v8Lifecycle[r.Name]})
	}
	for _, a := range m.MiscExports {
		parts := strings.FieldsFunc(a.Name, func(r rune) bool { return r == ':' || r == '.' })
		t := RawType{Ref: a.Ref, CustomOrdering: true}
		if n := len(parts); n > 0 {
			t.Scope, t.Name = parts[:n-1], parts[n-1]
		}
		out.Types = append(out.Types, t)
	}
	return out
}

// v8Table upgrades one table.
type v8Table struct {
	p   *problems
	raw *RawTableV8
	ts  *sats.Typespace
	out RawTableV9
}

func (u *v8Table) upgrade(ref uint32) RawTableV9 {
	u.out = RawTableV9{Name: u.raw.Name, ProductTypeRef: ref, Kind: User, Access: Public}
	u.words()
	u.columns(ref)
	for _, x := range u.raw.Indexes {
		u.out.Indexes = append(u.out.Indexes, v8Index(x.Name, x.Algo, x.Cols))
	}
	for _, s := range u.raw.Sequences {
		u.out.Sequences = append(u.out.Sequences, RawSequence{
			Name: sats.Named(s.Name), Col: s.Col, Start: s.Start, Min: s.Min, Max: s.Max, Increment: s.Increment,
		})
	}
	for _, c := range u.raw.Constraints {
		u.constraint(c)
	}
	u.uniqueIndexes()
	u.schedule()
	return u.out
}

// words reads the table's type and access.
func (u *v8Table) words() {
	switch u.raw.Kind {
	case "system":
		u.out.Kind = System
	case "user":
	default:
		u.p.add(ColumnDefMalformed, "table `%s`: unknown table type %q; it must be `system` or `user`", u.raw.Name, u.raw.Kind)
	}
	switch u.raw.Access {
	case "private":
		u.out.Access = Private
	case "public":
	default:
		u.p.add(ColumnDefMalformed, "table `%s`: unknown table access %q; it must be `public` or `private`", u.raw.Name, u.raw.Access)
	}
}

// columns checks that the declared columns are those of the row type.
func (u *v8Table) columns(ref uint32) {
	row, err := u.ts.Get(ref)
	if err != nil || row.Kind != sats.KindProduct {
		return // validation of the upgraded table reports it
	}
	same := slices.EqualFunc(u.raw.Columns, row.Elems, func(c RawColumnV8, e sats.Element) bool {
		return e.Name == sats.Named(c.Name) && c.Type.Equal(e.Type)
	})
	if !same {
		u.p.add(ColumnDefMalformed, "table `%s`: its columns differ from the fields of its row type", u.raw.Name)
	}
}

func v8Index(name string, algo Algo, cols []ColID) RawIndex {
	return RawIndex{Name: sats.Named(name), Accessor: sats.Named(name), Algo: algo, Cols: cols}
}

// constraint turns one set of constraint bits into what V9 declares separately.
func (u *v8Table) constraint(c RawConstraintV8) {
	if c.Kind&^v8AllBits != 0 {
		u.p.add(ColumnDefMalformed, "table `%s`: constraint `%s` has unknown bits %#x", u.raw.Name, c.Name, c.Kind)
		return
	}
	short := strings.TrimPrefix(c.Name, "ct_"+u.raw.Name+"_")
	unique := c.Kind&v8Unique == v8Unique
	if unique {
		u.out.Constraints = append(u.out.Constraints, RawConstraint{Name: sats.Named(c.Name), Cols: c.Cols})
	}
	if c.Kind&v8Indexed != 0 {
		suffix := "_non_unique"
		if unique {
			suffix = "_unique"
		}
		u.addIndex("idx_"+u.raw.Name+"_"+short+suffix, c.Cols)
	}
	if c.Kind&v8AutoInc != 0 {
		u.addSequence("seq_"+u.raw.Name+"_"+short, c)
	}
	if c.Kind&v8PrimaryKey == v8PrimaryKey {
		// A second key or one of several columns becomes a list too long to
		// be a key, which validation reports.
		u.out.PrimaryKey = append(u.out.PrimaryKey, c.Cols...)
	}
}

func (u *v8Table) addIndex(name string, cols []ColID) {
	if !slices.ContainsFunc(u.out.Indexes, func(x RawIndex) bool { return x.Name.Text == name }) {
		u.out.Indexes = append(u.out.Indexes, v8Index(name, BTree, cols))
	}
}

func (u *v8Table) addSequence(name string, c RawConstraintV8) {
	if len(c.Cols) != 1 {
		u.p.add(InvalidSequenceColumnType, "table `%s`: the auto-increment constraint `%s` must cover exactly one column", u.raw.Name, c.Name)
		return
	}
	if !slices.ContainsFunc(u.out.Sequences, func(s RawSequence) bool { return s.Name.Text == name || s.Col == c.Cols[0] }) {
		u.out.Sequences = append(u.out.Sequences, RawSequence{Name: sats.Named(name), Col: c.Cols[0], Increment: sats.I128From(1)})
	}
}

// uniqueIndexes gives a unique index the constraint that makes it unique in
// V9, unless there is one.
func (u *v8Table) uniqueIndexes() {
	for _, x := range u.raw.Indexes {
		covered := slices.ContainsFunc(u.out.Constraints, func(c RawConstraint) bool { return SameColumnSet(c.Cols, x.Cols) })
		if !x.IsUnique || covered {
			continue
		}
		name := "ct_" + u.raw.Name + "_" + u.joined(x.Cols) + "_unique"
		u.out.Constraints = append(u.out.Constraints, RawConstraint{Name: sats.Named(name), Cols: x.Cols})
	}
}

func (u *v8Table) joined(cols []ColID) string {
	names := make([]string, len(cols))
	for i, c := range cols {
		if int(c) < len(u.raw.Columns) {
			names[i] = u.raw.Columns[c].Name
		} else {
			names[i] = "col_" + strconv.Itoa(int(c))
		}
	}
	return strings.Join(names, "_")
}

func (u *v8Table) schedule() {
	if !u.raw.Scheduled.Set {
		return
	}
	at := slices.IndexFunc(u.raw.Columns, func(c RawColumnV8) bool { return c.Name == "scheduled_at" })
	if at < 0 {
		u.p.add(ScheduledIncorrectColumns, "table `%s` has a schedule and so needs a column `scheduled_at`", u.raw.Name)
		return
	}
	u.out.Schedule = &RawScheduleV9{Function: u.raw.Scheduled.Text, AtCol: ColID(at)}
}
