package module

import (
	"slices"

	"github.com/stdbgo/spacetime/sats"
)

// VisibilityFilter declares a rule of row-level security, in SQL: of a table that has rules, clients see only the rows that
// one of them selects. A rule is of the form SELECT * FROM the table, with conditions and joins as in subscriptions; :sender
// stands for who looks. The owner of the database, and reducers, views and procedures, see every row. Rules are checked when
// the module is published.
//
//	module.VisibilityFilter("SELECT * FROM message WHERE sender = :sender")
func VisibilityFilter(sql string) {
	std.open("VisibilityFilter")
	if slices.Contains(std.filters, sql) {
		std.problem("the visibility filter %q is declared twice", sql)
	}
	std.filters = append(std.filters, sql)
}

func (d *definer) visibilityFilters() []byte {
	b := sats.AppendLen([]byte{sectionFilters}, len(d.r.filters))
	for _, sql := range d.r.filters {
		b = sats.AppendString(b, sql)
	}
	return b
}
