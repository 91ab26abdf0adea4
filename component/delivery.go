package component

import (
	"encoding/json"

	"heddle/component/value"
)

// Delivery is what started a run, as its RunQueued keeps it: a request to a trigger, or what stands for one.
type Delivery struct {
	Method          string // "" for none
	Headers         map[string]any
	QueryParameters map[string]any
	PathFragment    string // of the URL, after the trigger's id
	ContentType     string
	Data            any    // text, bytes, or nil for none
	ScheduledAt     string // when a scheduled run was due; "" for other runs
}

// Values returns the delivery as the object that steps see.
func (d Delivery) Values() map[string]any {
	v := map[string]any{"method": d.Method, "headers": d.Headers, "queryParameters": d.QueryParameters,
		"pathFragment": d.PathFragment, "contentType": d.ContentType, "data": d.Data}
	if d.ScheduledAt != "" {
		v["scheduledAt"] = d.ScheduledAt
	}
	return v
}

// Encode returns the stored form.
func (d Delivery) Encode() (json.RawMessage, error) { return value.Encode(d.Values()) }

// ReadDelivery returns the delivery that a stored value holds. It reports false for a value that is none.
func ReadDelivery(stored any) (d Delivery, ok bool) {
	v, _ := stored.(map[string]any)
	if d.Data, ok = v["data"]; !ok {
		return Delivery{}, false
	}
	d.Method, _ = v["method"].(string)
	d.Headers, _ = v["headers"].(map[string]any)
	d.QueryParameters, _ = v["queryParameters"].(map[string]any)
	d.PathFragment, _ = v["pathFragment"].(string)
	d.ContentType, _ = v["contentType"].(string)
	d.ScheduledAt, _ = v["scheduledAt"].(string)
	return d, true
}
