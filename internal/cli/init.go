package cli

import (
	"context"
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
	"go": "go", "golang": "go",
}

var languageTitles = map[string]string{"rust": "Rust", "csharp": "C#", "typescript": "TypeScript", "go": "Go"}

func parseLanguage(name string) (string, error) {
	if lang, ok := languages[strings.ToLower(name)]; ok {
		return lang, nil
	}
	switch strings.ToLower(name) {
	case "cpp", "c++", "cxx":
		return "", fail("this version of spacetime makes no C++ projects: choose rust, csharp, typescript or go")
	}
	return "", fail("Unknown server language: %s. Choose rust, csharp, typescript or go.", name)
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
	s := &scaffold{lang: lang, Name: filepath.Base(dir), Packages: firstPackages, Dotnet: "8"}
	if err := r.scaffold(s, dir); err != nil {
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

// scaffold writes a module, and for Go the SDK that it needs.
func (r *run) scaffold(s *scaffold, dir string, skip ...string) error {
	if s.lang == "go" {
		if r.SDK == nil {
			return fail("this program does not carry the Go SDK")
		}
		below := filepath.Join(filepath.Dir(r.dataDir()), "sdk")
		var err error
		if s.SDK, err = layDownSDK(r.SDK, below); err != nil {
			return because(err, "the Go SDK cannot be written to %s", below)
		}
		if !s.SDK.Native {
			skip = append(skip, "native.go")
		}
	}
	if s.lang == "rust" && s.Second {
		skip = append(skip, ".cargo/config.toml")
	}
	return s.write(dir, skip...)
}

// warnTools says which tools are missing to build the module.
func (r *run) warnTools(lang string) {
	need := map[string][2]string{
		"rust":       {"cargo", "Install Rust from https://rustup.rs to build the module."},
		"csharp":     {"dotnet", "Install the .NET SDK 8.0 or 10.0 from https://dotnet.microsoft.com to build the module."},
		"typescript": {"npm", "Install Node.js from https://nodejs.org to install the module's packages."},
		"go":         {"go", "Install Go from https://go.dev/dl to build the module."},
	}[lang]
	if _, err := exec.LookPath(need[0]); err != nil {
		fmt.Fprintf(r.Stderr, "Warning: %s not found in PATH. %s\n", need[0], need[1])
	}
}

// A projectTemplate is a template that `init --template` knows.
type projectTemplate struct{ id, lang, about string }

var projectTemplates = []projectTemplate{
	{"basic-cs", "csharp", "A C# module with a table and two reducers"},
	{"basic-go", "go", "A Go module with a table and two reducers"},
	{"basic-rs", "rust", "A Rust module with a table and two reducers"},
	{"basic-ts", "typescript", "A TypeScript module with a table and two reducers"},
}

var templateAliases = map[string]string{"basic-c-sharp": "basic-cs", "basic-rust": "basic-rs", "basic-typescript": "basic-ts"}

func (r *run) listTemplates() error {
	fmt.Fprintln(r.Stdout, "Available templates:")
	for _, t := range projectTemplates {
		fmt.Fprintf(r.Stdout, "  %s - %s\n", t.id, t.about)
	}
	fmt.Fprintln(r.Stdout, "\nUse one by: spacetime init --template <template> <name>")
	return nil
}

func findTemplate(id string) (*projectTemplate, error) {
	if known, ok := templateAliases[id]; ok {
		id = known
	}
	var ids []string
	for i, t := range projectTemplates {
		if t.id == id {
			return &projectTemplates[i], nil
		}
		ids = append(ids, t.id)
	}
	if strings.ContainsAny(id, "/@:") {
		return nil, fail("this version of spacetime does not fetch templates from repositories: clone it by git, or use one of the templates %s", strings.Join(ids, ", "))
	}
	return nil, fail("Unknown template `%s`. This version has the templates %s; for a module alone use --lang.", id, strings.Join(ids, ", "))
}

// initSecond makes a project with the module in spacetimedb, for the 2.x packages.
func (r *run) initSecond(_ context.Context, o *initOptions) error {
	if o.template != "" && o.lang != "" {
		return fail("Cannot specify both --template and --lang. Language is determined by the template.")
	}
	if o.nonInteractive {
		switch {
		case o.name == "" && !o.serverOnly:
			return fail("PROJECT_NAME is required in non-interactive mode")
		case o.template == "" && o.lang == "":
			return fail("Either --template or --lang must be provided in non-interactive mode")
		}
	}
	s := &scaffold{Second: true, Packages: secondPackages, Dotnet: o.dotnet}
	var err error
	switch {
	case o.template != "":
		var t *projectTemplate
		if t, err = findTemplate(o.template); err == nil {
			s.lang = t.lang
		}
	case o.lang != "":
		s.lang, err = parseLanguage(o.lang)
	default:
		s.lang, err = r.askLanguage()
	}
	if err != nil {
		return err
	}
	if s.lang != "csharp" && (o.nativeAOT || o.dotnet != "") {
		return fail("--native-aot and --dotnet-version are for C# only: use them with --lang csharp")
	}
	return r.initProject(o, s)
}

// initProject makes the project once its language is known.
func (r *run) initProject(o *initOptions, s *scaffold) error {
	shown, err := r.projectPlace(o)
	if err != nil {
		return err
	}
	s.Name = o.name
	dir := r.path(shown)
	if err := checkEmpty(dir, shown, true); err != nil && !o.serverOnly {
		return err
	}
	module := filepath.Join(dir, "spacetimedb")
	if err := checkEmpty(module, filepath.Join(shown, "spacetimedb"), false); err != nil {
		return err
	}
	if s.lang == "csharp" {
		s.Dotnet = r.dotnetVersion(o.dotnet)
		fmt.Fprintf(r.Stdout, "Targeting .NET SDK %s.\n", s.Dotnet)
	}
	c, err := r.config()
	if err != nil {
		return err
	}
	fmt.Fprintf(r.Stdout, "Initializing project from template...\nSetting up %s server...\n", languageTitles[s.lang])
	if err := r.scaffold(s, module); err != nil {
		return err
	}
	r.warnTools(s.lang)
	if o.template != "" && !o.serverOnly {
		fmt.Fprintln(r.Stderr, "Note: the template's client is left out, because this version of spacetime generates no client code.")
	}
	fmt.Fprintln(r.Stdout, "Project initialized successfully!")
	server := c.defaultServer
	if o.local || server == "" {
		server = "local"
	}
	members := []member{{"server", server}, {"module-path", "./spacetimedb"}}
	for _, file := range []struct {
		name    string
		members []member
	}{{"spacetime.json", members}, {"spacetime.local.json", []member{{"database", databaseFor(o.name)}}}} {
		path := filepath.Join(dir, file.name)
		if _, err := os.Stat(path); err == nil {
			continue
		}
		if err := writeMissing(path, file.members...); err != nil {
			return err
		}
		fmt.Fprintf(r.Stdout, "✓ Created %s\n", r.shownBelow(shown, file.name))
	}
	o.made = dir
	if !o.within {
		r.nextSteps(s, shown)
	}
	return nil
}

// shownBelow is a file's path as the user wrote its directory.
func (r *run) shownBelow(dir, name string) string {
	if filepath.IsAbs(dir) {
		return filepath.Join(dir, name)
	}
	return "./" + filepath.ToSlash(filepath.Join(dir, name))
}

func (r *run) nextSteps(s *scaffold, shown string) {
	fmt.Fprintf(r.Stdout, "\nNext steps:\n  cd %s\n", shown)
	if s.lang == "typescript" {
		fmt.Fprintln(r.Stdout, "  (cd spacetimedb && npm install)")
	}
	fmt.Fprint(r.Stdout, "  spacetime publish\n  spacetime call add Alice\n  spacetime sql \"SELECT * FROM person\"\n  spacetime logs\n")
}

// projectPlace finds the project's name and directory, asking where it may.
func (r *run) projectPlace(o *initOptions) (dir string, err error) {
	ask := !o.nonInteractive && terminal(r.Stdin) && terminal(r.Stderr)
	if o.name == "" {
		o.name = "my-spacetime-app"
		if o.projectPath != "" {
			o.name = filepath.Base(r.path(o.projectPath))
		}
		switch {
		case ask:
			if o.name, err = r.ask("Project name", o.name); err != nil {
				return "", err
			}
		case !o.nonInteractive && !o.serverOnly:
			return "", fail("IO error: not a terminal: name the project on the command line")
		}
	}
	if o.projectPath != "" {
		return o.projectPath, nil
	}
	dir = "./" + slug(o.name)
	if ask {
		dir, err = r.ask("Project path", dir)
	}
	return dir, err
}

// ask asks on the error stream for a text that has a default.
func (r *run) ask(question, def string) (string, error) {
	fmt.Fprintf(r.Stderr, "%s [%s]: ", question, def)
	line, err := r.readLine()
	if err != nil {
		return "", fail("Aborted.")
	}
	if line = strings.TrimSpace(line); line == "" {
		return def, nil
	}
	return line, nil
}

func (r *run) askLanguage() (string, error) {
	if !terminal(r.Stdin) || !terminal(r.Stderr) {
		return "", fail("IO error: not a terminal: choose the language by --lang rust, csharp, typescript or go")
	}
	for {
		name, err := r.ask("Language (rust, csharp, typescript, go)", "rust")
		if err != nil {
			return "", err
		}
		lang, err := parseLanguage(name)
		if err == nil {
			return lang, nil
		}
		fmt.Fprintln(r.Stderr, err)
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
