package convert

import (
	"bytes"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
)

// source is where a field of info comes from: a path below a section.
type source struct {
	name string
	path []string
}

// applicationFields lie in a unified ping's application.
var applicationFields = []source{
	{"appName", []string{"name"}},
	{"appUpdateChannel", []string{"channel"}},
	{"appVersion", []string{"version"}},
	{"appBuildID", []string{"buildId"}},
	{"arch", []string{"architecture"}},
	{"platformVersion", []string{"platformVersion"}},
	{"xpcomAbi", []string{"xpcomAbi"}},
	{"vendor", []string{"vendor"}},
}

// environmentFields lie in its environment.
var environmentFields = []source{
	{"appID", []string{"build", "applicationId"}},
	{"platformBuildID", []string{"build", "buildId"}},
	{"cpucount", []string{"system", "cpu", "count"}},
	{"memsize", []string{"system", "memoryMB"}},
	{"isWow64", []string{"system", "isWow64"}},
	{"device", []string{"system", "device", "model"}},
	{"manufacturer", []string{"system", "device", "manufacturer"}},
	{"hardware", []string{"system", "device", "hardware"}},
	{"tablet", []string{"system", "device", "isTablet"}},
	{"locale", []string{"settings", "locale"}},
	{"OS", []string{"system", "os", "name"}},
	{"version", []string{"system", "os", "version"}},
	{"kernel_version", []string{"system", "os", "kernelVersion"}},
	{"D2DEnabled", []string{"system", "gfx", "D2DEnabled"}},
	{"DWriteEnabled", []string{"system", "gfx", "DWriteEnabled"}},
	{"DWriteVersion", []string{"system", "gfx", "DWriteVersion"}},
	{"profileHDDModel", []string{"system", "hdd", "profile", "model"}},
	{"profileHDDRevision", []string{"system", "hdd", "profile", "revision"}},
	{"binHDDModel", []string{"system", "hdd", "binary", "model"}},
	{"binHDDRevision", []string{"system", "hdd", "binary", "revision"}},
	{"winHDDModel", []string{"system", "hdd", "system", "model"}},
	{"winHDDRevision", []string{"system", "hdd", "system", "revision"}},
	{"activeExperiment", []string{"addons", "activeExperiment", "id"}},
	{"activeExperimentBranch", []string{"addons", "activeExperiment", "branch"}},
	{"persona", []string{"addons", "theme", "id"}},
}

// adapterFields lie in each of environment.system.gfx.adapters.
var adapterFields = []source{
	{"adapterDescription", []string{"description"}},
	{"adapterVendorID", []string{"vendorID"}},
	{"adapterDeviceID", []string{"deviceID"}},
	{"adapterSubsysID", []string{"subsysID"}},
	{"adapterRAM", []string{"RAM"}},
	{"adapterDriver", []string{"driver"}},
	{"adapterDriverVersion", []string{"driverVersion"}},
	{"adapterDriverDate", []string{"driverDate"}},
}

// merge adds what a saved-session ping's payload.info has and the new info does not
// have yet.
func (n *newInfo) merge(info *jsonscan.Object) {
	own := newInfo{fields: n.fields}
	for i := range info.Members {
		key := info.Key(&info.Members[i])
		if info.Counts(i) && own.find(string(jsonscan.Unquote(key))) == nil {
			n.fields = append(n.fields, part{kind: copyValue, key: key, value: info.Value(&info.Members[i])})
		}
	}
}

// addEnvironment adds the fields of the classic info that a unified ping has in
// its environment, which lies at text[environment].
func (n *newInfo) addEnvironment(d *document, environment int) {
	n.add(d, environment, environmentFields, "")
	if os := n.find("OS"); os != nil && bytes.HasPrefix(os.value, []byte(`"Windows_`)) {
		os.value = []byte(`"WINNT"`)
	}

	// The first two graphics adapters; the second one's fields end in 2.
	adapters, ok := d.lookUp(environment, "system", "gfx", "adapters")
	if !ok || d.text[adapters] != '[' {
		return
	}
	suffixes := [...]string{"", "2"}
	it := jsonscan.ElementsTrusted(d.text, adapters)
	for i := 0; i < len(suffixes) && it.Next(); i++ {
		n.add(d, it.Start, adapterFields, suffixes[i])
		if i == 1 {
			active := []byte("false")
			if at, ok := d.lookUp(it.Start, "GPUActive"); ok && truthy(d.text[at:jsonscan.SkipTrusted(d.text, at)]) {
				active = []byte("true")
			}
			n.set("isGPU2Active", active)
		}
	}
}

// add adds the fields that the section at text[start] has, with a suffix to their
// names. One that is there already becomes "environment.<name>"; null counts as
// missing.
func (n *newInfo) add(d *document, start int, from []source, suffix string) {
	for _, s := range from {
		at, ok := d.lookUp(start, s.path...)
		if !ok || d.text[at] == 'n' {
			continue
		}

		name := s.name + suffix
		if n.find(name) != nil {
			name = "environment." + name
		}
		n.set(name, d.text[at:jsonscan.SkipTrusted(d.text, at)])
	}
}
