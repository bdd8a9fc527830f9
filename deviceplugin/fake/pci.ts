/** PCI functions as the kernel shows them, below a root port each. */
import type { RecordedDevice } from './recordeddevice.ts';

export interface PciDescription {
  /** `0000:3b:00.0`. */
  readonly address: string;
  /** Without `0x`, four digits each. */
  readonly vendor: string;
  readonly device: string;
  /** Six digits. */
  readonly class: string;
  readonly driver?: string | undefined;
  readonly numaNode?: number;
  readonly iommuGroup?: string;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly links?: Readonly<Record<string, string>>;
}

/** A function right below `above`, a devpath. */
export function pciFunction(above: string, description: PciDescription): RecordedDevice {
  const { address, vendor, device, driver, numaNode = -1, iommuGroup, attributes = {}, links = {} } = description;
  const [V, D, C] = [vendor, device, description.class].map((each) => each.toUpperCase());
  const [base, sub, face] = C?.match(/../g) ?? [];
  return {
    devpath: `${above}/${address}`,
    subsystem: 'bus/pci',
    driver,
    uevent: {
      PCI_CLASS: description.class.replace(/^0+/, '').toUpperCase(),
      PCI_ID: `${V}:${D}`,
      PCI_SLOT_NAME: address,
      MODALIAS: `pci:v0000${V}d0000${D}sv0000${V}sd00000001bc${base}sc${sub}i${face}`,
    },
    attributes: {
      vendor: `0x${vendor}`,
      device: `0x${device}`,
      subsystem_vendor: `0x${vendor}`,
      subsystem_device: '0x0001',
      class: `0x${description.class}`,
      revision: '0x01',
      numa_node: `${numaNode}`,
      ...attributes,
    },
    links: { ...(iommuGroup === undefined ? {} : { iommu_group: `/kernel/iommu_groups/${iommuGroup}` }), ...links },
  };
}

/** The root port that functions behind it hang on. */
export function rootPort(bus: string, address: string, numaNode = -1): RecordedDevice {
  const port = { address, vendor: '8086', device: '2030', class: '060400', driver: 'pcieport', numaNode };
  return pciFunction(`/devices/pci${bus}`, port);
}
