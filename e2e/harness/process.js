//! What the kernel tells of a running process: CPU time, threads, memory.

import { readdir, readFile } from "node:fs/promises";

/** Linux counts CPU time for user space in hundredths of a second, on every architecture. */
const TICKS_A_SECOND = 100;

/** CPU seconds that a process has used, its ended threads included. */
export async function cpuSeconds(pid) {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // The name is in parentheses and may hold anything; the numbers come after the last one.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

/** The names of its threads, and how often each gave up the processor by itself: its wake-ups. */
export async function threads(pid) {
  const ids = await readdir(`/proc/${pid}/task`);
  const found = await Promise.all(ids.map((id) => thread(`/proc/${pid}/task/${id}`)));
  return found.filter((one) => one !== undefined);
}

async function thread(path) {
  try {
    const status = await readFile(`${path}/status`, "utf8");
    const value = (name) => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1];
    return { name: value("Name"), sleeps: Number(value("voluntary_ctxt_switches")) };
  } catch {
    return undefined; // It ended in between.
  }
}

/** How often all its threads together went to sleep so far. */
export async function sleeps(pid) {
  const all = await threads(pid);
  return all.reduce((sum, one) => sum + one.sleeps, 0);
}

/** Whether a process captures or encodes: capture has a thread, and the encoder more than the one
 * that waits for work. */
export async function works(pid) {
  const names = (await threads(pid)).map(({ name }) => name);
  const encodes = names.filter((name) => name.startsWith("encode-")).length > 1;
  return encodes || names.some((name) => name.startsWith("capture-"));
}

/** What a process holds: its threads, its open files, its memory in bytes. */
export async function holdings(pid) {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const number = (name) => Number(new RegExp(`^${name}:\\s*(\\d+)`, "m").exec(status)?.[1]);
  const files = (await readdir(`/proc/${pid}/fd`)).length;
  return { threads: number("Threads"), files, rss: number("VmRSS") * 1024 };
}
