package domain

import (
	"strings"

	"github.com/google/uuid"
)

// TriggerID is the id in a trigger's URL. It stands for a flow of an instance and holds nothing
// else, so the URL survives versions and renames.
func TriggerID(instance, flow string) string {
	return strings.ReplaceAll(instance+flow, "-", "")
}

// ParseTriggerID tells which flow of which instance a trigger's id stands for.
func ParseTriggerID(id string) (instance, flow string, ok bool) {
	if len(id) != 64 || strings.ToLower(id) != id {
		return "", "", false
	}
	i, err := uuid.Parse(id[:32])
	if err != nil {
		return "", "", false
	}
	f, err := uuid.Parse(id[32:])
	if err != nil {
		return "", "", false
	}
	return i.String(), f.String(), true
}

// TriggerURL is where a flow of an instance is triggered; base is the public URL of the ingress.
func TriggerURL(base, instance, flow string) string {
	return base + "/trigger/" + TriggerID(instance, flow)
}
