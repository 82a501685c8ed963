package cli

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// Versions of the official packages that projects are made for.
const (
	firstPackages  = "1.12.*"
	secondPackages = "2.8.*"
)

// initOptions are the options of init, which has two forms (spec 09 §10.1).
type initOptions struct {
	lang, shortLang string // --lang and -l
	template        string // noTemplate: list them
	projectPath     string
	serverOnly      bool
	local           bool
	nonInteractive  bool
	nativeAOT       bool
	dotnet          string
	name            string

	within bool   // dev goes on in the project: no next steps
	made   string // the directory of the project that has been made
}

// noTemplate stands for --template without a value.
const noTemplate = "\x00"

func (r *run) initCommand() *cobra.Command {
	o := &initOptions{}
	cmd := &cobra.Command{
		Use:   "init [OPTIONS] [PROJECT_NAME]",
		Short: "Make a new module project",
		Long: "Makes a new module project.\n\n" +
			"  spacetime init --lang rust ./my-app    a module in ./my-app, for the packages 1.12\n" +
			"  spacetime init --lang rust my-app      a project my-app with a module in my-app/spacetimedb, for the packages 2.8",
		Args: positionals(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.name = args[0]
			}
			return r.initialize(cmd, o, len(args) > 0)
		},
	}
	f := cmd.Flags()
	f.Var(once(&o.lang, "language"), "lang", "language of the module: rust, csharp, typescript or go")
	f.VarP(once(&o.shortLang, "language"), "l", "l", "the same as --lang")
	f.VarP(once(&o.template, "template"), "template", "t", "a template; without a value: list them")
	f.Lookup("template").NoOptDefVal = noTemplate
	f.Lookup("template").Annotations = map[string][]string{mayFollow: {}}
	f.Var(once(&o.projectPath, "directory"), "project-path", "directory of the project; default: the name")
	f.BoolVar(&o.serverOnly, "server-only", false, "make the module only")
	f.BoolVar(&o.local, "local", false, "use the local server")
	f.BoolVar(&o.nonInteractive, "non-interactive", false, "ask nothing")
	f.BoolVar(&o.nativeAOT, "native-aot", false, "C# only: compile ahead of time")
	f.Var(once(&o.dotnet, "version", "8", "10"), "dotnet-version", "C# only: the .NET version")
	f.Lookup("l").Hidden = true
	return cmd
}

// initialize tells the forms apart: a directory as the argument is the 1.x form.
func (r *run) initialize(cmd *cobra.Command, o *initOptions, named bool) error {
	f := cmd.Flags()
	short := o.shortLang != ""
	if short {
		if o.lang != "" {
			return usagef(cmd, "the argument '--lang <language>' cannot be used multiple times")
		}
		o.lang = o.shortLang
	}
	first := o.lang != "" && (named && (strings.ContainsAny(o.name, `/\`) || o.name == "." || o.name == "..") || !named && short)
	for _, option := range []string{"template", "project-path", "server-only", "non-interactive", "local"} {
		first = first && !f.Changed(option)
	}
	if o.template == noTemplate {
		return r.listTemplates()
	}
	if first {
		return r.initFirst(o)
	}
	return r.initSecond(cmd.Context(), o)
}

// languages are the names of module languages; the values are directories of
// templates.
var languages = map[string]string{
	"rust": "rust", "rs": "rust", "csharp": "csharp", "c#": "csharp", "cs": "csharp",
	"typescript": "typescript", "ts": "typescript", "javascript": "typescript", "js": "typescript",
	"go": "go", "golang": "go", "cpp": "cpp", "c++": "cpp", "cxx": "cpp",
}

var languageTitles = map[string]string{"rust": "Rust", "csharp": "C#", "typescript": "TypeScript", "go": "Go", "cpp": "C++"}

func parseLanguage(name string) (string, error) {
	if lang, ok := languages[strings.ToLower(name)]; ok {
		return lang, nil
	}
	return "", fail("Unknown server language: %s. Choose rust, csharp, typescript, cpp or go.", name)
}

// initFirst makes the module in a directory of its own, for the 1.x packages.
func (r *run) initFirst(o *initOptions) error {
	r.unstable()
	lang, err := parseLanguage(o.lang)
	if err != nil {
		return err
	}
	shown := o.name
	if shown == "" {
		shown = "."
	}
	dir := r.path(shown)
	if err := checkEmpty(dir, shown, true); err != nil {
		return err
	}
	if lang == "cpp" {
		return fail("there are no C++ packages for 1.x: make a project for 2.x by `spacetime init --lang cpp %s`", filepath.Base(dir))
	}
	s := &scaffold{lang: lang, Name: filepath.Base(dir), Packages: firstPackages, Dotnet: "8"}
	if err := r.scaffold(s, dir, []layer{{lang, ""}}); err != nil {
		return err
	}
	fmt.Fprintln(r.Stdout, paint(r.color(r.Stdout), "32", "Project successfully created at path: "+shown))
	r.warnTools(lang)
	if lang == "typescript" {
		fmt.Fprintf(r.Stdout, "Install its packages before you publish:\n\n  cd %s\n  npm install\n", shown)
	}
	return nil
}

// checkEmpty refuses a directory that is there and not empty.
func checkEmpty(dir, shown string, whole bool) error {
	st, err := os.Stat(dir)
	switch {
	case os.IsNotExist(err):
		return nil
	case err != nil:
		return err
	case !st.IsDir():
		return fail("Path %s exists but is not a directory. A new SpacetimeDB project needs an empty one.", shown)
	}
	list, err := os.ReadDir(dir)
	switch {
	case err != nil:
		return err
	case len(list) == 0:
		return nil
	case whole:
		return fail("Cannot create new SpacetimeDB project in non-empty directory: %s", shown)
	}
	return fail("A SpacetimeDB module already exists in the target directory: %s", shown)
}

// prepare lays down what a project needs beside its files: the SDK, for Go.
func (r *run) prepare(s *scaffold) error {
	if s.lang != "go" || s.SDK != nil {
		return nil
	}
	if r.SDK == nil {
		return fail("this program does not carry the Go SDK")
	}
	below := filepath.Join(filepath.Dir(r.dataDir()), "sdk")
	var err error
	if s.SDK, err = layDownSDK(r.SDK, below); err != nil {
		return because(err, "the Go SDK cannot be written to %s", below)
	}
	return nil
}

// scaffold writes a module.
func (r *run) scaffold(s *scaffold, dir string, layers []layer) error {
	if err := r.prepare(s); err != nil {
		return err
	}
	var skip []string
	if s.lang == "go" && !s.SDK.Native {
		skip = append(skip, "native.go")
	}
	if s.lang == "rust" && s.Second {
		skip = append(skip, ".cargo/config.toml")
	}
	return s.write(dir, layers, skip...)
}

// warnTools says which tools are missing to build the module.
func (r *run) warnTools(lang string) {
	need := map[string][2]string{
		"rust":       {"cargo", "Install Rust from https://rustup.rs to build the module."},
		"csharp":     {"dotnet", "Install the .NET SDK 8.0 or 10.0 from https://dotnet.microsoft.com to build the module."},
		"typescript": {"npm", "Install Node.js from https://nodejs.org to install the module's packages."},
		"go":         {"go", "Install Go from https://go.dev/dl to build the module."},
		"cpp":        {"emcc", "Install Emscripten from https://emscripten.org to build the module; it needs cmake and git, too."},
	}[lang]
	if _, err := exec.LookPath(need[0]); err != nil {
		fmt.Fprintf(r.Stderr, "Warning: %s not found in PATH. %s\n", need[0], need[1])
	}
}

// databaseFor makes the name of a new project's database: the project's and five
// random characters.
func databaseFor(name string) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	b := []byte(slug(name) + "-")
	for range 5 {
		b = append(b, letters[rand.IntN(len(letters))])
	}
	return string(b)
}

// dotnetVersion is the .NET to build for: the given one, else the newest that is
// installed, else 10.
func (r *run) dotnetVersion(given string) string {
	if given != "" {
		return given
	}
	out, err := exec.Command("dotnet", "--list-sdks").Output()
	if err == nil && strings.Contains("\n"+string(out), "\n8.") && !strings.Contains("\n"+string(out), "\n10.") {
		return "8"
	}
	return "10"
}
