package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/stdbgo/spacetime/internal/build"
)

// devOptions are the options of dev (spec 09 §11.1).
type devOptions struct {
	database, oldDatabase     string
	server                    string
	projectPath, modulePath   string
	oldModulePath             string // of 1.x: below the project
	bindingsPath, clientLang  string
	clear, template, env      string
	dotnet, clientCommand     string
	yes, noConfig, nativeAOT  bool
	serverOnly                bool
	skipPublish, skipGenerate bool
}

func (r *run) devCommand() *cobra.Command {
	o := &devOptions{}
	cmd := &cobra.Command{
		Use:   "dev [OPTIONS] [database]",
		Short: "Watch a module, and build and publish it with every change",
		Long: "Watches a project's modules: with every change it builds them, generates client code, publishes\n" +
			"them, and shows the database's log. The client's own development command runs beside that.",
		Args: positionals(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.database = args[0]
			}
			return r.dev(cmd, o)
		},
	}
	f := cmd.Flags()
	f.Var(once(&o.oldDatabase, "database"), "database", "the database")
	f.Var(once(&o.projectPath, "directory"), "project-path", "directory of the project; default: the current one")
	f.Var(once(&o.modulePath, "directory"), "module-path", "directory of the module; default: spacetimedb below the project")
	f.Var(once(&o.oldModulePath, "directory"), "module-project-path", "directory of the module, below the project")
	f.Var(once(&o.bindingsPath, "directory"), "module-bindings-path", "where to put generated client code, below the project; default: src/module_bindings")
	f.Var(once(&o.clientLang, "language"), "client-lang", "language of the generated client code; default: that of the client")
	f.VarP(once(&o.server, "server"), "server", "s", "nickname, host or URL of the server")
	f.BoolVarP(&o.yes, "yes", "y", false, "answer every question with yes and do not ask")
	optional(f, once(&o.clear, "when", "always", "on-conflict", "never"), "delete-data", "c", "always", "delete all data of the database: always, on-conflict (the default), never")
	f.VarP(once(&o.template, "template"), "template", "t", "the template of a new project, if there is none here")
	f.Var(once(&o.clientCommand, "command"), "run", "command that runs the client")
	f.BoolVar(&o.serverOnly, "server-only", false, "run no client")
	f.Var(once(&o.env, "name"), "env", "read spacetime.<name>.json, too; default: dev")
	f.BoolVar(&o.skipPublish, "skip-publish", false, "build and generate only")
	f.BoolVar(&o.skipGenerate, "skip-generate", false, "generate no client code")
	f.BoolVar(&o.noConfig, "no-config", false, "ignore spacetime.json, and write none")
	f.Var(once(&o.dotnet, "version", "8", "10"), "dotnet-version", "C# only: the .NET version to build for")
	f.BoolVar(&o.nativeAOT, "native-aot", false, "C# only: compile ahead of time")
	_ = f.MarkHidden("database")
	_ = f.MarkHidden("module-project-path")
	return cmd
}

// A devSession is one run of dev: what it watches, publishes and starts.
type devSession struct {
	*run
	o       *devOptions
	project *project
	dir     string // of the project; absolute
	module  string // of the main module; absolute
	entry   *serverEntry
	jobs    []*publishOptions
	client  string // command; empty: none
	fresh   bool   // there were no project files

	types         map[string]*build.TypeChecker // by module directory
	clientProcess *child
	serverProcess *child
}

func (r *run) dev(cmd *cobra.Command, o *devOptions) error {
	if o.clear == "" {
		o.clear = "on-conflict"
	}
	if o.env == "" {
		o.env = "dev"
	}
	if o.oldDatabase != "" {
		fmt.Fprintln(r.Stderr, "Warning: --database is deprecated; name the database without it.")
		if o.database == "" {
			o.database = o.oldDatabase
		}
	}
	if filepath.IsAbs(o.bindingsPath) {
		return fail("Module bindings path must be a relative path")
	}
	// Build, log and client print beside each other.
	shared := *r.Program
	shared.Stdout, shared.Stderr = &lockedWriter{to: r.Stdout}, &lockedWriter{to: r.Stderr}
	inner := *r
	inner.Program = &shared
	s := &devSession{run: &inner, o: o, types: map[string]*build.TypeChecker{}}
	ctx, stop := devSignals(cmd.Context())
	defer stop()
	defer s.end()
	if err := s.setUp(ctx, cmd); err != nil {
		return err
	}
	// What changes while the first round runs is for the second.
	w := watchFiles(ctx, s.moduleDirs(), s.ignorerFor(s.dir, s.moduleDirs()))
	if err := s.round(ctx); err != nil {
		return err
	}
	return s.loop(ctx, w)
}

// setUp finds out what to do, asking for what is missing (spec 09 §11.2).
func (s *devSession) setUp(ctx context.Context, cmd *cobra.Command) error {
	c, err := s.config()
	if err != nil {
		return err
	}
	if s.o.server == "" && c.defaultServer == "" {
		return fail("Server not specified and no default server configured.\nName one by --server, or set it with:\n\tspacetime server set-default <server>")
	}
	if s.entry, err = c.server(s.o.server); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{s.findProject, s.checkConflicts, s.findTargets, s.findClient, s.announce, s.reachServer} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// loadProject reads the project's files, if there are any and they count.
func (s *devSession) loadProject() (err error) {
	s.project = &project{}
	if !s.o.noConfig {
		if s.project, err = loadProject(s.dir, s.o.env); err != nil {
			return err
		}
	}
	if s.project.dir != "" {
		s.dir = s.project.dir
	}
	return nil
}

// findProject finds the project and its main module, or makes a project.
func (s *devSession) findProject(ctx context.Context) error {
	s.dir = s.WorkDir
	if s.o.projectPath != "" {
		s.dir = s.path(s.o.projectPath)
	}
	if err := s.loadProject(); err != nil {
		return err
	}
	s.fresh = s.project.dir == ""
	module, err := s.moduleOf()
	if err != nil {
		return err
	}
	switch _, err := os.Stat(module); {
	case err == nil:
	case s.project.dir != "" && s.project.root["module_path"] == nil && s.o.modulePath == "" && s.o.oldModulePath == "":
		if module, err = s.askModule(); err != nil {
			return err
		}
	case s.project.dir != "" || s.o.modulePath != "" || s.o.oldModulePath != "":
		return fail("Module directory does not exist: '%s'. Name another one by --module-path, or correct spacetime.json.", module)
	default:
		return s.newProject(ctx)
	}
	if s.o.template != "" {
		fmt.Fprintln(s.Stderr, "Warning: --template option is ignored because a SpacetimeDB project already exists.")
	}
	s.module = module
	return nil
}

// moduleOf is the directory of the main module, whether it is there or not.
func (s *devSession) moduleOf() (string, error) {
	switch {
	case s.o.modulePath != "":
		return s.path(s.o.modulePath), nil
	case s.o.oldModulePath != "":
		return filepath.Join(s.dir, s.o.oldModulePath), nil
	}
	if len(s.project.targets) > 0 {
		given, err := s.project.targets[0].text("module_path")
		if err != nil || given != "" {
			return s.project.path(given), err
		}
	}
	below := filepath.Join(s.dir, "spacetimedb")
	if _, err := os.Stat(below); err != nil && s.project.dir == "" {
		if _, err := build.Detect(s.dir); err == nil {
			return s.dir, nil
		}
	}
	return below, nil
}

// askModule asks for the module's directory and saves it.
func (s *devSession) askModule() (string, error) {
	answer, err := s.menuText("Directory of the module", ".")
	if err != nil {
		return "", err
	}
	module := s.project.path(answer)
	if _, err := build.Detect(module); err != nil {
		return "", fail("%s", err)
	}
	return module, editProjectFile(filepath.Join(s.project.dir, "spacetime.json"), filepath.ToSlash(answer), "module-path")
}

// newProject makes a project where there is none, and goes on in it.
func (s *devSession) newProject(ctx context.Context) error {
	fmt.Fprintln(s.Stdout, "No SpacetimeDB project found in current directory.")
	if !s.o.yes {
		ok, err := s.menuConfirm("Would you like to initialize a new project?", true)
		if err != nil {
			return err
		}
		if !ok {
			return fail("Not in a SpacetimeDB project directory")
		}
	}
	o := &initOptions{template: s.o.template, name: s.o.database, local: s.entry.name() == "local", within: true, dotnet: s.o.dotnet, nativeAOT: s.o.nativeAOT, nonInteractive: s.o.yes}
	if s.o.projectPath != "" {
		o.projectPath = s.o.projectPath
	}
	if o.nonInteractive && o.name == "" {
		o.name = "my-spacetime-app"
	}
	if err := s.initSecond(ctx, o); err != nil {
		return err
	}
	s.dir, s.fresh = o.made, false
	s.o.database = "" // the project says it
	if err := s.loadProject(); err != nil {
		return err
	}
	s.module = filepath.Join(s.dir, "spacetimedb")
	return nil
}

// checkConflicts refuses options that the project's files decide.
func (s *devSession) checkConflicts(context.Context) error {
	root := s.project.root
	if (s.o.modulePath != "" || s.o.oldModulePath != "") && (root["database"] != nil || root["children"] != nil) {
		return fail("Cannot use --module-path: spacetime.json says which databases are published from which modules. Change it there, or use --no-config.")
	}
	if root["generate"] == nil {
		return nil
	}
	for _, option := range []struct{ name, value string }{
		{"--module-path", s.o.modulePath}, {"--module-project-path", s.o.oldModulePath}, {"--project-path", s.o.projectPath}, {"--module-bindings-path", s.o.bindingsPath},
	} {
		if option.value != "" {
			return fail("Cannot use %s: spacetime.json says what is generated, in `generate`. Change it there, or use --no-config.", option.name)
		}
	}
	return nil
}

// findTargets decides which databases are published, and remembers a new one.
func (s *devSession) findTargets(ctx context.Context) error {
	base := &publishOptions{clear: s.o.clear, dotnet: s.o.dotnet, nativeAOT: s.o.nativeAOT, yes: yesList{all: s.o.yes}, env: s.o.env}
	base.server = s.o.server
	if root := s.project.root; root["database"] != nil || root["children"] != nil {
		targets, err := s.project.selectTargets(s.o.database)
		if err != nil {
			return err
		}
		for _, t := range targets {
			job, err := base.over(s.project, t)
			if err != nil {
				return err
			}
			if err := s.addJob(job); err != nil {
				return err
			}
			if t.shared() && !s.o.yes {
				if err := s.confirmShared(job.name); err != nil {
					return err
				}
			}
		}
		if len(s.jobs) > 0 {
			return nil
		}
	}
	job := *base
	if len(s.project.targets) > 0 {
		given := s.o.database
		if given == "" {
			given = "?"
		}
		over, err := base.over(s.project, s.project.targets[0].named(given))
		if err != nil {
			return err
		}
		job = *over
	}
	job.name = s.o.database
	if err := checkNameGiven(job.name); err != nil {
		return err
	}
	fresh := job.name == ""
	if fresh {
		name, err := s.chooseDatabase(ctx)
		if err != nil {
			return err
		}
		job.name = name
	}
	job.modulePath = s.module
	if err := s.addJob(&job); err != nil {
		return err
	}
	if fresh {
		fmt.Fprintf(s.Stdout, "Selected database: %s\n\nTip: To interact with your database, open a new terminal and run:\n  cd %s\n  spacetime logs\n  spacetime sql\n\n", job.name, s.dir)
	}
	return s.rememberDatabase(job.name)
}

func checkNameGiven(name string) error {
	if name == "" {
		return nil
	}
	return checkName(name)
}

// addJob adds one database to publish, with its module's directory.
func (s *devSession) addJob(job *publishOptions) error {
	c, err := s.config()
	if err != nil {
		return err
	}
	if job.server != "" {
		if _, err := c.server(job.server); err != nil {
			return err
		}
		if len(s.jobs) == 0 {
			s.entry, _ = c.server(job.server)
		}
	}
	if job.modulePath == "" && job.wasmPath == "" && job.jsPath == "" {
		job.modulePath = s.module
	}
	s.jobs = append(s.jobs, job)
	return nil
}

// inProject makes a path below the project absolute.
func (s *devSession) inProject(path string) string { return filepath.Join(s.dir, path) }

// database is the name that the client is told.
func (s *devSession) database() string { return s.jobs[0].name }

// confirmShared asks before a database is published that spacetime.json itself names.
func (s *devSession) confirmShared(name string) error {
	fmt.Fprintf(s.Stdout, "The database '%s' is named in spacetime.json, which is usually reserved for production databases. A database for development belongs into spacetime.local.json or spacetime.dev.json.\n", name)
	ok, err := s.menuConfirm("Do you want to proceed with publishing in dev mode?", true)
	if err == nil && !ok {
		err = fail("Aborted.")
	}
	return err
}

// rememberDatabase writes the project's files, as far as they are missing.
func (s *devSession) rememberDatabase(name string) error {
	if s.o.noConfig {
		return nil
	}
	shared := filepath.Join(s.dir, "spacetime.json")
	if _, err := os.Stat(shared); errors.Is(err, os.ErrNotExist) {
		module, err := filepath.Rel(s.dir, s.module)
		if err != nil {
			module = s.module
		} else if module != "." {
			module = "./" + filepath.ToSlash(module)
		}
		server := s.entry.name()
		if s.o.server != "" {
			server = s.o.server
		}
		if err := writeMissing(shared, member{"server", server}, member{"module-path", module}); err != nil {
			return err
		}
		fmt.Fprintf(s.Stdout, "✓ Created %s\n", shared)
		s.project.dir = s.dir
		s.project.files = append(s.project.files, shared)
	}
	local := filepath.Join(s.dir, "spacetime.local.json")
	if _, err := os.Stat(local); errors.Is(err, os.ErrNotExist) {
		if err := writeMissing(local, member{"database", name}); err != nil {
			return err
		}
		fmt.Fprintf(s.Stdout, "✓ Created %s\n", local)
		s.project.files = append(s.project.files, local)
		return nil
	}
	if s.project.root["database"] != nil {
		return nil
	}
	return editProjectFile(local, name, "database")
}

// findClient decides which command runs the client, and remembers what it finds.
func (s *devSession) findClient(context.Context) error {
	if s.o.serverOnly {
		return nil
	}
	if s.client = s.o.clientCommand; s.client != "" {
		return nil
	}
	if dev, ok := s.project.root["dev"].(map[string]any); ok {
		if s.client, ok = dev["run"].(string); !ok && dev["run"] != nil {
			return fail("Failed to load spacetime.json: `run` of `dev` must be a text")
		}
	}
	if s.client != "" || s.dir == s.module {
		return nil // a module alone has no client
	}
	s.client = clientCommand(s.dir)
	shared := filepath.Join(s.dir, "spacetime.json")
	if _, err := os.Stat(shared); s.client == "" || s.o.noConfig || err != nil {
		return nil
	}
	if err := editProjectFile(shared, s.client, "dev", "run"); err != nil {
		return err
	}
	fmt.Fprintf(s.Stdout, "✓ Detected client command and saved to %s\n", shared)
	return nil
}

// announce says what will happen.
func (s *devSession) announce(context.Context) error {
	if len(s.project.files) > 0 {
		fmt.Fprintf(s.Stdout, "✓ Using configuration from %s\n", strings.Join(s.project.files, ", "))
	}
	names := make([]string, len(s.jobs))
	for i, job := range s.jobs {
		names[i] = job.name
	}
	fmt.Fprint(s.Stdout, "\nStarting development mode...\n")
	if len(names) == 1 {
		fmt.Fprintf(s.Stdout, "Database: %s\n", names[0])
	} else {
		fmt.Fprintf(s.Stdout, "Databases: %s\n", strings.Join(names, ", "))
	}
	if dirs := s.moduleDirs(); len(dirs) == 1 {
		fmt.Fprintf(s.Stdout, "Watching for changes in: %s\n", dirs[0])
	} else {
		fmt.Fprintf(s.Stdout, "Watching for changes in:\n  %s\n", strings.Join(dirs, "\n  "))
	}
	if s.client != "" {
		fmt.Fprintf(s.Stdout, "Client command: %s\n", s.client)
	}
	fmt.Fprint(s.Stdout, "Press Ctrl+C to stop\n\n")
	return nil
}
