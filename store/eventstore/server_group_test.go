package eventstore

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"heddle/store/storetest"
)

const groupPatience = 20 * time.Second

func joined(t *testing.T, c *esdb.Client, stream, group string, buffer uint32) *esdb.PersistentSubscription {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), groupPatience)
	t.Cleanup(cancel)
	var s *esdb.PersistentSubscription
	var err error
	o := esdb.SubscribeToPersistentSubscriptionOptions{BufferSize: buffer}
	if stream == allStream {
		s, err = c.SubscribeToPersistentSubscriptionToAll(ctx, group, o)
	} else {
		s, err = c.SubscribeToPersistentSubscription(ctx, stream, group, o)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// given returns the next record of a consumer, which must be of a kind.
func given(t *testing.T, s *esdb.PersistentSubscription, kind string, retries int) *esdb.ResolvedEvent {
	t.Helper()
	e := s.Recv()
	if e.SubscriptionDropped != nil {
		t.Fatalf("dropped: %v, want %s", e.SubscriptionDropped.Error, kind)
	}
	if got := e.EventAppeared; got.Event.OriginalEvent().EventType != kind || got.RetryCount != retries {
		t.Fatalf("got %s after %d retries, want %s after %d", got.Event.OriginalEvent().EventType, got.RetryCount,
			kind, retries)
	}
	return e.EventAppeared.Event
}

func mustAck(t *testing.T, s *esdb.PersistentSubscription, events ...*esdb.ResolvedEvent) {
	t.Helper()
	if err := s.Ack(events...); err != nil {
		t.Fatal(err)
	}
}

// untilInfo waits until a group is as expected.
func untilInfo(t *testing.T, c *esdb.Client, stream, group, what string,
	is func(*esdb.PersistentSubscriptionInfo) bool) {
	t.Helper()
	for deadline := time.Now().Add(groupPatience); ; time.Sleep(10 * time.Millisecond) {
		info, err := c.GetPersistentSubscriptionInfo(context.Background(), stream, group,
			esdb.GetPersistentSubscriptionOptions{})
		if stream == allStream {
			info, err = c.GetPersistentSubscriptionInfoToAll(context.Background(), group,
				esdb.GetPersistentSubscriptionOptions{})
		}
		if err != nil {
			t.Fatal(err)
		}
		if is(info) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s: %+v", what, info.Stats)
		}
	}
}

func quickSettings(change func(*esdb.PersistentSubscriptionSettings)) *esdb.PersistentSubscriptionSettings {
	s := esdb.SubscriptionSettingsDefault()
	s.CheckpointLowerBound, s.CheckpointAfter = 1, 1
	if change != nil {
		change(&s)
	}
	return &s
}

func createGroup(t *testing.T, c *esdb.Client, stream, group string, from esdb.StreamPosition,
	settings *esdb.PersistentSubscriptionSettings) {
	t.Helper()
	err := c.CreatePersistentSubscription(context.Background(), stream, group,
		esdb.PersistentStreamSubscriptionOptions{StartFrom: from, Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
}

func addKinds(t *testing.T, c *esdb.Client, stream string, kinds ...string) {
	t.Helper()
	if _, err := c.AppendToStream(context.Background(), stream, esdb.AppendToStreamOptions{},
		proposals(kinds...)...); err != nil {
		t.Fatal(err)
	}
}

func TestGroupDelivers(t *testing.T) {
	onEach(t, func(t *testing.T, c *esdb.Client) {
		ctx := context.Background()
		addKinds(t, c, "s", "A", "B", "C")
		createGroup(t, c, "s", "g", esdb.Revision(1), quickSettings(func(s *esdb.PersistentSubscriptionSettings) {
			s.MaxRetryCount, s.MessageTimeout = 1, 200
		}))
		err := c.CreatePersistentSubscription(ctx, "s", "g", esdb.PersistentStreamSubscriptionOptions{})
		wantClientCode(t, "a group that exists", err, esdb.ErrorCodeResourceAlreadyExists)
		s := joined(t, c, "s", "g", 1)
		b := given(t, s, "B", 0) // the only one, as the buffer is 1
		given(t, s, "B", 1)      // after the time that it may take
		mustAck(t, s, b)
		skipped := given(t, s, "C", 0)
		if err := s.Nack("no", esdb.NackActionRetry, skipped); err != nil {
			t.Fatal(err)
		}
		if err := s.Nack("no", esdb.NackActionSkip, given(t, s, "C", 1)); err != nil {
			t.Fatal(err)
		}
		untilInfo(t, c, "s", "g", "a checkpoint", func(i *esdb.PersistentSubscriptionInfo) bool {
			return i.Stats.LastCheckpointedEventRevision != nil && *i.Stats.LastCheckpointedEventRevision == 2 &&
				i.Status == "Live" && len(i.Connections) == 1
		})
		addKinds(t, c, "s", "D", "E")
		if err := s.Nack("bad", esdb.NackActionPark, given(t, s, "D", 0)); err != nil {
			t.Fatal(err)
		}
		given(t, s, "E", 0)
		given(t, s, "E", 1) // and then it is parked
		untilInfo(t, c, "s", "g", "two parked records", func(i *esdb.PersistentSubscriptionInfo) bool {
			return i.Stats.ParkedMessagesCount == 2
		})
		if err := c.ReplayParkedMessages(ctx, "s", "g", esdb.ReplayParkedMessagesOptions{StopAt: 1}); err != nil {
			t.Fatal(err)
		}
		mustAck(t, s, given(t, s, "D", 0))
		untilInfo(t, c, "s", "g", "one parked record", func(i *esdb.PersistentSubscriptionInfo) bool {
			return i.Stats.ParkedMessagesCount == 1
		})
		if err := c.ReplayParkedMessages(ctx, "s", "g", esdb.ReplayParkedMessagesOptions{}); err != nil {
			t.Fatal(err)
		}
		mustAck(t, s, given(t, s, "E", 0))
		untilInfo(t, c, "s", "g", "no parked record", func(i *esdb.PersistentSubscriptionInfo) bool {
			return i.Stats.ParkedMessagesCount == 0
		})
	})
}

func TestGroupToAll(t *testing.T) {
	onEach(t, func(t *testing.T, c *esdb.Client) {
		ctx := context.Background()
		addKinds(t, c, "s-1", "A")
		err := c.CreatePersistentSubscriptionToAll(ctx, "g",
			esdb.PersistentAllSubscriptionOptions{StartFrom: esdb.Start{}, Settings: quickSettings(nil),
				Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"s-"}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.CreatePersistentSubscriptionToAll(ctx, "end",
			esdb.PersistentAllSubscriptionOptions{StartFrom: esdb.End{}, Settings: quickSettings(nil)}); err != nil {
			t.Fatal(err)
		}
		addKinds(t, c, "t-1", "X")
		addKinds(t, c, "s-2", "B")
		s := joined(t, c, allStream, "g", 10)
		mustAck(t, s, given(t, s, "A", 0), given(t, s, "B", 0))
		end := joined(t, c, allStream, "end", 100)
		for e := range 20 { // the group's own records are not among them, or it would never end
			r := end.Recv()
			if r.SubscriptionDropped != nil {
				t.Fatal(r.SubscriptionDropped.Error)
			}
			event := r.EventAppeared.Event
			mustAck(t, end, event)
			if strings.HasPrefix(event.OriginalEvent().StreamID, groupPrefix) || e > 4 {
				t.Fatalf("got %s", event.OriginalEvent().StreamID)
			}
			if event.OriginalEvent().EventType == "B" {
				break
			}
		}
		untilInfo(t, c, allStream, "g", "a checkpoint", func(i *esdb.PersistentSubscriptionInfo) bool {
			return i.Stats.LastCheckpointedPosition != nil
		})
		list, err := c.ListPersistentSubscriptionsToAll(ctx, esdb.ListPersistentSubscriptionsOptions{})
		if err != nil || len(list) != 2 || list[0].GroupName != "end" || list[0].Settings.StartFrom != (esdb.End{}) {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

func TestGroupIsManaged(t *testing.T) {
	onEach(t, func(t *testing.T, c *esdb.Client) {
		ctx := context.Background()
		createGroup(t, c, "s", "g", esdb.Start{}, quickSettings(func(s *esdb.PersistentSubscriptionSettings) {
			s.MaxSubscriberCount = 1
		}))
		createGroup(t, c, "t", "h", esdb.Start{}, quickSettings(nil))
		one := joined(t, c, "s", "g", 1)
		_, err := c.SubscribeToPersistentSubscription(ctx, "s", "g", esdb.SubscribeToPersistentSubscriptionOptions{})
		if err == nil {
			t.Error("a second consumer where one may be")
		}
		if err := c.UpdatePersistentSubscription(ctx, "s", "g",
			esdb.PersistentStreamSubscriptionOptions{StartFrom: esdb.Start{},
				Settings: quickSettings(func(s *esdb.PersistentSubscriptionSettings) {
					s.MaxSubscriberCount, s.ConsumerStrategyName = 2, esdb.ConsumerStrategyDispatchToSingle
				})}); err != nil {
			t.Fatal(err)
		}
		if e := one.Recv(); e.SubscriptionDropped == nil {
			t.Error("an update drops no consumer")
		}
		untilInfo(t, c, "s", "g", "the update", func(i *esdb.PersistentSubscriptionInfo) bool {
			return i.Settings.ConsumerStrategyName == esdb.ConsumerStrategyDispatchToSingle &&
				i.Settings.MaxSubscriberCount == 2
		})
		a, b := joined(t, c, "s", "g", 2), joined(t, c, "s", "g", 2)
		addKinds(t, c, "s", "A", "B", "C")
		given(t, a, "A", 0) // and B, as there is room for it
		given(t, b, "C", 0)
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		given(t, b, "A", 0) // a consumer's unhandled records go to another when it leaves
		list, err := c.ListAllPersistentSubscriptions(ctx, esdb.ListPersistentSubscriptionsOptions{})
		if err != nil || len(list) != 2 {
			t.Errorf("%+v, %v", list, err)
		}
		if err := c.RestartPersistentSubscriptionSubsystem(ctx,
			esdb.RestartPersistentSubscriptionSubsystemOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := c.DeletePersistentSubscription(ctx, "s", "g",
			esdb.DeletePersistentSubscriptionOptions{}); err != nil {
			t.Fatal(err)
		}
		for what, err := range map[string]error{
			"delete": c.DeletePersistentSubscription(ctx, "s", "g", esdb.DeletePersistentSubscriptionOptions{}),
			"update": c.UpdatePersistentSubscription(ctx, "s", "g", esdb.PersistentStreamSubscriptionOptions{}),
			"replay": c.ReplayParkedMessages(ctx, "s", "g", esdb.ReplayParkedMessagesOptions{}),
		} {
			wantClientCode(t, what+" of a group that is gone", err, esdb.ErrorCodeResourceNotFound)
		}
		_, err = c.SubscribeToPersistentSubscription(ctx, "s", "g", esdb.SubscribeToPersistentSubscriptionOptions{})
		wantClientCode(t, "joining a group that is gone", err, esdb.ErrorCodeResourceNotFound)
		_, err = c.ListPersistentSubscriptionsForStream(ctx, "s", esdb.ListPersistentSubscriptionsOptions{})
		wantClientCode(t, "listing none", err, esdb.ErrorCodeResourceNotFound)
	})
}

// TestGroupLasts stops a server and starts another: the groups exist, continue where they were, and parked
// records stay parked.
func TestGroupLasts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	t.Run("before", func(t *testing.T) {
		c := officialClient(t, storetest.SQLite(t, path))
		addKinds(t, c, "s", "A", "B", "C", "D")
		createGroup(t, c, "s", "g", esdb.Start{}, quickSettings(nil))
		s := joined(t, c, "s", "g", 10)
		mustAck(t, s, given(t, s, "A", 0))
		if err := s.Nack("bad", esdb.NackActionPark, given(t, s, "B", 0)); err != nil {
			t.Fatal(err)
		}
		given(t, s, "C", 0)
		mustAck(t, s, given(t, s, "D", 0)) // out of turn: the checkpoint waits for C
		untilInfo(t, c, "s", "g", "the checkpoint", func(i *esdb.PersistentSubscriptionInfo) bool {
			return i.Stats.LastCheckpointedEventRevision != nil && *i.Stats.LastCheckpointedEventRevision == 1
		})
	})
	t.Run("after", func(t *testing.T) {
		c := officialClient(t, storetest.SQLite(t, path))
		s := joined(t, c, "s", "g", 10)
		mustAck(t, s, given(t, s, "C", 0), given(t, s, "D", 0))
		if err := c.ReplayParkedMessages(context.Background(), "s", "g",
			esdb.ReplayParkedMessagesOptions{}); err != nil {
			t.Fatal(err)
		}
		mustAck(t, s, given(t, s, "B", 0))
		addKinds(t, c, "s", "E")
		mustAck(t, s, given(t, s, "E", 0))
	})
}

// TestGroupShares has several consumers handle many records, each some at a time; one of them comes and goes:
// every record is handled.
func TestGroupShares(t *testing.T) {
	onEach(t, func(t *testing.T, c *esdb.Client) {
		for n, strategy := range []esdb.ConsumerStrategy{esdb.ConsumerStrategyRoundRobin,
			esdb.ConsumerStrategyDispatchToSingle, esdb.ConsumerStrategyPinned} {
			stream := fmt.Sprint("s-", n)
			const records = 300
			createGroup(t, c, stream, "g", esdb.Start{}, quickSettings(func(s *esdb.PersistentSubscriptionSettings) {
				s.ConsumerStrategyName, s.HistoryBufferSize = strategy, 50
			}))
			leaving := joined(t, c, stream, "g", 5)
			go leaving.Recv() // and nothing more, until it leaves
			got := make(chan uint64, 3*records)
			for range 3 {
				s := joined(t, c, stream, "g", 7)
				go func() {
					for {
						e := s.Recv()
						if e.SubscriptionDropped != nil || s.Ack(e.EventAppeared.Event) != nil {
							return
						}
						got <- e.EventAppeared.Event.OriginalEvent().EventNumber
					}
				}()
			}
			addKinds(t, c, stream, strings.Fields(strings.Repeat("E ", records))...)
			if err := leaving.Close(); err != nil {
				t.Fatal(err)
			}
			seen := map[uint64]bool{}
			for len(seen) < records {
				select {
				case r := <-got:
					seen[r] = true
				case <-time.After(groupPatience):
					t.Fatalf("%s: %d of %d", strategy, len(seen), records)
				}
			}
		}
	})
}
