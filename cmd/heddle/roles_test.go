package main

import (
	"slices"
	"strings"
	"testing"
)

// shared is a configuration with which a process may have one role; nothing of it is reached.
var shared = map[string]string{
	"HEDDLE_REDIS": "redis://127.0.0.1:1", "HEDDLE_LOG": "esdb://heddle:password@127.0.0.1:1",
	"HEDDLE_BLOBS":      "s3://bucket?region=here",
	"HEDDLE_MASTER_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "HEDDLE_PUBLIC_URL": "http://127.0.0.1:1",
}

// TestRolesRefused has processes without all roles start with something that others can't reach: they
// refuse, and say what to set, and nothing else.
func TestRolesRefused(t *testing.T) {
	refused := map[string]map[string]string{ // by the setting that is named, what is set otherwise
		"HEDDLE_REDIS": {"HEDDLE_REDIS": "embedded"}, "HEDDLE_LOG": {"HEDDLE_LOG": ""},
		"HEDDLE_BLOBS":      {"HEDDLE_BLOBS": ""},
		"HEDDLE_MASTER_KEY": {"HEDDLE_MASTER_KEY": ""}, "HEDDLE_PUBLIC_URL": {"HEDDLE_PUBLIC_URL": ""},
	}
	for setting, changes := range refused {
		t.Run(setting, func(t *testing.T) {
			dir := t.TempDir()
			env := []string{"HEDDLE_DATA=" + dir + "/data"}
			for name, value := range shared {
				if other, changed := changes[name]; changed {
					value = other
				}
				env = append(env, name+"="+value)
			}
			out, err := command(dir, env, "serve", "--roles", "worker").CombinedOutput()
			if err == nil || !strings.Contains(string(out), "HEDDLE_ROLES is worker") {
				t.Fatalf("%v: %s", err, out)
			}
			for name := range refused {
				if strings.Contains(string(out), name) != (name == setting) {
					t.Errorf("%s is at fault, but this is said: %s", setting, out)
				}
			}
		})
	}
	for _, roles := range []string{"api", "worker"} {
		out, err := command(t.TempDir(), nil, "serve", "--roles", roles).CombinedOutput()
		for _, setting := range []string{"HEDDLE_REDIS", "HEDDLE_LOG", "HEDDLE_BLOBS", "HEDDLE_MASTER_KEY"} {
			if err == nil || !strings.Contains(string(out), setting) {
				t.Errorf("%s does not name %s: %v %s", roles, setting, err, out)
			}
		}
	}
	if out, err := command(t.TempDir(), nil, "serve", "--roles", "other").CombinedOutput(); err == nil ||
		!strings.Contains(string(out), `must be one of "api","worker"`) {
		t.Errorf("%v: %s", err, out)
	}
}

func TestRolesAccepted(t *testing.T) {
	for _, c := range []settings{
		{Roles: []string{"api", "worker"}, Redis: "embedded", Log: "embedded"},
		{Roles: []string{"worker", "api"}, Redis: "embedded", Log: "embedded"},
		{Roles: []string{"api"}, Redis: "redis://r", Log: "esdb://l", Blobs: "s3://b", MasterKey: "k"},
		{Roles: []string{"api"}, Redis: "redis://r", Log: "embedded", ServeLog: ":1", Blobs: "file:///b",
			MasterKey: "k"},
		{Roles: []string{"worker"}, Redis: "redis://r", Log: "esdb://l", Blobs: "file:///b", MasterKey: "k",
			PublicURL: "http://u"},
	} {
		if err := c.checkRoles(); err != nil {
			t.Error(err)
		}
	}
	none := settings{Redis: "redis://r", Log: "esdb://l", Blobs: "s3://b", MasterKey: "k", PublicURL: "http://u"}
	if none.checkRoles() == nil || !slices.Contains(settingNames(), "roles") {
		t.Error("a process without a role starts")
	}
}
