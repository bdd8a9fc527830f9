/** Our nft table: each element belongs to an attachment or a node, and each of those has its elements. Pure. */
import type { Attachment } from '../../../cni/attachment.ts';
import { familyOf } from '../../../linux/ipaddress.ts';
import { differences } from './compare.ts';
import { attachmentsOf } from './nodestate.ts';
import type { NodeNetwork, NodeObject } from './nodestate.ts';

export function elementViolations(node: NodeNetwork, objects: readonly NodeObject[]): readonly string[] {
  const { elements } = node;
  if (elements === undefined) return ['there is no nft table inet berth'];
  const wanted = wantedElements(node, objects);
  return [...wanted].flatMap(([set, owned]) => {
    const there = elements.get(set);
    if (there === undefined) return [`the nft table has no ${set}`];
    return differences(
      'owner',
      owned.map((element) => `${element} in ${set}`),
      'element',
      there.map((element) => `${element} in ${set}`),
    );
  });
}

/** By set. `direct` holds what is configured and is not about anybody. */
function wantedElements(node: NodeNetwork, objects: readonly NodeObject[]): ReadonlyMap<string, readonly string[]> {
  const own = objects.filter(({ name }) => name === node.name).flatMap(({ podCIDRs }) => podCIDRs);
  const others = objects.filter(({ name }) => name !== node.name).flatMap(({ podCIDRs }) => podCIDRs);
  const wanted = new Map<string, string[]>();
  const add = (set: string, element: string): void => {
    wanted.get(set)?.push(element);
  };
  for (const name of ['pods', 'nodes', 'ports', 'addressports', 'hairpin'])
    for (const family of [4, 6] as const) wanted.set(of(name, family), []);
  for (const range of own) add(of('pods', familyOf(range)), range);
  for (const range of others) add(of('nodes', familyOf(range)), range);
  for (const attachment of attachmentsOf(node))
    for (const [set, element] of portElements(attachment)) add(set, element);
  return wanted;
}

function portElements({ addresses, ports = [] }: Attachment): readonly (readonly [string, string])[] {
  return addresses.flatMap((address) => {
    const family = familyOf(address);
    const mapped = ports.filter(({ hostIP }) => hostIP === '' || familyOf(hostIP) === family);
    if (mapped.length === 0) return [];
    return [
      [of('hairpin', family), `${address} . ${address}`] as const,
      ...mapped.map(({ protocol, hostPort, containerPort, hostIP }) => {
        const tail = `${protocol} . ${hostPort} : ${address} . ${containerPort}`;
        const everywhere = ['', '0.0.0.0', '::'].includes(hostIP);
        return everywhere
          ? ([of('ports', family), tail] as const)
          : ([of('addressports', family), `${hostIP} . ${tail}`] as const);
      }),
    ];
  });
}

function of(set: string, family: 4 | 6): string {
  return family === 4 ? set : `${set}6`;
}
