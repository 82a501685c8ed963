package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen"
)

// A newProject is a project of the 2.x form on its way (spec 09 §10.4).
type newProject struct {
	*run
	o        *initOptions
	s        *scaffold
	template *projectTemplate // nil: a module alone
	shown    string           // the directory, as the user wrote it
	dir      string           // the same, absolute
	server   string
	manager  string // the package manager; empty: none
}

// initSecond makes a project with the module in spacetimedb, for the 2.x packages.
func (r *run) initSecond(ctx context.Context, o *initOptions) error {
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
	c, err := r.config()
	if err != nil {
		return err
	}
	p := &newProject{run: r, o: o, s: &scaffold{Second: true, Packages: secondPackages, Dotnet: o.dotnet}, server: c.defaultServer}
	if o.local || p.server == "" {
		p.server = "local"
	}
	for _, step := range []func(context.Context) error{p.place, p.choose, p.check, p.write, p.clientFiles, p.configure, p.install} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	o.made = p.dir
	if !o.within {
		p.nextSteps()
	}
	return nil
}

// asks reports whether questions may be asked: else defaults are taken.
func (p *newProject) asks() bool { return !p.o.nonInteractive && p.canAsk() }

// place decides on the project's name, directory and database.
func (p *newProject) place(context.Context) error {
	var err error
	o := p.o
	if o.name == "" {
		o.name = "my-spacetime-app"
		if o.projectPath != "" {
			o.name = filepath.Base(p.path(o.projectPath))
		}
		switch {
		case p.asks():
			if o.name, err = p.menuText("Project name", o.name); err != nil {
				return err
			}
		case !o.nonInteractive && !o.serverOnly:
			return fail("IO error: not a terminal: name the project on the command line")
		}
	} else if p.asks() {
		fmt.Fprintf(p.Stdout, "Project name: %s\n", o.name)
	}
	p.s.Name = o.name
	if p.shown = o.projectPath; p.shown == "" {
		p.shown = "./" + slug(o.name)
		if p.asks() {
			if p.shown, err = p.menuText("Project path", p.shown); err != nil {
				return err
			}
		}
	}
	p.dir = p.path(p.shown)
	if err := checkEmpty(p.dir, p.shown, true); err != nil && !o.serverOnly {
		return err
	}
	if err := checkEmpty(p.moduleDir(), filepath.Join(p.shown, "spacetimedb"), false); err != nil {
		return err
	}
	p.s.Database = databaseFor(o.name)
	for p.asks() {
		if p.s.Database, err = p.menuText("Database name", p.s.Database); err != nil {
			return err
		}
		if err = checkName(p.s.Database); err == nil {
			break
		}
		fmt.Fprint(p.Stderr, err, "\n", hintOf(err))
		p.s.Database = databaseFor(o.name)
	}
	return nil
}

func (p *newProject) moduleDir() string { return filepath.Join(p.dir, "spacetimedb") }

// choose decides what is made, and with which tools.
func (p *newProject) choose(context.Context) error {
	o := p.o
	if o.template == "" && o.lang == "" {
		if !p.canAsk() {
			return fail("IO error: not a terminal: choose the language by --lang rust, csharp, typescript, cpp or go")
		}
		if err := p.askTemplate(o); err != nil {
			return err
		}
	}
	var err error
	switch {
	case isRepository(o.template):
		return nil
	case o.template != "":
		if p.template, err = findTemplate(o.template); err != nil {
			return err
		}
		p.s.lang, p.s.Chat, p.s.Framework = p.template.server, p.template.chat, p.template.framework
		p.s.ClientLang, p.s.Bindings, p.s.Dev = p.template.client, p.template.bindings, p.template.dev
	default:
		if p.s.lang, err = parseLanguage(o.lang); err != nil {
			return err
		}
	}
	if (p.s.lang == "typescript" || p.s.ClientLang == "typescript") && p.asks() {
		return p.askManager()
	}
	return nil
}

// askManager asks which program installs the packages.
func (p *newProject) askManager() error {
	names := []string{"npm", "pnpm", "yarn", "bun", "none"}
	for {
		at, err := p.menuSelect("Which package manager would you like to use?", names)
		if err == errBack {
			err = errInterrupted
		}
		if err != nil || names[at] == "none" {
			return err
		}
		if _, err := exec.LookPath(names[at]); err == nil {
			p.manager = names[at]
			return nil
		}
		fmt.Fprintf(p.Stderr, "%s is not in PATH: choose another one, or none.\n", names[at])
	}
}

// check refuses what does not fit together, before anything is written.
func (p *newProject) check(context.Context) error {
	if p.s.lang != "csharp" && (p.o.nativeAOT || p.o.dotnet != "") {
		return fail("--native-aot and --dotnet-version are for C# only: use them with --lang csharp")
	}
	if p.s.lang == "csharp" {
		p.s.Dotnet = p.dotnetVersion(p.o.dotnet)
		fmt.Fprintf(p.Stdout, "Targeting .NET SDK %s.\n", p.s.Dotnet)
	}
	return nil
}

// write writes the files of client and module.
func (p *newProject) write(ctx context.Context) error {
	fmt.Fprintln(p.Stdout, "Initializing project from template...")
	if p.template == nil && isRepository(p.o.template) {
		return p.clone(ctx)
	}
	if err := p.prepare(p.s); err != nil {
		return err
	}
	layers := []layer{{p.s.lang, ""}}
	if p.template == nil {
		fmt.Fprintf(p.Stdout, "Setting up %s server...\n", languageTitles[p.s.lang])
	} else {
		if p.hasClient() {
			fmt.Fprintf(p.Stdout, "Setting up client (%s)...\n", p.template.client)
			client := []layer{{"client", ""}}
			for _, l := range p.template.layers {
				client = append(client, layer{l, ""})
			}
			if err := p.s.write(p.dir, client); err != nil {
				return err
			}
		}
		fmt.Fprintf(p.Stdout, "Setting up server (%s)...\n", p.template.server)
		for _, l := range p.template.module {
			layers = append(layers, layer{l, ""})
		}
	}
	if err := p.scaffold(p.s, p.moduleDir(), layers); err != nil {
		return err
	}
	p.warnTools(p.s.lang)
	return nil
}

func (p *newProject) hasClient() bool {
	return p.template != nil && p.template.client != "" && !p.o.serverOnly
}

// clientFiles writes what a client gets from us: the address of its database and
// the generated code.
func (p *newProject) clientFiles(ctx context.Context) error {
	if !p.hasClient() {
		return nil
	}
	if p.s.ClientLang == "typescript" {
		path := filepath.Join(p.dir, ".env.local")
		if _, err := writeDotEnv(path, p.s.Database, p.clientHost()); err != nil {
			return err
		}
		fmt.Fprintf(p.Stdout, "✅ Wrote environment configuration to %s\n", p.shownBelow(p.shown, ".env.local"))
	}
	if err := p.generateBindings(ctx); err != nil {
		fmt.Fprintf(p.Stderr, "The client's code could not be generated: %v\nRun `spacetime generate` in %s, or `spacetime dev`.\n", err, p.shown)
	}
	return nil
}

// clientHost is the address of the server for WebSockets.
func (p *newProject) clientHost() string {
	c, err := p.config()
	if err != nil {
		return "ws://localhost:3000"
	}
	entry, err := c.server(p.server)
	if err != nil {
		return "ws://localhost:3000"
	}
	host := entry.host
	if rest, ok := strings.CutPrefix(host, "127.0.0.1:"); ok {
		host = "localhost:" + rest
	}
	return strings.Replace(entry.protocol, "http", "ws", 1) + "://" + host
}

// generateBindings writes the client's code without building the module: what its
// template defines is known.
func (p *newProject) generateBindings(ctx context.Context) error {
	kind := "basic"
	if p.s.Chat {
		kind = "chat"
	}
	server := p.s.lang
	if server == "cpp" {
		server = "rust" // the same definition
	}
	def, err := templates.ReadFile("templates/schemas/" + kind + "-" + server + ".json")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp("", "spacetime-*.json")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err = f.Write(def); err == nil {
		err = f.Close()
	}
	if err != nil {
		return err
	}
	sdk := p.s.PackageLine()
	if p.s.ClientLang == "go" {
		sdk = "" // it is this program's
	}
	quiet := *p.Program
	quiet.Stdout = io.Discard
	r := *p.run
	r.Program = &quiet
	return r.generateEntries(ctx, []generateEntry{{
		lang: codegen.Language(p.s.ClientLang), outDir: filepath.Join(p.dir, p.s.Bindings), moduleDef: f.Name(), sdkVersion: sdk,
	}}, generateRun{yes: true, dir: p.dir})
}

// configure writes the project's files.
func (p *newProject) configure(context.Context) error {
	fmt.Fprintln(p.Stdout, "Project initialized successfully!")
	members := []string{
		`"server": ` + string(jsonString(p.server)),
		`"module-path": "./spacetimedb"`,
	}
	if p.o.nativeAOT {
		members = append(members, `"native-aot": true`)
	}
	if p.hasClient() {
		members = append(members,
			"\"dev\": {\n    \"run\": "+string(jsonString(p.s.Dev))+"\n  }",
			"\"generate\": [\n    {\n      \"language\": "+string(jsonString(p.s.ClientLang))+",\n      \"out-dir\": "+string(jsonString("./"+p.s.Bindings))+"\n    }\n  ]")
	}
	return p.create("spacetime.json", "{\n  "+strings.Join(members, ",\n  ")+"\n}")
}

// create writes a file of the project unless it is there.
func (p *newProject) create(name, text string) error {
	path := filepath.Join(p.dir, name)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := replaceFile(path, []byte(text)); err != nil {
		return err
	}
	fmt.Fprintf(p.Stdout, "✓ Created %s\n", p.shownBelow(p.shown, name))
	return nil
}

var installCommands = map[string][]string{
	"npm":  {"npm", "install", "--no-fund", "--no-audit", "--loglevel=error"},
	"pnpm": {"pnpm", "install", "--ignore-workspace", "--config.ignore-scripts=false"},
	"yarn": {"yarn", "install", "--no-fund"},
	"bun":  {"bun", "install"},
}

// install installs the packages, and remembers the database.
func (p *newProject) install(ctx context.Context) error {
	var dirs []string
	if p.s.lang == "typescript" {
		dirs = append(dirs, p.moduleDir())
	}
	if p.hasClient() && p.s.ClientLang == "typescript" {
		dirs = append(dirs, p.dir)
	}
	if len(dirs) > 0 && p.manager != "" {
		fmt.Fprintf(p.Stdout, "Installing dependencies with %s...\n", p.manager)
		failed := false
		for _, dir := range dirs {
			args := installCommands[p.manager]
			shown := p.progress("Installing packages", 0)
			cmd := exec.CommandContext(ctx, args[0], args[1:]...)
			cmd.Dir, cmd.Stdout = dir, shown.tool(p.Stderr)
			cmd.Stderr = cmd.Stdout
			err := cmd.Run()
			shown.end()
			if err != nil {
				failed = true
				fmt.Fprintf(p.Stderr, "Could not install the dependencies of %s: %v. Run `%s install` there.\n", dir, err, p.manager)
			}
		}
		if !failed {
			fmt.Fprintln(p.Stdout, "Dependencies installed successfully!")
		}
	}
	return p.create("spacetime.local.json", "{\n  \"database\": "+string(jsonString(p.s.Database))+"\n}")
}

// nextSteps says how to go on.
func (p *newProject) nextSteps() {
	fmt.Fprintf(p.Stdout, "\nNext steps:\n  cd %s\n", p.shown)
	if p.template == nil && isRepository(p.o.template) {
		fmt.Fprintln(p.Stdout, "  # Templates from repositories are configured by hand: see the README")
		return
	}
	manager := p.manager
	if manager == "" {
		manager = "npm"
		if p.hasClient() && p.s.ClientLang == "typescript" {
			fmt.Fprintln(p.Stdout, "  npm install")
		}
		if p.s.lang == "typescript" {
			fmt.Fprintln(p.Stdout, "  (cd spacetimedb && npm install)")
		}
	}
	if p.hasClient() {
		fmt.Fprintln(p.Stdout, "  spacetime dev                    # or step by step:")
	}
	fmt.Fprintln(p.Stdout, "  spacetime publish")
	if p.hasClient() {
		fmt.Fprintln(p.Stdout, "  spacetime generate")
		fmt.Fprintln(p.Stdout, "  "+strings.Replace(p.s.Dev, "npm", manager, 1))
	}
	if p.s.Chat {
		fmt.Fprint(p.Stdout, "  spacetime call send_message '\"Hello, World!\"'\n  spacetime sql \"SELECT * FROM message\"\n  spacetime logs\n")
		return
	}
	fmt.Fprint(p.Stdout, "  spacetime call add Alice\n  spacetime sql \"SELECT * FROM person\"\n  spacetime logs\n")
}

// shownBelow is a file's path as the user wrote its directory.
func (r *run) shownBelow(dir, name string) string {
	if filepath.IsAbs(dir) {
		return filepath.Join(dir, name)
	}
	return "./" + filepath.ToSlash(filepath.Join(dir, name))
}

// isRepository reports whether a template's name is a place to clone it from.
func isRepository(template string) bool {
	for _, prefix := range []string{"git@", "ssh://", "http://", "https://", "file://"} {
		if strings.HasPrefix(template, prefix) {
			return true
		}
	}
	return strings.Count(template, "/") == 1 && !strings.HasPrefix(template, "/") && !strings.HasSuffix(template, "/") && !strings.HasPrefix(template, ".")
}

// clone copies a project from a repository.
func (p *newProject) clone(ctx context.Context) error {
	if _, err := exec.LookPath("git"); err != nil {
		return fail("git not found in PATH. Install it from https://git-scm.com to use templates from repositories.")
	}
	address := p.o.template
	if !strings.Contains(address, ":") {
		address = "https://github.com/" + address
	}
	fmt.Fprintf(p.Stdout, "  Cloning from %s...\n", address)
	temp, err := os.MkdirTemp("", "spacetime-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	from := filepath.Join(temp, "template")
	shown := p.progress("Cloning", 0)
	cmd := exec.CommandContext(ctx, "git", "clone", "--quiet", "--", address, from)
	cmd.Stdout = shown.tool(p.Stderr)
	cmd.Stderr = cmd.Stdout
	cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0")
	err = cmd.Run()
	shown.end()
	if err != nil {
		return because(err, "the template %s cannot be cloned", address)
	}
	if err := os.RemoveAll(filepath.Join(from, ".git")); err != nil {
		return err
	}
	to := p.dir
	if p.o.serverOnly {
		from, to = filepath.Join(from, "spacetimedb"), p.moduleDir()
		if _, err := os.Stat(from); err != nil {
			return fail("the template %s has no directory spacetimedb: leave --server-only out", address)
		}
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return because(err, "the template %s cannot be copied", address)
	}
	return p.rename(filepath.Join(to, "package.json"))
}

// rename gives the manifest of a cloned template the project's name.
func (p *newProject) rename(manifest string) error {
	var members map[string]json.RawMessage
	if err := readJSON(manifest, &members); err != nil {
		return nil // there is none, or none of ours to judge
	}
	return editProjectFile(manifest, slug(p.s.Name), "name")
}

// moduleLanguages are the languages of modules, for completion.
func moduleLanguages() []string {
	var names []string
	for _, name := range languages {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
