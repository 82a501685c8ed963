package cli

import (
	"strings"

	"github.com/rivo/uniseg"
)

// formatTable draws a table as psql does: cells left-aligned between blanks, no
// outer border, trailing blanks kept, no line feed at the end (spec 09 §7.6).
func formatTable(header []string, rows [][]string) string {
	widths := make([]int, len(header))
	measure := func(cells []string) {
		for i, c := range cells {
			for line := range strings.SplitSeq(c, "\n") {
				widths[i] = max(widths[i], cellWidth(line))
			}
		}
	}
	measure(header)
	for _, r := range rows {
		measure(r)
	}
	var b strings.Builder
	line := func(cells []string) {
		parts := make([][]string, len(cells))
		height := 1
		for i, c := range cells {
			parts[i] = strings.Split(c, "\n")
			height = max(height, len(parts[i]))
		}
		for l := range height {
			for i := range parts {
				if i > 0 {
					b.WriteByte('|')
				}
				text := ""
				if l < len(parts[i]) {
					text = parts[i][l]
				}
				b.WriteString(" " + text + strings.Repeat(" ", widths[i]-cellWidth(text)) + " ")
			}
			b.WriteByte('\n')
		}
	}
	line(header)
	for i, w := range widths {
		if i > 0 {
			b.WriteByte('+')
		}
		b.WriteString(strings.Repeat("-", w+2))
	}
	b.WriteByte('\n')
	for _, r := range rows {
		line(r)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// cellWidth is how many columns a text takes; a tab counts as one.
func cellWidth(s string) int { return uniseg.StringWidth(s) + strings.Count(s, "\t") }
