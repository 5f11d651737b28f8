//! A PulseAudio server of a test's own with one sink, and programs that play tones into it.

import { join } from "node:path";
import { run } from "./child.js";
import { until } from "./limits.js";

const RATE_HZ = 48_000;
const BYTES_A_SAMPLE = 2;
const LOUDNESS = 0.4;

/** A server that ends with the test. */
export class SoundServer {
  static async start(rig) {
    const directory = await rig.directory();
    const server = new SoundServer(rig, join(directory, "native"));
    const load = (module) => ["-L", module];
    rig.spawn(
      "pulseaudio",
      [
        ...["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"],
        ...["--realtime=no", "--high-priority=no"],
        ...load(`module-null-sink sink_name=speakers rate=${RATE_HZ}`),
        ...load(`module-native-protocol-unix auth-anonymous=1 socket=${server.socket}`),
      ],
      { name: "pulseaudio", env: { ...server.env, HOME: directory, XDG_RUNTIME_DIR: directory } },
    );
    await until("the sound server", async () => (await server.sinks()).includes("speakers"));
    return server;
  }

  constructor(rig, socket) {
    this.rig = rig;
    this.socket = socket;
  }

  /** What programs need to find it. */
  get env() {
    return { PATH: process.env.PATH, PULSE_SERVER: `unix:${this.socket}` };
  }

  async sinks() {
    const { out } = await run("pactl", ["list", "short", "sinks"], { env: this.env });
    return out;
  }

  /** Plays a tone on each side until it is stopped. */
  play(leftHz, rightHz) {
    const second = Buffer.alloc(RATE_HZ * 2 * BYTES_A_SAMPLE);
    for (let at = 0; at < RATE_HZ; at++) {
      for (const [side, hz] of [leftHz, rightHz].entries()) {
        const value = LOUDNESS * Math.sin((2 * Math.PI * hz * at) / RATE_HZ);
        second.writeInt16LE(Math.round(value * 32767), (at * 2 + side) * BYTES_A_SAMPLE);
      }
    }
    const format = ["--raw", "--format=s16le", `--rate=${RATE_HZ}`, "--channels=2"];
    const player = this.rig.spawn("pacat", ["--playback", "--latency-msec=20", ...format], {
      name: "pacat",
      env: this.env,
    });
    // Whole hertz end a second where they begin it, so it is played again and again.
    const feed = () => {
      while (player.end === undefined && player.process.stdin.write(second));
    };
    player.process.stdin.on("drain", feed);
    feed();
    return player;
  }
}

/** How much of `values` lies at a pitch: near 1 when nothing else is in them, 0 for silence. */
export function shareAt(values, hz) {
  let [re, im, power] = [0, 0, 0];
  values.forEach((value, at) => {
    const angle = (2 * Math.PI * hz * at) / RATE_HZ;
    re += value * Math.cos(angle);
    im += value * Math.sin(angle);
    power += value * value;
  });
  return power === 0 ? 0 : (2 * (re * re + im * im)) / (values.length * power);
}
