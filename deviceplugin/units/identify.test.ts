import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { devicesSection } from '../config/section.ts';
import { inventoryOf } from '../fake/inventoryof.ts';
import { recorded } from '../fake/recorded.ts';
import type { RecordedDevice } from '../fake/recordeddevice.ts';
import { compileRules } from './compile.ts';
import { identify } from './identify.ts';
import { identityKinds } from './identitykinds.ts';
import { matchUnits } from './match.ts';
import { mostAway } from './memory.ts';
import type { IdentityMemory } from './memory.ts';
import { unitId, unitIdPattern } from './unitid.ts';
import type { FoundUnit } from './unit.ts';

const rule = { name: 'a.b/c', identity: [...identityKinds] };
const nothing: IdentityMemory = new Map();

function unit(identities: FoundUnit['identities']): FoundUnit {
  return { members: [], companions: [], identities, numaNode: undefined, lineage: [] };
}
function stick(port: string, serial = 'S'): FoundUnit {
  return unit({ serial, port, path: `/dev/${port}` });
}
const byPort = (port: string): string => unitId('port', port);
const bySerial = (serial: string): string => unitId('serial', serial);

describe('the first identity of the order that a unit has', () => {
  const all = { serial: 'S', port: 'P', path: '/dev/x' };
  test.each([
    [['serial', 'port', 'path'], all, bySerial('S')],
    [['port', 'serial'], all, byPort('P')],
    [['path'], all, unitId('path', '/dev/x')],
    [['serial'], { port: 'P', path: '/dev/x' }, unitId('path', '/dev/x')],
    [['serial', 'port'], { port: 'P', path: '/dev/x' }, byPort('P')],
  ] as const)('of %j is its ID', (identity, identities, id) => {
    expect(identify({ ...rule, identity: [...identity] }, [unit(identities)], nothing).ids).toEqual([id]);
  });

  test('is skipped where another unit has it', () => {
    const twice = [unit({ port: 'P', path: '/dev/x' }), unit({ port: 'P', path: '/dev/y' })];
    expect(identify(rule, twice, nothing).ids).toEqual([byPort('P'), unitId('path', '/dev/y')]);
  });
});

describe('two sticks with one serial number', () => {
  /** Looks at these sticks one time after the other, and returns the IDs of the last time. */
  function after(...times: readonly (readonly FoundUnit[])[]): readonly string[] {
    let memory = nothing;
    let ids: readonly string[] = [];
    for (const units of times) ({ ids, memory } = identify(rule, units, memory));
    return ids;
  }
  const [one, two, three] = [stick('1'), stick('2'), stick('3')];

  test('found together the one at the first port has the serial number’s ID, the other its port’s', () => {
    expect(after([two, one])).toEqual([byPort('2'), bySerial('S')]);
  });

  test('the one that was there alone keeps its ID when the other comes', () => {
    expect(after([two], [one, two])).toEqual([byPort('1'), bySerial('S')]);
  });

  test('the other keeps its ID when the first goes, and when it comes again itself', () => {
    expect(after([two], [one, two], [one])).toEqual([byPort('1')]);
    expect(after([two], [one, two], [one], [], [one])).toEqual([byPort('1')]);
  });

  test('the first has its ID again at its port, and at a new one', () => {
    expect(after([two], [one, two], [one], [one, two])).toEqual([byPort('1'), bySerial('S')]);
    expect(after([two], [one, two], [one], [one, three])).toEqual([byPort('1'), bySerial('S')]);
  });

  test('moved and moved back a single stick has one ID', () => {
    expect(after([one], [two], [one])).toEqual([bySerial('S')]);
    expect(after([one], [two], [], [one])).toEqual([bySerial('S')]);
  });

  test('what is not new leaves the memory the same object', () => {
    const { memory } = identify(rule, [one, two], nothing);
    expect(identify(rule, [two, one], memory).memory).toBe(memory);
    expect(identify(rule, [], memory).memory).toBe(memory);
    expect(identify(rule, [unit({ path: '/dev/x' })], nothing).memory).toBe(nothing);
  });

  test('a resource remembers for itself', () => {
    const { memory } = identify(rule, [one], nothing);
    expect(identify({ ...rule, name: 'a.b/d' }, [one, two], memory).ids).toEqual([bySerial('S'), byPort('2')]);
  });
});

test('sticks that come and go never move an ID between places, nor share one, over restarts', () => {
  const ports = ['1', '2', '3', '4'];
  const action = fc.oneof(
    fc.record({ plug: fc.constantFrom(...ports), serial: fc.constantFrom('S', 'S', 'S', 'T'), seen: fc.boolean() }),
    fc.record({ unplug: fc.constantFrom(...ports), seen: fc.boolean() }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 30 }), (actions) => {
      let memory = nothing;
      const plugged = new Map<string, string>();
      /** IDs at the last look, by port and serial number, as long as the number's ID is not with another. */
      const last = new Map<string, string>();
      for (const step of actions) {
        if ('plug' in step) {
          if (!plugged.has(step.plug)) plugged.set(step.plug, step.serial);
        } else plugged.delete(step.unplug);
        // What happens unseen happens while the agent is away.
        if (!step.seen) continue;
        memory = new Map(JSON.parse(JSON.stringify([...memory])) as [string, never][]);
        const there = [...plugged];
        const result = identify(
          rule,
          there.map(([port, serial]) => stick(port, serial)),
          memory,
        );
        memory = result.memory;
        expect(new Set(result.ids).size).toBe(there.length);
        const now = new Map(there.map(([port, serial], index) => [`${serial} ${port}`, result.ids[index] ?? '']));
        for (const [at, id] of now) {
          const before = last.get(at);
          if (before !== undefined) expect(`${at} ${id}`).toBe(`${at} ${before}`);
          for (const [other, held] of last) if (held === id && !now.has(other)) last.delete(other);
        }
        for (const [at, id] of now) last.set(at, id);
      }
    }),
    { numRuns: 500 },
  );
});

test('whatever units say, every one has a clean ID of its own', () => {
  const text = fc.oneof(
    fc.constantFrom('S', 'T', '/dev/x'),
    fc.string({ unit: fc.constantFrom('a', '/', '-', ' ', '\u0000', '😀'), maxLength: 8 }),
  );
  const identities = fc.record({ serial: text, port: text, path: text }, { requiredKeys: ['path'] });
  const order = fc.uniqueArray(fc.constantFrom(...identityKinds), { minLength: 1 });
  fc.assert(
    fc.property(fc.array(identities, { maxLength: 12 }), order, (all, identity) => {
      const { ids } = identify({ ...rule, identity }, all.map(unit), nothing);
      expect(new Set(ids).size).toBe(all.length);
      expect(ids.filter((id) => !unitIdPattern.test(id))).toEqual([]);
    }),
  );
});

test('of sticks that are away the oldest are forgotten, of those that are there none', () => {
  const here = stick('here', 'here');
  let { memory } = identify(rule, [here], nothing);
  const many = Array.from({ length: mostAway + 10 }, (_, index) => stick(`p${index}`, `s${index}`));
  ({ memory } = identify(rule, [here, ...many], memory));
  expect(memory.get(rule.name)).toHaveLength(mostAway + 11);
  ({ memory } = identify(rule, [here], memory));
  const kept = memory.get(rule.name)!.map(({ serial }) => serial);
  expect(kept).toHaveLength(mostAway + 1);
  expect([kept.includes(bySerial('here')), kept.includes(bySerial('s0')), kept.includes(bySerial('s10'))]).toEqual([
    true,
    false,
    true,
  ]);
});

describe('on recorded machines', () => {
  function ids(devices: readonly RecordedDevice[], resource: object, memory = nothing) {
    const { resources } = devicesSection.parse({ resources: [{ name: rule.name, ...resource }] });
    const { units } = matchUnits(compileRules(resources, []), inventoryOf(devices)).get(rule.name)!;
    return identify(resources[0]!, units, memory);
  }
  const tty = { match: [{ subsystem: 'tty' }] };

  test('an adapter has one ID at any port, under any name', () => {
    const first = ids(recorded.usbSerial('1-1.4'), tty).ids;
    expect(first).toEqual([expect.stringMatching(/^usb-0403-6001-A5069RR4-00-tty-port0-[0-9a-f]{16}$/)]);
    expect(ids(recorded.usbSerial('1-2', { tty: 7, devnum: 99 }), tty).ids).toEqual(first);
  });

  test.each([undefined, '', '0000', '0123456789'])(
    'an adapter with the serial number %j is known by its port',
    (serial) => {
      const first = ids(recorded.usbSerial('1-1.4', { serial }), tty).ids;
      expect(first).toEqual([expect.stringMatching(/^0000-00-14-0-usb2-1-4-00-tty-port0-/)]);
      expect(ids(recorded.usbSerial('1-1.4', { serial, tty: 3, devnum: 40 }), tty).ids).toEqual(first);
      expect(ids(recorded.usbSerial('1-1.3', { serial }), tty).ids).not.toEqual(first);
    },
  );

  test('a port is the same whatever number its bus got at this boot', () => {
    const moved = JSON.parse(
      JSON.stringify(recorded.usbSerial('1-4', { serial: undefined }))
        .replaceAll('/usb1', '/usb3')
        .replaceAll('/1-4', '/3-4'),
    ) as readonly RecordedDevice[];
    expect(ids(moved, tty).ids).toEqual(ids(recorded.usbSerial('1-4', { serial: undefined }), tty).ids);
  });

  test('a stick that calls itself $(reboot) or 10 kB gets an ID like any other', () => {
    for (const serial of ['$(reboot)', 'x'.repeat(10_240), '../../../etc', '\u202e\u0000'])
      expect(ids(recorded.usbSerial('1-2', { serial }), tty).ids).toEqual([expect.stringMatching(unitIdPattern)]);
  });

  test('nodes of one device have IDs of their own, which do not follow the kernel’s numbers', () => {
    const any = { match: [{ usb: {} }] };
    const first = ids(recorded.camera('1-5'), any).ids;
    expect(new Set(first).size).toBe(5);
    expect([...ids(recorded.camera('1-5', { video: 4, card: 3, input: 20, devnum: 9 }), any).ids].sort()).toEqual(
      [...first].sort(),
    );
  });

  test('nodes that nothing tells apart are counted within their device', () => {
    const [last] = recorded.camera('1-5').filter(({ devpath }) => devpath.endsWith('event5'));
    const second: RecordedDevice = {
      ...last!,
      devpath: last!.devpath.replaceAll('put5', 'put6').replaceAll('event5', 'event6'),
      node: { kind: 'c', major: 13, minor: 70, name: 'input/event6' },
    };
    const one = ids(recorded.camera('1-5'), { match: [{ subsystem: 'input' }] }).ids;
    const both = ids([...recorded.camera('1-5'), second], { match: [{ subsystem: 'input' }] }).ids;
    expect([both[0], new Set(both).size]).toEqual([one[0], 2]);
  });

  test('a disk, its partitions and its controller are told apart, and known by the disk’s number', () => {
    const found = ids(recorded.nvme(), { match: [{ pci: {} }] }).ids;
    expect(new Set(found).size).toBe(4);
    for (const id of found) expect(id).toMatch(/^nvme-S4EWNX0N123456-/);
  });

  test('twins that change places under other names keep what they were called', () => {
    const at = (port: string, number: number) =>
      recorded.usbSerial(port, { serial: '0001', tty: number, devnum: number });
    const first = ids(at('1-3', 0), tty);
    const both = ids([...at('1-3', 0), ...at('1-4', 1)], tty, first.memory);
    expect(both.ids[0]).toBe(first.ids[0]);
    // After a restart they are found the other way round.
    const restarted = ids([...at('1-3', 1), ...at('1-4', 0)], tty, both.memory);
    expect(restarted.ids).toEqual([...both.ids].reverse());
    // The first goes to another port; the second stays what it is.
    const alone = ids(at('1-4', 0), tty, restarted.memory);
    expect(alone.ids).toEqual([both.ids[1]]);
    const elsewhere = ids([...at('1-4', 0), ...at('1-1.2', 5)], tty, alone.memory);
    expect(elsewhere.ids).toEqual([both.ids[1], both.ids[0]]);
  });

  test('what software makes is known by its path', () => {
    expect(ids(recorded.misc(), { paths: ['/dev/fuse'] }).ids).toEqual(['fuse-12109236a9969d65']);
  });
});
