package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// dotnet describes one way to build a C# module.
type dotnet struct {
	major     int
	framework string
	workload  bool // net8.0 through the wasi-experimental workload
}

func (b *builder) csharp(ctx context.Context) (string, error) {
	if err := missing("dotnet", "Please install .NET SDK 8.0 or 10.0."); err != nil {
		return "", err
	}
	project, err := b.projectFile()
	if err != nil {
		return "", err
	}
	d, err := b.chooseDotnet(ctx, project)
	if err != nil {
		return "", err
	}
	if d.workload {
		if err := b.ensureWorkload(ctx); err != nil {
			return "", err
		}
	}
	config := "Release"
	if b.Debug {
		config = "Debug"
	}
	args := []string{"publish", filepath.Base(project), "-c", config, "-f", d.framework, "-v", "quiet"}
	if d.major == 8 {
		if err := b.run(ctx, "dotnet", "restore", filepath.Base(project), "--force", "-p:TargetFrameworks="+d.framework); err != nil {
			return "", err
		}
		args = append(args, "--no-restore", "--force", "-p:TargetFrameworks="+d.framework)
	}
	cmd := b.command(ctx, "dotnet", args...)
	cmd.Env = os.Environ()
	if !d.workload {
		cmd.Env = append(cmd.Env, "EXPERIMENTAL_WASM_AOT=1")
	}
	if err := toolError(cmd); err != nil {
		return "", err
	}
	return b.csharpOutput(config, d)
}

func (b *builder) projectFile() (string, error) {
	files, err := filepath.Glob(filepath.Join(escapeGlob(b.Dir), "*.csproj"))
	if err != nil || len(files) == 0 {
		return "", fmt.Errorf("no .csproj file in %s", b.Dir)
	}
	if len(files) > 1 {
		return "", fmt.Errorf("%s holds several projects (%s); a module has one", b.Dir, strings.Join(files, ", "))
	}
	return files[0], nil
}

var targetFramework = regexp.MustCompile(`<TargetFrameworks?>([^<]*)</TargetFrameworks?>`)

// chooseDotnet picks the framework and checks that the active SDK fits it.
func (b *builder) chooseDotnet(ctx context.Context, project string) (dotnet, error) {
	var out strings.Builder
	cmd := b.command(ctx, "dotnet", "--version")
	cmd.Stdout = &out
	if err := toolError(cmd); err != nil {
		return dotnet{}, err
	}
	active, _ := strconv.Atoi(strings.SplitN(strings.TrimSpace(out.String()), ".", 2)[0])
	major := b.DotnetVersion
	if major == 0 && slices.Contains([]int{8, 10}, active) {
		major = active
	}
	if text, err := os.ReadFile(project); err == nil && major == 0 {
		if m := targetFramework.FindSubmatch(text); m != nil {
			major, _ = strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(string(m[1]), "net"), ".0"))
		}
	}
	switch {
	case major == 0:
		major = 10
	case major != 8 && major != 10:
		return dotnet{}, fmt.Errorf("modules are built for .NET 8 or 10, not %d", major)
	}
	if active != major {
		want := `{"sdk":{"version":"10.0.100","rollForward":"latestMinor"}}`
		if major == 8 {
			want = `{"sdk":{"version":"8.0.100","rollForward":"latestFeature"}}`
		}
		return dotnet{}, fmt.Errorf("the module wants .NET SDK %d, but `dotnet --version` in %s says %s. Install that SDK, and write a global.json there: %s", major, b.Dir, strings.TrimSpace(out.String()), want)
	}
	return dotnet{major, fmt.Sprintf("net%d.0", major), major == 8}, nil
}

func (b *builder) ensureWorkload(ctx context.Context) error {
	var out strings.Builder
	cmd := b.command(ctx, "dotnet", "workload", "list")
	cmd.Stdout = &out
	if err := toolError(cmd); err != nil {
		return err
	}
	if strings.Contains(out.String(), "wasi-experimental") {
		return nil
	}
	return b.run(ctx, "dotnet", "workload", "install", "wasi-experimental", "--skip-manifest-update")
}

// csharpOutput finds the built module in the places of spec 09 §9.1.
func (b *builder) csharpOutput(config string, d dotnet) (string, error) {
	folder := "native"
	if d.workload {
		folder = "AppBundle"
	}
	var found []string
	for _, bin := range []string{"bin", "bin~"} {
		for _, rest := range []string{filepath.Join("wasi-wasm", folder), "native"} {
			path := filepath.Join(b.Dir, bin, config, d.framework, rest, "StdbModule.wasm")
			if _, err := os.Stat(path); err == nil {
				found = append(found, path)
				break
			}
		}
	}
	switch len(found) {
	case 0:
		return "", errors.New("Built project successfully but couldn't find the output file.")
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("the module was built twice: %s; delete one of them", strings.Join(found, ", "))
}
