package main

import (
	"context"
	_ "embed" // the page
	"net/http"
	"time"
)

//go:embed page.html
var page []byte

// withPage adds the live page to the face, and the queries of the view behind it. Streams end with ctx: nobody else would end them.
func withPage(ctx context.Context, face, views http.Handler) http.Handler {
	routes := http.NewServeMux()
	routes.Handle("/", face)
	routes.Handle("GET /views/", views)
	routes.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page) // who has gone does not need it
	})
	routes.HandleFunc("GET /views/{view}/watch", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // it lasts longer than other requests
		watching, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		views.ServeHTTP(w, r.WithContext(watching)) //nolint:contextcheck // it is the request's, which may end earlier
	})
	return routes
}
