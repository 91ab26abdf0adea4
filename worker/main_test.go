package worker

import (
	"log/slog"
	"testing"
)

func TestMain(m *testing.M) {
	SetRedisLogger(slog.New(slog.DiscardHandler)) // some tests take Redis away
	m.Run()
}
