package eventstore

import (
	"fmt"
	"math"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const allStream = "$all"

// How a group distributes records to its consumers.
const (
	toSingle   = "DispatchToSingle" // the first one with room
	roundRobin = "RoundRobin"       // in turns
	pinned     = "Pinned"           // the same for the same stream, as long as the consumers are the same
)

// groupConfig is a persistent subscription's configuration. It is stored as JSON.
type groupConfig struct {
	Source        string     `json:"stream"` // a stream, or $all
	Name          string     `json:"group"`
	Start         uint64     `json:"start"` // the first revision or position of interest
	StartShown    string     `json:"startShown"`
	Filter        *selection `json:"filter,omitempty"`
	Strategy      string     `json:"strategy"`
	ResolveLinks  bool       `json:"resolveLinks"`
	Statistics    bool       `json:"statistics"`
	Retries       int        `json:"maxRetries"`
	Timeout       int        `json:"timeout"` // ms
	After         int        `json:"checkpointAfter"`
	MinCheckpoint int        `json:"minCheckpoint"`
	MaxCheckpoint int        `json:"maxCheckpoint"`
	Consumers     int        `json:"maxConsumers"` // 0 for no limit
	LiveBuffer    int        `json:"liveBuffer"`
	Buffer        int        `json:"buffer"`
	Batch         int        `json:"batch"`
}

func (c groupConfig) all() bool { return c.Source == allStream }

func (c groupConfig) key() groupKey { return groupKey{c.Source, c.Name} }

// stream returns the name of one of the streams that hold the group's state.
func (c groupConfig) stream(what string) string {
	return groupPrefix + c.Source + "::" + c.Name + "-" + what
}

const groupPrefix = "$persistentsubscription-"

type groupKey struct{ source, name string }

// groupSettings are the settings that calls to create and to update share.
type groupSettings interface {
	GetResolveLinks() bool
	GetExtraStatistics() bool
	GetMaxRetryCount() int32
	GetMinCheckpointCount() int32
	GetMaxCheckpointCount() int32
	GetMaxSubscriberCount() int32
	GetLiveBufferSize() int32
	GetReadBatchSize() int32
	GetHistoryBufferSize() int32
	GetMessageTimeoutMs() int32
	GetMessageTimeoutTicks() int64
	GetCheckpointAfterMs() int32
	GetCheckpointAfterTicks() int64
}

const ticksPerMillisecond = 10_000

func (c *groupConfig) set(s groupSettings, strategy string) error {
	c.ResolveLinks, c.Statistics, c.Strategy = s.GetResolveLinks(), s.GetExtraStatistics(), strategy
	c.Retries, c.Consumers = int(s.GetMaxRetryCount()), int(s.GetMaxSubscriberCount())
	c.MinCheckpoint, c.MaxCheckpoint = int(s.GetMinCheckpointCount()), int(s.GetMaxCheckpointCount())
	c.LiveBuffer, c.Batch, c.Buffer = int(s.GetLiveBufferSize()), int(s.GetReadBatchSize()),
		int(s.GetHistoryBufferSize())
	c.Timeout = int(s.GetMessageTimeoutMs()) + int(s.GetMessageTimeoutTicks()/ticksPerMillisecond)
	c.After = int(s.GetCheckpointAfterMs()) + int(s.GetCheckpointAfterTicks()/ticksPerMillisecond)
	switch {
	case c.Strategy != toSingle && c.Strategy != roundRobin && c.Strategy != pinned &&
		c.Strategy != pinned+"ByCorrelation":
		return status.Errorf(codes.InvalidArgument, "there is no consumer strategy %q", c.Strategy)
	case min(c.Retries, c.Consumers, c.MinCheckpoint, c.MaxCheckpoint, c.LiveBuffer, c.Batch, c.Buffer, c.Timeout,
		c.After) < 0:
		return status.Error(codes.InvalidArgument, "a setting of a persistent subscription is negative")
	case c.Batch >= c.Buffer && c.Buffer > 0:
		return status.Error(codes.InvalidArgument, "the read batch must be smaller than the buffer")
	}
	return nil
}

func (c groupConfig) timeout() time.Duration {
	if c.Timeout == 0 {
		return never
	}
	return time.Duration(c.Timeout) * time.Millisecond
}

const never = 100 * 365 * 24 * time.Hour

// startIn returns where a group begins in a stream, in the form that clients read back.
func (c *groupConfig) startIn(s *Server, revision *uint64, end bool) error {
	switch {
	case revision != nil:
		c.Start, c.StartShown = *revision, fmt.Sprint(*revision)
	case !end:
		c.Start, c.StartShown = 0, "0"
	default:
		newest, err := s.log.PageDown(c.Source, revisionOf(^uint64(0)), 1)
		if err != nil {
			return err
		}
		c.Start, c.StartShown = 0, "-1"
		if len(newest) == 1 {
			c.Start = uint64(newest[0].Revision) + 1
		}
	}
	return nil
}

func (c *groupConfig) startInAll(s *Server, position *uint64, end bool) {
	switch {
	case position != nil:
		c.Start, c.StartShown = *position, wirePosition(*position)
	case !end:
		c.Start, c.StartShown = 0, wirePosition(0)
	default:
		c.Start, c.StartShown = uint64(s.log.End())+1, "C:-1/P:-1"
	}
}

func wirePosition(p uint64) string { return fmt.Sprintf("C:%d/P:%d", p, p) }

// describe returns the configuration in a call to create a group.
func (s *Server) describe(o *persistent.CreateReq_Options) (c groupConfig, err error) {
	c.Name = o.GetGroupName()
	strategy := o.GetSettings().GetConsumerStrategy()
	if strategy == "" {
		//lint:ignore SA1019 the Go client sends nothing else
		strategy = o.GetSettings().GetNamedConsumerStrategy().String()
	}
	if err := c.set(o.GetSettings(), strategy); err != nil {
		return c, err
	}
	if all := o.GetAll(); all != nil {
		c.Source = allStream
		var at *uint64
		if p := all.GetPosition(); p != nil {
			at = &p.CommitPosition
		}
		c.startInAll(s, at, all.GetEnd() != nil)
		if f := all.GetFilter(); f != nil {
			c.Filter, err = newSelection(sameFilter(f))
		}
		return c, err
	}
	c.Source = string(o.GetStream().GetStreamIdentifier().GetStreamName())
	var at *uint64
	if r, ok := o.GetStream().GetRevisionOption().(*persistent.CreateReq_StreamOptions_Revision); ok {
		at = &r.Revision
	}
	if c.Name == "" || s.writable(c.Source) != nil {
		return c, status.Error(codes.InvalidArgument, "a persistent subscription needs a stream and a group name")
	}
	return c, c.startIn(s, at, o.GetStream().GetEnd() != nil)
}

// redescribe returns the configuration after a call to update a group.
func (s *Server) redescribe(c groupConfig, o *persistent.UpdateReq_Options) (groupConfig, error) {
	if err := c.set(o.GetSettings(), o.GetSettings().GetNamedConsumerStrategy().String()); err != nil {
		return c, err
	}
	if all := o.GetAll(); all != nil {
		var at *uint64
		if p := all.GetPosition(); p != nil {
			at = &p.CommitPosition
		}
		c.startInAll(s, at, all.GetEnd() != nil)
		return c, nil
	}
	var at *uint64
	if r, ok := o.GetStream().GetRevisionOption().(*persistent.UpdateReq_StreamOptions_Revision); ok {
		at = &r.Revision
	}
	return c, c.startIn(s, at, o.GetStream().GetEnd() != nil)
}

// sameFilter converts a filter of one service to the types of the other.
func sameFilter(f *persistent.CreateReq_AllOptions_FilterOptions) *streams.ReadReq_Options_FilterOptions {
	same := &streams.ReadReq_Options_FilterOptions{}
	if e := f.GetEventType(); e != nil {
		same.Filter = &streams.ReadReq_Options_FilterOptions_EventType{
			EventType: &streams.ReadReq_Options_FilterOptions_Expression{Regex: e.GetRegex(), Prefix: e.GetPrefix()}}
		return same
	}
	e := f.GetStreamIdentifier()
	same.Filter = &streams.ReadReq_Options_FilterOptions_StreamIdentifier{
		StreamIdentifier: &streams.ReadReq_Options_FilterOptions_Expression{Regex: e.GetRegex(), Prefix: e.GetPrefix()}}
	return same
}

// modernCreate moves a stream name from its deprecated field, which the client for Node uses, to the present
// one.
func modernCreate(o *persistent.CreateReq_Options) {
	if o == nil || o.StreamOption != nil {
		return
	}
	//lint:ignore SA1019 the client for Node sends nothing else
	revision := o.GetSettings().GetRevision()
	//lint:ignore SA1019 the client for Node sends nothing else
	stream := &persistent.CreateReq_StreamOptions{StreamIdentifier: o.StreamIdentifier}
	switch revision {
	case 0:
		stream.RevisionOption = &persistent.CreateReq_StreamOptions_Start{}
	case math.MaxUint64:
		stream.RevisionOption = &persistent.CreateReq_StreamOptions_End{End: &shared.Empty{}}
	default:
		stream.RevisionOption = &persistent.CreateReq_StreamOptions_Revision{Revision: revision}
	}
	o.StreamOption = &persistent.CreateReq_Options_Stream{Stream: stream}
}

// modernUpdate is modernCreate for the other call.
func modernUpdate(o *persistent.UpdateReq_Options) {
	if o == nil || o.StreamOption != nil {
		return
	}
	//lint:ignore SA1019 the client for Node sends nothing else
	revision := o.GetSettings().GetRevision()
	//lint:ignore SA1019 the client for Node sends nothing else
	stream := &persistent.UpdateReq_StreamOptions{StreamIdentifier: o.StreamIdentifier}
	switch revision {
	case 0:
		stream.RevisionOption = &persistent.UpdateReq_StreamOptions_Start{}
	case math.MaxUint64:
		stream.RevisionOption = &persistent.UpdateReq_StreamOptions_End{End: &shared.Empty{}}
	default:
		stream.RevisionOption = &persistent.UpdateReq_StreamOptions_Revision{Revision: revision}
	}
	o.StreamOption = &persistent.UpdateReq_Options_Stream{Stream: stream}
}
