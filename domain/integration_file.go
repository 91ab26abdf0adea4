package domain

import (
	"slices"
	"time"

	"heddle/domain/refusal"
)

// Icon is the picture of an integration. All versions share it.
type Icon struct {
	Hash string `json:"hash"` // of the content blob
	Size int    `json:"size"` // bytes
}

// Attachment is a file that is kept with an integration, for people to read.
type Attachment struct {
	ID      string
	Name    string
	Hash    string // of the content blob
	Size    int    // bytes
	AddedAt time.Time
	AddedBy string
}

// IconSet sets the integration's icon.
type IconSet struct {
	Icon
}

// Evolve implements [Event].
func (e IconSet) Evolve(i Integration, _ Meta) Integration {
	i.Icon = &e.Icon
	return i
}

// IconRemoved removes the icon.
type IconRemoved struct{}

// Evolve implements [Event].
func (IconRemoved) Evolve(i Integration, _ Meta) Integration {
	i.Icon = nil
	return i
}

// AttachmentAdded adds a file to the integration.
type AttachmentAdded struct {
	Attachment string `json:"attachment"` // id
	Name       string `json:"name"`
	Hash       string `json:"hash"` // of the content blob
	Size       int    `json:"size"` // bytes
}

// Evolve implements [Event].
func (e AttachmentAdded) Evolve(i Integration, m Meta) Integration {
	i.Attachments = append(slices.Clip(i.Attachments), Attachment{ID: e.Attachment, Name: e.Name, Hash: e.Hash,
		Size: e.Size, AddedAt: m.Time, AddedBy: m.Actor})
	return i
}

// AttachmentRemoved removes a file.
type AttachmentRemoved struct {
	Attachment string `json:"attachment"` // id
}

// Evolve implements [Event].
func (e AttachmentRemoved) Evolve(i Integration, _ Meta) Integration {
	i.Attachments = slices.DeleteFunc(slices.Clone(i.Attachments), func(a Attachment) bool {
		return a.ID == e.Attachment
	})
	return i
}

// SetIcon sets the icon, which [FileLimits.Redraw] has drawn; nil removes it.
func (i Integration) SetIcon(icon *Icon) (Changes[Integration], error) {
	err := i.there()
	switch {
	case err != nil, icon == nil && i.Icon == nil, icon != nil && i.Icon != nil && *icon == *i.Icon:
		return nil, err
	case icon == nil:
		return Changes[Integration]{IconRemoved{}}, nil
	}
	return Changes[Integration]{IconSet{Icon: *icon}}, nil
}

// AddAttachment adds a file to the integration; names may repeat. Adding a file twice changes nothing.
func (i Integration) AddAttachment(e AttachmentAdded, limits FileLimits) (Changes[Integration], error) {
	if err := i.there(); err != nil {
		return nil, err
	}
	if _, there := i.Attachment(e.Attachment); there {
		return nil, nil
	}
	if len(i.Attachments) >= limits.Attachments {
		return nil, refusal.New(refusal.Invalid,
			"the integration has %s and can't have more (HEDDLE_MAX_ATTACHMENTS); remove one first",
			refusal.Count(len(i.Attachments), "attachment"))
	}
	if err := limits.CheckName(e.Name); err != nil {
		return nil, err
	}
	return Changes[Integration]{e}, nil
}

// RemoveAttachment removes a file.
func (i Integration) RemoveAttachment(id string) (Changes[Integration], error) {
	if err := i.there(); err != nil {
		return nil, err
	}
	if _, there := i.Attachment(id); !there {
		return nil, refusal.ForField(refusal.NotFound, "attachment", "Record not found: attachment")
	}
	return Changes[Integration]{AttachmentRemoved{Attachment: id}}, nil
}

// Attachment returns an attached file by its id.
func (i Integration) Attachment(id string) (Attachment, bool) {
	at := slices.IndexFunc(i.Attachments, func(a Attachment) bool { return a.ID == id })
	if at < 0 {
		return Attachment{}, false
	}
	return i.Attachments[at], true
}
