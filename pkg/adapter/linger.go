package adapter

import (
	"maps"
	"time"
)

// vacancy is a room without members that this node listens to, or a whole namespace without users.
type vacancy struct {
	cluster *Cluster
	room    string
	whole   bool // the namespace; a room's name may be empty
}

// RoomCreated says that a room has its first member on this node.
func (c *Cluster) RoomCreated(room string) {
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	if _, is := c.rooms[room]; !is {
		c.rooms[room] = struct{}{}
		c.line.Enter(room)
	}
	delete(c.node.vacant, vacancy{cluster: c, room: room})
}

// RoomDeleted says that the last one has gone. The room is listened to a while longer.
func (c *Cluster) RoomDeleted(room string) {
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	if _, is := c.rooms[room]; is {
		c.node.vacant[vacancy{cluster: c, room: room}] = time.Now()
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
	now := time.Now()
	for room := range c.rooms {
		c.node.vacant[vacancy{cluster: c, room: room}] = now
	}
	c.node.vacant[vacancy{cluster: c, whole: true}] = now
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
	for v, since := range n.vacant {
		switch {
		case since.After(before):
			continue
		case v.whole:
			delete(n.clusters, v.cluster.place)
			v.cluster.close()
		default:
			delete(v.cluster.rooms, v.room)
			v.cluster.line.Vacate(v.room)
		}
		delete(n.vacant, v)
	}
	if len(n.vacant) == 0 { // a map keeps room for all it ever had
		n.vacant = map[vacancy]time.Time{}
	}
	if len(n.clusters) < n.most/4 {
		n.clusters = maps.Collect(maps.All(n.clusters))
		n.most = len(n.clusters)
	}
}

// close gives up everything. The lock is held.
func (c *Cluster) close() {
	for room := range c.rooms {
		c.line.Vacate(room)
	}
	c.line.Close()
}
