package gen

// The parts of a ping beside its histograms.

import (
	"strconv"
	"strings"
)

func (g *Generator) simpleMeasurements(out *object, session *browser) {
	// The times of the start ascend: each is some while after the one before.
	start := g.logNormal(60, 2)
	at := start
	next := func(mid float64) int { at += g.logNormal(mid, 2); return at }

	out.begin("simpleMeasurements")
	out.int("uptime", g.logNormal(90, 4)) // minutes
	out.raw("addonManager", `{"installedUnpacked":1}`)
	out.int("start", start)
	out.int("main", next(200))
	out.int("startupCrashDetectionBegin", next(80))
	out.int("startupCrashDetectionEnd", at+30000+g.rng.IntN(9000))
	out.int("createTopLevelWindow", next(500))
	out.int("firstPaint", next(1500))
	out.int("firstLoadURI", at)
	out.int("sessionRestoreInitialized", next(40))
	out.int("delayedStartupStarted", next(20))
	out.int("delayedStartupFinished", next(60))
	out.int("sessionRestored", next(300))
	out.int("startupInterrupted", 0)
	out.int("debuggerAttached", 0)

	out.begin("js")
	out.int("setProto", g.rng.IntN(20))
	out.int("customIter", g.rng.IntN(40))
	out.end()

	out.int("maximalNumberOfConcurrentThreads", 25+g.rng.IntN(50))
	if session.reason == "saved-session" {
		out.int("shutdownDuration", g.logNormal(900, 2))
	}

	// More is read until the window is visible than until the session is restored.
	read := g.logNormal(2e7, 1.6)
	out.int("startupSessionRestoreReadBytes", read)
	out.int("startupSessionRestoreWriteBytes", g.logNormal(4e4, 2))
	out.int("startupWindowVisibleReadBytes", read+g.rng.IntN(100000))
	out.int("startupWindowVisibleWriteBytes", g.logNormal(5e4, 2))
	out.int("savedPings", g.rng.IntN(4))
	out.end()
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

func (g *Generator) slowSQL(out *object) {
	// Each thread has some statements in a row, each with its calls and milliseconds.
	thread := func(name string, mid float64) {
		out.begin(name)
		from := g.rng.IntN(len(statements))
		for i := range min(g.logNormal(mid, 2), len(statements)) {
			out.key(statements[(from+i)%len(statements)])
			times := 1 + g.logNormal(1, 2.5)
			out.ints(times, times*(100+g.logNormal(150, 2)))
		}
		out.end()
	}

	out.begin("slowSQL")
	thread("mainThread", 0.8)
	thread("otherThreads", 2.5)
	out.end()
}

func (g *Generator) chromeHangs(out *object) {
	// Nearly all sessions have no hang.
	if !g.chance(0.05) {
		out.raw("chromeHangs", `{"memoryMap":[],"stacks":[],"durations":[]}`)
		return
	}

	out.begin("chromeHangs")
	out.raw("memoryMap", `[["xul.pdb","7E1E0000000000000000000000000030A"],["user32.pdb","7E1E000000000000000000000000000B2"],["ntdll.pdb","7E1E000000000000000000000000000C1"]]`)

	// A stack is pairs of a module in memoryMap and an offset in it.
	hangs := 1 + g.rng.IntN(3)
	out.raw("stacks", "[")
	for i := range hangs {
		if i > 0 {
			out.buf = append(out.buf, ',')
		}
		out.buf = append(out.buf, '[')
		for j := range 4 + g.rng.IntN(12) {
			if j > 0 {
				out.buf = append(out.buf, ',')
			}
			out.ints(g.rng.IntN(3), g.rng.IntN(1<<24))
		}
		out.buf = append(out.buf, ']')
	}
	out.buf = append(out.buf, ']')

	// One duration for each stack, in seconds.
	durations := make([]int, hangs)
	for i := range durations {
		durations[i] = 5 + g.rng.IntN(20)
	}
	out.key("durations")
	out.ints(durations...)
	out.end()
}

var profileFiles = [...]string{
	"{profile}/places.sqlite", "{profile}/places.sqlite-wal", "{profile}/cookies.sqlite", "{profile}/sessionstore.js",
	"{profile}/prefs.js", "{xre}/omni.ja", "{profile}/addons.json", "{profile}/cert8.db",
}

// fileIO writes the main thread's file I/O, which only nightly reports: for each
// file the start, the session and the shutdown (null if there was none), each
// milliseconds, opens, reads, writes, syncs, stats.
func (g *Generator) fileIO(out *object, session *browser) {
	if session.channel != "nightly" {
		return
	}

	// Not every file is used in each session.
	out.begin("fileIOReports")
	for _, file := range profileFiles {
		if g.chance(0.4) {
			continue
		}

		out.key(file)
		sep := byte('[')
		for range 3 {
			out.buf = append(out.buf, sep)
			sep = ','
			if g.chance(0.3) {
				out.buf = append(out.buf, "null"...)
			} else {
				out.ints(g.logNormal(8, 3), g.rng.IntN(4), g.rng.IntN(40), g.rng.IntN(12), g.rng.IntN(3), g.rng.IntN(9))
			}
		}
		out.buf = append(out.buf, ']')
	}
	out.end()
}

func (g *Generator) addonDetails(out *object, session *browser) {
	out.begin("addonDetails")
	out.begin("XPI")

	// Details vary: an add-on may be unpacked, slow or scanned.
	for _, addon := range session.addons {
		out.begin(addon.id)
		out.str("name", addon.name)

		if g.chance(0.3) {
			out.int("unpacked", 1)
		}
		if g.chance(0.5) {
			out.int("startup_MS", g.logNormal(20, 3))
			out.int("shutdown_MS", g.logNormal(4, 3))
		}
		if g.chance(0.3) {
			out.int("scan_items", 1+g.rng.IntN(90))
			out.int("scan_MS", g.logNormal(3, 2))
		}
		out.end()
	}
	out.end()
	out.end()
}

func (g *Generator) info(out *object, session *browser) {
	// The machine: memory grows with its cores.
	cores := 1 << g.rng.IntN(4)
	windows, arm := session.os == "WINNT", session.arch == "arm"
	gpu := draw(g.rng, graphics)

	out.begin("info")
	out.str("reason", session.reason)
	out.str("OS", session.os)
	out.str("appID", "{ec8030f7-c20a-464f-9b0e-13a3a9e97384}")
	out.str("appVersion", session.version)
	out.str("appName", session.app)
	out.str("appBuildID", session.build)
	out.str("appUpdateChannel", session.channel)
	out.str("platformBuildID", session.build)
	out.str("revision", session.revisionURL)
	out.str("locale", session.locale)
	out.int("cpucount", cores)
	out.int("memsize", 1024*(1+g.rng.IntN(4*cores))-g.rng.IntN(200))
	out.str("arch", session.arch)
	out.str("version", session.osVersion)

	// Every x86 has the first four, some have the others, and no ARM has any.
	for _, feature := range [...]string{"hasMMX", "hasSSE", "hasSSE2", "hasSSE3"} {
		out.bool(feature, !arm)
	}
	for _, feature := range [...]string{"hasSSSE3", "hasSSE4A", "hasSSE4_1", "hasSSE4_2"} {
		out.bool(feature, !arm && g.chance(0.5))
	}
	out.bool("hasEDSP", arm)
	out.bool("hasARMv6", arm)
	out.bool("hasARMv7", arm)
	out.bool("hasNEON", arm)
	out.bool("isWow64", windows && session.arch == "x86" && g.chance(0.6))

	out.str("adapterDescription", gpu[0])
	out.str("adapterVendorID", gpu[1])
	out.str("adapterDeviceID", gpu[2])
	out.str("adapterRAM", "Unknown")
	out.str("adapterDriver", "driver32,driver64")
	out.str("adapterDriverVersion", gpu[3])
	out.str("adapterDriverDate", "10-23-2013")
	if windows {
		out.str("DWriteVersion", "6.2.9200.16571")
		out.bool("D2DEnabled", g.chance(0.6))
		out.bool("DWriteEnabled", g.chance(0.6))
	}

	out.str("persona", strconv.Itoa(g.rng.IntN(90000)))

	// The list has IDs with escaped characters, as the URL's dimensions would.
	var list strings.Builder
	for i, addon := range session.addons {
		if i > 0 {
			list.WriteByte(',')
		}
		list.WriteString(addon.escaped + ":" + addon.version)
	}
	out.str("addons", list.String())

	// Some browsers have no Flash, and some take part in an experiment.
	flash := draw(g.rng, flashVersions)
	if flash != "" && !arm {
		out.str("flashVersion", flash)
	}
	if (session.channel == "nightly" || session.channel == "beta") && g.chance(0.1) {
		out.str("activeExperiment", "tab-order@experiments.example.org")
		out.str("activeExperimentBranch", [...]string{"control", "newest-first"}[g.rng.IntN(2)])
	}

	out.end()
}
