package forget

import (
	"regexp"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// maxClients bounds the IDs of one ping: real ones have five at most.
const maxClients = 256

// Clients appends the IDs that a ping, or a record, has of its client, and returns the
// namespace that the record says, schema.TelemetryNamespace if it says none. Of a text that
// is no JSON, every ID in quotes counts behind the place where it breaks: such a text is in
// no record, and only its sender can have made it.
func Clients(dst []ID, text []byte) (ids []ID, namespace string) {
	namespace = schema.TelemetryNamespace
	it := jsonscan.Members(text, 0)
	for it.Next() {
		value := it.Value()
		if it.Err() != nil {
			break
		}
		if jsonscan.Is(it.Key, "metadata") {
			namespace = namespaceOf(value, namespace)
			continue
		}

		dst = AppendMember(dst, it.Key, value)
	}
	if it.Err() == nil {
		return dst, namespace
	}

	// The text is no JSON: every ID in quotes counts.
	for _, found := range quotedIDs.FindAllSubmatch(text, maxClients) {
		dst = appendText(dst, found[1])
	}
	return dst, namespace
}

// quotedIDs finds IDs in a text that is no JSON.
var quotedIDs = regexp.MustCompile(`"(\{?[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\}?)`)

// namespaceOf returns the namespace in the member metadata of a record.
func namespaceOf(metadata []byte, otherwise string) string {
	for it := jsonscan.Members(metadata, 0); it.Next(); {
		if value := it.Value(); jsonscan.Is(it.Key, "namespace") && len(value) > 2 && value[0] == '"' {
			return string(jsonscan.Unquote(value[1 : len(value)-1]))
		}
	}
	return otherwise
}

// AppendMember appends the IDs in a member of the top level of a ping. key is between its
// quotes, as written; value has been checked.
//
//	clientId, clientID, client_id, profileGroupId, profile_group_id
//	client_info.client_id
//	metrics.uuid.*: Glean's IDs, such as usage.profile_id and legacy.telemetry.client_id
func AppendMember(dst []ID, key, value []byte) []ID {
	// No name below is shorter than this, and most members are done with here.
	if len(key) < len("metrics") {
		return dst
	}

	switch string(jsonscan.Unquote(key)) {
	case "clientId", "clientID", "client_id", "profileGroupId", "profile_group_id":
		return AppendValue(dst, value)
	case "client_info":
		for it := jsonscan.MembersTrusted(value, 0); it.Next(); {
			if jsonscan.Is(it.Key, "client_id") {
				dst = AppendValue(dst, it.Value())
			}
		}
	case "metrics":
		for it := jsonscan.MembersTrusted(value, 0); it.Next(); {
			if jsonscan.Is(it.Key, "uuid") {
				dst = AppendUUIDs(dst, it.Value())
			}
		}
	}

	return dst
}

// AppendUUIDs appends the IDs in the member uuid of metrics.
func AppendUUIDs(dst []ID, uuids []byte) []ID {
	if len(uuids) == 0 || uuids[0] != '{' {
		return dst
	}

	for it := jsonscan.MembersTrusted(uuids, 0); it.Next(); {
		dst = AppendValue(dst, it.Value())
	}
	return dst
}

// AppendValue appends the ID that a JSON value is, if it is one; nil is not.
func AppendValue(dst []ID, value []byte) []ID {
	if len(value) < uuidBytes || value[0] != '"' {
		return dst
	}
	return appendText(dst, jsonscan.Unquote(value[1:len(value)-1]))
}

func appendText(dst []ID, text []byte) []ID {
	if id, ok := ParseID(text); ok && len(dst) < maxClients {
		dst = append(dst, id)
	}
	return dst
}
