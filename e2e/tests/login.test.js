//! The way in: a link that works once, a cookie, TLS beyond loopback.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTls } from "node:tls";
import { Browser } from "../harness/browser.js";
import { Host } from "../harness/host.js";
import { within } from "../harness/limits.js";
import { scenario } from "../harness/scenario.js";

const PATTERN = ["--source", "test-pattern", "--size", "640x360", "--fps", "30"];

scenario("the link opens straight into the stream, once, and the cookie keeps the page in", async (rig) => {
  const host = await Host.start(rig, PATTERN);
  const browser = await Browser.start(rig);
  const [link] = host.links;
  const viewer = await browser.watch(link);
  assert.equal(new URL(viewer.page.url()).pathname, "/", "the token does not stay in the address");

  const cookies = await viewer.page.context().cookies();
  assert.equal(cookies.length, 1);
  const { httpOnly, sameSite, secure } = cookies[0];
  assert.deepEqual({ httpOnly, sameSite, secure }, { httpOnly: true, sameSite: "Strict", secure: false });

  await viewer.page.reload({ waitUntil: "commit" });
  await viewer.state("live");
  await viewer.frames(10);

  const stranger = await browser.open();
  const reply = await stranger.goto(link);
  assert.equal(reply.status(), 401);
  assert.match(await stranger.innerText("body"), /was used already.*Open the newest link/s);
  assert.equal((await stranger.goto(host.origin)).status(), 401);
  assert.match(await stranger.innerText("body"), /Open the link that Heliostat printed/);

  const next = await host.nextLink();
  const other = await browser.watch(next);
  await other.frames(10);
});

scenario("beyond loopback the host speaks TLS with the certificate that it printed", async (rig) => {
  const host = await Host.start(rig, PATTERN, { listen: "0.0.0.0:0" });
  assert.match(host.links[0], /^https:/);
  const socket = connectTls({ host: "127.0.0.1", port: host.port, rejectUnauthorized: false });
  await within(once(socket, "secureConnect"), "a TLS connection");
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  assert.equal(host.fingerprint, fingerprint256);

  const inTheClear = `http://127.0.0.1:${host.port}/`;
  const answer = await fetch(inTheClear, { redirect: "manual" });
  assert.equal(answer.headers.get("location"), `https://127.0.0.1:${host.port}/`);

  const viewer = await (await Browser.start(rig)).watch(host.links[0]);
  await viewer.frames(10);
  const [cookie] = await viewer.page.context().cookies();
  assert.equal(cookie.secure, true);
});
