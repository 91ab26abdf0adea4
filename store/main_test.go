package store_test

import (
	"testing"

	"heddle/store/storetest"
)

func TestMain(m *testing.M) {
	storetest.Main(m, map[string]func(path string) error{"append": appendForever, "full tmpfs": fullTmpfs,
		"file size limit": fileSizeLimit})
}
