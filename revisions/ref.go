package revisions

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrInvalidURL is returned (wrapped) for a revision URL that names no revision
// that we may request.
//
//lint:ignore ST1005 the predecessor's words, which its tools match
var ErrInvalidURL = errors.New("Invalid revision URL")

// URLError is the ErrInvalidURL of ParseURL. It reads "Invalid revision URL: <url>".
type URLError struct{ URL string }

func (e *URLError) Error() string { return ErrInvalidURL.Error() + ": " + e.URL }
func (e *URLError) Unwrap() error { return ErrInvalidURL }

// NoRepository says whether the URL is the one that browsers send whose build did
// not know its repository.
func (e *URLError) NoRepository() bool { return e.URL == "/rev/" }

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
// not part of the Ref, as definitions come from the configured server; if hosts
// are given, the URL's must be one of them. Errors are a *URLError.
func ParseURL(url string, hosts ...string) (Ref, error) {
	rest, ok := strings.CutPrefix(url, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(url, "http://")
	}
	if !ok {
		return Ref{}, &URLError{url}
	}

	// Host names have no case.
	host, path, ok := strings.Cut(rest, "/")
	isHost := func(h string) bool { return strings.EqualFold(h, host) }
	if !ok || host == "" || len(hosts) > 0 && !slices.ContainsFunc(hosts, isHost) {
		return Ref{}, &URLError{url}
	}

	// A repository's path may itself hold "/rev/": the last one counts.
	path = strings.TrimSuffix(path, "/")
	i := strings.LastIndex(path, "/rev/")
	if i < 0 {
		return Ref{}, &URLError{url}
	}

	ref, err := NewRef(path[:i], path[i+len("/rev/"):])
	if err != nil {
		return Ref{}, &URLError{url}
	}

	return ref, nil
}

const (
	// minDigits is how many digits a revision has at least: fewer could be a local
	// revision number. Browsers send that many.
	minDigits = 12
	// maxDigits is how many digits a whole revision has.
	maxDigits = 40
	// maxRepoBytes bounds a repository path; real ones have some thirty bytes.
	maxRepoBytes = 200
)

// NewRef checks the parts of a Ref. The repository is a path of components of
// [A-Za-z0-9._-] that do not begin with "." or "-". The revision has 12 to 40
// digits. All f and all 0 are not allowed: Mercurial means its working copy and
// the empty revision by them. Errors wrap ErrInvalidURL.
func NewRef(repo, revision string) (Ref, error) {
	invalid := func(what string) (Ref, error) {
		return Ref{}, fmt.Errorf("%w: %s %.60q of repository %.60q", ErrInvalidURL, what, revision, repo)
	}

	if len(revision) < minDigits || len(revision) > maxDigits || strings.Trim(revision, "0123456789abcdef") != "" {
		return invalid("revision")
	}
	// These are Mercurial's names for its working copy and for no revision at all.
	if strings.Trim(revision, "f") == "" || strings.Trim(revision, "0") == "" {
		return invalid("reserved revision")
	}
	if repo == "" || len(repo) > maxRepoBytes {
		return invalid("revision")
	}

	// The path becomes part of a URL and of a file's name.
	for part := range strings.SplitSeq(repo, "/") {
		if !isPathPart(part) {
			return invalid("revision")
		}
	}

	return Ref{Repo: repo, Revision: revision}, nil
}

// isPathPart says whether part may be a component of a repository's path. The
// rules keep it from leaving its folder and from being taken for an option.
func isPathPart(part string) bool {
	if part == "" || part[0] == '.' || part[0] == '-' {
		return false
	}

	for i := range len(part) {
		c := part[i]
		if !(c|0x20 >= 'a' && c|0x20 <= 'z' || c-'0' <= 9 || c == '.' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}
