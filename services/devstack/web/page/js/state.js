// A guild's player as the page knows it: plain values, changed by events alone.
import { decode } from "./payload.js";

export const repeatModes = ["none", "queue", "track"];

/** A state in which no player exists. position is in ms and was true at positionAt (performance.now()). */
export function empty() {
  return {
    known: false, exists: false, current: null, upcoming: [], position: 0, positionAt: 0, playing: false,
    volume: null, repeat: "none", autoplay: false, channel: null, seat: null,
  };
}

const mode = (r) => (r?.track ? "track" : r?.queue ? "queue" : "none");
const channelId = (c) => (c && typeof c === "object" ? c.id : c) ?? null;

function withPlayer(state, player, now) {
  if (!player) return { ...empty(), known: true, seat: state.seat };
  const pona = player.pona ?? {};
  return {
    ...state, known: true, exists: true, current: player.current ?? null,
    position: pona.position ?? 0, positionAt: now, playing: Boolean(pona.playing) && !pona.paused,
    volume: pona.volume ?? null, repeat: mode(pona.repeat), autoplay: Boolean(pona.isAutoplay), channel: channelId(pona.voiceChannel),
  };
}

/** What each event of a guild changes; the argument is as it came. */
const changes = {
  handshake(state, text, now) {
    const { pona, isMemberInVC } = decode(text);
    const next = withPlayer({ ...state, seat: channelId(isMemberInVC) }, pona, now);
    const queue = pona?.queue ?? [];
    return { ...next, exists: Boolean(pona?.pona), upcoming: next.current ? queue.slice(1) : queue };
  },
  track_started: (s, text, now) => ({ ...s, exists: true, current: decode(text), position: 0, positionAt: now, playing: true }),
  track_updated(s, text) {
    const track = decode(text);
    return { ...s, current: track, playing: s.playing && track !== null };
  },
  queue_updated(s, text) {
    const [current, ...upcoming] = decode(text);
    return { ...s, current: current ?? null, upcoming };
  },
  queue_ended: (s) => ({ ...s, current: null, upcoming: [], playing: false }),
  track_pos_updated: (s, ms, now) => ({ ...s, position: ms, positionAt: now }),
  pause_updated: (s, paused, now) => ({ ...s, position: positionAt(s, now), positionAt: now, playing: !paused }),
  volume_updated: (s, percent) => ({ ...s, volume: percent }),
  autoplay_updated: (s, on) => ({ ...s, autoplay: Boolean(on) }),
  repeat_updated: (s, text) => ({ ...s, repeat: mode(decode(text)) }),
  channel_updated: (s, text) => ({ ...s, channel: channelId(decode(text)) }),
  player_created(s, text, now) {
    const player = decode(text);
    return { ...withPlayer(s, player, now), upcoming: player?.queue ?? [] };
  },
  player_destroyed: (s) => ({ ...empty(), known: true, seat: s.seat }),
  member_state_updated: (s, text) => ({ ...s, seat: channelId(decode(text).newVC) }),
};

/** The state after an event. Events the page does not know change nothing. */
export function apply(state, event, arg, now) {
  return Object.hasOwn(changes, event) ? changes[event](state, arg, now) : state;
}

/** Where the track is at a time, in ms, never beyond its end. */
export function positionAt(state, now) {
  const at = state.position + (state.playing ? now - state.positionAt : 0);
  return isLive(state.current) ? at : Math.min(at, state.current?.duration ?? 0);
}

/** Live streams say so, or have the duration of all of time. */
export const isLive = (track) => Boolean(track && (track.isStream || track.duration > Number.MAX_SAFE_INTEGER));
