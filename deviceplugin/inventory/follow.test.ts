import { execFile } from 'node:child_process';
import { mkdtemp, realpath, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLogger } from '../../kit/log.ts';
import type { Uevent } from '../../linux/uevent.ts';
import type { UeventOptions } from '../../linux/uevents.ts';
import { parseGlob } from '../config/pathglob.ts';
import { writeMachine } from '../fake/machine.ts';
import type { Machine } from '../fake/machine.ts';
import { recorded } from '../fake/recorded.ts';
import { usbDevpath } from '../fake/usb.ts';
import { followInventory } from './follow.ts';
import type { FollowOptions } from './follow.ts';
import type { InventoryChange } from './inventorychange.ts';
import { scanInventory } from './scan.ts';
import type { Inventory } from './inventory.ts';
import type { Wants } from './wants.ts';

// Whole machines are written and read again and again, on a disk that others may keep busy.
vi.setConfig({ testTimeout: 30_000 });

const nothing: Wants = { globs: [], attributes: new Set() };

let folder: string;
let machine: Machine;
let end: AbortController;
let lines: { readonly event: string }[];
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'berth-follow-')));
  machine = await writeMachine(folder, recorded.misc());
  end = new AbortController();
  lines = [];
});
afterEach(async () => {
  end.abort();
  await rm(folder, { recursive: true });
});

/** Follows the machine; its events are those that a test raises. */
async function follow(options: Partial<FollowOptions> = {}) {
  const changes: InventoryChange[] = [];
  let kernel: UeventOptions | undefined;
  let news = Promise.withResolvers<undefined>();
  const write = (line: string): void => {
    lines.push(JSON.parse(line) as { event: string });
  };
  const followed = await followInventory({
    roots: machine.roots,
    wants: nothing,
    signal: end.signal,
    log: createLogger('info', { write }),
    openEvents: (opened) => {
      kernel = opened;
    },
    onChange: (change) => {
      changes.push(change);
      news.resolve(undefined);
      news = Promise.withResolvers();
    },
    ...options,
  });
  const until = async (done: (inventory: Inventory) => boolean): Promise<Inventory> => {
    while (!done(followed.inventory)) await news.promise;
    return followed.inventory;
  };
  const raise = (events: readonly Uevent[]): void => {
    for (const event of events) kernel?.onEvent(event);
  };
  return { followed, changes, until, raise, lose: () => kernel?.onLost('ENOBUFS') };
}

test('a device that is plugged in is announced before udev has seen it, and again with its links', async () => {
  // There is a udev database, so its part is waited for.
  await machine.settle(recorded.usbSerial('1-9', { tty: 9, serial: 'B7', devnum: 99 }));
  const { changes, until, raise } = await follow();
  const devices = recorded.usbSerial('1-2');
  const before = performance.now();
  raise(await machine.plug(devices, { udev: false }));
  const early = await until(({ nodes }) => nodes.has('c188:0'));
  expect(early.nodes.get('c188:0')?.links).toEqual([]);
  expect(changes[0]?.cause).toBe('event');
  expect(changes[0]?.since).toBeGreaterThan(before);
  await machine.settle(devices);
  const device = `${usbDevpath('1-2')}/1-2:1.0/ttyUSB0/tty/ttyUSB0`;
  await until(({ devices: all }) => all.get(device)?.udev.ID_SERIAL_SHORT === 'A5069RR4');
  const late = await until(({ nodes }) => nodes.get('c188:0')?.links.length === 2);
  expect(late).toEqual(await scanInventory(machine.roots, nothing));
});

test('what is unplugged is gone with the first event, before sysfs is looked at', async () => {
  await machine.plug(recorded.camera('1-5'));
  const { changes, until, raise } = await follow();
  // The machine still has it: only the event says that it goes.
  const properties = { ACTION: 'remove', DEVPATH: usbDevpath('1-5'), SUBSYSTEM: 'usb' };
  raise([{ action: 'remove', devpath: usbDevpath('1-5'), subsystem: 'usb', properties }]);
  await until(({ nodes }) => !nodes.has('c81:0'));
  expect(changes).toHaveLength(1);
  // It did not go after all, and sysfs is the truth.
  await until(({ nodes }) => nodes.has('c81:0'));
});

test('a device that goes and comes back within one burst is there at the end', async () => {
  await machine.plug(recorded.usbSerial('1-2'));
  const { until, raise } = await follow();
  const removed = await machine.unplug(usbDevpath('1-2'));
  const added = await machine.plug(recorded.usbSerial('1-2', { devnum: 6 }));
  raise([...added, ...removed, ...added]);
  await until(({ devices }) => devices.get(usbDevpath('1-2'))?.attributes.devnum === '6');
  await until(({ nodes }) => nodes.has('c188:0') && nodes.has('c189:5'));
});

test('a device that is moved is at its new place only', async () => {
  await machine.plug(recorded.sriov());
  const { followed, until, raise } = await follow();
  const [old = ''] = [...followed.inventory.devices.keys()].filter((devpath) => devpath.endsWith('/net/ens1f0'));
  const devpath = `${old}x`;
  await rename(join(machine.roots.sysRoot, old), join(machine.roots.sysRoot, devpath));
  const properties = { ACTION: 'move', DEVPATH: devpath, DEVPATH_OLD: old, SUBSYSTEM: 'net' };
  raise([{ action: 'move', devpath, subsystem: 'net', properties }]);
  const { devices } = await until((inventory) => inventory.devices.has(devpath));
  expect(devices.has(old)).toBe(false);
});

test('events that change nothing are not announced', async () => {
  const { changes, until, raise } = await follow();
  const known = recorded.misc().map(({ devpath }) => devpath);
  raise(
    ['/devices/virtual/net/veth1', '/module/loop', ...known].map((devpath) => ({
      action: 'change',
      devpath,
      subsystem: 'misc',
      properties: {},
    })),
  );
  raise(await machine.plug(recorded.gpu()));
  await until(({ nodes }) => nodes.has('c226:1'));
  expect(changes).toHaveLength(1);
});

test('a burst of 2,000 events ends with what a scan finds', async () => {
  const { until, raise } = await follow();
  const real = await machine.plug([...recorded.camera('1-5'), ...recorded.twins(), ...recorded.sriov()]);
  const invented = Array.from({ length: 2_000 }, (_, index) => `/devices/virtual/misc/invented${index}`);
  raise(invented.map((devpath) => ({ action: 'add', devpath, subsystem: 'misc', properties: {} })));
  raise(real);
  const scanned = await scanInventory(machine.roots, nothing);
  await until(({ nodes }) => nodes.size === scanned.nodes.size);
});

test('after an overflow everything is read again', async () => {
  const { changes, until, lose } = await follow();
  await machine.plug(recorded.camera('1-5'));
  lose();
  await until(({ nodes }) => nodes.has('c81:0'));
  expect(changes[0]?.cause).toBe('lost');
  expect(lines.map(({ event }) => event)).toEqual(['device.events_lost']);
});

test('without the kernel’s events devices are found by looking, and it is said', async () => {
  const openEvents = (): never => {
    throw new Error('not allowed');
  };
  const { followed, until } = await follow({ openEvents, rescanMs: 50 });
  expect(followed.degraded).toContain('not allowed');
  await machine.plug(recorded.camera('1-5'));
  await until(({ nodes }) => nodes.has('c81:0'));
  await machine.unplug(usbDevpath('1-5'));
  await until(({ nodes }) => !nodes.has('c81:0'));
  expect(lines.map(({ event }) => event)).toEqual(['device.events_unavailable']);
});

test('a node that somebody makes by hand is found where a pattern looks', async () => {
  const globs = [parseGlob('/dev/mine*')].filter((glob) => typeof glob !== 'string');
  const { changes, until } = await follow({ wants: { ...nothing, globs } });
  await promisify(execFile)('mknod', [join(machine.roots.devRoot, 'mine0'), 'c', '240', '7']);
  const { nodes } = await until((inventory) => inventory.nodes.has('c240:7'));
  expect(nodes.get('c240:7')).toMatchObject({ path: '/dev/mine0', device: undefined });
  expect(changes.at(-1)?.cause).toBe('names');
});

test('what new rules name is read', async () => {
  await machine.plug(recorded.gpu());
  const { followed, changes, until } = await follow();
  followed.setWants({ ...nothing, attributes: new Set(['mem_info_vram_total']) });
  const [gpu = ''] = [...followed.inventory.devices.keys()].filter((devpath) => devpath.endsWith('0000:81:00.0'));
  await until(({ devices }) => devices.get(gpu)?.attributes.mem_info_vram_total !== undefined);
  expect(changes.map(({ cause }) => cause)).toEqual(['wants']);
});

test('while sysfs cannot be read the devices known stay, and later it is found again', async () => {
  const { followed, until } = await follow({ rescanMs: 20 });
  const { sysRoot } = machine.roots;
  await rename(sysRoot, `${sysRoot}-away`);
  await expect.poll(() => lines.map(({ event }) => event)).toContain('device.look_failed');
  expect(followed.inventory.nodes.has('c10:229')).toBe(true);
  await rename(`${sysRoot}-away`, sysRoot);
  await machine.plug(recorded.gpu());
  await until(({ nodes }) => nodes.has('c226:1'));
  expect(lines).toHaveLength(1);
});

test('a first scan that fails is an error, and nothing goes on behind it', async () => {
  await rm(machine.roots.sysRoot, { recursive: true });
  let signal: AbortSignal | undefined;
  const openEvents = (opened: UeventOptions): void => {
    signal = opened.signal;
  };
  await expect(follow({ openEvents })).rejects.toThrow('no sysfs');
  expect(signal?.aborted).toBe(true);
});
