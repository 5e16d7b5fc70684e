package main

import (
	"net"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/aitgithub/telemetry-server/cmd/tmserver/admin"
)

// adminEndpoints are the endpoints of the admin address, which admin.Guard guards.
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

// newAdmin returns the handler of the admin address. Whom the guard does not know is not
// answered. Each of parts adds endpoints: the API of the jobs, the web page.
func newAdmin(registry *prometheus.Registry, guard admin.Guard, health http.Handler, parts ...func(*http.ServeMux)) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /livez", health)
	mux.Handle("GET /readyz", health)
	for _, endpoint := range adminEndpoints {
		mux.Handle(endpoint.pattern, endpoint.handler(registry))
	}
	for _, register := range parts {
		register(mux)
	}
	return guard.Wrap(mux)
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
