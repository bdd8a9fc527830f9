/**
 * The udev database below /run/udev/data: one file a device, written by udevd some time after the kernel's event. Its form
 * is private to systemd and has been the same since its first version (src/libsystemd/sd-device/device-private.c).
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { DeviceNumber } from './inventory.ts';
import { unlessGone } from './patience.ts';
import { parseProperties } from './properties.ts';

export interface UdevEntry {
  readonly properties: Readonly<Record<string, string>>;
  /** Links to its node, below /dev: `serial/by-id/…`. Whether they are there is another matter. */
  readonly links: readonly string[];
  /** Whether udevd has done all its rules say. */
  readonly initialized: boolean;
}

export const noEntry: UdevEntry = { properties: {}, links: [], initialized: false };

/** Bytes of an entry. One of a disk with many partitions has some 5 KiB. */
const maxEntry = 65_536;
const maxLinks = 256;

/** Parses an entry. Lines of other kinds (`G:` tags, `L:` priority, `V:` version) are passed over. */
export function parseUdevEntry(text: string): UdevEntry {
  const lines = text.split('\n');
  const ofKind = (kind: string): string[] =>
    lines.filter((line) => line.startsWith(kind)).map((line) => line.slice(kind.length));
  return {
    properties: parseProperties(ofKind('E:')),
    links: ofKind('S:')
      .filter((link) => link.split('/').every((part) => part !== '' && part !== '.' && part !== '..'))
      .slice(0, maxLinks),
    initialized: lines.some((line) => line.startsWith('I:')),
  };
}

interface UdevKey {
  readonly number: DeviceNumber | undefined;
  readonly subsystem: string;
  readonly name: string;
  readonly ifindex: string | undefined;
}

/** Name of a device's file: by its node, by its network interface, else by its name. */
export function udevFileOf({ number, subsystem, name, ifindex }: UdevKey): string {
  if (number !== undefined) return number;
  return subsystem === 'net' && ifindex !== undefined ? `n${ifindex}` : `+${subsystem}:${name}`;
}

/** The entry of a device; undefined when there is none. Synchronous: it is a file in memory that no driver serves. */
export function readUdevEntry(udevRoot: string, file: string): UdevEntry | undefined {
  return unlessGone(() => {
    const fd = openSync(join(udevRoot, 'data', file), constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const buffer = Buffer.allocUnsafe(maxEntry);
      const length = readSync(fd, buffer, 0, maxEntry, null);
      const text = buffer.toString('utf8', 0, length);
      // Of an entry that is too long the last line may be half.
      return parseUdevEntry(length < maxEntry ? text : text.slice(0, text.lastIndexOf('\n') + 1));
    } finally {
      closeSync(fd);
    }
  });
}
