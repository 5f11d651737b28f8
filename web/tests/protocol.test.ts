//! Reading what the host says: right types pass, everything else is absent.
import { expect, test } from "vitest";
import {
  readHostFrames,
  readHostSecond,
  readHostState,
  readText,
  readVideoInputState,
} from "../src/protocol";

test("a full host state passes", () => {
  const state = {
    version: "0.1.0",
    source: { name: "x11::1", detail: "1280×720" },
    encoder: { name: "x264", reason: "no hardware encoder" },
    codec: "H264",
    width: 1280,
    height: 720,
    fps: 60,
    bitrateBps: 8e6,
    viewers: 2,
    sound: { available: true, detail: "Speakers" },
  };
  expect(readHostState(state)).toEqual(state);
});

test("wrong types are absent, not zero", () => {
  expect(readHostSecond({ fps: "60", rttMs: null, lossPct: 0, plis: Infinity })).toEqual({
    lossPct: 0,
  });
  expect(readHostState(null)).toEqual({ source: {}, encoder: {}, sound: {} });
  expect(readText([], "sdp")).toBeUndefined();
});

test("only known source errors pass", () => {
  expect(readVideoInputState({ ready: false, error: "no_lock" })).toEqual({
    ready: false,
    error: "no_lock",
  });
  expect(readVideoInputState({ error: "gremlins" })).toEqual({});
});

test("frames without a timestamp are left out, others keep what they have", () => {
  const frames = [{ rtp: 1, encodeUs: 5, repeated: true, junk: 1 }, { encodeUs: 5 }, null, 7];
  expect(readHostFrames({ frames })).toEqual([{ rtp: 1, encodeUs: 5, repeated: true }]);
  expect(readHostFrames({ frames: "no" })).toEqual([]);
});
