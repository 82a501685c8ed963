package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// An ignoreFile is the rules of one .gitignore file: what git ignores below the
// file's directory.
type ignoreFile struct {
	dir   string
	rules []ignoreRule
}

type ignoreRule struct {
	match *regexp.Regexp // of a path below the directory, with slashes
	keep  bool           // the rule begins with !
	dirs  bool           // it ends with a slash: directories only
}

// maxIgnoreFile bounds what is read of an ignore file.
const maxIgnoreFile = 1 << 20

// readIgnoreFile reads the rules of a file for paths below dir. A file that is not
// there has none.
func readIgnoreFile(path, dir string) *ignoreFile {
	text, err := os.ReadFile(path)
	if err != nil || len(text) > maxIgnoreFile {
		return &ignoreFile{dir: dir}
	}
	return parseIgnore(string(text), dir)
}

func parseIgnore(text, dir string) *ignoreFile {
	f := &ignoreFile{dir: dir}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if trimmed := strings.TrimRight(line, " "); !strings.HasSuffix(trimmed, `\`) {
			line = trimmed
		}
		if line == "" || line[0] == '#' {
			continue
		}
		var r ignoreRule
		line, r.keep = strings.CutPrefix(line, "!")
		line, r.dirs = strings.CutSuffix(line, "/")
		var err error
		if r.match, err = regexp.Compile(ignorePattern(line)); err != nil {
			continue // git does not heed such a line either
		}
		f.rules = append(f.rules, r)
	}
	return f
}

// ignorePattern translates one line of an ignore file. A pattern with a slash in it
// is for paths from the file's directory on, another one for names at any depth.
func ignorePattern(line string) string {
	var b strings.Builder
	b.WriteString("^")
	if !strings.Contains(line, "/") {
		b.WriteString("(?:.*/)?")
	}
	line = strings.TrimPrefix(line, "/")
	for i := 0; i < len(line); i++ {
		rest := line[i:]
		switch {
		case strings.HasPrefix(rest, "**/"):
			b.WriteString("(?:.*/)?")
			i += 2
		case rest == "**":
			b.WriteString(".*")
			i++
		case rest[0] == '*':
			b.WriteString("[^/]*")
		case rest[0] == '?':
			b.WriteString("[^/]")
		case rest[0] == '[' && strings.Contains(rest[1:], "]"):
			end := strings.IndexByte(rest[1:], ']') + 1
			set := strings.ReplaceAll(rest[1:end], `\`, `\\`)
			if after, ok := strings.CutPrefix(set, "!"); ok {
				set = "^" + after
			}
			b.WriteString("[" + set + "]")
			i += end
		case rest[0] == '\\' && len(rest) > 1:
			i++
			b.WriteString(regexp.QuoteMeta(line[i : i+1]))
		default:
			b.WriteString(regexp.QuoteMeta(rest[:1]))
		}
	}
	return b.String() + "$"
}

// verdict reports what the file says of a path: ignored, or kept by a rule with !;
// said is false if it says nothing.
func (f *ignoreFile) verdict(path string, dir bool) (ignored, said bool) {
	rel, err := filepath.Rel(f.dir, path)
	if err != nil || rel == "." || strings.HasPrefix(rel, "..") {
		return false, false
	}
	rel = filepath.ToSlash(rel)
	for i := len(f.rules) - 1; i >= 0; i-- { // the last rule that matches counts
		if r := f.rules[i]; (dir || !r.dirs) && r.match.MatchString(rel) {
			return !r.keep, true
		}
	}
	return false, false
}

// An ignorer decides which paths of a project a watcher passes over (spec 09 §11.3).
type ignorer struct {
	root  string        // paths outside are not judged by their directories' names
	files []*ignoreFile // later ones go before earlier ones
}

// neverWatched are directories of tools' output and of version control.
var neverWatched = map[string]bool{
	".git": true, ".hg": true, ".svn": true, "target": true, "build": true, "bin": true, "obj": true, "node_modules": true, "dist": true,
	".next": true, ".nuxt": true, ".output": true, "__pycache__": true, ".venv": true, "venv": true, ".vs": true, ".idea": true,
}

// ignorerFor reads the rules for a project's directory and those of its modules.
func (r *run) ignorerFor(project string, modules []string) *ignorer {
	ig := &ignorer{root: project, files: []*ignoreFile{
		readIgnoreFile(filepath.Join(r.xdg("XDG_CONFIG_HOME", ".config"), "git", "ignore"), project),
		readIgnoreFile(filepath.Join(project, ".gitignore"), project),
	}}
	for _, m := range modules {
		if m != project {
			ig.files = append(ig.files, readIgnoreFile(filepath.Join(m, ".gitignore"), m))
		}
	}
	return ig
}

// ignored reports whether changes of a path below root count for nothing; root is
// the directory that is watched.
func (ig *ignorer) ignored(root, path string, dir bool) bool {
	rel, err := filepath.Rel(root, path)
	if err != nil || rel == "." {
		return err != nil
	}
	parts := strings.Split(filepath.ToSlash(rel), "/")
	for _, part := range parts {
		if neverWatched[part] {
			return true
		}
	}
	name := parts[len(parts)-1]
	if personal, _ := filepath.Match("spacetime.*.local.json", name); !dir && (name == ".env.local" || personal) {
		return false
	}
	// What lies in an ignored directory is ignored, whatever is said of it.
	at := root
	for i, part := range parts {
		at = filepath.Join(at, part)
		for j := len(ig.files) - 1; j >= 0; j-- {
			ignored, said := ig.files[j].verdict(at, dir || i < len(parts)-1)
			if ignored {
				return true
			}
			if said {
				break
			}
		}
	}
	return false
}
