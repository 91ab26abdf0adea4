package main

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A row of the table in CONTRIBUTING.md: a floor, its packages, and what they are.
var (
	floorRow    = regexp.MustCompile("^\\| (\\d+) \\| (`[^|]+`) \\| [^|]+ \\|$")
	packageName = regexp.MustCompile("`([^`]+)`")
)

// TestFloorsPage compares CONTRIBUTING's table with the one that the imports are checked against.
func TestFloorsPage(t *testing.T) {
	shown := map[string]bool{}
	for line := range strings.Lines(page(t, "CONTRIBUTING.md")) {
		line = strings.TrimSpace(line)
		row := floorRow.FindStringSubmatch(line)
		if row == nil {
			if regexp.MustCompile(`^\| *\d`).MatchString(line) {
				t.Errorf("CONTRIBUTING.md: this row is not | floor | `package` | what |:\n%s", line)
			}
			continue
		}
		level, err := strconv.Atoi(row[1])
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range packageName.FindAllStringSubmatch(row[2], -1) {
			f, known := floors[p[1]]
			switch {
			case !known:
				t.Errorf("CONTRIBUTING.md has %s, floors_test.go does not", p[1])
			case shown[p[1]]:
				t.Errorf("CONTRIBUTING.md has %s twice", p[1])
			case f.level != level:
				t.Errorf("%s stands on floor %d in CONTRIBUTING.md, on %d in floors_test.go", p[1], level, f.level)
			}
			shown[p[1]] = true
		}
	}
	for path := range floors {
		if !shown[path] {
			t.Errorf("floors_test.go has %s, CONTRIBUTING.md does not", path)
		}
	}
}
