package eventstore

import (
	"testing"

	"heddle/store/storetest"
)

func TestMain(m *testing.M) {
	storetest.Main(m, map[string]func(path string) error{"serve": serveForever})
}
