// Everything that pona-bench can make use of, in a server of npm's socket.io.
const { createServer } = require("node:http");
const { Server } = require("socket.io");

const http = createServer();
const io = new Server(http, { perMessageDeflate: { threshold: 1024 }, connectionStateRecovery: {} });

function serve(socket) {
  socket.on("relay", (payload) => socket.broadcast.emit("relay", payload)); //        --emit-event relay
  socket.on("enter", (room, done) => { socket.join(room); done(); }); //              --join-event enter
  socket.on("to-room", (room, payload) => socket.to(room).emit("to-room", payload)); // … --emit-event to-room
  socket.on("echo", (payload, done) => done(payload)); //                             --ack-event echo
  socket.on("ask", () => socket.emit("reply")); //                                    --ask-event ask --reply-event reply
}

io.on("connection", serve);
io.of(/^\/room-\d+$/).on("connection", serve);
http.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => console.log(http.address().port));
