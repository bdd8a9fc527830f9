/** Virtual devices that stand for a facility of the kernel: they have a node and no hardware. */
import type { RecordedDevice } from './recordeddevice.ts';

const known = [
  ['fuse', 229, 'fuse'],
  ['kvm', 232, 'kvm'],
  ['tun', 200, 'net/tun'],
  ['vhost-net', 238, 'vhost-net'],
  ['uinput', 223, 'uinput'],
] as const;

/** `/dev/fuse`, `/dev/kvm`, `/dev/net/tun`, `/dev/vhost-net` and `/dev/uinput`. */
export function misc(): readonly RecordedDevice[] {
  return known.map(([name, minor, node]) => ({
    devpath: `/devices/virtual/misc/${name}`,
    subsystem: 'class/misc',
    node: { kind: 'c', major: 10, minor, name: node },
  }));
}
