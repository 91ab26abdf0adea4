package projections

import (
	"container/list"
	"context"
	"fmt"
	"sync"

	"heddle/domain"
	"heddle/domain/definition"
	"heddle/domain/refusal"
	"heddle/store"
	"heddle/store/blobs"
)

// Definitions reads whole definitions on use, through a bounded cache: the View holds summaries only.
type Definitions struct {
	blobs *blobs.Store
	limit int // bytes of encoded definitions

	mu     sync.Mutex
	held   int
	order  *list.List // of *cached, the one used last in front
	byHash map[string]*list.Element
}

type cached struct {
	hash string
	size int
	node *definition.Part
}

// NewDefinitions makes a cache that holds decoded definitions of at most limit bytes, counted encoded.
func NewDefinitions(kept *blobs.Store, limit int) *Definitions {
	return &Definitions{blobs: kept, limit: limit, order: list.New(), byHash: map[string]*list.Element{}}
}

// Get returns the definition with a hash.
func (d *Definitions) Get(ctx context.Context, organization, hash string) (*definition.Part, error) {
	key := organization + "/" + hash
	if node := d.lookup(key); node != nil {
		return node, nil
	}
	data, err := d.blobs.GetContent(ctx, organization, hash)
	if refusal.CodeOf(err) == refusal.NotFound { // an event names it, so its absence is damage, not a refusal
		return nil, fmt.Errorf("definition %s is missing: %v", hash, err)
	}
	if err != nil {
		return nil, fmt.Errorf("reading definition %s: %w", hash, err)
	}
	node, err := definition.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("definition %s: %w", hash, err)
	}
	d.add(key, len(data), node)
	return node, nil
}

// Save makes a definition durable and returns its hash, before an event names it.
func (d *Definitions) Save(ctx context.Context, organization string, node *definition.Part) (string, error) {
	data, err := definition.Encode(node)
	if err != nil {
		return "", fmt.Errorf("encoding definition: %w", err)
	}
	hash, err := d.blobs.PutContent(ctx, organization, data)
	if err != nil {
		return "", fmt.Errorf("saving definition: %w", err)
	}
	d.add(organization+"/"+hash, len(data), node)
	return hash, nil
}

func (d *Definitions) lookup(key string) *definition.Part {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.byHash[key]; e != nil {
		d.order.MoveToFront(e)
		return e.Value.(*cached).node
	}
	return nil
}

func (d *Definitions) add(key string, size int, node *definition.Part) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byHash[key] != nil {
		return
	}
	d.byHash[key] = d.order.PushFront(&cached{key, size, node})
	for d.held += size; d.held > d.limit; {
		oldest := d.order.Remove(d.order.Back()).(*cached)
		delete(d.byHash, oldest.hash)
		d.held -= oldest.size
	}
}

// Content returns the definition of a version or, without one, the newest content of an integration: its main
// draft, which is returned too, or else the newest version.
func (d *Definitions) Content(ctx context.Context, log store.Log, i domain.Integration,
	v *domain.Version) (*definition.Part, domain.Draft, error) {
	if v == nil {
		id, _ := i.MainDraft()
		draft, _, err := store.Load(ctx, log, domain.Drafts, id)
		if err != nil || draft.ID != "" {
			return draft.Definition, draft, err
		}
		newest, ok := i.Newest()
		if !ok {
			return nil, draft, refusal.ForField(refusal.NotFound, "id", "Record not found: draft")
		}
		v = &newest
	}
	def, err := d.Get(ctx, i.Organization, v.Definition)
	return def, domain.Draft{}, err
}
