package worker

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"

	"heddle/domain"
)

// keyOfEndpoint is the header with an endpoint's API key.
const keyOfEndpoint = "Api-Key"

// authorize lets a caller of a flow's endpoint in, or says what is missing: by the flow's
// endpointSecurityType. Source: execution-semantics, endpoint security.
func (w *Worker) authorize(r *http.Request, t target) error {
	security := t.flow.Text("endpointSecurityType")
	if security == "unsecured" {
		return nil
	}
	keys, err := w.flowKeys(t.instance, t.flow.ID)
	if err != nil {
		return err
	}
	if security == "organization" {
		keys = nil
		list, _ := t.flow.Fields["organizationApiKeys"].([]any)
		for _, key := range list {
			if s, ok := key.(string); ok && s != "" {
				keys = append(keys, s)
			}
		}
	}
	needs := (security == "organization" || security == "customer_required") && !t.instance.System
	given := r.Header.Get(keyOfEndpoint)
	switch {
	case len(keys) == 0 && needs:
		return domain.Refuse(domain.Unauthenticated, "the flow's endpointSecurityType is %s, and no API key is set for it", security)
	case len(keys) == 0:
		return nil
	case given == "":
		return domain.Refuse(domain.Unauthenticated, "this endpoint wants an API key in the header %s", keyOfEndpoint)
	}
	asked := sha256.Sum256([]byte(given))
	for _, key := range keys {
		if have := sha256.Sum256([]byte(key)); subtle.ConstantTimeCompare(have[:], asked[:]) == 1 {
			return nil
		}
	}
	return domain.Refuse(domain.Forbidden, "the API key in the header %s is not one of this endpoint's", keyOfEndpoint)
}

// flowKeys gives the API keys that an instance has for a flow's endpoint.
func (w *Worker) flowKeys(instance domain.Instance, flow string) ([]string, error) {
	var keys []string
	for _, k := range instance.Keys[flow] {
		key, place, ok := w.View.DataKey(instance)
		if !ok {
			return nil, fmt.Errorf("the data key of instance %s is missing", instance.ID)
		}
		plain, err := w.Vault.Open(key, place, domain.FlowKeyPlace(instance.ID, flow), k.Sealed)
		if err != nil {
			return nil, fmt.Errorf("unsealing an API key: %w", err)
		}
		keys = append(keys, string(plain))
	}
	return keys, nil
}
