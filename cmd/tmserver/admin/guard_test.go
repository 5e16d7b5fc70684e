package admin

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// testGuard is a guard with both tokens, at a time of its own.
func testGuard(now *time.Time) Guard {
	return Guard{Token: "operator's secret", ViewerToken: "viewer's secret", Listen: "0.0.0.0:1", Now: func() time.Time { return *now }}
}

// ask has a guard answer a request with those headers, and returns the answer. The handler
// behind it answers with the role.
func ask(guard Guard, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, "http://127.0.0.1"+path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}

	answer := httptest.NewRecorder()
	guard.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(RoleOf(r.Context())))
	})).ServeHTTP(answer, request)
	return answer
}

// TestRoles checks what each token lets through.
func TestRoles(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	guard := testGuard(&now)
	onlyOperators := guard
	onlyOperators.ViewerToken = ""

	for _, test := range []struct {
		guard                Guard
		method, path, header string
		want                 int
	}{
		{guard, "GET", "/api/v1/jobs", "Bearer operator's secret", 200},
		{guard, "POST", "/api/v1/jobs", "Bearer operator's secret", 200},
		{guard, "GET", "/debug/pprof/cmdline", "Bearer operator's secret", 200},
		{guard, "GET", "/api/v1/jobs", "Bearer viewer's secret", 200},
		{guard, "HEAD", "/metrics", "Bearer viewer's secret", 200},
		{guard, "POST", "/api/v1/jobs", "Bearer viewer's secret", 403},
		{guard, "DELETE", "/api/v1/jobs/1", "Bearer viewer's secret", 403},
		{guard, "GET", "/debug/pprof/cmdline", "Bearer viewer's secret", 403},
		{guard, "GET", "/api/v1/jobs", "", 401},
		{guard, "GET", "/api/v1/jobs", "Bearer ", 401},
		{guard, "GET", "/api/v1/jobs", "Bearer operator's secret2", 401},
		{guard, "GET", "/api/v1/jobs", "operator's secret", 401},
		{guard, "GET", "/api/v1/jobs?token=operator's%20secret", "", 401},
		{onlyOperators, "GET", "/api/v1/jobs", "Bearer ", 401},
		{onlyOperators, "GET", "/api/v1/jobs", "Bearer viewer's secret", 401},
		{Guard{Listen: "127.0.0.1:1"}, "POST", "/api/v1/jobs", "", 200},
	} {
		answer := ask(test.guard, test.method, test.path, "", "Authorization", test.header)
		if answer.Code != test.want {
			t.Errorf("%s %s with %q: %d, want %d", test.method, test.path, test.header, answer.Code, test.want)
		}
		for name, value := range answerHeaders {
			if answer.Header().Get(name) != value {
				t.Errorf("%s %s: header %s is %q", test.method, test.path, name, answer.Header().Get(name))
			}
		}
	}
}

// TestSignIn signs in with the form and uses the cookie.
func TestSignIn(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	guard := testGuard(&now)
	form := "application/x-www-form-urlencoded"
	signIn := func(token, next string) *httptest.ResponseRecorder {
		return ask(guard, "POST", signInPath, url.Values{"token": {token}, "next": {next}}.Encode(), "Content-Type", form)
	}

	// A person who opens a page is led to the form, and back.
	answer := ask(guard, "GET", "/ui/?a=1", "", "Accept", "text/html")
	if answer.Code != 303 || answer.Header().Get("Location") != "/sign-in?next=%2Fui%2F%3Fa%3D1" {
		t.Errorf("page: %d %q", answer.Code, answer.Header().Get("Location"))
	}
	if answer := signIn("wrong", "/ui/"); answer.Code != 401 || answer.Header().Get("Set-Cookie") != "" {
		t.Errorf("wrong token: %d, cookie %q", answer.Code, answer.Header().Get("Set-Cookie"))
	}

	// Nothing leads to another site, and the page shows nothing unescaped.
	for next, want := range map[string]string{
		"/ui/?a=1": "/ui/?a=1", "": "/", "//evil.example": "/", "https://evil.example": "/", `/\evil.example`: "/", "/\tevil": "/",
	} {
		if got := signIn("viewer's secret", next).Header().Get("Location"); got != want {
			t.Errorf("next %q leads to %q", next, got)
		}
	}
	hostile := ask(guard, "GET", signInPath+"?next=/%22%3E%3Cscript%3E", "").Body.String()
	if strings.Contains(hostile, "<script") {
		t.Errorf("the form has a script:\n%s", hostile)
	}

	// The cookie gives the role until it is old, or the token changes.
	for token, role := range map[string]Role{"operator's secret": Operator, "viewer's secret": Viewer} {
		cookie := signIn(token, "").Result().Cookies()[0]
		if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || strings.Contains(cookie.Value, "secret") {
			t.Errorf("cookie %v", cookie)
		}
		with := []string{"Cookie", cookieName + "=" + cookie.Value}
		if answer := ask(guard, "GET", "/api/v1/jobs", "", with...); answer.Body.String() != string(role) {
			t.Errorf("%s: %d %q", role, answer.Code, answer.Body)
		}

		changed := guard
		changed.Token, changed.ViewerToken = "new", "new too"
		old := guard
		old.Now = func() time.Time { return now.Add(sessionTime) }
		for name, guard := range map[string]Guard{"changed": changed, "old": old} {
			if answer := ask(guard, "GET", "/api/v1/jobs", "", with...); answer.Code != 401 {
				t.Errorf("%s, %s: %d", role, name, answer.Code)
			}
		}
		forged := strings.Replace(cookie.Value, string(role)+".", string(Operator)+".9", 1)
		if answer := ask(guard, "GET", "/api/v1/jobs", "", "Cookie", cookieName+"="+forged); answer.Code != 401 {
			t.Errorf("%s, forged: %d", role, answer.Code)
		}
	}
	if cookie := ask(guard, "POST", signOutPath, "").Result().Cookies()[0]; cookie.MaxAge >= 0 {
		t.Errorf("signing out leaves %v", cookie)
	}
}

// TestOtherSites checks that other sites cannot act, nor read the API.
func TestOtherSites(t *testing.T) {
	guard := Guard{Listen: "127.0.0.1:1"}
	for _, test := range []struct {
		method, path, name, value string
		want                      int
	}{
		{"POST", "/api/v1/jobs", "Sec-Fetch-Site", "cross-site", 403},
		{"POST", "/api/v1/jobs", "Sec-Fetch-Site", "same-site", 403},
		{"POST", "/api/v1/jobs", "Sec-Fetch-Site", "same-origin", 200},
		{"POST", "/api/v1/jobs", "Origin", "https://evil.example", 403},
		{"POST", "/api/v1/jobs", "Origin", "null", 403},
		{"POST", "/api/v1/jobs", "Origin", "http://127.0.0.1", 200},
		{"POST", signInPath, "Sec-Fetch-Site", "cross-site", 403},
		{"GET", "/api/v1/jobs", "Sec-Fetch-Site", "cross-site", 403},
		{"GET", "/api/v1/jobs", "Sec-Fetch-Site", "none", 200},
		{"GET", "/", "Sec-Fetch-Site", "cross-site", 200},
		{"GET", "/api/v1/jobs", "Host", "", 200},
	} {
		if answer := ask(guard, test.method, test.path, "", test.name, test.value); answer.Code != test.want {
			t.Errorf("%s %s with %s %q: %d, want %d", test.method, test.path, test.name, test.value, answer.Code, test.want)
		}
	}

	// A name that leads to this machine (DNS rebinding).
	request := httptest.NewRequest("GET", "http://evil.example/api/v1/jobs", nil)
	answer := httptest.NewRecorder()
	guard.Wrap(http.NotFoundHandler()).ServeHTTP(answer, request)
	if answer.Code != http.StatusMisdirectedRequest {
		t.Errorf("rebinding: %d", answer.Code)
	}
}

// TestSecretsAreComparedInConstantTime fails for a comparison of a secret by an operator.
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	for _, name := range []string{"guard.go", "session.go", "signin.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			compares := strings.Contains(line, "==") || strings.Contains(line, "!=")
			empty := strings.Contains(line, `== ""`) || strings.Contains(line, `!= ""`)
			secret := strings.Contains(line, "Token") || strings.Contains(line, "sent") || strings.Contains(line, "secret")
			if compares && secret && !empty {
				t.Errorf("%s: %s", name, line)
			}
		}
	}
}
