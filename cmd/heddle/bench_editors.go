package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"
)

type benchEditorsCmd struct {
	Editors []int         `default:"2,50" help:"How many edit one draft at once, each a field of its own over a WebSocket of its own, one measurement each."`
	For     time.Duration `default:"10s" help:"How long each measurement takes."`
	Pause   time.Duration `default:"0s" help:"How long each waits between its edits."`
}

// editing holds what one editor has seen.
type editing struct {
	edits, refused int
	seen           int             // edits of all, its own included
	lags           []time.Duration // from before an edit was sent until this editor was told of it
}

// Run has people edit one draft and prints how soon each was told of all edits.
func (b *benchEditorsCmd) Run(ctx context.Context, s *settings, stdout io.Writer) error {
	return onBench(ctx, s, func(server *benchServer) error {
		fmt.Fprintf(stdout, "log %s, %d cores, the editors included\n", withoutSecrets(s.Log), runtime.NumCPU())
		fmt.Fprintln(stdout, "editors   edits/s   refused   missed       p50       p95       p99       max   server CPU/edit")
		for _, editors := range b.Editors {
			if err := b.measure(ctx, server, editors, stdout); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *benchEditorsCmd) measure(ctx context.Context, server *benchServer, editors int, stdout io.Writer) error {
	integration, err := server.imports(ctx, benchDefinition)
	if err != nil {
		return err
	}
	before, all := server.processor(), make([]editing, editors)
	working, ctx := errgroup.WithContext(ctx)
	ends := time.Now().Add(b.For)
	for n := range all {
		working.Go(func() (err error) {
			all[n], err = b.edit(ctx, server, integration, n, ends)
			return err
		})
	}
	if err := working.Wait(); err != nil {
		return err
	}
	var lags []time.Duration
	edits, refused, missed := 0, 0, 0
	for _, e := range all {
		edits, refused, lags = edits+e.edits, refused+e.refused, append(lags, e.lags...)
	}
	for _, e := range all {
		missed += max(0, edits-e.seen)
	}
	at := quantiles(lags, 100*time.Microsecond)
	_, err = fmt.Fprintf(stdout, "%7d %9.0f %9d %8d %9s %9s %9s %9s %17s\n", editors, float64(edits)/b.For.Seconds(),
		refused, missed,
		at(.5), at(.95), at(.99), at(1), ((server.processor() - before) / time.Duration(max(1,
			edits))).Round(10*time.Microsecond))
	return err
}

// quiet is how long an editor waits for what is still to be told when it has made its last edit.
const quiet = 3 * time.Second

// edit is one editor: it edits until it is time to stop, and listens until nothing more comes.
func (b *benchEditorsCmd) edit(ctx context.Context, server *benchServer, integration string, n int,
	ends time.Time) (e editing, err error) {
	conn, err := server.socket(ctx)
	if err != nil {
		return e, err
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(1 << 20)
	send := func(id, query string, variables map[string]any) error {
		m, err := json.Marshal(map[string]any{"id": id, "type": "subscribe", "payload": map[string]any{"query": query,
			"variables": variables}})
		if err != nil {
			return err
		}
		return conn.Write(ctx, websocket.MessageText, m)
	}
	if err := conn.Write(ctx, websocket.MessageText, []byte(`{"type":"connection_init"}`)); err != nil {
		return e, err
	}
	if err := send("feed", `subscription($i: ID!) { draftFeed(id: $i) { type data } }`,
		map[string]any{"i": integration}); err != nil {
		return e, err
	}
	revision := "0.0"
	next := func() error {
		return send("edit", `mutation($i: ID!, $at: String!, $path: [String!], $v: JSONString) { editDraft(input: {id: $i, expectedRevision: $at, changes: [{op: SET, path: $path, value: $v}]}) { revision errors { messages } } }`,
			map[string]any{"i": integration, "at": revision, "path": []string{fmt.Sprintf("x-editor-%d", n)},
				"v": fmt.Sprintf(`"%d"`, time.Now().UnixNano())})
	}
	if err := next(); err != nil {
		return e, err
	}
	for {
		reading, cancel := context.WithDeadline(ctx, time.Now().Add(quiet))
		_, text, err := conn.Read(reading)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return e, nil
		} else if err != nil {
			return e, fmt.Errorf("editing: %w", err)
		}
		ended, err := e.hear(text, &revision)
		if err != nil {
			return e, err
		}
		if ended && time.Now().Before(ends) {
			time.Sleep(b.Pause)
			if err := next(); err != nil {
				return e, err
			}
		}
	}
}

// hear takes in a message; ended tells of the end of an edit.
func (e *editing) hear(text []byte, revision *string) (ended bool, err error) {
	var m struct {
		ID, Type string
		Payload  struct {
			Data struct {
				DraftFeed struct{ Type, Data string }
				EditDraft struct {
					Revision *string
					Errors   []struct{ Messages []string }
				}
			}
		}
	}
	if err := json.Unmarshal(text, &m); err != nil && !strings.Contains(string(text), `"error"`) {
		return false, fmt.Errorf("an editor was told %s", text)
	}
	switch feed := m.Payload.Data.DraftFeed; {
	case m.Type == "error":
		return false, fmt.Errorf("an editor was told %s", text)
	case m.ID == "edit" && m.Type == "next" && m.Payload.Data.EditDraft.Revision == nil:
		e.refused++
	case m.ID == "edit" && m.Type == "next":
		*revision = *m.Payload.Data.EditDraft.Revision
		e.edits++
	case m.ID == "edit":
		return true, nil
	case feed.Type == "EDITED":
		var edited struct{ Changes []struct{ Value string } }
		var sent int64
		if json.Unmarshal([]byte(feed.Data), &edited) == nil && len(edited.Changes) == 1 {
			if _, err := fmt.Sscan(edited.Changes[0].Value, &sent); err == nil {
				e.seen++
				e.lags = append(e.lags, time.Since(time.Unix(0, sent)))
			}
		}
	}
	return false, nil
}
