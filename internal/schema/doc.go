// Package schema turns what a module says about itself into what the server
// works with: raw definitions (V8, V9, V10) are decoded and validated into a
// [ModuleDef], whose tables are instantiated as [Table]; the system tables are
// here as data, with codecs for catalogue rows; [PlanMigration] compares two
// module definitions.
//
// Everything is a pure function of its arguments, and results are immutable.
// The package knows types and names, but no rows, transactions, clocks or
// files. Format source: spec 02, spec 08 §9.
package schema
