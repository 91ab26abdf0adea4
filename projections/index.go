package projections

import (
	"cmp"
	"iter"
	"slices"

	"heddle/domain"
	"heddle/store"
)

// indexUser keeps tokens findable by their hash.
func (v *View) indexUser(_, u domain.User) domain.User {
	for _, t := range u.Tokens {
		if t.RevokedAt.IsZero() {
			v.tokens[t.Hash] = tokenOwner{user: u.ID, token: t.ID}
		} else {
			delete(v.tokens, t.Hash)
		}
	}
	return u
}

// indexIntegration keeps versions findable. What a named draft has become is what the main draft begins
// with, if that is not there.
func (v *View) indexIntegration(_, i domain.Integration) domain.Integration {
	newest, ok := i.Newest()
	if !ok || v.versions[newest.ID] != "" {
		return i
	}
	v.versions[newest.ID] = i.ID
	main, from := v.mains[i.ID], v.Drafts.rows[newest.Draft]
	switch {
	case main == nil || from == nil || from == main:
	case main.State.Closed != nil:
		main.State.Definition = nil
		v.mains[i.ID] = from
	default:
		from.State.Definition = nil
	}
	return i
}

// indexDraft keeps the newest main draft of each integration findable, and the drafts that have not
// ended; of every definition a summary only, and of a main draft that another follows nothing.
func (v *View) indexDraft(before, d domain.Draft) domain.Draft {
	if newest := v.mains[d.Integration]; d.Main && before.ID == "" {
		if newest != nil {
			newest.State.Definition = nil
		}
		v.mains[d.Integration] = v.Drafts.rows[d.ID]
	}
	if d.Closed != nil || !d.RemovedAt.IsZero() {
		delete(v.open[d.Organization], d.ID)
	} else if v.open[d.Organization] == nil {
		v.open[d.Organization] = map[string]*row[domain.Draft]{d.ID: v.Drafts.rows[d.ID]}
	} else {
		v.open[d.Organization][d.ID] = v.Drafts.rows[d.ID]
	}
	if d.Schedule != nil && d.Closed == nil {
		v.planned[d.ID] = v.Drafts.rows[d.ID]
	} else {
		delete(v.planned, d.ID)
	}
	if d = d.Summarized(before); !d.RemovedAt.IsZero() {
		d.Definition = nil
	}
	return d
}

// OpenDrafts yields the drafts of an organization that have neither ended nor become a version, in the
// order in which they were opened.
func (v *View) OpenDrafts(organization string) iter.Seq2[store.Position, domain.Draft] {
	return func(yield func(store.Position, domain.Draft) bool) {
		type open struct {
			at store.Position
			domain.Draft
		}
		v.mu.RLock()
		list := make([]open, 0, len(v.open[organization]))
		for _, r := range v.open[organization] {
			list = append(list, open{r.Since, r.State})
		}
		v.mu.RUnlock()
		slices.SortFunc(list, func(a, b open) int { return cmp.Compare(a.at, b.at) })
		for _, d := range list {
			if !yield(d.at, d.Draft) {
				return
			}
		}
	}
}

// PlannedDrafts lists the drafts of all organizations whose publishing is planned, in no order.
func (v *View) PlannedDrafts() []domain.Draft {
	v.mu.RLock()
	defer v.mu.RUnlock()
	var list []domain.Draft
	for _, r := range v.planned {
		list = append(list, r.State)
	}
	return list
}

// TokenOwner finds whom a token belongs to by its hash: the user and the token's id.
func (v *View) TokenOwner(hash string) (domain.User, string, bool) {
	v.mu.RLock()
	owner, ok := v.tokens[hash]
	v.mu.RUnlock()
	if !ok {
		return domain.User{}, "", false
	}
	u, ok := v.Users.Find(owner.user)
	return u, owner.token, ok
}

// MainDraft gives the newest main draft of an integration, with a summary for its definition. It
// is closed when the newest version was made from it and nobody has edited since.
func (v *View) MainDraft(integration string) (domain.Draft, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if r := v.mains[integration]; r != nil {
		return r.State, true
	}
	return domain.Draft{}, false
}

// Listed is an integration with what lists show of its definition.
type Listed struct {
	domain.Integration
	Summary *domain.Node // of its newest main draft
}

// EachListed yields an organization's integrations in the order of creation.
func (v *View) EachListed(organization string) iter.Seq2[store.Position, Listed] {
	return eachOf(&v.Integrations, organization, func(r *row[domain.Integration]) Listed {
		l := Listed{Integration: r.State}
		if draft := v.mains[r.State.ID]; draft != nil {
			l.Summary = draft.State.Definition
		}
		return l
	})
}

// IntegrationOf finds the integration that has a version.
func (v *View) IntegrationOf(organization, version string) (domain.Integration, bool) {
	v.mu.RLock()
	id := v.versions[version]
	v.mu.RUnlock()
	return v.Integrations.Get(organization, id)
}

// DataKey gives the wrapped data key for an instance's secrets, its customer's or else its
// organization's, and the place that the key is bound to.
func (v *View) DataKey(i domain.Instance) (wrapped []byte, place string, ok bool) {
	if i.Customer != "" {
		c, ok := v.Customers.Get(i.Organization, i.Customer)
		return c.Key, domain.CustomerKeyPlace(c.ID), ok
	}
	o, ok := v.Organizations.Get(i.Organization, i.Organization)
	return o.Key, domain.OrganizationKeyPlace(o.ID), ok
}
