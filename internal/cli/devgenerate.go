package cli

import (
	"context"
	"fmt"

	"github.com/stdbgo/spacetime/internal/build"
)

// generate writes client code for the module that has just been built.
func (s *devSession) generate(ctx context.Context, a *build.Artifact) error {
	if s.project.root["generate"] == nil && !s.fresh {
		fmt.Fprintln(s.Stdout, "No generate targets in spacetime.json. Skipping module bindings generation.")
		return nil
	}
	if generateBindings == nil {
		fmt.Fprintln(s.Stdout, "This program generates no client code. Skipping module bindings generation.")
		return nil
	}
	return generateBindings(ctx, s.run, s.project, s.o, a)
}

// generateBindings is what the command generate does, for dev.
var generateBindings func(ctx context.Context, r *run, p *project, o *devOptions, a *build.Artifact) error
