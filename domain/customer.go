package domain

import (
	"slices"
	"strings"
	"time"

	"heddle/domain/refusal"
)

// Customer is a party that instances are deployed to.
type Customer struct {
	ID           string
	Organization string
	Name         string
	Description  string
	ExternalID   string // the id of this customer in the organization's own product, unique when set
	Labels       []string
	Key          []byte // data key of the customer's secrets, wrapped by the master key
	CreatedAt    time.Time
}

// Customers is the category of [Customer].
var Customers = NewCategory("customer",
	Kind[CustomerCreated]("CustomerCreated"),
).With(Traits{InView: true, Audited: true})

// CustomerCreated is the first event of a customer.
type CustomerCreated struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	ExternalID  string   `json:"externalId,omitempty"`
	Labels      []string `json:"labels,omitempty"`
	Key         []byte   `json:"key"`
}

// Evolve implements [Event].
func (e CustomerCreated) Evolve(_ Customer, m Meta) Customer {
	return Customer{ID: m.Aggregate, Organization: m.Organization, Name: e.Name, Description: e.Description,
		ExternalID: e.ExternalID, Labels: e.Labels, Key: e.Key, CreatedAt: m.Time}
}

// Create makes the customer. The external id, if any, is claimed beforehand.
func (c Customer) Create(e CustomerCreated) (Changes[Customer], error) {
	if c.ID != "" {
		return nil, nil
	}
	if strings.TrimSpace(e.Name) == "" {
		return nil, refusal.ForField(refusal.Invalid, "name", "must not be empty")
	}
	e.Labels = Labels(e.Labels)
	return Changes[Customer]{e}, nil
}

// Labels normalizes labels: trimmed, lower case, each once, sorted.
func Labels(labels []string) []string {
	var clean []string
	for _, l := range labels {
		if l = strings.ToLower(strings.TrimSpace(l)); l != "" {
			clean = append(clean, l)
		}
	}
	slices.Sort(clean)
	return slices.Compact(clean)
}
