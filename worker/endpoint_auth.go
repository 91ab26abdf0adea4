package worker

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"

	"heddle/app/secrets"
	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
)

// apiKeyHeader is the header with an endpoint's API key.
const apiKeyHeader = "Api-Key"

// authorize checks the caller of a flow's endpoint by the flow's endpointSecurityType, and says what is missing.
// Source: execution-semantics, endpoint security.
func (q request) authorize(t target) error {
	security := t.flow.Text("endpointSecurityType")
	if security == "unsecured" {
		return nil
	}
	keys, err := q.w.keeper().FlowKeys(t.instance, t.flow.ID)
	if security == "organization" {
		keys, err = q.w.organizationKeys(t.instance, t.flow)
	}
	if err != nil {
		return err
	}
	needs := (security == "organization" || security == "customer_required") && !t.instance.System
	given := q.r.Header.Get(apiKeyHeader)
	switch {
	case len(keys) == 0 && needs:
		return refusal.New(refusal.Unauthenticated,
			"the flow's endpointSecurityType is %s, and no API key is set for it", security)
	case len(keys) == 0:
		return nil
	case given == "":
		return refusal.New(refusal.Unauthenticated, "this endpoint wants an API key in the header %s", apiKeyHeader)
	}
	asked := sha256.Sum256([]byte(given))
	for _, key := range keys {
		if have := sha256.Sum256([]byte(key)); subtle.ConstantTimeCompare(have[:], asked[:]) == 1 {
			return nil
		}
	}
	return refusal.New(refusal.Forbidden, "the API key in the header %s is not one of this endpoint's", apiKeyHeader)
}

// organizationKeys returns the API keys that a definition has for a flow's endpoint in all its instances. Old
// definitions hold them unsealed.
func (w *Worker) organizationKeys(instance domain.Instance, flow *definition.Part) (keys []string, err error) {
	for _, key := range flow.APIKeys() {
		if sealed, ok := definition.ReadSealedKey(key); ok {
			if key, err = w.organizationKey(instance.Organization, sealed); err != nil {
				return nil, err
			}
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func (w *Worker) organizationKey(organization string, sealed []byte) (string, error) {
	plain, err := w.keeper().Open(secrets.OfOrganization(organization), domain.OrganizationAPIKeyContext(organization),
		sealed)
	if err != nil {
		return "", fmt.Errorf("opening an API key of organization %s: %w", organization, err)
	}
	return string(plain), nil
}

// keeper opens secrets.
func (w *Worker) keeper() secrets.Keeper { return secrets.Keeper{View: w.View, Vault: w.Vault} }
