package main

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// adminEndpoints are the endpoints of the admin address, which requireToken guards.
// docs/operating.md has a row for each.
var adminEndpoints = []struct {
	pattern string // of http.ServeMux
	handler func(*prometheus.Registry) http.Handler
}{
	{"GET /metrics", metricsHandler},
	{"GET /debug/pprof/", handlerFunc(pprof.Index)},
	{"GET /debug/pprof/cmdline", handlerFunc(pprof.Cmdline)},
	{"GET /debug/pprof/profile", handlerFunc(pprof.Profile)},
	{"GET /debug/pprof/symbol", handlerFunc(pprof.Symbol)},
	{"GET /debug/pprof/trace", handlerFunc(pprof.Trace)},
}

// metricsHandler answers with the metrics in a registry, for Prometheus.
func metricsHandler(registry *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry})
}

// handlerFunc returns f for any registry.
func handlerFunc(f http.HandlerFunc) func(*prometheus.Registry) http.Handler {
	return func(*prometheus.Registry) http.Handler { return f }
}

// newAdmin returns the handler of the admin address. With a token, only requests that
// carry it are answered.
func newAdmin(registry *prometheus.Registry, token, listen string, health http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /livez", health)
	mux.Handle("GET /readyz", health)
	for _, endpoint := range adminEndpoints {
		mux.Handle(endpoint.pattern, endpoint.handler(registry))
	}

	if token == "" {
		return requireHost(listen, mux) // on a loopback address; see validate
	}
	return requireToken(token, mux)
}

// requireHost lets requests through whose Host is this machine's: localhost, an IP address,
// or the host of the listen address. A page in a browser on this machine could reach the
// admin address under a name of its own that leads to 127.0.0.1 (DNS rebinding); its
// requests name that.
func requireHost(listen string, next http.Handler) http.Handler {
	own, _, _ := net.SplitHostPort(listen)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")

		if host != "localhost" && host != strings.ToLower(own) && net.ParseIP(host) == nil {
			http.Error(w, "this host is not served here", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// requireToken lets requests through that carry "Authorization: Bearer <token>".
func requireToken(token string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")

		// In constant time, so that an answer's delay does not tell how much was right.
		if !ok || subtle.ConstantTimeCompare([]byte(sent), []byte(token)) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "a bearer token is needed", http.StatusUnauthorized)
			return
		}

		next.ServeHTTP(w, r)
	})
}

// isLoopback reports whether only this machine can reach a listen address.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}

	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
