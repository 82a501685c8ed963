package cli

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/stdbgo/spacetime/internal/vfs"
)

// envPrefixes are what bundlers let through to a client's code.
var envPrefixes = []string{"SPACETIMEDB", "VITE_SPACETIMEDB", "NEXT_PUBLIC_SPACETIMEDB", "REACT_APP_SPACETIMEDB", "EXPO_PUBLIC_SPACETIMEDB", "PUBLIC_SPACETIMEDB"}

// envComments say whose prefixes they are.
var envComments = map[string]string{
	"SPACETIMEDB": "Node", "VITE_SPACETIMEDB": "Vite", "NEXT_PUBLIC_SPACETIMEDB": "Next.js",
	"REACT_APP_SPACETIMEDB": "Create React App", "EXPO_PUBLIC_SPACETIMEDB": "Expo", "PUBLIC_SPACETIMEDB": "SvelteKit and Astro",
}

// newDotEnv is the text of a new .env.local (spec 09 §10.4).
func newDotEnv(database, host string) string {
	var b strings.Builder
	for i, p := range envPrefixes {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString("# " + envComments[p] + "\n" + p + "_DB_NAME=" + dotEnvValue(database) + "\n" + p + "_HOST=" + dotEnvValue(host) + "\n")
	}
	return b.String()
}

// updateDotEnv sets the variables of all prefixes in the text of a .env file:
// assignments are replaced where they stand, missing ones are added at the end, and
// all other lines stay as they are.
func updateDotEnv(text, database, host string) string {
	if text == "" {
		return newDotEnv(database, host)
	}
	for _, p := range envPrefixes {
		text = setDotEnv(text, p+"_DB_NAME", database)
		text = setDotEnv(text, p+"_HOST", host)
	}
	return text
}

func setDotEnv(text, key, value string) string {
	line := key + "=" + dotEnvValue(value)
	assignment := regexp.MustCompile(`(?m)^([ \t]*(?:export[ \t]+)?)` + regexp.QuoteMeta(key) + `[ \t]*=[^\r\n]*`)
	if assignment.MatchString(text) {
		return assignment.ReplaceAllStringFunc(text, func(old string) string {
			return assignment.FindStringSubmatch(old)[1] + line
		})
	}
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text + line + "\n"
}

// dotEnvValue quotes what readers of .env files would cut.
func dotEnvValue(v string) string {
	if strings.ContainsAny(v, " \t#\"'") {
		return `"` + strings.ReplaceAll(v, `"`, `\"`) + `"`
	}
	return v
}

// writeDotEnv brings a .env file up to date. It is written only if it changes, and
// then in one step.
func writeDotEnv(path, database, host string) (changed bool, err error) {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	text := []byte(updateDotEnv(string(old), database, host))
	if bytes.Equal(text, old) {
		return false, nil
	}
	return true, replaceFile(path, text)
}

// replaceFile gives a file a new content in one step: who reads it meanwhile gets
// the old one or the new one. Its permissions stay.
func replaceFile(path string, text []byte) error {
	mode := os.FileMode(0o644)
	if to, err := filepath.EvalSymlinks(path); err == nil {
		path = to
	}
	if st, err := os.Stat(path); err == nil {
		mode = st.Mode().Perm()
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return vfs.OS{}.SyncDir(filepath.Dir(path))
}
