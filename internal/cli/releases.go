package cli

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Releases lie on any file server: below its address, `releases` lists versions, one
// per line, and v<version>/ holds an archive for each system, and SHA256SUMS.

// releasesVariable names the address of the releases.
const releasesVariable = "SPACETIME_UPDATE_RELEASES_URL"

// Bounds of what is downloaded, in bytes.
const (
	maxReleaseList = 1 << 20
	maxArchive     = 512 << 20
)

// releaseTargets are the systems that there are releases for, as GOOS/GOARCH, and
// how archives name them.
var releaseTargets = map[string]string{
	"linux/amd64": "x86_64-unknown-linux-gnu", "linux/arm64": "aarch64-unknown-linux-gnu",
	"darwin/amd64": "x86_64-apple-darwin", "darwin/arm64": "aarch64-apple-darwin",
	"windows/amd64": "x86_64-pc-windows-msvc", "windows/arm64": "aarch64-pc-windows-msvc",
}

func (r *run) releasesURL() (string, error) {
	if base := r.Getenv(releasesVariable); base != "" {
		return strings.TrimRight(base, "/"), nil
	}
	return "", fail("this build does not know where its releases are: set %s to their address, or replace %s by another version of it", releasesVariable, r.Path)
}

// download fetches a file of the releases.
func (r *run) download(ctx context.Context, name string, limit int64, progress bool) ([]byte, error) {
	base, err := r.releasesURL()
	if err != nil {
		return nil, err
	}
	address := base + "/" + name
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fail("%s is no address: correct %s", address, releasesVariable)
	}
	res, err := httpClient.Do(req)
	if err != nil {
		return nil, because(err, "the releases at %s cannot be reached", base)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, &failure{msg: fmt.Sprintf("there is no %s at %s", name, base), causes: []string{"HTTP status " + phrase(res)}, code: res.StatusCode}
	}
	from := io.Reader(io.LimitReader(res.Body, limit+1))
	if progress {
		p := r.progress("Downloading "+path.Base(name), res.ContentLength)
		defer p.end()
		from = p.reader(from)
	}
	body, err := io.ReadAll(from)
	if err != nil {
		return nil, because(err, "%s cannot be downloaded", address)
	}
	if int64(len(body)) > limit {
		return nil, fail("%s is larger than %d bytes", address, limit)
	}
	return body, nil
}

// releases lists the versions that can be installed, the newest first.
func (r *run) releases(ctx context.Context) ([]string, error) {
	text, err := r.download(ctx, "releases", maxReleaseList, false)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, name := range strings.Fields(string(text)) {
		if semantic.MatchString(name) {
			list = append(list, strings.TrimPrefix(name, "v"))
		}
	}
	slices.SortFunc(list, newestFirst)
	return list, nil
}

// latestRelease is the newest version that is no prerelease, if there is one.
func (r *run) latestRelease(ctx context.Context) (string, error) {
	list, err := r.releases(ctx)
	if err != nil {
		return "", err
	}
	for _, v := range list {
		if !strings.Contains(v, "-") {
			return v, nil
		}
	}
	if len(list) == 0 {
		return "", fail("the list of releases is empty")
	}
	return list[0], nil
}

// installVersion downloads a version, checks it and unpacks it.
func (r *run) installVersion(ctx context.Context, version, artifact string) error {
	dir := filepath.Join(r.binDir(), version)
	if _, err := os.Stat(dir); err == nil {
		return fail("v%s is installed already", version)
	}
	target := releaseTargets[runtime.GOOS+"/"+runtime.GOARCH]
	if target == "" && artifact == "" {
		return fail("there are no releases for %s/%s: build spacetime from its source", runtime.GOOS, runtime.GOARCH)
	}
	if artifact == "" {
		artifact = "spacetime-" + target + ".tar.gz"
		if runtime.GOOS == "windows" {
			artifact = "spacetime-" + target + ".zip"
		}
	}
	sums, err := r.download(ctx, "v"+version+"/SHA256SUMS", maxReleaseList, false)
	if err != nil {
		return err
	}
	archive, err := r.download(ctx, "v"+version+"/"+artifact, maxArchive, true)
	if err != nil {
		return err
	}
	if err := checkSum(string(sums), artifact, archive); err != nil {
		return err
	}
	binary, err := unpackBinary(artifact, archive)
	if err != nil {
		return because(err, "the archive %s is not understood", artifact)
	}
	return r.layDownVersion(version, bytes.NewReader(binary))
}

// checkSum checks an archive against the list of checksums.
func checkSum(sums, name string, archive []byte) error {
	sum := sha256.Sum256(archive)
	for line := range strings.Lines(sums) {
		fields := strings.Fields(line)
		if len(fields) == 2 && strings.TrimPrefix(fields[1], "*") == name {
			if !strings.EqualFold(fields[0], hex.EncodeToString(sum[:])) {
				return fail("the checksum of %s is wrong: it was damaged on the way, or is not what was released. Nothing has been installed.", name)
			}
			return nil
		}
	}
	return fail("the list of checksums does not name %s. Nothing has been installed.", name)
}

var errNoBinary = errors.New("it holds no program spacetime")

// unpackBinary returns the program in an archive.
func unpackBinary(name string, archive []byte) ([]byte, error) {
	isProgram := func(file string) bool {
		return slices.Contains([]string{"spacetime", "spacetime.exe", "spacetimedb-cli", "spacetimedb-cli.exe"}, path.Base(file))
	}
	if strings.HasSuffix(name, ".zip") {
		z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
		if err != nil {
			return nil, err
		}
		for _, f := range z.File {
			if isProgram(f.Name) && f.Mode().IsRegular() {
				in, err := f.Open()
				if err != nil {
					return nil, err
				}
				defer in.Close()
				return readBinary(in)
			}
		}
		return nil, errNoBinary
	}
	gz, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, err
	}
	t := tar.NewReader(gz)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil, errNoBinary
		}
		if err != nil {
			return nil, err
		}
		if isProgram(h.Name) && h.Typeflag == tar.TypeReg {
			return readBinary(t)
		}
	}
}

func readBinary(in io.Reader) ([]byte, error) {
	binary, err := io.ReadAll(io.LimitReader(in, maxArchive+1))
	if err == nil && len(binary) > maxArchive {
		err = fmt.Errorf("the program is larger than %d bytes", maxArchive)
	}
	return binary, err
}

// programNames are the names that a version's program has in its directory.
var programNames = []string{"spacetimedb-standalone", "spacetimedb-update"}

// layDownVersion makes the directory of a version, complete or not at all.
func (r *run) layDownVersion(version string, binary io.Reader) error {
	if err := os.MkdirAll(r.binDir(), 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(r.binDir(), ".install-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := os.Chmod(temp, 0o755); err != nil {
		return err
	}
	cli := filepath.Join(temp, "spacetimedb-cli"+exeSuffix)
	f, err := os.OpenFile(cli, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, binary)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	for _, name := range programNames {
		if err := placeBinary(cli, filepath.Join(temp, name+exeSuffix)); err != nil {
			return err
		}
	}
	if err := os.Rename(temp, filepath.Join(r.binDir(), version)); err != nil {
		return because(err, "the version cannot be installed to %s", r.binDir())
	}
	return nil
}

// placeCommand installs the command spacetime. On Windows it is a file of its own,
// because no name of a program that runs can be removed, and this one runs while
// its version is uninstalled.
func placeCommand(from, to string) error {
	if runtime.GOOS == "windows" {
		return copyBinary(from, to)
	}
	return placeBinary(from, to)
}

// placeBinary makes a program be found at another path, too: by a second name of
// the same file where that is possible, else by a copy. What is there is replaced
// in one step.
func placeBinary(from, to string) error {
	temp := newName(to)
	_ = os.Remove(temp)
	if os.Link(from, temp) != nil {
		return copyBinary(from, to)
	}
	return replaceBinary(temp, to)
}

// copyBinary copies a program. What is there is replaced in one step.
func copyBinary(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	temp := newName(to)
	_ = os.Remove(temp)
	out, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		_ = os.Remove(temp)
		return err
	}
	return replaceBinary(temp, to)
}

func newName(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
}

// replaceBinary puts a new file in the place of a program.
func replaceBinary(temp, to string) error {
	if runtime.GOOS == "windows" { // a program that runs can be renamed, and not replaced
		old := filepath.Join(filepath.Dir(to), "."+filepath.Base(to)+".old")
		_ = os.Remove(old)
		_ = os.Rename(to, old)
	}
	if err := os.Rename(temp, to); err != nil {
		_ = os.Remove(temp)
		return err
	}
	// Two names of one file are no change to rename, which leaves both.
	_ = os.Remove(temp)
	return nil
}
