package graph

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestMarkdown(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "",
		"# How\n\nIt *works*.":              "<h1>How</h1>\n<p>It <em>works</em>.</p>\n",
		"a < b & c":                         "<p>a &lt; b &amp; c</p>\n",
		"```js\nif (a<b) x()\n```":          "<pre><code>if (a&lt;b) x()\n</code></pre>\n",
		"- a\n- ~~b~~":                      "<ul>\n<li>a</li>\n<li><del>b</del></li>\n</ul>\n",
		"|a|\n|-|\n|1|":                     "<table>\n<thead>\n<tr>\n<th>a</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>1</td>\n</tr>\n</tbody>\n</table>\n",
		"[a](https://a.example)":            `<p><a href="https://a.example" rel="nofollow noreferrer noopener" target="_blank">a</a></p>` + "\n",
		"https://a.example":                 `<p><a href="https://a.example" rel="nofollow noreferrer noopener" target="_blank">https://a.example</a></p>` + "\n",
		"[a](#b) [c](/d)":                   `<p><a href="#b" rel="nofollow noreferrer">a</a> <a href="/d" rel="nofollow noreferrer">c</a></p>` + "\n",
		"![a *b*](https://a.example/i.png)": `<p><a href="https://a.example/i.png" rel="nofollow noreferrer noopener" target="_blank">a <em>b</em></a></p>` + "\n",
		"![](/i.png)":                       `<p><a href="/i.png" rel="nofollow noreferrer">/i.png</a></p>` + "\n",
		"[![a](//a.example/i.png)](#b)":     `<p><a href="#b" rel="nofollow noreferrer">a</a></p>` + "\n",
		"![a][i]\n\n[i]: //a.example/i":     `<p><a href="//a.example/i" rel="nofollow noreferrer noopener" target="_blank">a</a></p>` + "\n",
	} {
		if got, err := renderMarkdown(text, false); err != nil || got != want {
			t.Errorf("%q:\n%s, %v, want\n%s", text, got, err, want)
		}
	}
}

func TestMarkdownWithImages(t *testing.T) {
	got, err := renderMarkdown("![a](https://a.example/i.png)", true)
	if want := `<p><img src="https://a.example/i.png" alt="a"></p>` + "\n"; err != nil || got != want {
		t.Errorf("%s, %v, want\n%s", got, err, want)
	}
}

// alive matches what could run, or reach out of the text, in a page.
var alive = regexp.MustCompile(`(?i)<(script|style|iframe|object|embed|svg|math|form|input|button|base|meta|link|template|noscript|video|audio|frame)|<[^>]*\s(on\w+|style|srcdoc|formaction|xlink:href|action|id|class)\s*=|(href|src)\s*=\s*"\s*(javascript|data|vbscript|file|blob)\s*:|<!--|<\?|<!\[`)

// Whatever is written, what comes out is dead.
func TestMarkdownIsHarmless(t *testing.T) {
	for _, text := range []string{
		`<script>alert(1)</script>`, "a\n\n<script\n>alert(1)</script>", `<SCRIPT SRC=//x.example/x.js>`,
		`<img src=x onerror=alert(1)>`, `<img src="x" onerror="alert(1)"/>`,
		`a <img src=x onerror=alert(1)> b`, `<svg onload=alert(1)>`, `<svg><script>alert(1)</script></svg>`,
		`<math><mi xlink:href="javascript:alert(1)">`, `<iframe srcdoc="<script>alert(1)</script>">`,
		`<a href="javascript:alert(1)">x</a>`, `[x](javascript:alert(1))`, `[x](JaVaScRiPt:alert(1))`,
		"[x](java\tscript:alert(1))", `[x](&#106;avascript:alert(1))`, `[x](javascript&colon;alert(1))`,
		`[x](\x6aavascript:alert(1))`, `[x]( javascript:alert(1))`, "[x](\x01javascript:alert(1))",
		`[x](data:text/html,<script>alert(1)</script>)`, `[x](vbscript:msgbox)`, `[x](file:///etc/passwd)`,
		"[x]: javascript:alert(1)\n\n[x]", `![x](javascript:alert(1))`, `![x](data:image/svg+xml;base64,PHN2Zz4=)`,
		`<javascript:alert(1)>`, `<data:text/html,x>`, `[x](https://a.example "on\"mouseover=alert(1)")`,
		`![x" onerror="alert(1)](https://a.example/x.png)`, `![x](https://a.example/x.png"onerror=alert(1))`,
		`[x](https://a.example/"onclick="alert(1))`, "`<script>alert(1)</script>`\n<script>",
		"```\"><script>alert(1)</script>\n```",
		"```js onload=alert(1)\nx\n```", `# <style>*{display:none}</style>`, `<style>@import 'x'</style>`,
		`<form action=x><input name=y><button formaction=javascript:alert(1)>`, `<base href=//x.example>`,
		`<meta http-equiv=refresh content=0>`, `<link rel=stylesheet href=//x.example>`,
		`<div style="position:fixed" id="app" class="x">`, `<template><script>1</script></template>`,
		`<!--<img src="--><img src=x onerror=alert(1)>`,
		`<![CDATA[<script>alert(1)</script>]]>`, `<?xml <script>?>`,
		`<noscript><p title="</noscript><img src=x onerror=alert(1)>">`, `|<script>|` + "\n|-|\n" +
			`|<img onerror=alert(1)>|`, `https://a.example/"onmouseover=alert(1)`,
		`www.a.example/<script>`, "<a\nhref=javascript:alert(1)\n>x",
		`<a href="https://a.example" onclick="alert(1)" target="_self">x</a>`,
		`&lt;script&gt;alert(1)&lt;/script&gt;`, "<scr<script>ipt>alert(1)</scr</script>ipt>",
		"\x00<script\x00>alert(1)</script>",
		strings.Repeat("> ", 200) + "<script>alert(1)</script>",
	} {
		for _, images := range []bool{false, true} {
			page, err := renderMarkdown(text, images)
			if found := alive.FindString(page); err != nil || found != "" {
				t.Errorf("%q: %q is alive in\n%s %v", text, found, page, err)
			}
			if !images && strings.Contains(page, "<img") {
				t.Errorf("%q loads pictures: %s", text, page)
			}
		}
	}
	if alive.FindString(`<p><img src="x" onerror="a"></p>`) == "" || alive.FindString(`<a href="javascript:x">`) == "" {
		t.Error("this test finds nothing")
	}
}

// Each of these keeps the parser busy for seconds to minutes, or fills the memory.
func TestTangledMarkdown(t *testing.T) {
	const size = 250_000
	for _, text := range []string{
		strings.Repeat(">", size), strings.Repeat("> ", size/2), strings.Repeat("1. ", size/3), strings.Repeat("- 1) ",
			size/5), strings.Repeat("[a](", size/4), strings.Repeat("~", size), "a\n\n" + strings.Repeat("\\```\n",
			size/5),
		strings.Repeat("a~_", size/3), strings.Repeat("_* ", size/3), strings.Repeat("![", size/2), strings.Repeat("|a",
			1000) + "\n" + strings.Repeat("|-", 1000) + "\n" + strings.Repeat("a\n", size/4),
	} {
		if page, err := renderMarkdown(text, false); err != nil || !strings.HasPrefix(page, "<pre>") {
			t.Errorf("%.20q is rendered: %.50s, %v", text, page, err)
		}
	}
	for _, file := range []string{"../README.md", "../CONTRIBUTING.md"} {
		text, err := os.ReadFile(file)
		if err != nil || tangled(string(text)) || tangled(strings.Repeat(string(text), 10)) {
			t.Errorf("%s is taken for one: %v", file, err)
		}
	}
}

func TestDocumentationIsShown(t *testing.T) {
	h := newHarness(t)
	id := h.imported(h.org, shop)
	const document = `query ($id: ID!) { integration(id: $id) { documentation documentationHtml } }`
	if a := h.do(document, vars{"id": id}); a.at("integration.documentationHtml") != nil {
		t.Errorf("none: %s", a.body)
	}
	h.do(describeDocument, vars{"input": vars{"id": id, "documentation": "# How\n<script>alert(1)</script>"}})
	version := h.published(h.org, id)
	h.do(describeDocument, vars{"input": vars{"id": id, "documentation": "*Later*"}})
	for of, want := range map[string]string{id: "<p><em>Later</em></p>\n", version: "<h1>How</h1>\n\n"} {
		if a := h.do(document, vars{"id": of}); a.text("integration.documentationHtml") != want {
			t.Errorf("%s: %s", of, a.body)
		}
	}
}
