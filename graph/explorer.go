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

const explorerFiles = "/api/explorer/"

// explorerPage is what a browser sees at GET /api.
func explorerPage() http.Handler {
	return playground.Handler("Heddle", "/api",
		playground.WithGraphiqlVersion(explorerFiles+"graphiql.min.js", explorerFiles+"graphiql.min.css",
			"sha256-hnImuor1znlJkD/FOTL3jayfS/xsyNoP04abi8bFJWs=", "sha256-MEh+B2NdMSpj9kexQNN3QKc8UzMrCXW/Sx/phcpuyIU="),
		playground.WithGraphiqlReactVersion(explorerFiles+"react.production.min.js", explorerFiles+"react-dom.production.min.js",
			"sha256-S0lp+k7zWUMk2ixteM6HZvu8L9Eh//OVrt+ZfbCpmgY=", "sha256-IXWO0ITNDjfnNXIu5POVfqlgYoop36bDzhodR6LW5Pc="))
}

// exploreFiles serves the page's own files.
func exploreFiles(mux *http.ServeMux) {
	folder, err := fs.Sub(explorer, "explorer")
	if err != nil {
		panic(err) // the name is the one above
	}
	mux.Handle("GET "+explorerFiles, http.StripPrefix(explorerFiles, http.FileServerFS(folder)))
}
