package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aitgithub/telemetry-server/cmd/tmserver/admin"
)

// TestAdminEndpoints checks that each endpoint of the admin address needs the token, and
// is documented.
func TestAdminEndpoints(t *testing.T) {
	document, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	handler := newAdmin(prometheus.NewRegistry(), admin.Guard{Token: "secret", Listen: "127.0.0.1:0", Now: time.Now}, http.NotFoundHandler())
	code := func(method, path, authorization string) int {
		request := httptest.NewRequest(method, path, nil)
		request.Header.Set("Authorization", authorization)
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		return answer.Code
	}

	for _, endpoint := range adminEndpoints {
		if !strings.Contains(string(document), "| `"+endpoint.pattern+"` |") {
			t.Errorf("%s is not in docs/operating.md", endpoint.pattern)
		}
		method, path, _ := strings.Cut(endpoint.pattern, " ")
		for _, wrong := range []string{"", "Bearer ", "Bearer secret2", "secret", "Basic secret"} {
			if got := code(method, path, wrong); got != http.StatusUnauthorized {
				t.Errorf("%s with %q: %d", endpoint.pattern, wrong, got)
			}
		}

		// A profile and a trace take seconds.
		if path == "/debug/pprof/profile" || path == "/debug/pprof/trace" {
			continue
		}
		if got := code(method, path, "Bearer secret"); got != http.StatusOK {
			t.Errorf("%s with the token: %d", endpoint.pattern, got)
		}
	}
}

func TestIsLoopback(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:8081": true, "localhost:0": true, "[::1]:80": true,
		":8081": false, "0.0.0.0:80": false, "10.0.0.1:80": false, "example.org:80": false, "127.0.0.1": false,
	} {
		if got := isLoopback(addr); got != want {
			t.Errorf("isLoopback(%q) is %v", addr, got)
		}
	}
}

// TestAdminHost checks which hosts the admin address answers for without a token.
func TestAdminHost(t *testing.T) {
	handler := newAdmin(prometheus.NewRegistry(), admin.Guard{Listen: "admin.example:8081", Now: time.Now}, http.NotFoundHandler())
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:8081": 200, "localhost.:1": 200, "127.0.0.1": 200, "127.0.0.1:80": 200, "[::1]": 200, "[::1]:80": 200,
		"admin.example": 200, "Admin.Example:1": 200,
		"": 421, "evil.example": 421, "evil.example:8081": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421, "a@localhost": 421,
	} {
		request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		request.Host = host
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		if answer.Code != want {
			t.Errorf("host %q: %d, want %d", host, answer.Code, want)
		}
	}
}
