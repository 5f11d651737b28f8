//! What the page says in each state of a session, on a desktop's and a phone's screen. With
//! UPDATE_SCREENSHOTS=1 it also takes the pictures in docs/pages.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Browser } from "../harness/browser.js";
import { Desk, login } from "../harness/desk.js";
import { Host } from "../harness/host.js";
import { show } from "../harness/scene.js";
import { scenario } from "../harness/scenario.js";
import { XServer } from "../harness/xserver.js";

const FOLDER = fileURLToPath(new URL("../../docs/pages/", import.meta.url));
const UPDATES = process.env.UPDATE_SCREENSHOTS === "1";
const SCREENS = {
  desktop: { viewport: { width: 1280, height: 800 } },
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true },
};

async function take(page, name) {
  if (!UPDATES) return;
  await mkdir(FOLDER, { recursive: true });
  await page.screenshot({ path: `${FOLDER}${name}.png` });
}

/** Waits for what fades in; what turns for ever is not waited for. */
const settled = () =>
  Promise.all(
    document
      .getAnimations()
      .filter(({ effect }) => effect.getComputedTiming().iterations !== Infinity)
      .map(({ finished }) => finished.catch(() => undefined)),
  ).then(() => undefined);

/** Nothing of the page's words and buttons lies outside the screen. */
async function fits(page, name) {
  const outside = await page.evaluate(() => {
    const shown = [...document.querySelectorAll("button, .banners *, .card *")];
    const boxes = shown.filter((element) => element.checkVisibility()).map((element) => ({
      text: element.textContent.slice(0, 40),
      ...element.getBoundingClientRect().toJSON(),
    }));
    return boxes.filter(({ left, right, width }) => width > 0 && (left < -1 || right > innerWidth + 1));
  });
  assert.deepEqual(outside, [], `${name}: nothing sticks out`);
}

for (const [screen, options] of Object.entries(SCREENS)) {
  scenario(`every state is told in words, on a ${screen}`, async (rig) => {
    const x = await XServer.start(rig);
    await show(x);
    const host = await Host.start(rig, ["--source", `x11:${x.display}`]);
    const own = await Desk.open(rig, host.origin, await login(host.links[0]));
    const invite = async (name) => {
      const params = { role: "controller", forSeconds: 3600, name };
      return (await own.ask("createShareLink", params)).result.url;
    };
    const browser = await Browser.start(rig);
    const ann = await browser.watch(await invite("Ann"), {}, options);
    await ann.drives();
    const look = async ({ page }, name, words) => {
      if (words) await page.getByText(words).first().waitFor();
      await page.evaluate(settled);
      await fits(page, name);
      await take(page, `${screen}-${name}`);
    };
    await ann.frames(30);
    await ann.page.mouse.move(300, 300);
    await look(ann, "controlling");

    const bob = await browser.watch(await invite("Bob"), {}, options);
    await bob.frames(30);
    await bob.page.mouse.move(200, 200);
    await bob.page.mouse.move(210, 210);
    await bob.page.locator(".toolbar .call", { hasText: "Ask for control" }).waitFor();
    await look(bob, "viewing");

    await bob.page.keyboard.press("c");
    await look(ann, "request", "Bob asks for control.");
    await ann.page.keyboard.press("Control+Alt+Shift+N");
    await bob.page.getByText("Ann keeps control.").waitFor();

    await bob.page.keyboard.press("p");
    await bob.wait("paused", () => window.heliostat.paused === true);
    await look(bob, "paused", /^Paused$/);

    await x.child.stop("SIGKILL");
    await look(ann, "no-signal", "No signal");
  });
}
