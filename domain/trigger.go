package domain

import (
	"strings"

	"github.com/google/uuid"
)

// PartID is the id of a part of something, such as a flow of an instance: the UUIDs of both in one word, so
// that whoever has it finds the part without an index.
func PartID(owner, part string) string {
	return strings.ReplaceAll(owner+part, "-", "")
}

// ParsePartID tells which part of what has that id.
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

// TriggerURL is where a flow of an instance is triggered; base is the public URL of the ingress. It names
// nothing but these two, so it survives versions and renames.
func TriggerURL(base, instance, flow string) string {
	return base + "/trigger/" + PartID(instance, flow)
}
