package eventstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"heddle/store"
)

// park sets a record aside, to be retried on request. If that can't be written, the group keeps retrying the
// record.
func (g *group) park(i *item, reason string) {
	meta, err := json.Marshal(map[string]any{"reason": reason, "added": time.Now().UTC(), "retries": i.retries})
	if err == nil {
		link := store.Event{ID: uuid.New(), Kind: "$>", Meta: meta,
			Data: fmt.Appendf(nil, "%d@%s", i.Revision, i.Stream)}
		_, err = g.server.log.Write(context.Background(), g.config.stream(parkedStream), store.AnyRevision,
			[]store.Event{link})
	}
	if err != nil {
		g.server.logger.Error("a record can't be parked", "stream", g.config.Source, "group", g.config.Name,
			"error", err)
		i.retries = 0
		g.waiting = append(g.waiting, i)
		return
	}
	g.finish(i)
}

// replay delivers parked records again, up to a number. They stay parked until they are handled.
func (g *group) replay(most int64) error {
	for link, err := range g.server.log.Read(context.Background(), g.config.stream(parkedStream), g.replayed) {
		if err != nil {
			return err
		}
		if most--; most < 0 {
			return nil
		}
		g.replayed = link.Revision + 1
		g.replaying[link.Revision] = true
		r, err := g.linked(link)
		if err != nil {
			return err
		}
		if r == nil { // the linked record is gone
			g.unpark(link.Revision)
			continue
		}
		g.waiting = append(g.waiting, &item{Recorded: *r, parked: link.Revision, replay: true})
	}
	return nil
}

func (g *group) linked(link store.Recorded) (*store.Recorded, error) {
	number, stream, _ := strings.Cut(string(link.Data), "@")
	revision, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("a parked record of %s on %s leads nowhere: %w", g.config.Name, g.config.Source, err)
	}
	page, err := g.server.log.PageDown(stream, store.Revision(revision), 1)
	if err != nil || len(page) == 0 || page[0].Revision != store.Revision(revision) {
		return nil, nil // removed or truncated
	}
	return &page[0], nil
}

// unpark forgets a parked record that was handled, once all before it are.
func (g *group) unpark(at store.Revision) {
	delete(g.replaying, at)
	before := g.replayed
	for open := range g.replaying {
		before = min(before, open)
	}
	if err := g.server.log.Drop(context.Background(), g.config.stream(parkedStream), store.AnyRevision,
		before); err != nil {
		g.server.logger.Error("parked records can't be forgotten", "stream", g.config.Source, "group", g.config.Name,
			"error", err)
	}
}

// parkedCount returns how many records are parked.
func (g *group) parkedCount() (n int64, err error) {
	for _, err := range g.server.log.Read(context.Background(), g.config.stream(parkedStream), 0) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}
