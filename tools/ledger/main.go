// Command ledger prints, per chapter of the specification, how many items of
// its conformance checklist were proven in this run and which were not.
//
//	ledger [-v] [-by] [-spec DIR] [-compat FILE] [-ledger FILE]... [LOG]...
//
// Proofs come from the files that spec.Covers wrote (-ledger) and from lines
// "covers: 05.23 05.24" in the logs of tests in other languages, which print
// them after a test has passed. Items that cannot be proven here stand with
// their reason in a table of docs/compat.md. The exit status is 1 if a number
// is unknown or a file cannot be read.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("ledger", flag.ContinueOnError)
	flags.SetOutput(stderr)
	verbose := flags.Bool("v", false, "list the missing items")
	by := flags.Bool("by", false, "list what proves each item")
	dir := flags.String("spec", "docs/spec", "directory of the chapters")
	compat := flags.String("compat", "docs/compat.md", "file with the table of items that cannot be proven")
	var ledgers []string
	flags.Func("ledger", "file written by spec.Covers; may be repeated", func(s string) error {
		ledgers = append(ledgers, s)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return 2
	}
	chapters, err := readChapters(os.DirFS(*dir))
	if err != nil {
		fmt.Fprintln(stderr, "ledger:", err)
		return 1
	}
	proofs, excuses, errs := collect(ledgers, flags.Args(), *compat)
	errs = append(errs, unknown(chapters, proofs)...)
	errs = append(errs, unknown(chapters, excuses)...)
	if *by {
		printProofs(stdout, chapters, proofs)
	}
	printTable(stdout, chapters, proofs, excuses, *verbose)
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// collect reads everything that speaks about items.
func collect(ledgers, logs []string, compat string) (proofs, excuses mentions, errs []error) {
	proofs, excuses = mentions{}, mentions{}
	read := func(file string, parse func(name, text string) error) {
		text, err := os.ReadFile(file)
		if err == nil {
			err = parse(file, string(text))
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	for _, file := range ledgers {
		read(file, proofs.addLedger)
	}
	for _, file := range logs {
		read(file, proofs.addLog)
	}
	read(compat, excuses.addExcuses)
	return proofs, excuses, errs
}

// unknown returns an error for each mentioned item that no chapter has.
func unknown(chapters []chapter, m mentions) (errs []error) {
	for _, item := range m.sorted() {
		if !slices.ContainsFunc(chapters, func(c chapter) bool { return c.has(item) }) {
			errs = append(errs, fmt.Errorf("ledger: no chapter has the item %s (%s)", item, strings.Join(m[item], ", ")))
		}
	}
	return errs
}

// printTable prints one line per chapter, and with verbose the missing numbers.
func printTable(w io.Writer, chapters []chapter, proofs, excuses mentions, verbose bool) {
	fmt.Fprintf(w, "%-16s %6s %7s %8s %8s\n", "chapter", "items", "proven", "excused", "missing")
	var sum struct{ items, proven, excused, missing int }
	var needless []string
	for _, c := range chapters {
		var proven, excused int
		var missing []int
		for _, n := range c.numbers {
			item := c.item(n)
			_, isExcused := excuses[item]
			_, isProven := proofs[item]
			switch {
			case isProven:
				proven++
				if isExcused {
					needless = append(needless, item)
				}
			case isExcused:
				excused++
			default:
				missing = append(missing, n)
			}
		}
		fmt.Fprintf(w, "%-16s %6d %7d %8d %8d\n", c.name, len(c.numbers), proven, excused, len(missing))
		if verbose && len(missing) > 0 {
			fmt.Fprintf(w, "    missing: %s\n", ranges(missing))
		}
		sum.items += len(c.numbers)
		sum.proven += proven
		sum.excused += excused
		sum.missing += len(missing)
	}
	fmt.Fprintf(w, "%-16s %6d %7d %8d %8d\n", "all", sum.items, sum.proven, sum.excused, sum.missing)
	if len(needless) > 0 {
		fmt.Fprintf(w, "proven though excused: %s\n", strings.Join(needless, " "))
	}
}

// printProofs prints each proven item with the tests that prove it.
func printProofs(w io.Writer, chapters []chapter, proofs mentions) {
	for _, c := range chapters {
		for _, n := range c.numbers {
			if by := proofs[c.item(n)]; by != nil {
				fmt.Fprintf(w, "%s %s\n", c.item(n), strings.Join(by, ", "))
			}
		}
	}
}

// ranges writes ascending numbers shortly: "1-3 7".
func ranges(numbers []int) string {
	var parts []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		part := strconv.Itoa(numbers[i])
		if j > i {
			part += "-" + strconv.Itoa(numbers[j])
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, " ")
}

// compareItems orders items by chapter and number.
func compareItems(a, b string) int {
	ac, an := splitItem(a)
	bc, bn := splitItem(b)
	return cmp.Or(cmp.Compare(ac, bc), cmp.Compare(an, bn))
}

func splitItem(item string) (chapter string, number int) {
	chapter, digits, _ := strings.Cut(item, ".")
	number, _ = strconv.Atoi(digits) // spec.ValidItem has seen it
	return chapter, number
}
