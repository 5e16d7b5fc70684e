package admin

import (
	_ "embed"
	"html/template"
	"net/http"
	"strings"
)

// Paths of signing in and out.
const (
	signInPath  = "/sign-in"
	signOutPath = "/sign-out"
	stylePath   = "/sign-in.css"
)

// maxFormBytes bounds the form's body.
const maxFormBytes = 16 << 10

var (
	//go:embed signin.html
	signInText string
	//go:embed signin.css
	signInStyle string

	signInPage = template.Must(template.New("sign-in").Parse(signInText))
)

// registerSignIn adds what is answered without a role.
func (g Guard) registerSignIn(mux *http.ServeMux) {
	mux.HandleFunc("GET "+signInPath, func(w http.ResponseWriter, r *http.Request) {
		writeSignIn(w, http.StatusOK, r.URL.Query().Get("next"), "")
	})

	// The form's style has a path of its own, because the pages' style needs a role.
	mux.HandleFunc("GET "+stylePath, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		w.Write([]byte(signInStyle))
	})

	mux.HandleFunc("POST "+signInPath, g.signIn)
	mux.HandleFunc("POST "+signOutPath, func(w http.ResponseWriter, r *http.Request) {
		setSession(w, r, "")
		http.Redirect(w, r, signInPath, http.StatusSeeOther)
	})
}

// signIn answers the form, whose token is in the body, so that no log has it.
func (g Guard) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "not the form of this page", http.StatusBadRequest)
		return
	}

	next := r.PostForm.Get("next")
	role := g.roleOfToken(r.PostForm.Get("token"))
	if role == Nobody && g.Token != "" {
		writeSignIn(w, http.StatusUnauthorized, next, "This is not a token of this server.")
		return
	}

	// Without a token every request has the operator's role, and needs no session.
	if role != Nobody {
		setSession(w, r, g.session(role))
	}

	http.Redirect(w, r, localPath(next), http.StatusSeeOther)
}

// localPath returns a path of this server: next, unless it leads elsewhere.
func localPath(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") || strings.HasPrefix(next, signInPath) {
		return "/"
	}
	return next
}

// writeSignIn writes the form.
func writeSignIn(w http.ResponseWriter, code int, next, problem string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	signInPage.Execute(w, map[string]string{"Next": localPath(next), "Problem": problem})
}
