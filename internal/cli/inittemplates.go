package cli

import (
	"fmt"
	"slices"
	"strings"
)

// A projectTemplate is a template that `init --template` knows: a module and a
// client for it.
type projectTemplate struct {
	id, about string
	server    string   // language of the module: a directory below templates
	module    []string // layers over it
	client    string   // language of the client, a word of generate's --lang; empty: none
	framework string   // of a client for browsers: react, vue, svelte …
	label     string   // of the framework, as the menu shows it
	layers    []string // of the client, over the layer client
	bindings  string   // directory of the generated code
	dev       string   // command that runs the client
	chat      bool
}

const (
	viteDev     = "npm run dev"
	webBindings = "src/module_bindings"
)

var projectTemplates = []projectTemplate{
	{id: "angular-ts", about: "A TypeScript module, and a client with Angular", server: "typescript",
		client: "typescript", framework: "angular", label: "Angular", layers: []string{"client-angular"}, bindings: webBindings, dev: viteDev},
	{id: "astro-ts", about: "A TypeScript module, and a client with Astro", server: "typescript",
		client: "typescript", framework: "astro", label: "Astro", layers: []string{"client-astro"}, bindings: webBindings, dev: viteDev},
	{id: "basic-cpp", about: "A C++ module with a table and two reducers, and a Rust client", server: "cpp",
		client: "rust", layers: []string{"client-rust"}, bindings: webBindings, dev: "cargo run"},
	{id: "basic-cs", about: "A C# module with a table and two reducers, and a C# client", server: "csharp",
		client: "csharp", layers: []string{"client-csharp"}, bindings: "module_bindings", dev: "dotnet run"},
	{id: "basic-go", about: "A Go module with a table and two reducers, and a Go client", server: "go",
		client: "go", layers: []string{"client-go", "client-go-basic"}, bindings: "bindings", dev: "go run ."},
	{id: "basic-rs", about: "A Rust module with a table and two reducers, and a Rust client", server: "rust",
		client: "rust", layers: []string{"client-rust"}, bindings: webBindings, dev: "cargo run"},
	{id: "basic-ts", about: "A TypeScript module with a table and two reducers, and a client for Node", server: "typescript",
		client: "typescript", layers: []string{"client-node"}, bindings: webBindings, dev: viteDev},
	{id: "browser-ts", about: "A TypeScript module, and a client for browsers without a framework", server: "typescript",
		client: "typescript", layers: []string{"client-vite", "client-plain-basic"}, bindings: webBindings, dev: viteDev},
	{id: "bun-ts", about: "A TypeScript module, and a client for Bun", server: "typescript",
		client: "typescript", label: "Bun", layers: []string{"client-bun"}, bindings: webBindings, dev: viteDev},
	{id: "chat-go", about: "A chat: a Go module, and a Go client at the terminal", server: "go", chat: true,
		client: "go", layers: []string{"client-go", "client-go-chat"}, bindings: "bindings", dev: "go run ."},
	{id: "chat-react-ts", about: "A chat: a TypeScript module, and a client with React", server: "typescript", module: []string{"typescript-chat"}, chat: true,
		client: "typescript", framework: "react", label: "React", layers: []string{"client-vite", "client-chat-style", "client-react-chat"}, bindings: webBindings, dev: viteDev},
	{id: "chat-ts", about: "A chat: a TypeScript module, and a client for browsers without a framework", server: "typescript", module: []string{"typescript-chat"}, chat: true,
		client: "typescript", layers: []string{"client-vite", "client-chat-style", "client-plain-chat"}, bindings: webBindings, dev: viteDev},
	{id: "chat-vue-ts", about: "A chat: a TypeScript module, and a client with Vue", server: "typescript", module: []string{"typescript-chat"}, chat: true,
		client: "typescript", framework: "vue", label: "Vue.js", layers: []string{"client-vite", "client-chat-style", "client-vue-chat"}, bindings: webBindings, dev: viteDev},
	{id: "deno-ts", about: "A TypeScript module, and a client for Deno", server: "typescript",
		client: "typescript", label: "Deno", layers: []string{"client-deno"}, bindings: webBindings, dev: viteDev},
	{id: "nextjs-ts", about: "A TypeScript module, and a client with Next.js", server: "typescript",
		client: "typescript", framework: "next", label: "Next.js", layers: []string{"client-react-people", "client-next"}, bindings: webBindings, dev: viteDev},
	{id: "nodejs-ts", about: "A TypeScript module, and a client for Node", server: "typescript",
		client: "typescript", label: "Node.js", layers: []string{"client-node"}, bindings: webBindings, dev: viteDev},
	{id: "nuxt-ts", about: "A TypeScript module, and a client with Nuxt", server: "typescript",
		client: "typescript", framework: "nuxt", label: "Nuxt", layers: []string{"client-nuxt"}, bindings: "module_bindings", dev: viteDev},
	{id: "react-ts", about: "A TypeScript module, and a client with React", server: "typescript",
		client: "typescript", framework: "react", label: "React", layers: []string{"client-vite", "client-react-basic"}, bindings: webBindings, dev: viteDev},
	{id: "remix-ts", about: "A TypeScript module, and a client with Remix", server: "typescript",
		client: "typescript", framework: "remix", label: "Remix", layers: []string{"client-react-people", "client-remix"}, bindings: webBindings, dev: viteDev},
	{id: "solid-ts", about: "A TypeScript module, and a client with SolidJS", server: "typescript",
		client: "typescript", framework: "solid", label: "SolidJS", layers: []string{"client-vite", "client-solid-basic"}, bindings: webBindings, dev: viteDev},
	{id: "svelte-ts", about: "A TypeScript module, and a client with Svelte", server: "typescript",
		client: "typescript", framework: "svelte", label: "Svelte", layers: []string{"client-vite", "client-svelte-basic"}, bindings: webBindings, dev: viteDev},
	{id: "tanstack-ts", about: "A TypeScript module, and a client with TanStack Start", server: "typescript",
		client: "typescript", framework: "tanstack", label: "TanStack", layers: []string{"client-react-people", "client-tanstack"}, bindings: webBindings, dev: viteDev},
	{id: "vue-ts", about: "A TypeScript module, and a client with Vue", server: "typescript",
		client: "typescript", framework: "vue", label: "Vue.js", layers: []string{"client-vite", "client-vue-basic"}, bindings: webBindings, dev: viteDev},
}

// templateAliases are names of earlier releases.
var templateAliases = map[string]string{
	"basic-c-sharp": "basic-cs", "basic-rust": "basic-rs", "basic-typescript": "basic-ts", "basic-react": "react-ts", "quickstart-chat-typescript": "chat-react-ts",
}

func (r *run) listTemplates() error {
	fmt.Fprintln(r.Stdout, "Available templates:")
	for _, t := range projectTemplates {
		fmt.Fprintf(r.Stdout, "  %s - %s\n", t.id, t.about)
	}
	fmt.Fprintln(r.Stdout, "\nUse one by: spacetime init --template <template> <name>")
	return nil
}

// findTemplate finds a template by its name.
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
	text := fmt.Sprintf("Unknown template `%s`. This version has the templates %s; for a module alone use --lang, for one from a repository owner/repo or its address.", id, strings.Join(ids, ", "))
	if near := didYouMean(id, ids); near != "" {
		text += " " + near
	}
	return nil, fail("%s", text)
}

// menuLabel is how the menu names the languages of a template.
func (t *projectTemplate) menuLabel() string {
	client := t.label
	if client == "" {
		client = map[string]string{"rust": "Rust", "csharp": "C#", "typescript": "TypeScript", "go": "Go"}[t.client]
	}
	if client == "" || client == languageTitles[t.server] {
		return languageTitles[t.server]
	}
	return languageTitles[t.server] + "/" + client
}

// askTemplate lets the user choose what to make: a template, a repository, or the
// language of a module alone.
func (r *run) askTemplate(o *initOptions) error {
	groups := map[string][]string{}
	for _, t := range projectTemplates {
		groups[t.menuLabel()] = append(groups[t.menuLabel()], t.id)
	}
	var labels, shown []string
	for label := range groups {
		labels = append(labels, label)
	}
	slices.Sort(labels)
	for _, label := range labels {
		plural := "s"
		if len(groups[label]) == 1 {
			plural = ""
		}
		shown = append(shown, fmt.Sprintf("%s (%d template%s)", label, len(groups[label]), plural))
	}
	shown = append(shown, "Clone from GitHub (owner/repo or git URL)", "None")
	for {
		at, err := r.menuSelect("Select a language (type to filter)", shown)
		switch {
		case err == errBack:
			return errInterrupted
		case err != nil:
			return err
		case at == len(labels):
			o.template, err = r.menuText("Repository (owner/repo or git URL)", "")
			return err
		case at > len(labels):
			return r.askLanguage(o)
		}
		ids := groups[labels[at]]
		if len(ids) > 1 {
			about := make([]string, len(ids))
			for i, id := range ids {
				t, err := findTemplate(id)
				if err != nil {
					return err
				}
				about[i] = t.id + " - " + t.about
			}
			if at, err = r.menuSelect("Select a template", about); err == errBack {
				continue
			}
		} else {
			at = 0
		}
		if err == nil {
			o.template = ids[at]
		}
		return err
	}
}

func (r *run) askLanguage(o *initOptions) error {
	names := []string{"rust", "csharp", "typescript", "go", "cpp"}
	titles := make([]string, len(names))
	for i, n := range names {
		titles[i] = languageTitles[n]
	}
	at, err := r.menuSelect("Select server language", titles)
	if err == errBack {
		err = errInterrupted
	}
	if err == nil {
		o.lang = names[at]
	}
	return err
}
