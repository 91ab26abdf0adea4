package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// The routes that requests are counted under.
const (
	routeGraphQL = "graphql"
	routeStream  = "stream" // WebSocket and server-sent events
	routePages   = "pages"  // the explorer and payloads
	routeTrigger = "trigger"
	routeSigns   = "signs" // of life, and metrics
)

func routeOf(r *http.Request) string {
	api := r.URL.Path == "/api" || r.URL.Path == "/api/"
	switch {
	case api && (r.Method == http.MethodPost || r.URL.Query().Has("query")):
		return routeGraphQL
	case strings.HasPrefix(r.URL.Path, "/api"):
		return routePages
	case strings.HasPrefix(r.URL.Path, "/trigger/"):
		return routeTrigger
	case r.URL.Path == "/healthz" || r.URL.Path == "/readyz" || r.URL.Path == "/metrics":
		return routeSigns
	}
	return otherLabel
}

// requests takes in how requests are answered.
func (m *metrics) requests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route, begin, seen := routeOf(r), time.Now(), &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r)
		if seen.status == http.StatusSwitchingProtocols || strings.HasPrefix(w.Header().Get("Content-Type"),
			"text/event-stream") {
			route = routeStream
		}
		m.answered.WithLabelValues(route, classOf(seen.status)).Inc()
		if route != routeStream {
			m.answering.WithLabelValues(route).Observe(time.Since(begin).Seconds())
		}
	})
}

// classOf returns the class of a status: 1xx to 5xx, whatever a flow answers.
func classOf(status int) string {
	if status < 100 || status > 599 {
		return otherLabel
	}
	return fmt.Sprintf("%dxx", status/100)
}

// statusWriter remembers the status. [http.ResponseController] and WebSocket find what is below it.
type statusWriter struct {
	http.ResponseWriter
	status int
	wrote  bool
}

// WriteHeader implements [http.ResponseWriter].
func (w *statusWriter) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, status >= 200 || status == http.StatusSwitchingProtocols
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *statusWriter) Write(p []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(p)
}

// Unwrap returns what is below.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
