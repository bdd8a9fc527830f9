/** Records, pods and their namespaces: each address has one owner, each record a living pod, each pod its record. Pure. */
import { keyText, recordName } from '../../../cni/attachment.ts';
import type { Attachment } from '../../../cni/attachment.ts';
import { differences, repeated } from './compare.ts';
import { attachmentsOf } from './nodestate.ts';
import type { NodeNetwork } from './nodestate.ts';

/** Addresses that two attachments have, on whatever nodes. */
export function addressViolations(nodes: readonly NodeNetwork[]): readonly string[] {
  const owners = nodes.flatMap((node) =>
    attachmentsOf(node).flatMap((attachment) =>
      attachment.addresses.map((address) => ({ address, owner: `${describe(attachment)} on ${node.name}` })),
    ),
  );
  return repeated(owners.map(({ address }) => address)).map((address) => {
    const theirs = owners.filter((one) => one.address === address).map(({ owner }) => owner);
    return `address ${address} has ${theirs.length} owners: ${theirs.join(', ')}`;
  });
}

export function attachmentViolations(node: NodeNetwork): readonly string[] {
  const attachments = attachmentsOf(node);
  return [
    ...node.records.flatMap(({ file, attachment }) => {
      if (attachment === undefined) return [`${file} is no record of an attachment`];
      const right = recordName(attachment);
      return file === right ? [] : [`${file} has the record of ${describe(attachment)}, whose file is ${right}`];
    }),
    ...attachments
      .filter(({ state }) => state !== 'active')
      .map((attachment) => `attachment of ${describe(attachment)} is ${attachment.state}`),
    ...podViolations(node),
    ...attachments.flatMap((attachment) => sandboxViolations(node, attachment)),
    ...node.queue.map((file) => `the call ${file} waits in the queue`),
    ...node.refused.map((file) => `${file} was set aside as no call`),
    ...node.unfinished.map((file) => `${file} was left half-written`),
    ...countViolations(node.counted, attachments),
  ];
}

function podViolations(node: NodeNetwork): readonly string[] {
  const attachments = attachmentsOf(node);
  const named = attachments.flatMap(({ pod }) => (pod === undefined ? [] : [pod.uid]));
  const living = new Set(node.pods.map(({ uid }) => uid));
  return [
    ...repeated(named).map((uid) => `pod ${uid} has two attachments`),
    ...attachments
      .filter(({ pod }) => pod !== undefined && !living.has(pod.uid))
      .map((attachment) => `attachment of ${describe(attachment)} has no living pod`),
    ...node.pods.flatMap(({ name, uid, addresses }) => {
      const attachment = attachments.find(({ pod }) => pod?.uid === uid);
      return addresses.length === 0
        ? []
        : differences(`pod ${name} with address`, addresses, 'address of its attachment', attachment?.addresses ?? []);
    }),
  ];
}

function sandboxViolations(node: NodeNetwork, attachment: Attachment): readonly string[] {
  const who = describe(attachment);
  const sandbox = node.sandboxes.find(({ identity }) => identity === attachment.netns.identity);
  if (sandbox === undefined) return [`attachment of ${who} has no network namespace (${attachment.netns.identity})`];
  const { name, index, mac } = attachment.sandbox;
  const link = sandbox.links.find((one) => one.name === name);
  if (link === undefined) return [`attachment of ${who} has no link ${name} in its pod`];
  const [wanted, there] = [`${index} ${mac}`, `${link.index} ${link.mac}`];
  return [
    ...(wanted === there ? [] : [`link ${name} in the pod of ${who} is ${there}, its record has ${wanted}`]),
    ...differences(`attachment of ${who} with address`, attachment.addresses, 'address in its pod', link.addresses),
  ];
}

function countViolations(counted: number | undefined, attachments: readonly Attachment[]): readonly string[] {
  if (counted === undefined) return ['the agent does not say how many addresses are used'];
  const recorded = attachments.reduce((sum, { addresses }) => sum + addresses.length, 0);
  return counted === recorded ? [] : [`the agent counts ${counted} addresses as used, records have ${recorded}`];
}

/** An attachment for a sentence. */
function describe({ pod, containerID, ifname }: Attachment): string {
  return pod === undefined ? keyText({ containerID, ifname }) : `${pod.namespace}/${pod.name}`;
}
