package definition

import "reflect"

const inputsField = "inputs"

func (d *differ) fields(old, new *Part) {
	for _, key := range keysOf(old.Fields, new.Fields) {
		a, was := old.Fields[key]
		b, is := new.Fields[key]
		if key == inputsField && d.inputs(new.ID, a, b, was, is) {
			continue
		}
		d.field(new.ID, []string{key}, a, b, was, is)
	}
}

func (d *differ) field(id string, path []string, a, b any, was, is bool) {
	switch {
	case is && (!was || !reflect.DeepEqual(a, b)):
		d.add(Change{Op: SetOp, Node: id, Path: path, Value: b, Was: a})
	case was && !is:
		d.add(Change{Op: UnsetOp, Node: id, Path: path, Was: a})
	}
}

// inputs compares inputs one by one, if each side is inputs or missing.
func (d *differ) inputs(id string, a, b any, was, is bool) bool {
	before, ok := a.(map[string]any)
	after, ok2 := b.(map[string]any)
	if was && !ok || is && !ok2 {
		return false
	}
	if is && !was {
		d.add(Change{Op: SetOp, Node: id, List: inputsField})
	}
	for _, name := range keysOf(before, after) {
		x, was := before[name]
		y, is := after[name]
		d.field(id, []string{inputsField, name}, x, y, was, is)
	}
	if was && !is {
		d.drops = append(d.drops, Change{Op: UnsetOp, Node: id, List: inputsField})
	}
	return true
}
