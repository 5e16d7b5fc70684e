package convert

import (
	"bytes"
	"strconv"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
)

// format plans the record of a ping. It never writes. The error is a *Rejection.
type format func(d *document, p *plan) error

// payloadVersion is a version of the payload: the member that says it, and its value.
type payloadVersion struct {
	member  string
	version int
}

// The members that say a version. A ping with ver is classic, from before telemetry
// and health report were unified, whatever its version says.
const (
	verMember     = "ver"
	versionMember = "version"
)

// The values of ver and version that records get.
const (
	verConverted        = 2
	verUnifiedConverted = 5 // a unified saved-session ping
	versionConverted    = 5 // a unified ping
)

// The same as JSON.
var (
	verConvertedJSON     = strconv.AppendInt(nil, verConverted, 10)
	verUnifiedJSON       = strconv.AppendInt(nil, verUnifiedConverted, 10)
	versionConvertedJSON = strconv.AppendInt(nil, versionConverted, 10)
)

// formats is the table of payload versions.
var formats = map[payloadVersion]format{
	{verMember, 1}:                   planClassic,
	{verMember, verConverted}:        planConverted,
	{verMember, 3}:                   planFirefoxOS,
	{verMember, verUnifiedConverted}: planConverted,

	{versionMember, 4}:                planUnified,
	{versionMember, versionConverted}: planUnifiedConverted,
}

// formatOf returns the format of a ping. The error is a *Rejection.
func formatOf(d *document) (format, error) {
	for _, member := range [...]struct{ name, unknown string }{
		{verMember, "Unknown payload version: "},
		{versionMember, "Unknown unified ping version: "},
	} {
		m := d.top.Find(member.name)
		if m == nil {
			continue
		}

		value := d.top.Value(m)
		format := formats[payloadVersion{member.name, versionNumber(value)}]
		if format == nil {
			return nil, reject(ClassConversion, member.unknown+python(value))
		}
		return format, nil
	}
	return nil, reject(ClassConversion, "Missing payload version")
}

// versionNumber returns the number that a ver or version spells; -1 for other values.
func versionNumber(value []byte) int {
	if len(value) == 1 && value[0]-'0' <= 9 {
		return int(value[0] - '0')
	}

	// Such as 1.0, which the predecessor took for 1.
	if c := value[0]; c == '-' || c-'0' <= 9 {
		if f, ok := jsonscan.Float(value); ok && f == float64(int(f)) {
			return int(f)
		}
	}
	return -1
}

// planConverted plans a ping that is converted already.
func planConverted(d *document, p *plan) error {
	if err := d.indexInfo(&d.top); err != nil {
		return err
	}
	p.setDimsOf(&d.info)

	if !d.top.Repeats() {
		p.unchanged = true
		return nil
	}

	// Leave out the members whose name comes again.
	p.open(nil)
	for i := range d.top.Members {
		m := &d.top.Members[i]
		if d.top.Counts(i) {
			p.copy(d.top.Key(m), d.top.Value(m))
		}
	}
	p.close()
	return nil
}

// copyPing adds the members of a classic ping, or of the payload that is made like
// one, with histograms to rewrite and ver raised. Its info must be indexed.
func (p *plan) copyPing(d *document, ping *jsonscan.Object) {
	for i := range ping.Members {
		if !ping.Counts(i) {
			continue
		}

		m := &ping.Members[i]
		key, value := ping.Key(m), ping.Value(m)
		switch {
		case p.revision.needed && jsonscan.Is(key, "histograms"):
			p.rewrite(key, m)
		case ping == &d.top && jsonscan.Is(key, verMember):
			p.copy(key, verConvertedJSON)
		case p.revision.unnamed() && jsonscan.Is(key, "info") && value[0] == '{':
			p.copyInfo(key, value, &d.info)
		default:
			p.copy(key, value)
		}
	}
}

// copyInfo adds an info, followed by the members that say which revision was found.
func (p *plan) copyInfo(key, value []byte, info *jsonscan.Object) {
	p.open(key)
	if info.Find(fallbackMark) == nil {
		members := bytes.TrimRight(value[1:len(value)-1], " \t")
		p.parts = append(p.parts, part{kind: copyMembers, value: members})
	} else {
		// The client has a member of this name, whatever it meant by that: it goes,
		// and so do members whose name comes again.
		for i := range info.Members {
			m := &info.Members[i]
			if info.Counts(i) && !jsonscan.Is(info.Key(m), fallbackMark) {
				p.copy(info.Key(m), info.Value(m))
			}
		}
	}

	p.fallback()
	p.close()
}
