package revisions

import (
	"iter"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"
)

// Period is a time during which one state of a file was in effect in a
// repository.
type Period struct {
	Revision string // the change that made it so, 40 hexadecimal digits
	Version  string // the product's version then, such as "29.0a2"; "" for definitions
	// From is inclusive, Until exclusive, both in UTC and whole seconds. Until is
	// zero for what is still in effect. They are the same for a change that was
	// overtaken before anybody could see it.
	From, Until time.Time
}

// RepoHistory is what happened in one repository, oldest first.
type RepoHistory struct {
	Definitions []Period // of Histograms.json
	Versions    []Period // of the product
}

// History says which definitions were in effect when. It is immutable and safe
// for concurrent use; the zero History knows nothing.
type History struct {
	repos map[string]RepoHistory
}

// Repos returns the repositories and what happened there, ordered by name. The
// caller must not change the slices.
func (h *History) Repos() iter.Seq2[string, RepoHistory] {
	return func(yield func(string, RepoHistory) bool) {
		for _, name := range slices.Sorted(maps.Keys(h.repos)) {
			if !yield(name, h.repos[name]) {
				return
			}
		}
	}
}

// Repo returns what happened in one repository; nothing for an unknown one.
func (h *History) Repo(name string) RepoHistory { return h.repos[name] }

// with returns a History in which r takes the place of what was known of a
// repository.
func (h *History) with(name string, r RepoHistory) *History {
	repos := maps.Clone(h.repos)
	if repos == nil {
		repos = map[string]RepoHistory{}
	}
	repos[name] = r
	return &History{repos}
}

// channels are the release channels and the repositories that their builds come
// from, in the order in which changes go through them.
var channels = []struct{ name, repo string }{
	{"nightly", "mozilla-central"},
	{"aurora", "releases/mozilla-aurora"},
	{"beta", "releases/mozilla-beta"},
	{"release", "releases/mozilla-release"},
}

// ChannelRepos returns the repositories of the release channels.
func ChannelRepos() (repos []string) {
	for _, c := range channels {
		repos = append(repos, c.repo)
	}
	return repos
}

// RepoOfChannel returns the repository that a channel's builds come from. A
// partner's build ("release-cck-partner") comes from the same one; "" for an
// unknown channel.
func RepoOfChannel(channel string) string {
	channel, _, _ = strings.Cut(channel, "-cck-")
	for _, c := range channels {
		if c.name == channel {
			return c.repo
		}
	}
	return ""
}

// repoOfVersion returns the repository that a version's suffix tells of.
func repoOfVersion(version string) string {
	switch {
	case strings.HasSuffix(version, "a1"):
		return RepoOfChannel("nightly")
	case strings.HasSuffix(version, "a2"):
		return RepoOfChannel("aurora")
	}
	return RepoOfChannel("release")
}

// By what Find found a revision.
const (
	ByBuildID        = "channel+buildID"
	ByChannelVersion = "channel+version"
	ByVersion        = "version"
)

// Find returns the revision whose definitions a build most likely had. These
// are tried, in this order:
//
//  1. ByBuildID: the revision in effect in the channel's repository at the build
//     ID's time, which is taken as UTC.
//  2. ByChannelVersion: if the build ID is no time, or one before the first
//     change, the last revision while that repository had this version; else
//     while it had the same major version.
//  3. ByVersion: if the channel is unknown, the same in the repository that the
//     version tells of: central for "29.0a1", aurora for "29.0a2", else release.
//
// The Ref has 12 digits, as those of browsers.
func (h *History) Find(channel, buildID, version string) (ref Ref, by string, ok bool) {
	repo := RepoOfChannel(channel)
	if repo == "" {
		ref, ok = h.OfVersion(repoOfVersion(version), version)
		return ref, ByVersion, ok
	}
	if t, isTime := BuildTime(buildID); isTime {
		if ref, ok = h.At(repo, t); ok {
			return ref, ByBuildID, true
		}
	}
	ref, ok = h.OfVersion(repo, version)
	return ref, ByChannelVersion, ok
}

// BuildTime returns the time that a build ID is, YYYYMMDDhhmmss or only the first
// eight or more digits of that, as UTC.
func BuildTime(id string) (t time.Time, ok bool) {
	const form = "20060102150405"
	if len(id) < len("20060102") || len(id) > len(form) || len(id)%2 != 0 || strings.Trim(id, "0123456789") != "" {
		return time.Time{}, false
	}
	t, err := time.Parse(form[:len(id)], id)
	return t, err == nil
}

// At returns the revision whose definitions were in effect in a repository.
func (h *History) At(repo string, t time.Time) (ref Ref, ok bool) {
	d := h.repos[repo].Definitions
	// Where several begin at once, the last one overtook the others.
	n := sort.Search(len(d), func(i int) bool { return d[i].From.After(t) })
	if n == 0 {
		return Ref{}, false
	}
	return Ref{Repo: repo, Revision: d[n-1].Revision[:shortDigits]}, true
}

// shortDigits is how many digits of a revision browsers send.
const shortDigits = 12

// OfVersion returns the last revision whose definitions were in effect while a
// repository had this version, or else one with the same major version.
func (h *History) OfVersion(repo, version string) (ref Ref, ok bool) {
	var found *Period
	major := func(v string) string { m, _, _ := strings.Cut(v, "."); return m }
	vs := h.repos[repo].Versions
	for i := range vs {
		exact := vs[i].Version == version
		if exact || (found == nil || found.Version != version) && version != "" && major(vs[i].Version) == major(version) {
			found = &vs[i]
		}
	}
	switch {
	case found == nil:
		return Ref{}, false
	case found.Until.IsZero():
		return h.At(repo, time.Unix(1<<40, 0))
	}
	return h.At(repo, found.Until.Add(-time.Second))
}
