/**
 * The bytes of a ListAndWatchResponse. Written by hand, because a list is sent whole at every change: protobufjs takes
 * 100 ms for 20,000 devices and blocks the agent meanwhile, this 2 ms, for the bytes of units that stayed are kept.
 */
import { deviceId } from './deviceid.ts';
import type { Advertised, DeviceList } from './devicelist.ts';

interface Encoded extends Advertised {
  readonly replicas: number;
  readonly bytes: Uint8Array;
}

/** Returns a function that encodes lists; it remembers the units of the last one. */
export function createListEncoder(): (list: DeviceList) => Buffer {
  let known = new Map<string, Encoded>();
  return ({ units, replicas }) => {
    const next = new Map<string, Encoded>();
    for (const unit of units) {
      const before = known.get(unit.id);
      const same =
        before?.replicas === replicas && before.healthy === unit.healthy && before.numaNode === unit.numaNode;
      next.set(unit.id, same ? before : { ...unit, replicas, bytes: encodeUnit(unit, replicas) });
    }
    known = next;
    return Buffer.concat([...next.values()].map(({ bytes }) => bytes));
  };
}

/** Field numbers times 8, plus 2 for something with a length before it, 0 for a number. */
const field = { devices: 0x0a, id: 0x0a, health: 0x12, topology: 0x1a, nodes: 0x0a, nodeId: 0x08 } as const;

/** The entries of all replicas. Built as a text of one byte per character, which is some ten times as quick as small buffers. */
function encodeUnit({ id, healthy, numaNode }: Advertised, replicas: number): Buffer {
  const place =
    numaNode === undefined ? '' : sized(field.topology, sized(field.nodes, numbered(field.nodeId, numaNode)));
  const tail = sized(field.health, healthy ? 'Healthy' : 'Unhealthy') + place;
  let text = '';
  for (let replica = 0; replica < replicas; replica++)
    text += sized(field.devices, sized(field.id, deviceId(id, replica)) + tail);
  return Buffer.from(text, 'latin1');
}

function sized(tag: number, content: string): string {
  return numbered(tag, content.length) + content;
}

function numbered(tag: number, value: number): string {
  let text = String.fromCharCode(tag);
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) text += String.fromCharCode((rest % 128) | 0x80);
  return text + String.fromCharCode(rest);
}
