package graph

import (
	"iter"
	"slices"
	"strings"

	"heddle/domain"
	"heddle/projections"
	"heddle/store"
)

// listed is an integration in a list, or one of its versions behind it.
type listed struct {
	*projections.Listed
	version int // its number, 0 for the draft
}

func (l listed) show() Integration {
	if l.version == 0 {
		return Integration{integration: *l.Integration}
	}
	return at(*l.Integration, l.Versions[l.version-1].ID)
}

// integrationFilter selects integrations; a nil or empty field fits all.
type integrationFilter struct {
	name, description, category, createdBy *string
	labels                                 []string
	isTemplate                             *bool
	templateFor                            *TemplateFor
	marketplace                            *MarketplaceConfiguration
}

// fits returns the test for one integration. Only what is asked for is looked at.
func (f integrationFilter) fits() func(*projections.Listed) bool {
	var tests []func(*projections.Listed) bool
	and := func(test func(*projections.Listed) bool) { tests = append(tests, test) }
	if part := strings.ToLower(deref(f.name)); part != "" {
		and(func(l *projections.Listed) bool { return strings.Contains(l.Name, part) })
	}
	if deref(f.description) != "" {
		said := contains(f.description)
		and(func(l *projections.Listed) bool { return said(l.Summary.Text("description")) })
	}
	if deref(f.category) != "" {
		and(func(l *projections.Listed) bool { return strings.EqualFold(*f.category, l.Summary.Text("category")) })
	}
	if deref(f.createdBy) != "" {
		and(func(l *projections.Listed) bool { return l.CreatedBy == *f.createdBy })
	}
	for _, label := range f.labels {
		and(func(l *projections.Listed) bool {
			return slices.ContainsFunc(labelsIn(l.Summary),
				func(has string) bool { return strings.EqualFold(has, strings.TrimSpace(label)) })
		})
	}
	if f.isTemplate != nil {
		and(func(l *projections.Listed) bool {
			return templateFor(offered(*l.Integration)) != TemplateForNobody == *f.isTemplate
		})
	}
	if f.templateFor != nil {
		and(func(l *projections.Listed) bool { return templateFor(offered(*l.Integration)) == *f.templateFor })
	}
	if f.marketplace != nil {
		and(func(l *projections.Listed) bool {
			return inMarket(*l.Integration).Configuration == string(*f.marketplace)
		})
	}
	return func(l *projections.Listed) bool {
		for _, test := range tests {
			if !test(l) {
				return false
			}
		}
		return true
	}
}

// integrations yields the drafts of an organization, each with its versions behind it where asked for. For
// an order that descends it begins with the newest: what was made last was mostly edited last, too, and the
// first page of a list is found soonest where it is come upon first.
func (r *Resolver) integrations(organization string, allVersions bool, order sorting[listed],
	fits func(*projections.Listed) bool) iter.Seq2[store.Position, listed] {
	return func(yield func(store.Position, listed) bool) {
		for since, i := range r.View.EachListed(organization, len(order.down) > 0 && order.down[0]) {
			if !i.Shown || !fits(i) {
				continue
			}
			if !yield(since*versionSpan, listed{i, 0}) {
				return
			}
			if !allVersions {
				continue
			}
			for n := range i.Versions {
				if !yield(since*versionSpan+store.Position(n+1), listed{i, n + 1}) {
					return
				}
			}
		}
	}
}

// versionSpan leaves room between two drafts' cursors for the versions of the first.
const versionSpan = 1 << 20

// sortedIntegrations reads an order. Versions stay behind their draft.
func sortedIntegrations(by []IntegrationOrder) (s sorting[listed]) {
	for _, o := range by {
		s.and(string(o.Field), o.Direction, map[IntegrationOrderField]func(listed) sortKey{
			IntegrationOrderFieldName:          func(l listed) sortKey { return byFolded(l.Name) },
			IntegrationOrderFieldCategory:      func(l listed) sortKey { return byText(l.Summary.Text("category")) },
			IntegrationOrderFieldCreatedAt:     func(l listed) sortKey { return byTime(l.CreatedAt) },
			IntegrationOrderFieldUpdatedAt:     func(l listed) sortKey { return byTime(l.UpdatedAt) },
			IntegrationOrderFieldVersionNumber: func(l listed) sortKey { return byNumber(len(l.Versions)) },
		}[o.Field])
	}
	return s
}

// sortedVersions reads an order of versions, by number unless told otherwise.
func sortedVersions(by []VersionOrder) (s sorting[Integration]) {
	for _, o := range by {
		s.and(string(o.Field), o.Direction, map[VersionOrderField]func(Integration) sortKey{
			VersionOrderFieldVersionNumber: func(i Integration) sortKey { return byNumber(i.VersionNumber()) },
		}[o.Field])
	}
	return s
}

// versions yields the published versions of an integration, each at its number.
func versions(i domain.Integration) iter.Seq2[uint64, Integration] {
	return func(yield func(uint64, Integration) bool) {
		for n := range i.Versions {
			if !yield(uint64(n+1), Integration{integration: i, version: &i.Versions[n]}) {
				return
			}
		}
	}
}

func sortedCustomers(by []CustomerOrder) (s sorting[domain.Customer]) {
	for _, o := range by {
		s.and(string(o.Field), o.Direction, map[CustomerOrderField]func(domain.Customer) sortKey{
			CustomerOrderFieldName:       func(c domain.Customer) sortKey { return byText(c.Name) },
			CustomerOrderFieldExternalID: func(c domain.Customer) sortKey { return byText(c.ExternalID) },
			CustomerOrderFieldCreatedAt:  func(c domain.Customer) sortKey { return byTime(c.CreatedAt) },
		}[o.Field])
	}
	return s
}

func (r *Resolver) sortedInstances(by []InstanceOrder) (s sorting[domain.Instance]) {
	for _, o := range by {
		s.and(string(o.Field), o.Direction, map[InstanceOrderField]func(domain.Instance) sortKey{
			InstanceOrderFieldName:           func(i domain.Instance) sortKey { return byText(i.Name) },
			InstanceOrderFieldCreatedAt:      func(i domain.Instance) sortKey { return byTime(i.CreatedAt) },
			InstanceOrderFieldLastDeployedAt: func(i domain.Instance) sortKey { return byTime(i.DeployedAt) },
			InstanceOrderFieldCustomer: func(i domain.Instance) sortKey {
				c, _ := r.View.Customers.Get(i.Organization, i.Customer)
				return byText(c.Name)
			},
		}[o.Field])
	}
	return s
}

// offered is a version as a template; of an integration the one that is offered.
func offered(i domain.Integration) domain.Template {
	v, _ := i.Offered()
	return v.Template
}

func templateFor(t domain.Template) TemplateFor {
	if t == domain.NoTemplate {
		return TemplateForNobody
	}
	return TemplateFor(t)
}

func inMarket(i domain.Integration) domain.Marketplace {
	v, _ := i.InMarket()
	return v.Market()
}
