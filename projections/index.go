package projections

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"heddle/domain"
	"heddle/store"
)

// indexUser keeps tokens findable by their hash.
func (v *View) indexUser(_, u domain.User, _ applied[domain.User]) domain.User {
	for _, t := range u.Tokens {
		if t.RevokedAt.IsZero() {
			v.tokens[t.Hash] = tokenOwner{user: u.ID, token: t.ID}
		} else {
			delete(v.tokens, t.Hash)
		}
	}
	return u
}

// indexIntegration keeps versions and attachments findable. While the main draft is closed, lists show a named
// draft that became the newest version.
func (v *View) indexIntegration(before, i domain.Integration, by applied[domain.Integration]) domain.Integration {
	l := v.listing(i.ID)
	if newest, ok := i.Newest(); ok && v.versions[newest.ID] == "" {
		v.versions[newest.ID] = i.ID
		switch main, from := l.draft, v.Drafts.rows[newest.Draft]; {
		case main == nil || from == nil || from == main:
		case !from.State.Main && main.State.Closed != nil:
			v.follow(l, from)
		default:
			v.evict(from)
		}
	}
	switch e := by.event.(type) {
	case domain.AttachmentAdded:
		v.attached[e.Attachment] = i.ID
	case domain.AttachmentRemoved:
		delete(v.attached, e.Attachment)
	}
	l.update(func(now *Listed) { now.Integration = &i })
	if before.ID == "" {
		l.since = v.Integrations.rows[i.ID].Since
		v.lists[i.Organization] = append(v.lists[i.Organization], l)
	}
	return i
}

// indexDraft keeps the newest main draft of each integration and all open drafts findable; of every definition
// it keeps a summary only.
func (v *View) indexDraft(before, d domain.Draft, by applied[domain.Draft]) domain.Draft {
	l, this := v.listing(d.Integration), v.Drafts.rows[d.ID]
	v.indexNotification(domain.NotificationOf(before, d, by.event, by.meta), d, by)
	if d.Main && before.ID == "" {
		v.follow(l, this)
	}
	if d.Closed != nil || !d.RemovedAt.IsZero() {
		delete(v.open[d.Organization], d.ID)
	} else if v.open[d.Organization] == nil {
		v.open[d.Organization] = map[string]*row[domain.Draft]{d.ID: this}
	} else {
		v.open[d.Organization][d.ID] = this
	}
	if d.Schedule != nil && d.Closed == nil {
		v.scheduled[d.ID] = v.Drafts.rows[d.ID]
	} else {
		delete(v.scheduled, d.ID)
	}
	if d = d.Summarized(before); !d.RemovedAt.IsZero() {
		d.Definition, d.Threads = nil, nil
	}
	if l.draft == this {
		l.update(func(now *Listed) { now.draft(d) })
	}
	return d
}

// evict drops a published draft from memory and remembers only its integration: the draft never changes again,
// and its readers use the log.
func (v *View) evict(draft *row[domain.Draft]) {
	d := draft.State
	if d.Closed == nil || v.versions[d.Closed.Version] != d.Integration {
		draft.State.Definition = nil
		return
	}
	v.Drafts.drop(d.ID)
	v.ended[d.ID] = v.listing(d.Integration)
}

// Draft returns a draft. An evicted one is read from the log.
func (v *View) Draft(ctx context.Context, organization, id string) (d domain.Draft, ok bool, err error) {
	if d, ok := v.Drafts.Get(organization, id); ok {
		return d, true, nil
	}
	v.mu.RLock()
	l := v.ended[id]
	ok = l != nil && l.now.Organization == organization
	v.mu.RUnlock()
	if ok {
		d, _, err = store.Load(ctx, v.log, domain.Drafts, id)
	}
	return d, ok && err == nil, err
}

// OpenDrafts yields the open drafts of an organization, in the order in which they were opened.
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

// ScheduledDrafts lists the scheduled drafts of all organizations, in no order.
func (v *View) ScheduledDrafts() []domain.Draft {
	v.mu.RLock()
	defer v.mu.RUnlock()
	var list []domain.Draft
	for _, r := range v.scheduled {
		list = append(list, r.State)
	}
	return list
}

// TokenOwner returns the user and the token's id for a token's hash.
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

// IntegrationOf returns the integration of a version.
func (v *View) IntegrationOf(organization, version string) (domain.Integration, bool) {
	v.mu.RLock()
	id := v.versions[version]
	v.mu.RUnlock()
	return v.Integrations.Get(organization, id)
}

// AttachmentOf returns an attachment and its integration, unless that was removed.
func (v *View) AttachmentOf(organization, id string) (domain.Integration, domain.Attachment, bool) {
	v.mu.RLock()
	of := v.attached[id]
	v.mu.RUnlock()
	i, _ := v.Integrations.Get(organization, of)
	a, ok := i.Attachment(id)
	return i, a, ok && i.RemovedAt.IsZero()
}

// DataKey returns the wrapped data key for an instance's secrets, its customer's or else its organization's,
// and the key's associated data.
func (v *View) DataKey(i domain.Instance) (wrapped []byte, keyContext string, ok bool) {
	if i.Customer != "" {
		c, ok := v.Customers.Get(i.Organization, i.Customer)
		return c.Key, domain.CustomerKeyContext(c.ID), ok
	}
	o, ok := v.Organizations.Get(i.Organization, i.Organization)
	return o.Key, domain.OrganizationKeyContext(o.ID), ok
}
