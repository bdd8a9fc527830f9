/** A graphics card on NUMA node 1: a PCI function with a card node, a render node and a connector, in an IOMMU group. */
import { pciFunction, rootPort } from './pci.ts';
import type { RecordedDevice } from './recordeddevice.ts';

export interface GpuOptions {
  /** Number of the card: `card1` and `renderD129`. Default 1. */
  readonly card?: number;
  /** PCI address. Default `0000:81:00.0`. */
  readonly address?: string;
  /** Default 1. */
  readonly numaNode?: number;
}

export function gpu({ card = 1, address = '0000:81:00.0', numaNode = 1 }: GpuOptions = {}): readonly RecordedDevice[] {
  const port = rootPort('0000:80', `0000:80:0${card}.0`, numaNode);
  const chip = pciFunction(port.devpath, {
    address,
    vendor: '1002',
    device: '740c',
    class: '038000',
    driver: 'amdgpu',
    numaNode,
    iommuGroup: `${40 + card}`,
    attributes: { 'power/runtime_status': 'active', mem_info_vram_total: '68702699520' },
  });
  const minor = (name: string, number: number, suffix: string): RecordedDevice => ({
    devpath: `${chip.devpath}/drm/${name}`,
    subsystem: 'class/drm',
    uevent: { DEVTYPE: 'drm_minor' },
    node: {
      kind: 'c',
      major: 226,
      minor: number,
      name: `dri/${name}`,
      links: [`dri/by-path/pci-${address}-${suffix}`],
    },
    udev: { ID_PATH: `pci-${address}` },
  });
  return [
    port,
    chip,
    minor(`card${card}`, card, 'card'),
    minor(`renderD${128 + card}`, 128 + card, 'render'),
    {
      devpath: `${chip.devpath}/drm/card${card}/card${card}-DP-1`,
      subsystem: 'class/drm',
      attributes: { status: 'disconnected' },
    },
  ];
}
