package metadata

import "strings"

// UserAgent is what is stored of the header User-Agent: enough to tell browsers apart, too
// little to tell people apart.
type UserAgent struct {
	Browser, Version, OS string
}

// browsers are the browsers that Mozilla's pipeline knows, the best match first: many
// claim to be others, too.
var browsers = []struct {
	mark, name string
	// versionAfter stands between the mark and the version; lastSlash for the last "/" with
	// a number behind it.
	versionAfter string
	os, version  string // instead of what the header says
}{
	{mark: "Edge", name: "Edge", versionAfter: "/"},
	{mark: "Chrome", name: "Chrome", versionAfter: "/"},
	{mark: "Opera Mini", name: "Opera Mini", versionAfter: lastSlash},
	{mark: "Opera Mobi", name: "Opera Mobi", versionAfter: lastSlash},
	{mark: "Opera", name: "Opera", versionAfter: lastSlash},
	{mark: "MSIE", name: "MSIE", versionAfter: " "},
	{mark: "Trident/7.0", name: "MSIE", version: "11"},
	{mark: "Safari", name: "Safari", versionAfter: lastSlash},
	{mark: "Firefox AndroidSync", name: "FxSync", versionAfter: " ", os: "Android"},
	{mark: "Firefox-iOS-Sync", name: "FxSync", versionAfter: "/", os: "iOS"},
	{mark: "Firefox", name: "Firefox", versionAfter: "/"},
}

const lastSlash = "last /"

// systems are the operating systems, the best match first.
var systems = []struct{ mark, name string }{
	{"iPod", "iPod"},
	{"iPad", "iPad"},
	{"iPhone", "iPhone"},
	{"Android", "Android"},
	{"BlackBerry", "BlackBerry"},
	{"Linux", "Linux"},
	{"Macintosh", "Macintosh"},
	{"Mozilla/5.0 (Mobile;", "FirefoxOS"},
	{"Windows NT 10.0", "Windows 10"},
	{"Windows NT 6.3", "Windows 8.1"},
	{"Windows NT 6.2", "Windows 8"},
	{"Windows NT 6.1", "Windows 7"},
	{"Windows NT 6.0", "Windows Vista"},
	{"Windows NT 5.1", "Windows XP"},
	{"Windows NT 5.0", "Windows 2000"},
}

// ParseUserAgent reduces the header User-Agent, by the rules of Mozilla's pipeline.
// Versions are whole numbers. What is not known is "".
func ParseUserAgent(header string) (agent UserAgent) {
	if header == "" {
		return agent
	}

	for _, system := range systems {
		if strings.Contains(header, system.mark) {
			agent.OS = system.name
			break
		}
	}

	for i := range browsers {
		browser := &browsers[i]
		if !strings.Contains(header, browser.mark) {
			continue
		}

		agent.Browser = browser.name
		if browser.os != "" {
			agent.OS = browser.os
		}
		switch browser.versionAfter {
		case "":
			agent.Version = browser.version
		case lastSlash:
			agent.Version = numberAfterLast(header, "/")
		default:
			agent.Version = numberAfterFirst(header, browser.mark+browser.versionAfter)
		}
		break
	}
	return agent
}

// numberAfterFirst returns the digits behind the first mark that has some, "" if there are
// none.
func numberAfterFirst(header, mark string) string {
	for {
		_, behind, found := strings.Cut(header, mark)
		if !found {
			return ""
		}
		if number := leadingDigits(behind); number != "" {
			return number
		}
		header = behind
	}
}

// numberAfterLast is numberAfterFirst for the last mark.
func numberAfterLast(header, mark string) string {
	for {
		at := strings.LastIndex(header, mark)
		if at < 0 {
			return ""
		}
		if number := leadingDigits(header[at+len(mark):]); number != "" {
			return number
		}
		header = header[:at]
	}
}

// leadingDigits returns the digits that text begins with.
func leadingDigits(text string) string {
	return text[:len(text)-len(strings.TrimLeft(text, "0123456789"))]
}
