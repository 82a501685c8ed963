package cli

import (
	"context"
	"fmt"

	"github.com/stdbgo/spacetime/internal/build"
)

// generate writes client code as the project's files say, for modules of which the
// main one has just been built.
func (s *devSession) generate(ctx context.Context, built *build.Artifact) error {
	entries, err := s.generateEntriesOf()
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		fmt.Fprintln(s.Stdout, "No generate targets in spacetime.json. Skipping module bindings generation.")
		return nil
	}
	for i := range entries {
		e := &entries[i]
		if built == nil || !e.builds() || e.modulePath != "" && s.path(e.modulePath) != s.module {
			continue
		}
		if e.binPath = built.Path; built.HostType == build.JS {
			e.binPath, e.jsPath = "", built.Path
		}
	}
	return s.generateEntries(ctx, entries, generateRun{yes: s.o.yes, target: target{server: s.o.server}, dir: s.dir})
}

// generateEntriesOf returns the entries of the project's root; where there were no
// project files, the one that the command line describes, if there is a client.
func (s *devSession) generateEntriesOf() ([]generateEntry, error) {
	if !s.fresh {
		if len(s.project.targets) == 0 {
			return nil, nil
		}
		return s.targetEntries(s.project, s.project.targets[0])
	}
	e := generateEntry{modulePath: s.module}
	if s.o.clientLang != "" {
		lang, ok := languageNames[s.o.clientLang]
		if !ok {
			return nil, fail("'%s' is no language of clients: --client-lang is one of csharp, typescript, rust, unrealcpp, go", s.o.clientLang)
		}
		e.lang = lang
	} else if lang, ok := detectClient(s.dir); ok && s.dir != s.module {
		e.lang = lang
	} else {
		return nil, nil
	}
	if s.o.bindingsPath != "" {
		e.outDir = s.shown(s.inProject(s.o.bindingsPath))
	} else {
		e.outDir = s.shown(s.inProject(defaultBindings(e.lang)))
	}
	return []generateEntry{e}, nil
}
