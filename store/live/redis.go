package live

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// livePrefix separates our keys and channels from others' in the same Redis.
const livePrefix = "heddle:"

// subscribeWait is how long Subscribe waits for an unreachable Redis. The subscription is made once it is back.
const subscribeWait = 200 * time.Millisecond

// Redis is a [Live] for all processes that use one Redis. All its subscriptions share one connection, which is
// reopened when lost; messages published meanwhile are missed.
type Redis struct {
	client redis.UniversalClient
	pubsub *redis.PubSub
	here   *Memory // distributes messages from Redis in this process

	mu      sync.Mutex
	topics  map[string]*liveTopic // by Redis channel or pattern
	changed []string              // topics whose first subscriber has come or whose last has gone
	change  chan struct{}         // one slot: there are changed topics

	done    chan struct{}
	working sync.WaitGroup
}

// allEnds is the pattern that Redis is asked for once somebody waits for the end of an execution: a
// subscription for each end would cost two commands each, and a wait.
const allEnds = endTopics + "*"

// asked returns the channel or pattern that makes Redis send a topic's messages.
func asked(topic string) string {
	if strings.HasPrefix(topic, endTopics) {
		return allEnds
	}
	return topic
}

// liveTopic is a topic, or all ends, with subscribers in this process.
type liveTopic struct {
	subscribers int
	confirm     func()        // closes confirmed
	confirmed   chan struct{} // Redis has confirmed the subscription
}

// NewRedis returns a Live on a Redis, whose client it closes in the end.
func NewRedis(client redis.UniversalClient) *Redis {
	l := &Redis{client: client, pubsub: client.Subscribe(context.Background()), here: NewMemory(),
		topics: map[string]*liveTopic{}, change: make(chan struct{}, 1), done: make(chan struct{})}
	received := l.pubsub.ChannelWithSubscriptions()
	l.working.Go(func() { l.receive(received) })
	l.working.Go(l.keepSubscribed)
	return l
}

// Close ends all subscriptions, without closing their channels.
func (l *Redis) Close() error {
	close(l.done)
	err := l.pubsub.Close() // ends receive
	l.working.Wait()
	return errors.Join(err, l.client.Close())
}

// receive passes on messages from Redis until the connection is closed for good.
func (l *Redis) receive(received <-chan any) {
	for message := range received {
		switch m := message.(type) {
		case *redis.Message:
			// it never fails
			_ = l.here.Publish(context.Background(), strings.TrimPrefix(m.Channel, livePrefix), []byte(m.Payload))
		case *redis.Subscription:
			l.mu.Lock()
			if t := l.topics[strings.TrimPrefix(m.Channel, livePrefix)]; t != nil &&
				(m.Kind == "subscribe" || m.Kind == "psubscribe") {
				t.confirm()
			}
			l.mu.Unlock()
		}
	}
}

// keepSubscribed tells Redis which topics this process wants. One goroutine does it, so that a subscription and
// its end can't overtake each other, and nobody waits for an unreachable Redis.
func (l *Redis) keepSubscribed() {
	for {
		select {
		case <-l.change:
		case <-l.done:
			return
		}
		l.mu.Lock()
		changed := l.changed
		l.changed = nil
		var wanted, unwanted []string
		for _, topic := range changed {
			if topic == allEnds {
				_ = l.pubsub.PSubscribe(context.Background(), livePrefix+topic)
			} else if l.topics[topic] != nil {
				wanted = append(wanted, livePrefix+topic)
			} else {
				unwanted = append(unwanted, livePrefix+topic)
			}
		}
		l.mu.Unlock()
		// Errors are those of the connection; the next one gets all subscriptions again.
		if len(unwanted) > 0 {
			_ = l.pubsub.Unsubscribe(context.Background(), unwanted...)
		}
		if len(wanted) > 0 {
			_ = l.pubsub.Subscribe(context.Background(), wanted...)
		}
	}
}

// tellChange must be called with the lock held.
func (l *Redis) tellChange(topic string) {
	l.changed = append(l.changed, topic)
	select {
	case l.change <- struct{}{}:
	default: // it will look
	}
}

// Publish implements [Live].
func (l *Redis) Publish(ctx context.Context, topic string, message []byte) error {
	return told("publishing to", topic, l.client.Publish(ctx, livePrefix+topic, message).Err())
}

// Subscribe implements [Live]. Messages published after it returns arrive, unless Redis is unreachable.
func (l *Redis) Subscribe(topic string) (<-chan []byte, func()) {
	messages, stop := l.here.Subscribe(topic)
	topic = asked(topic)
	l.mu.Lock()
	t := l.topics[topic]
	if t == nil {
		t = &liveTopic{confirmed: make(chan struct{})}
		t.confirm = sync.OnceFunc(func() { close(t.confirmed) })
		l.topics[topic] = t
		l.tellChange(topic)
	}
	t.subscribers++
	l.mu.Unlock()
	patience := time.NewTimer(subscribeWait)
	defer patience.Stop()
	select {
	case <-t.confirmed:
	case <-patience.C:
	case <-l.done:
	}
	return messages, sync.OnceFunc(func() {
		stop()
		l.mu.Lock()
		defer l.mu.Unlock()
		if t.subscribers--; t.subscribers == 0 && topic != allEnds {
			delete(l.topics, topic)
			l.tellChange(topic)
		}
	})
}

// Set implements [Live].
func (l *Redis) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return told("setting", key, l.client.Set(ctx, livePrefix+key, value, ttl).Err())
}

// Get implements [Live].
func (l *Redis) Get(ctx context.Context, key string) ([]byte, bool, error) {
	value, err := l.client.Get(ctx, livePrefix+key).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, false, nil
	}
	return value, err == nil, told("getting", key, err)
}

// Delete implements [Live].
func (l *Redis) Delete(ctx context.Context, key string) error {
	return told("deleting", key, l.client.Del(ctx, livePrefix+key).Err())
}

func told(doing, what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s %s in Redis: %w", doing, what, err)
	}
	return nil
}
