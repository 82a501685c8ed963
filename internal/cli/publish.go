package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/stdbgo/spacetime/internal/build"
	"github.com/stdbgo/spacetime/sats"
)

// publishOptions are the options of publish; yes holds the questions that are
// answered beforehand.
type publishOptions struct {
	target
	clear        string
	buildOptions string
	modulePath   string
	wasmPath     string
	jsPath       string
	replicas     string
	parent, org  string
	breakClients bool
	yes          yesList
	dotnet       string
	nativeAOT    bool
	env          string // which further project files to read
	environmentOptions
	name string

	dir   string             // of the module; absolute
	built *build.Artifact    // of the module, if it has been built already
	types *build.TypeChecker // for the build
}

// yesList is the value of publish's --yes.
type yesList struct{ all, remote, migrate, breakClients, skipLogin, deleteData bool }

func (y *yesList) String() string { return "" }
func (y *yesList) Type() string   { return "questions" }
func (y *yesList) Set(s string) error {
	for _, word := range strings.Split(s, ",") {
		to, ok := map[string]*bool{"all": &y.all, "remote": &y.remote, "migrate": &y.migrate, "break-clients": &y.breakClients, "skip-login": &y.skipLogin, "delete-data": &y.deleteData}[word]
		if !ok {
			return &wrongWord{given: word, possible: []string{"all", "remote", "migrate", "break-clients", "skip-login", "delete-data"}}
		}
		*to = true
	}
	return nil
}

func (r *run) publishCommand() *cobra.Command {
	o := &publishOptions{}
	cmd := &cobra.Command{
		Use:   "publish [OPTIONS] [name|identity]",
		Short: "Build a module and create or update a database with it",
		Args:  positionals(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.name = args[0]
			}
			if err := o.conflicts(cmd); err != nil {
				return err
			}
			return r.publish(cmd, o)
		},
	}
	f := cmd.Flags()
	f.VarP(once(&o.server, "server"), "server", "s", "nickname, host or URL of the server")
	f.BoolVar(&o.anonymous, "anonymous", false, "use no token")
	f.BoolVar(&o.noConfig, "no-config", false, "ignore spacetime.json")
	optional(f, &o.yes, "yes", "y", "all", "answer questions beforehand: all, remote, migrate, break-clients, skip-login, delete-data")
	optional(f, once(&o.clear, "when", "always", "on-conflict", "never"), "delete-data", "c", "always", "delete all data of the database: always, on-conflict, never")
	optional(f, once(&o.clear, "when", "always", "on-conflict", "never"), "clear-database", "", "always", "the same as --delete-data")
	f.Var(once(&o.buildOptions, "options"), "build-options", "options for the build")
	f.Var(once(&o.buildOptions, "options"), "build-opts", "the same as --build-options")
	f.VarP(once(&o.modulePath, "directory"), "module-path", "p", "directory of the module")
	f.Var(once(&o.modulePath, "directory"), "project-path", "the same as --module-path")
	f.VarP(once(&o.wasmPath, "file"), "bin-path", "b", "publish this WebAssembly file")
	f.VarP(once(&o.jsPath, "file"), "js-path", "j", "publish this JavaScript file")
	f.Var(once(&o.replicas, "number"), "num-replicas", "number of replicas")
	f.BoolVar(&o.breakClients, "break-clients", false, "consent to a change that breaks existing clients")
	f.Var(once(&o.parent, "database"), "parent", "the parent database")
	f.Var(once(&o.org, "organization"), "organization", "the owning organization")
	f.Var(once(&o.org, "organization"), "org", "the same as --organization")
	f.Var(once(&o.dotnet, "version", "8", "10"), "dotnet-version", "C# only: the .NET version to build for")
	f.BoolVar(&o.nativeAOT, "native-aot", false, "C# only: compile ahead of time")
	f.Var(once(&o.env, "name"), "env", "read spacetime.<name>.json, too")
	o.environmentOptions.flags(cmd)
	f.Lookup("yes").Annotations = map[string][]string{repeatable: {}}
	for _, hidden := range []string{"num-replicas", "clear-database", "build-opts", "project-path", "org"} {
		_ = f.MarkHidden(hidden)
	}
	return cmd
}

var databaseName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// checkName refuses what is neither a database name nor an identity.
func checkName(name string) error {
	if _, err := sats.IdentityFromHexPrefixed(name); err == nil || databaseName.MatchString(name) {
		return nil
	}
	text := "invalid characters in database name"
	switch {
	case name == "":
		text = "database names cannot be empty"
	case strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == "":
		text = "invalid hyphen in database name"
	}
	return withHint(fail("%s", text), "A name is made of a to z, 0 to 9, and single hyphens between them, like my-chat.")
}

// askName asks for the database's name; "-" and the end of input mean none.
func (r *run) askName(dir string) (string, error) {
	if filepath.Base(dir) == "spacetimedb" {
		dir = filepath.Dir(dir)
	}
	suggestion := slug(filepath.Base(dir))
	for {
		fmt.Fprintf(r.Stdout, "Database name [%s]: ", suggestion)
		line, err := r.readLine()
		if errors.Is(err, errInterrupted) {
			return "", err
		} else if err != nil {
			return "", nil
		}
		name := strings.TrimSpace(line)
		switch name {
		case "":
			return suggestion, nil
		case "-":
			return "", nil
		}
		if err := checkName(name); err != nil {
			fmt.Fprint(r.Stdout, err, "\n", hintOf(err))
			continue
		}
		return name, nil
	}
}

// slug makes a database name of any text.
func slug(s string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') })
	if len(words) == 0 {
		return "my-database"
	}
	return strings.Join(words, "-")
}

// program returns what to upload: a given file, or what a build makes.
func (r *run) program(ctx context.Context, o *publishOptions) ([]byte, build.HostType, error) {
	path, host := o.wasmPath, build.Wasm
	switch {
	case o.jsPath != "":
		path, host = o.jsPath, build.JS
		fmt.Fprintf(r.Stdout, "(JS) Skipping build. Instead we are publishing %s\n", path)
	case path != "":
		fmt.Fprintf(r.Stdout, "(WASM) Skipping build. Instead we are publishing %s\n", path)
	case o.built != nil:
		path, host = o.built.Path, o.built.HostType
	default:
		if _, err := os.Stat(o.dir); err != nil {
			return nil, "", fail("Project path does not exist: %s", o.dir)
		}
		a, err := r.buildModule(ctx, o.dir, o)
		if errors.Is(err, build.ErrNoModule) {
			err = &failure{msg: err.Error(), hint: "Change to the module's directory, or name it by --module-path. `spacetime init --lang go ./my-app` makes a module.", err: err}
		}
		if err != nil {
			return nil, "", err
		}
		path, host = a.Path, a.HostType
	}
	program, err := os.ReadFile(r.path(path))
	if err != nil {
		return nil, "", because(err, "the module %s cannot be read", path)
	}
	isWasm := strings.HasPrefix(string(program), "\x00asm")
	switch {
	case host == build.Wasm && !isWasm:
		return nil, "", fail("%s is no WebAssembly module; publish JavaScript with --js-path", path)
	case host == build.JS && isWasm:
		return nil, "", fail("%s is a WebAssembly module; publish it with --bin-path", path)
	}
	return program, host, nil
}

// consentRemote asks before anything is sent to a server that is not on this machine.
func (r *run) consentRemote(a *api, o *publishOptions) error {
	if !a.entry.isLocal() {
		what := "publish"
		if o.only {
			what = "publish environment values"
		}
		fmt.Fprintf(r.Stdout, "You are about to %s to a non-local server: %s\n", what, a.entry.host)
		return r.consent("Are you sure you want to proceed?", o.yes.all || o.yes.remote, "Publish aborted by user.")
	}
	return nil
}

func (r *run) upload(ctx context.Context, a *api, o *publishOptions, program []byte, host build.HostType, header http.Header) error {
	if err := r.consentRemote(a, o); err != nil {
		return err
	}
	named := o.server
	if named == "" {
		named = a.entry.name()
	}
	fmt.Fprintf(r.Stdout, "Uploading to %s => %s\n", named, a.base)

	q := &query{}
	if o.clear == "always" && o.name != "" {
		if err := r.consentDestroy(o); err != nil {
			return err
		}
		q.add("clear", "true")
	} else if o.name != "" {
		if err := r.checkBreaking(ctx, a, o, program, host, q); err != nil {
			return err
		}
	}
	q.add("num_replicas", o.replicas)
	q.add("parent", o.parent)
	q.add("org", o.org)
	q.add("host_type", string(host))
	fmt.Fprintln(r.Stdout, "Publishing module...")
	call := request{method: http.MethodPost, path: "/v1/database", body: program, header: header, stay: len(header) > 0}
	if o.name != "" {
		call.method, call.path = http.MethodPut, "/v1/database/"+url.PathEscape(o.name)
	}
	call.path += q.String()
	call.sent = r.uploading(program)
	res, err := a.do(ctx, call)
	call.sent.end()
	if err != nil {
		return err
	}
	return r.published(a, o, res)
}

// A query is the query of a URL, in the order of the additions.
type query struct{ text string }

// add adds a parameter unless its value is empty.
func (q *query) add(key, value string) {
	switch {
	case value == "":
		return
	case q.text == "":
		q.text = "?"
	default:
		q.text += "&"
	}
	q.text += key + "=" + url.QueryEscape(value)
}

func (q *query) String() string { return q.text }

// consent asks and fails with text if the answer is no.
func (r *run) consent(question string, yes bool, text string) error {
	ok, err := r.confirm(question, yes)
	if err == nil && !ok {
		err = fail("%s", text)
	}
	return err
}

func (r *run) consentDestroy(o *publishOptions) error {
	fmt.Fprintf(r.Stdout, "This will DESTROY the current %s module, and ALL corresponding data.\n", o.name)
	return r.consent(fmt.Sprintf("Are you sure you want to proceed? [deleting %s]", o.name), o.yes.all || o.yes.deleteData, "Aborted.")
}

// checkBreaking asks the server what the program would change, and the user for
// consent; it adds what the publish request needs to q.
func (r *run) checkBreaking(ctx context.Context, a *api, o *publishOptions, program []byte, host build.HostType, q *query) error {
	fmt.Fprintln(r.Stdout, "Checking for breaking changes...")
	style := "NoColor"
	if r.color(r.Stdout) {
		style = "AnsiColor"
	}
	shown := r.uploading(program)
	res, err := a.do(ctx, request{method: http.MethodPost, body: program, sent: shown,
		path: "/v1/database/" + url.PathEscape(o.name) + "/pre_publish?pretty_print_style=" + style + "&style=" + style + "&host_type=" + string(host)})
	shown.end()
	if err != nil {
		return err
	}
	if res.status == http.StatusNotFound {
		return nil
	}
	if !res.ok() {
		return withHint(fail("Pre-publish check failed with status %s: %s", res.phrase, res.text()), hintOfStatus(res.status))
	}
	var plan struct {
		AutoMigrate *struct {
			Plan         string `json:"migrate_plan"`
			BreakClients bool   `json:"break_clients"`
			Token        string `json:"token"`
			Major        bool   `json:"major_version_upgrade"`
		}
		ManualMigrate *struct {
			Reason string
			Major  bool `json:"major_version_upgrade"`
		}
	}
	if err := res.decode(&plan); err != nil {
		return err
	}
	if plan.AutoMigrate != nil && plan.AutoMigrate.Major || plan.ManualMigrate != nil && plan.ManualMigrate.Major {
		if err := r.consentMajor(o); err != nil {
			return err
		}
	}
	if m := plan.ManualMigrate; m != nil {
		fmt.Fprintln(r.Stdout, m.Reason)
		if o.clear != "on-conflict" {
			fmt.Fprintln(r.Stdout, "Aborting publish due to required manual migration.")
			return withHint(fail("Aborting because publishing would require manual migration or deletion of data and --delete-data was not specified."),
				"Undo the change that is named above, or publish under another name. `spacetime publish --delete-data=on-conflict` deletes the data instead.")
		}
		fmt.Fprintln(r.Stdout, "Proceeding with database clear due to --delete-data=on-conflict.")
		q.add("clear", "true")
		return r.consentDestroy(o)
	}
	m := plan.AutoMigrate
	if m == nil {
		return fail("the server's answer to the pre-publish check is not understood: %s", res.text())
	}
	fmt.Fprintln(r.Stdout, m.Plan)
	if m.BreakClients {
		ok, err := r.confirm("The above changes will BREAK existing clients. Do you want to proceed?", o.yes.all || o.yes.breakClients || o.breakClients)
		if err != nil {
			return err
		}
		if !ok {
			fmt.Fprintln(r.Stdout, "Aborting")
			return withHint(fail("Publishing aborted by user"), "--break-clients consents beforehand.")
		}
	}
	q.add("token", m.Token)
	q.add("policy", "BreakClients")
	return nil
}

func (r *run) consentMajor(o *publishOptions) error {
	fmt.Fprint(r.Stdout, "This is a major version upgrade from 1.0 to 2.0: the module was built with a 1.x SDK and now is with a 2.x SDK. Read the SDK's upgrade notes first.\n\nWARNING: Once you publish you cannot revert back to version 1.0.\n\n")
	if o.yes.all || o.yes.migrate {
		return nil
	}
	fmt.Fprint(r.Stdout, "Please type 'upgrade' to accept this change: ")
	line, err := r.readLine()
	if errors.Is(err, errInterrupted) {
		return err
	}
	if err != nil || strings.TrimSpace(line) != "upgrade" {
		return fail("Aborting because major version upgrade was not accepted.")
	}
	return nil
}

// published prints what became of a publish.
func (r *run) published(a *api, o *publishOptions, res *answer) error {
	if res.isJSON() {
		var body struct {
			Success *struct {
				Domain   *string
				Identity string `json:"database_identity"`
				Op       string
			}
			PermissionDenied *struct{ Name string }
			EnvironmentError struct {
				Missing *struct{ Keys []string } `json:"MissingRequiredEnvironment"`
			}
		}
		if err := json.Unmarshal(res.body, &body); err != nil {
			return because(err, "the server's answer is not understood")
		}
		switch {
		case body.EnvironmentError.Missing != nil:
			return missingValues(body.EnvironmentError.Missing.Keys)
		case body.PermissionDenied != nil && a.token == "":
			return fail("You need to be logged in as the owner of %s to publish to %s", body.PermissionDenied.Name, body.PermissionDenied.Name)
		case body.PermissionDenied != nil:
			suggestion := ""
			if id, err := tokenIdentity(a.token); err == nil {
				suggestion = "\nThe name is taken. Choose another one, for example:\n\tspacetime publish " + id.String()[:12]
			}
			return fail("The database %s is not registered to the identity you provided.%s", body.PermissionDenied.Name, suggestion)
		case body.Success != nil && res.ok():
			op := "Created new"
			if slices.Contains([]string{"Updated", "updated"}, body.Success.Op) {
				op = "Updated"
			}
			id := strings.TrimPrefix(body.Success.Identity, "0x")
			if d := body.Success.Domain; d != nil && *d != "" {
				fmt.Fprintf(r.Stdout, "%s database with name: %s, identity: %s\n", op, *d, id)
			} else {
				fmt.Fprintf(r.Stdout, "%s database with identity: %s\n", op, id)
			}
			return nil
		}
	}
	if err := res.err(); err != nil {
		return withHint(err, res.header.Get("Spacetime-Hint"))
	}
	return fail("the server's answer is not understood: %s", res.text())
}
