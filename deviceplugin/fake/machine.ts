/**
 * A machine in a folder: sysfs, /dev, the udev database and /proc of devices that a test describes, as real files, links
 * and device nodes (which nobody opens). Devices are plugged in and out as the kernel and udev would do it. Needs root.
 */
import { constants } from 'node:fs';
import { lstat, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { check, libc } from '../../linux/libc.ts';
import type { Uevent } from '../../linux/uevent.ts';
import { nameOf, ueventOf } from './recordeddevice.ts';
import type { RecordedDevice } from './recordeddevice.ts';

const makeNode = libc('int mknod(const char *path, unsigned int mode, unsigned long device)');

/** Where the parts of a machine are seen. */
export interface MachineRoots {
  readonly devRoot: string;
  readonly sysRoot: string;
  readonly udevRoot: string;
  readonly procRoot: string;
}

export interface PlugOptions {
  /** Whether udev does its part, too: the database and the links. Else `settle` does it. Default true. */
  readonly udev?: boolean;
}

export interface Machine {
  readonly roots: MachineRoots;
  /** Adds devices, parents first; those that are there already stay as they are. Returns the kernel's events of it. */
  plug(devices: readonly RecordedDevice[], options?: PlugOptions): Promise<readonly Uevent[]>;
  /** What udev does some time after the kernel: its database and its links. */
  settle(devices: readonly RecordedDevice[]): Promise<void>;
  /** Removes a device and all below it, children first. Returns the kernel's events of it. */
  unplug(devpath: string): Promise<readonly Uevent[]>;
  /** Sets what is mounted: mount points by device number, `{ '259:2': '/' }`. */
  mount(mounts: Readonly<Record<string, string>>): Promise<void>;
  /** Sets what is swapped to: paths below /dev. */
  swap(paths: readonly string[]): Promise<void>;
}

/** Writes a machine with these devices into an empty folder. */
export async function writeMachine(
  folder: string,
  devices: readonly RecordedDevice[],
  options: PlugOptions = {},
): Promise<Machine> {
  const machine = new FolderMachine(folder);
  const { devRoot, sysRoot } = machine.roots;
  const folders = ['dev/char', 'dev/block', 'bus', 'class', 'class/block', 'class/net', 'devices'];
  await Promise.all([devRoot, ...folders.map((each) => join(sysRoot, each))].map((path) => makeFolder(path)));
  await machine.mount({});
  await machine.swap([]);
  await machine.plug(devices, options);
  return machine;
}

class FolderMachine implements Machine {
  readonly roots: MachineRoots;
  readonly #devices = new Map<string, RecordedDevice>();
  #sequence = 0;

  constructor(folder: string) {
    this.roots = {
      devRoot: join(folder, 'dev'),
      sysRoot: join(folder, 'sys'),
      udevRoot: join(folder, 'run/udev'),
      procRoot: join(folder, 'proc'),
    };
  }

  async plug(devices: readonly RecordedDevice[], options: PlugOptions = {}): Promise<readonly Uevent[]> {
    const added: RecordedDevice[] = [];
    for (const device of devices) {
      if (this.#devices.has(device.devpath)) continue;
      this.#devices.set(device.devpath, device);
      added.push(device);
      await this.#writeSysfs(device);
      await this.#writeNode(device);
    }
    if (options.udev ?? true) await this.settle(added);
    return added.map((device) => this.#event('add', device));
  }

  async settle(devices: readonly RecordedDevice[]): Promise<void> {
    for (const device of devices) {
      const links = device.node?.links ?? [];
      if (device.udev === undefined && links.length === 0) continue;
      for (const link of links) await makeLink(this.#dev(link), this.#dev(device.node?.name ?? ''));
      const lines = [
        ...links.map((link) => `S:${link}`),
        'I:1234567',
        ...Object.entries(device.udev ?? {}).map(([key, value]) => `E:${key}=${value}`),
        'G:systemd',
        'V:1',
      ];
      await makeFile(this.#udev(device), `${lines.join('\n')}\n`);
    }
  }

  async unplug(devpath: string): Promise<readonly Uevent[]> {
    const gone = [...this.#devices.values()]
      .filter((device) => device.devpath === devpath || device.devpath.startsWith(`${devpath}/`))
      .reverse();
    for (const device of gone) {
      const { node } = device;
      const paths = [
        this.#udev(device),
        ...this.#namesOf(device),
        this.#sys(device.devpath),
        ...(node === undefined ? [] : [node.name, ...(node.links ?? [])].map((name) => this.#dev(name))),
      ];
      for (const path of paths) await rm(path, { recursive: true, force: true });
      this.#devices.delete(device.devpath);
    }
    return gone.map((device) => this.#event('remove', device));
  }

  async mount(mounts: Readonly<Record<string, string>>): Promise<void> {
    const lines = Object.entries(mounts).map(
      ([number, point], index) => `${index + 20} 1 ${number} / ${point} rw,relatime shared:1 - ext4 /dev/root rw\n`,
    );
    await makeFile(join(this.roots.procRoot, '1/mountinfo'), lines.join(''));
  }

  async swap(paths: readonly string[]): Promise<void> {
    const lines = paths.map((path) => `${path.padEnd(Math.max(40, path.length + 1))}partition\t8388604\t\t0\t\t-2\n`);
    await makeFile(
      join(this.roots.procRoot, 'swaps'),
      `Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n${lines.join('')}`,
    );
  }

  #sys(path: string): string {
    return join(this.roots.sysRoot, path);
  }

  #dev(name: string): string {
    return join(this.roots.devRoot, name);
  }

  #udev(device: RecordedDevice): string {
    const { node, attributes, subsystem } = device;
    const [, name = ''] = subsystem.split('/');
    const file =
      node !== undefined
        ? `${node.kind}${node.major}:${node.minor}`
        : name === 'net'
          ? `n${attributes?.ifindex}`
          : `+${name}:${nameOf(device)}`;
    return join(this.roots.udevRoot, 'data', file);
  }

  /** Links to the device's folder that the kernel keeps elsewhere. */
  #namesOf(device: RecordedDevice): string[] {
    const { node, subsystem } = device;
    const folder = subsystem.startsWith('bus/') ? `${subsystem}/devices` : subsystem;
    const names = [`${folder}/${nameOf(device)}`];
    if (node !== undefined) names.push(`dev/${node.kind === 'c' ? 'char' : 'block'}/${node.major}:${node.minor}`);
    return names.map((name) => this.#sys(name));
  }

  async #writeSysfs(device: RecordedDevice): Promise<void> {
    const { devpath, subsystem, driver, attributes = {}, links = {} } = device;
    const folder = this.#sys(devpath);
    const lines = Object.entries(ueventOf(device)).map(([key, value]) => `${key}=${value}\n`);
    await makeFile(join(folder, 'uevent'), lines.join(''));
    if (device.node !== undefined) await makeFile(join(folder, 'dev'), `${device.node.major}:${device.node.minor}\n`);
    for (const [name, value] of Object.entries(attributes)) await makeFile(join(folder, name), `${value}\n`);
    if (subsystem === 'class/block') await makeFolder(join(folder, 'holders'));
    const drivers = subsystem.startsWith('bus/') ? subsystem : 'bus/platform';
    const all = {
      subsystem,
      ...(driver === undefined ? {} : { driver: `${drivers}/drivers/${driver}` }),
      ...links,
    };
    for (const [name, target] of Object.entries(all)) {
      // What a link leads to may be plugged in later.
      if (!target.startsWith('/devices/')) await makeFolder(this.#sys(target));
      await makeLink(join(folder, name), this.#sys(target));
    }
    for (const name of this.#namesOf(device)) await makeLink(name, folder);
  }

  async #writeNode({ node }: RecordedDevice): Promise<void> {
    if (node === undefined) return;
    const path = this.#dev(node.name);
    await makeFolder(dirname(path));
    if ((await lstat(path).catch(() => undefined)) !== undefined) return;
    const mode = (node.kind === 'c' ? constants.S_IFCHR : constants.S_IFBLK) | 0o660;
    const number = (node.major << 8) | (node.minor & 0xff) | ((node.minor & ~0xff) << 12);
    check(makeNode(path, mode, number), 'mknod', path);
  }

  #event(action: string, device: RecordedDevice): Uevent {
    const { devpath } = device;
    const [, subsystem = ''] = device.subsystem.split('/');
    const own = { ACTION: action, DEVPATH: devpath, SUBSYSTEM: subsystem, SEQNUM: `${++this.#sequence}` };
    return { action, devpath, subsystem, properties: { ...ueventOf(device), ...own } };
  }
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
}

async function makeFile(path: string, text: string): Promise<void> {
  await makeFolder(dirname(path));
  await writeFile(path, text);
}

async function makeLink(path: string, target: string): Promise<void> {
  await makeFolder(dirname(path));
  await rm(path, { force: true });
  await symlink(relative(dirname(path), target), path);
}
