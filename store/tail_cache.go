package store

import (
	"slices"
	"sort"
)

const (
	newestRecords = 2 * PageRecords // most records in memory
	newestBytes   = 1 << 20         // and about how many bytes
)

// newest is the end of the log in memory: a follower at the end need not query for records that have just been
// written.
type newest struct {
	records []Recorded
	after   Position // records are all that came after it
	size    int
	most    int // bytes, about
}

// add adds appended records. Without them, or after a gap, the cache begins anew.
func (n *newest) add(records []Recorded, last Position) {
	if len(records) == 0 {
		*n = newest{after: last, most: n.most}
		return
	}
	if end := n.after + Position(len(n.records)); records[0].Position != end+1 {
		*n = newest{after: records[0].Position - 1, most: n.most}
	}
	n.records = append(n.records, records...)
	for _, r := range records {
		n.size += r.Size()
	}
	if len(n.records) <= newestRecords && n.size <= n.most {
		return
	}
	gone := 0
	for ; len(n.records)-gone > newestRecords/2 || n.size > n.most/2; gone++ {
		n.size -= n.records[gone].Size()
	}
	n.after = n.records[gone-1].Position
	n.records = slices.Delete(n.records, 0, gone)
}

// page is a pager, if the cache has everything after a position.
func (t *tail) page(after, until Position, f Filter) (page []Recorded, all, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := &t.newest
	if after < n.after {
		return nil, false, false
	}
	from := sort.Search(len(n.records), func(i int) bool { return n.records[i].Position > after })
	for _, r := range n.records[from:] {
		if r.Position > until {
			break
		}
		if !f.Takes(r) {
			continue
		}
		if page == nil {
			page = make([]Recorded, 0, min(len(n.records)-from, PageRecords))
		}
		page = append(page, r)
		if len(page) == PageRecords {
			return page, false, true
		}
	}
	return page, true, true
}

// forget empties the cache, because records were removed.
func (t *tail) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.newest.add(nil, t.last)
}

// Size returns the approximate size of the record in bytes.
func (r Recorded) Size() int { return len(r.Stream) + len(r.Kind) + len(r.Meta) + len(r.Data) }
