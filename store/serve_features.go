package store

import (
	"context"
	"net"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
)

// servedVersion is the version of EventStoreDB whose behaviour is followed.
const servedVersion = "24.10.0"

// features tells clients what they may call.
type features struct {
	serverfeatures.UnimplementedServerFeaturesServer
}

// GetSupportedMethods implements the service.
func (features) GetSupportedMethods(context.Context, *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	all := &serverfeatures.SupportedMethods{EventStoreServerVersion: servedVersion}
	for _, service := range []grpc.ServiceDesc{streams.Streams_ServiceDesc, persistent.PersistentSubscriptions_ServiceDesc,
		serverfeatures.ServerFeatures_ServiceDesc, gossip.Gossip_ServiceDesc} {
		var names []string
		for _, m := range service.Methods {
			names = append(names, m.MethodName)
		}
		for _, m := range service.Streams {
			names = append(names, m.StreamName)
		}
		for _, name := range names {
			one := &serverfeatures.SupportedMethod{ServiceName: strings.ToLower(service.ServiceName), MethodName: strings.ToLower(name)}
			switch service.ServiceName {
			case persistent.PersistentSubscriptions_ServiceDesc.ServiceName:
				one.Features = []string{"stream", "all"}
			case streams.Streams_ServiceDesc.ServiceName:
				if name == "BatchAppend" {
					one.Features = []string{"deadline_duration"}
				}
			}
			all.Methods = append(all.Methods, one)
		}
	}
	return all, nil
}

// gossipFace tells clients that look for a cluster that there is one node, and that it leads.
type gossipFace struct {
	gossip.UnimplementedGossipServer
	address *net.TCPAddr
}

// Read implements the service.
func (g *gossipFace) Read(context.Context, *shared.Empty) (*gossip.ClusterInfo, error) {
	return &gossip.ClusterInfo{Members: []*gossip.MemberInfo{{
		TimeStamp: time.Now().UnixNano() / 100, State: gossip.MemberInfo_Leader, IsAlive: true,
		HttpEndPoint: &gossip.EndPoint{Address: g.address.IP.String(), Port: uint32(g.address.Port)},
	}}}, nil
}
