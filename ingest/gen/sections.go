package gen

// The parts of a ping beside its histograms.

import (
	"strconv"
	"strings"
)

func (g *Generator) simpleMeasurements(o *object, b *browser) {
	// The times of the start ascend: each is some while after the one before.
	start := g.logNormal(60, 2)
	at := start
	next := func(mid float64) int { at += g.logNormal(mid, 2); return at }
	o.begin("simpleMeasurements")
	o.int("uptime", g.logNormal(90, 4)) // minutes
	o.raw("addonManager", `{"installedUnpacked":1}`)
	o.int("start", start)
	o.int("main", next(200))
	o.int("startupCrashDetectionBegin", next(80))
	o.int("startupCrashDetectionEnd", at+30000+g.rng.IntN(9000))
	o.int("createTopLevelWindow", next(500))
	o.int("firstPaint", next(1500))
	o.int("firstLoadURI", at)
	o.int("sessionRestoreInitialized", next(40))
	o.int("delayedStartupStarted", next(20))
	o.int("delayedStartupFinished", next(60))
	o.int("sessionRestored", next(300))
	o.int("startupInterrupted", 0)
	o.int("debuggerAttached", 0)
	o.begin("js")
	o.int("setProto", g.rng.IntN(20))
	o.int("customIter", g.rng.IntN(40))
	o.end()
	o.int("maximalNumberOfConcurrentThreads", 25+g.rng.IntN(50))
	if b.reason == "saved-session" {
		o.int("shutdownDuration", g.logNormal(900, 2))
	}

	// More is read until the window is visible than until the session is restored.
	read := g.logNormal(2e7, 1.6)
	o.int("startupSessionRestoreReadBytes", read)
	o.int("startupSessionRestoreWriteBytes", g.logNormal(4e4, 2))
	o.int("startupWindowVisibleReadBytes", read+g.rng.IntN(100000))
	o.int("startupWindowVisibleWriteBytes", g.logNormal(5e4, 2))
	o.int("savedPings", g.rng.IntN(4))
	o.end()
}

var statements = [...]string{
	"SELECT COUNT(1) AS logins FROM moz_logins WHERE (hostname = :hostname) /* signons.sqlite */",
	"UPDATE moz_places SET frecency = CALCULATE_FRECENCY(id) WHERE frecency < 0 /* places.sqlite */",
	"UPDATE moz_places SET frecency = ROUND(frecency * .975) WHERE frecency > 0 /* places.sqlite */",
	"SELECT 1 FROM moz_places h WHERE url = ?1 AND last_visit_date NOTNULL /* places.sqlite */",
	"SELECT key, value FROM webappsstore2 WHERE scope = :scope ORDER BY key LIMIT -1 OFFSET :offset /* webappsstore.sqlite */",
	"DELETE FROM daily_counters WHERE day < :days /* healthreport.sqlite */",
	"PRAGMA wal_checkpoint /* cookies.sqlite */",
	"COMMIT TRANSACTION /* places.sqlite */",
	"SELECT name FROM notes WHERE owner = 'someone' AND age > 41 /* addon.sqlite */",
	"Untracked SQL for addons.sqlite",
}

func (g *Generator) slowSQL(o *object) {
	// Each thread has some statements in a row, each with its calls and milliseconds.
	thread := func(name string, mid float64) {
		o.begin(name)
		from := g.rng.IntN(len(statements))
		for i := range min(g.logNormal(mid, 2), len(statements)) {
			o.key(statements[(from+i)%len(statements)])
			times := 1 + g.logNormal(1, 2.5)
			o.ints(times, times*(100+g.logNormal(150, 2)))
		}
		o.end()
	}

	o.begin("slowSQL")
	thread("mainThread", 0.8)
	thread("otherThreads", 2.5)
	o.end()
}

func (g *Generator) chromeHangs(o *object) {
	// Nearly all sessions have no hang.
	if !g.chance(0.05) {
		o.raw("chromeHangs", `{"memoryMap":[],"stacks":[],"durations":[]}`)
		return
	}

	o.begin("chromeHangs")
	o.raw("memoryMap", `[["xul.pdb","7E1E0000000000000000000000000030A"],["user32.pdb","7E1E000000000000000000000000000B2"],["ntdll.pdb","7E1E000000000000000000000000000C1"]]`)
	// A stack is pairs of a module in memoryMap and an offset in it.
	hangs := 1 + g.rng.IntN(3)
	o.raw("stacks", "[")
	for i := range hangs {
		if i > 0 {
			o.buf = append(o.buf, ',')
		}

		o.buf = append(o.buf, '[')
		for j := range 4 + g.rng.IntN(12) {
			if j > 0 {
				o.buf = append(o.buf, ',')
			}
			o.ints(g.rng.IntN(3), g.rng.IntN(1<<24))
		}

		o.buf = append(o.buf, ']')
	}

	o.buf = append(o.buf, ']')
	o.key("durations")
	// One duration for each stack, in seconds.
	durations := make([]int, hangs)
	for i := range durations {
		durations[i] = 5 + g.rng.IntN(20)
	}

	o.ints(durations...)
	o.end()
}

var profileFiles = [...]string{
	"{profile}/places.sqlite", "{profile}/places.sqlite-wal", "{profile}/cookies.sqlite", "{profile}/sessionstore.js",
	"{profile}/prefs.js", "{xre}/omni.ja", "{profile}/addons.json", "{profile}/cert8.db",
}

// fileIO writes the main thread's file I/O, which only nightly reports: for each
// file the start, the session and the shutdown (null if there was none), each
// milliseconds, opens, reads, writes, syncs, stats.
func (g *Generator) fileIO(o *object, b *browser) {
	if b.channel != "nightly" {
		return
	}

	o.begin("fileIOReports")
	// Not every file is used in each session.
	for _, file := range profileFiles {
		if g.chance(0.4) {
			continue
		}

		o.key(file)
		sep := byte('[')
		for range 3 {
			o.buf = append(o.buf, sep)
			sep = ','
			if g.chance(0.3) {
				o.buf = append(o.buf, "null"...)
			} else {
				o.ints(g.logNormal(8, 3), g.rng.IntN(4), g.rng.IntN(40), g.rng.IntN(12), g.rng.IntN(3), g.rng.IntN(9))
			}
		}

		o.buf = append(o.buf, ']')
	}

	o.end()
}

func (g *Generator) addonDetails(o *object, b *browser) {
	o.begin("addonDetails")
	o.begin("XPI")
	// Details vary: an add-on may be unpacked, slow or scanned.
	for _, addon := range b.addons {
		o.begin(addon.id)
		o.str("name", addon.name)
		if g.chance(0.3) {
			o.int("unpacked", 1)
		}
		if g.chance(0.5) {
			o.int("startup_MS", g.logNormal(20, 3))
			o.int("shutdown_MS", g.logNormal(4, 3))
		}
		if g.chance(0.3) {
			o.int("scan_items", 1+g.rng.IntN(90))
			o.int("scan_MS", g.logNormal(3, 2))
		}

		o.end()
	}

	o.end()
	o.end()
}

func (g *Generator) info(o *object, b *browser) {
	// The machine: memory grows with its cores.
	cores := 1 << g.rng.IntN(4)
	windows, arm := b.os == "WINNT", b.arch == "arm"
	gpu := draw(g.rng, graphics)
	o.begin("info")
	o.str("reason", b.reason)
	o.str("OS", b.os)
	o.str("appID", "{ec8030f7-c20a-464f-9b0e-13a3a9e97384}")
	o.str("appVersion", b.version)
	o.str("appName", b.app)
	o.str("appBuildID", b.build)
	o.str("appUpdateChannel", b.channel)
	o.str("platformBuildID", b.build)
	o.str("revision", b.revisionURL)
	o.str("locale", b.locale)
	o.int("cpucount", cores)
	o.int("memsize", 1024*(1+g.rng.IntN(4*cores))-g.rng.IntN(200))
	o.str("arch", b.arch)
	o.str("version", b.osVersion)
	// Every x86 has these, no ARM.
	for _, feature := range [...]string{"hasMMX", "hasSSE", "hasSSE2", "hasSSE3"} {
		o.bool(feature, !arm)
	}

	for _, feature := range [...]string{"hasSSSE3", "hasSSE4A", "hasSSE4_1", "hasSSE4_2"} {
		o.bool(feature, !arm && g.chance(0.5))
	}

	o.bool("hasEDSP", arm)
	o.bool("hasARMv6", arm)
	o.bool("hasARMv7", arm)
	o.bool("hasNEON", arm)
	o.bool("isWow64", windows && b.arch == "x86" && g.chance(0.6))
	o.str("adapterDescription", gpu[0])
	o.str("adapterVendorID", gpu[1])
	o.str("adapterDeviceID", gpu[2])
	o.str("adapterRAM", "Unknown")
	o.str("adapterDriver", "driver32,driver64")
	o.str("adapterDriverVersion", gpu[3])
	o.str("adapterDriverDate", "10-23-2013")
	if windows {
		o.str("DWriteVersion", "6.2.9200.16571")
		o.bool("D2DEnabled", g.chance(0.6))
		o.bool("DWriteEnabled", g.chance(0.6))
	}

	o.str("persona", strconv.Itoa(g.rng.IntN(90000)))
	// The list has IDs with escaped characters, as the URL's dimensions would.
	var list strings.Builder
	for i, addon := range b.addons {
		if i > 0 {
			list.WriteByte(',')
		}

		list.WriteString(addon.escaped + ":" + addon.version)
	}

	o.str("addons", list.String())
	// Some browsers have no Flash, and some take part in an experiment.
	if flash := draw(g.rng, flashVersions); flash != "" && !arm {
		o.str("flashVersion", flash)
	}
	if (b.channel == "nightly" || b.channel == "beta") && g.chance(0.1) {
		o.str("activeExperiment", "tab-order@experiments.example.org")
		o.str("activeExperimentBranch", [...]string{"control", "newest-first"}[g.rng.IntN(2)])
	}

	o.end()
}
