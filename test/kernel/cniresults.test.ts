// What ADD answers in each version of the specification and for each set of families, whole, and as containerd reads it.
import { describe, expect, test } from 'vitest';
import type { Answer, TestNode } from './cni/node.ts';
import { codeOf, expectNothingLeft, useNodes } from './cni/scene.ts';

const { start } = useNodes();

interface Result {
  readonly interfaces: readonly { readonly name: string; readonly mac: string; readonly sandbox?: string }[];
  readonly ips: readonly { readonly address: string; readonly interface: number }[];
}

const four = { address: /^10\.244\.7\.2\/32$/, gateway: '169.254.1.1', dst: '0.0.0.0/0', version: '4' };
const six = { address: /^fd00:7::2\/128$/, gateway: 'fe80::1', dst: '::/0', version: '6' };
type Given = typeof four;

const text = (pattern: RegExp): string => expect.stringMatching(pattern) as string;

/** The answer of the versions with interfaces. */
function whole(node: TestNode, cniVersion: string, families: readonly Given[]): object {
  const mtu = cniVersion === '1.1.0' ? { mtu: 1400 } : {};
  return {
    cniVersion,
    interfaces: [
      { name: text(/^veth[0-9a-f]{11}$/), mac: text(/^02:/), ...mtu },
      { name: 'eth0', mac: text(/^02:/), sandbox: node.path('one'), ...mtu },
    ],
    ips: families.map(({ address, gateway, version }) => ({
      ...(cniVersion.startsWith('0.') ? { version } : {}),
      address: text(address),
      gateway,
      interface: 1,
    })),
    routes: families.map(({ dst, gateway }) => ({ dst, gw: gateway })),
  };
}

/** The answer of the first versions: an address of each family with its routes. */
function early(cniVersion: string, families: readonly Given[]): object {
  const members = families.map(({ address, gateway, dst, version }) => [
    `ip${version}`,
    { ip: text(address), gateway, routes: [{ dst, gw: gateway }] },
  ]);
  return { cniVersion, ...(Object.fromEntries(members) as object) };
}

/** The addresses that containerd would give the pod: those of the interface `eth0`, which must be there and have one. */
function asContainerdReads({ interfaces, ips }: Result): readonly string[] {
  const byName = new Map<string, string[]>(interfaces.map(({ name }) => [name, []]));
  expect(byName.size).toBe(interfaces.length);
  for (const ip of ips) {
    const owner = interfaces[ip.interface];
    if (owner === undefined) throw new Error(`${ip.address} is of interface ${ip.interface}, which is not there`);
    byName.get(owner.name)?.push(ip.address.replace(/\/.*/, ''));
  }
  const found = byName.get('eth0') ?? [];
  if (found.length === 0) throw new Error('failed to find network info for sandbox');
  return found;
}

function resultOf(answer: Answer): Result {
  return JSON.parse(answer.stdout) as Result;
}

describe.each<[string, string[], Given[]]>([
  ['IPv4', ['10.244.7.0/30'], [four]],
  ['IPv6', ['fd00:7::/126'], [six]],
  ['both families', ['10.244.7.0/30', 'fd00:7::/126'], [four, six]],
])('%s', (_what, ranges, families) => {
  test('in every version the answer is whole and true, CHECK takes it, and DEL leaves nothing', async () => {
    const node = await start(ranges);
    node.addNamespace('one');
    for (const cniVersion of ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0']) {
      const answer = await node.add('one', { cniVersion });
      const result = resultOf(answer);
      expect(result).toEqual(whole(node, cniVersion, families));
      const links = JSON.parse(node.ip('one', '-json', 'link', 'show', 'eth0')) as readonly object[];
      expect(links[0]).toMatchObject({ mtu: 1400, address: result.interfaces[1]?.mac });
      const host = JSON.parse(node.ip('node', '-json', 'link', 'show', result.interfaces[0]?.name ?? '')) as object[];
      expect(host[0]).toMatchObject({ mtu: 1400, address: result.interfaces[0]?.mac, operstate: 'UP' });
      await node.serve('one');
      for (const address of asContainerdReads(result))
        expect(await node.ask('node', address)).toBe(address.includes(':') ? node.nodeAddress6 : node.nodeAddress);
      const check = await node.cni('CHECK', node.variables('one'), { cniVersion, prevResult: result });
      expect(cniVersion.startsWith('0.3.') ? codeOf(check) : check.exit).toBe(cniVersion.startsWith('0.3.') ? 1 : 0);
      expect(await node.cni('DEL', node.variables('one'), { cniVersion, prevResult: result })).toEqual({
        exit: 0,
        stdout: '',
      });
      expectNothingLeft(node);
      expect(node.ip('one', '-br', 'link', 'show')).not.toContain('eth0');
      const after = await node.cni('CHECK', node.variables('one'), { cniVersion: '1.1.0', prevResult: result });
      expect(codeOf(after)).toBe(100);
      // What listened there ends with its namespace.
      node.removeNamespace('one');
      node.addNamespace('one');
    }
  });

  test('in the first versions, too', async () => {
    const node = await start(ranges);
    node.addNamespace('one');
    for (const cniVersion of ['0.1.0', '0.2.0']) {
      expect(JSON.parse((await node.add('one', { cniVersion })).stdout)).toEqual(early(cniVersion, families));
      expect((await node.cni('DEL', node.variables('one'), { cniVersion })).exit).toBe(0);
      expectNothingLeft(node);
    }
  });
});
