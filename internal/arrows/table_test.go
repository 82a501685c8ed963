package arrows

// modulePath is the path of the project's Go module.
const modulePath = "github.com/stdbgo/spacetime"

// rooms says where each room stands, relative to the module. What lies below a
// room belongs to it, unless a longer path names a room of its own.
var rooms = map[string]string{
	"cmd/spacetime":     "cmd/spacetime",
	"spacetime":         ".",
	"module":            "module",
	"module/native":     "module/native",
	"module/moduletest": "module/moduletest",
	"module/nethttp":    "module/nethttp",
	"client":            "client",
	"sats":              "sats",
	"engine/wasm":       "engine/wasm",
	"engine/js":         "engine/js",
	"engine/v8":         "engine/v8",
	"engine/jshost":     "engine/internal/jshost",
	"engine/native":     "internal/engine/native",
	"schema":            "internal/schema",
	"store":             "internal/store",
	"commitlog":         "internal/commitlog",
	"vfs":               "internal/vfs",
	"nearest":           "internal/nearest",
	"netguard":          "internal/netguard",
	"query":             "internal/query",
	"sql":               "internal/sql",
	"subscribe":         "internal/subscribe",
	"abi":               "internal/abi",
	"host":              "internal/host",
	"wire":              "internal/wire",
	"pgwire":            "internal/pgwire",
	"auth":              "internal/auth",
	"control":           "internal/control",
	"server":            "internal/server",
	"build":             "internal/build",
	"codegen":           "internal/codegen",
	"cli":               "internal/cli",
	"guest":             "internal/guest",
}

// arrows is the picture of ARCHITECTURE.md: a room may import the rooms named
// here, and so may everything reached by a chain of arrows.
var arrows = map[string][]string{
	"cmd/spacetime":     {"cli", "server", "spacetime", "engine/wasm", "engine/js", "engine/v8"},
	"spacetime":         {"server", "engine/native"},
	"cli":               {"build", "codegen", "client", "server", "host"},
	"server":            {"host", "wire", "pgwire", "auth", "control"},
	"host":              {"sql", "subscribe", "abi", "store", "commitlog", "vfs", "netguard"},
	"engine/wasm":       {"abi"},
	"engine/js":         {"abi", "engine/jshost"},
	"engine/v8":         {"abi", "engine/jshost"},
	"engine/jshost":     {"abi"},
	"engine/native":     {"abi", "guest"},
	"abi":               {"store"},
	"subscribe":         {"query", "wire"},
	"sql":               {"query", "nearest"},
	"query":             {"store"},
	"store":             {"schema"},
	"build":             {"schema", "abi"},
	"codegen":           {"schema", "abi"},
	"client":            {"wire"},
	"module":            {"guest", "sats"},
	"module/native":     {"module", "guest", "spacetime"},
	"module/moduletest": {"module", "guest", "spacetime"},
	"module/nethttp":    {"module"},
	"schema":            {"sats"},
	"wire":              {"sats"},
	"pgwire":            {"sats"},
	"auth":              {"sats", "vfs", "netguard"},
	"control":           {"sats", "vfs"},
	"commitlog":         {"vfs"},
	"sats":              nil,
	"vfs":               nil,
	"nearest":           nil,
	"netguard":          nil,
	"guest":             nil,
}

// outside lists directories that are no rooms and may import what they like.
// No room may import them.
var outside = []string{"tools", "examples", "bench", "test", "internal/arrows", "internal/spec"}

// stdlibOnly lists the rooms that a user's WebAssembly module is compiled from:
// they import the standard library and one another, so that a module builds on
// a machine that can fetch nothing.
var stdlibOnly = []string{"module", "guest", "sats"}

// sealed lists rooms whose results depend on their arguments alone, and what
// they must not import for that to stay true.
var sealed = map[string][]string{
	"store":     {"os", "math/rand", "math/rand/v2", "crypto/rand"},
	"query":     {"os", "math/rand", "math/rand/v2", "crypto/rand"},
	"subscribe": {"os", "math/rand", "math/rand/v2", "crypto/rand"},
}
