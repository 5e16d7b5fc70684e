package convert

import (
	"strings"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/ingest/convert/metadata"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// received is what is known of a ping because of how it came.
type received struct {
	submission *rawlog.Submission
	path       schema.Submitted
	isDeletion bool // it is a deletion request, whose record has no IDs
}

// keepsUnknown says that a document of a format that is not known becomes a record as it
// is. What older releases and the predecessor have received is rejected as they did.
func (r *received) keepsUnknown() bool {
	return r != nil && (r.path.Generic() || r.submission.Request != "")
}

// isApplication says that the ping is of another namespace than telemetry, so that its
// format is not known.
func (r *received) isApplication() bool {
	return r != nil && r.path.Namespace != schema.TelemetryNamespace
}

// foreignCoding returns what the client named as the Content-Encoding of the body, "" if that is
// nothing, or one that is unpacked.
func (r *received) foreignCoding() string {
	if r == nil {
		return ""
	}

	named := r.submission.Request.Get(rawlog.FieldContentEncoding)
	for coding := range strings.SplitSeq(named, ",") {
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "", "identity", "gzip", "x-gzip", "zstd":
		default:
			return named
		}
	}
	return ""
}

// appendMetadata appends the member metadata to a record, an object that ends at the end
// of dst.
func (c *Converter) appendMetadata(dst []byte, r *received, dims *schema.Dims) []byte {
	facts := metadata.Facts{
		Received:   r.submission.Time,
		DocumentID: r.path.ID,
		Namespace:  r.path.Namespace,
		Type:       r.path.Type,
		Version:    r.path.Version,
		Request:    r.submission.Request,
	}
	if !r.isDeletion {
		facts.ClientID = c.document.clientID()
	}

	// What the path does not say the ping may.
	if facts.Type == "" && dims[schema.Reason] != schema.Unknown {
		facts.Type = dims[schema.Reason]
	}
	if facts.Version == "" {
		facts.Version = c.document.version(c.values)
	}
	if dims[schema.Channel] != schema.Unknown {
		facts.Channel = dims[schema.Channel]
	}
	if len(r.submission.Country) == 2 {
		facts.Country = r.submission.Country
	}

	dst = dst[:len(dst)-1] // the closing brace
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(dst, `"`+metadataMember+`":`...)
	return append(metadata.Append(dst, &facts), '}')
}

// clientID returns the client's ID where pings of any kind have it, nil if there is none.
func (d *document) clientID() []byte {
	id := d.scalar("clientId")
	if id == nil {
		id = d.scalar("client_id")
	}
	if id == nil && d.glean.read {
		id = d.glean.client
	} else if client := d.top.Find("client_info"); id == nil && client != nil {
		if at, ok := d.lookUp(int(client.Start), "client_id"); ok {
			id = scalarAt(d.text, at)
		}
	}

	if id == nil || id[0] != '"' {
		return nil
	}
	return jsonscan.Unquote(id[1 : len(id)-1])
}

// version returns the version that a document says of its own form, "" if it says none.
func (d *document) version(values jsonscan.Interner) string {
	version := d.scalar(versionMember)
	if version == nil {
		version = d.scalar("v") // of mobile browsers
	}
	if version == nil {
		return ""
	}
	text, _ := dimensionText(values, version)
	return text
}
