//! When the page plays sound, when it asks the host for none, and what it remembers.
import { beforeEach, expect, test, vi } from "vitest";
import { inStereo } from "../src/peer";
import { Sound, type Memory, type Speaker } from "../src/sound";

/** An element that plays, or that waits for a touch. */
class ScriptedSpeaker implements Speaker {
  srcObject: MediaProvider | null = null;
  volume = 1;
  refuses = false;
  playing = false;

  play(): Promise<void> {
    if (this.refuses) return Promise.reject(new DOMException("no gesture", "NotAllowedError"));
    this.playing = true;
    return Promise.resolve();
  }

  pause(): void {
    this.playing = false;
  }
}

class ScriptedMemory implements Memory {
  kept = new Map<string, string>();
  getItem = (key: string) => this.kept.get(key) ?? null;
  setItem = (key: string, value: string) => void this.kept.set(key, value);
}

vi.stubGlobal(
  "MediaStream",
  class {
    constructor(readonly tracks: unknown[]) {}
  },
);

let speaker: ScriptedSpeaker;
let memory: ScriptedMemory;
let wanted: boolean[];

beforeEach(() => {
  speaker = new ScriptedSpeaker();
  memory = new ScriptedMemory();
  wanted = [];
});

const open = () =>
  new Sound(
    speaker,
    (wants) => wanted.push(wants),
    () => undefined,
    memory,
  );

/** Lets promises settle. */
const settle = () => new Promise((resolve) => setTimeout(resolve));

async function streaming(): Promise<Sound> {
  const sound = open();
  sound.play({} as MediaStreamTrack);
  sound.setAvailable(true);
  await settle();
  return sound;
}

test("it plays unmuted where the browser lets it", async () => {
  const sound = await streaming();
  expect(speaker.playing).toBe(true);
  expect(sound.state).toEqual({ available: true, muted: false, blocked: false, volume: 1 });
  expect(wanted.at(-1)).toBe(true);
});

test("what the browser holds back is not sent, and plays after a touch", async () => {
  speaker.refuses = true;
  const sound = await streaming();
  expect(sound.state.blocked).toBe(true);
  expect(wanted.at(-1)).toBe(false);
  sound.touched();
  await settle();
  expect(sound.state.blocked).toBe(true);
  speaker.refuses = false;
  sound.touched();
  await settle();
  expect(sound.state.blocked).toBe(false);
  expect(speaker.playing).toBe(true);
  expect(wanted.at(-1)).toBe(true);
});

test("the key that turns held-back sound on does not mute it", async () => {
  speaker.refuses = true;
  const sound = await streaming();
  speaker.refuses = false;
  sound.toggle();
  await settle();
  expect(sound.state).toMatchObject({ muted: false, blocked: false });
  expect(speaker.playing).toBe(true);
});

test("a muted page asks for none, and stays muted when it is opened again", async () => {
  const sound = await streaming();
  sound.toggle();
  expect(speaker.playing).toBe(false);
  expect(wanted.at(-1)).toBe(false);
  speaker = new ScriptedSpeaker();
  const again = await streaming();
  expect(again.state.muted).toBe(true);
  expect(speaker.playing).toBe(false);
  expect(wanted.at(-1)).toBe(false);
  again.toggle();
  await settle();
  expect(speaker.playing).toBe(true);
  expect(wanted.at(-1)).toBe(true);
});

test("the volume is remembered; none at all is muted, and unmuting is heard", async () => {
  const sound = await streaming();
  sound.setVolume(0.3);
  expect(speaker.volume).toBe(0.3);
  expect(open().state.volume).toBe(0.3);
  sound.setVolume(0);
  expect(sound.state.muted).toBe(true);
  expect(wanted.at(-1)).toBe(false);
  sound.toggle();
  expect(sound.state.muted).toBe(false);
  expect(speaker.volume).toBeGreaterThan(0);
  sound.setVolume(7);
  expect(speaker.volume).toBe(1);
});

test("what is remembered wrongly is forgotten", () => {
  for (const kept of ["", "no", "[]", '{"volume":"loud"}', '{"volume":-1,"muted":1}', "null"]) {
    memory.kept.set("heliostat.sound", kept);
    expect(open().state).toMatchObject({ muted: false, volume: 1 });
  }
});

test("without sound on the host nothing is tried, and nothing is said", async () => {
  speaker.refuses = true;
  const sound = open();
  sound.play({} as MediaStreamTrack);
  await settle();
  expect(sound.state).toMatchObject({ available: false, blocked: false });
  // The host is to tell when there is some.
  expect(sound.isWanted).toBe(true);
});

test("stereo is asked for, once, and of sound alone", () => {
  const sdp = [
    "m=video 9 UDP/TLS/RTP/SAVPF 102",
    "a=rtpmap:102 H264/90000",
    "a=fmtp:102 packetization-mode=1",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 63",
    "a=rtpmap:111 opus/48000/2",
    "a=fmtp:111 minptime=10;useinbandfec=1",
    "a=rtpmap:63 red/48000/2",
    "a=fmtp:63 111/111",
    "",
  ].join("\r\n");
  const wanted = sdp.replace("a=fmtp:111 ", "a=fmtp:111 stereo=1;");
  expect(inStereo(sdp)).toBe(wanted);
  expect(inStereo(wanted)).toBe(wanted);
  const other = sdp.replace("minptime=10", "sprop-stereo=1; stereo=0");
  expect(inStereo(other)).toBe(other);
});
