package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// functions returns those of a package as a walk names them: Function or Type.method.
func functions(t *testing.T, path string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	//lint:ignore SA1019 no types are needed
	packages, err := parser.ParseDir(token.NewFileSet(), filepath.Join("..", "..", path), func(f fs.FileInfo) bool {
		return !strings.HasSuffix(f.Name(), "_test.go")
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packages {
		for _, file := range p.Files {
			for _, d := range file.Decls {
				f, is := d.(*ast.FuncDecl)
				if !is {
					continue
				}
				name := f.Name.Name
				if f.Recv != nil {
					name = receiver(f.Recv.List[0].Type) + "." + name
				}
				all[name] = true
			}
		}
	}
	return all
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// The functions of the walks in CONTRIBUTING.md are there.
func TestWalks(t *testing.T) {
	_, text, _ := strings.Cut(page(t, "CONTRIBUTING.md"), "## Five walks")
	text, _, _ = strings.Cut(text, "\n## ")
	stretches := regexp.MustCompile("`([a-z/]+)`:\\s+([^`]+?)\\.\\s").FindAllStringSubmatch(text+" ", -1)
	if len(stretches) < 15 {
		t.Fatalf("found %d stretches", len(stretches))
	}
	for _, stretch := range stretches {
		there := functions(t, stretch[1])
		for name := range strings.SplitSeq(stretch[2], ",") {
			if name = strings.TrimSpace(name); !there[name] {
				t.Errorf("CONTRIBUTING.md: %s has no function %s", stretch[1], name)
			}
		}
	}
}
