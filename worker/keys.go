package worker

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"

	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
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
	if security == "organization" {
		keys, err = w.organizationKeys(t.instance, t.flow)
	}
	if err != nil {
		return err
	}
	needs := (security == "organization" || security == "customer_required") && !t.instance.System
	given := r.Header.Get(keyOfEndpoint)
	switch {
	case len(keys) == 0 && needs:
		return refusal.New(refusal.Unauthenticated, "the flow's endpointSecurityType is %s, and no API key is set for it", security)
	case len(keys) == 0:
		return nil
	case given == "":
		return refusal.New(refusal.Unauthenticated, "this endpoint wants an API key in the header %s", keyOfEndpoint)
	}
	asked := sha256.Sum256([]byte(given))
	for _, key := range keys {
		if have := sha256.Sum256([]byte(key)); subtle.ConstantTimeCompare(have[:], asked[:]) == 1 {
			return nil
		}
	}
	return refusal.New(refusal.Forbidden, "the API key in the header %s is not one of this endpoint's", keyOfEndpoint)
}

// flowKeys gives the API keys that an instance has for a flow's endpoint.
func (w *Worker) flowKeys(instance domain.Instance, flow string) ([]string, error) {
	var keys []string
	for _, k := range instance.Keys[flow] {
		plain, err := w.unsealedKey(instance, domain.FlowKeyPlace(instance.ID, flow), k.Sealed)
		if err != nil {
			return nil, err
		}
		keys = append(keys, plain)
	}
	return keys, nil
}

// organizationKeys gives the API keys that a definition has for a flow's endpoint, in all its instances. Those of
// old definitions stand there as they are.
func (w *Worker) organizationKeys(instance domain.Instance, flow *definition.Part) (keys []string, err error) {
	for _, key := range flow.APIKeys() {
		if sealed, ok := definition.ReadSealedKey(key); ok {
			place := domain.OrganizationAPIKeyPlace(instance.Organization)
			if key, err = w.unsealedKey(domain.Instance{Organization: instance.Organization}, place, sealed); err != nil {
				return nil, err
			}
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// unsealedKey opens an API key that is sealed with the data key of an instance's owner.
func (w *Worker) unsealedKey(owner domain.Instance, place string, sealed []byte) (string, error) {
	key, keyPlace, ok := w.View.DataKey(owner)
	if !ok {
		return "", fmt.Errorf("the data key of instance %s of organization %s is missing", owner.ID, owner.Organization)
	}
	plain, err := w.Vault.Open(key, keyPlace, place, sealed)
	if err != nil {
		return "", fmt.Errorf("unsealing an API key: %w", err)
	}
	return string(plain), nil
}
