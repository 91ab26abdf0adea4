package eventstore

import (
	"context"
	"net"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// servedVersion is the version of EventStoreDB whose behaviour the server follows.
const servedVersion = "24.10.0"

// supported lists the calls for clients.
func supported(context.Context) proto.Message {
	all := &serverfeatures.SupportedMethods{EventStoreServerVersion: servedVersion}
	for _, service := range []grpc.ServiceDesc{streams.Streams_ServiceDesc,
		persistent.PersistentSubscriptions_ServiceDesc, serverfeatures.ServerFeatures_ServiceDesc,
		gossip.Gossip_ServiceDesc} {
		var names []string
		for _, m := range service.Methods {
			names = append(names, m.MethodName)
		}
		for _, m := range service.Streams {
			names = append(names, m.StreamName)
		}
		for _, name := range names {
			one := &serverfeatures.SupportedMethod{ServiceName: strings.ToLower(service.ServiceName),
				MethodName: strings.ToLower(name)}
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
	return all
}

// oneNode tells clients that look for a cluster that there is one node, and that it leads.
func oneNode(address *net.TCPAddr) *gossip.ClusterInfo {
	return &gossip.ClusterInfo{Members: []*gossip.MemberInfo{{
		TimeStamp: time.Now().UnixNano() / 100, State: gossip.MemberInfo_Leader, IsAlive: true,
		HttpEndPoint: &gossip.EndPoint{Address: address.IP.String(), Port: uint32(address.Port)},
	}}}
}
