//! Times keys and mouse buttons from inside the page: when the page hears of a press, and the first
//! decoded frame that counts it. It leaves the events alone, and listens before the page does.

/** `reader` is the worker that reads the frames. */
function timePresses(reader, wallMs) {
  /** What the frames showed last, as [readableMs, rtp, heardUs, count]. */
  let shown = null;
  let pressedMs = null;
  let countBefore = 0;
  let look = () => {};

  function press(event) {
    if (event.isTrusted && !event.repeat) pressedMs ??= wallMs(performance.now());
  }
  for (const kind of ["keydown", "pointerdown"]) addEventListener(kind, press, true);

  return {
    /** Takes a new count from the worker. */
    show(presses) {
      shown = presses;
      look();
    },
    /** Begins or ends to look for counts in the frames. */
    watch(watchPresses) {
      shown = null;
      reader.postMessage({ watchPresses });
    },
    /** What the frames showed last, or null. */
    shown: () => shown,
    /** Forgets the last press: the next one is to be timed. */
    arm() {
      pressedMs = null;
      countBefore = shown?.[3] ?? 0;
    },
    /** Waits until a frame counts the press, `limitMs` at most: {pressedMs, shown}. */
    reaction: (limitMs) =>
      new Promise((resolve) => {
        const answer = (found) => {
          clearTimeout(timer);
          look = () => {};
          resolve({ pressedMs, shown: found });
        };
        const timer = setTimeout(answer, limitMs, null);
        look = () => shown?.[3] > countBefore && answer(shown);
        look();
      }),
  };
}
