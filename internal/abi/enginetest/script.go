// Package enginetest is the conformance suite of module engines: what every engine must do alike, whatever language its modules
// are written in.
//
// It owns a fake database (services, transactions, requests) and checks of contexts, error numbers, outcomes, limits, logs,
// transactions, views and handlers, which run scripts inside a guest. It promises nothing about an engine's own forms, such as
// pointers or exceptions: these are tested beside the engine.
//
// # Guests
//
// For each engine there is a guest, a module that interprets a script: in reducers, views and procedures their whole argument
// bytes, in HTTP handlers the request. A script is a sequence of steps, each an operation (one byte), the length of its operand
// (one byte) and the operand. After each step the guest logs a record of level Info whose message is the character '@' plus the
// error number that the host answered with, hence '@' for success, followed by data. The operation that the guest has no function
// for is answered by '?'. The host functions work on the table 4096 and have constant arguments where no operand is named.
package enginetest

import "slices"

// Operations of scripts, and the data that the guest logs.
const (
	OpTable    = 't' // looks up the id of the table named by the operand
	OpCount    = 'n' // row count: one character, '0' plus the number
	OpScan     = 's' // opens an iterator over the table, and remembers it beyond the call
	OpAdvance  = 'a' // advances it: the rows
	OpClose    = 'c' // closes it
	OpInsert   = 'i' // inserts the row of the operand
	OpClear    = 'x' // clears the table
	OpJWT      = 'j' // the claims of the connection 1
	OpEnv      = 'e' // the value of the environment variable, "-" if it is not set
	OpSleep    = 'z' // sleeps until the i64 of the operand: nothing
	OpStart    = 'b' // opens a transaction
	OpCommit   = 'k' // commits it; 'T' if the guest caught an exception for a view that failed
	OpAbort    = 'r' // rolls it back
	OpHTTP     = 'h' // makes the request of the operand, with the body "hi": response and body; or the text of the failure
	OpTimer    = 'm' // starts a timer and ends it
	OpSchedule = 'q' // queues a call of "later" with the operand
	OpLog      = 'l' // logs the operand as it is, and no answer
	OpLoop     = 'o' // never ends
	OpWork     = 'w' // calls OpCount's function for ever
	OpLeak     = 'f' // calls OpScan's function for ever
	OpPanic    = 'p' // panics
	OpFail     = 'u' // ends the call with the operand as the module's error
	OpResult   = 'v' // makes the operand the result: rows of a view, value of a procedure, response of a handler
	OpQuery    = 'Q' // makes the operand the query that a view returns
	OpBody     = 'd' // makes the operand the body of a handler's response
	OpSender   = 'S' // the first byte of the sender's identity
	OpRequest  = 'B' // the body of a handler's request
	OpToken    = 'J' // the payload of the token that a handler's sender has
)

// A Step is one step of a script.
type Step struct {
	Op      byte
	Operand string
}

// Op makes a step.
func Op(op byte, operand ...string) Step {
	s := Step{Op: op}
	for _, o := range operand {
		s.Operand += o
	}
	return s
}

// script encodes steps.
func script(steps ...Step) (b []byte) {
	for _, s := range steps {
		if len(s.Operand) > 255 {
			panic("enginetest: an operand has more than 255 bytes")
		}
		b = append(append(b, s.Op, byte(len(s.Operand))), s.Operand...)
	}
	return b
}

// Decode returns the steps of a script, for guests that are written in Go.
func Decode(b []byte) (steps []Step) {
	for len(b) >= 2 {
		n := 2 + int(b[1])
		steps = append(steps, Step{b[0], string(b[2:n])})
		b = b[n:]
	}
	return steps
}

// matches compares what a guest logged with what it should have; '?' stands for an operation that it does not have.
func matches(got, want []string) bool {
	return slices.EqualFunc(got, want, func(g, w string) bool { return g == w || g == "?" })
}
