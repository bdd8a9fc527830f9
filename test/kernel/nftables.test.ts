// nftables: one table of behaviours for the kernel (libnftables in a namespace of its own) and the fake.
import { execFileSync } from 'node:child_process';
import { afterEach, describe, expect, test } from 'vitest';
import { inNamespace, namespaces } from '../../linux/netns.ts';
import { FakeNftables } from '../../linux/nftables/fake.ts';
import { openNftables } from '../../linux/nftables/libnftables.ts';
import type { NftCommand, NftTable, Nftables } from '../../linux/nftables/nftables.ts';

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

let count = 0;
function kernel(): Nftables {
  const name = `berth-nft-${process.pid}-${++count}`;
  execFileSync('ip', ['netns', 'add', name]);
  const namespace = namespaces.open(`/run/netns/${name}`);
  const nftables = inNamespace(namespace, openNftables);
  undo.push(() => {
    nftables.close();
    namespace.close();
    execFileSync('ip', ['netns', 'del', name]);
  });
  return nftables;
}

const table: NftTable = {
  name: 'berth',
  sets: [
    { name: 'pods', type: 'ipv4_addr', elements: ['10.1.0.0/24'] },
    { name: 'direct', type: 'ipv4_addr', elements: [] },
  ],
  chains: [
    {
      name: 'postrouting',
      type: 'nat',
      hook: 'postrouting',
      priority: 100,
      rules: ['ip saddr @pods ip daddr != @direct masquerade fully-random'],
    },
    { name: 'guard', type: 'filter', hook: 'prerouting', priority: -300, rules: [] },
  ],
};
const state = {
  sets: new Map([
    ['pods', ['10.1.0.0/24']],
    ['direct', []],
  ]),
  chains: new Map([
    ['postrouting', 1],
    ['guard', 0],
  ]),
};

describe.each([
  ['the kernel', kernel],
  ['the fake', () => new FakeNftables()],
])('%s', (_name, make) => {
  test('maps of ports: an element comes and goes, one that is there stays, and a key leads to one place only', async () => {
    const nftables = make();
    const ports = { name: 'ports', type: 'ipv4_port', elements: ['tcp . 80 : 10.1.0.2 . 8080'] } as const;
    const addressports = {
      name: 'addressports6',
      type: 'ipv6_address_port',
      elements: ['2001:db8::1 . sctp . 81 : fd00::2 . 81'],
    } as const;
    const hairpin = { name: 'hairpin', type: 'ipv4_pair', elements: ['10.1.0.2 . 10.1.0.2'] } as const;
    const rules = ['fib daddr type local dnat ip to meta l4proto . th dport map @ports'];
    const chain = { name: 'in', type: 'nat', hook: 'prerouting', priority: -105, rules } as const;
    await nftables.run([
      { op: 'replace-table', table: { name: 'berth', sets: [ports, addressports, hairpin], chains: [chain] } },
    ]);
    const sets = async (): Promise<unknown> => (await nftables.list('berth'))?.sets;
    const before = new Map([ports, addressports, hairpin].map(({ name, elements }) => [name, elements]));
    expect(await sets()).toEqual(before);
    const change = { table: 'berth', set: 'ports', elements: ['udp . 53 : 10.1.0.3 . 53'] };
    const again = { ...change, elements: ['tcp . 80 : 10.1.0.2 . 8080'] };
    await nftables.run([
      { op: 'add-elements', ...change },
      { op: 'add-elements', ...again },
    ]);
    expect((await nftables.list('berth'))?.sets.get('ports')).toHaveLength(2);
    const taken = { op: 'add-elements', ...change, elements: ['udp . 53 : 10.1.0.9 . 53'] } as const;
    await expect(nftables.run([taken, { ...taken, op: 'delete-elements' }])).rejects.toThrow('File exists');
    await nftables.run([
      { op: 'add-elements', ...change },
      { op: 'delete-elements', ...change },
    ]);
    expect(await sets()).toEqual(before);
  });

  test('has no table of ours at first', async () => {
    expect(await make().list('berth')).toBeUndefined();
  });

  test('replaces a table whole, once and again', async () => {
    const nftables = make();
    await nftables.run([{ op: 'replace-table', table }]);
    await nftables.run([
      { op: 'add-elements', table: 'berth', set: 'direct', elements: ['10.9.0.0/16'] },
      { op: 'replace-table', table },
    ]);
    expect(await nftables.list('berth')).toEqual(state);
  });

  test('adds and deletes elements; what is there already stays', async () => {
    const nftables = make();
    await nftables.run([{ op: 'replace-table', table }]);
    await nftables.run([{ op: 'add-elements', table: 'berth', set: 'pods', elements: ['10.2.0.1', '10.1.0.0/24'] }]);
    expect((await nftables.list('berth'))?.sets.get('pods')).toEqual(['10.1.0.0/24', '10.2.0.1/32']);
    await nftables.run([{ op: 'delete-elements', table: 'berth', set: 'pods', elements: ['10.1.0.0/24'] }]);
    expect((await nftables.list('berth'))?.sets.get('pods')).toEqual(['10.2.0.1/32']);
  });

  test.each([
    ['table', { op: 'add-elements', table: 'other', set: 'pods', elements: ['10.2.0.1'] }],
    ['set', { op: 'add-elements', table: 'berth', set: 'other', elements: ['10.2.0.1'] }],
    ['element', { op: 'delete-elements', table: 'berth', set: 'pods', elements: ['10.2.0.1'] }],
  ] as const)('a transaction that names a missing %s changes nothing', async (_what, command) => {
    const nftables = make();
    await nftables.run([{ op: 'replace-table', table }]);
    await expect(
      nftables.run([{ op: 'add-elements', table: 'berth', set: 'direct', elements: ['10.9.0.0/16'] }, command]),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await nftables.list('berth')).toEqual(state);
  });

  test('each transaction that changes something is one generation, any other is none', async () => {
    const nftables = make();
    const steps = async (commands: readonly NftCommand[]): Promise<number> => {
      const before = await nftables.generation();
      await nftables.run(commands);
      return (await nftables.generation()) - before;
    };
    const change = { table: 'berth', set: 'pods', elements: ['10.2.0.1'] };
    expect(await steps([{ op: 'replace-table', table }])).toBe(1);
    expect(await steps([{ op: 'add-elements', ...change }])).toBe(1);
    expect(await steps([{ op: 'add-elements', ...change }])).toBe(0);
    expect(
      await steps([
        { op: 'add-elements', ...change },
        { op: 'delete-elements', ...change },
      ]),
    ).toBe(1);
    await expect(steps([{ op: 'delete-elements', ...change }])).rejects.toThrow();
    expect(await steps([{ op: 'delete-table', table: 'berth' }])).toBe(1);
  });

  test('deletes a table, once and again', async () => {
    const nftables = make();
    await nftables.run([{ op: 'replace-table', table }]);
    await nftables.run([{ op: 'delete-table', table: 'berth' }]);
    await nftables.run([{ op: 'delete-table', table: 'berth' }]);
    expect(await nftables.list('berth')).toBeUndefined();
  });

  test.each(['10.1.0.1; flush ruleset', 'x', '10.1.0.1 }'])(
    'refuses the element %s before nft sees it',
    async (element) => {
      const nftables = make();
      await expect(
        nftables.run([{ op: 'add-elements', table: 'berth', set: 'pods', elements: [element] }]),
      ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    },
  );
});
