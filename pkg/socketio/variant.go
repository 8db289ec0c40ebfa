package socketio

import "fmt"

// MaxVariants is how many variants an event may have.
const MaxVariants = 4

// NewVariants prepares an event of which each socket gets the variant that it has chosen with
// SetVariant, such as its payload as text or as bytes. args returns the arguments of a variant, below
// MaxVariants, as NewPacket takes them. It is called when the first socket needs the variant, and not
// again; it must be quick and must not use this package. Other servers of a cluster get variant 0. Where its arguments cannot be encoded, the
// sockets of that variant go without, and Options.OnError hears of it.
func NewVariants(event string, args func(variant uint8) []any) (*Packet, error) {
	if reserved[event] {
		return nil, fmt.Errorf("socketio: the event name %q is reserved", event)
	}
	return &Packet{event: event, variants: args}, nil
}

// SetVariant chooses, below MaxVariants, what the socket gets of events that have several; without
// it, 0. Only middleware may call it: nothing has been sent then.
func (s *Socket) SetVariant(variant uint8) {
	if variant >= MaxVariants {
		panic(fmt.Sprintf("socketio: variant %d, below %d only", variant, MaxVariants))
	}
	s.variant = variant
}

// variant is the packet itself, or what sockets of that variant get in its place.
func (p *Packet) variant(variant uint8) (*Packet, error) {
	if p.variants == nil {
		return p, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made == nil {
		p.made = new([MaxVariants]*Packet)
	}
	made := &p.made[variant]
	if *made == nil {
		one, err := NewPacket(p.event, p.variants(variant)...)
		if err != nil {
			return nil, err
		}
		*made = one.Conflate(p.conflate).WithOffset(p.offset)
	}
	return *made, nil
}
