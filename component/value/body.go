package value

// Body splits the format's binary data, and a webhook's body: an object with exactly the keys data and
// contentType. ok is false if v is no such object.
func Body(v any) (data any, contentType string, ok bool) {
	object, isObject := v.(map[string]any)
	if !isObject || len(object) != 2 {
		return nil, "", false
	}
	data, hasData := object["data"]
	contentType, hasType := object["contentType"].(string)
	return data, contentType, hasData && hasType
}
