package domain

import (
	"strings"

	"github.com/google/uuid"
)

// PartID is the id of a part of an aggregate, such as a flow of an instance: both UUIDs in one word, so that
// the part is found by it without an index.
func PartID(owner, part string) string {
	return strings.ReplaceAll(owner+part, "-", "")
}

// ParsePartID returns the two ids in a part's id.
func ParsePartID(id string) (owner, part string, ok bool) {
	if len(id) != 64 || strings.ToLower(id) != id {
		return "", "", false
	}
	o, err := uuid.Parse(id[:32])
	if err != nil {
		return "", "", false
	}
	p, err := uuid.Parse(id[32:])
	if err != nil {
		return "", "", false
	}
	return o.String(), p.String(), true
}

// TriggerURL is the URL that triggers a flow of an instance; base is the public URL of the ingress. It names
// only these two, so it survives versions and renames.
func TriggerURL(base, instance, flow string) string {
	return base + "/trigger/" + PartID(instance, flow)
}
