package queue

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"heddle/worker/queue/redistest"
)

func testClient(t *testing.T, address string) redis.UniversalClient {
	conn, err := connect(address)
	if err != nil {
		t.Fatal(err)
	}
	client := conn.client()
	t.Cleanup(func() {
		_ = client.Close()
		conn.close()
	})
	return client
}

// The embedded Redis answers scripts as a real one does.
func TestScriptAnswers(t *testing.T) { redistest.Each(t, testScriptAnswers) }

func testScriptAnswers(t *testing.T, r *redistest.Server) {
	client := testClient(t, r.Address)
	for _, test := range []struct {
		source string
		want   any
	}{
		{`return 3.7`, int64(3)},
		{`return "text"`, "text"},
		{`return ARGV[1] .. ARGV[2] .. ARGV[3] .. KEYS[1]`, "1x7{k}"},
		{`return true`, int64(1)},
		{`return {1, "two", {3, false, 4}, nil, 5}`, []any{int64(1), "two", []any{int64(3), nil, int64(4)}}},
		{`return redis.status_reply("FINE")`, "FINE"},
		{`return redis.call("SET", KEYS[1], 12)`, "OK"},
		{`return redis.call("GET", KEYS[1])`, "12"},
		{`return redis.call("INCR", KEYS[1]) + 1`, int64(14)},
		{`return tostring(redis.call("GET", "{k}none"))`, "false"},
		{`return redis.call("set", KEYS[1], "x").ok`, "OK"},
		{`redis.call("RPUSH", "{k}list", unpack({1, 2, 3})) return redis.call("LRANGE", "{k}list", 0, -1)`,
			[]any{"1", "2", "3"}},
		{`return redis.call("LRANGE", "{k}nolist", 0, -1)`, []any{}},
		{`local all = {} for _, id in ipairs(redis.call("LRANGE", "{k}list", 0, -1)) do table.insert(all, tonumber(id)) end return table.getn(all)`, int64(3)},
		{`return string.sub(redis.pcall("LPOP", KEYS[1]).err, 1, 9)`, "WRONGTYPE"},
		{`return string.find("abc", "c") + math.max(1, 2)`, int64(5)},
	} {
		script := redis.NewScript(test.source)
		for range 2 { // learned, then known
			got, err := script.Run(t.Context(), client, []string{"{k}"}, 1, []byte("x"), int64(7)).Result()
			if err != nil || fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", test.want) {
				t.Errorf("%s gives %#v, %v; want %#v", test.source, got, err, test.want)
			}
			if strings.Contains(test.source, "INCR") || strings.Contains(test.source, "RPUSH") {
				break // these change what they are asked for
			}
		}
	}
}

func TestScriptRefusals(t *testing.T) { redistest.Each(t, testScriptRefusals) }

func testScriptRefusals(t *testing.T, r *redistest.Server) {
	client := testClient(t, r.Address)
	if err := client.EvalSha(t.Context(), strings.Repeat("0", 40), nil).Err(); !redis.HasErrorPrefix(err, "NOSCRIPT") {
		t.Errorf("an unknown script gives %v", err)
	}
	for source, want := range map[string]string{
		`return redis.error_reply("NOT FOUND")`:                "NOT FOUND",
		`return redis.call("LPOP", redis.call("TYPE", "k").x)`: "",
		`redis.call("SET", "k", 1) redis.call("LPOP", "k")`:    "WRONGTYPE",
		`return redis.call("NOSUCH")`:                          "",
		`return redis.call()`:                                  "",
		`leaked = 1`:                                           "",
		`return nosuch.field`:                                  "",
		`error("of its own")`:                                  "of its own",
		`return redis.call("SUBSCRIBE", "k")`:                  "",
		`this is no Lua`:                                       "",
	} {
		for range 2 {
			err := redis.NewScript(source).Run(t.Context(), client, []string{"k"}).Err()
			if _, answered := errors.AsType[redis.Error](err); !answered || !strings.Contains(err.Error(), want) {
				t.Errorf("%s gives %v, want %q", source, err, want)
			}
		}
	}
	if err := client.Eval(t.Context(), `return nil`, nil).Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("nil is given as %v", err)
	}
	if got, err := client.Eval(t.Context(), `return redis.call("GET", "k")`, nil).Text(); err != nil || got != "1" {
		t.Errorf("after an error what was set is %q, %v", got, err)
	}
	// the server's own way
	if got, err := client.Eval(t.Context(), `return ARGV[1]`, nil, true).Text(); err != nil || got != "1" {
		t.Errorf("an argument of another type is seen as %q, %v", got, err)
	}
}

// Nothing happens while a script runs, be it a script or a command.
func TestScriptsAreAlone(t *testing.T) { redistest.Each(t, testScriptsAreAlone) }

func testScriptsAreAlone(t *testing.T, r *redistest.Server) {
	client := testClient(t, r.Address)
	script := redis.NewScript(`local n = tonumber(redis.call("GET", KEYS[1]) or "0") redis.call("SET", KEYS[1], n + ARGV[1]) return n`)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 200 {
				if err := script.Run(t.Context(), client, []string{"n"}, 1).Err(); err != nil {
					t.Error(err)
				}
				if err := client.Incr(t.Context(), "n").Err(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if n, err := client.Get(t.Context(), "n").Int(); err != nil || n != 3200 {
		t.Errorf("counted to %d, %v", n, err)
	}
}
