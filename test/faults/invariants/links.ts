/** Links of ours and what hangs on them: routes, neighbours, disciplines. Ours by group and alias, whatever the name. Pure. */
import { doomedGroup, linkAlias, linkGroup, tunnelGroup } from '../../../cni/attachment.ts';
import type { Attachment } from '../../../cni/attachment.ts';
import { tunnelName } from '../../../cni/nodes/tunnel.ts';
import { differences } from './compare.ts';
import { attachmentsOf } from './nodestate.ts';
import type { LinkState, NodeNetwork } from './nodestate.ts';

export function linkViolations(node: NodeNetwork): readonly string[] {
  const attachments = attachmentsOf(node);
  const ours = node.links.filter(isPods);
  const names = new Set(ours.map(({ name }) => name));
  const wanted = attachments.flatMap(wantedLinks);
  const owned = new Set(attachments.flatMap(({ addresses }) => addresses));
  const onOurs = <T extends { readonly link: string }>(entries: readonly T[]): readonly T[] =>
    entries.filter(({ link }) => names.has(link));
  return [
    ...differences('attachment', wanted.map(linkText), 'link', ours.map(linkText)),
    ...ours.filter(({ up }) => !up).map(({ name }) => `link ${name} is down`),
    // A route that leads a pod's address elsewhere is a second way to it, whoever made it.
    ...differences(
      'attachment',
      attachments.flatMap(({ addresses, host }) => addresses.map((address) => `${address} over ${host.name}`)),
      'route',
      node.routes
        .filter(({ destination, link }) => names.has(link) || owned.has(destination))
        // What the kernel makes for a link's own address.
        .filter(({ destination, protocol }) => destination !== 'fe80::/64' || protocol !== 'kernel')
        .map(({ destination, link, via }) => `${destination} over ${link}${via === undefined ? '' : ` via ${via}`}`),
    ),
    ...differences(
      'attachment',
      attachments.flatMap(({ addresses, host, sandbox }) =>
        addresses.map((address) => `${address} ${sandbox.mac} on ${host.name}`),
      ),
      'neighbour',
      onOurs(node.neighbours).map(({ address, mac, link }) => `${address} ${mac} on ${link}`),
    ),
    ...differences(
      'attachment',
      attachments.flatMap(wantedDisciplines),
      'discipline',
      onOurs(node.disciplines)
        .filter(({ kind }) => kind !== 'noqueue')
        .map(({ kind, link, rate }) => disciplineText(kind, link, rate)),
    ),
    ...differences(
      'attachment',
      attachments.flatMap(({ host, limits }) =>
        limits?.egress === undefined ? [] : [`${host.name} to ${limits.egress.link}`],
      ),
      'redirection',
      onOurs(node.redirections).map(({ link, to }) => `${link} to ${to}`),
    ),
  ];
}

/** Whether a link is one of a pod, or was. */
function isPods({ group, alias, name }: LinkState): boolean {
  if (group === tunnelGroup || name === tunnelName) return false;
  return group === linkGroup || group === doomedGroup || alias.startsWith('berth:');
}

type Wanted = Omit<LinkState, 'mac' | 'up'> & { readonly mac: string | undefined };

function wantedLinks(attachment: Attachment): readonly Wanted[] {
  const { host, mtu, limits } = attachment;
  const common = { group: linkGroup, alias: linkAlias(attachment), mtu };
  return [
    { ...common, kind: 'veth', ...host },
    ...(limits?.egress === undefined
      ? []
      : [{ ...common, kind: 'ifb', name: limits.egress.link, index: limits.egress.index, mac: undefined }]),
  ];
}

function linkText({ name, index, kind, group, mtu, mac, alias }: Wanted): string {
  // The kernel chooses the MAC of a link that only queues.
  const address = kind === 'ifb' ? '' : ` ${mac ?? ''}`;
  return `${name} (${kind} ${index}${address} group ${group} mtu ${mtu} "${alias}")`;
}

function wantedDisciplines(attachment: Attachment): readonly string[] {
  const { host, limits: { ingress, egress } = {} } = attachment;
  return [
    ...(ingress === undefined ? [] : [disciplineText('tbf', host.name, ingress.rate)]),
    ...(egress === undefined
      ? []
      : [disciplineText('tbf', egress.link, egress.rate), disciplineText('clsact', host.name)]),
  ];
}

function disciplineText(kind: string, link: string, rate?: number): string {
  return `${kind} on ${link}${rate === undefined ? '' : ` of ${rate} bytes/s`}`;
}
