// Package leaktest fails the tests of a package that leave goroutines behind. It owns
// how long it waits for them to end: a busy machine takes its time with goroutines
// that have nothing left to do. Only tests import it.
package leaktest

import (
	"time"

	"go.uber.org/goleak"
)

// patience is how long goroutines may take to end after the last test.
const patience = 30 * time.Second

// Main runs the tests of a package from its TestMain, and never returns.
func Main(m goleak.TestingM, options ...goleak.Option) { goleak.VerifyTestMain(waiting{m}, options...) }

// waiting are tests that end when their goroutines have, or patience has.
type waiting struct{ goleak.TestingM }

func (w waiting) Run() int {
	code := w.TestingM.Run()
	for end := time.Now().Add(patience); code == 0 && goleak.Find() != nil && time.Now().Before(end); {
	}
	return code
}
