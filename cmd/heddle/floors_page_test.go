package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A row of the table in CONTRIBUTING.md: a floor, its packages, what they are, what they may import
// besides the lower floors.
var (
	floorRow    = regexp.MustCompile("^\\| (\\d+) \\| (`[^|]+`) \\| [^|]+ \\| ([^|]*)\\|$")
	packageName = regexp.MustCompile("`([^`]+)`")
)

// onPage reads the table: the floor of each package, and what its row names besides.
func onPage(t *testing.T) (floor map[string]int, besides map[string][]string) {
	t.Helper()
	floor, besides = map[string]int{}, map[string][]string{}
	for line := range strings.Lines(page(t, "CONTRIBUTING.md")) {
		row := floorRow.FindStringSubmatch(strings.TrimSpace(line))
		if row == nil {
			if regexp.MustCompile(`^\| *\d`).MatchString(line) {
				t.Errorf("CONTRIBUTING.md: this row is not | floor | `package` | what | may also import |:\n%s", line)
			}
			continue
		}
		n, err := strconv.Atoi(row[1])
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range packageName.FindAllStringSubmatch(row[2], -1) {
			name := "heddle/" + p[1]
			if _, double := floor[name]; double {
				t.Errorf("CONTRIBUTING.md has %s twice", p[1])
			}
			floor[name] = n
			for _, also := range packageName.FindAllStringSubmatch(row[3], -1) {
				besides[name] = append(besides[name], "heddle/"+also[1])
			}
		}
	}
	return floor, besides
}

// TestFloorsPage compares CONTRIBUTING's table with the one that the imports are checked against: the
// same packages, and nothing that may be imported but what the page allows.
func TestFloorsPage(t *testing.T) {
	floor, besides := onPage(t)
	there := packages(t)
	for name := range floors {
		if !slices.ContainsFunc(there, func(p listed) bool { return p.ImportPath == name }) {
			t.Errorf("floors_test.go has %s, which is no package", name)
		}
	}
	for name := range floor {
		if _, there := floors[name]; !there {
			t.Errorf("CONTRIBUTING.md has %s, floors_test.go does not", name)
		}
	}
	for name, f := range floors {
		own, there := floor[name]
		if !there {
			t.Errorf("floors_test.go has %s, CONTRIBUTING.md does not", name)
			continue
		}
		for _, other := range f.may {
			if at, there := floor[other]; there && at >= own && !slices.Contains(besides[name], other) {
				t.Errorf("%s may import %s, which stands on floor %d and not below floor %d: name it in the row, or move one of them",
					name, other, at, own)
			}
		}
		for _, also := range besides[name] {
			if !slices.Contains(f.may, also) {
				t.Errorf("CONTRIBUTING.md lets %s import %s, floors_test.go does not", name, also)
			}
			if at, there := floor[also]; there && at < own {
				t.Errorf("CONTRIBUTING.md need not name %s in the row of %s: it stands below", also, name)
			}
		}
	}
}
