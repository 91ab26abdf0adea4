package queue

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"
	lua "github.com/yuin/gopher-lua"
)

// scriptedRedis is a miniredis whose Lua machine is made once, and each script compiled once, as in a real
// Redis. miniredis alone makes a machine for each call, which would be a third of what a run costs.
// A script runs under the server's lock, as it would there: nothing happens in between.
type scriptedRedis struct {
	*miniredis.Miniredis
	server *server.Server
	lua    *lua.LState
	known  map[string]*lua.LFunction // by the SHA-1 of their source
	peer   *server.Peer              // asks for what scripts do, as from within a script: with the lock held
	reply  bytes.Buffer              // to the peer
}

func newScriptedRedis() *scriptedRedis {
	s := &scriptedRedis{Miniredis: miniredis.NewMiniRedis(), known: map[string]*lua.LFunction{}}
	s.lua = lua.NewState(lua.Options{SkipOpenLibs: true})
	for _, open := range []lua.LGFunction{lua.OpenBase, lua.OpenTable, lua.OpenString, lua.OpenMath} {
		s.lua.Push(s.lua.NewFunction(open))
		s.lua.Call(0, 0)
	}
	s.lua.SetGlobal("redis", s.lua.SetFuncs(s.lua.NewTable(), map[string]lua.LGFunction{
		"call":         func(l *lua.LState) int { return s.command(l, true) },
		"pcall":        func(l *lua.LState) int { return s.command(l, false) },
		"error_reply":  func(l *lua.LState) int { return pushReply(l, "err", l.CheckString(1)) },
		"status_reply": func(l *lua.LState) int { return pushReply(l, "ok", l.CheckString(1)) },
	}))
	s.lua.SetMetatable(s.lua.G.Global, s.lua.SetFuncs(s.lua.NewTable(),
		map[string]lua.LGFunction{"__newindex": refuseGlobal}))
	s.peer = server.NewPeer(bufio.NewWriter(&s.reply))
	if conn, err := s.Dial(); err == nil { // that starts it
		_ = conn.Close()
	}
	s.server = s.Server()
	// The server recognizes calls from within scripts by the context of their peer: one script reveals it to us.
	_ = s.server.Register("HEDDLE.NESTED", func(c *server.Peer, _ string, _ []string) {
		s.peer.Ctx = c.Ctx
		c.WriteOK()
	})
	s.server.Dispatch(server.NewPeer(bufio.NewWriter(&bytes.Buffer{})),
		[]string{"EVAL", `return redis.call("HEDDLE.NESTED")`, "0"})
	return s
}

func refuseGlobal(l *lua.LState) int {
	l.RaiseError("a script must not set the global variable %q", l.Get(2).String())
	return 0
}

// redisError is the error that a script returns in place of a value.
type redisError string

func (e redisError) Error() string { return string(e) }

// RedisError implements [redis.Error].
func (redisError) RedisError() {}

// call runs the script that a command calls; called is false for everything that the server has to answer itself:
// other commands, and scripts that it would refuse.
func (s *scriptedRedis) call(cmd *redis.Cmd) (called bool, err error) {
	args := cmd.Args()
	if name := cmd.Name(); len(args) < 3 || name != "evalsha" && name != "eval" {
		return false, nil
	}
	source, _ := args[1].(string)
	keys, _ := args[2].(int)
	values := make([]lua.LValue, 0, len(args)-3)
	for _, arg := range args[3:] {
		value, ok := luaString(arg)
		if !ok {
			return false, nil
		}
		values = append(values, value)
	}
	if keys < 0 || keys > len(values) {
		return false, nil
	}
	s.Lock()
	defer s.Unlock()
	script, err := s.script(cmd.Name(), source)
	if err != nil || script == nil {
		return false, nil // the server says why
	}
	value, err := s.run(script, values[:keys], values[keys:])
	cmd.SetVal(value)
	return true, err
}

// luaString is an argument as Redis sees it.
func luaString(arg any) (lua.LValue, bool) {
	switch v := arg.(type) {
	case string:
		return lua.LString(v), true
	case []byte:
		return lua.LString(v), true
	case int:
		return lua.LString(strconv.Itoa(v)), true
	case int64:
		return lua.LString(strconv.FormatInt(v, 10)), true
	}
	return nil, false
}

// script finds the script of an EVALSHA, nil if it is not known, and learns that of an EVAL.
func (s *scriptedRedis) script(command, source string) (*lua.LFunction, error) {
	if command == "evalsha" {
		return s.known[source], nil
	}
	sum := sha1.Sum([]byte(source))
	sha := hex.EncodeToString(sum[:])
	if known := s.known[sha]; known != nil {
		return known, nil
	}
	script, err := s.lua.LoadString(source)
	if err == nil {
		script.Proto.IsVarArg = 0 // else each call fills a table with the arguments that it does not have
		s.known[sha] = script
	}
	return script, err
}

func (s *scriptedRedis) run(script *lua.LFunction, keys, args []lua.LValue) (any, error) {
	s.lua.G.Global.RawSetString("KEYS", luaList(s.lua, keys))
	s.lua.G.Global.RawSetString("ARGV", luaList(s.lua, args))
	defer s.lua.SetTop(0)
	s.lua.Push(script)
	if err := s.lua.PCall(0, 1, nil); err != nil {
		return nil, redisError("ERR running a script: " + err.Error())
	}
	value := goValue(s.lua.Get(1))
	if err, ok := value.(redisError); ok {
		return nil, err
	}
	if value == nil {
		return nil, redis.Nil
	}
	return value, nil
}

func luaList(l *lua.LState, values []lua.LValue) *lua.LTable {
	list := l.CreateTable(len(values), 0)
	for _, v := range values {
		list.Append(v)
	}
	return list
}

// command is redis.call, or redis.pcall, which returns errors instead of raising them.
func (s *scriptedRedis) command(l *lua.LState, raise bool) int {
	args := make([]string, 0, 8)
	for i := 1; i <= l.GetTop(); i++ {
		switch a := l.Get(i).(type) {
		case lua.LNumber, lua.LString:
			args = append(args, a.String())
		default:
			l.RaiseError("the arguments of a command must be strings or numbers")
		}
	}
	if len(args) == 0 {
		l.RaiseError("redis.call needs a command")
	}
	s.reply.Reset()
	s.server.Dispatch(s.peer, args)
	s.peer.Flush()
	value, _, err := luaReply(l, s.reply.Bytes())
	switch {
	case err != nil && raise:
		l.RaiseError("%s", err.Error())
	case err != nil:
		return pushReply(l, "err", err.Error())
	}
	l.Push(value)
	return 1
}

// pushReply pushes the table that stands for an error or a status.
func pushReply(l *lua.LState, field, text string) int {
	if field == "err" && !strings.Contains(text, " ") {
		text = "ERR " + text
	}
	l.Push(tableOf(l, field, text))
	return 1
}

func tableOf(l *lua.LState, field, text string) *lua.LTable {
	table := l.CreateTable(0, 1)
	table.RawSetString(field, lua.LString(text))
	return table
}

var errReply = errors.New("ERR a reply that can't be read")

// luaReply reads a reply of the server in the form that a script sees, and returns the rest.
func luaReply(l *lua.LState, reply []byte) (value lua.LValue, rest []byte, err error) {
	line, rest, whole := bytes.Cut(reply, []byte("\r\n"))
	if !whole || len(line) == 0 {
		return nil, nil, errReply
	}
	kind, line := line[0], line[1:]
	switch kind {
	case '+':
		return tableOf(l, "ok", string(line)), rest, nil
	case '-':
		return nil, rest, errors.New(string(line))
	}
	n, err := strconv.Atoi(string(line))
	switch {
	case err != nil:
		return nil, nil, errReply
	case kind == ':':
		return lua.LNumber(n), rest, nil
	case n < 0:
		return lua.LFalse, rest, nil
	case kind == '$' && len(rest) >= n+2:
		return lua.LString(rest[:n]), rest[n+2:], nil
	case kind != '*':
		return nil, nil, errReply
	}
	list := l.CreateTable(n, 0)
	for range n {
		if value, rest, err = luaReply(l, rest); err != nil {
			return nil, rest, err
		}
		list.Append(value)
	}
	return list, rest, nil
}

// goValue converts the value that a script returned to the form that a client sees.
func goValue(value lua.LValue) any {
	switch v := value.(type) {
	case lua.LBool:
		if v {
			return int64(1)
		}
	case lua.LNumber:
		return int64(v)
	case lua.LString:
		return string(v)
	case *lua.LTable:
		if text, ok := v.RawGetString("err").(lua.LString); ok {
			return redisError(text)
		}
		if text, ok := v.RawGetString("ok").(lua.LString); ok {
			return string(text)
		}
		list := []any{}
		for i := 1; v.RawGetInt(i) != lua.LNil; i++ {
			list = append(list, goValue(v.RawGetInt(i)))
		}
		return list
	}
	return nil
}
