package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/stdbgo/spacetime/internal/build"
	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/schema"
)

// The limits of spec 06 §4.20.
const maxEnvValue = 8192

var envKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,255}$`)

// jsonNumber is what of JSON5's numbers JSON has, too.
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// environmentOptions are the options of publish about the values of a database's
// environment (spec 09 §5.7, §7.1). Values are never printed.
type environmentOptions struct {
	only    bool
	unset   []string
	replace bool
	config  map[string]string // of the project files
}

func (o *environmentOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.only, "env-only", false, "change the environment of an existing database, without a program")
	f.Var((*keyList)(&o.unset), "unset-env", "delete this stored value")
	f.BoolVar(&o.replace, "replace-env", false, "delete all stored values that are not given now")
	f.Lookup("unset-env").Annotations = map[string][]string{repeatable: {}}
}

// A keyList is the value of an option that names one key each time.
type keyList []string

func (l *keyList) String() string { return "" }
func (l *keyList) Type() string   { return "key" }
func (l *keyList) Set(s string) error {
	if !envKey.MatchString(s) {
		return fmt.Errorf("invalid POSIX environment variable name (maximum 256 bytes)")
	}
	*l = append(*l, s)
	return nil
}

func (o *environmentOptions) conflicts(cmd *cobra.Command) error {
	changed := cmd.Flags().Changed
	if changed("unset-env") && changed("replace-env") {
		return usagef(cmd, "the argument '--unset-env <key>' cannot be used with '--replace-env'")
	}
	if !o.only {
		return nil
	}
	for _, other := range []string{
		"bin-path", "js-path", "module-path", "project-path", "build-options", "build-opts", "parent", "organization", "org",
		"num-replicas", "delete-data", "clear-database",
	} {
		if changed(other) {
			return usagef(cmd, "the argument '--env-only' cannot be used with '--%s'", other)
		}
	}
	return nil
}

// environment returns the target's values as texts.
func (t *databaseTarget) environment() (map[string]string, error) {
	v, ok := t.values["env"]
	if !ok {
		return nil, nil
	}
	env, ok := v.(map[string]any)
	if !ok {
		return nil, fail("Environment config must be an object")
	}
	texts := make(map[string]string, len(env))
	for _, key := range slices.Sorted(maps.Keys(env)) {
		if !envKey.MatchString(key) {
			return nil, fail("Environment key %q: invalid POSIX environment variable name (maximum 256 bytes)", key)
		}
		switch v := env[key].(type) {
		case string:
			texts[key] = v
			continue
		case bool:
			texts[key] = fmt.Sprint(v)
			continue
		case number5:
			if jsonNumber.MatchString(string(v)) {
				texts[key] = string(v)
				continue
			}
		}
		return nil, fail("Environment key %q: config input must be a string, boolean or JSON number", key)
	}
	return texts, nil
}

// declarations returns what a program declares about its environment. One that
// never reads it is not looked at: that takes as long as to load it. What cannot be
// loaded is the server's to refuse.
func (r *run) declarations(ctx context.Context, program []byte, host build.HostType) []schema.EnvironmentVar {
	if r.Describe == nil || !bytes.Contains(program, []byte("env_get")) {
		return nil
	}
	def, err := r.Describe(ctx, program, host == build.JS)
	if err != nil {
		return nil
	}
	return def.Environment
}

// supplied collects the values to send, checks them, and prints where they are from.
func (r *run) supplied(o *environmentOptions, declared []schema.EnvironmentVar) (map[string]string, error) {
	values, from := map[string]string{}, map[string]string{}
	for key, v := range o.config {
		values[key], from[key] = v, "config"
	}
	for _, d := range declared {
		if v, ok := r.lookupEnv(d.Name); ok {
			if !utf8.ValidString(v) {
				return nil, fail("Environment key %q: shell input must be UTF-8", d.Name)
			}
			values[d.Name], from[d.Name] = v, "shell"
		}
	}
	keys := slices.Sorted(maps.Keys(values))
	for _, key := range keys {
		i := slices.IndexFunc(declared, func(d schema.EnvironmentVar) bool { return d.Name == key })
		switch {
		case i >= 0 && declared[i].Kind != schema.EnvString && !slices.Contains(declared[i].Values, values[key]):
			return nil, withHint(fail("environment key %q: value does not satisfy its declared string constraint", key),
				fmt.Sprintf("The module allows %q.", declared[i].Values))
		case len(values[key]) > maxEnvValue:
			return nil, fail("environment key %q: value exceeds size limit", key)
		case slices.Contains(o.unset, key):
			return nil, fail("Environment key %q is both supplied and removed", key)
		}
	}
	for _, key := range keys {
		fmt.Fprintf(r.Stdout, "Environment %s (%s)\n", key, from[key])
	}
	return values, nil
}

func (r *run) lookupEnv(key string) (string, bool) {
	if r.LookupEnv != nil {
		return r.LookupEnv(key)
	}
	v := r.Getenv(key)
	return v, v != ""
}

// headers are those that bring values to the server with a program.
func (o *environmentOptions) headers(values map[string]string) http.Header {
	h := http.Header{}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		h.Add("Spacetime-Environment", host.EnvHeader(key, values[key]))
	}
	o.removal(h)
	return h
}

func (o *environmentOptions) removal(h http.Header) {
	switch {
	case o.replace:
		h.Set("Spacetime-Environment-Remove", "*")
	case len(o.unset) > 0:
		h.Set("Spacetime-Environment-Remove", strings.Join(o.unset, ", "))
	}
}

// missingValues is the failure of a publish that lacks values which the module wants.
func missingValues(keys []string) error {
	quoted := make([]string, len(keys))
	for i, k := range keys {
		quoted[i] = fmt.Sprintf("%q", k)
	}
	return withHint(fail("Missing required environment variable(s) [%s]", strings.Join(quoted, ", ")),
		"Give them in `env` of spacetime.json, or as environment variables of this command.")
}

// metadata describes the environment of a database, without values.
type metadata struct {
	Hash         string `json:"module_hash"`
	Declarations []struct {
		Name string
		Type json.RawMessage `json:"ty"`
	}
}

// declared translates the declarations; types that are unknown are the server's to
// check.
func (m *metadata) declared() []schema.EnvironmentVar {
	var list []schema.EnvironmentVar
	for _, d := range m.Declarations {
		v := schema.EnvironmentVar{Name: d.Name}
		var ty struct {
			StringLiteral *string
			Union         []string
		}
		if json.Unmarshal(d.Type, &ty) == nil {
			switch {
			case ty.StringLiteral != nil:
				v.Kind, v.Values = schema.EnvLiteral, []string{*ty.StringLiteral}
			case ty.Union != nil:
				v.Kind, v.Values = schema.EnvUnion, ty.Union
			}
		}
		list = append(list, v)
	}
	return list
}

// publishEnvironment changes the environment of a database that exists.
func (r *run) publishEnvironment(ctx context.Context, a *api, o *publishOptions) error {
	if o.name == "" {
		return fail("--env-only requires an existing database name or identity")
	}
	if err := r.consentRemote(a, o); err != nil {
		return err
	}
	path := "/v1/database/" + url.PathEscape(o.name) + "/environment"
	res, err := a.do(ctx, request{method: http.MethodGet, path: path, stay: true})
	if err != nil {
		return because(err, "failed to fetch environment schema")
	}
	var m metadata
	if err := res.decode(&m); err != nil {
		return because(err, "failed to fetch environment schema")
	}
	values, err := r.supplied(&o.environmentOptions, m.declared())
	if err != nil {
		return err
	}
	q := request{method: http.MethodPatch, path: path + "?expected_module_hash=" + url.QueryEscape(m.Hash), json: true, stay: true, header: http.Header{}}
	if o.replace {
		q.method = http.MethodPut
	} else {
		o.removal(q.header)
	}
	if q.body, err = json.Marshal(values); err != nil {
		return err
	}
	if res, err = a.do(ctx, q); err != nil {
		return err
	}
	return r.environmentChanged(res)
}

func (r *run) environmentChanged(res *answer) error {
	var body struct{ Err json.RawMessage }
	if res.isJSON() && json.Unmarshal(res.body, &body) == nil && len(body.Err) > 0 {
		var missing struct {
			MissingRequiredEnvironment *struct{ Keys []string }
		}
		if json.Unmarshal(body.Err, &missing) == nil && missing.MissingRequiredEnvironment != nil {
			return missingValues(missing.MissingRequiredEnvironment.Keys)
		}
		if string(body.Err) == `"VersionConflict"` {
			return fail("database program changed before publication; reload environment metadata and retry")
		}
	}
	if err := res.err(); err != nil {
		return err
	}
	fmt.Fprintln(r.Stdout, "Successfully updated environment")
	return nil
}
