package graph

import (
	"embed"
	"io/fs"
	"net/http"

	"github.com/99designs/gqlgen/graphql/playground"
)

// explorer holds GraphiQL and React as their packages ship them, so that the page works on a closed
// network. Versions are those whose hashes gqlgen's page asks for.
//
//go:embed explorer
var explorer embed.FS

// explore serves the explorer's page at GET /api and its files below.
func explore(mux *http.ServeMux) {
	const files = "/api/explorer/"
	page := playground.Handler("Heddle", "/api",
		playground.WithGraphiqlVersion(files+"graphiql.min.js", files+"graphiql.min.css",
			"sha256-hnImuor1znlJkD/FOTL3jayfS/xsyNoP04abi8bFJWs=", "sha256-MEh+B2NdMSpj9kexQNN3QKc8UzMrCXW/Sx/phcpuyIU="),
		playground.WithGraphiqlReactVersion(files+"react.production.min.js", files+"react-dom.production.min.js",
			"sha256-S0lp+k7zWUMk2ixteM6HZvu8L9Eh//OVrt+ZfbCpmgY=", "sha256-IXWO0ITNDjfnNXIu5POVfqlgYoop36bDzhodR6LW5Pc="))
	folder, err := fs.Sub(explorer, "explorer")
	if err != nil {
		panic(err) // the name is the one above
	}
	mux.Handle("GET /api", page)
	mux.Handle("GET /api/{$}", page)
	mux.Handle("GET "+files, http.StripPrefix(files, http.FileServerFS(folder)))
}
