package domain

import (
	"slices"

	"heddle/domain/refusal"
)

// VersionUpdated sets the fields of a version that are not nil.
type VersionUpdated struct {
	Version string    `json:"version"` // id
	Note    *string   `json:"note,omitempty"`
	Labels  *[]string `json:"labels,omitempty"`
}

// Evolve implements [Event].
func (e VersionUpdated) Evolve(i Integration, _ Meta) Integration {
	return i.withVersion(e.Version, func(v *Version) {
		set(&v.Note, e.Note)
		set(&v.Labels, e.Labels)
	})
}

// VersionAvailabilitySet says whether a version can be deployed and chosen for instances. Instances that run it
// continue.
type VersionAvailabilitySet struct {
	Version   string `json:"version"` // id
	Available bool   `json:"available"`
}

// Evolve implements [Event].
func (e VersionAvailabilitySet) Evolve(i Integration, _ Meta) Integration {
	return i.withVersion(e.Version, func(v *Version) { v.Unavailable = !e.Available })
}

// IntegrationRemoved ends the integration. Its instances are removed next; its events stay.
type IntegrationRemoved struct{}

// Evolve implements [Event].
func (IntegrationRemoved) Evolve(i Integration, m Meta) Integration {
	i.RemovedAt = m.Time
	return i
}

func (i Integration) withVersion(id string, change func(*Version)) Integration {
	i.Versions = slices.Clone(i.Versions)
	for n := range i.Versions {
		if i.Versions[n].ID == id {
			change(&i.Versions[n])
		}
	}
	return i
}

// UpdateVersion changes the note or the labels of a version.
func (i Integration) UpdateVersion(e VersionUpdated) (Changes[Integration], error) {
	v, err := i.published(e.Version)
	if err != nil {
		return nil, err
	}
	if e.Note != nil && *e.Note == v.Note {
		e.Note = nil
	}
	if e.Labels != nil {
		labels := Labels(*e.Labels)
		if e.Labels = &labels; slices.Equal(labels, v.Labels) {
			e.Labels = nil
		}
	}
	if e.Note == nil && e.Labels == nil {
		return nil, nil
	}
	return Changes[Integration]{e}, nil
}

// SetAvailability makes a version available or unavailable.
func (i Integration) SetAvailability(version string, available bool) (Changes[Integration], error) {
	v, err := i.published(version)
	if err != nil || v.Unavailable == !available {
		return nil, err
	}
	return Changes[Integration]{VersionAvailabilitySet{Version: version, Available: available}}, nil
}

// Remove ends the integration. Removing twice changes nothing.
func (i Integration) Remove() (Changes[Integration], error) {
	if !i.RemovedAt.IsZero() {
		return nil, nil
	}
	if err := i.there(); err != nil {
		return nil, err
	}
	return Changes[Integration]{IntegrationRemoved{}}, nil
}

func (i Integration) there() error {
	if i.ID == "" || !i.RemovedAt.IsZero() {
		return refusal.ForField(refusal.NotFound, "id", "Record not found: integration")
	}
	return nil
}

func (i Integration) published(version string) (Version, error) {
	v, ok := i.Version(version)
	if err := i.there(); err != nil || ok {
		return v, err
	}
	return v, refusal.ForField(refusal.NotFound, "id", "Record not found: version")
}

// VersionToDeploy returns the version to deploy or choose: the named one or, for "", the newest available one.
func (i Integration) VersionToDeploy(version string) (Version, error) {
	for _, v := range slices.Backward(i.Versions) {
		switch {
		case version == "" && !v.Unavailable, version == v.ID && !v.Unavailable:
			return v, nil
		case version == v.ID:
			return v, refusal.ForField(refusal.Invalid, "integration",
				"version %d is not available; make it available, or choose another", v.Number)
		}
	}
	if version == "" && len(i.Versions) > 0 {
		return Version{}, refusal.ForField(refusal.Invalid, "integration",
			"has no available version; make one available first")
	}
	return Version{}, refusal.ForField(refusal.Invalid, "integration", "has no published version; publish it first")
}
