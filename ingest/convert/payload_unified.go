package convert

import (
	"context"
	"strconv"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
)

// The values of version: a unified ping, and one to which info was added.
const (
	versionUnified   = 4
	versionConverted = 5
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

// field is a member of an info that is being put together.
type field struct {
	name  string // as written, between the quotes
	value []byte // JSON
}

// unified converts a ping in the format that telemetry and health report share.
func (c *Converter) unified(ctx context.Context, text []byte, begin, end int, ver []byte) (Record, error) {
	v := version(ver)
	kind := c.top.find("type")
	switch {
	case v != versionUnified && v != versionConverted:
		return Record{}, badConversion("Unknown unified ping version: " + python(ver))
	case kind == nil || !truthy(text[kind.start:kind.end]):
		return Record{}, badConversion("Unified ping has no top-level 'type' field")
	case c.top.find("application") == nil:
		return Record{}, badConversion("Unified ping has no top-level 'application' field")
	case c.top.find("payload") == nil:
		return Record{}, badConversion("Unified ping has no top-level 'payload' field")
	case v == versionConverted:
		return c.pass(text, begin, end)
	case c.top.find("info") != nil:
		return Record{}, badConversion("Raw unified ping has an existing ping.info field")
	}
	application := c.top.find("application")
	if text[application.start] != '{' {
		return Record{}, badConversion("Not an object: application")
	}
	c.fields = c.fields[:0]
	c.addFields(text, application.start, applicationFields, "")
	c.setField("reason", text[kind.start:kind.end])

	name := ""
	if text[kind.start] == '"' {
		name = string(jsonscan.Unquote(text[kind.start+1 : kind.end-1]))
	}
	var err error
	c.out = append(c.out[:0], '{')
	switch name {
	case "main":
		err = c.mainPing(ctx, text, name, false)
	case "saved-session":
		err = c.mainPing(ctx, text, name, true)
	default:
		err = c.top.verify(text, nil)
		c.copyTop(text, func(m *member) { c.key(m.key); c.out = append(c.out, text[m.start:m.end]...) })
	}
	if err != nil {
		return Record{}, err
	}
	c.writeInfo()
	if name == "saved-session" {
		c.key([]byte("clientID"))
		if m := c.top.find("clientId"); m != nil {
			c.out = append(c.out, text[m.start:m.end]...)
		} else {
			c.out = append(c.out, "null"...)
		}
		c.key([]byte("ver"))
		c.out = strconv.AppendInt(c.out, verUnifiedConverted, 10)
	}
	c.out = append(c.out, '}')
	if name == "saved-session" && c.mayCollide() {
		c.out = keepLast(c.out, 0)
	}
	return c.withFields()
}

// copyTop writes the members of the top level, version raised, payload by what
// the caller does.
func (c *Converter) copyTop(text []byte, payload func(*member)) {
	for i := range c.top.members {
		m := &c.top.members[i]
		switch {
		case !c.top.counts(i):
		case jsonscan.Is(m.key, "payload"):
			payload(m)
		case jsonscan.Is(m.key, "version"):
			c.key(m.key)
			c.out = strconv.AppendInt(c.out, versionConverted, 10)
		default:
			c.key(m.key)
			c.out = append(c.out, text[m.start:m.end]...)
		}
	}
}

// maxFlatMembers bounds the top level of a ping to be flattened, where every name
// is compared with every other. Real ones have nine.
const maxFlatMembers = 1000

// mainPing writes a main or saved-session ping. Flat means that it is made to
// look like a classic one: what payload has goes to the top level.
func (c *Converter) mainPing(ctx context.Context, text []byte, kind string, flat bool) error {
	m := c.top.find("payload")
	c.inner.members, c.inner.superseded = c.inner.members[:0], nil
	if text[m.start] == '{' {
		end, err := c.inner.index(text, m.start, &c.ahead, "histograms")
		if err == nil && end != m.end {
			err = jsonscan.Valid(text)
		}
		if err != nil {
			return badJSON(err)
		}
		c.inner.supersede()
	}
	switch {
	case c.inner.find("info") == nil:
		return badConversion("Unified " + kind + " missing payload.info")
	case c.inner.find("histograms") == nil:
		return badConversion("Unified " + kind + " missing payload.histograms")
	}
	info, spec, err := c.revision(ctx, text, &c.inner)
	if err != nil {
		return err
	}
	if !flat {
		c.copyTop(text, func(m *member) {
			c.key(m.key)
			c.out = append(c.out, '{')
			err = c.rewrite(text, &c.inner, spec)
			c.out = append(c.out, '}')
		})
	} else {
		environment := c.top.find("environment")
		switch {
		case environment == nil:
			// Only the second thing that is wrong, if the histograms are.
			if err := c.histograms(text, c.inner.find("histograms"), spec); err != nil {
				return err
			}
			return badConversion("Unified saved-session ping missing 'environment' field")
		case len(c.top.members) > maxFlatMembers:
			return badConversion("Too many members")
		}
		c.mergeInfo(text, info)
		for _, f := range c.filled {
			c.setField(f.name, f.value)
		}
		c.addEnvironment(text, environment)
		c.copyTop(text, func(*member) { err = c.flatten(text, spec) })
	}
	if err != nil {
		return err
	}
	return c.top.verify(text, m)
}
