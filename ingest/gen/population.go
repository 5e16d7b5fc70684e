package gen

import (
	"math/rand/v2"

	"github.com/aitgithub/telemetry-server/layout/schema"
)

// browser is one installation in one session, with its machine.
type browser struct {
	reason, app, channel, version, build string
	revisionURL                          string
	os, osVersion, arch                  string
	locale                               string
	addons                               []addon
}

// share is one alternative of a draw.
type share[T any] struct {
	weight int
	value  T
}

// draw picks one alternative by weight.
func draw[T any](rng *rand.Rand, of []share[T]) T {
	total := 0
	for i := range of {
		total += of[i].weight
	}

	left := rng.IntN(total)
	for i := range of {
		left -= of[i].weight
		if left < 0 {
			return of[i].value
		}
	}

	panic("unreachable")
}

// channel is a release channel with the builds in use. The revisions do not
// exist in any repository; their definitions are Definitions.
type channel struct {
	name, revisionURL string
	weight            int
	builds            []share[build]
}

type build struct{ version, id string }

var channels = []channel{
	{"release", "http://hg.mozilla.org/releases/mozilla-release/rev/7e1e00000027", 45, []share[build]{
		{80, build{"27.0", "20140127194636"}}, {20, build{"26.0", "20131205075310"}}}},
	{"beta", "http://hg.mozilla.org/releases/mozilla-beta/rev/7e1e00000028", 20, []share[build]{
		{60, build{"28.0", "20140203140000"}}, {40, build{"28.0", "20140206150000"}}}},
	{"aurora", "http://hg.mozilla.org/releases/mozilla-aurora/rev/7e1e00000029", 12, []share[build]{
		{50, build{"29.0a2", "20140203004002"}}, {50, build{"29.0a2", "20140206004002"}}}},
	{"nightly", "http://hg.mozilla.org/mozilla-central/rev/7e1e00000030", 20, []share[build]{
		{35, build{"30.0a1", "20140203030204"}}, {35, build{"30.0a1", "20140205030204"}}, {30, build{"30.0a1", "20140207030204"}}}},
	// Not in the default schema, so it is stored as OTHER.
	{"esr", "http://hg.mozilla.org/releases/mozilla-esr24/rev/7e1e00000024", 3, []share[build]{
		{100, build{"24.3.0", "20140128190501"}}}},
}

var (
	channelShares = func() (s []share[*channel]) {
		for i := range channels {
			s = append(s, share[*channel]{channels[i].weight, &channels[i]})
		}
		return s
	}()
	reasons = []share[string]{{7, "saved-session"}, {3, "idle-daily"}}
	apps    = []share[string]{{93, "Firefox"}, {5, "Fennec"}, {2, "Thunderbird"}}
	systems = []share[[3]string]{
		{45, [3]string{"WINNT", "6.1", "x86"}}, {13, [3]string{"WINNT", "6.1", "x86-64"}}, {12, [3]string{"WINNT", "5.1", "x86"}},
		{9, [3]string{"WINNT", "6.3", "x86"}}, {6, [3]string{"WINNT", "6.2", "x86"}},
		{8, [3]string{"Darwin", "13.0.0", "x86-64"}}, {7, [3]string{"Linux", "3.11.0-15-generic", "x86-64"}},
	}
	locales = []share[string]{
		{42, "en-US"}, {9, "de"}, {8, "fr"}, {7, "es-ES"}, {6, "ru"}, {6, "pl"}, {5, "pt-BR"}, {5, "ja"}, {4, "it"}, {3, "zh-CN"}, {3, "nl"}, {2, "cs"},
	}
	graphics = []share[[4]string]{
		{40, [4]string{"Intel(R) HD Graphics 4000", "0x8086", "0x0166", "9.17.10.2932"}},
		{30, [4]string{"NVIDIA GeForce GTX 660", "0x10de", "0x11c0", "9.18.13.3221"}},
		{20, [4]string{"AMD Radeon™ HD 7700 Series", "0x1002", "0x683d", "13.152.0.0"}},
		{10, [4]string{"Mobile Intel® 4 Series Express Chipset Family", "0x8086", "0x2a42", "8.15.10.2702"}},
	}
	flashVersions = []share[string]{{45, "12.0.0.43"}, {25, "11.9.900.170"}, {12, "11.7.700.224"}, {8, "12.0.0.44"}, {10, ""}}
)

// addon is an installed extension; ids may need escaping in info.addons.
type addon struct{ id, escaped, version, name string }

var knownAddons = []addon{
	{"{972ce4c6-7e08-4474-a285-3208198ce6fd}", "%7B972ce4c6-7e08-4474-a285-3208198ce6fd%7D", "27.0", "Default"},
	{"blocker@example.org", "blocker%40example.org", "2.4.1", "Ad Stopper"},
	{"notes@example.org", "notes%40example.org", "1.0", "Zápisník"},
	{"weather@example.com", "weather%40example.com", "0.9.12", "Weather Bar"},
	{"jid1-7e1eme7ry@jetpack", "jid1-7e1eme7ry%40jetpack", "3.1", "Tab Piler"},
	{"{7e1e7e1e-0000-4000-8000-00000000cafe}", "%7B7e1e7e1e-0000-4000-8000-00000000cafe%7D", "5.5", "Dictionary of Everything"},
}

// browser draws a browser that submits on date, which is not before Start: its
// build is not of a later day.
func (g *Generator) browser(date schema.Date) browser {
	rng := g.rng
	from := draw(rng, channelShares)
	build := draw(rng, from.builds)
	for build.id[:len(date)] > string(date) {
		build = draw(rng, from.builds)
	}

	drawn := browser{
		reason: draw(rng, reasons), app: draw(rng, apps), channel: from.name, version: build.version, build: build.id,
		revisionURL: from.revisionURL, locale: draw(rng, locales), addons: knownAddons[:1],
	}

	// Fennec is Firefox for Android.
	if drawn.app == "Fennec" {
		drawn.os, drawn.osVersion, drawn.arch = "Android", "17", "arm"
	} else {
		system := draw(rng, systems)
		drawn.os, drawn.osVersion, drawn.arch = system[0], system[1], system[2]
	}

	// Few browsers have many add-ons; without any, the default theme is one.
	count := min(g.logNormal(1, 2.5), len(knownAddons)-1)
	if count > 0 {
		first := 1 + rng.IntN(len(knownAddons)-count)
		drawn.addons = knownAddons[first : first+count]
	}

	return drawn
}
