/** The inventory of this machine follows its real kernel. */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { followInventory } from '../../deviceplugin/inventory/follow.ts';
import type { Inventory } from '../../deviceplugin/inventory/inventory.ts';
import type { InventoryChange } from '../../deviceplugin/inventory/inventorychange.ts';
import { createLogger } from '../../kit/log.ts';
import { check, libc } from '../../linux/libc.ts';

const ioctl = libc('int ioctl(int fd, unsigned long request, long argument)');
const LOOP_CTL_ADD = 0x4c80;
const LOOP_CTL_REMOVE = 0x4c81;

let end: AbortController;
beforeEach(() => {
  end = new AbortController();
});
afterEach(() => {
  end.abort();
});

test('a loop device is in the inventory when its event comes, and out of it when it goes', async () => {
  const changes: InventoryChange[] = [];
  let news = Promise.withResolvers<undefined>();
  const followed = await followInventory({
    roots: { devRoot: '/dev', sysRoot: '/sys', udevRoot: '/run/udev', procRoot: '/proc' },
    wants: { globs: [], attributes: new Set() },
    signal: end.signal,
    log: createLogger('error'),
    onChange: (change) => {
      changes.push(change);
      news.resolve(undefined);
      news = Promise.withResolvers();
    },
  });
  const until = async (done: (inventory: Inventory) => boolean): Promise<void> => {
    while (!done(followed.inventory)) await news.promise;
  };
  expect(followed.degraded).toBeUndefined();
  const number = 910_000 + (process.pid % 10_000);
  const device = `/devices/virtual/block/loop${number}`;
  const control = openSync('/dev/loop-control', 'r+');
  try {
    check(ioctl(control, LOOP_CTL_ADD, number), 'LOOP_CTL_ADD', `${number}`);
    await until(({ nodes }) => nodes.has(`b7:${number}`));
    expect(followed.inventory.nodes.get(`b7:${number}`)).toMatchObject({ path: `/dev/loop${number}`, device });
    expect(followed.inventory.devices.get(device)).toMatchObject({ subsystem: 'block', devtype: 'disk' });
    const came = changes.find(({ inventory }) => inventory.devices.has(device));
    expect(came?.cause).toBe('event');
    // Attached it is somebody's volume, and no pattern may give it away.
    const file = join(await mkdtemp(join(tmpdir(), 'berth-inventory-')), 'image');
    await writeFile(file, Buffer.alloc(1 << 20));
    execFileSync('losetup', [`/dev/loop${number}`, file]);
    try {
      await until(({ inUse }) => inUse.get(`b7:${number}`) === 'attached to a file');
    } finally {
      execFileSync('losetup', ['--detach', `/dev/loop${number}`]);
    }
    await until(({ inUse }) => !inUse.has(`b7:${number}`));
    await rm(dirname(file), { recursive: true });
  } finally {
    check(ioctl(control, LOOP_CTL_REMOVE, number), 'LOOP_CTL_REMOVE', `${number}`);
    closeSync(control);
  }
  await until(({ devices, nodes }) => !devices.has(device) && !nodes.has(`b7:${number}`));
});
