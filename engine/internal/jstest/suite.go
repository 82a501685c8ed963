package jstest

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
)

// An Engine is what is to be tested.
type Engine struct {
	New func() abi.Engine
	// Differs has what the engine answers where another may say something else, by the name of the case: a text of the
	// language's own, or how a hostile module ends that both stop.
	Differs map[string]string
	// Allocs is how often a call allocates at most.
	Allocs float64
}

// engine is the one under test.
var engine Engine

// sources are the modules that use the official npm packages, as seen from an engine's directory.
const sources = "../js/testdata/src"

var tests = []struct {
	name string
	run  func(t *testing.T)
}{
	{"Chat", testChat},
	{"Imports", testImports},
	{"Exports", testExports},
	{"ModuleHooks", testModuleHooks},
	{"StartFailures", testStartFailures},
	{"HooksAreFoundAsTheyMayBe", testHooksAreFoundAsTheyMayBe},
	{"ReducerArguments", testReducerArguments},
	{"LongArguments", testLongArguments},
	{"TopLevelCalls", testTopLevelCalls},
	{"TransactionsInReducer", testTransactionsInReducer},
	{"HostilePrograms", testHostilePrograms},
	{"Using", testUsing},
	{"PositionsAfterLowering", testPositionsAfterLowering},
	{"LargeTable", testLargeTable},
	{"Globals", testGlobals},
	{"Text", testText},
	{"AsUintN", testAsUintN},
	{"RandomVector", testRandomVector},
	{"InsertWritesGeneratedColumns", testInsertWritesGeneratedColumns},
	{"Advance", testAdvance},
	{"IteratorsEndWithTheCall", testIteratorsEndWithTheCall},
	{"LookupsDoNotAccumulate", testLookupsDoNotAccumulate},
	{"DataFunctions", testDataFunctions},
	{"ArgumentTypes", testArgumentTypes},
	{"MiscFunctions", testMiscFunctions},
	{"EnvGet", testEnvGet},
	{"UserError", testUserError},
	{"ExceptionIsFatal", testExceptionIsFatal},
	{"Exceptions", testExceptions},
	{"UniqueViolationIsCaught", testUniqueViolationIsCaught},
	{"AsyncReducer", testAsyncReducer},
	{"Packages", testPackages},
	{"HostileModules", testHostileModules},
	{"Termination", testTermination},
	{"Cancel", testCancel},
	{"Energy", testEnergy},
	{"InstanceIsKeptAfterException", testInstanceIsKeptAfterException},
	{"Retire", testRetire},
	{"CallAllocatesLittle", testCallAllocatesLittle},
	{"StartTxAtTopLevel", testStartTxAtTopLevel},
	{"HandlerArguments", testHandlerArguments},
	{"ViewResults", testViewResults},
	{"Conformance", testConformance},
}

// Run tests an engine.
func Run(t *testing.T, e Engine) {
	engine = e
	for _, test := range tests {
		t.Run(test.name, test.run)
	}
}

// Bench measures an engine.
func Bench(b *testing.B, e Engine) {
	engine = e
	b.Run("Reducer", benchReducer)
	b.Run("Load", benchLoad)
	b.Run("Instantiate", benchInstantiate)
}

// or is what the engine under test answers in a case, or what engines answer by default.
func or(name, want string) string {
	if text, ok := engine.Differs[name]; ok {
		return text
	}
	return want
}

// place reads "file:line:column".
func place(s string) (file string, line, column int) {
	rest, last := cutNumber(s)
	file, line = cutNumber(rest)
	return file, line, last
}

func cutNumber(s string) (string, int) {
	i := strings.LastIndexByte(s, ':')
	n, err := strconv.Atoi(s[i+1:])
	if i < 0 || err != nil {
		return s, 0
	}
	return s[:i], n
}
