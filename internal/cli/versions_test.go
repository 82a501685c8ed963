package cli_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// withVersions installs some versions, the first of which is in use.
func (u *user) withVersions(names ...string) (bin string) {
	u.t.Helper()
	bin = filepath.Join(u.home, ".local", "share", "spacetime", "bin")
	for _, name := range names {
		dir := filepath.Join(bin, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			u.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "spacetimedb-cli"), []byte("#!/bin/sh\necho "+name+" \"$@\"\n"), 0o755); err != nil {
			u.t.Fatal(err)
		}
	}
	u.ok("version", "use", names[0])
	return bin
}

func TestVersions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links are junctions there")
	}
	u := newUser(t)
	wantEqual(t, u.ok("version", "list"), "2.8.3 (current)\n") // nothing is installed: this very program
	want(t, u.ok("version"), "spacetimedb tool version 2.8.3;", "\n2.8.3 (current)\n")
	want(t, u.fails(1, "version", "use", "1.0.0"), "v1.0.0 is not installed. Nothing is installed in ")

	bin := u.withVersions("1.2.0", "1.10.0", "1.10.0-rc.2", "1.10.0-rc.10", "my-build")
	wantEqual(t, u.ok("version", "list"), "1.10.0\n1.10.0-rc.10\n1.10.0-rc.2\n1.2.0 (current)\nmy-build\n")
	u.ok("version", "use", "v1.10.0")
	wantEqual(t, u.ok("version", "list"), "1.10.0 (current)\n1.10.0-rc.10\n1.10.0-rc.2\n1.2.0\nmy-build\n")
	if target, err := os.Readlink(filepath.Join(bin, "current")); err != nil || target != "1.10.0" {
		t.Errorf("current leads to %q, %v", target, err)
	}
	want(t, u.fails(1, "version", "use", "3.0.0"), "v3.0.0 is not installed. Installed are 1.10.0, ")
	wantEqual(t, u.fails(1, "version", "uninstall", "1.10.0", "-y"), "Error: cannot uninstall currently used version\n")
	wantEqual(t, u.fails(1, "version", "uninstall", "current"), "Error: cannot remove `current` version\n")
	wantEqual(t, u.fails(1, "version", "uninstall", "3.0.0"), "Error: v3.0.0 is not installed\n")
	u.menus = true
	if r := u.runWith("n\n", "version", "uninstall", "1.2.0"); r.code != 0 || !strings.Contains(r.stderr, "Uninstall v1.2.0?") {
		t.Error(r)
	}
	want(t, u.ok("version", "list"), "1.2.0\n")
	u.ok("version", "uninstall", "-y", "1.2.0")

	u.write("build/spacetimedb-cli", "")
	u.ok("version", "link", "mine", "build", "--use")
	want(t, u.ok("version", "list"), "\nmine (current)\n")
	u.ok("version", "use", "1.10.0")
	u.ok("version", "uninstall", "mine", "-y")
	if _, err := os.Stat(filepath.Join(u.work, "build", "spacetimedb-cli")); err != nil {
		t.Error("to uninstall a link has removed what it led to")
	}
	want(t, u.fails(1, "version", "link", "../x", "build"), "cannot be the name of a version")
	want(t, u.fails(1, "version", "link", "x", "nowhere"), "there is no spacetimedb-cli in nowhere")
	want(t, u.fails(2, "version", "instal"), "a similar subcommand exists: 'install'")
}

// archives makes both kinds of archives of a release.
func archives(t *testing.T, program string) map[string][]byte {
	t.Helper()
	var tgz, zipped bytes.Buffer
	gz := gzip.NewWriter(&tgz)
	tw := tar.NewWriter(gz)
	for name, text := range map[string]string{"spacetime": program, "../evil": "x"} {
		if err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		_, _ = tw.Write([]byte(text))
	}
	_ = tw.Close()
	_ = gz.Close()
	z := zip.NewWriter(&zipped)
	w, err := z.Create("spacetime.exe")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte(program))
	_ = z.Close()
	return map[string][]byte{"a.tar.gz": tgz.Bytes(), "a.zip": zipped.Bytes(), "bad.tar.gz": tgz.Bytes()[:len(tgz.Bytes())/2], "text.zip": []byte("no archive"), "other.tar.gz": tgz.Bytes()}
}

func TestInstallVersion(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links are junctions there")
	}
	files := archives(t, "#!/bin/sh\necho installed\n")
	var sums strings.Builder
	for name, content := range files {
		sum := sha256.Sum256(content)
		if name == "other.tar.gz" {
			sum[0]++
		}
		sums.WriteString(hex.EncodeToString(sum[:]) + "  " + name + "\n")
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := filepath.Base(r.URL.Path)
		switch content := files[name]; {
		case r.URL.Path == "/releases":
			_, _ = w.Write([]byte("0.9.0\nv1.2.3\n2.0.0-rc.1\nnonsense\n"))
		case name == "SHA256SUMS":
			_, _ = w.Write([]byte(sums.String()))
		case content != nil && strings.HasPrefix(r.URL.Path, "/v1.2.3/"):
			_, _ = w.Write(content)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()

	u := newUser(t)
	want(t, u.fails(1, "version", "install", "1.2.3"), "set SPACETIME_UPDATE_RELEASES_URL to their address")
	u.env["SPACETIME_UPDATE_RELEASES_URL"] = server.URL + "/"
	wantEqual(t, u.ok("version", "list", "--all"), "2.0.0-rc.1\n1.2.3\n0.9.0\n")
	want(t, u.fails(1, "version", "install", "latest"), "`latest` is no version: write it like 1.2.3")
	want(t, u.fails(1, "version", "install", "1.2.3", "--edition", "cloud"), "can only install spacetimedb-standalone at the moment")
	bin := filepath.Join(u.home, ".local", "share", "spacetime", "bin")
	for artifact, wanted := range map[string]string{
		"bad.tar.gz": "the archive bad.tar.gz is not understood", "text.zip": "the archive text.zip is not understood",
		"other.tar.gz": "the checksum of other.tar.gz is wrong", "none.zip": "there is no v1.2.3/none.zip at " + server.URL,
	} {
		want(t, u.fails(1, "version", "install", "1.2.3", "--artifact-name", artifact), wanted)
		if left, _ := os.ReadDir(bin); len(left) > 0 {
			t.Errorf("%s has left %v", artifact, left)
		}
	}
	want(t, u.fails(1, "version", "install", "0.9.0"), "HTTP status 404 Not Found")
	u.ok("version", "install", "v1.2.3", "--artifact-name", "a.tar.gz", "--use")
	wantEqual(t, u.ok("version", "list"), "1.2.3 (current)\n")
	for _, name := range []string{"spacetimedb-cli", "spacetimedb-standalone", "spacetimedb-update"} {
		if st, err := os.Stat(filepath.Join(bin, "1.2.3", name)); err != nil || st.Mode().Perm()&0o111 == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	want(t, u.fails(1, "version", "install", "1.2.3"), "v1.2.3 is installed already")
	other := newUser(t)
	other.env["SPACETIME_UPDATE_RELEASES_URL"] = server.URL
	other.ok("version", "install", "1.2.3", "--artifact-name", "a.zip")
	wantEqual(t, other.ok("version", "upgrade"), "Using v1.2.3.\n")
	wantEqual(t, other.ok("version", "list"), "1.2.3 (current)\n")
	server.Close()
	want(t, u.fails(1, "version", "list", "--all"), "the releases at "+server.URL+" cannot be reached")
}

// The program's name says which commands there are.
func TestApplets(t *testing.T) {
	u := newUser(t)
	u.arg0 = "/usr/bin/spacetimedb-standalone"
	r := u.run("--help")
	want(t, r.stdout, "start")
	want(t, u.ok("extract-schema", "--help"), "extract-schema")
	if strings.Contains(r.stdout, "publish") {
		t.Error(r.stdout)
	}
	want(t, u.fails(2, "publish"), "unrecognized subcommand 'publish'")
	u.arg0 = `spacetimedb-update.exe`
	wantEqual(t, u.ok("version", "list"), "2.8.3 (current)\n")
	wantEqual(t, u.ok("cli", "-V"), "spacetime 2.8.3\n")
	want(t, u.ok("--help"), "self-install")
	u.arg0 = "spacetimedb-cli"
	want(t, u.ok("--help"), "publish")
	u.env["SPACETIMEDB_UPDATE_MULTICALL_APPLET"] = "spacetimedb-update"
	want(t, u.fails(2, "publish"), "unrecognized subcommand 'publish'")
}

func TestSelfInstall(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links are junctions there")
	}
	u := newUser(t)
	u.write("spacetime-install", "#!/bin/sh\necho I am it\n")
	u.path, u.arg0 = filepath.Join(u.work, "spacetime-install"), "spacetime-install"
	root := filepath.Join(u.home, "root")
	for range 2 { // again, over itself
		r := u.run("--root-dir", root)
		if r.code != 0 || r.stdout != "" || !strings.Contains(r.stderr, `export PATH="`+root+`:$PATH"`) {
			t.Fatal(r)
		}
	}
	for _, name := range []string{"spacetime", "bin/2.8.3/spacetimedb-cli", "bin/2.8.3/spacetimedb-update", "bin/current/spacetimedb-standalone"} {
		if text, err := os.ReadFile(filepath.Join(root, name)); err != nil || !strings.Contains(string(text), "I am it") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, dir := range []string{"config", "data"} {
		if st, err := os.Stat(filepath.Join(root, dir)); err != nil || !st.IsDir() {
			t.Errorf("%s: %v", dir, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(root, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	u.menus = true
	if r := u.runWith("n\n", "--root-dir", filepath.Join(u.home, "other")); r.code != 1 || !strings.HasSuffix(r.stderr, "Exiting.\n") {
		t.Error(r)
	}
	u.env["PATH"] = "/bin:" + filepath.Join(u.home, ".local", "bin")
	if r := u.runWith("\n"); r.code != 0 || strings.Contains(r.stderr, "export PATH") {
		t.Error(r)
	}
}
