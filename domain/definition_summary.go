package domain

// Summary keeps of a definition what lists of integrations show, search and sort by, without its parts.
// Folding changes over a summary is summing up again what Apply gives.
func Summary(def *Node) *Node {
	fields := map[string]any{}
	for _, key := range []string{"name", "description", "category", labelsField} {
		if v, there := def.Fields[key]; there {
			fields[key] = v
		}
	}
	return &Node{ID: def.ID, Fields: fields}
}
