package domain

import (
	"slices"
	"time"

	"heddle/domain/refusal"
)

// Integration is a set of flows, built once and deployed to many customers. Its content is in its drafts and in
// its published versions, which never change.
type Integration struct {
	ID           string
	Organization string
	Parent       string    // the integration or version that it was copied from
	Versions     []Version // by number, from 1
	Icon         *Icon     // nil for none
	Attachments  []Attachment
	Policy       *ReviewPolicy // nil if the organization's policy applies
	RemovedAt    time.Time     // zero while the integration exists
	CreatedAt    time.Time
	CreatedBy    string
}

// Version is a published state of an integration.
type Version struct {
	ID          string
	Number      int
	Note        string
	Labels      []string // of the version itself; the integration's are in the definition
	Unavailable bool     // it can neither be deployed nor chosen for an instance
	Template    Template
	Marketplace *Marketplace // nil for what the marketplace does not have
	Attributes  string       // JSON from the publisher's tools, such as the commit it was built from
	Definition  string       // hash of the definition's content blob
	Draft       string       // the draft that became this version
	PublishedAt time.Time
	PublishedBy string
}

// Integrations is the category of [Integration].
var Integrations = NewCategory("integration",
	Kind[IntegrationCreated]("IntegrationCreated"),
	Kind[IntegrationPublished]("IntegrationPublished"),
	Kind[VersionUpdated]("VersionUpdated"),
	Kind[VersionAvailabilitySet]("VersionAvailabilitySet"),
	Kind[TemplateSet]("TemplateSet"),
	Kind[MarketplaceSet]("MarketplaceSet"),
	Kind[IconSet]("IconSet"),
	Kind[IconRemoved]("IconRemoved"),
	Kind[AttachmentAdded]("AttachmentAdded"),
	Kind[AttachmentRemoved]("AttachmentRemoved"),
	Kind[ReviewPolicySet]("ReviewPolicySet"),
	Kind[IntegrationRemoved]("IntegrationRemoved"),
).With(Traits{InView: true, Audited: true})

// IntegrationCreated is the first event of an integration. Its main draft, opened just before, holds the
// content.
type IntegrationCreated struct {
	Parent string `json:"parent,omitempty"` // the integration or version that it was copied from
	Icon   *Icon  `json:"icon,omitempty"`   // the parent's
}

// Evolve implements [Event].
func (e IntegrationCreated) Evolve(_ Integration, m Meta) Integration {
	return Integration{ID: m.Aggregate, Organization: m.Organization, Parent: e.Parent, Icon: e.Icon, CreatedAt: m.Time,
		CreatedBy: m.Actor}
}

// IntegrationPublished adds a version.
type IntegrationPublished struct {
	Version    string `json:"version"` // id
	Number     int    `json:"number"`
	Note       string `json:"note,omitempty"`
	Attributes string `json:"attributes,omitempty"`
	Definition string `json:"definition"` // hash of the content blob
	Draft      string `json:"draft"`
}

// Evolve implements [Event].
func (e IntegrationPublished) Evolve(i Integration, m Meta) Integration {
	i.Versions = slices.Concat(i.Versions, []Version{{ID: e.Version, Number: e.Number, Note: e.Note,
		Attributes: e.Attributes, Definition: e.Definition, Draft: e.Draft, PublishedAt: m.Time, PublishedBy: m.Actor}})
	return i
}

// Create makes the integration, once.
func (i Integration) Create(e IntegrationCreated) (Changes[Integration], error) {
	if i.ID != "" {
		return nil, nil
	}
	return Changes[Integration]{e}, nil
}

// Publish adds the version that a draft, based on version base, was closed for. Publishing it again changes
// nothing.
func (i Integration) Publish(draft, base string, c DraftClosed) (Changes[Integration], error) {
	if err := i.there(); err != nil {
		return nil, err
	}
	if _, there := i.Version(c.Version); there {
		return nil, nil
	}
	if err := i.UpToDate(base); err != nil {
		return nil, err
	}
	return Changes[Integration]{IntegrationPublished{Version: c.Version, Number: len(i.Versions) + 1, Note: c.Note,
		Attributes: c.Attributes, Definition: c.Definition, Draft: draft}}, nil
}

// UpToDate refuses a draft whose base is no longer the newest version.
func (i Integration) UpToDate(base string) error {
	if newest, ok := i.Newest(); ok && newest.ID != base {
		return refusal.ForField(refusal.Conflict, "id",
			"version %d was published since the draft was begun; rebase the draft onto it first", newest.Number)
	}
	return nil
}

// MainDraft returns the id of the main draft to edit now, whether or not it exists, and how many versions were
// made from main drafts before it.
func (i Integration) MainDraft() (id string, before int) {
	id = MainDraftID(i.ID, 0)
	for _, v := range i.Versions {
		if v.Draft == id {
			before++
			id = MainDraftID(i.ID, before)
		}
	}
	return id, before
}

// Version returns a published version by its id.
func (i Integration) Version(id string) (Version, bool) {
	for _, v := range i.Versions {
		if v.ID == id {
			return v, true
		}
	}
	return Version{}, false
}

// Newest returns the version published last, if any.
func (i Integration) Newest() (Version, bool) {
	if len(i.Versions) == 0 {
		return Version{}, false
	}
	return i.Versions[len(i.Versions)-1], true
}
