package definition

import (
	"fmt"

	"gopkg.in/yaml.v3"

	"heddle/domain/refusal"
)

// DefinitionVersion is the version of the format that Heddle keeps and writes. It also reads version
// 6, which has the same shape, and files without a version (the first generation).
const DefinitionVersion = 7

// The child lists, by YAML key.
const (
	flowList      = "flows"
	configVarList = "requiredConfigVars"
	pageList      = "configPages"
	stepList      = "steps"
	branchList    = "branches"
)

// partKind is the kind of a node; the root is rootPart.
type partKind string

const (
	rootPart      partKind = "integration"
	flowPart      partKind = "flow"
	stepPart      partKind = "step"
	branchPart    partKind = "branch"
	configVarPart partKind = "config variable"
	pagePart      partKind = "config page"
)

// childLists names the keys of a part that are lists of parts, and their kinds.
var childLists = map[partKind]map[string]partKind{
	rootPart:   {flowList: flowPart, configVarList: configVarPart, pageList: pagePart},
	flowPart:   {stepList: stepPart},
	stepPart:   {stepList: stepPart, branchList: branchPart},
	branchPart: {stepList: stepPart},
}

// Parse reads the YAML of an integration definition. It refuses a malformed definition, with all its problems
// at once; warnings name what was kept but not understood. Whether references resolve is [Check]'s question.
// The parts have no ids yet: see [Identify].
func Parse(text []byte, limits Limits) (def *Part, warnings []refusal.Problem, err error) {
	if len(text) > limits.Size {
		return nil, nil, refusal.Problems{{Message: fmt.Sprintf("the definition has %d bytes; the limit is %d",
			len(text), limits.Size)}}
	}
	root, err := parseYAML(text)
	if err != nil {
		return nil, nil, err
	}
	r := &reader{limits: limits}
	if r.validate(root, 1, flowStep{}); len(r.problems) > 0 {
		return nil, nil, r.problems
	}
	first, err := generation(root)
	if err != nil {
		return nil, nil, err
	}
	if first {
		root = upgrade(root)
		// The modern form has more levels and values, and must be readable again.
		r = &reader{limits: limits}
		if r.validate(root, 1, flowStep{}); len(r.problems) > 0 {
			return nil, nil, r.problems
		}
	}
	b := &builder{}
	def = b.node(root, rootPart, flowStep{})
	def.Fields["definitionVersion"] = int64(DefinitionVersion)
	f := structure(def)
	if b.problems = append(b.problems, f.problems...); len(b.problems) > 0 {
		return nil, nil, b.problems.ByLine()
	}
	if err := limits.Allow(def); err != nil {
		return nil, nil, err
	}
	return def, f.warnings.ByLine(), nil
}

// generation refuses the versions and types that Heddle does not read, and reports whether the file is of the
// first generation, which has no version.
func generation(root *yaml.Node) (first bool, err error) {
	refuse := func(n *yaml.Node, format string, args ...any) (bool, error) {
		return false, refusal.Problems{{Line: n.Line, Message: fmt.Sprintf(format, args...)}}
	}
	if t := yamlEntry(root, "definitionType"); t != nil && t.ShortTag() != "!!null" && t.Value != "integration" {
		return refuse(t, "definitionType %q is not supported; only integration is", t.Value)
	}
	version := yamlEntry(root, "definitionVersion")
	switch {
	case version == nil && yamlEntry(root, flowList) != nil:
		return refuse(root, "definitionVersion is missing; add definitionVersion: %d", DefinitionVersion)
	case version == nil:
		return true, nil
	case version.ShortTag() != "!!int":
		return refuse(version, "definitionVersion must be the number %d, without quotes", DefinitionVersion)
	case version.Value != "7" && version.Value != "6":
		return refuse(version, "definitionVersion %s is not supported; 7, 6 and files of the first generation, "+
			"which have none, are: export it as version %d where it comes from", version.Value, DefinitionVersion)
	}
	return false, nil
}
