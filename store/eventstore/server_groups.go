package eventstore

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"heddle/store"
)

// groupsStream holds the configuration of all persistent subscriptions, complete in its newest record.
const groupsStream = "$persistentSubscriptionConfig"

// maxGroups is the largest number of persistent subscriptions.
const maxGroups = 256

// groups are the persistent subscriptions of a server: groups of consumers that share the records of a
// stream, and whose progress the server keeps.
type groups struct {
	server *Server
	ctx    context.Context
	cancel context.CancelFunc

	mu  sync.Mutex
	all map[groupKey]*group
}

func newGroups(s *Server) *groups {
	g := &groups{server: s, all: map[groupKey]*group{}}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g
}

// load starts the stored groups.
func (g *groups) load() error {
	newest, err := g.server.log.PageDown(groupsStream, math.MaxInt64, 1)
	if err != nil || len(newest) == 0 {
		return err
	}
	var kept []groupConfig
	if err := json.Unmarshal(newest[0].Data, &kept); err != nil {
		return err
	}
	for _, c := range kept {
		if c.Filter != nil {
			if err := c.Filter.compile(); err != nil {
				return err
			}
		}
		if g.all[c.key()], err = startGroup(g.ctx, g.server, c); err != nil {
			return err
		}
	}
	return nil
}

// keep writes the configuration of all groups.
func (g *groups) keep(ctx context.Context) error {
	kept := []groupConfig{}
	for _, one := range g.sorted() {
		kept = append(kept, one.config)
	}
	data, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return g.server.keepNewest(ctx, groupsStream, "$PersistentConfig", data)
}

// keepNewest appends to a stream of which only the last record matters.
func (s *Server) keepNewest(ctx context.Context, stream, kind string, data []byte) error {
	w, err := s.log.Write(ctx, stream, store.AnyRevision, []store.Event{{ID: uuid.New(), Kind: kind, Data: data}})
	if err != nil {
		return err
	}
	return s.log.Drop(ctx, stream, store.AnyRevision, w.Revision)
}

func (g *groups) sorted() []*group {
	return slices.SortedFunc(maps.Values(g.all), func(a, b *group) int {
		return cmp.Or(cmp.Compare(a.config.Source, b.config.Source), cmp.Compare(a.config.Name, b.config.Name))
	})
}

func (g *groups) find(key groupKey) *group {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.all[key]
}

// close ends all groups; their progress is stored.
func (g *groups) close() {
	g.cancel()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, one := range g.all {
		<-one.done
	}
}

// groupsService is EventStoreDB's service for persistent subscriptions.
type groupsService struct {
	persistent.UnimplementedPersistentSubscriptionsServer
	*Server
}

func groupException(ctx context.Context, c codes.Code, key groupKey, message, kind string) error {
	return exception(ctx, c, "Subscription group "+key.name+" on stream "+key.source+" "+message, kind, "stream-name",
		key.source, "group-name", key.name)
}

func unknownGroup(ctx context.Context, key groupKey) error {
	return groupException(ctx, codes.NotFound, key, "does not exist.", "persistent-subscription-does-not-exist")
}

// Create implements the service.
func (f *groupsService) Create(ctx context.Context, req *persistent.CreateReq) (*persistent.CreateResp, error) {
	modernCreate(req.GetOptions())
	c, err := f.describe(req.GetOptions())
	if err != nil {
		return nil, f.refuse(ctx, c.Source, err)
	}
	g := f.groups
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.all[c.key()] != nil {
		return nil, groupException(ctx, codes.AlreadyExists, c.key(), "exists.", "persistent-subscription-exists")
	}
	if len(g.all) >= maxGroups {
		return nil, status.Errorf(codes.ResourceExhausted,
			"there are %d persistent subscriptions, and no more may be made", maxGroups)
	}
	one, err := startGroup(g.ctx, f.Server, c)
	if err != nil {
		return nil, f.refuse(ctx, c.Source, err)
	}
	g.all[c.key()] = one
	if err := g.keep(ctx); err != nil {
		delete(g.all, c.key())
		one.end()
		return nil, f.refuse(ctx, c.Source, err)
	}
	return &persistent.CreateResp{}, nil
}

// Update implements the service: consumers are dropped and come back to the new configuration.
func (f *groupsService) Update(ctx context.Context, req *persistent.UpdateReq) (*persistent.UpdateResp, error) {
	o, g := req.GetOptions(), f.groups
	modernUpdate(o)
	key := groupKey{allStream, o.GetGroupName()}
	if o.GetAll() == nil {
		key.source = string(o.GetStream().GetStreamIdentifier().GetStreamName())
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	old := g.all[key]
	if old == nil {
		return nil, unknownGroup(ctx, key)
	}
	c, err := f.redescribe(old.config, o)
	if err != nil {
		return nil, f.refuse(ctx, key.source, err)
	}
	if err := g.replace(old, c); err != nil {
		return nil, f.refuse(ctx, key.source, err)
	}
	if err := g.keep(ctx); err != nil {
		return nil, f.refuse(ctx, key.source, err)
	}
	return &persistent.UpdateResp{}, nil
}

// replace ends a group and starts it with a configuration.
func (g *groups) replace(old *group, c groupConfig) error {
	old.end()
	one, err := startGroup(g.ctx, g.server, c)
	if err == nil {
		g.all[c.key()] = one
	}
	return err
}

// Delete implements the service.
func (f *groupsService) Delete(ctx context.Context, req *persistent.DeleteReq) (*persistent.DeleteResp, error) {
	g, key := f.groups, keyOf(req.GetOptions(), req.GetOptions().GetAll() != nil)
	g.mu.Lock()
	defer g.mu.Unlock()
	one := g.all[key]
	if one == nil {
		return nil, unknownGroup(ctx, key)
	}
	delete(g.all, key)
	err := g.keep(ctx)
	if err != nil {
		g.all[key] = one
		return nil, f.refuse(ctx, key.source, err)
	}
	one.end()
	for _, what := range []string{checkpointStream, parkedStream} {
		if err == nil {
			err = f.log.Drop(ctx, one.config.stream(what), store.AnyRevision, math.MaxInt64)
		}
	}
	if err != nil {
		return nil, f.refuse(ctx, key.source, err)
	}
	return &persistent.DeleteResp{}, nil
}

// grouped is a request that names a group.
type grouped interface {
	GetGroupName() string
	GetStreamIdentifier() *shared.StreamIdentifier
}

func keyOf(o grouped, all bool) groupKey {
	if all {
		return groupKey{allStream, o.GetGroupName()}
	}
	return groupKey{string(o.GetStreamIdentifier().GetStreamName()), o.GetGroupName()}
}

// GetInfo implements the service.
func (f *groupsService) GetInfo(ctx context.Context, req *persistent.GetInfoReq) (*persistent.GetInfoResp, error) {
	key := keyOf(req.GetOptions(), req.GetOptions().GetAll() != nil)
	one := f.groups.find(key)
	if one == nil {
		return nil, unknownGroup(ctx, key)
	}
	info, err := one.info()
	if err != nil {
		return nil, f.refuse(ctx, key.source, err)
	}
	return &persistent.GetInfoResp{SubscriptionInfo: info}, nil
}

// List implements the service.
func (f *groupsService) List(ctx context.Context, req *persistent.ListReq) (*persistent.ListResp, error) {
	o := req.GetOptions()
	source := string(o.GetListForStream().GetStream().GetStreamName())
	if o.GetListForStream().GetAll() != nil {
		source = allStream
	}
	f.groups.mu.Lock()
	all := f.groups.sorted()
	f.groups.mu.Unlock()
	answer := &persistent.ListResp{}
	for _, one := range all {
		if source != "" && one.config.Source != source {
			continue
		}
		info, err := one.info()
		if err != nil {
			return nil, f.refuse(ctx, one.config.Source, err)
		}
		answer.Subscriptions = append(answer.Subscriptions, info)
	}
	if len(answer.Subscriptions) == 0 {
		return nil, unknownGroup(ctx, groupKey{source: source})
	}
	return answer, nil
}

// ReplayParked implements the service.
func (f *groupsService) ReplayParked(ctx context.Context,
	req *persistent.ReplayParkedReq) (*persistent.ReplayParkedResp, error) {
	o := req.GetOptions()
	key := keyOf(o, o.GetAll() != nil)
	one := f.groups.find(key)
	if one == nil {
		return nil, unknownGroup(ctx, key)
	}
	most := int64(math.MaxInt64)
	if stop, ok := o.GetStopAtOption().(*persistent.ReplayParkedReq_Options_StopAt); ok {
		most = stop.StopAt
	}
	var err error
	if !one.do(func() { err = one.replay(most) }) {
		return nil, unknownGroup(ctx, key)
	}
	if err != nil {
		return nil, f.refuse(ctx, key.source, err)
	}
	return &persistent.ReplayParkedResp{}, nil
}

// RestartSubsystem implements the service: every group restarts from its stored state.
func (f *groupsService) RestartSubsystem(ctx context.Context, _ *shared.Empty) (*shared.Empty, error) {
	g := f.groups
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, one := range g.sorted() {
		if err := g.replace(one, one.config); err != nil {
			return nil, f.refuse(ctx, one.config.Source, err)
		}
	}
	return &shared.Empty{}, nil
}
