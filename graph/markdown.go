package graph

import (
	"bytes"
	"fmt"
	"html"
	"regexp"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/util"
)

// Documentation is written in Markdown by people who may mean harm to those who read it: its HTML is
// dropped when it is rendered, and what comes out keeps only what can't run or send anything.
var (
	extensions = goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.Linkify)
	withImages = goldmark.New(extensions)
	markdown   = goldmark.New(extensions, goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(imageLinks{}, 0))))
	harmlessly = func() *bluemonday.Policy {
		p := bluemonday.UGCPolicy()
		p.RequireNoReferrerOnLinks(true)
		p.AddTargetBlankToFullyQualifiedLinks(true)
		return p
	}()
)

// imageLinks renders images as links: whose picture a page loads hears who reads it, and when.
type imageLinks struct{}

// RegisterFuncs implements [renderer.NodeRenderer].
func (imageLinks) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindImage, func(w util.BufWriter, _ []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		image := n.(*ast.Image)
		for outer := n.Parent(); outer != nil; outer = outer.Parent() {
			if outer.Kind() == ast.KindLink { // links don't nest
				return ast.WalkContinue, nil
			}
		}
		if !entering {
			_, _ = w.WriteString("</a>") // into a buffer
			return ast.WalkContinue, nil
		}
		_, _ = fmt.Fprintf(w, `<a href="%s">`, util.EscapeHTML(util.URLEscape(image.Destination, true)))
		if !n.HasChildren() {
			_, _ = w.Write(util.EscapeHTML(image.Destination))
		}
		return ast.WalkContinue, nil
	})
}

// renderMarkdown returns HTML that can be put into a page as it is. Text that would take long to render
// is shown as it was written.
func renderMarkdown(text string, images bool) (string, error) {
	if tangled(text) {
		return "<pre>" + html.EscapeString(text) + "</pre>\n", nil
	}
	var page bytes.Buffer
	convert := markdown
	if images {
		convert = withImages
	}
	if err := convert.Convert([]byte(text), &page); err != nil {
		return "", fmt.Errorf("rendering Markdown: %w", err)
	}
	return harmlessly.SanitizeReader(&page).String(), nil
}

// What bounds the time and room that rendering takes: the parser's grow by the square of these.
// Documents that people write have far less of each.
const (
	maxNested = 100       // blocks that begin on one line
	maxCells  = 200_000   // of tables: a row has as many as the widest of them
	maxScans  = 2_000_000 // lines to look through for what a mark belongs to
)

// nested matches the marks with which blocks that hold others begin.
var nested = regexp.MustCompile(`^([ \t]*(>|[-+*][ \t]|[0-9]{1,9}[.)][ \t]))+`)

// tangled reports whether a text would keep the server busy for seconds.
func tangled(text string) bool {
	lines, columns, scans := 0, 0, 0
	marks, since := 0, 0 // marks, and lines of usual length, since the last empty one
	for line := range strings.Lines(text) {
		lines, columns = lines+1, max(columns, strings.Count(line, "|"))
		if begin := nested.FindString(line); len(begin) > maxNested && len(strings.Fields(begin))+strings.Count(begin,
			">") > maxNested {
			return true
		}
		if strings.TrimSpace(line) == "" {
			scans, marks, since = scans+marks*since, 0, 0
			continue
		}
		since += 1 + len(line)/80
		for _, c := range []byte(line) {
			if strings.IndexByte("*_~`[]<", c) >= 0 {
				marks++
			}
		}
	}
	return lines*columns > maxCells || scans+marks*since > maxScans
}
