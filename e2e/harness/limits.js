//! How long the tests wait before they call something stuck, and the one way of waiting. Nothing is
//! measured with these limits: on a healthy machine no wait comes near them.

/** A wait that gets here has failed. */
export const GIVE_UP_MS = 30_000;
const LOOK_AGAIN_MS = 25;

/** Settles as `promise` does, or fails after a while saying what did not happen. */
export function within(promise, what, limitMs = GIVE_UP_MS) {
  let timer;
  const tooLong = new Promise((_, reject) => {
    const complain = () => reject(new Error(`waited ${limitMs} ms in vain for ${what}`));
    timer = setTimeout(complain, limitMs);
  });
  return Promise.race([promise, tooLong]).finally(() => clearTimeout(timer));
}

/** Asks `question` again and again until it answers with something true, and returns that. */
export async function until(what, question, limitMs = GIVE_UP_MS) {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const answer = await question();
    if (answer) return answer;
    if (performance.now() > deadline) throw new Error(`waited ${limitMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}
