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
	// zero for what is still in effect. They are the same for a change that another
	// one replaced at once.
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

// with returns a copy of h in which r is the history of the repository.
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

// repoOfVersion returns the repository that a version's suffix stands for.
func repoOfVersion(version string) string {
	switch {
	case strings.HasSuffix(version, "a1"):
		return RepoOfChannel("nightly")
	case strings.HasSuffix(version, "a2"):
		return RepoOfChannel("aurora")
	}
	return RepoOfChannel("release")
}

// How Find found a revision.
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
//  2. ByChannelVersion: if the build ID is not a time, or one before the first
//     change, the last revision while that repository had this version, or else
//     while it had the same major version.
//  3. ByVersion: if the channel is unknown, the same in the repository that the
//     version's suffix stands for: central for "29.0a1", aurora for "29.0a2", else
//     release.
//
// The Ref has 12 digits, as browsers send them.
func (h *History) Find(channel, buildID, version string) (ref Ref, by string, ok bool) {
	repo := RepoOfChannel(channel)
	if repo == "" {
		ref, ok = h.ofVersion(repoOfVersion(version), version)
		return ref, ByVersion, ok
	}

	// A build was made from the newest definitions of its time.
	if t, isTime := buildTime(buildID); isTime {
		if ref, ok = h.at(repo, t); ok {
			return ref, ByBuildID, true
		}
	}

	ref, ok = h.ofVersion(repo, version)
	return ref, ByChannelVersion, ok
}

// buildIDForm is the form of a build ID for package time: YYYYMMDDhhmmss.
const buildIDForm = "20060102150405"

// minBuildIDBytes is the length of a build ID that has only the day.
const minBuildIDBytes = len("YYYYMMDD")

// buildTime returns the time that a build ID stands for in UTC. Digits of the time
// of day may be missing.
func buildTime(id string) (t time.Time, ok bool) {
	if len(id) < minBuildIDBytes || len(id) > len(buildIDForm) || len(id)%2 != 0 || strings.Trim(id, "0123456789") != "" {
		return time.Time{}, false
	}
	t, err := time.Parse(buildIDForm[:len(id)], id)
	return t, err == nil
}

// at returns the revision whose definitions were in effect in a repository.
func (h *History) at(repo string, t time.Time) (ref Ref, ok bool) {
	definitions := h.repos[repo].Definitions

	// Where several begin at once, the last one replaced the others.
	n := sort.Search(len(definitions), func(i int) bool { return definitions[i].From.After(t) })
	if n == 0 {
		return Ref{}, false
	}
	return Ref{Repo: repo, Revision: definitions[n-1].Revision[:minDigits]}, true
}

// ofVersion returns the last revision whose definitions were in effect while a
// repository had this version, or else one with the same major version.
func (h *History) ofVersion(repo, version string) (ref Ref, ok bool) {
	var found *Period
	// The last exact match wins, and any exact match wins over the same major version.
	versions := h.repos[repo].Versions
	for i := range versions {
		p := &versions[i]
		onlyMajorFound := found == nil || found.Version != version
		if p.Version == version || onlyMajorFound && version != "" && majorOf(p.Version) == majorOf(version) {
			found = p
		}
	}

	switch {
	case found == nil:
		return Ref{}, false
	case found.Until.IsZero(): // still the version: the newest definitions
		return h.at(repo, time.Unix(maxSeconds, 0))
	}

	return h.at(repo, found.Until.Add(-time.Second))
}

// majorOf returns the major version: "29" of "29.0a1".
func majorOf(version string) string {
	major, _, _ := strings.Cut(version, ".")
	return major
}
