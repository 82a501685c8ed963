package enginetest

import (
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/spec"
)

// A Subject is an engine to be tested, with its guest, and in what it differs from others.
type Subject struct {
	Engine  abi.Engine
	Program []byte
	Chapter string // of the specification that the engine implements: "03" or "04"

	NoHandlers       bool // modules of this kind have no HTTP handlers
	NoHandlerSender  bool // handlers are not told the sender
	KeepsPanicked    bool // a reducer that panics leaves the instance in order
	CatchesViewError bool // the guest can go on when a commit fails because of a view
	RequestsBlock    bool // in reducers and views a request is answered by error number 17 and does not trap
	ErrorsOfCallers  bool // procedures and handlers have errors that are no panics
	LoopsForEver     bool // what never calls the host cannot be stopped
}

// items names the checklist items of chapter 03 and of chapter 04 that a test proves; those of the subject's count.
func (s *Subject) items(t *testing.T, list ...string) {
	t.Helper()
	for _, item := range list {
		if item[:2] == s.Chapter {
			spec.Covers(t, item)
		}
	}
}

// Run runs the suite.
func Run(t *testing.T, s Subject) {
	for name, test := range map[string]func(*testing.T, *Subject){
		"Contexts":             testContexts,
		"ReducerOutcomes":      testReducerOutcomes,
		"WaitingOutcomes":      testWaitingOutcomes,
		"Limits":               testLimits,
		"WaitingIsFree":        testWaitingIsFree,
		"Cancel":               testCancel,
		"Handles":              testHandles,
		"Transactions":         testTransactions,
		"DanglingTransactions": testDangling,
		"FailingHost":          testFailingHost,
		"Views":                testViews,
		"ViewsInCommit":        testViewsInCommit,
		"FailingViewInCommit":  testFailingViewInCommit,
		"Requests":             testRequests,
		"Handlers":             testHandlers,
		"Environment":          testEnvironment,
		"Logs":                 testLogs,
	} {
		t.Run(name, func(t *testing.T) { test(t, &s) })
	}
}
