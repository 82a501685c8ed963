package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// bundle builds the page in src, with the npm packages that its lock file names,
// and returns the folder to serve.
func bundle(ctx context.Context, src, dist string) (string, error) {
	if _, err := exec.LookPath("npm"); err != nil {
		return "", fmt.Errorf("the chat page needs Node.js with npm: install it from https://nodejs.org")
	}
	if _, err := os.Stat(filepath.Join(src, "node_modules", "spacetimedb")); err != nil {
		install := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--loglevel=error")
		install.Dir = src
		install.Stdout, install.Stderr = os.Stdout, os.Stderr
		if err := install.Run(); err != nil {
			return "", fmt.Errorf("npm ci in %s: %w", src, err)
		}
	}
	if err := os.MkdirAll(dist, 0o755); err != nil {
		return "", err
	}
	index, err := os.ReadFile(filepath.Join(src, "index.html"))
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dist, "index.html"), index, 0o644); err != nil {
		return "", err
	}
	res := api.Build(api.BuildOptions{
		EntryPoints:      []string{filepath.Join(src, "app.ts")},
		Outfile:          filepath.Join(dist, "app.js"),
		Bundle:           true,
		Write:            true,
		Format:           api.FormatESModule,
		Platform:         api.PlatformBrowser,
		Target:           api.ES2022,
		Sourcemap:        api.SourceMapLinked,
		MinifySyntax:     true,
		MinifyWhitespace: true,
	})
	if len(res.Errors) > 0 {
		return "", fmt.Errorf("bundling the page:\n%s", strings.Join(api.FormatMessages(res.Errors, api.FormatMessagesOptions{}), "\n"))
	}
	return dist, nil
}
