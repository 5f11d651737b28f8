//! Moonlight clients in the page: an administrator types their PIN, says what they may do while they
//! stream, and removes them; nobody else sees any of it. With UPDATE_SCREENSHOTS=1 it also takes the
//! picture in docs/pages.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Browser } from "../harness/browser.js";
import { Desk, login } from "../harness/desk.js";
import { Host } from "../harness/host.js";
import { until, within } from "../harness/limits.js";
import { Moonlight, moonlightHost } from "../harness/moonlight.js";
import { scenario } from "../harness/scenario.js";

const PATTERN = ["--source", "test-pattern", "--size", "640x360", "--fps", "30", "--audio", "none"];
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
const DESKTOP = { viewport: { width: 1280, height: 800 } };
const FOLDER = fileURLToPath(new URL("../../docs/pages/", import.meta.url));
const IN_DOCS = "desktop-pin";

/** Nothing of this sticks out of the screen; one of them is a picture in the documents. */
async function look(page, name) {
  const outside = await page.evaluate(() => {
    const parts = [...document.querySelectorAll("button, input, select, .banners *, dialog[open] *")];
    const boxes = parts.filter((part) => part.checkVisibility()).map((part) => part.getBoundingClientRect());
    return boxes.filter(({ left, right, width }) => width > 0 && (left < -1 || right > innerWidth + 1)).length;
  });
  assert.equal(outside, 0, `${name}: nothing sticks out`);
  if (process.env.UPDATE_SCREENSHOTS !== "1" || name !== IN_DOCS) return;
  await mkdir(FOLDER, { recursive: true });
  await page.screenshot({ path: `${FOLDER}${name}.png` });
}

/** A host that Moonlight clients find, its administrator's page, and what of it these tests look at. */
async function opened(rig, screen) {
  const { host, port } = await moonlightHost(rig, PATTERN);
  const browser = await Browser.start(rig);
  const { page } = await browser.watch(host.links[0], {}, screen);
  const banner = page.locator(".banners").getByText("wants to pair");
  const dialog = page.getByRole("dialog", { name: "Pair with Moonlight" });
  const panel = page.getByRole("region", { name: "Moonlight clients" });
  const client = await Moonlight.create(rig, port);
  return { host, page, banner, dialog, pin: dialog.getByLabel("PIN"), panel, client };
}

scenario("a Moonlight client is paired, held in check and removed in the page", async (rig) => {
  const { host, page, banner, dialog, pin, panel, client } = await opened(rig, DESKTOP);
  await page.keyboard.press("Control+Alt+Shift+G");
  await panel.getByText("No client is paired.").waitFor();
  await look(page, "desktop-empty");
  await page.keyboard.press("Escape");

  // A wrong PIN ends the pairing on both sides, and is told.
  const wrong = await client.pair("1234");
  await banner.waitFor();
  await look(page, "desktop-banner");
  await page.keyboard.press("Control+Alt+Shift+G");
  await dialog.getByText("at 127.0.0.1").waitFor();
  // The focus is where the digits go; letters are none.
  await page.keyboard.type("4x3");
  await page.keyboard.press("Enter");
  await dialog.getByText("The PIN has four digits.").waitFor();
  await page.keyboard.type("21");
  assert.equal(await pin.inputValue(), "4321");
  await look(page, "desktop-pin");
  await page.keyboard.press("Enter");
  await dialog.getByText("That is not the PIN").waitFor();
  await look(page, "desktop-wrong");
  assert.equal((await within(wrong.ended, "the end of the client")).code, 1);
  await banner.waitFor({ state: "detached" });

  // It starts again, while the dialog is open: the next PIN is typed right there.
  const right = await client.pair("0420");
  await dialog.getByText("It shows another PIN now.").waitFor();
  await dialog.getByLabel("Call it").fill("Living room");
  await pin.fill("0420");
  await dialog.getByRole("button", { name: "Pair", exact: true }).click();
  await dialog.getByText("Living room is paired.").waitFor();
  await right.line(/^Paired with/);
  await look(page, "desktop-paired");
  await dialog.getByRole("button", { name: "What it may do…" }).click();

  // What it may do changes while it streams; the stream goes on.
  const stream = await client.stream();
  const row = panel.locator("li");
  const choose = (name, label) =>
    row.getByRole("combobox", { name, exact: true }).selectOption({ label });
  await row.getByText("streams", { exact: true }).waitFor();
  const desk = await Desk.open(rig, host.origin, await login(await host.nextLink()));
  const onlyClient = async () => (await desk.ask("listMoonlightClients")).result.clients[0];
  await look(page, "desktop-rights");
  await row.getByLabel("Keyboard").uncheck();
  await row.getByText("only with mouse and gamepads").waitFor();
  await choose("It may", "watch");
  await row.getByText(/^may watch/).waitFor();
  const { sessions } = (await desk.ask("listSessions")).result;
  const its = sessions.find(({ via }) => via === "moonlight");
  assert.deepEqual([its.role, its.canControl], ["viewer", false], "the session that runs has it");
  assert.equal((await onlyClient()).rights.keyboard, false);
  await choose("It may come", "For 1 hour");
  await row.getByText(/^may watch · until/).waitFor();
  await row.getByLabel("Called").fill("Attic");
  await row.getByLabel("Called").press("Enter");
  await row.getByText("Attic", { exact: true }).waitFor();
  await stream.line(/"frames":[1-9]/, stream.out.kept.length);

  // Removing is asked about, and ends the stream.
  const remove = row.getByRole("button", { name: "Remove" }).filter({ visible: true });
  await remove.click();
  await row.getByText("Remove Attic?").waitFor();
  await look(page, "desktop-remove");
  await row.getByRole("button", { name: "Keep" }).click();
  assert.ok(await onlyClient(), "kept");
  await remove.click();
  await remove.click();
  await panel.getByText("No client is paired.").waitFor();
  await within(stream.ended, "the end of the stream");
  assert.notEqual((await client.list()).code, 0, "it has to pair again");

  // Refused in the page, the client is told at once.
  const refused = await client.pair("1111");
  await panel.getByText("wants to pair").waitFor();
  assert.equal(await banner.count(), 0, "once is enough");
  await panel.getByRole("button", { name: "Refuse" }).click();
  assert.equal((await within(refused.ended, "the end of the client")).code, 1);
  await panel.getByText("No client is paired.").waitFor();
});

scenario("a phone takes a PIN by digits alone, and shows what the client may do", async (rig) => {
  const { page, dialog, pin, panel, client } = await opened(rig, PHONE);
  await client.pair("0420");
  await page.getByRole("button", { name: "Enter its PIN" }).tap();
  assert.equal(await pin.getAttribute("inputmode"), "numeric");
  await page.keyboard.type("0420");
  await look(page, "phone-pin");
  await dialog.getByRole("button", { name: "Pair", exact: true }).tap();
  await dialog.getByRole("button", { name: "Done" }).tap();
  // The bar has no room for its button: the way there is by who is here.
  const people = page.getByRole("button", { name: /^Who is here/ });
  if (!(await people.isVisible())) await page.touchscreen.tap(195, 640);
  await people.tap();
  await page.getByRole("button", { name: "Moonlight clients…" }).tap();
  await panel.getByRole("button", { name: /^Change/ }).tap();
  await look(page, "phone-rights");
});

scenario("nobody but administrators sees Moonlight clients, and nobody where there are none", async (rig) => {
  const { host, port } = await moonlightHost(rig, PATTERN);
  const own = await Desk.open(rig, host.origin, await login(host.links[0]));
  const share = { role: "controller", forSeconds: 3600, name: "Carl" };
  const { url } = (await own.ask("createShareLink", share)).result;
  const browser = await Browser.start(rig);
  const without = await Host.start(rig, PATTERN);
  const pages = [await browser.watch(url), await browser.watch(without.links[0])];
  const client = await Moonlight.create(rig, port);
  await client.pair("1234");
  await own.untilTold("pairingsChanged", ({ pairings }) => pairings.length === 1);
  for (const viewer of pages) {
    const { page } = viewer;
    // What was told by then has been read once this is answered.
    await viewer.rpc("ping");
    await page.keyboard.press("Control+Alt+Shift+G");
    assert.ok(await page.getByRole("button", { name: "Moonlight clients" }).isHidden());
    assert.ok(await page.getByRole("region", { name: "Moonlight clients" }).isHidden());
    assert.equal(await page.getByText("wants to pair").count(), 0);
    await page.keyboard.press("Control+Alt+Shift+H");
    assert.ok(await page.getByText("Share by link", { exact: true }).isVisible());
    assert.ok(await page.getByText("Moonlight clients, and").isHidden());
  }
  await until("the client waits still", async () => (await own.ask("listPairings")).result.pairings.length === 1);
});
