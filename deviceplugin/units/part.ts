/** Which part of its hardware a device is, by what stays the same at every plugging in: interface, kind, number within. */
import { own } from './own.ts';
import { lineOf } from './facts.ts';
import type { DeviceFacts } from './facts.ts';

/** `00/tty/port0` of a serial adapter, `video4linux/video/0` of a camera, `block/part1` of a disk. */
export function partOf(facts: DeviceFacts): string {
  const { device, usb, usbInterface } = facts;
  if (device === usb?.device) return 'usb';
  const face = usbInterface && interfaceNumber(usbInterface.name, own(usbInterface.attributes, 'bInterfaceNumber'));
  return [face, device.subsystem, diskPort(device.devpath), scsiUnit(facts), ...within(facts)]
    .filter((part) => part !== undefined && part !== '')
    .join('/');
}

/** Two digits, as the kernel writes them: from the attribute, else from the name `1-1.4:1.0`. */
function interfaceNumber(name: string, attribute: string | undefined): string {
  return (
    attribute ??
    Number(name.slice(name.lastIndexOf('.') + 1))
      .toString(16)
      .padStart(2, '0')
  );
}

/** The port of an ATA or SAS controller: its disks are hardware of their own, and each comes and goes alone. */
function diskPort(devpath: string): string | undefined {
  const [, ata, sas] = /\/(?:(ata\d+)|end_device-\d+:([\d:]+))\//.exec(devpath) ?? [];
  return ata ?? sas;
}

/** Channel, target and unit of a SCSI device, which a USB stick with two card slots has, too. The host's number changes. */
function scsiUnit(facts: DeviceFacts): string | undefined {
  for (const { device } of lineOf(facts)) {
    const [, unit] = device.subsystem === 'scsi' ? (/^\d+:(\d+:\d+:\d+)$/.exec(device.name) ?? []) : [];
    if (unit !== undefined) return unit;
  }
  return undefined;
}

function within({ device, above }: DeviceFacts): readonly (string | undefined)[] {
  switch (device.subsystem) {
    case 'tty': {
      const port = above?.device.subsystem === 'usb-serial' ? own(above.device.attributes, 'port_number') : undefined;
      return [port === undefined ? stem(device.name) : `port${port}`];
    }
    case 'video4linux':
      return [stem(device.name), own(device.attributes, 'index')];
    case 'block': {
      if (device.devtype !== 'partition') return [stem(device.name)];
      return [above && stem(above.device.name), `part${/\d+$/.exec(device.name)?.[0] ?? ''}`];
    }
    default:
      return [stem(device.name)];
  }
}

/**
 * A name without the number or letter that says how many there were before: `ttyUSB0` → `ttyUSB`, `sdb` → `sd`,
 * `pcmC1D0c` → `pcmCD0c`, `nvme0n1` → `nvmen1`.
 */
function stem(name: string): string {
  const disk = /^([shv]d|xvd)[a-z]+$/.exec(name)?.[1];
  if (disk !== undefined) return disk;
  const numbered = /^(nvme|ng|mmcblk|vport|pcmC|midiC|hwC|controlC)\d+(.*)$/s.exec(name);
  return numbered === null ? name.replace(/\d+$/, '') : `${numbered[1]}${numbered[2]}`;
}
