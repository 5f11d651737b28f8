//! A desktop worth a look: the windows that the README's pictures show.

import { fileURLToPath } from "node:url";

const ARCHITECTURE = fileURLToPath(new URL("../../ARCHITECTURE.md", import.meta.url));

/** Waves of colour, about twenty times a second. */
const WAVES = `exec awk 'BEGIN {
  printf "\\033[?25l";
  for (t = 0; ; t += 0.12) {
    frame = "\\033[H";
    for (y = 0; y < 23; y++) {
      for (x = 0; x < 62; x++) {
        v = sin(x / 7 + t) + sin(y / 4 - t * 0.8) + sin((x + 2 * y) / 11 + t * 0.6);
        step = int((v + 3) * 5.99);
        split("17 18 19 20 26 32 38 44 43 42 41 40 76 112 148 184 220 214 208 202 196 197 198 199 163 164 128 129 93 92 56 55 54 53 17 17", c, " ");
        frame = frame "\\033[48;5;" c[step + 1] "m ";
      }
      frame = frame (y < 22 ? "\\033[0m\\r\\n" : "");
    }
    printf "%s", frame; fflush();
    system("sleep 0.03");
  }
}'`;

const CLOCK = `printf "\\033[?25l"; while :; do
  printf "\\033[H\\033[1;36m%s\\033[0m\\n\\n%s" "$(date +%H:%M:%S.%2N)" "$(date +%A)"
  sleep 0.05
done`;

const DATA_PATH = `sed -n '/^\`\`\`text/,/^\`\`\`/p' '${ARCHITECTURE}' | sed '/^\`\`\`/d'; printf '\\n$ '; exec cat`;

/** Puts the windows onto an X server's screen: to the right, since the statistics stand on the left. */
export async function show(x) {
  await x.program("xsetroot", ["-solid", "#1d2b3a", "-cursor_name", "left_ptr"]).ended;
  await x.xterm("path", { geometry: "126x9+40+530", shell: DATA_PATH, size: 9 });
  await x.xterm("waves", { geometry: "62x23+430+50", shell: WAVES, size: 9 });
  await x.xterm("clock", { geometry: "19x4+1010+50", shell: CLOCK, size: 14 });
  await x.xdotool("mousemove", "1130", "330");
}
