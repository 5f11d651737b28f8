//! A network link between two namespaces, through the project's own `linkem`. Delay, loss, rate and
//! blackouts come from there, so that the host and the browser run as they ship.

import { binary } from "./host.js";
import { run } from "./child.js";

let linksMade = 0;

/** A link that is up. */
export class Link {
  static HOST = "10.77.0.1";

  /** Makes both namespaces, with `rttMs` between them. */
  static async open(rig, { rttMs = 0 } = {}) {
    const suffix = `${process.pid}-${linksMade++}`;
    const names = { host: `e2e-host-${suffix}`, client: `e2e-view-${suffix}` };
    // Its input's end makes it remove the namespaces; killing it would leave them behind.
    const child = rig.spawn(binary("linkem"), [names.host, names.client], {
      name: "linkem",
      ownEnd: true,
    });
    rig.atEnd(async () => {
      child.process.stdin.end();
      await child.ended;
    });
    await child.line(/^ready$/);
    const link = new Link(child, names);
    await link.set(`delay ${rttMs / 2}`);
    return link;
  }

  constructor(child, names) {
    this.child = child;
    this.hostNamespace = names.host;
    this.clientNamespace = names.client;
  }

  /** Changes the link (`linkem --help` lists how), and returns its counters. */
  async set(command) {
    const from = this.child.out.kept.length;
    this.child.say(command);
    const [line] = await this.child.line(/^\{.*/, from);
    const answer = JSON.parse(line);
    if (answer.error) throw new Error(`linkem: ${command}: ${answer.error}`);
    return answer;
  }

  counters() {
    return this.set("stat");
  }

  /** Takes UDP away from the client: its packets find no route. */
  async blockUdp() {
    const rule = ["rule", "add", "ipproto", "udp", "blackhole"];
    const { code, err } = await run("ip", ["-n", this.clientNamespace, ...rule]);
    if (code !== 0) throw new Error(`UDP cannot be blocked here: ${err}`);
  }
}
