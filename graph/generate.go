//go:build ignore

// Generate makes generated.go as gqlgen's own command does, but for objects whose fields are resolved one
// after another: a goroutine for each field of each element of a list takes longer than most fields do.
package main

import (
	"fmt"
	"io"
	"log"
	"os"

	"github.com/99designs/gqlgen/api"
	"github.com/99designs/gqlgen/codegen"
	"github.com/99designs/gqlgen/codegen/config"
)

type oneByOne struct{}

func (oneByOne) Name() string { return "one by one" }

func (oneByOne) GenerateCode(data *codegen.Data) error {
	for _, object := range data.Objects {
		object.DisableConcurrency = object != data.QueryRoot
	}
	return nil
}

func main() {
	log.SetOutput(io.Discard) // gqlgen tells of every resolver
	cfg, err := config.LoadConfigFromDefaultLocations()
	if err == nil {
		err = api.Generate(cfg, api.AddPlugin(oneByOne{}))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
