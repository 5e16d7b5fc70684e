package convert

import (
	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// planClassic plans a ping from before telemetry and health report were unified.
func planClassic(d *document, p *plan) error {
	if err := d.indexInfo(&d.top); err != nil {
		return err
	}
	p.setDimsOf(&d.info)
	if err := p.need(&d.top, &d.info); err != nil {
		return err
	}

	p.open(nil)
	p.copyPing(d, &d.top)
	p.close()
	return nil
}

// firefoxOSFields are the dimensions that a ping of Firefox OS has at the top.
var firefoxOSFields = [...]struct{ name, from string }{
	{"appUpdateChannel", "deviceinfo.update_channel"},
	{"appBuildID", "deviceinfo.platform_build_id"},
	{"appVersion", "deviceinfo.platform_version"},
}

// planFirefoxOS plans a ping of Firefox OS 1.3, which has no info of use.
func planFirefoxOS(d *document, p *plan) error {
	p.open(nil)
	for i := range d.top.Members {
		m := &d.top.Members[i]
		key := d.top.Key(m)
		switch {
		case !d.top.Counts(i) || jsonscan.Is(key, "info") || jsonscan.Is(key, "pingID"):
		case jsonscan.Is(key, verMember):
			p.copy(key, verConvertedJSON)
		default:
			p.copy(key, d.top.Value(m))
		}
	}

	// It gets an info with the dimensions.
	info := newInfo{fields: p.info}
	info.set("reason", []byte(`"ftu"`))
	info.set("appName", []byte(`"FirefoxOS"`))
	for _, f := range firefoxOSFields {
		value := []byte(`"` + schema.Unknown + `"`)
		if m := d.top.Find(f.from); m != nil {
			value = d.top.Value(m)
		}
		info.set(f.name, value)
	}
	p.setDims(info.value)

	p.addInfo(&info)
	p.close()
	return nil
}
