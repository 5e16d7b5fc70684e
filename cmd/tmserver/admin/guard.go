package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Guard says who may use the admin address.
type Guard struct {
	Token       string // of operators; "": no token is needed, because only this machine reaches the address
	ViewerToken string // of people who may only read; "": there are none
	Listen      string // the address, whose host is one of the server's names
	Now         func() time.Time
}

// Role is what a request may do.
type Role string

// The roles.
const (
	Nobody   Role = ""
	Viewer   Role = "viewer"   // may read
	Operator Role = "operator" // may do everything
)

// apiPrefix begins the paths of the API.
const apiPrefix = "/api/v1/"

// operatorPaths begin the paths that viewers may not read: a profile shows the command
// line, which may hold a token.
var operatorPaths = []string{"/debug/"}

// Wrap returns a handler that lets those requests through to next that may pass. Next sees
// their role with RoleOf.
func (g Guard) Wrap(next http.Handler) http.Handler {
	// Signing in needs no role, all else does.
	mux := http.NewServeMux()
	g.registerSignIn(mux)
	mux.Handle("/", g.requireRole(next))

	handler := sameOrigin(mux)

	// Without a token, any page whose name leads to this machine could send requests.
	if g.Token == "" {
		handler = requireHost(g.Listen, handler)
	}
	return setHeaders(handler)
}

// sameOrigin refuses requests that another site has a browser make: those that act, and
// all of the API.
func sameOrigin(next http.Handler) http.Handler {
	protected := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Only browsers send this header, and scripts cannot set it.
		site := r.Header.Get("Sec-Fetch-Site")
		if strings.HasPrefix(r.URL.Path, apiPrefix) && site != "" && site != "same-origin" && site != "none" {
			http.Error(w, "a request of another site", http.StatusForbidden)
			return
		}
		protected.ServeHTTP(w, r)
	})
}

// requireRole lets requests through whose role suffices.
func (g Guard) requireRole(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		role := g.roleOf(r)
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead

		// Some paths are for operators even to read.
		for _, prefix := range operatorPaths {
			reads = reads && !strings.HasPrefix(r.URL.Path, prefix)
		}

		switch {
		case role == Nobody && isNavigation(r):
			http.Redirect(w, r, signInPath+"?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		case role == Nobody:
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "a bearer token is needed", http.StatusUnauthorized)
		case role == Viewer && !reads:
			http.Error(w, "viewers may only read; an operator's token is needed", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r.WithContext(withRole(r.Context(), role)))
		}
	})
}

// isNavigation reports whether a person opens a page, who can be asked to sign in.
func isNavigation(r *http.Request) bool {
	return r.Method == http.MethodGet && !strings.HasPrefix(r.URL.Path, apiPrefix) &&
		strings.Contains(r.Header.Get("Accept"), "text/html")
}

// roleOf returns the role of a request, by its bearer token or its cookie.
func (g Guard) roleOf(r *http.Request) Role {
	if g.Token == "" {
		return Operator
	}

	// Programs send a bearer token, browsers a cookie.
	if sent, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return g.roleOfToken(sent)
	}

	if cookie, err := r.Cookie(cookieName); err == nil {
		return g.roleOfSession(cookie.Value)
	}
	return Nobody
}

// roleOfToken returns the role that a token gives.
func (g Guard) roleOfToken(sent string) Role {
	// Both are always compared, so that an answer's delay says nothing.
	operator := equal(sent, g.Token)
	viewer := equal(sent, g.ViewerToken)

	switch {
	case operator && g.Token != "":
		return Operator
	case viewer && g.ViewerToken != "":
		return Viewer
	}
	return Nobody
}

// equal compares secrets in constant time, whatever their lengths are: an answer's delay
// must not tell how much of a guess was right.
func equal(a, b string) bool {
	first := sha256.Sum256([]byte(a))
	second := sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(first[:], second[:]) == 1
}
