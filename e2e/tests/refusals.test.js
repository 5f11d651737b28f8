//! Bad input against the real binary: each is refused in words that name what is wrong, and the
//! host that was asked keeps running.

import assert from "node:assert/strict";
import { Browser } from "../harness/browser.js";
import { connect, Desk, login } from "../harness/desk.js";
import { Host, heliostat } from "../harness/host.js";
import { within } from "../harness/limits.js";
import { scenario } from "../harness/scenario.js";

const PATTERN = ["--source", "test-pattern", "--size", "640x360", "--fps", "30"];

/** Flags that cannot work, and what the one line about them must say. */
const BAD_FLAGS = [
  [["--source", "webcam"], /source.*"webcam" is not known.*auto, x11, test-pattern/],
  [["--encoder", "magic"], /encoder.*"magic" is not known.*auto, x264/],
  [["--size", "641x480"], /size.*641x480 is odd.*must be even/],
  [["--size", "0x0"], /size.*0x0 is out of range.*2 to 8192/],
  [["--size", "99998x99998"], /size.*99998x99998 is out of range.*2 to 8192/],
  [["--size", "99999999999999999999x2"], /size.*2 to 8192|size.*not WIDTHxHEIGHT/],
  [["--size", "wide"], /size.*"wide" is not WIDTHxHEIGHT/],
  [["--size", ""], /size.*"" is not WIDTHxHEIGHT/],
  [["--fps", "0"], /fps 0 is out of range.*1 to 240/],
  [["--fps", "241"], /fps 241 is out of range.*1 to 240/],
  [["--fps", "sixty"], /fps.*"sixty" is not a whole number.*1 to 240/],
  [["--bitrate", "499k"], /bitrate.*is out of range.*500k to 1000M/],
  [["--bitrate", "1001M"], /bitrate.*is out of range.*500k to 1000M/],
  [["--bitrate", "-8M"], /bitrate.*"-8M" is not|unexpected argument '-8'/],
  [["--listen", "everywhere"], /listen.*"everywhere" is not ADDRESS:PORT/],
  [["--listen", "192.0.2.1:0"], /no address 192\.0\.2\.1/],
  [["--listen", "0.0.0.0:0", "--open-access"], /open-access.*loopback/],
  [["--idle-timeout-ms", "999"], /idle-timeout-ms.*1000 to 600000/],
  [["--config", "/nonexistent/heliostat.toml"], /nonexistent\/heliostat\.toml cannot be read/],
];

scenario("flags that cannot work are refused in one line", async (rig) => {
  for (const [flags, words] of BAD_FLAGS) {
    const { code, out, err } = await heliostat(rig, ["serve", ...flags]);
    const said = `heliostat serve ${flags.join(" ")}\n${err}`;
    assert.match(err, words, said);
    assert.ok(code > 0, said);
    assert.equal(out, "", said);
    assert.ok(err.startsWith("heliostat: ") ? !err.includes("\n") : err.startsWith("error: "), said);
    assert.doesNotMatch(err, /panicked|RUST_BACKTRACE|Os \{/, said);
  }
});

scenario("a port that is taken is named, with what to do", async (rig) => {
  const host = await Host.start(rig, PATTERN);
  const second = await heliostat(rig, ["serve", ...PATTERN, "--listen", `127.0.0.1:${host.port}`]);
  assert.equal(second.code, 1);
  const words = `^heliostat: 127.0.0.1:${host.port} is in use by another program: .*--listen.*$`;
  assert.match(second.err, new RegExp(words));
  const viewer = await (await Browser.start(rig)).watch(host.links[0]);
  await viewer.frames(5);
});

scenario("an X display that is not there leaves the host waiting, and the page says so", async (rig) => {
  const host = await Host.start(rig, ["--source", "x11::97", "--open-access"]);
  assert.match(host.child.out.kept.join("\n"), /display :97: no X server runs there/);
  const page = await (await Browser.start(rig)).open();
  await page.goto(host.links[0]);
  await page.getByText("No device: the source is not there").waitFor();
  assert.equal(host.child.end, undefined);
});

scenario("malformed offers are refused, and the next good one is served", async (rig) => {
  const host = await Host.start(rig, PATTERN);
  const desk = await Desk.open(rig, host.origin, await login(host.links[0]));
  const headers = { Authorization: `Bearer ${host.playerToken}`, "Content-Type": "application/sdp" };
  const post = (body, more = {}) =>
    fetch(`${host.origin}/whep`, { method: "POST", body, headers: { ...headers, ...more } });

  const audioOnly = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n";
  for (const sdp of ["", "garbage", "v=0\r\n", audioOnly, "v=0\r\n".repeat(9000), "\u0000".repeat(64)]) {
    const answer = await desk.ask("offer", { sdp });
    assert.equal(answer.error?.code, -32602, JSON.stringify([sdp.slice(0, 40), answer]));
    assert.ok(answer.error.message.length > 10, answer.error.message);
    const reply = await post(sdp);
    assert.ok([400, 422].includes(reply.status), `${reply.status} for ${sdp.slice(0, 40)}`);
    assert.ok((await reply.text()).length > 10);
  }
  assert.equal((await post("v=0", { "Content-Type": "text/plain" })).status, 415);
  assert.equal((await post("x".repeat(300_000))).status, 413);
  assert.equal((await post("v=0", { Authorization: "Bearer wrong" })).status, 401);
  assert.equal((await desk.ask("addCandidate", { candidate: "nonsense" })).error.code < 0, true);
  const nobody = `${host.origin}/whep/nobody`;
  assert.equal((await fetch(nobody, { method: "DELETE", headers })).status, 404);

  const viewer = await (await Browser.start(rig)).watch(await host.nextLink());
  await viewer.frames(5);
  assert.equal(await desk.viewers(), 1);
});

scenario("WebSocket messages that make no sense are answered, and only too long ones end it", async (rig) => {
  const host = await Host.start(rig, [...PATTERN, "--open-access"]);
  const desk = await Desk.open(rig, host.origin);
  const code = async (data, id) => (await desk.send(data, id)).error?.code;
  assert.equal(await code("{"), -32700);
  assert.equal(await code(Buffer.from([0xff, 0xfe, 0x00])), -32700);
  assert.equal(await code("42"), -32600);
  assert.equal(await code("[]"), -32600);
  assert.equal(await code('{"jsonrpc":"1.0","id":1,"method":"ping"}', 1), -32600);
  assert.equal(await code('{"jsonrpc":"2.0","id":2,"method":"no.such"}', 2), -32601);
  assert.equal(await code('{"jsonrpc":"2.0","id":3,"method":"offer","params":{"sdp":4}}', 3), -32602);
  assert.equal(await code('{"jsonrpc":"2.0","id":4,"method":"offer"}', 4), -32602);
  const deep = "[".repeat(30_000);
  assert.equal(await code(deep), -32700);
  assert.ok((await desk.ask("ping")).result.hostTimeUs > 0, "the conversation goes on");

  assert.equal(await code("x".repeat(300_000)), -32600);
  assert.equal((await within(desk.closed, "the end")).code, 1009);
  const flood = await Desk.open(rig, host.origin);
  flood.socket.send(Buffer.alloc(4_000_000));
  assert.ok((await within(flood.closed, "the end")).code > 1000);
  const broken = await Desk.open(rig, host.origin);
  broken.socket._socket.write(Buffer.alloc(64, 0xff));
  await within(broken.closed, "the end");

  const viewer = await (await Browser.start(rig)).watch(host.links[0]);
  await viewer.frames(5);
});

scenario("without a login, or from another site's page, nothing opens", async (rig) => {
  const host = await Host.start(rig, PATTERN);
  const refused = (status, options) =>
    assert.rejects(connect(host.origin, options), (error) => error.status === status);
  await refused(401, {});
  await refused(401, { headers: { cookie: `heliostat-${host.port}=guessed` } });
  const headers = await login(host.links[0]);
  await refused(403, { headers, from: "http://evil.example" });
  await refused(403, { headers, from: `http://127.0.0.1:${host.port + 1}` });
  await refused(403, { headers, from: null });
  const desk = await Desk.open(rig, host.origin, headers);
  assert.ok((await desk.ask("getHostState")).result.version);

  const guess = () => fetch(`${host.origin}/login?token=guessed`);
  const wrong = await guess();
  assert.equal(wrong.status, 401);
  assert.match(await wrong.text(), /This link does not work/);
  assert.equal((await fetch(host.links[0])).status, 401, "a used link");
  const statuses = [];
  while (statuses.length < 50 && statuses.at(-1) !== 429) statuses.push((await guess()).status);
  assert.equal(statuses.at(-1), 429, "guessing is slowed down");
  assert.ok((await desk.ask("ping")).result.hostTimeUs > 0, "who is in stays in");
});
