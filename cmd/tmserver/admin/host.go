package admin

import (
	"net"
	"net/http"
	"strings"
)

// requireHost lets requests through whose Host is this machine's: localhost, an IP address,
// or the host of the listen address. A page in a browser on this machine could reach the
// admin address under a name of its own that leads to 127.0.0.1 (DNS rebinding); its
// requests name that.
func requireHost(listen string, next http.Handler) http.Handler {
	own, _, _ := net.SplitHostPort(listen)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Host may have a port, the brackets of IPv6, capitals and a final dot.
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")

		// Other names are in the hands of a DNS server that the attacker may run.
		if host != "localhost" && host != strings.ToLower(own) && net.ParseIP(host) == nil {
			http.Error(w, "this host is not served here", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}
