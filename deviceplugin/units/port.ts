/**
 * Where hardware is plugged in, by what is fixed: the controller and the ports of USB, the address on PCI, the place on the
 * board. Never by a number that the kernel gave in the order of appearance (`ttyUSB0`, the bus number of USB).
 */
import type { SysDevice } from '../inventory/inventory.ts';
import { own } from './own.ts';
import { anchorOf, lineOf } from './facts.ts';
import type { DeviceFacts, Facts } from './facts.ts';
import { partOf } from './part.ts';

/** The place of a USB device: `0000:00:14.0/usb2/1.4` is port 4 of the hub at port 1. */
function usbPort(facts: Facts, usbDevice: SysDevice): string {
  let root: DeviceFacts | undefined;
  for (const each of lineOf(facts.deviceFacts(usbDevice.devpath)))
    if (each.device.devtype === 'usb_device') root = each;
  if (root?.above === undefined || !/^usb\d+$/.test(root.device.name)) return `usb/${usbDevice.name}`;
  // A controller has a root hub for each speed, with ports numbered from 1 each; their product number is the kernel's.
  const hub = (own(root.device.attributes, 'idProduct') ?? '').replace(/^0+/, '');
  const [, ports = '0'] = usbDevice.name.split('-');
  return `${placeOf(root.above)}/usb${hub}/${ports}`;
}

/** The place of the hardware that a device belongs to; undefined for what only software makes. */
export function portOf(facts: Facts, device: DeviceFacts): string | undefined {
  const { usb, pci } = device;
  if (usb !== undefined) return usbPort(facts, usb.device);
  if (pci !== undefined) return pci.device.name;
  return device.device.devpath.startsWith('/devices/virtual/') ? undefined : placeOf(device);
}

function placeOf({ pci, device }: DeviceFacts): string {
  return pci?.device.name ?? device.devpath.replace(/^\/devices\//, '');
}

/**
 * Which of the nodes of its hardware each node is: `00/tty/port0`. Nodes that nothing tells apart are counted in the order of
 * their names, the first without a number: they come and go together.
 */
export function createParts(facts: Facts): (device: DeviceFacts) => string {
  const counted = new Map<string, ReadonlyMap<string, string>>();
  return (device) => {
    const anchor = anchorOf(device);
    if (anchor === undefined) return partOf(device);
    let parts = counted.get(anchor.devpath);
    if (parts === undefined) {
      parts = countParts(facts, anchor);
      counted.set(anchor.devpath, parts);
    }
    return parts.get(device.device.devpath) ?? partOf(device);
  };
}

function countParts({ byUsbDevice, byPciFunction }: Facts, anchor: SysDevice): ReadonlyMap<string, string> {
  const seen = new Map<string, number>();
  const parts = new Map<string, string>();
  const nodes = byUsbDevice.get(anchor.devpath) ?? byPciFunction.get(anchor.devpath) ?? [];
  for (const { device } of nodes) {
    if (device === undefined || anchorOf(device) !== anchor) continue;
    const part = partOf(device);
    const earlier = seen.get(part) ?? 0;
    seen.set(part, earlier + 1);
    parts.set(device.device.devpath, earlier === 0 ? part : `${part}~${earlier}`);
  }
  return parts;
}
