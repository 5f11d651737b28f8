//! Viewers that go, in good order or not: the host notices and stops working for them.

import assert from "node:assert/strict";
import { Browser } from "../harness/browser.js";
import { Desk } from "../harness/desk.js";
import { Host } from "../harness/host.js";
import { scenario } from "../harness/scenario.js";

const PATTERN = ["--source", "test-pattern", "--size", "640x360", "--fps", "30", "--open-access"];
/** A closed tab is noticed within this; a killed browser closes its connections as quickly. */
const NOTICED_MS = 3000;

scenario("a closed tab, a page gone elsewhere and a killed browser are noticed", async (rig) => {
  const host = await Host.start(rig, PATTERN);
  const desk = await Desk.open(rig, host.origin);
  const browser = await Browser.start(rig);
  const watched = async (viewer) => {
    await viewer.frames(5);
    assert.equal(await desk.viewers(), 1);
    return viewer;
  };

  const tab = await watched(await browser.watch(host.links[0]));
  await tab.close();
  await desk.untilViewers(0, NOTICED_MS);

  const page = await watched(await browser.watch(host.links[0]));
  await page.page.goto("about:blank");
  await desk.untilViewers(0, NOTICED_MS);

  await watched(await browser.watch(host.links[0]));
  browser.kill();
  await desk.untilViewers(0, NOTICED_MS);
});

scenario("a host that stops says so, and ends in good order", async (rig) => {
  const host = await Host.start(rig, PATTERN);
  const viewer = await (await Browser.start(rig)).watch(host.links[0]);
  const { code, signal } = await host.child.stop("SIGINT");
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
  await viewer.state("unreachable");
  assert.match(await viewer.page.innerText("body"), /Host not reachable/);
});
