package graph

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"io/fs"
	"net/http"
)

// explorer holds GraphiQL and React as their packages ship them, so that the page works on a closed
// network, and what starts them.
//
//go:embed explorer
var explorer embed.FS

const explorerFiles = "/api/explorer/"

// explorerPolicy lets the page load what is this server's and call this server, and nobody frame it: it has
// a token. GraphiQL makes styles as it runs.
const explorerPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"font-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

var explorerTemplate = template.Must(template.New("explorer").Parse(`<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Heddle</title>
{{- range .Styles}}
    <link rel="stylesheet" href="{{.Path}}" integrity="{{.Hash}}">
{{- end}}
  </head>
  <body>
    <div id="graphiql">Loading…</div>
{{- range .Scripts}}
    <script src="{{.Path}}" integrity="{{.Hash}}"></script>
{{- end}}
  </body>
</html>
`))

// asset is a file of the page, with the hash that a browser holds it to.
type asset struct{ Path, Hash string }

func assets(names ...string) (all []asset) {
	for _, name := range names {
		data, err := explorer.ReadFile("explorer/" + name)
		if err != nil {
			panic(err) // the names are those below
		}
		sum := sha256.Sum256(data)
		all = append(all, asset{explorerFiles + name, "sha256-" + base64.StdEncoding.EncodeToString(sum[:])})
	}
	return all
}

// explorerPage serves the page that a browser sees at GET /api.
func explorerPage() http.Handler {
	var page bytes.Buffer
	if err := explorerTemplate.Execute(&page, map[string][]asset{
		"Styles":  assets("graphiql.min.css", "start.css"),
		"Scripts": assets("react.production.min.js", "react-dom.production.min.js", "graphiql.min.js", "start.js"),
	}); err != nil {
		panic(err) // it has been tried
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", explorerPolicy)
		deliver(w, "text/html; charset=utf-8", page.Bytes())
	})
}

// exploreFiles serves the page's own files.
func exploreFiles(mux *http.ServeMux) {
	folder, err := fs.Sub(explorer, "explorer")
	if err != nil {
		panic(err) // the name is the one above
	}
	files := http.StripPrefix(explorerFiles, http.FileServerFS(folder))
	mux.HandleFunc("GET "+explorerFiles, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache") // it is nobody's, and changes with this server only
		files.ServeHTTP(w, r)
	})
}
