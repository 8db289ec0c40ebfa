package adapter

import (
	"maps"
	"time"
)

// vacancy is a room without members, or a whole namespace.
type vacancy struct {
	since    time.Time
	cluster  *Cluster
	room     string
	presence *presence // &cluster.whole, or that of the room, whose name may be empty
}

// presence is a room that this node listens to; guarded by Node.mu.
type presence struct {
	vacant bool
	since  time.Time // when it fell vacant
	queued bool      // stands in Node.vacant, once at most
}

// RoomCreated says that a room has its first member on this node.
func (c *Cluster) RoomCreated(room string) {
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	p := c.rooms[room]
	if p == nil {
		p = &presence{}
		c.rooms[room] = p
		c.line.Enter(room)
	}
	p.vacant = false
}

// RoomDeleted says that the last one has gone.
func (c *Cluster) RoomDeleted(room string) {
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	if p := c.rooms[room]; p != nil && !p.vacant {
		c.node.leave(p, c, room)
	}
}

// Leave ends what Join or Visit began. The namespace is listened to a while longer.
func (c *Cluster) Leave() {
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	if c.users--; c.users > 0 {
		return
	}
	c.setLocal(nobody{})
	for room, p := range c.rooms {
		if !p.vacant {
			c.node.leave(p, c, room)
		}
	}
	c.node.leave(&c.whole, c, "")
}

// leave is called with the lock held.
func (n *Node) leave(p *presence, c *Cluster, room string) {
	p.vacant, p.since = true, time.Now()
	if !p.queued {
		p.queued = true
		n.vacant = append(n.vacant, vacancy{p.since, c, room, p})
	}
}

// sweep gives up what has been vacant for long enough, until the node is closed.
func (n *Node) sweep() {
	tick := time.NewTicker(max(n.opts.Linger/8, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-tick.C:
			n.release(time.Now().Add(-n.opts.Linger))
		}
	}
}

// release gives up what has been vacant since before then.
func (n *Node) release(before time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	due := 0
	for ; due < len(n.vacant) && !n.vacant[due].since.After(before); due++ {
		v := n.vacant[due]
		p, whole := v.presence, v.presence == &v.cluster.whole
		if !whole && v.cluster.rooms[v.room] != p {
			continue // went with its namespace
		}
		p.queued = false
		switch {
		case !p.vacant:
		case p.since.After(before): // has had a member meanwhile
			p.queued = true
			n.vacant = append(n.vacant, vacancy{p.since, v.cluster, v.room, p})
		case whole:
			delete(n.clusters, v.cluster.place)
			v.cluster.close()
		default:
			delete(v.cluster.rooms, v.room)
			v.cluster.line.Vacate(v.room)
		}
	}
	if due > 0 {
		n.vacant = append([]vacancy(nil), n.vacant[due:]...) // lets go of the others
	}
	if len(n.clusters) < n.most/4 { // a map keeps room for all it ever had
		fewer := make(map[place]*Cluster, len(n.clusters))
		maps.Copy(fewer, n.clusters)
		n.clusters, n.most = fewer, len(fewer)
	}
}

// close gives up everything. The lock is held.
func (c *Cluster) close() {
	for room := range c.rooms {
		c.line.Vacate(room)
	}
	clear(c.rooms)
	c.line.Close()
}
