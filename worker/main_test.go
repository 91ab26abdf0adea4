package worker

import (
	"log/slog"
	"testing"

	"heddle/worker/queue"
)

func TestMain(m *testing.M) {
	queue.SetLogger(slog.New(slog.DiscardHandler)) // some tests take Redis away
	m.Run()
}
