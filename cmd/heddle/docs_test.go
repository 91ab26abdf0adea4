package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// page reads a page of the documentation by its path in the repository.
func page(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// block is a fenced block of a page.
type block struct {
	info string // what follows the opening fence: the language, then words for the tests
	text string
	line int    // of the opening fence
	mark string // of a comment <!-- mark --> on the line before
}

// blocks finds all fenced blocks of a page.
func blocks(page string) (all []block) {
	var open *block
	var before string
	for i, line := range strings.Split(page, "\n") {
		switch info, fence := strings.CutPrefix(line, "```"); {
		case fence && open == nil:
			mark, _ := strings.CutPrefix(before, "<!-- ")
			open = &block{info: info, line: i + 1, mark: strings.TrimSuffix(mark, " -->")}
		case fence:
			all, open = append(all, *open), nil
		case open != nil:
			open.text += line + "\n"
		}
		before = line
	}
	return all
}

// TestREADMESession copies the README's session into a shell, on another port.
func TestREADMESession(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%v: the session of the README needs it", err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close() // the server takes it
	var session, prints string
	for _, b := range blocks(page(t, "README.md")) {
		switch b.mark {
		case "session":
			session += b.text
		case "session prints":
			prints = b.text
		}
	}
	h := newHarness(t)
	program, err := exec.LookPath("heddle") // this test, see TestMain
	h.must(err)
	h.must(os.Mkdir(filepath.Join(h.dir, "bin"), 0o700))
	h.must(os.Symlink(program, filepath.Join(h.dir, "bin", "heddle")))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-uc", strings.ReplaceAll(session, "127.0.0.1:8080", address))
	cmd.Dir, cmd.Env = h.dir, append(command(h.dir, nil).Env, "HEDDLE_LISTEN="+address)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the server that it starts ends with it
	defer func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := cmd.Output()
	log, _ := os.ReadFile(filepath.Join(h.dir, "bin", "first.log")) // it may not be there yet
	if string(out) != prints || prints == "" {
		t.Errorf("the session prints\n%s%v\nthe server\n%s", out, err, log)
	}
}

// TestComponentsPage compares docs/components.md with what the command prints.
func TestComponentsPage(t *testing.T) {
	var out, errs strings.Builder
	if code := run(t.Context(), []string{"docs", "components"}, &out, &errs); code != 0 {
		t.Fatalf("it ends with %d: %s", code, &errs)
	}
	if page(t, "docs/components.md") != out.String() {
		t.Error("docs/components.md is not what heddle docs components prints; run go generate ./cmd/heddle")
	}
}

// TestDecisions sees that each decision has a title and a date and is in the index.
func TestDecisions(t *testing.T) {
	files, err := filepath.Glob("../../docs/decisions/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	index, form := page(t, "docs/decisions/README.md"),
		regexp.MustCompile(`^# \S.*\n\nDate: 20\d\d-[01]\d-[0-3]\d\n\n\S`)
	for _, path := range files {
		name := filepath.Base(path)
		if name == "README.md" {
			continue
		}
		if !form.MatchString(page(t, "docs/decisions/"+name)) {
			t.Errorf("docs/decisions/%s does not begin with a title, a line Date: and words", name)
		}
		if !strings.Contains(index, "]("+name+")") {
			t.Errorf("docs/decisions/README.md does not list %s", name)
		}
	}
}

// TestLinks follows the links between the pages, to their headings too.
func TestLinks(t *testing.T) {
	pages := []string{"README.md", "CONTRIBUTING.md"}
	for _, pattern := range []string{"docs/*.md", "docs/*/*.md"} {
		found, err := filepath.Glob(filepath.Join("..", "..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			pages = append(pages, strings.TrimPrefix(filepath.ToSlash(path), "../../"))
		}
	}
	for _, from := range pages {
		for _, link := range regexp.MustCompile(`\]\(([^)"]+)\)`).FindAllStringSubmatch(page(t, from), -1) {
			target, heading, _ := strings.Cut(link[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			path := from
			if target != "" {
				path = filepath.Join(filepath.Dir(from), target)
			}
			if _, err := os.Stat(filepath.Join("..", "..", path)); err != nil {
				t.Errorf("%s: %v", from, err)
			} else if heading != "" && !hasHeading(page(t, path), heading) {
				t.Errorf("%s: %s has no heading #%s", from, path, heading)
			}
		}
	}
}

// hasHeading reports whether a page has a heading with this anchor, as GitHub makes them.
func hasHeading(page, anchor string) bool {
	for line := range strings.Lines(page) {
		if text := strings.TrimLeft(line, "#"); text != line && strings.HasPrefix(text, " ") {
			text = regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(strings.TrimSpace(text)), "")
			if strings.ReplaceAll(text, " ", "-") == anchor {
				return true
			}
		}
	}
	return false
}
