package adapter

// Kind tells what a [Message] is for.
type Kind uint8

// Questions and orders go to every other node of a namespace; each answer goes to the node that asked.
const (
	Broadcast        Kind = iota + 1 // Target, Flags, Value: the event; with RequestID clients are to answer
	ClientCount                      // answers it once: Count clients have been asked
	ClientAnswer                     // answers it once for each of them: Value
	Join                             // Target, Rooms
	Leave                            // Target, Rooms
	Disconnect                       // Target, Close
	Done                             // answers the three where RequestID is given and a socket was meant
	Fetch                            // Target
	FetchAnswer                      // Sockets
	ServerSide                       // Value: the event; with RequestID the server is to answer
	ServerSideAnswer                 // Value
	AllRooms                         // nothing
	AllRoomsAnswer                   // Rooms
	SocketIDs                        // Target; asked by old versions only
	SocketIDsAnswer                  // Sockets, of which only ID counts
)

// Message is what one node tells the others of a namespace. It is never changed once it has been handed on.
type Message struct {
	Kind      Kind
	From      string // the sender's uid; empty where the wire does not tell
	RequestID string // ties answers to their question; empty where no answer is wanted
	Target    Target
	Flags     Flags
	Value     Value
	Rooms     []string
	Close     bool
	Sockets   []Socket
	Count     int
}
