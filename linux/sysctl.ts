/** Kernel parameters under /proc/sys, addressed by names with dots, or with slashes where a part has dots. Those under `net` are the caller's network namespace's. */
import { readFileSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { BerthError, messageOf } from '../kit/errors.ts';
import { inNamespace } from './netns.ts';
import type { NetworkNamespace } from './netns.ts';

/** Reads and sets kernel parameters. */
export interface Sysctl {
  read(name: string): Promise<string>;
  /** Sets a parameter unless it has the value already, so that a read-only /proc/sys with the right values is enough. */
  set(name: string, value: string): Promise<void>;
  /** The same for a parameter below `net` of another network namespace. */
  setIn(namespace: NetworkNamespace, name: string, value: string): void;
}

// In a container without privileges /proc/sys is read-only; there the node's is mounted elsewhere, and this tells where.
const root = process.env['BERTH_PROC_SYS'] ?? '/proc/sys';

// A name comes from our own code, but a dot inside a component (an interface called eth0.7) would change its meaning.
function pathOf(name: string): string {
  if (/^net(\/[^/\0]+)+$/.test(name) && !/\/\.{1,2}(\/|$)/.test(name)) return `${root}/${name}`;
  if (!/^[a-z][a-z0-9_-]*(\.[A-Za-z0-9_-]+)+$/.test(name))
    throw new BerthError('INVALID_ARGUMENT', `"${name}" is not the name of a kernel parameter`);
  return `${root}/${name.replaceAll('.', '/')}`;
}

async function read(name: string): Promise<string> {
  return (await readFile(pathOf(name), 'utf8')).trim();
}

async function set(name: string, value: string): Promise<void> {
  const now = await read(name);
  if (now === value) return;
  try {
    await writeFile(pathOf(name), value);
  } catch (error) {
    throw refused(name, value, now, error);
  }
}

function refused(name: string, value: string, now: string, error: unknown): BerthError {
  return new BerthError(
    'FAILED_PRECONDITION',
    `cannot set ${name} to ${value} (it is ${now}): ${messageOf(error)}; set it on the node, or give the agent a writable /proc/sys`,
    { cause: error },
  );
}

// Synchronous, since the thread is in the other namespace meanwhile; /proc/sys/net shows that of who opens the file.
function setIn(namespace: NetworkNamespace, name: string, value: string): void {
  const path = pathOf(name);
  inNamespace(namespace, () => {
    let now = 'unknown';
    try {
      now = readFileSync(path, 'utf8').trim();
      if (now !== value) writeFileSync(path, value);
    } catch (error) {
      throw refused(name, value, now, error);
    }
  });
}

/** The parameters of this machine. */
export const sysctl: Sysctl = { read, set, setIn };

/** Parameters that live in memory, for tests. An unknown name fails as in the kernel. */
export class FakeSysctl implements Sysctl {
  readonly values: Map<string, string>;

  constructor(
    values: Readonly<Record<string, string>> = { 'net.ipv4.ip_forward': '0', 'net.ipv6.conf.all.forwarding': '0' },
  ) {
    this.values = new Map(Object.entries(values));
  }

  read(name: string): Promise<string> {
    const value = this.values.get(name);
    return value === undefined
      ? Promise.reject(new BerthError('NOT_FOUND', `there is no kernel parameter ${name}`))
      : Promise.resolve(value);
  }

  async set(name: string, value: string): Promise<void> {
    await this.read(name);
    this.values.set(name, value);
  }

  /** Those of other namespaces are kept under path and name. */
  setIn(namespace: NetworkNamespace, name: string, value: string): void {
    this.values.set(`${namespace.path}:${name}`, value);
  }
}
