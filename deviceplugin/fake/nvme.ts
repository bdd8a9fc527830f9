/** An NVMe disk with two partitions. What is mounted is the machine's affair: `machine.mount({ '259:2': '/' })`. */
import { pciFunction, rootPort } from './pci.ts';
import type { RecordedDevice } from './recordeddevice.ts';

/** Disk `nvme0n1` is 259:0, its partitions are 259:1 and 259:2; its controller has the character node 242:0. */
export function nvme(): readonly RecordedDevice[] {
  const port = rootPort('0000:00', '0000:00:1d.0');
  const chip = pciFunction(port.devpath, {
    address: '0000:04:00.0',
    vendor: '144d',
    device: 'a808',
    class: '010802',
    driver: 'nvme',
    iommuGroup: '15',
  });
  const controller = `${chip.devpath}/nvme/nvme0`;
  const texts = { serial: 'S4EWNX0N123456', model: 'Samsung SSD 970 EVO Plus 1TB' };
  const id = 'disk/by-id/nvme-Samsung_SSD_970_EVO_Plus_1TB_S4EWNX0N123456';
  const path = 'disk/by-path/pci-0000:04:00.0-nvme-1';
  const udev = { ID_SERIAL_SHORT: texts.serial, ID_MODEL: 'Samsung_SSD_970_EVO_Plus_1TB' };
  return [
    port,
    chip,
    {
      devpath: controller,
      subsystem: 'class/nvme',
      node: { kind: 'c', major: 242, minor: 0, name: 'nvme0' },
      attributes: { ...texts, state: 'live' },
    },
    {
      devpath: `${controller}/nvme0n1`,
      subsystem: 'class/block',
      uevent: { DEVTYPE: 'disk', DISKSEQ: '9' },
      node: { kind: 'b', major: 259, minor: 0, name: 'nvme0n1', links: [id, path] },
      attributes: { size: '1953525168', ro: '0' },
      udev: { ...udev, ID_PART_TABLE_TYPE: 'gpt' },
    },
    ...[1, 2].map((part): RecordedDevice => ({
      devpath: `${controller}/nvme0n1/nvme0n1p${part}`,
      subsystem: 'class/block',
      uevent: { DEVTYPE: 'partition', DISKSEQ: '9', PARTN: `${part}` },
      node: {
        kind: 'b',
        major: 259,
        minor: part,
        name: `nvme0n1p${part}`,
        links: [`${id}-part${part}`, `${path}-part${part}`],
      },
      attributes: { partition: `${part}`, size: '1048576' },
      udev: { ...udev, ID_FS_TYPE: 'ext4' },
    })),
  ];
}
