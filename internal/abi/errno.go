package abi

import "strconv"

// An Errno is what a host function answers to a module instead of doing its work. Zero is success. The numbers are
// frozen (spec 03 §3.3); SDKs do not know any others.
type Errno uint16

const (
	OK                         Errno = 0
	ErrHostCallFailure         Errno = 1
	ErrNotInTransaction        Errno = 2
	ErrBSATNDecode             Errno = 3
	ErrNoSuchTable             Errno = 4
	ErrNoSuchIndex             Errno = 5
	ErrNoSuchIter              Errno = 6
	ErrNoSuchConsoleTimer      Errno = 7
	ErrNoSuchBytes             Errno = 8
	ErrNoSpace                 Errno = 9
	ErrWrongIndexAlgo          Errno = 10
	ErrBufferTooSmall          Errno = 11
	ErrUniqueAlreadyExists     Errno = 12
	ErrScheduleDelayTooLong    Errno = 13
	ErrIndexNotUnique          Errno = 14
	ErrNoSuchRow               Errno = 15
	ErrAutoIncOverflow         Errno = 16
	ErrWouldBlockTransaction   Errno = 17
	ErrTransactionNotAnonymous Errno = 18
	ErrTransactionIsReadOnly   Errno = 19
	ErrTransactionIsMut        Errno = 20
	ErrHTTP                    Errno = 21
)

var errnoTexts = [...]string{
	OK:                         "success",
	ErrHostCallFailure:         "the call failed",
	ErrNotInTransaction:        "no transaction is open",
	ErrBSATNDecode:             "the value is not valid BSATN of the expected type",
	ErrNoSuchTable:             "no such table",
	ErrNoSuchIndex:             "no such index",
	ErrNoSuchIter:              "no such row iterator",
	ErrNoSuchConsoleTimer:      "no such console timer",
	ErrNoSuchBytes:             "no such bytes source or sink",
	ErrNoSpace:                 "no space left",
	ErrWrongIndexAlgo:          "the index does not support range scans",
	ErrBufferTooSmall:          "the buffer is too small for the next row",
	ErrUniqueAlreadyExists:     "a row with this unique value exists already",
	ErrScheduleDelayTooLong:    "the delay of the schedule row is too long",
	ErrIndexNotUnique:          "the index is not unique",
	ErrNoSuchRow:               "no such row",
	ErrAutoIncOverflow:         "the sequence has overflowed",
	ErrWouldBlockTransaction:   "not allowed while a transaction is open",
	ErrTransactionNotAnonymous: "no transaction opened by this procedure",
	ErrTransactionIsReadOnly:   "the transaction is read only",
	ErrTransactionIsMut:        "the transaction is not read only",
	ErrHTTP:                    "the HTTP request failed",
}

// Error makes an Errno usable as an error.
func (e Errno) Error() string {
	if int(e) < len(errnoTexts) {
		return errnoTexts[e]
	}
	return "error number " + strconv.Itoa(int(e))
}
