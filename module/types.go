package module

import (
	"time"

	"github.com/stdbgo/spacetime/sats"
)

// The types of columns that Go does not have. Modules, clients and the server share them.
type (
	// An Identity is somebody who has connected, a database, or the issuer and subject of a token; it stays the same.
	Identity = sats.Identity
	// A ConnectionID is one connection of a client; zero is none.
	ConnectionID = sats.ConnectionID
	// A Timestamp is a point in time in microseconds since 1970-01-01T00:00:00Z.
	Timestamp = sats.Timestamp
	// A TimeDuration is a signed span of time in microseconds.
	TimeDuration = sats.TimeDuration
	// A ScheduleAt is when a row of a scheduled table fires; see At, Every and Context.After.
	ScheduleAt = sats.ScheduleAt
	// A Uuid is a UUID of any version.
	Uuid = sats.Uuid
	// A U128 is an unsigned integer of 128 bits.
	U128 = sats.U128
	// An I128 is a signed integer of 128 bits.
	I128 = sats.I128
	// A U256 is an unsigned integer of 256 bits.
	U256 = sats.U256
	// An I256 is a signed integer of 256 bits.
	I256 = sats.I256
)

// A Result is a column or parameter that holds either a T or an E: IsErr says which of Ok and Err counts.
type Result[T, E any] = sats.ResultOf[T, E]

// TimestampOf returns the timestamp of t, cut to microseconds towards the past.
func TimestampOf(t time.Time) Timestamp { return sats.TimestampOf(t) }

// TimeDurationOf returns d, cut to microseconds towards zero.
func TimeDurationOf(d time.Duration) TimeDuration { return sats.TimeDurationOf(d) }

// At makes a row of a scheduled table fire once, at t.
func At(t Timestamp) ScheduleAt { return sats.ScheduleTime(t) }

// Every makes a row of a scheduled table fire again and again, d apart.
func Every(d time.Duration) ScheduleAt { return sats.ScheduleInterval(sats.TimeDurationOf(d)) }

// A Variant is one alternative of a sum type.
type Variant = sats.SumVariant

// VariantOf returns the alternative called name that holds a T: a struct with its fields, a struct without fields for
// an alternative without data, or any other type, as in type Radius float32.
func VariantOf[T any](name string) Variant { return sats.Variant[T](name) }

// RegisterEnum makes T, as in type Color uint8, an enumeration whose value 0 is called by the first name, 1 by the
// second, and so on. Call it from init.
func RegisterEnum[T ~uint8](names ...string) {
	std.guard("RegisterEnum", func() { sats.RegisterEnum[T](names...) })
}

// RegisterSum makes the interface I a sum type: a value is one of the variants. Call it from init.
//
//	type Shape interface{ isShape() }
//	type Circle struct{ Radius float32 }
//	type Square struct{ Side float32 }
//
//	func (Circle) isShape() {}
//	func (Square) isShape() {}
//
//	func init() {
//		module.RegisterSum[Shape](module.VariantOf[Circle]("Circle"), module.VariantOf[Square]("Square"))
//	}
func RegisterSum[I any](variants ...Variant) {
	std.guard("RegisterSum", func() { sats.RegisterSum[I](variants...) })
}
