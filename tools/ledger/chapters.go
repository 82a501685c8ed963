package main

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A chapter is the checklist of one file NN-name.md.
type chapter struct {
	id      string // two digits
	name    string // file name without ending
	numbers []int  // ascending
}

func (c chapter) item(n int) string { return fmt.Sprintf("%s.%d", c.id, n) }

func (c chapter) has(item string) bool {
	id, n := splitItem(item)
	_, found := slices.BinarySearch(c.numbers, n)
	return found && id == c.id
}

var (
	chapterFile = regexp.MustCompile(`^(\d\d)-.*\.md$`)
	heading     = regexp.MustCompile(`^#{1,6} `)
	listItem    = regexp.MustCompile(`^(\d{1,3})\. `)
)

// readChapters returns the chapters of a directory in their order. A checklist
// is what stands under a heading with the words "conformance checklist"; a
// chapter may have several.
func readChapters(dir fs.FS) ([]chapter, error) {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, err
	}
	var chapters []chapter
	for _, e := range entries {
		m := chapterFile.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		text, err := fs.ReadFile(dir, e.Name())
		if err != nil {
			return nil, err
		}
		numbers, err := checklist(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		chapters = append(chapters, chapter{id: m[1], name: strings.TrimSuffix(e.Name(), ".md"), numbers: numbers})
	}
	if len(chapters) == 0 {
		return nil, fmt.Errorf("no chapters NN-name.md found")
	}
	return chapters, nil
}

// checklist returns the numbers of a chapter's conformance items.
func checklist(text string) ([]int, error) {
	var numbers []int
	inside := false
	for line := range strings.Lines(text) {
		if heading.MatchString(line) {
			inside = strings.Contains(strings.ToLower(line), "conformance checklist")
			continue
		}
		m := listItem.FindStringSubmatch(line)
		if !inside || m == nil {
			continue
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return nil, err
		}
		if len(numbers) > 0 && n <= numbers[len(numbers)-1] {
			return nil, fmt.Errorf("item %d stands after item %d", n, numbers[len(numbers)-1])
		}
		numbers = append(numbers, n)
	}
	if len(numbers) == 0 {
		return nil, fmt.Errorf("no conformance checklist found")
	}
	return numbers, nil
}
