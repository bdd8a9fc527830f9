/** What can say which unit it is: serial number, port and path, each with the part of the hardware that the unit is. */
import type { DeviceFacts, Facts } from './facts.ts';
import { createParts, portOf } from './port.ts';
import { serialOf } from './serial.ts';
import type { FoundUnit } from './unit.ts';

export type Identities = FoundUnit['identities'];

export interface IdentityReader {
  /** Of one node, found by this path. */
  readonly ofNode: (device: DeviceFacts | undefined, path: string) => Identities;
  /** Of a USB device or PCI function as a whole. */
  readonly ofHardware: (device: DeviceFacts | undefined, path: string) => Identities;
}

export function readIdentities(facts: Facts): IdentityReader {
  const partOf = createParts(facts);
  const identitiesOf = (device: DeviceFacts | undefined, path: string, part: string): Identities => {
    if (device === undefined) return { path };
    const serial = serialOf(device);
    const port = portOf(facts, device);
    return {
      ...(serial === undefined ? {} : { serial: `${serial}${part}` }),
      ...(port === undefined ? {} : { port: `${port}${part}` }),
      path,
    };
  };
  return {
    ofNode: (device, path) => identitiesOf(device, path, device === undefined ? '' : `/${partOf(device)}`),
    ofHardware: (device, path) => identitiesOf(device, path, ''),
  };
}
