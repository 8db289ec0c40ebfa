import { io } from "socket.io-client";

const url = `${process.argv[2] ?? "http://127.0.0.1:3000"}/chat`;
const ada = io(url, { auth: { name: "Ada" } }); // tries again until the server is there
const bob = io(url, { auth: { name: "Bob" }, forceNew: true });

const heard = new Promise((resolve) => ada.on("said", (name, text) => resolve(`${name}: ${text}`)));
for (const client of [ada, bob]) await client.emitWithAck("join", "lobby");
console.log("Bob has said it:", await bob.emitWithAck("say", "lobby", "hello"));
console.log("Ada has heard", await heard);
console.log("without a text:", await bob.emitWithAck("say", "lobby"));

const stranger = io(url, { forceNew: true });
stranger.on("connect_error", (error) => {
  console.log("refused:", error.message);
  for (const client of [ada, bob, stranger]) client.disconnect();
});
