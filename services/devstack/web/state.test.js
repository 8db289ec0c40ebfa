// node --test: the page's idea of the player follows the events.
import assert from "node:assert/strict";
import test from "node:test";
import { apply, empty, isLive, positionAt } from "./page/js/state.js";

const b64 = (value) => Buffer.from(JSON.stringify(value)).toString("base64");
const a = { uniqueId: "a", title: "Überfahrt 🎈", duration: 60_000 };
const b = { uniqueId: "b", duration: 30_000 };
const pona = {
  position: 1500, length: 60_000, voiceChannel: "7", volume: 64, equalizer: [],
  repeat: { track: false, queue: true, dynamic: false }, isAutoplay: true, paused: false, playing: true,
};

/** The state after some [event, argument] pairs, all at time 1000. */
const after = (...events) => events.reduce((state, [name, arg]) => apply(state, name, arg, 1000), empty());
const joined = ["handshake", b64({ pona: { pona, current: a, queue: [a, b] }, isMemberInVC: { id: "7", name: "Küche" } })];

test("handshake: the queue starts with the current track", () => {
  const s = after(joined);
  assert.deepEqual(s.current, a);
  assert.deepEqual(s.upcoming, [b]);
  assert.deepEqual([s.exists, s.playing, s.volume, s.repeat, s.autoplay, s.channel, s.seat], [true, true, 64, "queue", true, "7", "7"]);
});

test("handshake without a player, and without a voice channel", () => {
  assert.equal(after(["handshake", b64({ pona: null, isMemberInVC: null })]).exists, false);
  const s = after(["handshake", b64({ pona: { pona: null, current: null, queue: [] }, isMemberInVC: null })]);
  assert.deepEqual([s.known, s.exists, s.upcoming], [true, false, []]);
});

test("a track starts from its beginning, even when the one before was paused", () => {
  const s = after(joined, ["pause_updated", 1], ["track_started", b64(b)], ["queue_updated", b64([b])]);
  assert.deepEqual([s.current, s.upcoming, s.playing, s.position], [b, [], true, 0]);
});

test("pause holds the position", () => {
  const s = apply(apply(after(joined), "pause_updated", 1, 3000), "volume_updated", 20, 4000);
  assert.equal(positionAt(s, 99_000), 3500);
  assert.equal(positionAt(apply(s, "pause_updated", 0, 10_000), 11_000), 4500);
});

test("the position never passes the end, except of a live stream", () => {
  assert.equal(positionAt(after(joined), 1_000_000), 60_000);
  const live = after(["track_started", b64({ duration: 9223372036854776000 })]);
  assert.equal(isLive(live.current), true);
  assert.equal(positionAt(live, 1_001_000), 1_000_000);
});

test("the queue ends", () => {
  for (const end of [[["queue_ended"]], [["track_updated", b64(null)], ["queue_updated", b64([null])]]]) {
    const s = after(joined, ...end);
    assert.deepEqual([s.current, s.upcoming, s.playing, s.exists], [null, [], false, true]);
  }
});

test("a player comes and goes; the seat stays", () => {
  const gone = after(joined, ["player_destroyed", b64(null)]);
  assert.deepEqual([gone.exists, gone.current, gone.seat], [false, null, "7"]);
  const back = apply(gone, "player_created", b64({ pona, current: a, queue: [b] }), 1000);
  assert.deepEqual([back.exists, back.current, back.upcoming, back.seat], [true, a, [b], "7"]);
});

test("an event the page does not know changes nothing", () => {
  const s = after(joined);
  assert.equal(apply(s, "from_a_newer_bot", 1, 0), s);
  assert.equal(apply(s, "toString", 1, 0), s);
});
