// Package explorer is the page on which people try the API, GraphiQL.
package explorer

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strconv"
)

// shipped has GraphiQL and React as their packages ship them, so that the page works on a closed
// network, and what starts them.
//
//go:embed *.css *.js LICENSE.*
var shipped embed.FS

const filesPath = "/api/explorer/"

// policy lets the page load what is this server's and call this server, and nobody frame it: it has
// a token. GraphiQL makes styles as it runs.
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"font-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
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
		data, err := shipped.ReadFile(name)
		if err != nil {
			panic(err) // the names are those below
		}
		sum := sha256.Sum256(data)
		all = append(all, asset{filesPath + name, "sha256-" + base64.StdEncoding.EncodeToString(sum[:])})
	}
	return all
}

// Page serves the page that a browser sees at GET /api.
func Page() http.Handler {
	var made bytes.Buffer
	if err := page.Execute(&made, map[string][]asset{
		"Styles":  assets("graphiql.min.css", "start.css"),
		"Scripts": assets("react.production.min.js", "react-dom.production.min.js", "graphiql.min.js", "start.js"),
	}); err != nil {
		panic(err) // it has been tried
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Length", strconv.Itoa(made.Len()))
		_, _ = w.Write(made.Bytes()) // the caller has gone; nobody is left to tell
	})
}

// ServeFiles serves the page's own files.
func ServeFiles(mux *http.ServeMux) {
	files := http.StripPrefix(filesPath, http.FileServerFS(shipped))
	mux.HandleFunc("GET "+filesPath, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache") // it is nobody's, and changes with this server only
		files.ServeHTTP(w, r)
	})
}
