package store

import "github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"

type groupsFace struct {
	persistent.UnimplementedPersistentSubscriptionsServer
	*Server
}
type groups struct{}

func newGroups(*Server) *groups { return &groups{} }
func (*groups) load() error     { return nil }
func (*groups) close()          {}
