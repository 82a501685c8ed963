//go:build !wasip1

package guest

// A Host is what an instance calls. As WebAssembly it is a type without data whose methods are the imports; natively
// each instance has its own.
//
// Byte slices are read and written during the call only.
type Host interface {
	TableID(name string) (uint32, Errno)
	IndexID(name string) (uint32, Errno)
	RowCount(table uint32) (uint64, Errno)
	// ScanTable, ScanPoint and ScanRange open an iterator. The key is the BSATN of all index columns; bounds are a tag
	// and a value (spec 03 §6).
	ScanTable(table uint32) (iter uint32, e Errno)
	ScanPoint(index uint32, key []byte) (iter uint32, e Errno)
	ScanRange(index uint32, prefix []byte, prefixCols int, from, to []byte) (iter uint32, e Errno)
	// Advance copies whole rows into buf, n bytes; more is false once the iterator has ended. With BufferTooSmall n is
	// the size of the next row.
	Advance(iter uint32, buf []byte) (n int, more bool, e Errno)
	CloseIter(iter uint32)
	// Insert and Update overwrite the front of row with the generated columns, n bytes.
	Insert(table uint32, row []byte) (n int, e Errno)
	Update(table, index uint32, row []byte) (n int, e Errno)
	DeletePoint(index uint32, key []byte) (uint32, Errno)
	DeleteRange(index uint32, prefix []byte, prefixCols int, from, to []byte) (uint32, Errno)
	// DeleteEqual deletes the rows in rel, a BSATN array of rows.
	DeleteEqual(table uint32, rel []byte) (uint32, Errno)
	Clear(table uint32) (uint64, Errno)
	Log(level uint32, target, file string, line uint32, message []byte)
	Identity(id *[32]byte)
	// JWT returns the claims of a connection, nil if there are none.
	JWT(conn *[16]byte) ([]byte, Errno)
	// Env returns the value of an environment variable, and whether it has one.
	Env(key string) (value []byte, set bool, e Errno)
	// StartTx opens a procedure's transaction and returns the time, in microseconds since the Unix epoch.
	StartTx() (now int64, e Errno)
	CommitTx() Errno
	AbortTx() Errno
	// SleepUntil waits, and returns the time afterwards.
	SleepUntil(micros int64) (now int64)
	// HTTP carries out a request (BSATN of spec 03 §11.1). With HTTPFailed the failure says why.
	HTTP(request, body []byte) (response, responseBody []byte, failure string, e Errno)
}

var serve func()

// SetServe gives Serve something to do: package module/native links the server this way.
func SetServe(f func()) { serve = f }

// Serve runs a server with the program's module until it is stopped. It returns false at once if none is linked in.
func Serve() bool {
	if serve == nil {
		return false
	}
	serve()
	return true
}
