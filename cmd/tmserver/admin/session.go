package admin

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// cookieName is the cookie of who has signed in.
	cookieName = "tmserver_session"
	// sessionTime is how long signing in lasts.
	sessionTime = 12 * time.Hour
)

// secret returns the token of a role.
func (g Guard) secret(role Role) string {
	switch role {
	case Operator:
		return g.Token
	case Viewer:
		return g.ViewerToken
	}
	return ""
}

// session returns the value of the cookie: "role.end.signature". It holds no token, and
// ends with the time in it, or when the token changes.
func (g Guard) session(role Role) string {
	text := string(role) + "." + strconv.FormatInt(g.Now().Add(sessionTime).Unix(), 10)
	return text + "." + sign(g.secret(role), text)
}

// sign returns the signature of a session with that text.
func sign(secret, text string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("tmserver session " + text))
	return hex.EncodeToString(mac.Sum(nil))
}

// roleOfSession returns the role that a cookie gives.
func (g Guard) roleOfSession(value string) Role {
	parts := strings.Split(value, ".")
	if len(parts) != 3 {
		return Nobody
	}

	// The cookie is role, end in Unix seconds and signature; a wrong or old one gives no role.
	role := Role(parts[0])
	secret := g.secret(role)
	valid := hmac.Equal([]byte(sign(secret, parts[0]+"."+parts[1])), []byte(parts[2]))

	end, err := strconv.ParseInt(parts[1], 10, 64)
	if secret == "" || !valid || err != nil || g.Now().Unix() >= end {
		return Nobody
	}
	return role
}

// setSession makes the browser send a cookie with that value; "" deletes the cookie.
func setSession(w http.ResponseWriter, r *http.Request, value string) {
	cookie := &http.Cookie{
		Name:     cookieName,
		Value:    value,
		Path:     "/",
		MaxAge:   int(sessionTime / time.Second),
		HttpOnly: true,
		Secure:   r.TLS != nil,
		SameSite: http.SameSiteStrictMode,
	}

	// A negative age makes the browser delete it.
	if value == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(w, cookie)
}

// roleKey is the key of the role in a request's context.
type roleKey struct{}

func withRole(ctx context.Context, role Role) context.Context {
	return context.WithValue(ctx, roleKey{}, role)
}

// RoleOf returns the role of a request that a Guard has let through.
func RoleOf(ctx context.Context) Role {
	role, _ := ctx.Value(roleKey{}).(Role)
	return role
}
