// Package module is what a database module in Go imports: tables, indexes, and the functions that clients call.
//
// # A module
//
// A module is a Go program whose package variables declare tables, and whose init function declares reducers:
//
//	package main
//
//	import (
//		"errors"
//
//		"github.com/stdbgo/spacetime/module"
//	)
//
//	type User struct {
//		Identity module.Identity `stdb:"primarykey"`
//		Name     *string // nil until set
//		Online   bool
//	}
//
//	var (
//		users    = module.NewTable[User]("user", module.Public)
//		userByID = module.UniqueOf(users, func(u *User) *module.Identity { return &u.Identity })
//	)
//
//	type SetNameArgs struct{ Name string }
//
//	func SetName(ctx *module.Context, args SetNameArgs) error {
//		u, ok := userByID.Find(ctx, ctx.Sender)
//		if !ok {
//			return errors.New("cannot set name for unknown user")
//		}
//		u.Name = &args.Name
//		_, err := userByID.Update(ctx, u)
//		return err
//	}
//
//	func init() { module.Reducer("set_name", SetName) }
//
//	func main() { module.Main() }
//
// Build it with GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared, or let the command spacetime publish do that. Run
// natively, the same program can be a server with the module in it; see [Main].
//
// # Tables
//
// A table holds rows of one struct type. Its fields are columns, named in snake case: UserID becomes user_id. Tags of
// the key stdb say more; see [NewTable]. A field has one of these types:
//
//	bool, int8 … int64, uint8 … uint64, float32, float64, string, []byte
//	[U128], [I128], [U256], [I256]
//	[Identity], [ConnectionID], [Timestamp], [TimeDuration], [ScheduleAt], [Uuid]
//	*T             optional: nil is none
//	[]T            a list
//	a struct       of such fields
//	an enum        see [RegisterEnum]
//	a sum          an interface; see [RegisterSum]
//	[Result]       a value or an error
//
// Not int and uint, whose size differs between machines, nor maps, nor time.Time, which has more than a [Timestamp] can
// hold.
//
// # Finding rows
//
// Indexes are typed values made from selector functions, which return the address of a field; so the compiler checks
// the key's type, and an editor renames the field everywhere. [UniqueOf] finds the one row of a key, [IndexOf] and
// [HashIndexOf] all rows of a value, [IndexOf2] and [IndexOf3] go by several columns. Rows are values: changing one
// changes nothing in the table until it is given to Update. Loops over rows see the table as it was when they began, so
// they may change it.
//
// # Reducers
//
// Clients change tables by calling reducers only. A reducer runs alone and in a transaction: when it returns nil
// everything it has written becomes visible at once, when it returns an error or panics nothing does. The text of an
// error reaches the caller; a panic is for mistakes, its text stands in the module's log and the caller learns only
// that there was one. [OnInit], [OnConnect] and [OnDisconnect] are called by the database, [Scheduled] reducers at the
// times that the rows of a table say.
//
// A reducer must depend on nothing but its arguments, its [Context] and the tables. Package variables are lost whenever
// the module is loaded anew, and no goroutine may outlive the call.
//
// # Views
//
// A [View] is a function that computes rows, to which clients subscribe as to those of a table: the same for everybody, or, without
// the option [Anonymous], different ones for each caller. The database notices what the function has read, and calls it again
// in the transaction that changes any of it. A view that returns a [Query] leaves finding its rows to the database.
//
// Of a public table everybody may see every row, unless a [VisibilityFilter] says who sees which.
//
// # Procedures and HTTP handlers
//
// A [Procedure] may wait: it can sleep and make HTTP requests, and it returns a value to its caller. Therefore it runs outside of
// transactions, and opens short ones where it needs tables:
//
//	func Import(ctx *module.ProcedureContext, args ImportArgs) (uint32, error) {
//		resp, err := ctx.Do(&module.HTTPRequest{URL: args.URL})
//		if err != nil {
//			return 0, err
//		}
//		err = ctx.Tx(func(tx *module.Context) error {
//			_, err := pages.Insert(tx, Page{URL: args.URL, Text: string(resp.Body)})
//			return err
//		})
//		return uint32(len(resp.Body)), err
//	}
//
// An [HTTPHandler] is the same for whoever speaks HTTP to the database: it answers at paths of its own. Package
// github.com/stdbgo/spacetime/module/nethttp has both with the types of net/http. Keys of foreign services
// and the like come from the database's environment; see [Env]. Databases call each other's reducers by writing rows;
// see [Outbox] and [OnResult].
//
// # Mistakes
//
// Everything declared wrongly, such as two tables of one name or a field of a type that cannot be stored, is found when
// the module is published or run, and reported together. Misuse during a call, such as a context that was kept from an
// earlier one, is a panic that names it.
//
// The package owns the declarations of a module and its calls of the host, and promises that a call allocates next to
// nothing besides what the module does. It imports the standard library and package sats only, knows neither server nor
// WebAssembly, and a program needs one module only: declarations go to that of the process.
package module
