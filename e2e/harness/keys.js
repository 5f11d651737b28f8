//! Typing like a person in a hurry: strokes made from a seed, with modifiers and with the next key
//! down before the last one is up. It knows what each stroke types on a US keyboard.

const SHIFTED = {
  Digit1: "1!", Digit2: "2@", Digit3: "3#", Digit4: "4$", Digit5: "5%", Digit6: "6^", Digit7: "7&",
  Digit8: "8*", Digit9: "9(", Digit0: "0)", Minus: "-_", Equal: "=+", BracketLeft: "[{",
  BracketRight: "]}", Semicolon: ";:", Quote: "'\"", Comma: ",<", Period: ".>", Slash: "/?",
  Backquote: "`~", Backslash: "\\|", Space: "  ",
};
for (const letter of "abcdefghijklmnopqrstuvwxyz") {
  SHIFTED[`Key${letter.toUpperCase()}`] = letter + letter.toUpperCase();
}
const CODES = Object.keys(SHIFTED);
/** Letters that neither the page nor a browser wants to have with Control. */
const WITH_CONTROL = ["KeyA", "KeyB", "KeyE", "KeyF", "KeyG", "KeyK"];
const SHIFT_SHARE = 0.15;
const CONTROL_SHARE = 0.05;
const OVERLAP_SHARE = 0.2;

/** Numbers from 0 to 1, the same for the same seed. */
function random(seed) {
  let state = seed;
  return () => {
    // Numerical Recipes' generator; only the upper bits are any good.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 24;
  };
}

/** `count` keys as a list of {code, down}, and the text that they type. */
export function hurriedTyping(seed, count) {
  const next = random(seed);
  const pick = (list) => list[Math.floor(next() * list.length)];
  const events = [];
  let text = "";
  let late;
  const act = (code, down) => events.push({ code, down });
  const release = () => {
    if (late) act(late, false);
    late = undefined;
  };
  const stroke = (code) => {
    if (late === code) release();
    act(code, true);
    release();
    if (next() < OVERLAP_SHARE) late = code;
    else act(code, false);
  };
  for (let done = 0; done < count; ) {
    const dice = next();
    if (dice < CONTROL_SHARE) {
      const code = pick(WITH_CONTROL);
      act("ControlLeft", true);
      stroke(code);
      act("ControlLeft", false);
      text += String.fromCharCode(code.charCodeAt(3) - 0x40);
      done++;
    } else if (dice < CONTROL_SHARE + SHIFT_SHARE) {
      const side = pick(["ShiftLeft", "ShiftRight"]);
      const together = Math.min(1 + Math.floor(next() * 4), count - done);
      act(side, true);
      for (let at = 0; at < together; at++, done++) {
        const code = pick(CODES);
        stroke(code);
        text += SHIFTED[code][1];
      }
      act(side, false);
    } else {
      const code = pick(CODES);
      stroke(code);
      text += SHIFTED[code][0];
      done++;
    }
  }
  release();
  return { events, text };
}

/** Does that on a page's keyboard. */
export async function act(page, events) {
  for (const { code, down } of events) {
    if (down) await page.keyboard.down(code);
    else await page.keyboard.up(code);
  }
}

/** Presses keys one after the other, as in `Shift+KeyA`. */
export async function press(page, ...strokes) {
  for (const stroke of strokes) await page.keyboard.press(stroke);
}
