// Package builtin holds the components that come with Heddle, one file each. A component is added by
// adding its file: its init registers it.
package builtin

import (
	"slices"

	"heddle/component"
)

var all []component.Component

// register is called by the init of each component's file.
func register(c component.Component) { all = append(all, c) }

// Components lists the components that come with Heddle.
func Components() []component.Component { return slices.Clone(all) }
