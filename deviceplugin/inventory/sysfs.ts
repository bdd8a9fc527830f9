/** Which devices of sysfs belong to an inventory: those a container could want, and what is above them. */
import { readdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import { BerthError, messageOf } from '../../kit/errors.ts';
import type { SysDevice } from './inventory.ts';
import { pauses, throwExhaustion, unlessGone } from './patience.ts';
import { isDevice, linkTarget } from './sysdevice.ts';

/** Folders of links to devices. */
const listings = ['/dev/char', '/dev/block', '/bus/usb/devices', '/bus/pci/devices', '/class/net'] as const;

/** Where network interfaces are that no hardware has: those of pods come and go all the time. */
const virtualNet = '/devices/virtual/net/';

/** Folders below a device that have no devices, or none of interest, and are many. */
const barren = /^(power|wakeup|statistics|queues?|mq|msi_irqs|holders|slaves|integrity|trace|ep_[0-9a-f]{2})$/;

/** Whether it belongs to an inventory for its own sake, and not only for what is below it. */
export function isWanted({ number, subsystem, parent }: SysDevice): boolean {
  return (
    number !== undefined ||
    subsystem === 'usb' ||
    subsystem === 'pci' ||
    // An interface without a device above it is no hardware.
    (subsystem === 'net' && parent !== undefined)
  );
}

/** Whether an event about this place can concern an inventory. */
export function concerns(devpath: string): boolean {
  return devpath.startsWith('/devices/') && !devpath.startsWith(virtualNet);
}

/** By devpath, the devices of the machine and all above them; the value is the parent. Throws where there is no sysfs. */
export async function listDevices(sysRoot: string): Promise<Map<string, string | undefined>> {
  try {
    readdirSync(join(sysRoot, 'devices'));
  } catch (thrown) {
    throwExhaustion(thrown);
    throw new BerthError(
      'IO_FAILED',
      `there is no sysfs at ${sysRoot} (${messageOf(thrown)}); correct devices.sysRoot`,
    );
  }
  const pause = pauses();
  const found = new Map<string, string | undefined>();
  for (const listing of listings)
    for (const name of unlessGone(() => readdirSync(join(sysRoot, listing))) ?? []) {
      await pause();
      const devpath = linkTarget(sysRoot, listing, name);
      if (devpath !== undefined && concerns(devpath) && isDevice(sysRoot, devpath)) addLine(sysRoot, devpath, found);
    }
  return found;
}

/** Adds a device and those above it. */
function addLine(sysRoot: string, devpath: string, found: Map<string, string | undefined>): void {
  for (let at = devpath; !found.has(at);) {
    let above: string | undefined = posix.dirname(at);
    while (above !== '/devices' && above !== '/' && !found.has(above) && !isDevice(sysRoot, above))
      above = posix.dirname(above);
    if (above === '/devices' || above === '/') above = undefined;
    found.set(at, above);
    if (above === undefined) return;
    at = above;
  }
}

/** All devices at and below a place, and those above them. Empty when the place has gone. */
export async function listSubtree(sysRoot: string, devpath: string): Promise<Map<string, string | undefined>> {
  const pause = pauses();
  const found = new Map<string, string | undefined>();
  const walk = async (at: string): Promise<void> => {
    await pause();
    const entries = unlessGone(() => readdirSync(join(sysRoot, at), { withFileTypes: true })) ?? [];
    if (entries.some(({ name }) => name === 'subsystem')) addLine(sysRoot, at, found);
    for (const entry of entries) if (entry.isDirectory() && !barren.test(entry.name)) await walk(`${at}/${entry.name}`);
  };
  await walk(devpath);
  return found;
}
