package revisions

import (
	"errors"
	"fmt"
	"strings"
)

// ErrInvalidURL is returned (wrapped) for a revision URL that names no revision
// we may ask for.
//
//lint:ignore ST1005 the predecessor's words, which its tools match
var ErrInvalidURL = errors.New("Invalid revision URL")

// Ref names one revision of one repository, such as
// {"releases/mozilla-release", "a55c55edf302"}. Only ParseURL and NewRef make
// valid ones: both parts are safe in paths and URLs.
type Ref struct {
	Repo     string // path of the repository below the server's root, no leading "/"
	Revision string // 12 to 40 lower-case hexadecimal digits
}

func (r Ref) String() string { return r.Repo + "/rev/" + r.Revision }

// URL returns the revision URL as browsers send it.
func (r Ref) URL() string { return "https://" + DefaultHost + "/" + r.String() }

// DefaultHost is the Mercurial server that browsers name in info.revision.
const DefaultHost = "hg.mozilla.org"

// ParseURL reads http[s]://<host>/<repo path>/rev/<hex digits>[/]. The host is
// not part of the Ref, as definitions come from the configured server; with
// hosts given, the URL's must be one of them. Errors wrap ErrInvalidURL and read
// "Invalid revision URL: <url>".
func ParseURL(url string, hosts ...string) (Ref, error) {
	invalid := fmt.Errorf("%w: %s", ErrInvalidURL, url)
	rest, ok := strings.CutPrefix(url, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(url, "http://"); !ok {
			return Ref{}, invalid
		}
	}
	host, path, ok := strings.Cut(rest, "/")
	if !ok || host == "" || len(hosts) > 0 && !contains(hosts, host) {
		return Ref{}, invalid
	}
	path = strings.TrimSuffix(path, "/")
	i := strings.LastIndex(path, "/rev/")
	if i < 0 {
		return Ref{}, invalid
	}
	ref, err := NewRef(path[:i], path[i+len("/rev/"):])
	if err != nil {
		return Ref{}, invalid
	}
	return ref, nil
}

func contains(hosts []string, host string) bool {
	for _, h := range hosts {
		if strings.EqualFold(h, host) {
			return true
		}
	}
	return false
}

// maxRepo bounds a repository path; real ones have some thirty bytes.
const maxRepo = 200

// NewRef checks the parts of a Ref. The repository is a path of components of
// [A-Za-z0-9._-] that do not begin with "." or "-". The revision has 12 to 40
// digits: fewer could be a local revision number, and f only is the server's
// working copy. Errors wrap ErrInvalidURL.
func NewRef(repo, revision string) (Ref, error) {
	bad := func(what string) (Ref, error) {
		return Ref{}, fmt.Errorf("%w: %s %.60q of repository %.60q", ErrInvalidURL, what, revision, repo)
	}
	if len(revision) < 12 || len(revision) > 40 || strings.Trim(revision, "0123456789abcdef") != "" {
		return bad("revision")
	}
	if strings.Trim(revision, "f") == "" || strings.Trim(revision, "0") == "" {
		return bad("reserved revision")
	}
	if repo == "" || len(repo) > maxRepo {
		return bad("revision")
	}
	for part := range strings.SplitSeq(repo, "/") {
		if part == "" || part[0] == '.' || part[0] == '-' {
			return bad("revision")
		}
		for i := range len(part) {
			if c := part[i]; !(c|0x20 >= 'a' && c|0x20 <= 'z' || c-'0' <= 9 || c == '.' || c == '_' || c == '-') {
				return bad("revision")
			}
		}
	}
	return Ref{Repo: repo, Revision: revision}, nil
}
