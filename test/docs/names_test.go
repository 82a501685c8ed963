package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// prose are all pages of the repository that people read: those that users read,
// and those beside the code.
func prose(t *testing.T) []string {
	t.Helper()
	list := pages(t)
	for _, pattern := range []string{"*.md", "internal/*/*.md", "engine/*/*.md"} {
		more, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range more {
			page, err := filepath.Rel(root, file)
			if err != nil {
				t.Fatal(err)
			}
			if page = filepath.ToSlash(page); !slices.Contains(list, page) {
				list = append(list, page)
			}
		}
	}
	for _, page := range []string{"ARCHITECTURE.md", "BENCHMARKS.md", "CONTRIBUTING.md", "internal/host/DESIGN.md"} {
		if !slices.Contains(list, page) {
			t.Fatal(page, "is not among", list)
		}
	}
	return list
}

var (
	fenced = regexp.MustCompile("(?s)```.*?```")
	link   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	title  = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

// anchors are the names that the titles of a page have in links.
func anchors(page string) map[string]bool {
	found := map[string]bool{}
	for _, m := range title.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		name := strings.Map(func(c rune) rune {
			switch {
			case c == ' ':
				return '-'
			case c == '-' || c == '_' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
				return c
			}
			return -1
		}, strings.ToLower(m[1]))
		found[name] = true
	}
	return found
}

// The links of all pages lead to a file, and to a title in it.
func TestLinks(t *testing.T) {
	count := 0
	for _, page := range prose(t) {
		for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(read(t, page), ""), -1) {
			if strings.Contains(m[1], ":") {
				continue // elsewhere
			}
			count++
			file, anchor, _ := strings.Cut(m[1], "#")
			target := page
			if file != "" {
				target = path.Join(path.Dir(page), file)
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			} else if anchor != "" && !anchors(read(t, target))[anchor] {
				t.Errorf("%s links to %s: there is no such title", page, m[1])
			}
		}
	}
	if count < 30 {
		t.Errorf("%d links", count)
	}
}

var (
	quoted = regexp.MustCompile("`([^`\n]+)`")
	inTree = regexp.MustCompile(`^(?:\./)?[a-z][a-z0-9_-]*/[A-Za-z0-9_./*-]*$`)
)

// Paths that pages name between backquotes exist: from the root of the repository,
// from internal as ARCHITECTURE.md writes them, or from the page.
func TestNamedFiles(t *testing.T) {
	rooms, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	inside, err := os.ReadDir(filepath.Join(root, "internal"))
	if err != nil {
		t.Fatal(err)
	}
	first := map[string]bool{}
	for _, d := range append(rooms, inside...) {
		first[d.Name()] = d.IsDir()
	}
	count := 0
	for _, page := range prose(t) {
		if page == "CHANGELOG.md" {
			continue // it may name what was
		}
		for _, m := range quoted.FindAllStringSubmatch(fenced.ReplaceAllString(read(t, page), ""), -1) {
			name := m[1]
			head, _, _ := strings.Cut(strings.TrimPrefix(name, "./"), "/")
			if !inTree.MatchString(name) || !first[head] || head == "bin" || strings.HasPrefix(page, "docs/") && head == "module" {
				continue // no path, or of something that is built
			}
			count++
			found := false
			for _, dir := range []string{"", "internal", path.Dir(page)} {
				matches, err := filepath.Glob(filepath.Join(root, dir, name))
				if err != nil {
					t.Fatal(err)
				}
				found = found || len(matches) > 0
			}
			if !found {
				t.Errorf("%s names %s, which does not exist", page, name)
			}
		}
	}
	if count < 20 {
		t.Errorf("%d names", count)
	}
}

var makeLine = regexp.MustCompile("(?m)(?:`|^    |&& )make ([a-z][a-z -]*)")

// What the pages and the Makefile itself tell to make are targets of the Makefile.
func TestMakeTargets(t *testing.T) {
	makefile := read(t, "Makefile")
	targets := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z][a-z-]*):`).FindAllStringSubmatch(makefile, -1) {
		targets[m[1]] = true
	}
	count := 0
	check := func(where, target string) {
		if count++; !targets[target] {
			t.Errorf("%s: make %s: the Makefile has no such target", where, target)
		}
	}
	for _, page := range prose(t) {
		for _, m := range makeLine.FindAllStringSubmatch(read(t, page), -1) {
			check(page, strings.Fields(m[1])[0])
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^\t@echo '.*?make ([a-z-]+)`).FindAllStringSubmatch(makefile, -1) {
		check("make help", m[1])
	}
	phony := regexp.MustCompile(`(?m)^\.PHONY: (.*)$`).FindStringSubmatch(makefile)
	for _, target := range strings.Fields(phony[1]) {
		check(".PHONY", target)
	}
	if count < 40 {
		t.Errorf("%d targets", count)
	}
}

// source is what the Go files of the repository declare.
type source struct {
	words map[string]bool            // every identifier in any file
	tests map[string]map[string]bool // by directory: its tests, benchmarks and fuzz targets
}

var parsed = sync.OnceValues(func() (*source, error) {
	s := &source{words: map[string]bool{}, tests: map[string]map[string]bool{}}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && file != root && (d.Name() == "testdata" || d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(file) != ".go" {
			return nil
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				s.words[id.Name] = true
			}
			return true
		})
		dir, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		dir = filepath.ToSlash(dir)
		for _, decl := range tree.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && isTest.MatchString(f.Name.Name) && strings.HasSuffix(file, "_test.go") {
				if s.tests[dir] == nil {
					s.tests[dir] = map[string]bool{}
				}
				s.tests[dir][f.Name.Name] = true
			}
		}
		return nil
	})
	return s, err
})

var (
	isTest = regexp.MustCompile(`^(?:Test|Benchmark|Fuzz)[A-Z]\w*$`)
	// An identifier that no prose has: after a dot, or of several words.
	isDotted = regexp.MustCompile(`^[A-Za-z]+(?:\.[A-Z]\w*)+$`)
	isWords  = regexp.MustCompile(`^[A-Za-z]*[a-z][A-Z]\w*$`)
)

// The names of Go in the pages about the code are in the code.
func TestNamedIdentifiers(t *testing.T) {
	s, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, page := range prose(t) {
		if page == "CHANGELOG.md" || page == "README.md" || strings.HasPrefix(page, "docs/") {
			continue // they speak of other languages, too
		}
		for _, m := range quoted.FindAllStringSubmatch(fenced.ReplaceAllString(read(t, page), ""), -1) {
			beside := strings.HasPrefix(page, "internal/") || strings.HasPrefix(page, "engine/") // and so of its code alone
			name, _, _ := strings.Cut(m[1], "/")                                                 // what follows is a sub-test
			if !isDotted.MatchString(m[1]) && !isTest.MatchString(name) && !(beside && isWords.MatchString(m[1])) {
				continue
			}
			count++
			for word := range strings.SplitSeq(name, ".") {
				if !s.words[word] {
					t.Errorf("%s names %s, which no file of Go does", page, m[1])
				}
			}
		}
	}
	if count < 10 {
		t.Errorf("%d names", count)
	}
}

var (
	goTest  = regexp.MustCompile("(?m)(?:`|^    |&& )((?:cd [a-z/]+ && )?(?:[A-Z0-9_]+=\\S* )*go test [^`\n]+)")
	goRun   = regexp.MustCompile("(?m)(?:`|^    |&& )go run (\\./[a-z0-9/]+)")
	running = regexp.MustCompile("(?m)(?:`|^    |^    bash |`bash )((?:bench|test|tools)/[A-Za-z0-9_./-]+)")
)

// The tests and benchmarks that pages tell to run exist where they say.
func TestNamedTests(t *testing.T) {
	s, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, page := range prose(t) {
		text := read(t, page)
		for _, m := range goTest.FindAllStringSubmatch(text, -1) {
			line := m[1]
			dir := ""
			if rest, ok := strings.CutPrefix(line, "cd "); ok {
				dir, line, _ = strings.Cut(rest, " && ")
			}
			_, line, _ = strings.Cut(line, "go test ")
			count++
			checkTest(t, s, page, dir, words(line))
		}
		for _, m := range append(goRun.FindAllStringSubmatch(text, -1), running.FindAllStringSubmatch(text, -1)...) {
			count++
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("%s runs %s: %v", page, m[1], err)
			}
		}
	}
	if count < 25 {
		t.Errorf("%d command lines", count)
	}
}

// checkTest checks the arguments of a go test in a directory.
func checkTest(t *testing.T, s *source, page, dir string, args []string) {
	patterns := map[string]string{} // by kind
	var packages []string
	for i := 0; i < len(args); i++ {
		option, value, inline := strings.Cut(args[i], "=")
		switch {
		case strings.HasPrefix(option, ".") && !strings.HasPrefix(option, "-"):
			packages = append(packages, path.Join(dir, args[i]))
		case inline || !slices.Contains([]string{"-run", "-bench", "-fuzz", "-benchtime", "-count", "-tags", "-timeout", "-args"}, option):
		case i+1 < len(args):
			i++
			value = args[i]
		}
		if kind, ok := map[string]string{"-run": "Test", "-bench": "Benchmark", "-fuzz": "Fuzz"}[option]; ok && value != "^$" && value != "xxx" {
			patterns[kind] = value
		}
	}
	if len(packages) == 0 {
		packages = []string{path.Join(dir, ".")}
	}
	for _, pkg := range packages {
		if info, err := os.Stat(filepath.Join(root, strings.TrimSuffix(pkg, "/..."))); err != nil || !info.IsDir() {
			t.Errorf("%s tests %s: no such package", page, pkg)
		}
		for kind, pattern := range patterns {
			// Every alternative stands for something, so each must find something.
			for one := range strings.SplitSeq(pattern, "|") {
				one, _, _ = strings.Cut(one, "/") // sub-tests are found when they run
				re, err := regexp.Compile(one)
				if err != nil {
					t.Errorf("%s: %s: %v", page, pattern, err)
					continue
				}
				found := false
				for in, names := range s.tests {
					if in != pkg && (!strings.HasSuffix(pkg, "...") || !strings.HasPrefix(in, strings.TrimSuffix(pkg, "..."))) {
						continue
					}
					for name := range names {
						found = found || strings.HasPrefix(name, kind) && re.MatchString(name)
					}
				}
				if !found {
					t.Errorf("%s: %s has no %s that matches %s", page, pkg, kind, one)
				}
			}
		}
	}
}
