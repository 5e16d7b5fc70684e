package admin

import (
	"net/http"
	"strings"
)

// contentPolicy lets a page load only what this server serves, and run no inline script or
// style. Pictures may be made by the page itself.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; " +
	"connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// answerHeaders are the headers of every answer.
var answerHeaders = map[string]string{
	"Content-Security-Policy":      contentPolicy,
	"X-Frame-Options":              "DENY",
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
}

// setHeaders sets the headers of every answer.
func setHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range answerHeaders {
			w.Header().Set(name, value)
		}

		// What the API answers changes, and may not stay on a disk.
		if strings.HasPrefix(r.URL.Path, apiPrefix) {
			w.Header().Set("Cache-Control", "no-store")
		}

		next.ServeHTTP(w, r)
	})
}
