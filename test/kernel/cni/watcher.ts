// Watches a folder of network configurations as a container runtime does, and prints after each look which network it would
// use: `watcher.ts containerd|cri-o CONFDIR BINDIR`. By inotify itself: what a runtime overlooks is a matter of single events.
// A line is `EVENT FILE -> NETWORK`; the network is `none` where there is no configuration or the runtime takes none.
import { execFileSync } from 'node:child_process';
import { readFileSync, readSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { check, libc } from '../../../linux/libc.ts';

const inotifyInit = libc('int inotify_init1(int flags)');
const addWatch = libc('int inotify_add_watch(int fd, const char *path, unsigned int mask)');

// From the published kernel interface, inotify.h; grouped as the library that both runtimes watch with does.
const kinds = [
  ['Write', 0x02],
  ['Chmod', 0x04],
  ['Rename', 0x40 | 0x800],
  ['Create', 0x80 | 0x100],
  ['Remove', 0x200 | 0x400],
] as const;
type Kind = (typeof kinds)[number][0];

interface Runtime {
  /** The events after which it looks. */
  readonly looksAfter: readonly Kind[];
  /** Whether a configuration that it cannot use keeps it from those behind it. */
  readonly stopsAtBroken: boolean;
  /** Whether it asks each plugin for its versions before it takes the configuration. */
  readonly asksPlugins: boolean;
}

const runtimes: Readonly<Record<string, Runtime>> = {
  containerd: { looksAfter: ['Write', 'Rename', 'Remove'], stopsAtBroken: true, asksPlugins: false },
  'cri-o': { looksAfter: ['Create', 'Write', 'Remove', 'Rename'], stopsAtBroken: false, asksPlugins: true },
};

const [kind = '', folder = '', programs = ''] = process.argv.slice(2);
const runtime = runtimes[kind];
if (runtime === undefined) throw new Error(`there is no runtime ${kind}`);
const { looksAfter, stopsAtBroken, asksPlugins } = runtime;

/** The name of the network in a configuration. Throws for one that cannot be used. */
function networkOf(file: string): string {
  const content = JSON.parse(readFileSync(file, 'utf8')) as {
    readonly name: string;
    readonly type?: string;
    readonly cniVersion: string;
    readonly plugins?: readonly { readonly type: string }[];
  };
  const types = file.endsWith('.conflist') ? (content.plugins ?? []).map(({ type }) => type) : [content.type ?? ''];
  if (types.length === 0 || types.includes('')) throw new Error('no plugins');
  for (const type of asksPlugins ? types : []) {
    const env = { CNI_COMMAND: 'VERSION', CNI_PATH: programs };
    const answer = execFileSync(join(programs, type), { env, input: '', encoding: 'utf8' });
    const { supportedVersions } = JSON.parse(answer) as { readonly supportedVersions: readonly string[] };
    if (!supportedVersions.includes(content.cniVersion)) throw new Error('version');
  }
  return content.name;
}

/** The network that the runtime would use now. */
function look(): string {
  const names = readdirSync(folder).filter((name) => /\.(conf|conflist|json)$/.test(name));
  for (const name of names.sort())
    try {
      return networkOf(join(folder, name));
    } catch {
      if (stopsAtBroken) return 'none';
    }
  return 'none';
}

const fd = check(inotifyInit(0), 'inotify_init1', folder);
check(addWatch(fd, folder, 0x02 | 0x04 | 0x40 | 0x80 | 0x100 | 0x200), 'inotify_add_watch', folder);
writeSync(1, `started -> ${look()}\n`);
const buffer = Buffer.alloc(65_536);
for (;;) {
  const length = readSync(fd, buffer);
  for (let at = 0; at < length;) {
    const mask = buffer.readUInt32LE(at + 4);
    const size = buffer.readUInt32LE(at + 12);
    const name = buffer.toString('utf8', at + 16, at + 16 + size).replace(/\0.*$/, '');
    at += 16 + size;
    const event = kinds.find(([, bits]) => (mask & bits) !== 0)?.[0];
    if (event !== undefined && looksAfter.includes(event)) writeSync(1, `${event} ${name} -> ${look()}\n`);
  }
}
